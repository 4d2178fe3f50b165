//! Which step failed and why, and what became of a publish.

use crate::fact::{CaptureFailure, ExitStatus, StartFailure};
use crate::names::{ArtifactName, Generation, HookName, ProcessName, StateKey, WorkflowName};
use std::time::Duration;

/// A step of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// Whose step.
    pub workflow: WorkflowName,
    /// Its number, counted from 1; a step of a parallel group has one more number for each level.
    pub number: Vec<usize>,
    /// Its action.
    pub action: &'static str,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFailure {
    /// The process is stopped, or waits for its restart.
    ProcessNotRunning {
        /// Which.
        process: ProcessName,
    },
    /// The process ended while it was awaited.
    ProcessExited {
        /// Which.
        process: ProcessName,
        /// How.
        status: ExitStatus,
    },
    /// The process was stopped while it was awaited.
    ProcessStopped {
        /// Which.
        process: ProcessName,
    },
    /// The process is not in the config any more.
    ProcessRemoved {
        /// Which.
        process: ProcessName,
    },
    /// The process did not become ready in time.
    ProcessNotReady {
        /// Which.
        process: ProcessName,
        /// In what time.
        within: Duration,
        /// What the last attempt said.
        last: Option<String>,
    },
    /// The process could not be started.
    ProcessStartFailed {
        /// Which.
        process: ProcessName,
        /// Why.
        failure: StartFailure,
    },
    /// A process that this one depends on failed.
    DependencyFailed {
        /// Which depends.
        process: ProcessName,
        /// What happened to the other.
        cause: Box<StepFailure>,
    },
    /// The hook could not be started.
    HookStartFailed {
        /// Which.
        hook: HookName,
        /// Why.
        failure: StartFailure,
    },
    /// The hook did not exit with 0.
    HookFailed {
        /// Which.
        hook: HookName,
        /// How it ended.
        status: ExitStatus,
    },
    /// The hook took too long.
    HookTimedOut {
        /// Which.
        hook: HookName,
        /// In what time it should have ended.
        within: Duration,
    },
    /// What the hook printed cannot be used.
    CaptureUnusable {
        /// Which.
        hook: HookName,
        /// Why.
        failure: CaptureFailure,
    },
    /// A hook captured a key that belongs to devloop.
    ReservedKey {
        /// Which hook.
        hook: HookName,
        /// Which key.
        key: StateKey,
    },
    /// A template rendered to more than fits.
    TooLong {
        /// The template as it was written.
        template: String,
    },
    /// An artifact was not published.
    NotPublished {
        /// Which.
        artifact: ArtifactName,
        /// Why.
        failure: PublishFailure,
    },
}

/// What a user hears about an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactNews {
    /// A generation is served by all consumers.
    Published {
        /// Which.
        generation: Generation,
        /// From the begin of the build.
        took: Duration,
    },
    /// A switch that nobody verified was undone when the session began.
    Undone {
        /// What is served instead; none: there was none.
        restored: Option<Generation>,
    },
    /// What the state says is served is not there, or is no generation of this artifact; nothing is served.
    Lost {
        /// What it says, as it is written there.
        named: String,
    },
    /// File work failed that nothing depends on. The system's words.
    Trouble {
        /// All causes.
        error: String,
    },
}

/// Why an artifact was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishFailure {
    /// There is no folder to build in. The system's words.
    NotPrepared(String),
    /// The build hook failed; what was served is served.
    NotBuilt(Box<StepFailure>),
    /// What was built cannot be put into its place; what was served is served. The system's words.
    NotInstalled(String),
    /// The state file could not be written; what was served is served. The system's words.
    NotSaved(String),
    /// A consumer did not answer with the generation.
    Rejected {
        /// Which generation.
        generation: Generation,
        /// What the consumer did.
        cause: Box<StepFailure>,
        /// What is served instead.
        restored: Restored,
    },
}

/// What is served after a generation was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// There was no earlier generation: the consumers are stopped.
    Nothing,
    /// The earlier generation, and all consumers answer with it.
    Served(Generation),
    /// The earlier generation, but a consumer does not answer with it either.
    Unwell(Generation, Box<StepFailure>),
}
