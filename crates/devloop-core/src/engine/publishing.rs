//! Artifacts: built beside what is served, switched to, verified, and taken back when a consumer does not answer with
//! the new generation.
//!
//! The order is the promise: what was built is durable before the state names it, the state is durable before a
//! consumer restarts, and nothing is removed before a durable state no longer names it and no life serves it.
//! Absent on purpose: paths from the state. What is read back are generations, which cannot name another folder.

mod call;
mod shelf;

use self::call::{Call, Stage};
use self::shelf::Shelf;
use super::hooks::Hooks;
use super::processes::Processes;
use super::runs::{Chain, Lineage};
use super::turn::Turn;
use crate::effect::Errand;
use crate::fact::ArtifactAnswer;
use crate::moment::Moment;
use crate::names::{ArtifactName, TaskId};
use crate::notice::StepFailure;
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of a session waits for the disk.
const DISK_MAX: Duration = Duration::from_secs(10);

/// All artifacts, and all publishes whose ends were not taken.
#[derive(Default)]
pub(crate) struct Publishing {
    shelves: BTreeMap<ArtifactName, Shelf>,
    calls: BTreeMap<TaskId, Call>,
    /// Answers that nobody has looked at.
    answers: BTreeMap<TaskId, ArtifactAnswer>,
    /// The session ends: the disk has until then.
    left_at: Option<Moment>,
}

/// What a publish touches beside its own room.
pub(crate) struct Grip<'a> {
    pub(crate) turn: &'a mut Turn,
    pub(crate) processes: &'a mut Processes,
    pub(crate) hooks: &'a mut Hooks,
    pub(crate) lineage: &'a mut Lineage,
}

impl Publishing {
    /// Looks what earlier sessions left of each artifact that was not looked at yet.
    pub(crate) fn recover(&mut self, turn: &mut Turn, plan: &Plan) {
        for artifact in plan.artifacts.keys() {
            self.shelf(turn, plan, artifact);
        }
    }

    fn shelf(&mut self, turn: &mut Turn, plan: &Plan, artifact: &ArtifactName) {
        if !self.shelves.contains_key(artifact) {
            self.shelves.insert(artifact.clone(), Shelf::new(turn, artifact, &plan.state_file));
        }
    }

    /// Whether every switch that nobody verified is undone: before, no process may start.
    pub(crate) fn is_recovered(&self) -> bool {
        self.shelves.values().all(Shelf::is_known)
    }

    /// Wants an artifact to be published.
    pub(crate) fn want(
        &mut self,
        turn: &mut Turn,
        plan: &Plan,
        artifact: &ArtifactName,
        (errand, chain): (Errand, &Chain),
    ) -> Option<TaskId> {
        let own = plan.artifacts.get(artifact)?;
        let hook = plan.hooks.get(&own.build_hook)?;
        self.shelf(turn, plan, artifact);
        let id = turn.new_task();
        let call = Call::new(turn.now, artifact, (own, hook), (errand, Arc::clone(chain)));
        self.calls.insert(id, call);
        turn.stir();
        Some(id)
    }

    /// File work is over.
    pub(crate) fn answered(&mut self, turn: &mut Turn, task: TaskId, answer: ArtifactAnswer) {
        self.answers.insert(task, answer);
        turn.stir();
        for shelf in self.shelves.values_mut() {
            shelf.look_for(turn, &mut self.answers);
        }
    }

    /// Takes the end of a publish, if there is one.
    pub(crate) fn take(&mut self, id: TaskId) -> Option<Result<(), StepFailure>> {
        if !self.calls.get(&id).is_some_and(Call::is_over) {
            return None;
        }
        let Stage::Over(end) = self.calls.remove(&id)?.stage else { return None };
        Some(end)
    }

    /// Nobody wants a publish any more: nothing of it is left when it is over.
    pub(crate) fn cancel(&mut self, turn: &mut Turn, hooks: &mut Hooks, id: TaskId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.cancel(turn, hooks);
            turn.stir();
        }
    }

    /// Whether a cancelled publish is over.
    pub(crate) fn is_over(&self, id: TaskId) -> bool {
        !self.calls.contains_key(&id)
    }

    /// Goes as far as it can.
    pub(crate) fn advance(&mut self, grip: &mut Grip<'_>) {
        for (&id, call) in &mut self.calls {
            if let Some(shelf) = self.shelves.get_mut(&call.artifact) {
                while call.advance(id, shelf, &mut self.answers, grip) {
                    grip.turn.stir();
                }
            }
        }
        self.calls.retain(|_, call| !(call.is_cancelled && call.is_over()));
        for shelf in self.shelves.values_mut() {
            shelf.clear_out(grip.turn, grip.processes);
        }
    }

    /// The session ends: the disk has its time, and no more.
    pub(crate) fn drain(&mut self, turn: &mut Turn) {
        self.left_at = Some(turn.now + DISK_MAX);
    }

    /// Waits for nothing any more.
    pub(crate) fn kill_all(&mut self, turn: &mut Turn) {
        self.left_at = Some(turn.now);
        turn.stir();
    }

    /// Whether nothing is left that is worth waiting for, when no process is.
    pub(crate) fn are_over(&self, turn: &Turn) -> bool {
        self.left_at.is_some_and(|at| at <= turn.now)
            || (self.calls.values().all(Call::is_left_to_shelf) && self.shelves.values().all(|s| s.is_left(turn)))
    }

    /// When a consumer has taken too long, or the disk.
    pub(crate) fn next_deadline(&self, now: Moment, processes: &Processes) -> Option<Moment> {
        let waits = self.calls.values().filter_map(|call| call.next_deadline(processes));
        waits.chain(self.left_at).filter(|&at| at > now).min()
    }
}
