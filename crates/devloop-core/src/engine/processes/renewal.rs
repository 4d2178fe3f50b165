//! What a new plan means for processes: what it leaves as it is goes on, what it changed starts anew, what it dropped
//! stops.
//!
//! A life keeps the plan that it was started with. What begins because of a new plan begins when everything that ends
//! because of it is gone: whoever follows may want its address.

use super::Processes;
use super::life::{Process, State, Then};
use crate::engine::turn::Turn;
use crate::fact::ProcessFact;
use crate::names::{Incarnation, ProcessName};
use crate::notice::{Follows, StepFailure};
use crate::plan::Plan;
use crate::plan::process::ProcessPlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What saved configs did to a process.
#[derive(Default)]
pub(super) struct Renewal {
    /// What the newest plan says of it, while a life of an earlier one lasts.
    next_plan: Option<Arc<ProcessPlan>>,
    /// A step stopped it since it was wanted last.
    pub(super) is_stopped: bool,
    /// The newest plan does not name it.
    pub(super) is_removed: bool,
    /// It is not what the session began with.
    pub(super) is_later: bool,
    /// Lives that must be gone before its next one begins.
    pub(super) after: Vec<(ProcessName, Incarnation)>,
}

impl Process {
    /// What the newest plan says of it.
    fn newest(&self) -> &Arc<ProcessPlan> {
        self.renewal.next_plan.as_ref().unwrap_or(&self.plan)
    }

    /// Nothing of a life is left that its plan could matter to: the newest one counts.
    pub(super) fn adopt(&mut self) {
        if let Some(plan) = self.renewal.next_plan.take() {
            self.plan = plan;
        }
    }

    /// Whether something of it lives, or may.
    fn is_alive(&self) -> bool {
        match &self.state {
            State::Starting
            | State::Up { .. }
            | State::Stopping(_)
            | State::Lingering
            | State::BackingOff { is_gone: false, .. } => true,
            State::Down | State::Waiting { .. } | State::Held(_) | State::BackingOff { is_gone: true, .. } => false,
        }
    }

    /// Whether it ended because something was wrong with it, and not because somebody wanted that.
    fn has_failed(&self) -> bool {
        !self.renewal.is_stopped
            && matches!(self.state, State::Down | State::Lingering)
            && match self.last_fall() {
                Some(StepFailure::ProcessExited { status, .. }) => !status.is_success(),
                Some(StepFailure::ProcessStartFailed { .. } | StepFailure::DependencyFailed { .. }) => true,
                Some(_) | None => false,
            }
    }
}

impl Processes {
    /// Another plan holds from now on. Says what is done at once, for each process that is not as it was.
    pub(crate) fn renew(&mut self, turn: &mut Turn, plan: &Plan) -> BTreeMap<ProcessName, Follows> {
        let mut follows = self.remove(turn, plan);
        for (name, new) in &plan.processes {
            if let Some(next) = self.renew_one(name, new) {
                follows.insert(name.clone(), next);
            }
        }
        self.free_held_back(&mut follows);
        // Everything says something else by now, so whoever starts sees the new dependencies of all.
        for (name, next) in &follows {
            match next {
                Follows::Restart => {
                    self.want_restart(turn, name);
                }
                Follows::Start => {
                    self.want_start(turn, name);
                }
                Follows::Nothing | Follows::Stop => {}
            }
        }
        // Only what was asked to end will: what a command left when it ended by itself may live as long as the session.
        let leaving: BTreeMap<ProcessName, Incarnation> = follows
            .keys()
            .filter_map(|name| self.all.get(name))
            .filter(|process| matches!(process.state, State::Stopping(_)))
            .map(|process| (process.name.clone(), process.incarnation))
            .collect();
        for (name, next) in &follows {
            if let (Follows::Start | Follows::Restart, Some(process)) = (next, self.all.get_mut(name)) {
                process.renewal.after =
                    leaving.iter().filter(|(other, _)| *other != name).map(|(a, b)| (a.clone(), *b)).collect();
            }
        }
        turn.stir();
        follows
    }

    /// Stops what the plan does not name any more.
    fn remove(&mut self, turn: &mut Turn, plan: &Plan) -> BTreeMap<ProcessName, Follows> {
        let mut follows = BTreeMap::new();
        for (name, process) in &mut self.all {
            if process.renewal.is_removed || plan.processes.contains_key(name) {
                continue;
            }
            process.renewal.is_removed = true;
            process.is_wanted = false;
            process.fall(turn, StepFailure::ProcessRemoved { process: name.clone() });
            process.leave(turn, Then::Rest);
            follows.insert(name.clone(), if process.is_alive() { Follows::Stop } else { Follows::Nothing });
        }
        follows
    }

    /// Takes what the plan says of one process; none when that is what it said before.
    fn renew_one(&mut self, name: &ProcessName, new: &Arc<ProcessPlan>) -> Option<Follows> {
        let Some(process) = self.all.get_mut(name) else {
            let mut process = Process::new(name.clone(), Arc::clone(new));
            process.renewal.is_later = true;
            self.all.insert(name.clone(), process);
            return Some(if new.autostart { Follows::Start } else { Follows::Nothing });
        };
        let was_removed = std::mem::take(&mut process.renewal.is_removed);
        if !was_removed && process.newest() == new {
            return None;
        }
        let is_wanted_anew = new.autostart && (was_removed || !process.newest().autostart);
        process.renewal.next_plan = Some(Arc::clone(new));
        process.renewal.is_later = true;
        process.forgive();
        if !process.is_alive() {
            process.adopt();
        }
        Some(if was_removed {
            if is_wanted_anew { Follows::Start } else { Follows::Nothing }
        } else if process.is_wanted || process.has_failed() {
            Follows::Restart
        } else if is_wanted_anew {
            Follows::Start
        } else {
            Follows::Nothing
        })
    }

    /// What starts by itself and was held back by something that is tried anew is tried anew with it.
    fn free_held_back(&self, follows: &mut BTreeMap<ProcessName, Follows>) {
        let begins = |follows: &BTreeMap<ProcessName, Follows>, name: &ProcessName| {
            matches!(follows.get(name), Some(Follows::Start | Follows::Restart))
        };
        loop {
            let is_free = |process: &&Process| {
                matches!(process.state, State::Down)
                    && process.plan.autostart
                    && matches!(process.last_fall(), Some(StepFailure::DependencyFailed { .. }))
                    && !process.renewal.is_removed
                    && !process.renewal.is_stopped
                    && !begins(follows, &process.name)
                    && process.plan.depends_on.iter().any(|other| begins(follows, other))
            };
            let Some(free) = self.all.values().find(is_free).map(|process| process.name.clone()) else { return };
            follows.insert(free, Follows::Start);
        }
    }

    /// Whether the newest plan does not name this process any more.
    pub(crate) fn is_removed(&self, name: &ProcessName) -> bool {
        self.all.get(name).is_some_and(|process| process.renewal.is_removed)
    }

    /// Whether something that ended with the plan before is not gone yet. What survives SIGKILL is not waited for.
    pub(super) fn must_wait_for_others(&self, process: &Process) -> bool {
        process.renewal.after.iter().any(|(name, incarnation)| {
            self.all.get(name).is_some_and(|other| {
                other.incarnation == *incarnation && other.is_alive() && other.stuck != Some(*incarnation)
            })
        })
    }

    /// Notes what survives SIGKILL.
    pub(super) fn note_stuck(process: &mut Process, fact: &ProcessFact) {
        if matches!(fact, ProcessFact::Stuck { .. }) {
            process.stuck = Some(process.incarnation);
        }
    }
}
