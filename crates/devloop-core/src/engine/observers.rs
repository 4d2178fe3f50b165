//! Hooks that are polled: when a poll changes what its hook captures, a workflow is wanted.

use super::hooks::Hooks;
use super::turn::Turn;
use crate::effect::Errand;
use crate::moment::Moment;
use crate::names::{HookName, TaskId, WorkflowName};
use crate::notice::{Notice, StepFailure};
use crate::plan::Plan;
use crate::plan::hook::{HookPlan, ObservePlan};
use std::sync::Arc;

/// `DEVLOOP_WORKFLOW` of a poll.
const OBSERVE: &str = "observe";

/// All hooks that are polled, in name order.
pub(crate) struct Observers {
    all: Vec<Observer>,
}

struct Observer {
    hook: HookName,
    plan: Arc<HookPlan>,
    observe: ObservePlan,
    stage: Stage,
    /// What the user was told of last, until a poll works again.
    told: Option<StepFailure>,
    /// The plan does not name it any more: it is here until its last poll is over.
    is_removed: bool,
}

enum Stage {
    /// Polls have not begun, or are over for good.
    Off,
    /// The next poll is due then.
    Due(Moment),
    /// A poll is going.
    Polling(TaskId),
    /// A poll of an earlier plan was asked to end; the next one waits for that.
    Leaving(TaskId),
}

impl Observers {
    /// Takes the observed hooks of a plan; none is polled yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let observed = |(hook, plan): (&HookName, &Arc<HookPlan>)| {
            let observe = plan.observe.clone()?;
            Some(Observer {
                hook: hook.clone(),
                plan: Arc::clone(plan),
                observe,
                stage: Stage::Off,
                told: None,
                is_removed: false,
            })
        };
        Self { all: plan.hooks.iter().filter_map(observed).collect() }
    }

    /// Polls begin, the first of each at once.
    pub(crate) fn begin(&mut self, now: Moment) {
        for observer in &mut self.all {
            observer.stage = Stage::Due(now);
        }
    }

    /// Begins the polls that are due.
    pub(crate) fn expire(&mut self, turn: &mut Turn, hooks: &mut Hooks) {
        for observer in &mut self.all {
            if matches!(observer.stage, Stage::Due(at) if at <= turn.now) {
                let errand = Errand { workflow: Arc::from(OBSERVE), changed_files: Arc::from([]), candidate: None };
                observer.stage = Stage::Polling(hooks.want(turn, &observer.hook, &observer.plan, errand));
            }
        }
    }

    /// Looks at polls that are over; gives the workflows that are wanted for it.
    pub(crate) fn advance(&mut self, turn: &mut Turn, hooks: &mut Hooks) -> Vec<WorkflowName> {
        let mut wanted = Vec::new();
        self.settle_leaving(turn, hooks);
        for observer in &mut self.all {
            let Stage::Polling(task) = observer.stage else { continue };
            let Some(end) = hooks.take(turn, task) else { continue };
            observer.stage = Stage::Due(turn.now + observer.observe.interval);
            match end {
                Ok(written) => {
                    if observer.told.take().is_some() {
                        turn.report(Notice::ObserverRecovered { hook: observer.hook.clone() });
                    }
                    if written.is_changed {
                        wanted.push(observer.observe.workflow.clone());
                    }
                }
                Err(failure) => observer.tell(turn, failure),
            }
        }
        wanted
    }

    /// Another plan holds from now on: what it does not change goes on, everything else is polled at once, as soon as
    /// its last poll is over.
    pub(crate) fn renew(&mut self, turn: &mut Turn, hooks: &mut Hooks, plan: &Plan) {
        let mut all = Self::new(plan).all;
        for observer in &mut all {
            observer.stage = Stage::Due(turn.now);
        }
        for mut old in std::mem::take(&mut self.all) {
            let new = all.iter_mut().find(|new| new.hook == old.hook);
            match new {
                Some(new) if !old.is_removed && new.plan == old.plan => *new = old,
                new => {
                    if let Stage::Polling(task) = old.stage {
                        hooks.cancel(turn, task);
                        old.stage = Stage::Leaving(task);
                    }
                    match (&old.stage, new) {
                        (Stage::Leaving(task), Some(new)) => new.stage = Stage::Leaving(*task),
                        (Stage::Leaving(_), None) => {
                            old.is_removed = true;
                            self.all.push(old);
                        }
                        (Stage::Off | Stage::Due(_) | Stage::Polling(_), _) => {}
                    }
                }
            }
        }
        self.all.append(&mut all);
        self.all.sort_by(|one, other| one.hook.cmp(&other.hook));
        turn.stir();
    }

    fn settle_leaving(&mut self, turn: &mut Turn, hooks: &Hooks) {
        for observer in &mut self.all {
            if let Stage::Leaving(task) = observer.stage
                && hooks.is_over(task)
            {
                observer.stage = if observer.is_removed { Stage::Off } else { Stage::Due(turn.now) };
                turn.stir();
            }
        }
        self.all.retain(|observer| !(observer.is_removed && matches!(observer.stage, Stage::Off)));
    }

    /// Ends all polls for good.
    pub(crate) fn stop(&mut self, turn: &mut Turn, hooks: &mut Hooks) {
        for observer in &mut self.all {
            if let Stage::Polling(task) = std::mem::replace(&mut observer.stage, Stage::Off) {
                hooks.cancel(turn, task);
            }
        }
    }

    /// When the next poll is due.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let due = |observer: &Observer| match observer.stage {
            Stage::Due(at) => Some(at),
            Stage::Off | Stage::Polling(_) | Stage::Leaving(_) => None,
        };
        self.all.iter().filter_map(due).min()
    }
}

impl Observer {
    fn tell(&mut self, turn: &mut Turn, failure: StepFailure) {
        if self.told.as_ref() != Some(&failure) {
            turn.report(Notice::ObserverFailed { hook: self.hook.clone(), failure: failure.clone() });
            self.told = Some(failure);
        }
    }
}
