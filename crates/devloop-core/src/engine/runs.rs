//! The set of workflow runs: who is wanted, who waits, who is going, who is on the way out.

mod admission;
mod cancel;
mod memory;
mod progress;
mod steps;

use self::admission::{Admission, Going, WaitingRun};
use self::cancel::{Leaving, Why};
use self::memory::Memory;
use self::progress::{Flow, Outcome};
pub(crate) use self::steps::Reach;
use super::batch::{Batch, Files, merge_files};
use super::hooks::Hooks;
use super::processes::Processes;
use super::turn::Turn;
use crate::moment::Moment;
use crate::names::{RunId, WorkflowName};
use crate::notice::Notice;
use crate::plan::Plan;
use crate::plan::footprint::Footprint;
use crate::plan::workflow::OnBusy;
use crate::view::RunView;
use std::collections::BTreeSet;
use std::sync::Arc;

/// All runs.
#[derive(Default)]
pub(crate) struct Runs {
    admission: Admission,
    /// In the order in which they began.
    going: Vec<Run>,
    /// Runs that the session begins with and that are not over.
    startup: BTreeSet<RunId>,
}

/// A run that is going.
struct Run {
    id: RunId,
    workflow: WorkflowName,
    began: Moment,
    footprint: Arc<Footprint>,
    memory: Memory,
    stage: Stage,
}

enum Stage {
    /// Its steps go on.
    Going(Flow),
    /// It ends before its last step.
    Leaving(Leaving),
    /// It came to its end.
    Over,
}

impl Runs {
    /// Wants the startup workflows, one after the other in their order.
    pub(crate) fn want_startup(&mut self, reach: &mut Reach<'_>) {
        let mut after = Vec::new();
        for workflow in &reach.plan.startup_workflows.clone() {
            after.extend(self.want(workflow, Files::new(), &after, reach));
        }
        self.startup.extend(after);
    }

    /// Wants the workflows of a batch, one after the other in name order.
    pub(crate) fn want_batch(&mut self, batch: Batch, reach: &mut Reach<'_>) {
        let mut after = Vec::new();
        for (workflow, files) in batch {
            after.extend(self.want(&workflow, files, &after, reach));
        }
    }

    /// Wants a workflow. Gives the run that will do it; none when it is dropped.
    pub(crate) fn want(
        &mut self,
        workflow: &WorkflowName,
        mut files: Files,
        after: &[RunId],
        reach: &mut Reach<'_>,
    ) -> Option<RunId> {
        let on_busy = reach.plan.workflows.get(workflow)?.on_busy;
        reach.turn.stir();
        if let Some(waiting) = self.admission.merge(workflow, &mut files) {
            return Some(waiting);
        }
        let is_busy = |run: &&mut Run| run.workflow == *workflow && matches!(run.stage, Stage::Going(_));
        match (self.going.iter_mut().find(is_busy), on_busy) {
            (Some(_), OnBusy::Skip) => {
                reach.turn.report(Notice::WorkflowSkipped { workflow: workflow.clone() });
                return None;
            }
            (Some(run), OnBusy::Restart) => {
                merge_files(&mut files, run.memory.files().iter().cloned().collect());
                run.cancel(reach.turn, reach.hooks);
                reach.turn.report(Notice::WorkflowCancelled { workflow: workflow.clone() });
            }
            (Some(_), OnBusy::Queue) | (None, OnBusy::Queue | OnBusy::Restart | OnBusy::Skip) => {}
        }
        Some(self.admission.wait(reach.plan, workflow, files, after))
    }

    /// Moves every run as far as it can, and begins those that may.
    pub(crate) fn advance(&mut self, reach: &mut Reach<'_>) {
        while let Some(waiting) = self.next_to_begin(reach.plan) {
            self.begin(waiting, reach);
        }
        for run in &mut self.going {
            run.advance(reach);
        }
        let over: Vec<Run> = self.going.extract_if(.., |run| run.is_over(reach.hooks)).collect();
        for run in over {
            self.startup.remove(&run.id);
            reach.turn.stir();
            if let Stage::Leaving(leaving) = run.stage {
                leaving.tell(reach.turn, run.workflow);
            }
        }
    }

