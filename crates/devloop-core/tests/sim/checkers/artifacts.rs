//! Artifacts: what is served is always whole, the file never names what is not there, a switch is taken back or
//! verified by all consumers, and nothing of what failed is left.

use super::Step;
use crate::store::Store;
use crate::world::{Life, Stage};
use devloop_core::effect::{Effect, Values};
use devloop_core::fact::{ArtifactAnswer, Fact};
use devloop_core::names::{ArtifactName, Generation, ProcessName};
use devloop_core::notice::{ArtifactNews, Notice, StepFailure};
use devloop_core::plan::Plan;
use devloop_core::plan::artifact::{ArtifactKey, generation_folder};
use devloop_core::plan::workflow::Step as PlanStep;
use devloop_core::value::Value;
use devloop_core::view::{Phase, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the world is like after a step.
pub(crate) struct Served<'w> {
    pub(crate) store: &'w Store,
    pub(crate) lives: &'w BTreeMap<ProcessName, Life>,
    pub(crate) file: Option<&'w Arc<Values>>,
}

pub(crate) struct Artifacts {
    /// The newest plan.
    plan: Arc<Plan>,
    /// All plans of the session: a run ends with the one that it began with.
    plans: Vec<Arc<Plan>>,
    /// The newest generation that all consumers answered with.
    verified: BTreeMap<ArtifactName, Option<Generation>>,
    /// What was verified before, as long as the newest is not in the file.
    uncommitted: BTreeMap<ArtifactName, Option<Generation>>,
    /// What an earlier session left: where the state names none of it, nobody can tell what it is worth.
    found: BTreeSet<Generation>,
    /// What this session published at least once.
    published: BTreeSet<ArtifactName>,
    is_recovered: bool,
}

