//! A run that ends before its last step: its hooks are stopped, its publishes taken back, and it is over when they are.

use super::progress::{Failed, Flow};
use crate::engine::hooks::Hooks;
use crate::engine::publishing::Publishing;
use crate::engine::turn::Turn;
use crate::names::{TaskId, WorkflowName};
use crate::notice::Notice;

/// A run on its way out.
pub(crate) struct Leaving {
    why: Why,
    hooks: Vec<TaskId>,
    publishes: Vec<TaskId>,
}

/// Why a run ends before its last step.
pub(crate) enum Why {
    /// A step failed.
    Failed(Failed),
    /// Its workflow is wanted again, or the session ends.
    Cancelled,
}

impl Leaving {
    /// Cancels all that a flow waits for.
    pub(crate) fn begin(
        flow: &Flow,
        why: Why,
        turn: &mut Turn,
        hooks: &mut Hooks,
        publishing: &mut Publishing,
    ) -> Self {
        let (tasks, publishes) = (flow.tasks(), flow.publishes());
        for &task in &tasks {
            hooks.cancel(turn, task);
        }
        for &publish in &publishes {
            publishing.cancel(turn, hooks, publish);
        }
        turn.stir();
        Self { why, hooks: tasks, publishes }
    }

    /// Whether all that was cancelled is gone.
    pub(crate) fn is_over(&self, hooks: &Hooks, publishing: &Publishing) -> bool {
        self.hooks.iter().all(|&task| hooks.is_over(task)) && self.publishes.iter().all(|&id| publishing.is_over(id))
    }

    /// Whether it was cancelled, not failed.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self.why, Why::Cancelled)
    }

    /// Tells the user of a failure; who cancels speaks for itself.
    pub(crate) fn tell(self, turn: &mut Turn, workflow: WorkflowName) {
        match self.why {
            Why::Failed(Failed { path, failure }) => turn.report(Notice::WorkflowFailed { workflow, path, failure }),
            Why::Cancelled => {}
        }
    }
}