    fn next_to_begin(&mut self, plan: &Plan) -> Option<WaitingRun> {
        if self.admission.waiting().is_empty() {
            return None;
        }
        let going: Vec<Going<'_>> =
            self.going.iter().map(|run| Going { id: run.id, footprint: &run.footprint }).collect();
        self.admission.next(plan, &going)
    }

    fn begin(&mut self, waiting: WaitingRun, reach: &mut Reach<'_>) {
        let WaitingRun { id, workflow, files, footprint, .. } = waiting;
        let mut memory = Memory::new(files.into_iter().collect());
        reach.turn.stir();
        if let Some(flow) = Flow::begin(&workflow, false, &mut memory, reach) {
            let (began, stage) = (reach.turn.now, Stage::Going(flow));
            self.going.push(Run { id, workflow, began, footprint, memory, stage });
        }
    }

    /// The session ends: what waits is dropped, what is going is cancelled.
    pub(crate) fn drain(&mut self, turn: &mut Turn, hooks: &mut Hooks) {
        self.admission.clear();
        self.startup.clear();
        for run in &mut self.going {
            run.cancel(turn, hooks);
        }
    }

    /// Whether the runs that the session begins with are over.
    pub(crate) fn are_startup_over(&self) -> bool {
        self.startup.is_empty()
    }

    /// When a run goes on, or fails, whatever else happens.
    pub(crate) fn next_deadline(&self, processes: &Processes) -> Option<Moment> {
        let deadline = |run: &Run| match &run.stage {
            Stage::Going(flow) => flow.next_deadline(processes),
            Stage::Leaving(_) | Stage::Over => None,
        };
        self.going.iter().filter_map(deadline).min()
    }

    /// Pictures of those that are going, and of those that wait.
    pub(crate) fn view(&self) -> (Vec<RunView>, Vec<RunView>) {
        let going = self.going.iter().map(|run| RunView {
            run: run.id,
            workflow: run.workflow.clone(),
            changed_files: run.memory.files().to_vec(),
            is_cancelled: matches!(&run.stage, Stage::Leaving(leaving) if leaving.is_cancelled()),
        });
        let waiting = self.admission.waiting().iter().map(|run| RunView {
            run: run.id,
            workflow: run.workflow.clone(),
            changed_files: run.files.iter().cloned().collect(),
            is_cancelled: false,
        });
        (going.collect(), waiting.collect())
    }
}

impl Run {
    fn advance(&mut self, reach: &mut Reach<'_>) {
        let Stage::Going(flow) = &mut self.stage else { return };
        match flow.advance(&mut self.memory, reach) {
            Outcome::Pending => {}
            Outcome::Done => {
                let took = reach.turn.now.since(self.began);
                reach.turn.report(Notice::WorkflowFinished { workflow: self.workflow.clone(), took });
                self.stage = Stage::Over;
            }
            Outcome::Failed(failed) => {
                let leaving = Leaving::begin(flow, Why::Failed(failed), reach.turn, reach.hooks);
                self.stage = Stage::Leaving(leaving);
            }
        }
    }

    /// Cancels a run, if it is going.
    fn cancel(&mut self, turn: &mut Turn, hooks: &mut Hooks) {
        if let Stage::Going(flow) = &self.stage {
            self.stage = Stage::Leaving(Leaving::begin(flow, Why::Cancelled, turn, hooks));
        }
    }

    fn is_over(&self, hooks: &Hooks) -> bool {
        match &self.stage {
            Stage::Going(_) => false,
            Stage::Leaving(leaving) => leaving.is_over(hooks),
            Stage::Over => true,
        }
    }
}