impl Artifacts {
    /// `saved` is what the file held when the session began.
    pub(crate) fn new(plan: &Arc<Plan>, saved: &Values) -> Self {
        let verified = plan.artifacts.keys().map(|name| {
            let is_switching = saved.contains_key(&ArtifactKey::Switching.of(name));
            let key = if is_switching { ArtifactKey::Rollback } else { ArtifactKey::Generation };
            (name.clone(), named(saved, name, key))
        });
        Self {
            plan: Arc::clone(plan),
            plans: vec![Arc::clone(plan)],
            verified: verified.collect(),
            uncommitted: BTreeMap::new(),
            found: BTreeSet::new(),
            published: BTreeSet::new(),
            is_recovered: false,
        }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>, served: &Served<'_>) -> Result<(), String> {
        for effect in step.effects {
            if let Effect::ApplyPlan(plan) = effect {
                self.plan = Arc::clone(plan);
                self.plans.push(Arc::clone(plan));
            }
        }
        if let Fact::ArtifactAnswered { answer: ArtifactAnswer::Found(found), .. } = step.fact {
            self.found.extend(found);
        }
        let plan = Arc::clone(&self.plan);
        let was_recovered = self.is_recovered;
        // A session that is asked to end before that leaves all as it was: the next one recovers.
        self.is_recovered |= matches!(step.after.phase, Phase::Startup | Phase::Running);
        for name in plan.artifacts.keys() {
            if was_recovered {
                self.switches(name, step, served)?;
            } else {
                self.recovers(name, &step.after.values, served.store)?;
            }
            for values in served.file.into_iter().map(|file| &**file) {
                on_disk(name, values, served.store, "the file")?;
                path(&self.plan, name, values)?;
            }
            if self.is_recovered {
                on_disk(name, &step.after.values, served.store, "the session")?;
            }
            self.is_served_whole(name, served)?;
        }
        for effect in step.effects {
            match effect {
                Effect::StartProcess(process, _) if !self.is_recovered => {
                    return Err(format!("{process} starts before the artifacts are recovered"));
                }
                Effect::Report(Notice::WorkflowFailed {
                    failure: StepFailure::NotPublished { artifact, failure },
                    ..
                }) if step.after.values.contains_key(&ArtifactKey::Switching.of(artifact)) => {
                    return Err(format!("{artifact} was not published ({failure:?}) and is switched"));
                }
                Effect::Report(Notice::Artifact { artifact, news: ArtifactNews::Published { .. } }) => {
                    self.published.insert(artifact.clone());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Before anything starts, the session serves what was verified, and nothing is switched.
    fn recovers(&mut self, name: &ArtifactName, values: &Values, store: &Store) -> Result<(), String> {
        if !self.is_recovered {
            return Ok(());
        }
        let (is, was) = (named(values, name, ArtifactKey::Generation), self.verified[name]);
        self.verified.insert(name.clone(), is);
        if values.contains_key(&ArtifactKey::Switching.of(name)) || (is != was && !store.has_failed) {
            return Err(format!("{name} begins with {is:?} and not with {was:?}, which was verified"));
        }
        Ok(())
    }

    /// What the session says follows from what it said: a switch begins at what is verified, and ends there, or where
    /// all consumers have answered.
    fn switches(&mut self, name: &ArtifactName, step: &Step<'_>, served: &Served<'_>) -> Result<(), String> {
        let (before, after) = (&step.before.values, &step.after.values);
        let generation = |values: &Values| named(values, name, ArtifactKey::Generation);
        let switching = |values: &Values| named(values, name, ArtifactKey::Switching);
        if matches!(step.fact, Fact::StateSaved(_))
            && served.file.is_some_and(|file| switching(file).is_none() && generation(file) == self.verified[name])
        {
            self.uncommitted.remove(name);
        }
        if matches!(step.fact, Fact::StateSaveFailed { .. }) && generation(after) != self.verified[name] {
            // What could not be saved is taken back.
            self.verified.extend(self.uncommitted.remove(name).map(|before| (name.clone(), before)));
        }
        let verified = self.verified[name];
        match (switching(before), switching(after)) {
            (None, None) if generation(after) != verified => Err(format!("{name} changed without a switch")),
            (None, None) => Ok(()),
            (_, Some(new)) => {
                let rollback = named(after, name, ArtifactKey::Rollback);
                if generation(after) != Some(new) || rollback != verified {
                    return Err(format!("{name} switches to {new} from {rollback:?}, not from {verified:?}"));
                }
                let publishes = |run: &devloop_core::view::RunView| {
                    self.plans.iter().any(|plan| publishes(plan, &run.workflow, name))
                };
                if !step.after.runs.iter().any(publishes) {
                    return Err(format!("{name} is switched and no run publishes it"));
                }
                Ok(())
            }
            (Some(_), None) if generation(after) == verified => Ok(()),
            (Some(new), None) if generation(after) == Some(new) => {
                self.verified.insert(name.clone(), Some(new));
                self.uncommitted.insert(name.clone(), verified);
                let consumers = self.plan.consumers(name);
                match consumers.into_iter().find(|process| !has_answered(served, process, new)) {
                    Some(process) => Err(format!("{name} {new} is verified, and {process} did not answer with it")),
                    None => Ok(()),
                }
            }
            (Some(new), None) => Err(format!("{name} went from {new} to {:?}", generation(after))),
        }
    }

    /// What a consumer that runs was told to serve is there.
    fn is_served_whole(&self, name: &ArtifactName, served: &Served<'_>) -> Result<(), String> {
        for process in self.plan.consumers(name) {
            let Some(life) = served.lives.get(process).filter(|life| life.stage == Stage::Running) else { continue };
            if let Some(told) = life.told
                && !is_whole(name, told, served.store)
            {
                return Err(format!("{process} runs with {name} {told}, which is not there"));
            }
        }
        Ok(())
    }

    /// At rest nothing is half done, and nothing is left of what failed.
    pub(crate) fn rest(&self, view: &View, store: &Store) -> Result<(), String> {
        for (name, plan) in &self.plan.artifacts {
            if view.values.contains_key(&ArtifactKey::Switching.of(name)) {
                return Err(format!("at rest {name} is switched and not verified"));
            }
            let Some(shelf) = store.shelf(name).filter(|_| !store.has_failed) else { continue };
            let verified = self.verified[name];
            let is_unknown = |generation: &&Generation| verified.is_none() && self.found.contains(*generation);
            let newest = shelf.whole.iter().rev().find(|generation| !is_unknown(generation)).copied();
            // A publish removes what is old. One that a crash kept from that left it to the next one.
            let is_more = if self.published.contains(name) {
                shelf.whole.len() > plan.retain
            } else {
                !shelf.whole.is_subset(&self.found)
            };
            if !shelf.candidates.is_empty() || is_more || newest != verified {
                return Err(format!("at rest {name} has {shelf:?} and serves {:?}", self.verified[name]));
            }
        }
        Ok(())
    }
}

fn has_answered(served: &Served<'_>, process: &ProcessName, generation: Generation) -> bool {
    served.lives.get(process).is_some_and(|life| life.answered == Some(generation))
}

fn is_whole(name: &ArtifactName, generation: Generation, store: &Store) -> bool {
    store.shelf(name).is_some_and(|shelf| shelf.whole.contains(&generation))
}

fn named(values: &Values, name: &ArtifactName, key: ArtifactKey) -> Option<Generation> {
    match values.get(&key.of(name)) {
        Some(Value::String(text)) => Generation::parse(text),
        _ => None,
    }
}

fn on_disk(name: &ArtifactName, values: &Values, store: &Store, who: &str) -> Result<(), String> {
    for key in [ArtifactKey::Generation, ArtifactKey::Rollback] {
        if let Some(generation) = named(values, name, key)
            && !is_whole(name, generation, store)
        {
            return Err(format!("{who} names {name} {generation} as {key:?}, which is not there"));
        }
    }
    Ok(())
}

fn path(plan: &Plan, name: &ArtifactName, values: &Values) -> Result<(), String> {
    for (generation, path) in
        [(ArtifactKey::Generation, ArtifactKey::Path), (ArtifactKey::Rollback, ArtifactKey::RollbackPath)]
    {
        let folder = named(values, name, generation).map(|it| generation_folder(&plan.state_file, name, it));
        let folder = folder.map(|folder| Value::from(&*folder.to_string_lossy()));
        if values.get(&path.of(name)) != folder.as_ref() {
            return Err(format!("the file says {:?} where it should say {folder:?}", values.get(&path.of(name))));
        }
    }
    Ok(())
}

/// Whether a workflow of a plan publishes an artifact.
fn publishes(all: &Plan, workflow: &devloop_core::names::WorkflowName, name: &ArtifactName) -> bool {
    let Some(plan) = all.workflows.get(workflow) else { return false };
    let inner = |step: &PlanStep| match step {
        PlanStep::PublishArtifact(other) => other == name,
        PlanStep::RunWorkflow(child) => publishes(all, child, name),
        PlanStep::Parallel(steps) => steps.iter().any(|step| match step {
            PlanStep::RunWorkflow(child) => publishes(all, child, name),
            _ => false,
        }),
        _ => false,
    };
    plan.steps.iter().any(inner) || plan.triggers.iter().any(|target| publishes(all, target, name))
}
