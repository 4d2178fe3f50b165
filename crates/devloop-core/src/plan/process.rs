//! A long-lived child.

use super::command::CommandPlan;
use super::output::OutputPlan;
use super::probe::ProbePlan;
use crate::names::{EventName, LockName, ProcessName};
use std::collections::BTreeSet;
use std::time::Duration;

/// A life that lasted this long was well: the next fall counts as the first.
pub const WELL_AFTER: Duration = Duration::from_secs(10);

/// When a process that ended by itself is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Not at all.
    Never,
    /// When its exit status was not 0, or a signal ended it.
    OnFailure,
    /// In any case.
    Always,
}

/// What belongs to a process when it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contain {
    /// All descendants, also those in sessions of their own.
    Tree,
    /// Its process group.
    Group,
}

/// The signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// `SIGTERM`.
    Term,
    /// `SIGINT`.
    Int,
    /// `SIGQUIT`.
    Quit,
    /// `SIGHUP`.
    Hup,
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`.
    Usr2,
    /// `SIGKILL`.
    Kill,
}

impl StopSignal {
    /// All of them with their names in the config.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("SIGTERM", Self::Term),
        ("SIGINT", Self::Int),
        ("SIGQUIT", Self::Quit),
        ("SIGHUP", Self::Hup),
        ("SIGUSR1", Self::Usr1),
        ("SIGUSR2", Self::Usr2),
        ("SIGKILL", Self::Kill),
    ];
}

/// A `[process.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessPlan {
    /// What is executed.
    pub command: CommandPlan,
    /// Whether it is started when the session begins.
    pub autostart: bool,
    /// When it is started again.
    pub restart: RestartPolicy,
    /// When it counts as ready; without one, from its start.
    pub readiness: Option<ProbePlan>,
    /// What must stay true once it is ready.
    pub liveness: Option<ProbePlan>,
    /// What happens with its lines.
    pub output: OutputPlan,
    /// What must be ready, or started where it has no readiness, before it is started. Acyclic.
    pub depends_on: BTreeSet<ProcessName>,
    /// What is stopped with it.
    pub contain: Contain,
    /// What it may not share with a run that writes the same.
    pub locks: BTreeSet<LockName>,
    /// Which events it may post; none: all of them.
    pub events: Option<BTreeSet<EventName>>,
    /// How it is asked to end.
    pub stop_signal: StopSignal,
    /// How long it may take to end before it is killed.
    pub stop_timeout: Duration,
    /// The wait before the first restart; doubles from there.
    pub restart_delay: Duration,
    /// The longest wait before a restart.
    pub restart_delay_max: Duration,
}
