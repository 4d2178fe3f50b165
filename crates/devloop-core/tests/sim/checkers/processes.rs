//! Processes: what is wanted of each by the last explicit wish and its policy, what its life is by the facts, and
//! whether the engine's beliefs and acts agree.

use super::Step;
use super::drain::{closure, depends};
use crate::edits::with_gone;
use crate::marks::{Mark, announced};
use devloop_core::effect::Effect;
use devloop_core::fact::{Fact, ProbeAnswer, ProbeRole, ProcessFact, StartFailure, Typed};
use devloop_core::names::{Incarnation, ProcessName, StateKey, TaskId};
use devloop_core::notice::{Notice, StepFailure};
use devloop_core::plan::Plan;
use devloop_core::plan::probe::ProbeKind;
use devloop_core::plan::process::{ProcessPlan, RestartPolicy};
use devloop_core::value::Value;
use devloop_core::view::{Condition, Phase, View};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is wanted of a process, as far as the trace tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Up,
    Down,
    Unsure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Requested,
    Running,
    Exited,
    Over,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent marks, and nothing is decided by all of them")]
struct Life {
    /// What it was started with.
    plan: Arc<ProcessPlan>,
    incarnation: Incarnation,
    stage: Stage,
    is_asked_to_end: bool,
    /// Something that was seen proves that it is ready.
    is_ready: bool,
    /// It was given up waiting for.
    is_overdue: bool,
    /// `restart_process` was wanted since it began.
    is_again: bool,
}

pub(crate) struct Processes {
    /// The newest plan.
    newest: Arc<Plan>,
    /// The newest plan, and what only earlier ones name.
    plan: Arc<Plan>,
    wishes: BTreeMap<ProcessName, Wish>,
    lives: BTreeMap<ProcessName, Life>,
    probes: BTreeMap<TaskId, (ProcessName, Incarnation)>,
    is_watching: bool,
}

