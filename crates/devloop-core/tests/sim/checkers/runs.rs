//! Which runs may go at the same time, which must wait, and in what order.

use super::Step;
use super::footprints::Footprint;
use super::holds::Holds;
use devloop_core::effect::Effect;
use devloop_core::fact::Fact;
use devloop_core::names::{RunId, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::view::{Phase, RunView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Runs {
    /// All plans of the session, the newest last.
    plans: Vec<Arc<Plan>>,
    /// What each run touches by the plan that it has, or will have.
    footprints: BTreeMap<RunId, Footprint>,
    holds: Holds,
    /// Runs that were wanted in one step (a batch, the startup list): the step, and the place in its order.
    families: BTreeMap<RunId, Option<(u64, usize)>>,
    /// The step in which a run was wanted.
    wanted_in: BTreeMap<RunId, u64>,
    /// Runs that waited already when a run was wanted: its batch may have merged into them.
    elders: BTreeMap<RunId, BTreeSet<RunId>>,
}

impl Runs {
    pub(crate) fn new(plan: &Arc<Plan>, late: Duration) -> Self {
        Self {
            plans: vec![Arc::clone(plan)],
            footprints: BTreeMap::new(),
            holds: Holds::new(plan, late),
            families: BTreeMap::new(),
            elders: BTreeMap::new(),
            wanted_in: BTreeMap::new(),
        }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        for effect in step.effects {
            if let Effect::ApplyPlan(plan) = effect {
                self.plans.push(Arc::clone(plan));
            }
        }
        self.measure(step);
        self.adopt(step);
        self.holds.step(step);
        self.overlaps(step)?;
        self.idle_waiting(step)?;
        self.overtaking(step)?;
        lists(step)
    }

    /// A run has the newest plan that has its workflow, and keeps it from when it begins.
    fn measure(&mut self, step: &Step<'_>) {
        let began: BTreeSet<RunId> = step.before.runs.iter().map(|run| run.run).collect();
        for run in step.after.runs.iter().chain(&step.after.waiting).filter(|run| !began.contains(&run.run)) {
            let plan = self.plans.iter().rev().find(|plan| plan.workflows.contains_key(&run.workflow));
            self.footprints.extend(plan.map(|plan| (run.run, Footprint::of(plan, &run.workflow))));
        }
    }

    fn plan(&self) -> &Plan {
        &self.plans[self.plans.len() - 1]
    }

    fn surely_conflict(&self, one: &RunView, other: &RunView) -> bool {
        self.footprints[&one.run].surely_conflicts(&self.footprints[&other.run])
    }

    /// Notes which runs were wanted together.
    fn adopt(&mut self, step: &Step<'_>) {
        let is_startup = step.before.phase == Phase::Arming;
        for run in step.after.runs.iter().chain(&step.after.waiting) {
            // A hook's end may make an observer want its workflow in the step that also releases a batch.
            // Values that are accepted in one step are no batch.
            // What is typed is wanted beside all else, too.
            // What a plan leaves behind that does not name its group any more is wanted beside all else.
            let is_mixed = matches!(step.fact, Fact::HookFinished { .. } | Fact::PlanLoaded(_) | Fact::Typed(_));
            let place = if is_mixed || !run.events.is_empty() {
                None
            } else if is_startup {
                self.plan().startup_workflows.iter().position(|name| *name == run.workflow)
            } else {
                self.plan().workflows.keys().position(|name| *name == run.workflow)
            };
            self.elders.entry(run.run).or_insert_with(|| step.before.waiting.iter().map(|other| other.run).collect());
            self.wanted_in.entry(run.run).or_insert(step.number);
            self.families.entry(run.run).or_insert(place.map(|place| (step.number, place)));
        }
    }

    fn are_family(&self, one: &RunView, other: &RunView) -> Option<(usize, usize)> {
        let (one, other) = ((*self.families.get(&one.run)?)?, (*self.families.get(&other.run)?)?);
        (one.0 == other.0).then_some((one.1, other.1))
    }

    fn overlaps(&self, step: &Step<'_>) -> Result<(), String> {
        let going = &step.after.runs;
        let is_new = |run: &RunView| step.before.runs.iter().all(|before| before.run != run.run);
        for (index, one) in going.iter().enumerate() {
            for other in &going[index + 1..] {
                if self.surely_conflict(one, other) {
                    return Err(format!("runs of {} and {} conflict and go at once", one.workflow, other.workflow));
                }
                if !self.plan().concurrent && (is_new(one) || is_new(other)) {
                    return Err(format!("{} and {} go at once, but not concurrent", one.workflow, other.workflow));
                }
                if self.are_family(one, other).is_some() {
                    return Err(format!("{} and {} of one batch go at once", one.workflow, other.workflow));
                }
            }
        }
        Ok(())
    }

    /// A run waits only for a run that it may conflict with, or that is before it in its batch, or because it is held
    /// back; nothing waits for one that is.
    fn idle_waiting(&self, step: &Step<'_>) -> Result<(), String> {
        if step.after.phase > Phase::Running {
            return Ok(());
        }
        let mut ahead: Vec<&RunView> = step.after.runs.iter().collect();
        for run in &step.after.waiting {
            let has_reason = ahead.iter().any(|other| {
                !self.plan().concurrent
                    || self.footprints[&run.run].may_conflict(&self.footprints[&other.run])
                    || self.wanted_in[&run.run] == self.wanted_in[&other.run]
                    || self.elders[&run.run].contains(&other.run)
            });
            if !has_reason && self.holds.may_hold(run) {
                continue;
            }
            if !has_reason {
                return Err(format!("a run of {} waits for nothing", run.workflow));
            }
            ahead.push(run);
        }
        Ok(())
    }

    /// A run that begins overtakes no earlier one that it conflicts with, or that is before it in its batch.
    fn overtaking(&self, step: &Step<'_>) -> Result<(), String> {
        let were_going: BTreeSet<RunId> = step.before.runs.iter().map(|run| run.run).collect();
        for run in step.after.runs.iter().filter(|run| !were_going.contains(&run.run)) {
            let place = step.before.waiting.iter().position(|other| other.run == run.run);
            let earlier = &step.before.waiting[..place.unwrap_or(step.before.waiting.len())];
            for other in step.after.waiting.iter().filter(|other| !self.holds.may_hold(other)) {
                if let Some((own, theirs)) = self.are_family(run, other)
                    && theirs < own
                {
                    return Err(format!("{} begins before {} of its batch", run.workflow, other.workflow));
                }
                let is_earlier = earlier.iter().any(|before| before.run == other.run);
                if is_earlier && self.surely_conflict(run, other) {
                    return Err(format!("{} begins before {}, which was wanted first", run.workflow, other.workflow));
                }
            }
        }
        Ok(())
    }
}

/// One waiting run a workflow; changed files sorted and unique; ids unique.
fn lists(step: &Step<'_>) -> Result<(), String> {
    let mut waiting: BTreeSet<&WorkflowName> = BTreeSet::new();
    let mut ids: BTreeSet<RunId> = BTreeSet::new();
    for run in step.after.runs.iter().chain(&step.after.waiting) {
        if !run.changed_files.is_sorted_by(|one, other| one < other) {
            return Err(format!("{} was told of {:?}: not sorted and unique", run.workflow, run.changed_files));
        }
        if !ids.insert(run.run) {
            return Err(format!("{} is there twice", run.run));
        }
    }
    for run in &step.after.waiting {
        if !waiting.insert(&run.workflow) {
            return Err(format!("{} waits twice", run.workflow));
        }
    }
    Ok(())
}
