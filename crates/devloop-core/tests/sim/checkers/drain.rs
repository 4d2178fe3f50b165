//! The end: nothing starts any more, dependants stop before what they depend on, nobody is killed before his time or
//! long after it, and the session says truthfully how it ended.

use super::Step;
use devloop_core::effect::{Effect, Ending};
use devloop_core::fact::{Fact, ProcessFact, StartFailure};
use devloop_core::moment::Moment;
use devloop_core::names::{ProcessName, StateVersion};
use devloop_core::plan::Plan;
use devloop_core::plan::process::{ProcessPlan, StopSignal};
use devloop_core::view::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const SLACK: Duration = Duration::from_millis(1);

pub(crate) struct Drain {
    plan: Arc<Plan>,
    late: Duration,
    /// Lives that are not over, and what they were asked.
    lives: BTreeMap<ProcessName, Asked>,
    interrupts: u32,
    is_guardian_lost: bool,
    is_address_taken: bool,
    is_anything_stuck: bool,
    /// The last version that a save was asked for.
    asked: Option<StateVersion>,
    /// The same, once that save has worked.
    saved: Option<StateVersion>,
}

struct Asked {
    /// What it was started with.
    plan: Arc<ProcessPlan>,
    stop_at: Option<Moment>,
    is_killed: bool,
    /// Its start was answered.
    is_started: bool,
    /// Its command runs, and did when the session was asked to end.
    was_running: bool,
}

impl Drain {
    pub(crate) fn new(plan: &Arc<Plan>, late: Duration) -> Self {
        Self {
            plan: Arc::clone(plan),
            late,
            lives: BTreeMap::new(),
            interrupts: 0,
            is_guardian_lost: false,
            is_address_taken: false,
            is_anything_stuck: false,
            asked: None,
            saved: None,
        }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        match step.fact {
            Fact::InterruptRequested(_) => self.interrupts += 1,
            Fact::GuardianLost => self.is_guardian_lost = true,
            Fact::StateSaved(version) => self.saved = self.asked.filter(|asked| asked == version).or(self.saved),
            Fact::Process(name, _, ProcessFact::Gone) => {
                self.lives.remove(name);
            }
            Fact::Process(name, _, ProcessFact::StartFailed(failure)) => {
                self.is_address_taken |= matches!(failure, StartFailure::AddressInUse { .. });
                self.lives.remove(name);
            }
            Fact::Process(name, _, ProcessFact::Started { .. }) => {
                if let Some(asked) = self.lives.get_mut(name) {
                    asked.is_started = true;
                    asked.was_running = step.before.phase <= Phase::Running;
                }
            }
            Fact::Process(_, _, ProcessFact::Stuck { .. }) => self.is_anything_stuck = true,
            _ => {}
        }
        self.phase(step)?;
        let is_over = self.interrupts > 0 || self.is_guardian_lost || step.before.phase >= Phase::Draining;
        for (index, effect) in step.effects.iter().enumerate() {
            if is_over {
                not_a_start(effect)?;
            }
            if let Effect::EndSession(ending) = effect {
                if index + 1 != step.effects.len() {
                    return Err("`EndSession` is not the last effect".to_owned());
                }
                self.ending(step, ending)?;
            }
            self.effect(step, effect)?;
        }
        self.spared(step)?;
        self.overdue(step.now)
    }

    /// A second signal kills all that lives.
    fn spared(&self, step: &Step<'_>) -> Result<(), String> {
        if self.interrupts < 2 || !matches!(step.fact, Fact::InterruptRequested(_)) {
            return Ok(());
        }
        match self.lives.iter().find(|(_, asked)| asked.is_started && !asked.is_killed) {
            Some((name, _)) => Err(format!("a second signal came, and {name} is not killed")),
            None => Ok(()),
        }
    }

    fn phase(&self, step: &Step<'_>) -> Result<(), String> {
        let (before, after) = (step.before.phase, step.after.phase);
        if after < before {
            return Err(format!("the session went back from {before:?} to {after:?}"));
        }
        let must_drain = self.interrupts > 0 || self.is_guardian_lost;
        if must_drain && after < Phase::Draining {
            return Err(format!("the session was asked to end and is {after:?}"));
        }
        if self.interrupts > 1 && after < Phase::Killing {
            return Err(format!("the session was asked twice to end and is {after:?}"));
        }
        if !must_drain && after >= Phase::Draining && !self.is_address_taken {
            return Err(format!("the session is {after:?}, and nobody asked"));
        }
        Ok(())
    }

