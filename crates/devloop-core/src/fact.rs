//! All that can happen. A fact cannot be refused.

use crate::names::{
    EventName, Generation, HookName, Incarnation, ProcessName, RequestId, StateKey, StateVersion, TaskId, WorkflowName,
};
use crate::plan::Plan;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The driver runs; always the first fact, once.
    SessionBegan,
    /// The moment of `next_deadline` has come.
    DeadlineReached,
    /// A signal asked for the end.
    InterruptRequested(Interrupt),
    /// Somebody at the terminal typed what they want; may come at any time, and name what is not there any more.
    Typed(Typed),
    /// A terminal asked for a pause (`SIGTSTP`).
    SuspendRequested,
    /// The loop stood still for so long, because devloop or the machine was stopped. The clock has not counted that
    /// time, and what came meanwhile has not been heard yet. Also answers `Suspend`, once.
    Slept(Duration),
    /// The guardian is gone: nothing can be started any more, and everything must end.
    GuardianLost,
    /// All watches are live; answers `WatchPaths`, once.
    WatchingBegan,
    /// Paths below root that changed, in the order in which the watcher saw them. Own files, ignored folders and
    /// what changed nothing are not among them.
    PathsTouched(Vec<Touch>),
    /// Something about one life of a process.
    Process(ProcessName, Incarnation, ProcessFact),
    /// A hook is over; answers `StartHook`, once, also after `StopHook` and `KillHook`.
    HookFinished {
        /// Which.
        task: TaskId,
        /// How.
        outcome: HookOutcome,
    },
    /// An attempt of a probe is over; answers `StartProbe`, once, unless `CancelProbe` came before.
    ProbeAnswered {
        /// Which.
        task: TaskId,
        /// How.
        answer: ProbeAnswer,
    },
    /// A client posted a value to an event. Who it was is known by its token; everything else about the request is
    /// right. Facts come in the order in which values count. Answer: `AnswerRequest`, once.
    EventPosted {
        /// Which request.
        request: RequestId,
        /// Whose token came with it.
        holder: Holder,
        /// To what.
        event: EventName,
        /// What, as it came.
        value: String,
    },
    /// What came of file work for an artifact; answers `Artifact`, once.
    ArtifactAnswered {
        /// Which work.
        task: TaskId,
        /// What came of it.
        answer: ArtifactAnswer,
    },
    /// The state file holds this version; answers `SaveState`.
    StateSaved(StateVersion),
    /// The state file could not be written; answers `SaveState`.
    StateSaveFailed {
        /// What could not be saved.
        version: StateVersion,
        /// The system's words.
        error: String,
        /// Whether the file holds it all the same, and only may not survive a loss of power; else it is as it was.
        is_replaced: bool,
    },
    /// The file with this version survives a loss of power, unless it was replaced since; answers `SyncState`.
    StateSynced(StateVersion),
    /// It may not; answers `SyncState`.
    StateSyncFailed(StateVersion),
    /// Somebody saved, replaced or removed the config file; may come at any time, and need not be true.
    PlanTouched,
    /// The config file was read; answers `LoadPlan`, once.
    PlanLoaded(LoadedPlan),
}

/// What the config file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadedPlan {
    /// What it held when it was read last, word for word.
    Same,
    /// A plan. Its root is always that of the session.
    Valid {
        /// The plan.
        plan: Arc<Plan>,
        /// The root that the file names, if it is another.
        other_root: Option<PathBuf>,
    },
    /// Mistakes, which the user has been shown.
    Broken {
        /// How many.
        errors: usize,
    },
    /// Nothing that can be read, or no file is there.
    Unreadable {
        /// The system's own words.
        error: String,
    },
}

/// Who a token was made for: one start of one child.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A life of a process.
    Process(ProcessName, Incarnation),
    /// A hook that was started as this task.
    Hook(TaskId, HookName),
}

impl Holder {
    /// The events that a plan lets it post; none when the plan does not name it.
    pub fn granted(&self, plan: &Plan) -> BTreeSet<EventName> {
        let list = match self {
            Self::Process(process, _) => plan.processes.get(process).map(|process| process.events.as_ref()),
            Self::Hook(_, hook) => plan.hooks.get(hook).map(|hook| hook.events.as_ref()),
        };
        list.map_or_else(BTreeSet::new, |list| plan.granted(list))
    }
}

/// Which signal asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// `SIGINT`.
    Int,
    /// `SIGTERM`.
    Term,
    /// `SIGHUP`.
    Hup,
    /// Typed at the terminal.
    Typed,
}

