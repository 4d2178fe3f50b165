//! The state file: what a child could read is on disk before it starts, rule keys are blank while their process does
//! not run, and the last word is on disk at the end.

use super::Step;
use crate::marks::{Mark, announced};
use devloop_core::effect::{Effect, Values};
use devloop_core::fact::{Fact, ProcessFact};
use devloop_core::names::{HookName, ProcessName, StateKey, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::artifact::ArtifactKey;
use devloop_core::value::Value;
use devloop_core::view::View;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) struct State {
    plan: Arc<Plan>,
    /// The step in which the save in flight was asked for.
    asked_in: u64,
    /// The step whose values the file holds.
    saved_in: u64,
    is_failing: bool,
    /// The newest save was asked to survive a loss of power.
    is_asked_durably: bool,
    /// What the file holds survives one.
    lasts: bool,
    /// The step whose values the file held when it was to be synced; none when it may have been replaced since.
    synced_in: Option<u64>,
    /// Steps that changed values.
    changes: Vec<u64>,
    /// When a hook step began, by workflow and hook.
    wanted_hooks: BTreeMap<(WorkflowName, HookName), u64>,
    /// When a process was last wished for, or its last life ended.
    wanted_processes: BTreeMap<ProcessName, u64>,
    /// Processes whose command runs.
    running: BTreeSet<ProcessName>,
    /// Processes that were started at least once.
    started: BTreeSet<ProcessName>,
}