    fn effect(&mut self, step: &Step<'_>, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::ApplyPlan(plan) => self.plan = Arc::clone(plan),
            Effect::StartProcess(name, _) => {
                let plan = Arc::clone(&self.plan.processes[name]);
                let asked = Asked { plan, stop_at: None, is_killed: false, is_started: false, was_running: false };
                self.lives.insert(name.clone(), asked);
            }
            Effect::StopProcess(name, _) => {
                if step.after.phase == Phase::Draining && !self.is_guardian_lost && !self.is_anything_stuck {
                    self.level(name)?;
                }
                if let Some(asked) = self.lives.get_mut(name) {
                    asked.stop_at = Some(step.now);
                }
            }
            Effect::KillProcess(name, _) => {
                let Some(asked) = self.lives.get_mut(name) else {
                    return Err(format!("{name} is killed and does not live"));
                };
                let plan = &asked.plan;
                let is_forced = self.interrupts > 1 || self.is_guardian_lost || plan.stop_signal == StopSignal::Kill;
                asked.is_killed = true;
                if !is_forced && asked.stop_at.is_none_or(|at| step.now.since(at) < plan.stop_timeout) {
                    return Err(format!("{name} is killed before its grace is over"));
                }
            }
            Effect::SaveState { version, .. } => {
                self.asked = Some(*version);
                self.saved = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whoever depends on it is gone before it is asked to stop.
    fn level(&self, name: &ProcessName) -> Result<(), String> {
        if self.lives.get(name).is_none_or(|asked| !asked.was_running) {
            return Ok(());
        }
        let dependant = self.lives.iter().find(|(_, other)| other.plan.depends_on.contains(name));
        match dependant {
            Some((other, _)) => Err(format!("{name} is stopped while {other}, which depends on it, is not gone")),
            None => Ok(()),
        }
    }

    fn overdue(&self, now: Moment) -> Result<(), String> {
        for (name, asked) in self.lives.iter().filter(|(_, asked)| !asked.is_killed) {
            let timeout = asked.plan.stop_timeout;
            if let Some(at) = asked.stop_at
                && now.since(at) > timeout + self.late + SLACK
            {
                return Err(format!(
                    "{name} was asked to stop at {at}, its grace is {timeout:?}, and it is not killed"
                ));
            }
        }
        Ok(())
    }

    fn ending(&self, step: &Step<'_>, ending: &Ending) -> Result<(), String> {
        let is_in_file = step.file == Some(&step.after.values);
        let is_true = match ending {
            Ending::AsAsked => self.interrupts > 0 && !self.is_guardian_lost && is_in_file,
            // Also when the file happens to hold the same values: that it lasts was not confirmed.
            Ending::Unsaved => self.interrupts > 0 && !self.is_guardian_lost && self.saved.is_none(),
            Ending::Failed => self.is_guardian_lost || self.is_address_taken,
            Ending::Abandoned { .. } => self.is_anything_stuck || self.interrupts > 2,
        };
        if is_true { Ok(()) } else { Err(format!("the session ends as {ending:?}, which is not what happened")) }
    }
}

/// Whether one depends on the other, directly or not.
pub(crate) fn depends(plan: &Plan, one: &ProcessName, other: &ProcessName) -> bool {
    closure(plan, one).contains(other)
}

/// All that a process depends on, directly or not.
pub(crate) fn closure(plan: &Plan, name: &ProcessName) -> BTreeSet<ProcessName> {
    let mut all = BTreeSet::new();
    let mut open = vec![name.clone()];
    while let Some(next) = open.pop() {
        for other in &plan.processes[&next].depends_on {
            if all.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    all
}

fn not_a_start(effect: &Effect) -> Result<(), String> {
    match effect {
        Effect::WatchPaths | Effect::StartProcess(..) | Effect::StartHook { .. } | Effect::StartProbe { .. } => {
            Err(format!("the session is ending, and this starts: {effect:?}"))
        }
        _ => Ok(()),
    }
}