/// What somebody at the terminal wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A new life of a process, also of one that does not run.
    Restart(ProcessName),
    /// A run of a workflow, without changed files.
    Run(WorkflowName),
}

/// One changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Relative to root, `/`-joined; what is not UTF-8 holds U+FFFD.
    pub path: Arc<str>,
    /// What is known about it.
    pub kind: TouchKind,
}

/// What is known about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchKind {
    /// Somebody is writing it and has not closed it yet.
    Writing,
    /// It is whole: closed after writing, renamed, linked, removed, touched.
    Settled,
    /// Half of a save, perhaps: a name went that may be made again, or a temporary one came. It counts as whole when
    /// nothing follows.
    Half,
    /// A temporary name is gone again: what it was for is told by its own name.
    Spent,
    /// A comparison of the tree found it changed (poll, overflow): nobody knows when, and it counts as settled.
    Found,
}

/// Something about one life of a process. `StartProcess` is answered by `Started` or `StartFailed`; `Started` is
/// followed by `Exited` once and then `Gone` once; captures and matches come between `Started` and `Exited`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessFact {
    /// The command runs.
    Started {
        /// Its process id, for people.
        pid: u32,
    },
    /// The command does not run; nothing of this life is left.
    StartFailed(StartFailure),
    /// An output rule found a value.
    Captured {
        /// The rule's key.
        key: StateKey,
        /// The value.
        value: String,
    },
    /// A line matched the pattern of an `output` probe.
    LineMatched(ProbeRole),
    /// The command ended; all that it wrote has been shown and captured.
    Exited(ExitStatus),
    /// Nothing of its tree (or of its group, as `contain` says) is left.
    Gone,
    /// Something of it survives SIGKILL.
    Stuck {
        /// Its process id.
        pid: u32,
    },
}

/// Which of a process' two probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeRole {
    /// `[process.NAME.readiness]`.
    Readiness,
    /// `[process.NAME.liveness]`.
    Liveness,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Whoever kept it was killed, so nobody knows.
    Unknown,
}

impl ExitStatus {
    /// Whether it is exit code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
            Self::Unknown => f.write_str("an unknown status"),
        }
    }
}

/// Names of signals whose numbers are the same on every system that devloop runs on (signal(7), POSIX `kill`).
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// Why a command does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// A stranger listens where the process would.
    AddressInUse {
        /// `host:port`.
        address: String,
    },
    /// A variable of the config is not set in devloop's environment.
    UnsetVariable {
        /// The key that names it, as in `command[1]` or `env.PORT`.
        key: String,
        /// The variable.
        variable: String,
    },
    /// The system refused.
    Refused {
        /// What was attempted, as in `program 'foo' was not found in PATH`.
        what: String,
        /// The system's own words.
        error: String,
    },
}

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    /// It never ran.
    StartFailed(StartFailure),
    /// It ran and ended; what it wrote has been shown.
    Exited {
        /// How.
        status: ExitStatus,
        /// What it printed, as its `capture` says.
        captured: Captured,
    },
}

/// What a hook printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    /// Its output is not captured.
    Nothing,
    /// Trimmed text.
    Text(String),
    /// A JSON object.
    Object(BTreeMap<StateKey, Value>),
    /// Its output cannot be used.
    Unusable(CaptureFailure),
}

/// Why captured output cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureFailure {
    /// Longer than this many bytes.
    TooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// Not UTF-8.
    NotUtf8,
    /// Not a JSON object; the parser's words.
    NotJsonObject {
        /// The parser's words.
        error: String,
    },
}

/// How an attempt of a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAnswer {
    /// As it should be.
    Well,
    /// Nobody listens (yet).
    Refused,
    /// Any other answer, or none in time: what was wrong, in words.
    Unwell(String),
}

/// What came of file work for an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactAnswer {
    /// Leftovers are gone, and these generations are whole folders on disk, in their order; answers `Find`.
    Found(Vec<Generation>),
    /// There is an empty folder for a new generation, greater than all on disk; answers `Prepare`.
    Prepared(Generation),
    /// The generation is in its place, and all of it survives a loss of power; and which are whole folders now, itself
    /// among them, in their order. Answers `Install`.
    Installed(Vec<Generation>),
    /// Nothing of the generations is left under their names; answers `Remove`.
    Removed,
    /// It was not done, or not all of it; all causes in words. Answers each.
    Failed(String),
}
