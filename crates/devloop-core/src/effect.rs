//! All that the engine can ask of the world.

use crate::fact::ProbeRole;
use crate::names::{
    ArtifactName, Generation, HookName, Incarnation, ProcessName, RequestId, RunId, StateKey, StateVersion, TaskId,
};
use crate::notice::Notice;
use crate::plan::Plan;
use crate::plan::hook::HookPlan;
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// State values, shared with whoever saves them.
pub type Values = BTreeMap<StateKey, Value>;

/// Something that the world shall begin. Performing one never waits; its end is a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make all watches of the plan live. Answer: `WatchingBegan`, then `PathsTouched` as long as the session lasts.
    WatchPaths,
    /// Start a life of a process. Answers: see `ProcessFact`.
    StartProcess(ProcessName, Incarnation),
    /// Ask a life to end: its stop signal and SIGCONT to its group (and tree). Answer: `Exited` if it still ran, `Gone`.
    StopProcess(ProcessName, Incarnation),
    /// End a life: SIGKILL to all of it until nothing is left. Answer: as of `StopProcess`.
    KillProcess(ProcessName, Incarnation),
    /// Pause all children, and then devloop until somebody continues it (`SIGCONT`): the one effect that the loop waits
    /// for, since nothing runs meanwhile. Answer: `Slept`.
    Suspend,
    /// Run a hook. Answer: `HookFinished`.
    StartHook {
        /// Whose end is the answer.
        task: TaskId,
        /// Which hook.
        hook: HookName,
        /// What it is: a run keeps the plan that it began with, whatever the config says by now.
        plan: Arc<HookPlan>,
        /// What the hook is told about why it runs.
        errand: Errand,
    },
    /// Ask a hook's group to end (SIGTERM). Answer: `HookFinished` as for any hook.
    StopHook(TaskId),
    /// End a hook's group (SIGKILL). Answer: `HookFinished` as for any hook.
    KillHook(TaskId),
    /// One attempt of a probe of kind http, tcp or exec. Answer: `ProbeAnswered`.
    StartProbe {
        /// Whose end is the answer.
        task: TaskId,
        /// Whose probe.
        process: ProcessName,
        /// Which of its probes.
        role: ProbeRole,
        /// What the body must be, rendered.
        expect_body: Option<String>,
        /// After how long the attempt is over in any case.
        within: Duration,
    },
    /// Drop an attempt. No answer.
    CancelProbe(TaskId),
    /// Replace the state file. One save is in flight at a time. Answer: `StateSaved` or `StateSaveFailed`.
    SaveState {
        /// The version that the answer names.
        version: StateVersion,
        /// All values.
        values: Arc<Values>,
        /// Whether it must survive a loss of power.
        durable: bool,
    },
    /// Make the state file, which holds this version, survive a loss of power. No save waits for it. One is in flight at a
    /// time. Answer: `StateSynced` or `StateSyncFailed`.
    SyncState(StateVersion),
    /// Answer who posted a value; answers `EventPosted`, once.
    AnswerRequest {
        /// Which request.
        request: RequestId,
        /// What became of it.
        verdict: Verdict,
        /// The run that will see the value, if it changed anything.
        run: Option<RunId>,
    },
    /// Read and check the config file. One is under way at a time. Answer: `PlanLoaded`.
    LoadPlan,
    /// From now on this is the plan, for all effects that follow. What lives is left alone: whatever must end or begin
    /// for it is asked for. No answer.
    ApplyPlan(Arc<Plan>),
    /// File work for an artifact, in the order in which it is asked. Answer: `ArtifactAnswered`, unless the session ends
    /// before.
    Artifact(TaskId, ArtifactName, ArtifactOrder),
    /// Tell each child that is started from now on that this generation of an artifact is served, or none. No answer.
    ServeArtifact(ArtifactName, Option<Generation>),
    /// Tell all browsers that listen to load their page again.
    BroadcastReload,
    /// Tell the user.
    Report(Notice),
    /// The session is over; always the last effect.
    EndSession(Ending),
}

/// What became of a posted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is in memory and in the file; if it is new, a run of the event's workflow is admitted.
    Accepted,
    /// It is too long, or does not match the event's pattern. Nothing changed.
    BadValue,
    /// The state file could not be written. The value is undone; posting it again works and runs the workflow.
    NotSaved,
    /// The session ends. Nothing changed.
    ShuttingDown,
    /// There is no such event, or its poster was not granted it. Nothing changed.
    NotGranted,
    /// As many requests wait for the file as are kept. Nothing changed; posting it again works.
    Busy,
}

/// What a hook is told about why it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// `DEVLOOP_WORKFLOW`: the workflow whose step it is, or `observe`.
    pub workflow: Arc<str>,
    /// `DEVLOOP_CHANGED_FILES_JSON`: sorted, unique, relative to root.
    pub changed_files: Arc<[Arc<str>]>,
    /// `DEVLOOP_ARTIFACT_CANDIDATE` and what goes with it: what the hook builds, if it builds.
    pub candidate: Option<(ArtifactName, Generation)>,
}

/// File work for an artifact, all of it inside the artifact's own folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactOrder {
    /// Remove what crashed sessions left half done, and look which generations are whole. Answer: `Found`.
    Find,
    /// Make an empty folder for a new generation. Answer: `Prepared`.
    Prepare,
    /// Make what was built durable and rename it into place. Answer: `Installed`.
    Install(Generation),
    /// Remove these generations, and the folders in which they were built. Answer: `Removed`.
    Remove(Vec<Generation>),
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As asked: exit code 0.
    AsAsked,
    /// As asked, but the last values could not be written into the state file: exit code 1. Why was a notice.
    Unsaved,
    /// Something made going on impossible: exit code 1. What is in words by then: it was the last notice.
    Failed,
    /// What survives SIGKILL was left behind: exit code 1.
    Abandoned {
        /// The processes that are not gone.
        processes: Vec<ProcessName>,
    },
}
