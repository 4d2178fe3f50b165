//! All that a user may hear, as data; `report` has the words.

mod failures;
mod saved;

pub use failures::{ArtifactNews, PublishFailure, Restored, StepFailure, StepPlace};
pub use saved::{Edit, Follows, Kept, PlanChange, PlanRejection};

use crate::fact::{ExitStatus, Interrupt, StartFailure, Typed};
use crate::names::{ArtifactName, EventName, HookName, ProcessName, StateKey, WorkflowName};
use crate::plan::workflow::MessageStyle;
use std::sync::Arc;
use std::time::Duration;

/// How important a notice is; `RUST_LOG` filters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What is going on.
    Info,
    /// For whoever looks closely.
    Debug,
}

/// Who takes long to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Who.
    pub who: Who,
    /// What comes of it.
    pub fate: Fate,
}

/// A child of the plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A process.
    Process(ProcessName),
    /// A hook.
    Hook(HookName),
}

/// What comes of a child that takes long to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is killed when this time is over.
    KilledIn(Duration),
    /// It was killed, and something of it is still there.
    Killed,
    /// Its start was not answered yet; what comes is stopped then.
    Starting,
}

/// Something that the user should hear from the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A process runs.
    ProcessStarted {
        /// Which.
        process: ProcessName,
        /// Its process id.
        pid: u32,
    },
    /// A process and all that belonged to it is gone, as asked.
    ProcessStopped {
        /// Which.
        process: ProcessName,
    },
    /// A process ended by itself.
    ProcessExited {
        /// Which.
        process: ProcessName,
        /// How.
        status: ExitStatus,
        /// After how long it is started again.
        again_in: Option<Duration>,
    },
    /// A process could not be started.
    ProcessStartFailed {
        /// Which.
        process: ProcessName,
        /// Why.
        failure: StartFailure,
        /// After how long it is tried again.
        again_in: Option<Duration>,
    },
    /// A process is not started because of one that it depends on.
    ProcessHeldBack {
        /// Which.
        process: ProcessName,
        /// What happened to the other.
        cause: StepFailure,
    },
    /// A process is ready.
    ProcessReady {
        /// Which. How it shows follows from its plan: healthy at a URL, ready via a state key, …
        process: ProcessName,
    },
    /// A process has not become ready in time.
    ProcessNotReady {
        /// Which.
        process: ProcessName,
        /// In what time.
        within: Duration,
        /// What the last attempt said.
        last: Option<String>,
    },
    /// A process fails its liveness probe.
    ProcessUnwell {
        /// Which.
        process: ProcessName,
        /// What was wrong.
        reason: String,
        /// Whether it is restarted for it.
        is_restarted: bool,
    },
    /// A stop takes long.
    WaitingForStop {
        /// Who has not ended yet.
        awaited: Vec<Awaited>,
        /// The session ends, and a second signal would hurry it.
        can_be_hurried: bool,
    },
    /// A stop took too long; SIGKILL follows.
    ProcessKilled {
        /// Which.
        process: ProcessName,
        /// Its grace period.
        after: Duration,
    },
    /// Something survives SIGKILL.
    ProcessStuck {
        /// Which.
        process: ProcessName,
        /// The process id of what is left.
        pid: u32,
    },
    /// A workflow begins: as a run of its own, triggered, or inline.
    WorkflowBegan {
        /// Which.
        workflow: WorkflowName,
        /// The changed files that it was told of: sorted, unique, relative to root.
        changed_files: Arc<[Arc<str>]>,
    },
    /// A run failed; the session goes on.
    WorkflowFailed {
        /// The workflow that was wanted.
        workflow: WorkflowName,
        /// From the outermost workflow to the innermost: which step (counted from 1), what action.
        path: Vec<StepPlace>,
        /// What happened.
        failure: StepFailure,
    },
    /// A run was cancelled because its workflow is wanted again (`on_busy = "restart"`).
    WorkflowCancelled {
        /// Which.
        workflow: WorkflowName,
    },
    /// A workflow was wanted while it ran and dropped (`on_busy = "skip"`).
    WorkflowSkipped {
        /// Which.
        workflow: WorkflowName,
    },
    /// Changed files start a workflow again and again, as when it writes what it is run for; told once until calm.
    WorkflowRepeats {
        /// Which.
        workflow: WorkflowName,
        /// How often it was started.
        times: usize,
        /// In what time.
        within: Duration,
        /// One of the files that started it last.
        path: Arc<str>,
    },
    /// What a workflow is run for changes while it runs, and only then: it feeds itself. Told once until somebody else
    /// changes a file of its groups.
    WorkflowFeedsItself {
        /// Which.
        workflow: WorkflowName,
        /// How many runs in a row came from the one before.
        in_a_row: u32,
        /// A file that changed.
        path: Arc<str>,
        /// Whether such runs are held back; they are not where `debounce_ms` is 0.
        is_slowed: bool,
    },
    /// A run came to its end.
    WorkflowFinished {
        /// Which.
        workflow: WorkflowName,
        /// How long it took.
        took: Duration,
    },
    /// The message of a `log` step; always shown.
    Message {
        /// Whose step.
        workflow: WorkflowName,
        /// The rendered text, as it is: whoever shows it escapes controls.
        text: String,
        /// How it is shown.
        style: MessageStyle,
    },
    /// A template names a key that the state does not hold; told once a key and workflow.
    TemplateKeyMissing {
        /// Whose template.
        workflow: WorkflowName,
        /// Which key.
        key: StateKey,
    },
    /// A polled hook failed; told once, then when the failure changes.
    ObserverFailed {
        /// Which.
        hook: HookName,
        /// What happened.
        failure: StepFailure,
    },
    /// A polled hook works again.
    ObserverRecovered {
        /// Which.
        hook: HookName,
    },
    /// What a workflow started posts to an event that runs the workflow again, more often than 20 times in 10 s;
    /// told once. From now on such runs are at most one a second.
    EventLoop {
        /// The event that is posted.
        event: EventName,
        /// The workflow that runs itself.
        workflow: WorkflowName,
    },
    /// Something about an artifact.
    Artifact {
        /// Which.
        artifact: ArtifactName,
        /// What.
        news: ArtifactNews,
    },
    /// The state file cannot be written; told once, then when the error changes. It is tried again.
    StateSaveFailed {
        /// The system's words.
        error: String,
    },
    /// The state file can be written again.
    StateSaveRecovered,
    /// Devloop, or the machine, stood still.
    Slept {
        /// For how long.
        span: Duration,
    },
    /// Somebody typed what cannot be done: the config does not name it.
    TypedInVain(Typed),
    /// A signal asked for the end.
    InterruptReceived {
        /// Which.
        interrupt: Interrupt,
    },
    /// A second signal: everything is killed.
    KillRequested,
    /// The guardian is gone; everything is stopped.
    GuardianLost,
    /// The config was saved: one thing of it is another, and that is applied.
    PlanChanged(PlanChange),
    /// The config was saved: it names something else for what cannot change while a session lasts.
    PlanKept(Kept),
    /// The config was saved and cannot be used; the plan before goes on.
    PlanRejected(PlanRejection),
    /// The config could not be used and can again; it says what is done already.
    PlanRestored,
}

