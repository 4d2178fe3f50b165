//! The set of workflow runs: who is wanted, who waits, who is going, who is on the way out.

mod admission;
mod cancel;
mod feedback;
mod lineage;
mod memory;
mod progress;
mod steps;

use self::admission::{Admission, Going, WaitingRun, Want};
use self::cancel::{Leaving, Why};
pub use self::feedback::{FEEDBACK_HOLD, FEEDBACK_RUNS, FEEDBACK_RUNS_LONG};
use self::feedback::{Feedback, HURRY};
use self::lineage::Origin;
pub(crate) use self::lineage::{Chain, Lineage};
pub use self::lineage::{LOOP_GAP, LOOP_RUNS_MAX, LOOP_WITHIN};
use self::memory::Memory;
use self::progress::{Flow, Outcome};
pub(crate) use self::steps::Reach;
use super::batch::{Batch, merge_files};
use super::changes::Workflows;
use super::hooks::Hooks;
use super::intake::Accepted;
use super::processes::Processes;
use super::publishing::Publishing;
use super::turn::Turn;
use crate::moment::Moment;
use crate::names::{RunId, StateKey, WorkflowName};
use crate::notice::Notice;
use crate::plan::Plan;
use crate::plan::footprint::{Footprint, Resource};
use crate::plan::workflow::OnBusy;
use crate::value::Value;
use crate::view::RunView;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All runs.
#[derive(Default)]
pub(crate) struct Runs {
    admission: Admission,
    feedback: Feedback,
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
    /// What it began with; it ends with it, whatever the config says by then.
    plan: Arc<Plan>,
    memory: Memory,
    origin: Origin,
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
            let want = Want { after: after.clone(), ..Want::default() };
            after.extend(self.want(workflow, want, reach));
        }
        self.startup.extend(after);
    }

    /// Files changed that matter to these workflows. They are released later.
    pub(crate) fn files_changed(&mut self, now: Moment, workflows: &Workflows<'_>) {
        for workflow in workflows {
            let is_going = self.going.iter().any(|run| run.workflow == **workflow);
            if self.feedback.changed(now, workflow, is_going) {
                self.admission.hurry(workflow, now + HURRY);
                // Somebody is at work: nothing that is held back has to wait for their next change.
                if self.going.is_empty() {
                    self.admission.hurry_others(workflow, now);
                }
            }
        }
    }

    /// Wants the workflows of a batch, one after the other in name order. `under`: the plan whose groups it came from,
    /// when that is not the newest.
    pub(crate) fn want_batch(&mut self, batch: Batch, under: Option<&Arc<Plan>>, reach: &mut Reach<'_>) {
        let mut after = Vec::new();
        for (workflow, files) in batch {
            let is_own_doing = self.feedback.released(&workflow);
            let is_held = is_own_doing && !reach.plan.debounce.is_zero();
            let not_before = is_held.then(|| self.feedback.not_before(&workflow, reach.turn.now)).flatten();
            let origin = Origin { is_own_doing, ..Origin::default() };
            let want = Want { files, origin, after: after.clone(), not_before, under: under.cloned() };
            let run = self.want(&workflow, want, reach);
            // Nothing waits for a run that is held back.
            after.extend(run.filter(|_| not_before.is_none()));
        }
    }

    /// Wants a workflow because of an observed hook.
    pub(crate) fn want_observed(&mut self, workflow: &WorkflowName, reach: &mut Reach<'_>) {
        self.want(workflow, Want::default(), reach);
    }

    /// Wants a workflow because somebody typed it.
    pub(crate) fn want_typed(&mut self, workflow: &WorkflowName, reach: &mut Reach<'_>) {
        self.want(workflow, Want::default(), reach);
    }

    /// Wants a workflow because of an accepted value. Gives the run that will see it.
    pub(crate) fn want_posted(
        &mut self,
        workflow: &WorkflowName,
        accepted: Accepted,
        reach: &mut Reach<'_>,
    ) -> Option<RunId> {
        let Accepted { holder, event, plan, .. } = accepted;
        let origin = Origin::of_post(reach.lineage, &holder, event, workflow);
        let not_before = origin.is_own_doing.then(|| reach.lineage.not_before(workflow, reach.turn.now)).flatten();
        self.want(workflow, Want { origin, not_before, under: Some(plan), ..Want::default() }, reach)
    }

    /// Wants a workflow. Gives the run that will do it; none when it is dropped.
    fn want(&mut self, workflow: &WorkflowName, mut want: Want, reach: &mut Reach<'_>) -> Option<RunId> {
        let plan = [Some(reach.plan), want.under.as_ref()];
        let plan = plan.into_iter().flatten().find(|plan| plan.workflows.contains_key(workflow)).cloned()?;
        let mut on_busy = plan.workflows.get(workflow)?.on_busy;
        if on_busy == OnBusy::Skip && !want.origin.events.is_empty() {
            // No event may name such a workflow, but a value may have been accepted under an earlier plan.
            on_busy = OnBusy::Queue;
        }
        reach.turn.stir();
        if self.admission.is_waiting(workflow) {
            return self.admission.merge(workflow, want);
        }
        let is_busy = |run: &&mut Run| run.workflow == *workflow && matches!(run.stage, Stage::Going(_));
        match (self.going.iter_mut().find(is_busy), on_busy) {
            (Some(_), OnBusy::Skip) => {
                reach.turn.report(Notice::WorkflowSkipped { workflow: workflow.clone() });
                return None;
            }
            (Some(run), OnBusy::Restart) => {
                merge_files(&mut want.files, run.memory.files().iter().cloned().collect());
                want.take_over(&mut run.origin);
                run.cancel(reach.turn, reach.hooks, reach.publishing);
                reach.turn.report(Notice::WorkflowCancelled { workflow: workflow.clone() });
            }
            (Some(_), OnBusy::Queue) | (None, OnBusy::Queue | OnBusy::Restart | OnBusy::Skip) => {}
        }
        Some(self.admission.wait(&plan, workflow, want))
    }

    /// Moves every run as far as it can, and begins those that may.
    pub(crate) fn advance(&mut self, reach: &mut Reach<'_>) {
        while let Some(waiting) = self.next_to_begin(reach) {
            self.begin(waiting, reach);
        }
        for run in &mut self.going {
            let plan = Arc::clone(&run.plan);
            run.advance(&mut reach.under(&plan));
        }
        let over: Vec<Run> = self.going.extract_if(.., |run| run.is_over(reach)).collect();
        for run in over {
            self.startup.remove(&run.id);
            reach.turn.stir();
            let now = reach.turn.now;
            let is_cancelled = matches!(&run.stage, Stage::Leaving(leaving) if leaving.is_cancelled());
            let took = Some(now.since(run.began)).filter(|_| !is_cancelled);
            self.feedback.ended(now, &run.workflow, took);
            if let Some(at) = self.feedback.not_before(&run.workflow, now) {
                self.admission.hold(&run.workflow, at);
            }
            if let Stage::Leaving(leaving) = run.stage {
                leaving.tell(reach.turn, run.workflow);
            }
        }
    }

    fn next_to_begin(&mut self, reach: &Reach<'_>) -> Option<WaitingRun> {
        if self.admission.waiting().is_empty() {
            return None;
        }
        let going: Vec<Going<'_>> =
            self.going.iter().map(|run| Going { id: run.id, footprint: &run.footprint }).collect();
        self.admission.next(reach.plan, &going, reach.turn.now)
    }

    fn begin(&mut self, waiting: WaitingRun, reach: &mut Reach<'_>) {
        let WaitingRun { id, workflow, files, origin, footprint, plan, .. } = waiting;
        let reach = &mut reach.under(&plan);
        let mut chain = origin.ancestors.clone();
        chain.insert(workflow.clone());
        let events = event_values(&footprint, reach);
        if let (Some(in_a_row), Some(path)) = (self.feedback.began(reach.turn.now, &workflow), files.first()) {
            let (workflow, path, is_slowed) = (workflow.clone(), Arc::clone(path), !reach.plan.debounce.is_zero());
            reach.turn.report(Notice::WorkflowFeedsItself { workflow, in_a_row, path, is_slowed });
        }
        let mut memory = Memory::new(files.into_iter().collect(), Arc::new(chain), events);
        reach.turn.stir();
        if origin.is_own_doing && !origin.events.is_empty() && reach.lineage.began(&workflow, reach.turn.now) {
            for event in origin.events.iter().cloned() {
                reach.turn.report(Notice::EventLoop { event, workflow: workflow.clone() });
            }
        }
        if let Some(flow) = Flow::begin(&workflow, false, &mut memory, reach) {
            let (began, stage) = (reach.turn.now, Stage::Going(flow));
            let plan = Arc::clone(&plan);
            self.going.push(Run { id, workflow, began, footprint, plan, memory, origin, stage });
        }
    }

    /// Another plan holds from now on, for all runs that begin.
    pub(crate) fn renew(&mut self, plan: &Arc<Plan>) {
        self.admission.renew(plan);
    }

    /// The session ends: what waits is dropped, what is going is cancelled.
    pub(crate) fn drain(&mut self, turn: &mut Turn, hooks: &mut Hooks, publishing: &mut Publishing) {
        self.admission.clear();
        self.startup.clear();
        for run in &mut self.going {
            run.cancel(turn, hooks, publishing);
        }
    }

    /// Whether the runs that the session begins with are over.
    pub(crate) fn are_startup_over(&self) -> bool {
        self.startup.is_empty()
    }

    /// When a run goes on, or fails, whatever else happens.
    pub(crate) fn next_deadline(&self, now: Moment, processes: &Processes) -> Option<Moment> {
        let deadline = |run: &Run| match &run.stage {
            Stage::Going(flow) => flow.next_deadline(processes),
            Stage::Leaving(_) | Stage::Over => None,
        };
        self.going.iter().filter_map(deadline).chain(self.admission.next_deadline(now)).min()
    }

    /// Pictures of those that are going, and of those that wait.
    pub(crate) fn view(&self) -> (Vec<RunView>, Vec<RunView>) {
        let going = self.going.iter().map(|run| RunView {
            run: run.id,
            workflow: run.workflow.clone(),
            events: run.origin.events.clone(),
            changed_files: run.memory.files().to_vec(),
            is_cancelled: matches!(&run.stage, Stage::Leaving(leaving) if leaving.is_cancelled()),
        });
        let waiting = self.admission.waiting().iter().map(|run| RunView {
            run: run.id,
            workflow: run.workflow.clone(),
            events: run.origin.events.clone(),
            changed_files: run.files.iter().cloned().collect(),
            is_cancelled: false,
        });
        (going.collect(), waiting.collect())
    }
}

