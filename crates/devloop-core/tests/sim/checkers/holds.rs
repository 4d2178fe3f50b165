//! Which runs may be held back as their workflow's own doing, and until when: worked out from the trace alone.

use super::Step;
use devloop_core::engine::{FEEDBACK_HOLD, FEEDBACK_RUNS};
use devloop_core::fact::Fact;
use devloop_core::moment::Moment;
use devloop_core::names::{RunId, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::view::RunView;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A change so soon after a run may have come from it.
const TAIL: Duration = Duration::from_millis(20);
/// A change of somebody else's ends a hold in this time, and timers may be late.
const HURRY: Duration = Duration::from_millis(25 + 10);

pub(super) struct Holds {
    plan: Arc<Plan>,
    /// Whether some plan of the session waits after a change.
    has_debounce: bool,
    late: Duration,
    now: Moment,
    /// When each run was first seen.
    wanted: BTreeMap<RunId, Moment>,
    /// How many runs of a workflow have begun, and when the last was over.
    begun: BTreeMap<WorkflowName, (u32, Moment)>,
    /// The last moment at which any run was going.
    busy: Moment,
    /// The last change of a workflow's files while no run was going, and none had been for a while.
    foreign: BTreeMap<WorkflowName, Moment>,
}

impl Holds {
    pub(super) fn new(plan: &Arc<Plan>, late: Duration) -> Self {
        Self {
            plan: Arc::clone(plan),
            has_debounce: !plan.debounce.is_zero(),
            late,
            now: Moment::ZERO,
            wanted: BTreeMap::new(),
            begun: BTreeMap::new(),
            busy: Moment::ZERO,
            foreign: BTreeMap::new(),
        }
    }

    pub(super) fn step(&mut self, step: &Step<'_>) {
        self.now = step.now;
        if let Fact::PathsTouched(touches) = step.fact
            && step.before.runs.is_empty()
            && step.now.since(self.busy) > TAIL
        {
            for watch in self.plan.watches.values() {
                if touches.iter().any(|touch| watch.matches(&touch.path)) {
                    self.foreign.insert(watch.workflow.clone(), step.now);
                }
            }
        }
        for effect in step.effects {
            if let devloop_core::effect::Effect::ApplyPlan(plan) = effect {
                self.has_debounce |= !plan.debounce.is_zero();
                self.plan = Arc::clone(plan);
            }
        }
        for run in &step.after.waiting {
            self.wanted.entry(run.run).or_insert(step.now);
        }
        for effect in step.effects {
            if let devloop_core::effect::Effect::Report(devloop_core::notice::Notice::WorkflowBegan {
                workflow, ..
            }) = effect
            {
                let (count, at) = self.begun.entry(workflow.clone()).or_default();
                *count += 1;
                *at = step.now;
                // It may be over within the step.
                self.busy = step.now;
            }
        }
        for run in step.before.runs.iter().chain(&step.after.runs) {
            self.busy = step.now;
            self.begun.entry(run.workflow.clone()).or_default().1 = step.now;
        }
    }

    /// Whether nothing but its hold needs to be in the way of a waiting run.
    pub(super) fn may_hold(&self, run: &RunView) -> bool {
        let Some(wanted) = self.wanted.get(&run.run).copied() else { return false };
        let Some((count, over)) = self.begun.get(&run.workflow).copied() else { return false };
        let is_foreign =
            self.foreign.get(&run.workflow).is_some_and(|at| *at >= wanted && self.now.since(*at) > HURRY + self.late);
        self.has_debounce
            && !run.changed_files.is_empty()
            && count >= FEEDBACK_RUNS
            && !is_foreign
            && self.now.since(wanted.max(over)) <= FEEDBACK_HOLD.1 + self.late + HURRY
    }
}
