//! A one-shot child.

use super::command::CommandPlan;
use super::output::OutputPlan;
use crate::names::{EventName, LockName, StateKey, WorkflowName};
use std::collections::BTreeSet;
use std::time::Duration;

/// What becomes of a hook's stdout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Nothing.
    Ignore,
    /// Its trimmed text goes into a key.
    Text {
        /// The key.
        state_key: StateKey,
    },
    /// A JSON object that is merged into the state at the top level.
    Json,
}

/// A hook that is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservePlan {
    /// Runs when a key that the hook captures has changed.
    pub workflow: WorkflowName,
    /// From the end of one poll to the next.
    pub interval: Duration,
}

/// A `[hook.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookPlan {
    /// What is executed.
    pub command: CommandPlan,
    /// What happens with its lines.
    pub output: OutputPlan,
    /// What becomes of its stdout.
    pub capture: Capture,
    /// Whether it is polled.
    pub observe: Option<ObservePlan>,
    /// How long it may take; none: as long as it likes.
    pub timeout: Option<Duration>,
    /// What it may not share with a run that writes the same.
    pub locks: BTreeSet<LockName>,
    /// Which events it may post; none: all of them.
    pub events: Option<BTreeSet<EventName>>,
}