impl Processes {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let mut wishes: BTreeMap<ProcessName, Wish> =
            plan.processes.keys().map(|name| (name.clone(), Wish::Down)).collect();
        for name in plan.processes.iter().filter(|(_, process)| process.autostart).map(|(name, _)| name) {
            for other in closure(plan, name) {
                wishes.entry(other).and_modify(|wish| {
                    if *wish == Wish::Down {
                        *wish = Wish::Unsure;
                    }
                });
            }
            wishes.insert(name.clone(), Wish::Up);
        }
        let (newest, plan) = (Arc::clone(plan), Arc::clone(plan));
        Self { newest, plan, wishes, lives: BTreeMap::new(), probes: BTreeMap::new(), is_watching: false }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        self.fact(step.fact);
        if let Fact::Typed(Typed::Restart(name)) = step.fact
            && step.before.phase <= Phase::Running
            && self.newest.processes.contains_key(name)
        {
            self.wished_up(name.clone(), true);
            // A publish goes on to restart and stop what serves it.
            if self.plan.artifacts.values().any(|artifact| artifact.consumers.contains(name)) {
                self.wishes.insert(name.clone(), Wish::Unsure);
            }
        }
        self.state_keys(step.before);
        self.state_keys(step.after);
        for effect in step.effects {
            self.marks(effect)?;
            self.notices(effect);
            if let Effect::ApplyPlan(plan) = effect {
                self.renew(plan);
            }
            self.effect(step, effect)?;
        }
        self.needs(step.after);
        self.beliefs(step.after)
    }

    /// What is wanted for another goes on when the other is not wanted any more.
    fn needs(&mut self, view: &View) {
        for (name, process) in &view.processes {
            if process.is_wanted && self.wishes.get(name) == Some(&Wish::Down) && self.is_needed(name) {
                self.wishes.insert(name.clone(), Wish::Unsure);
            }
        }
    }

    /// What is wanted by another plan: new ones that start by themselves, and not those that it dropped.
    fn renew(&mut self, plan: &Arc<Plan>) {
        let old = std::mem::replace(&mut self.newest, Arc::clone(plan));
        self.plan = with_gone(&self.plan, plan);
        for name in old.processes.keys().filter(|name| !plan.processes.contains_key(*name)) {
            self.wishes.insert(name.clone(), Wish::Down);
        }
        for (name, new) in plan.processes.iter().filter(|(name, new)| old.processes.get(*name) != Some(*new)) {
            let was = old.processes.get(name);
            let wish = self.wishes.get(name).copied().unwrap_or(Wish::Down);
            let life = self.lives.get_mut(name);
            // One that fell by itself may be tried again, and the trace does not tell who did.
            let may_begin = was.is_some() && life.is_some() || was.is_some_and(|was| !was.autostart && new.autostart);
            let next = match (was, wish) {
                (None, _) if new.autostart => Wish::Up,
                (None, _) => Wish::Down,
                (Some(_), Wish::Down) if may_begin => Wish::Unsure,
                (Some(_), wish) => wish,
            };
            if let Some(life) = life {
                life.is_again = true;
            }
            self.wishes.insert(name.clone(), next);
        }
        for (name, wish) in self.wishes.clone() {
            if wish != Wish::Down {
                for other in closure(&self.plan, &name) {
                    self.wishes.entry(other).and_modify(|wish| {
                        if *wish == Wish::Down {
                            *wish = Wish::Unsure;
                        }
                    });
                }
            }
        }
    }

    fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::WatchingBegan => self.is_watching = true,
            Fact::ProbeAnswered { task, answer } => {
                if let Some((name, incarnation)) = self.probes.remove(task)
                    && *answer == ProbeAnswer::Well
                {
                    self.prove(&name, incarnation);
                }
            }
            Fact::Process(name, incarnation, fact) => {
                self.process_fact(name, *incarnation, fact);
                if let ProcessFact::Captured { key, value } = fact
                    && !value.trim().is_empty()
                {
                    self.key_written(key);
                }
            }
            _ => {}
        }
    }

    fn process_fact(&mut self, name: &ProcessName, incarnation: Incarnation, fact: &ProcessFact) {
        // A publish may want it once more, to go back.
        let is_consumer = self.plan.artifacts.values().any(|artifact| artifact.consumers.contains(name));
        let after_fall = if is_consumer { Wish::Unsure } else { Wish::Down };
        let Some(life) = self.lives.get_mut(name) else { return };
        let policy = life.plan.restart;
        let has_readiness = life.plan.readiness.is_some();
        match fact {
            ProcessFact::Started { .. } => {
                life.stage = Stage::Running;
                life.is_ready = !has_readiness;
            }
            ProcessFact::StartFailed(failure) => {
                life.stage = Stage::Over;
                if matches!(failure, StartFailure::AddressInUse { .. }) {
                    self.wishes.insert(name.clone(), Wish::Unsure);
                } else if policy == RestartPolicy::Never && !life.is_asked_to_end && !life.is_again {
                    self.wishes.insert(name.clone(), after_fall);
                }
            }
            ProcessFact::Exited(status) => {
                life.stage = Stage::Exited;
                let is_wanted_again = match policy {
                    RestartPolicy::Never => false,
                    RestartPolicy::OnFailure => !status.is_success(),
                    RestartPolicy::Always => true,
                };
                if !life.is_asked_to_end && !is_wanted_again {
                    self.wishes.insert(name.clone(), after_fall);
                }
            }
            ProcessFact::Gone => life.stage = Stage::Over,
            ProcessFact::LineMatched(ProbeRole::Readiness) => self.prove(name, incarnation),
            ProcessFact::LineMatched(ProbeRole::Liveness)
            | ProcessFact::Captured { .. }
            | ProcessFact::Stuck { .. } => {}
        }
    }

    fn prove(&mut self, name: &ProcessName, incarnation: Incarnation) {
        if let Some(life) = self.lives.get_mut(name)
            && life.incarnation == incarnation
            && life.stage == Stage::Running
        {
            life.is_ready = true;
        }
    }

    /// A present value proves readiness, also when the same step takes it away again.
    fn key_written(&mut self, written: &StateKey) {
        for life in self.lives.values_mut() {
            if life.stage == Stage::Running
                && let Some(readiness) = &life.plan.readiness
                && let ProbeKind::StateKey { key } = &readiness.kind
                && key == written
            {
                life.is_ready = true;
            }
        }
    }

    /// A present key proves readiness of whoever waits for it.
    fn state_keys(&mut self, view: &View) {
        for life in self.lives.values_mut() {
            if life.stage == Stage::Running
                && let Some(readiness) = &life.plan.readiness
                && let ProbeKind::StateKey { key } = &readiness.kind
                && view.values.get(key).is_some_and(Value::is_present)
            {
                life.is_ready = true;
            }
        }
    }

    fn wished_up(&mut self, name: ProcessName, is_again: bool) {
        for other in closure(&self.plan, &name) {
            if self.wishes[&other] == Wish::Down {
                self.wishes.insert(other, Wish::Unsure);
            }
        }
        if is_again && let Some(life) = self.lives.get_mut(&name) {
            life.is_again = true;
        }
        self.wishes.insert(name, Wish::Up);
    }

    fn marks(&mut self, effect: &Effect) -> Result<(), String> {
        let Some((_, mark, name)) = announced(effect) else { return Ok(()) };
        let name = ProcessName::from(name);
        match mark {
            // A run that began with an earlier plan: its step fails.
            Mark::Up | Mark::Again | Mark::Unsure if !self.newest.processes.contains_key(&name) => {}
            Mark::Up | Mark::Again => self.wished_up(name, mark == Mark::Again),
            Mark::Down => {
                // A life that is not answered yet is stopped when it is, whatever is wanted by then.
                if let Some(life) = self.lives.get_mut(&name).filter(|life| life.stage == Stage::Requested) {
                    life.is_again = true;
                }
                self.wishes.insert(name, Wish::Down);
            }
            Mark::Unsure => {
                if let Some(life) = self.lives.get_mut(&name) {
                    life.is_again = true;
                }
                for other in closure(&self.plan, &name) {
                    if self.wishes[&other] == Wish::Down {
                        self.wishes.insert(other, Wish::Unsure);
                    }
                }
                self.wishes.insert(name, Wish::Unsure);
            }
            Mark::Stopped => {
                let is_left = self.lives.get(&name).is_some_and(|life| life.stage != Stage::Over);
                if is_left && self.wishes[&name] == Wish::Down {
                    return Err(format!("the step that stops {name} is done, and it is not gone"));
                }
            }
            Mark::Ready => {
                let is_ready = self.lives.get(&name).is_some_and(|life| life.stage == Stage::Running && life.is_ready);
                if !is_ready {
                    return Err(format!("the step that waits for {name} is done, and it is not ready"));
                }
            }
            Mark::Began | Mark::Hook | Mark::HookDone | Mark::Write | Mark::Saw => {}
        }
        Ok(())
    }

    fn notices(&mut self, effect: &Effect) {
        match effect {
            Effect::Report(
                Notice::ProcessHeldBack { process, .. }
                | Notice::WorkflowFailed { failure: StepFailure::DependencyFailed { process, .. }, .. },
            ) => {
                self.wishes.insert(process.clone(), Wish::Unsure);
            }
            Effect::Report(Notice::ProcessNotReady { process, .. }) => {
                if let Some(life) = self.lives.get_mut(process) {
                    life.is_overdue = true;
                }
            }
            _ => {}
        }
    }

    fn effect(&mut self, step: &Step<'_>, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::StartProcess(name, incarnation) => self.start(name, *incarnation)?,
            Effect::StopProcess(name, _) => self.stop(step, name)?,
            Effect::KillProcess(name, _) => {
                if let Some(life) = self.lives.get_mut(name) {
                    life.is_asked_to_end = true;
                }
            }
            Effect::StartProbe { task, process, role: ProbeRole::Readiness, .. } => {
                let incarnation = self.lives.get(process).map(|life| life.incarnation).unwrap_or_default();
                self.probes.insert(*task, (process.clone(), incarnation));
            }
            Effect::CancelProbe(task) => {
                self.probes.remove(task);
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, name: &ProcessName, incarnation: Incarnation) -> Result<(), String> {
        if !self.is_watching {
            return Err(format!("{name} starts before watches are live"));
        }
        if self.wishes[name] == Wish::Down {
            if !self.is_needed(name) {
                return Err(format!("{name} starts, and nobody wants it"));
            }
            self.wishes.insert(name.clone(), Wish::Unsure);
        }
        let Some(plan) = self.newest.processes.get(name) else {
            return Err(format!("{name} starts, and the config does not name it any more"));
        };
        for other in &plan.depends_on {
            let is_there = self.lives.get(other).is_some_and(|life| life.stage == Stage::Running && life.is_ready);
            if !is_there {
                return Err(format!("{name} starts while {other} is not ready"));
            }
        }
        let life = Life {
            plan: Arc::clone(plan),
            incarnation,
            stage: Stage::Requested,
            is_asked_to_end: false,
            is_ready: false,
            is_overdue: false,
            is_again: false,
        };
        self.lives.insert(name.clone(), life);
        Ok(())
    }

    fn stop(&mut self, step: &Step<'_>, name: &ProcessName) -> Result<(), String> {
        let wish = self.wishes[name];
        let Some(life) = self.lives.get_mut(name) else { return Err(format!("{name} is stopped and never lived")) };
        let plan = &life.plan;
        let may_be_unwell = plan.liveness.is_some() && plan.restart != RestartPolicy::Never && life.is_ready;
        let has_reason = life.stage == Stage::Exited
            || wish != Wish::Up
            || life.is_again
            || may_be_unwell
            || step.after.phase >= Phase::Draining;
        life.is_asked_to_end = true;
        if has_reason { Ok(()) } else { Err(format!("{name} is stopped, and nobody wants that")) }
    }

    /// Whether somebody who is wanted depends on it.
    fn is_needed(&self, name: &ProcessName) -> bool {
        self.wishes.iter().any(|(other, wish)| *wish != Wish::Down && depends(&self.plan, other, name))
    }

    /// What the engine believes of each process agrees with what was seen of it.
    fn beliefs(&self, view: &View) -> Result<(), String> {
        for (name, process) in &view.processes {
            let condition = process.condition;
            let life = self.lives.get(name);
            let stage = life.map_or(Stage::Over, |life| life.stage);
            let is_possible = match condition {
                Condition::Down | Condition::Waiting | Condition::BackingOff => {
                    stage == Stage::Over || stage == Stage::Exited && condition != Condition::Down
                }
                Condition::Lingering => stage == Stage::Exited,
                Condition::Starting => stage == Stage::Requested,
                Condition::Running | Condition::Ready => stage == Stage::Running,
                // A life whose start is not answered is asked to end when it is.
                Condition::Stopping => {
                    stage == Stage::Requested || stage != Stage::Over && life.is_some_and(|life| life.is_asked_to_end)
                }
            };
            if !is_possible {
                return Err(format!("{name} is believed {condition:?} and is {stage:?}"));
            }
            let Some(life) = life else { continue };
            if condition == Condition::Ready && !life.is_ready {
                return Err(format!("{name} is believed ready, and nothing proves it"));
            }
            let is_asked = view.phase <= Phase::Running && !life.is_overdue;
            if condition == Condition::Running && life.is_ready && is_asked {
                return Err(format!("{name} is ready, and the engine has not noticed"));
            }
            if process.incarnation != life.incarnation {
                return Err(format!("{name} is {}, not {}", life.incarnation, process.incarnation));
            }
        }
        Ok(())
    }

    /// At rest every process agrees with what is wanted of it.
    pub(crate) fn rest(&self, view: &View) -> Result<(), String> {
        for (name, wish) in &self.wishes {
            let life = self.lives.get(name);
            let stage = life.map_or(Stage::Over, |life| life.stage);
            let Some(process) = view.processes.get(name) else {
                if stage == Stage::Over && !self.newest.processes.contains_key(name) {
                    continue;
                }
                return Err(format!("at rest {name} is not shown and is {stage:?}"));
            };
            let condition = process.condition;
            if !self.newest.processes.contains_key(name) {
                return Err(format!("at rest {name} is {condition:?}, and the config does not name it any more"));
            }
            if let Some(life) = life.filter(|life| life.stage <= Stage::Running)
                && self.newest.processes.get(name) != Some(&life.plan)
            {
                return Err(format!("at rest {name} lives as an earlier plan has it"));
            }
            // What never becomes ready, or waits for something that does not, has no more to be.
            let may_come = closure(&self.plan, name).iter().all(|other| self.is_up(other));
            let wrong = match wish {
                Wish::Up if may_come => stage != Stage::Running || life.is_some_and(|life| life.is_asked_to_end),
                Wish::Down if !self.is_needed(name) => matches!(stage, Stage::Requested | Stage::Running),
                Wish::Up | Wish::Down | Wish::Unsure => false,
            };
            if wrong {
                return Err(format!("at rest {name} is wanted {wish:?} and is {stage:?}, believed {condition:?}"));
            }
            if stage == Stage::Running && !self.is_up(name) && !self.waits_for_a_key(name, view) {
                return Err(format!("at rest {name} is still not ready"));
            }
            if may_come && matches!(condition, Condition::Waiting | Condition::BackingOff) {
                return Err(format!("at rest {name} is {condition:?} for nothing"));
            }
        }
        Ok(())
    }

    fn is_up(&self, name: &ProcessName) -> bool {
        self.lives.get(name).is_some_and(|life| life.stage == Stage::Running && life.is_ready)
    }

    /// Whether its readiness is a key that nobody has written.
    fn waits_for_a_key(&self, name: &ProcessName, view: &View) -> bool {
        let readiness = self.plan.processes[name].readiness.as_ref();
        readiness.is_some_and(|probe| match &probe.kind {
            ProbeKind::StateKey { key } => !view.values.get(key).is_some_and(Value::is_present),
            ProbeKind::Http { .. } | ProbeKind::Tcp { .. } | ProbeKind::Exec { .. } | ProbeKind::Output { .. } => false,
        })
    }
}