impl State {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            asked_in: 0,
            saved_in: 0,
            is_failing: false,
            is_asked_durably: false,
            lasts: false,
            synced_in: None,
            changes: Vec::new(),
            wanted_hooks: BTreeMap::new(),
            wanted_processes: BTreeMap::new(),
            running: BTreeSet::new(),
            started: BTreeSet::new(),
        }
    }

    pub(crate) fn rest(view: &View, file: Option<&Arc<Values>>) -> Result<(), String> {
        if file == Some(&view.values) {
            return Ok(());
        }
        Err(format!("at rest the file holds {file:?} and the session {:?}", view.values))
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        self.fact(step);
        if step.before.values != step.after.values {
            self.changes.push(step.number);
        }
        let mut writers: BTreeSet<&WorkflowName> = BTreeSet::new();
        let mut held: BTreeMap<&str, Value> = BTreeMap::new();
        let differs = |key: &str| step.before.values.get(key) != step.after.values.get(key);
        for effect in step.effects {
            match announced(effect) {
                Some((workflow, Mark::Write, write)) => {
                    // A value that the key held already is nothing new, whoever writes another one later in this step.
                    let (key, value) = write.split_once(' ').unwrap_or((write, ""));
                    let value = Value::from(value);
                    let is_new = held.get(key).or(step.before.values.get(key)) != Some(&value);
                    held.insert(key, value);
                    if is_new && differs(key) {
                        writers.insert(workflow);
                    }
                }
                Some((workflow, Mark::Hook, hook)) => {
                    self.wanted_hooks.insert((workflow.clone(), HookName::from(hook)), step.number);
                }
                Some((_, Mark::Up | Mark::Again, process)) => {
                    self.wanted_processes.insert(ProcessName::from(process), step.number);
                }
                _ => {}
            }
            if let Effect::ApplyPlan(plan) = effect {
                self.renew(step.number, plan);
            }
            self.effect(step, effect)?;
            if let Effect::StartHook { errand, .. } = effect
                && !self.is_failing
                && step.file != Some(&step.after.values)
                && writers.iter().any(|workflow| workflow.as_str() == &*errand.workflow)
            {
                return Err(format!("a hook of {} starts in the step that wrote state", errand.workflow));
            }
        }
        self.rule_keys(step.after)?;
        self.reserved(step.after)
    }

    fn fact(&mut self, step: &Step<'_>) {
        match step.fact {
            Fact::StateSaved(_) => {
                self.saved_in = self.asked_in;
                self.is_failing = false;
                self.lasts = self.is_asked_durably;
            }
            Fact::StateSaveFailed { is_replaced, .. } => {
                self.is_failing = true;
                self.lasts &= !is_replaced;
                self.synced_in = self.synced_in.filter(|_| !is_replaced);
            }
            Fact::StateSynced(_) => self.lasts |= self.synced_in.take() == Some(self.saved_in),
            Fact::Process(name, _, fact) => match fact {
                ProcessFact::Started { .. } => {
                    self.running.insert(name.clone());
                }
                ProcessFact::Exited(_) => {
                    self.running.remove(name);
                }
                ProcessFact::Gone | ProcessFact::StartFailed(_) => {
                    self.wanted_processes.insert(name.clone(), step.number);
                }
                ProcessFact::Captured { .. } | ProcessFact::LineMatched(_) | ProcessFact::Stuck { .. } => {}
            },
            _ => {}
        }
    }

    /// A process that is another has other keys, which are blank from its next start on.
    fn renew(&mut self, number: u64, plan: &Arc<Plan>) {
        let is_same = |name: &ProcessName| plan.processes.get(name) == self.plan.processes.get(name);
        self.started.retain(is_same);
        for name in plan.processes.keys().filter(|name| !is_same(name)) {
            self.wanted_processes.insert(name.clone(), number);
        }
        self.plan = Arc::clone(plan);
    }

    fn effect(&mut self, step: &Step<'_>, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::SaveState { values, durable, .. } => {
                self.is_asked_durably = *durable;
                self.asked_in = step.number;
                if *values != step.after.values {
                    return Err("what is saved is not what the session holds".to_owned());
                }
            }
            Effect::SyncState(_) => self.synced_in = Some(self.saved_in),
            Effect::StartHook { hook, errand, .. } => {
                let key = (WorkflowName::from(&*errand.workflow), hook.clone());
                if let Some(wanted) = self.wanted_hooks.remove(&key) {
                    self.is_on_disk(step, wanted, hook.as_str())?;
                }
            }
            Effect::StartProcess(process, _) => {
                self.started.insert(process.clone());
                if let Some(wanted) = self.wanted_processes.get(process) {
                    self.is_on_disk(step, *wanted, process.as_str())?;
                }
                for key in self.own_keys(process) {
                    if !self.is_failing && step.file.and_then(|file| file.get(&key)) != Some(&Value::from("")) {
                        return Err(format!("{process} starts while the file's '{key}' is not blank"));
                    }
                }
            }
            // After a save that failed, the file may hold the last values from before, and safely.
            Effect::EndSession(_)
                if !(self.is_asked_durably || self.lasts && step.file == Some(&step.after.values)) =>
            {
                return Err("the last save would not survive a loss of power".to_owned());
            }
            Effect::EndSession(_) if !self.is_failing && step.file != Some(&step.after.values) => {
                return Err(format!("at the end the file holds {:?}, not {:?}", step.file, step.after.values));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether all changes before a step are on disk, or cannot be.
    fn is_on_disk(&self, step: &Step<'_>, wanted: u64, whose: &str) -> Result<(), String> {
        // Values that were written back and forth are there already.
        if step.file == Some(&step.before.values) || step.file == Some(&step.after.values) {
            return Ok(());
        }
        let missing = self.changes.iter().rev().find(|change| **change < wanted && **change > self.saved_in);
        match missing {
            Some(change) if !self.is_failing => {
                Err(format!("{whose} starts before the values of step {change} are on disk"))
            }
            _ => Ok(()),
        }
    }

    /// Keys that only this process' rules write.
    fn own_keys(&self, process: &ProcessName) -> Vec<StateKey> {
        self.plan.rule_keys(process).filter(|key| key.as_str() != "shared").cloned().collect()
    }

    fn rule_keys(&self, view: &View) -> Result<(), String> {
        for process in self.started.difference(&self.running) {
            for key in self.own_keys(process) {
                if view.values.get(&key) != Some(&Value::from("")) {
                    return Err(format!("{process} does not run, and its '{key}' is {:?}", view.values.get(&key)));
                }
            }
        }
        Ok(())
    }

    fn reserved(&self, view: &View) -> Result<(), String> {
        let is_own = |key: &StateKey| {
            self.plan.artifacts.keys().any(|artifact| ArtifactKey::ALL.iter().any(|own| own.of(artifact) == *key))
        };
        if view.values.keys().any(|key| key.as_str().starts_with("artifact") && !is_own(key)) {
            return Err("a hook wrote a reserved key".to_owned());
        }
        match view.values.get("root") {
            Some(root) if *root != Value::from(&*self.plan.root.to_string_lossy()) => Err(format!("root is {root}")),
            _ => Ok(()),
        }
    }
}
