//! A read-only picture of a session: plain public data for tests, checkers, and whoever shows a session.

use crate::effect::Values;
use crate::names::{EventName, Incarnation, ProcessName, RunId, WorkflowName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A picture of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// How far the session is.
    pub phase: Phase,
    /// All processes of the plan.
    pub processes: BTreeMap<ProcessName, ProcessView>,
    /// Runs that are going, in the order in which they began.
    pub runs: Vec<RunView>,
    /// Runs that wait, in the order in which they were wanted.
    pub waiting: Vec<RunView>,
    /// State values.
    pub values: Arc<Values>,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Watches are not live yet.
    Arming,
    /// Startup workflows run.
    Startup,
    /// The main part.
    Running,
    /// Everything is asked to end.
    Draining,
    /// Everything is killed.
    Killing,
    /// Nothing is left.
    Ended,
}

/// A picture of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessView {
    /// Whether it is wanted.
    pub is_wanted: bool,
    /// What it does.
    pub condition: Condition,
    /// Its newest life.
    pub incarnation: Incarnation,
    /// The process id of a running life.
    pub pid: Option<u32>,
    /// Lives that failed since it was last well.
    pub failures: u32,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does not run.
    Down,
    /// It ended by itself; descendants in sessions of their own are left.
    Lingering,
    /// It waits for what it depends on, or for the state file.
    Waiting,
    /// Its start was asked for.
    Starting,
    /// It runs and is not ready yet.
    Running,
    /// It runs and is ready.
    Ready,
    /// It was asked to end.
    Stopping,
    /// It is started again later.
    BackingOff,
}

/// A picture of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    /// Which.
    pub run: RunId,
    /// The workflow that was wanted.
    pub workflow: WorkflowName,
    /// Events whose values it is wanted for.
    pub events: BTreeSet<EventName>,
    /// Changed files that it was told of.
    pub changed_files: Vec<Arc<str>>,
    /// Whether it is being cancelled.
    pub is_cancelled: bool,
}
