//! Ordered steps.

use crate::names::{ArtifactName, HookName, ProcessName, StateKey, WorkflowName};
use crate::template::Template;
use std::time::Duration;

/// What happens when a workflow is wanted again while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBusy {
    /// One more run waits; its changed files merge.
    Queue,
    /// The run is cancelled and begins again with all files since.
    Restart,
    /// It is dropped.
    Skip,
}

/// How a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStyle {
    /// One line.
    Plain,
    /// In a frame.
    Boxed,
}

/// One step of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Starts a process and what it depends on; nothing if it runs.
    StartProcess(ProcessName),
    /// Stops a process and waits until it is gone.
    StopProcess(ProcessName),
    /// Stops a process if it runs, and starts it.
    RestartProcess(ProcessName),
    /// Waits until a process is ready.
    WaitForProcess(ProcessName),
    /// Runs a hook to its end.
    RunHook(HookName),
    /// Runs another workflow there and then.
    RunWorkflow(WorkflowName),
    /// Waits.
    Sleep(Duration),
    /// Writes a state key.
    WriteState {
        /// The key.
        key: StateKey,
        /// What is written, as a string.
        value: Template,
    },
    /// Tells the user something.
    Log {
        /// What.
        message: Template,
        /// How.
        style: MessageStyle,
    },
    /// Tells browsers that listen to load their page again.
    NotifyReload,
    /// Builds an artifact, switches to it, and takes the switch back when a consumer does not answer with it.
    PublishArtifact(ArtifactName),
    /// All at the same time; the first failure cancels the rest.
    Parallel(Vec<Step>),
}

impl Step {
    /// The `action` that the user wrote.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::StartProcess(_) => "start_process",
            Self::StopProcess(_) => "stop_process",
            Self::RestartProcess(_) => "restart_process",
            Self::WaitForProcess(_) => "wait_for_process",
            Self::RunHook(_) => "run_hook",
            Self::RunWorkflow(_) => "run_workflow",
            Self::Sleep(_) => "sleep_ms",
            Self::WriteState { .. } => "write_state",
            Self::Log { .. } => "log",
            Self::NotifyReload => "notify_reload",
            Self::PublishArtifact(_) => "publish_artifact",
            Self::Parallel(_) => "parallel",
        }
    }
}

/// A `[workflow.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowPlan {
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What runs after the last step, in order, depth first, each once in a run.
    pub triggers: Vec<WorkflowName>,
    /// What happens when it is wanted while it runs.
    pub on_busy: OnBusy,
}
