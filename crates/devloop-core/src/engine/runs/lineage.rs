//! Who started whom, so that a workflow which runs itself by what it posts is noticed and slowed down.

use crate::fact::Holder;
use crate::moment::Moment;
use crate::names::{EventName, Incarnation, ProcessName, TaskId, WorkflowName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How many runs within [`LOOP_WITHIN`] a workflow may owe to itself.
pub const LOOP_RUNS_MAX: usize = 20;

/// The span in which such runs are counted; as long without one, and the workflow counts as well again.
pub const LOOP_WITHIN: Duration = Duration::from_secs(10);

/// The least time between two such runs of a workflow that was found out.
pub const LOOP_GAP: Duration = Duration::from_secs(1);

/// How many hooks are remembered: a post may come shortly after the end of the hook that made it.
const HOOKS_MAX: usize = 1024;

/// The workflow of a run, and those whose runs led to it by what they posted.
pub(crate) type Chain = Arc<BTreeSet<WorkflowName>>;

/// Which runs started which children, and which workflows run themselves.
#[derive(Default)]
pub(crate) struct Lineage {
    hooks: BTreeMap<TaskId, Chain>,
    /// From which life on a process is a run's own.
    processes: BTreeMap<ProcessName, (Incarnation, Chain)>,
    loops: BTreeMap<WorkflowName, Loop>,
}

/// The newest runs that a workflow owes to itself.
#[derive(Default)]
struct Loop {
    begun: VecDeque<Moment>,
    is_slowed: bool,
}

impl Lineage {
    /// A run wants a hook.
    pub(crate) fn hook_wanted(&mut self, task: TaskId, chain: &Chain) {
        self.hooks.insert(task, Arc::clone(chain));
        if self.hooks.len() > HOOKS_MAX {
            self.hooks.pop_first();
        }
    }

    /// A run wants a process to begin this life.
    pub(crate) fn life_wanted(&mut self, process: &ProcessName, life: Incarnation, chain: &Chain) {
        self.processes.insert(process.clone(), (life, Arc::clone(chain)));
    }

    /// The chain of the run that started a child; none when no run did.
    pub(crate) fn of(&self, holder: &Holder) -> Option<&Chain> {
        match holder {
            Holder::Hook(task, _) => self.hooks.get(task),
            Holder::Process(process, life) => {
                self.processes.get(process).filter(|(from, _)| from <= life).map(|(_, chain)| chain)
            }
        }
    }

    /// Until when a run that its workflow owes to itself must wait.
    pub(crate) fn not_before(&self, workflow: &WorkflowName, now: Moment) -> Option<Moment> {
        let slowed = self.loops.get(workflow).filter(|own| own.is_slowed)?;
        let at = *slowed.begun.back()? + LOOP_GAP;
        (at > now).then_some(at)
    }

    /// A run begins that its workflow owes to itself. Says whether it was found out just now.
    pub(crate) fn began(&mut self, workflow: &WorkflowName, now: Moment) -> bool {
        let own = self.loops.entry(workflow.clone()).or_default();
        if own.begun.back().is_none_or(|&last| last + LOOP_WITHIN < now) {
            *own = Loop::default();
        }
        own.begun.push_back(now);
        if own.begun.len() > LOOP_RUNS_MAX + 1 {
            own.begun.pop_front();
        }
        let is_full = own.begun.len() > LOOP_RUNS_MAX;
        let is_loop = is_full && own.begun.front().is_some_and(|&first| now <= first + LOOP_WITHIN);
        is_loop && !std::mem::replace(&mut own.is_slowed, true)
    }
}

/// Why a workflow is wanted, beside changed files.
#[derive(Default)]
pub(crate) struct Origin {
    /// Events whose values it is wanted for.
    pub(crate) events: BTreeSet<EventName>,
    /// Workflows whose runs led to it.
    pub(crate) ancestors: BTreeSet<WorkflowName>,
    /// Whether it is wanted only because of what its own runs started.
    pub(crate) is_own_doing: bool,
}

impl Origin {
    /// A value was posted with the token of this child.
    pub(crate) fn of_post(lineage: &Lineage, holder: &Holder, event: EventName, workflow: &WorkflowName) -> Self {
        let ancestors = lineage.of(holder).map(|chain| BTreeSet::clone(chain)).unwrap_or_default();
        Self { events: BTreeSet::from([event]), is_own_doing: ancestors.contains(workflow), ancestors }
    }

    /// One run is wanted for two reasons.
    pub(crate) fn merge(&mut self, other: Self) {
        self.events.extend(other.events);
        self.ancestors.extend(other.ancestors);
        self.is_own_doing &= other.is_own_doing;
    }
}
