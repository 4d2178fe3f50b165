//! Which wanted run begins when: footprints, order, one waiting run a workflow.

use super::lineage::Origin;
use crate::engine::batch::{Files, merge_files};
use crate::moment::Moment;
use crate::names::{RunId, WorkflowName};
use crate::plan::Plan;
use crate::plan::footprint::Footprint;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A run that waits.
pub(crate) struct WaitingRun {
    pub(crate) id: RunId,
    pub(crate) workflow: WorkflowName,
    pub(crate) files: Files,
    pub(crate) origin: Origin,
    pub(crate) footprint: Arc<Footprint>,
    /// The newest plan that has its workflow.
    pub(crate) plan: Arc<Plan>,
    /// The runs before it in its batch; this one begins after they are over. One of them may be older than the batch
    /// and end first, so the nearest would not do.
    after: Vec<RunId>,
    /// Until then it waits, and nothing waits for it.
    not_before: Option<Moment>,
}

/// Why a run is wanted, and after what it may begin.
#[derive(Default)]
pub(crate) struct Want {
    pub(crate) files: Files,
    pub(crate) origin: Origin,
    pub(crate) after: Vec<RunId>,
    pub(crate) not_before: Option<Moment>,
    /// The plan that it was wanted under, where that may be an earlier one than the newest.
    pub(crate) under: Option<Arc<Plan>>,
}

impl Want {
    /// A run that is cancelled for this one leaves its reasons to it. A client that posted waits for nothing.
    pub(crate) fn take_over(&mut self, origin: &mut Origin) {
        let origin = std::mem::take(origin);
        if !origin.is_own_doing && !origin.events.is_empty() {
            self.not_before = None;
        }
        self.origin.merge(origin);
    }
}

/// A run that is going, as far as admission looks at it.
pub(crate) struct Going<'a> {
    pub(crate) id: RunId,
    pub(crate) footprint: &'a Footprint,
}

/// All runs that wait, in the order in which they were wanted.
#[derive(Default)]
pub(crate) struct Admission {
    waiting: Vec<WaitingRun>,
    footprints: BTreeMap<WorkflowName, Arc<Footprint>>,
    /// The plan whose footprints are kept; none: the one that the session began with.
    newest: Option<Arc<Plan>>,
    last_id: RunId,
}

impl Admission {
    /// Whether a run of a workflow waits.
    pub(crate) fn is_waiting(&self, workflow: &WorkflowName) -> bool {
        self.waiting.iter().any(|run| run.workflow == *workflow)
    }

    /// Adds to the waiting run of a workflow, if there is one. It is held back only as long as all want it so.
    pub(crate) fn merge(&mut self, workflow: &WorkflowName, want: Want) -> Option<RunId> {
        let run = self.waiting.iter_mut().find(|run| run.workflow == *workflow)?;
        merge_files(&mut run.files, want.files);
        run.origin.merge(want.origin);
        run.not_before = run.not_before.zip(want.not_before).map(|(one, other)| one.min(other));
        Some(run.id)
    }

    /// The waiting run of a workflow, if it is held back, is so until then.
    pub(crate) fn hold(&mut self, workflow: &WorkflowName, until: Moment) {
        let held = self.waiting.iter_mut().find(|run| run.workflow == *workflow);
        if let Some(at) = held.and_then(|run| run.not_before.as_mut()) {
            *at = until;
        }
    }

    /// The waiting run of a workflow, if it is held back, is so until then at the latest.
    pub(crate) fn hurry(&mut self, workflow: &WorkflowName, until: Moment) {
        let held = self.waiting.iter_mut().find(|run| run.workflow == *workflow);
        if let Some(at) = held.and_then(|run| run.not_before.as_mut()) {
            *at = until.min(*at);
        }
    }

    /// The same for all other workflows' runs that are held back for their files.
    pub(crate) fn hurry_others(&mut self, workflow: &WorkflowName, until: Moment) {
        let is_other = |run: &&mut WaitingRun| run.workflow != *workflow && run.origin.events.is_empty();
        for run in self.waiting.iter_mut().filter(is_other) {
            run.not_before = run.not_before.map(|at| at.min(until));
        }
    }

    /// A new run waits. An edge always leads to an earlier run, so there is no cycle.
    pub(crate) fn wait(&mut self, plan: &Arc<Plan>, workflow: &WorkflowName, want: Want) -> RunId {
        let Want { files, origin, after, not_before, under: _ } = want;
        self.last_id = self.last_id.next();
        let footprint = self.footprint(plan, workflow);
        let (id, workflow, plan) = (self.last_id, workflow.clone(), Arc::clone(plan));
        self.waiting.push(WaitingRun { id, workflow, files, origin, footprint, plan, after, not_before });
        id
    }

    /// The footprint of a workflow; kept for the newest plan, which nearly all are wanted under.
    fn footprint(&mut self, plan: &Arc<Plan>, workflow: &WorkflowName) -> Arc<Footprint> {
        let make = || Arc::new(Footprint::of(plan, workflow));
        if self.newest.as_ref().is_some_and(|newest| !Arc::ptr_eq(newest, plan)) {
            return make();
        }
        Arc::clone(self.footprints.entry(workflow.clone()).or_insert_with(make))
    }

    /// Another plan holds from now on: what waits begins by it, unless it does not have the workflow.
    pub(crate) fn renew(&mut self, plan: &Arc<Plan>) {
        self.newest = Some(Arc::clone(plan));
        self.footprints.clear();
        let mut waiting = std::mem::take(&mut self.waiting);
        for run in waiting.iter_mut().filter(|run| plan.workflows.contains_key(&run.workflow)) {
            run.plan = Arc::clone(plan);
            run.footprint = self.footprint(plan, &run.workflow);
        }
        self.waiting = waiting;
    }

    /// Takes the first run that may begin beside those that are going.
    pub(crate) fn next(&mut self, plan: &Plan, going: &[Going<'_>], now: Moment) -> Option<WaitingRun> {
        let is_held = |run: &WaitingRun| run.not_before.is_some_and(|at| at > now);
        let is_free = |(index, run): (usize, &WaitingRun)| {
            let earlier = &self.waiting[..index];
            let meets = |other: &Footprint| !plan.concurrent || run.footprint.conflicts_with(other);
            let is_after =
                |id: &RunId| going.iter().any(|other| other.id == *id) || earlier.iter().any(|other| other.id == *id);
            !is_held(run)
                && !run.after.iter().any(is_after)
                && !going.iter().any(|other| meets(other.footprint))
                && !earlier.iter().any(|other| !is_held(other) && meets(&other.footprint))
        };
        let index = self.waiting.iter().enumerate().position(is_free)?;
        Some(self.waiting.remove(index))
    }

    /// When a run that is held back may begin.
    pub(crate) fn next_deadline(&self, now: Moment) -> Option<Moment> {
        self.waiting.iter().filter_map(|run| run.not_before).filter(|&at| at > now).min()
    }

    /// Drops all that wait.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// All that wait.
    pub(crate) fn waiting(&self) -> &[WaitingRun] {
        &self.waiting
    }
}
