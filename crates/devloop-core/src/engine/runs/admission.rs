//! Which wanted run begins when: footprints, order, one waiting run a workflow.

use crate::engine::batch::{Files, merge_files};
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
    pub(crate) footprint: Arc<Footprint>,
    /// The runs before it in its batch; this one begins after they are over. One of them may be older than the batch
    /// and end first, so the nearest would not do.
    after: Vec<RunId>,
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
    last_id: RunId,
}

impl Admission {
    /// Adds files to the waiting run of a workflow, if there is one.
    pub(crate) fn merge(&mut self, workflow: &WorkflowName, files: &mut Files) -> Option<RunId> {
        let run = self.waiting.iter_mut().find(|run| run.workflow == *workflow)?;
        merge_files(&mut run.files, std::mem::take(files));
        Some(run.id)
    }

    /// A new run waits. An edge always leads to an earlier run, so there is no cycle.
    pub(crate) fn wait(&mut self, plan: &Plan, workflow: &WorkflowName, files: Files, after: &[RunId]) -> RunId {
        self.last_id = self.last_id.next();
        let footprint =
            self.footprints.entry(workflow.clone()).or_insert_with(|| Arc::new(Footprint::of(plan, workflow)));
        let footprint = Arc::clone(footprint);
        let after = after.to_vec();
        self.waiting.push(WaitingRun { id: self.last_id, workflow: workflow.clone(), files, footprint, after });
        self.last_id
    }

    /// Takes the first run that may begin beside those that are going.
    pub(crate) fn next(&mut self, plan: &Plan, going: &[Going<'_>]) -> Option<WaitingRun> {
        let is_free = |(index, run): (usize, &WaitingRun)| {
            let earlier = &self.waiting[..index];
            let meets = |other: &Footprint| !plan.concurrent || run.footprint.conflicts_with(other);
            let is_after =
                |id: &RunId| going.iter().any(|other| other.id == *id) || earlier.iter().any(|other| other.id == *id);
            !run.after.iter().any(is_after)
                && !going.iter().any(|other| meets(other.footprint))
                && !earlier.iter().any(|other| meets(&other.footprint))
        };
        let index = self.waiting.iter().enumerate().position(is_free)?;
        Some(self.waiting.remove(index))
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