impl Notice {
    /// How important it is.
    pub fn level(&self) -> Level {
        match self {
            Self::ProcessStarted { .. }
            | Self::ProcessStopped { .. }
            | Self::ProcessReady { .. }
            | Self::WaitingForStop { .. }
            | Self::WorkflowBegan { .. }
            | Self::WorkflowCancelled { .. }
            | Self::WorkflowSkipped { .. }
            | Self::Message { .. }
            | Self::ObserverRecovered { .. }
            | Self::StateSaveRecovered
            | Self::Artifact { news: ArtifactNews::Published { .. }, .. }
            | Self::Slept { .. }
            | Self::InterruptReceived { .. }
            | Self::KillRequested
            | Self::PlanChanged(_)
            | Self::PlanRestored => Level::Info,
            Self::WorkflowFinished { .. } => Level::Debug,
            Self::ProcessExited { status, .. } if status.is_success() => Level::Info,
            Self::ProcessExited { .. }
            | Self::ProcessNotReady { .. }
            | Self::ProcessUnwell { .. }
            | Self::ProcessKilled { .. }
            | Self::TemplateKeyMissing { .. }
            | Self::WorkflowRepeats { .. }
            | Self::WorkflowFeedsItself { .. }
            | Self::ObserverFailed { .. }
            | Self::Artifact { .. }
            | Self::EventLoop { .. }
            | Self::TypedInVain(_)
            | Self::PlanKept(_) => Level::Warn,
            Self::ProcessStartFailed { .. }
            | Self::ProcessHeldBack { .. }
            | Self::ProcessStuck { .. }
            | Self::WorkflowFailed { .. }
            | Self::StateSaveFailed { .. }
            | Self::GuardianLost
            | Self::PlanRejected(_) => Level::Error,
        }
    }

    /// The part of devloop that speaks, as in `[devloop processes]`.
    pub fn part(&self) -> &'static str {
        match self {
            Self::ProcessStarted { .. }
            | Self::ProcessStopped { .. }
            | Self::ProcessExited { .. }
            | Self::ProcessStartFailed { .. }
            | Self::ProcessHeldBack { .. }
            | Self::ProcessReady { .. }
            | Self::ProcessNotReady { .. }
            | Self::ProcessUnwell { .. }
            | Self::WaitingForStop { .. }
            | Self::ProcessKilled { .. }
            | Self::ProcessStuck { .. } => "processes",
            Self::WorkflowBegan { .. }
            | Self::WorkflowFailed { .. }
            | Self::WorkflowCancelled { .. }
            | Self::WorkflowSkipped { .. }
            | Self::WorkflowFinished { .. }
            | Self::WorkflowRepeats { .. }
            | Self::WorkflowFeedsItself { .. }
            | Self::Message { .. }
            | Self::TemplateKeyMissing { .. } => "workflows",
            Self::ObserverFailed { .. } | Self::ObserverRecovered { .. } => "observers",
            Self::EventLoop { .. } => "events",
            Self::Artifact { .. } => "artifacts",
            Self::StateSaveFailed { .. } | Self::StateSaveRecovered => "state",
            Self::PlanChanged(_) | Self::PlanKept(_) | Self::PlanRejected(_) | Self::PlanRestored => "config",
            Self::TypedInVain(_) => "keys",
            Self::Slept { .. } | Self::InterruptReceived { .. } | Self::KillRequested | Self::GuardianLost => "engine",
        }
    }

    /// Whether `RUST_LOG` cannot hide it: what a user asked to be told, and failures.
    pub fn is_for_user(&self) -> bool {
        matches!(self, Self::Message { .. }) || self.level() == Level::Error
    }
}
