//! Hooks: one poll of an observer at once, what a timeout and a grace period promise.

use super::Step;
use devloop_core::effect::Effect;
use devloop_core::fact::{Fact, Interrupt};
use devloop_core::moment::Moment;
use devloop_core::names::{HookName, TaskId};
use devloop_core::plan::Plan;
use devloop_core::plan::hook::HookPlan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// No hook is killed sooner than this after it was asked to end, unless a second signal asks.
const GRACE_MIN: Duration = Duration::from_secs(1);
/// A hook that was asked to end is killed at the latest after this.
const GRACE_MAX: Duration = Duration::from_secs(10);
const SLACK: Duration = Duration::from_millis(1);

pub(crate) struct Hooks {
    late: Duration,
    /// What the newest plan says of each.
    newest: BTreeMap<HookName, Arc<HookPlan>>,
    running: BTreeMap<TaskId, Running>,
    /// When the last poll of a hook was over.
    polled: BTreeMap<HookName, Moment>,
    interrupts: u32,
    is_guardian_lost: bool,
}

struct Running {
    hook: HookName,
    plan: Arc<HookPlan>,
    is_poll: bool,
    since: Moment,
    stop_at: Option<Moment>,
    is_killed: bool,
    /// The hook is another by now, or was for a while.
    is_stale: bool,
}

impl Hooks {
    pub(crate) fn new(plan: &Arc<Plan>, late: Duration) -> Self {
        let newest = plan.hooks.clone();
        Self { late, newest, running: BTreeMap::new(), polled: BTreeMap::new(), interrupts: 0, is_guardian_lost: false }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        match step.fact {
            Fact::InterruptRequested(Interrupt::Int | Interrupt::Term | Interrupt::Hup | Interrupt::Typed) => {
                self.interrupts += 1;
            }
            Fact::GuardianLost => self.is_guardian_lost = true,
            Fact::HookFinished { task, .. } => {
                if let Some(running) = self.running.remove(task).filter(|running| running.is_poll && !running.is_stale)
                {
                    self.polled.insert(running.hook, step.now);
                }
            }
            _ => {}
        }
        for effect in step.effects {
            self.effect(step.now, effect)?;
        }
        self.overdue(step.now)
    }

    fn effect(&mut self, now: Moment, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::ApplyPlan(plan) => {
                // What is another hook by now is polled at once.
                self.polled.retain(|hook, _| plan.hooks.get(hook) == self.newest.get(hook));
                for running in self.running.values_mut() {
                    running.is_stale |= plan.hooks.get(&running.hook) != Some(&running.plan);
                }
                self.newest.clone_from(&plan.hooks);
            }
            Effect::StartHook { task, hook, plan, errand } => {
                let is_poll = &*errand.workflow == "observe";
                if is_poll && self.running.values().any(|other| other.is_poll && other.hook == *hook) {
                    return Err(format!("hook {hook} is polled twice at once"));
                }
                if is_poll {
                    if self.newest.get(hook) != Some(plan) {
                        return Err(format!("hook {hook} is polled as an earlier plan has it"));
                    }
                    self.has_paused(now, hook, plan)?;
                }
                let plan = Arc::clone(plan);
                let running = Running {
                    hook: hook.clone(),
                    plan,
                    is_poll,
                    since: now,
                    stop_at: None,
                    is_killed: false,
                    is_stale: false,
                };
                self.running.insert(*task, running);
            }
            Effect::StopHook(task) => {
                if let Some(running) = self.running.get_mut(task) {
                    running.stop_at = Some(now);
                }
            }
            Effect::KillHook(task) => {
                let is_forced = self.interrupts > 1 || self.is_guardian_lost;
                let Some(running) = self.running.get_mut(task) else { return Ok(()) };
                running.is_killed = true;
                if !is_forced && running.stop_at.is_none_or(|at| now.since(at) < GRACE_MIN) {
                    return Err(format!("hook {} is killed without its grace", running.hook));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// From the end of one poll to the next.
    fn has_paused(&self, now: Moment, hook: &HookName, plan: &HookPlan) -> Result<(), String> {
        let interval = plan.observe.as_ref().map(|observe| observe.interval).unwrap_or_default();
        match self.polled.get(hook) {
            Some(at) if now.since(*at) < interval => {
                Err(format!("hook {hook} is polled {:?} after {at}", now.since(*at)))
            }
            _ => Ok(()),
        }
    }

    fn overdue(&self, now: Moment) -> Result<(), String> {
        for running in self.running.values().filter(|running| !running.is_killed) {
            let hook = &running.hook;
            if let Some(at) = running.stop_at
                && now.since(at) > GRACE_MAX + self.late + SLACK
            {
                return Err(format!("hook {hook} was asked to end at {at} and is not killed"));
            }
            if let Some(timeout) = running.plan.timeout
                && running.stop_at.is_none()
                && now.since(running.since) > timeout + self.late + SLACK
            {
                return Err(format!("hook {hook} runs since {} and has a timeout of {timeout:?}", running.since));
            }
        }
        Ok(())
    }
}
