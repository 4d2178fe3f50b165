//! Liveness: nobody is called unwell but by what was heard since devloop last stood still.

use super::Step;
use crate::edits::with_gone;
use devloop_core::effect::Effect;
use devloop_core::fact::{Fact, ProbeAnswer, ProbeRole, ProcessFact};
use devloop_core::moment::Moment;
use devloop_core::names::{ProcessName, TaskId};
use devloop_core::notice::Notice;
use devloop_core::plan::Plan;
use devloop_core::plan::probe::ProbeKind;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Answers in a row that must be bad.
const BAD_MIN: u32 = 2;

pub(crate) struct Liveness {
    plan: Arc<Plan>,
    asked: BTreeMap<TaskId, ProcessName>,
    bad: BTreeMap<ProcessName, u32>,
    /// Since when a process was silent, as far as devloop could hear.
    silent: BTreeMap<ProcessName, Moment>,
}

impl Liveness {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self { plan: Arc::clone(plan), asked: BTreeMap::new(), bad: BTreeMap::new(), silent: BTreeMap::new() }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        match step.fact {
            Fact::Slept(_) => {
                self.bad.clear();
                self.silent.values_mut().for_each(|since| *since = step.now);
            }
            Fact::ProbeAnswered { task, answer } => {
                let bad = self.asked.remove(task).map(|process| self.bad.entry(process).or_default());
                match (bad, answer) {
                    (Some(bad), ProbeAnswer::Well) => *bad = 0,
                    (Some(bad), ProbeAnswer::Refused | ProbeAnswer::Unwell(_)) => *bad += 1,
                    (None, _) => {}
                }
            }
            Fact::Process(process, _, ProcessFact::Started { .. } | ProcessFact::LineMatched(_)) => {
                self.bad.remove(process);
                self.silent.insert(process.clone(), step.now);
            }
            _ => {}
        }
        step.effects.iter().try_for_each(|effect| self.effect(step.now, effect))
    }

    fn effect(&mut self, now: Moment, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::ApplyPlan(plan) => self.plan = with_gone(&self.plan, plan),
            Effect::StartProbe { task, process, role: ProbeRole::Liveness, .. } => {
                self.asked.insert(*task, process.clone());
            }
            Effect::CancelProbe(task) => {
                self.asked.remove(task);
            }
            Effect::Report(Notice::ProcessUnwell { process, .. }) => return self.unwell(now, process),
            _ => {}
        }
        Ok(())
    }

    fn unwell(&self, now: Moment, process: &ProcessName) -> Result<(), String> {
        let Some(probe) = self.plan.processes[process].liveness.as_ref() else {
            return Err(format!("{process} is called unwell, and nobody asks"));
        };
        let heard_enough = match probe.kind {
            ProbeKind::Http { .. } | ProbeKind::Tcp { .. } | ProbeKind::Exec { .. } => {
                self.bad.get(process).is_some_and(|bad| *bad >= BAD_MIN)
            }
            ProbeKind::Output { .. } => {
                self.silent.get(process).is_some_and(|since| now.since(*since) >= probe.timeout)
            }
            ProbeKind::StateKey { .. } => true,
        };
        if heard_enough { Ok(()) } else { Err(format!("{process} is called unwell too soon")) }
    }
}
