//! No accepted change is lost, and none is kept back for longer than promised.

use super::Step;
use crate::marks::{Mark, announced};
use devloop_core::effect::Effect;
use devloop_core::fact::{Fact, TouchKind};
use devloop_core::moment::Moment;
use devloop_core::names::WorkflowName;
use devloop_core::notice::Notice;
use devloop_core::plan::Plan;
use devloop_core::view::Phase;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What timers and settling may add to the longest wait.
const SLACK: Duration = Duration::from_millis(10);
/// A writer that has not closed its file is waited for as if `debounce` were at least this.
const WRITER_MIN: Duration = Duration::from_millis(20);

pub(crate) struct Changes {
    /// All plans of the session, the newest last.
    plans: Vec<Arc<Plan>>,
    late: Duration,
    /// Paths whose writer has not closed them.
    open: BTreeSet<Arc<str>>,
    /// When a path was last known to be open while something waited: until then writers are waited for.
    open_at: Option<Moment>,
    /// Changes that no run knows yet, and since when.
    pending: BTreeMap<(WorkflowName, Arc<str>), Moment>,
    /// Changes that the going run of a workflow knows; a cancelled run gives them back.
    carried: BTreeMap<WorkflowName, BTreeSet<Arc<str>>>,
    /// All that ever changed.
    touched: BTreeSet<Arc<str>>,
    /// When the session was ready to run something.
    live_at: Option<Moment>,
    is_over: bool,
}

impl Changes {
    pub(crate) fn new(plan: &Arc<Plan>, late: Duration) -> Self {
        Self {
            plans: vec![Arc::clone(plan)],
            late,
            open: BTreeSet::new(),
            open_at: None,
            pending: BTreeMap::new(),
            carried: BTreeMap::new(),
            touched: BTreeSet::new(),
            live_at: None,
            is_over: false,
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn rest(&self) -> Result<(), String> {
        match self.pending.first_key_value() {
            Some(((workflow, path), at)) => Err(format!("{workflow} never ran for '{path}', which changed at {at}")),
            None => Ok(()),
        }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        if self.is_over || step.after.phase > Phase::Running {
            self.is_over = true;
            self.pending.clear();
            return Ok(());
        }
        let plan = Arc::clone(&self.plans[self.plans.len() - 1]);
        if let Fact::PathsTouched(touches) = step.fact {
            for touch in touches {
                self.touched.insert(Arc::clone(&touch.path));
                let is_watched = plan.watches.values().any(|watch| watch.matches(&touch.path));
                if touch.kind != TouchKind::Writing {
                    self.open.remove(&touch.path);
                } else if is_watched {
                    self.open.insert(Arc::clone(&touch.path));
                    self.open_at = Some(step.now);
                }
                for watch in plan.watches.values().filter(|watch| watch.matches(&touch.path)) {
                    self.pending.entry((watch.workflow.clone(), Arc::clone(&touch.path))).or_insert(step.now);
                }
            }
        }
        for effect in step.effects {
            self.effect(step.now, effect);
        }
        self.strangers(step)?;
        if step.after.phase >= Phase::Startup {
            self.live_at.get_or_insert(step.now);
        }
        self.kept_back(step)
    }

    fn effect(&mut self, now: Moment, effect: &Effect) {
        if let Some((workflow, Mark::Began, text)) = announced(effect) {
            let mut words = text.splitn(4, ' ');
            let (_, _, wanted) = (words.next(), words.next(), words.next());
            let files = words.next().unwrap_or("");
            if wanted == Some(workflow.as_str()) {
                self.began(workflow, files);
            }
        }
        if let Effect::ApplyPlan(plan) = effect {
            self.plans.push(Arc::clone(plan));
        }
        let Effect::Report(notice) = effect else { return };
        match notice {
            Notice::WorkflowCancelled { workflow } => {
                for path in self.carried.remove(workflow).unwrap_or_default() {
                    self.pending.entry((workflow.clone(), path)).or_insert(now);
                }
            }
            Notice::WorkflowSkipped { workflow } => self.pending.retain(|(name, _), _| name != workflow),
            Notice::WorkflowFinished { workflow, .. } | Notice::WorkflowFailed { workflow, .. } => {
                self.carried.remove(workflow);
            }
            _ => {}
        }
    }

    fn began(&mut self, workflow: &WorkflowName, files: &str) {
        let carried = self.carried.entry(workflow.clone()).or_default();
        self.pending.retain(|(name, path), _| {
            let is_told = name == workflow && files.contains(&format!("\"{path}\""));
            if is_told {
                carried.insert(Arc::clone(path));
            }
            !is_told
        });
    }

    /// A run is told only of what changed and matters to its workflow.
    fn strangers(&self, step: &Step<'_>) -> Result<(), String> {
        for run in step.after.runs.iter().chain(&step.after.waiting) {
            for path in &run.changed_files {
                let mut watches = self.plans.iter().flat_map(|plan| plan.watches.values());
                let matters = watches.any(|watch| watch.workflow == run.workflow && watch.matches(path));
                if !matters || !self.touched.contains(path) {
                    return Err(format!("{} is told of '{path}', which is not its own", run.workflow));
                }
            }
        }
        Ok(())
    }

    fn kept_back(&self, step: &Step<'_>) -> Result<(), String> {
        let Some(live_at) = self.live_at else { return Ok(()) };
        let debounce = self.plans.iter().map(|plan| plan.debounce).max().unwrap_or_default();
        for ((workflow, path), at) in &self.pending {
            // A file that is still being written is waited for, and what else changed in its burst waits with it.
            let is_held_by_writer = !self.open.is_empty() || self.open_at.is_some_and(|open_at| open_at >= *at);
            let longest = if is_held_by_writer { debounce.max(WRITER_MIN) } else { debounce };
            if step.now.since(live_at.max(*at)) <= longest * 10 + self.late + SLACK {
                continue;
            }
            let mut runs = step.after.runs.iter().chain(&step.after.waiting);
            if !runs.any(|run| run.workflow == *workflow && run.changed_files.contains(path)) {
                return Err(format!("'{path}' changed at {at}, and {workflow} is not even waiting for its turn"));
            }
        }
        Ok(())
    }
}