/// Accepted values of the events that a run may read. A key that an output rule writes too is nobody's own, and lives.
fn event_values(footprint: &Footprint, reach: &Reach<'_>) -> BTreeMap<StateKey, Option<Value>> {
    let keys = reach.plan.events.values().map(|event| &event.state_key);
    let mut values = BTreeMap::new();
    for key in keys.filter(|key| footprint.reads.contains(&Resource::Key((*key).clone()))) {
        let is_rule_key = |process| reach.plan.rule_keys(process).any(|written| written == key);
        if !reach.plan.processes.keys().any(is_rule_key) {
            values.insert(key.clone(), reach.intake.accepted_value(reach.turn, key));
        }
    }
    values
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
                let why = Why::Failed(failed);
                let leaving = Leaving::begin(flow, why, reach.turn, reach.hooks, reach.publishing);
                self.stage = Stage::Leaving(leaving);
            }
        }
    }

    /// Cancels a run, if it is going.
    fn cancel(&mut self, turn: &mut Turn, hooks: &mut Hooks, publishing: &mut Publishing) {
        if let Stage::Going(flow) = &self.stage {
            self.stage = Stage::Leaving(Leaving::begin(flow, Why::Cancelled, turn, hooks, publishing));
        }
    }

    fn is_over(&self, reach: &Reach<'_>) -> bool {
        match &self.stage {
            Stage::Going(_) => false,
            Stage::Leaving(leaving) => leaving.is_over(reach.hooks, reach.publishing),
            Stage::Over => true,
        }
    }
}
