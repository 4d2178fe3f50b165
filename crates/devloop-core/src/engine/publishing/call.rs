//! One publish, from the wish to its end: how far it is, and what follows from each answer.

use super::Grip;
use super::shelf::{Lives, Named, Shelf, Switch};
use crate::effect::{ArtifactOrder, Errand};
use crate::engine::hooks::Hooks;
use crate::engine::processes::{Look, Processes};
use crate::engine::runs::Chain;
use crate::engine::turn::Turn;
use crate::fact::ArtifactAnswer;
use crate::moment::Moment;
use crate::names::{ArtifactName, Generation, ProcessName, StateVersion, TaskId};
use crate::notice::{ArtifactNews, PublishFailure, Restored, StepFailure};
use crate::plan::artifact::ArtifactPlan;
use crate::plan::hook::HookPlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A publish.
pub(super) struct Call {
    pub(super) artifact: ArtifactName,
    plan: Arc<ArtifactPlan>,
    hook: Arc<HookPlan>,
    errand: Errand,
    chain: Chain,
    began: Moment,
    /// What was served before.
    before: Option<Generation>,
    pub(super) stage: Stage,
    /// Nobody takes its end.
    pub(super) is_cancelled: bool,
}

/// How far a publish is.
pub(super) enum Stage {
    /// What is on disk is not known yet.
    Wanted,
    /// An empty folder is made.
    Preparing(TaskId),
    /// The hook runs.
    Building(Generation, TaskId),
    /// What was built goes into its place.
    Installing(Generation, TaskId),
    /// The state names it, and is on its way to the disk.
    Switching(Generation, StateVersion),
    /// Consumers restart and answer.
    Verifying(Generation, Vec<Wait>),
    /// All have answered; the state says so, and is on its way to the disk.
    Committing(Generation, StateVersion),
    /// Consumers go back.
    Restoring(Back),
    /// What is not needed any more is removed; then it ends so.
    Clearing(Result<(), PublishFailure>),
    /// It is over; the end was not taken yet.
    Over(Result<(), StepFailure>),
}

/// A consumer whose answer is awaited.
pub(super) struct Wait {
    process: ProcessName,
    falls: u64,
    begun: Moment,
}

/// The way back to what was served before.
pub(super) struct Back {
    generation: Generation,
    cause: StepFailure,
    waits: Vec<Wait>,
    /// Lives that are to go, where there is nothing to go back to.
    lives: Lives,
}

impl Call {
    pub(super) fn new(
        now: Moment,
        artifact: &ArtifactName,
        (plan, hook): (&Arc<ArtifactPlan>, &Arc<HookPlan>),
        (errand, chain): (Errand, Chain),
    ) -> Self {
        Self {
            artifact: artifact.clone(),
            plan: Arc::clone(plan),
            hook: Arc::clone(hook),
            errand,
            chain,
            began: now,
            before: None,
            stage: Stage::Wanted,
            is_cancelled: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Whether all that is left of it is what its shelf removes.
    pub(super) fn is_left_to_shelf(&self) -> bool {
        matches!(self.stage, Stage::Clearing(_) | Stage::Over(_))
    }

    /// Nobody wants it: a build is stopped now, the rest follows in [`Self::advance`].
    pub(super) fn cancel(&mut self, turn: &mut Turn, hooks: &mut Hooks) {
        if !std::mem::replace(&mut self.is_cancelled, true)
            && let Stage::Building(_, task) = self.stage
        {
            hooks.cancel(turn, task);
        }
    }

    /// Goes one stage on, if it can.
    pub(super) fn advance(
        &mut self,
        id: TaskId,
        shelf: &mut Shelf,
        answers: &mut BTreeMap<TaskId, ArtifactAnswer>,
        grip: &mut Grip<'_>,
    ) -> bool {
        let next = match &mut self.stage {
            Stage::Wanted if self.is_cancelled => Some(Stage::Clearing(Ok(()))),
            Stage::Wanted => shelf.is_known().then(|| Stage::Preparing(shelf.ask(grip.turn, ArtifactOrder::Prepare))),
            Stage::Preparing(task) => answers.remove(task).map(|answer| self.prepared(id, shelf, answer, grip)),
            &mut Stage::Building(generation, task) => self.built(id, shelf, (generation, task), grip),
            Stage::Installing(generation, task) => {
                let generation = *generation;
                answers.remove(task).map(|answer| self.installed(id, shelf, (generation, answer), grip))
            }
            &mut Stage::Switching(generation, needs) => self.switched(id, shelf, (generation, needs), grip),
            Stage::Verifying(generation, waits) => {
                let generation = *generation;
                let end = look(waits, grip);
                self.verified(id, shelf, (generation, end), grip)
            }
            &mut Stage::Committing(generation, needs) => self.committed(id, shelf, (generation, needs), grip),
            Stage::Restoring(back) => {
                if self.is_cancelled {
                    Some(Stage::Clearing(Ok(())))
                } else {
                    restored(back, self.before, grip).map(|failure| Stage::Clearing(Err(failure)))
                }
            }
            Stage::Clearing(end) if !shelf.is_clearing(grip.turn, id) => {
                let artifact = self.artifact.clone();
                let end = std::mem::replace(end, Ok(()));
                Some(Stage::Over(end.map_err(|failure| StepFailure::NotPublished { artifact, failure })))
            }
            Stage::Clearing(_) | Stage::Over(_) => None,
        };
        let is_moved = next.is_some();
        if let Some(next) = next {
            self.stage = next;
        }
        is_moved
    }

    /// It is cancelled before anybody could see what it makes.
    fn dropped(id: TaskId, shelf: &mut Shelf, generation: Generation, end: Result<(), PublishFailure>) -> Stage {
        shelf.doom(Some(id), vec![generation], Vec::new(), None);
        Stage::Clearing(end)
    }

    fn prepared(&self, id: TaskId, shelf: &mut Shelf, answer: ArtifactAnswer, grip: &mut Grip<'_>) -> Stage {
        match answer {
            ArtifactAnswer::Prepared(generation) if self.is_cancelled => Self::dropped(id, shelf, generation, Ok(())),
            ArtifactAnswer::Prepared(generation) => {
                let candidate = Some((self.artifact.clone(), generation));
                let errand = Errand { candidate, ..self.errand.clone() };
                let task = grip.hooks.want(grip.turn, &self.plan.build_hook, &self.hook, errand);
                grip.lineage.hook_wanted(task, &self.chain);
                Stage::Building(generation, task)
            }
            other @ (ArtifactAnswer::Found(_)
            | ArtifactAnswer::Installed(_)
            | ArtifactAnswer::Removed
            | ArtifactAnswer::Failed(_)) => Stage::Clearing(Err(PublishFailure::NotPrepared(words(other)))),
        }
    }

    fn built(
        &self,
        id: TaskId,
        shelf: &mut Shelf,
        (generation, task): (Generation, TaskId),
        grip: &mut Grip<'_>,
    ) -> Option<Stage> {
        if self.is_cancelled {
            return grip.hooks.is_over(task).then(|| Self::dropped(id, shelf, generation, Ok(())));
        }
        Some(match grip.hooks.take(grip.turn, task)? {
            Ok(_) => Stage::Installing(generation, shelf.ask(grip.turn, ArtifactOrder::Install(generation))),
            Err(cause) => Self::dropped(id, shelf, generation, Err(PublishFailure::NotBuilt(Box::new(cause)))),
        })
    }

    fn installed(
        &mut self,
        id: TaskId,
        shelf: &mut Shelf,
        (generation, answer): (Generation, ArtifactAnswer),
        grip: &mut Grip<'_>,
    ) -> Stage {
        match answer {
            ArtifactAnswer::Installed(found) => {
                shelf.installed(grip.turn, generation, &found);
                if self.is_cancelled {
                    return Self::dropped(id, shelf, generation, Ok(()));
                }
                self.before = shelf.served;
                let needs = shelf.serve(grip.turn, Some(generation), Switch::From(self.before));
                Stage::Switching(generation, needs.unwrap_or_default())
            }
            other @ (ArtifactAnswer::Found(_)
            | ArtifactAnswer::Prepared(_)
            | ArtifactAnswer::Removed
            | ArtifactAnswer::Failed(_)) => {
                Self::dropped(id, shelf, generation, Err(PublishFailure::NotInstalled(words(other))))
            }
        }
    }

    fn switched(
        &self,
        id: TaskId,
        shelf: &mut Shelf,
        (generation, needs): (Generation, StateVersion),
        grip: &mut Grip<'_>,
    ) -> Option<Stage> {
        let is_durable = grip.turn.session.is_durable(needs);
        if !self.is_cancelled && is_durable? {
            shelf.tell_children(grip.turn, Some(generation));
            return Some(Stage::Verifying(generation, self.restart(grip)));
        }
        let failure = PublishFailure::NotSaved(grip.turn.session.last_error());
        let end = if self.is_cancelled { Ok(()) } else { Err(failure) };
        // Where the disk is full, it is this very generation that fills it.
        let until = shelf.serve(grip.turn, self.before, Switch::Verified);
        let named = until.map(|until| Named { from: needs, until });
        shelf.doom(Some(id), vec![generation], Vec::new(), named);
        Some(Stage::Clearing(end))
    }

    fn verified(
        &self,
        id: TaskId,
        shelf: &mut Shelf,
        (generation, end): (Generation, Option<Result<(), StepFailure>>),
        grip: &mut Grip<'_>,
    ) -> Option<Stage> {
        if self.is_cancelled {
            self.go_back(id, shelf, generation, grip);
            return Some(Stage::Clearing(Ok(())));
        }
        Some(match end? {
            Ok(()) => {
                let needs = shelf.serve(grip.turn, Some(generation), Switch::Verified);
                Stage::Committing(generation, needs.unwrap_or_default())
            }
            Err(cause) => {
                let (waits, lives) = self.go_back(id, shelf, generation, grip);
                Stage::Restoring(Back { generation, cause, waits, lives })
            }
        })
    }

    /// The point of no return: what all consumers answered with stays, whoever cancels, if only it can be saved.
    fn committed(
        &self,
        id: TaskId,
        shelf: &mut Shelf,
        (generation, needs): (Generation, StateVersion),
        grip: &mut Grip<'_>,
    ) -> Option<Stage> {
        Some(if grip.turn.session.is_durable(needs)? {
            shelf.verified(generation, self.plan.retain);
            let took = grip.turn.now.since(self.began);
            shelf.tell(grip.turn, ArtifactNews::Published { generation, took });
            Stage::Clearing(Ok(()))
        } else {
            let error = grip.turn.session.last_error();
            self.go_back(id, shelf, generation, grip);
            Stage::Clearing(Err(PublishFailure::NotSaved(error)))
        })
    }

    /// Serves what was served before: in one step the state says so and the consumers restart, or stop where there was
    /// nothing. What they were told of goes when the state is durable and their lives are gone.
    fn go_back(
        &self,
        id: TaskId,
        shelf: &mut Shelf,
        generation: Generation,
        grip: &mut Grip<'_>,
    ) -> (Vec<Wait>, Lives) {
        let until = shelf.serve(grip.turn, self.before, Switch::Verified);
        shelf.tell_children(grip.turn, self.before);
        let lives = self.lives(grip.processes);
        let named = until.map(|until| Named { until, ..Named::default() });
        shelf.doom(Some(id), vec![generation], lives.clone(), named);
        if grip.processes.is_draining() {
            // All processes end, each in its turn.
            return (Vec::new(), lives);
        }
        if self.before.is_some() {
            return (self.restart(grip), lives);
        }
        for consumer in &self.plan.consumers {
            grip.processes.want_stop(grip.turn, consumer);
        }
        (Vec::new(), lives)
    }

    fn lives(&self, processes: &Processes) -> Lives {
        self.plan.consumers.iter().map(|name| (name.clone(), processes.newest_life(name))).collect()
    }

    /// Restarts all consumers at the same time; one that does not run is started.
    fn restart(&self, grip: &mut Grip<'_>) -> Vec<Wait> {
        let begun = grip.turn.now;
        let restart = |process: &ProcessName| {
            if let Some(life) = grip.processes.life_to_restart(process) {
                grip.lineage.life_wanted(process, life, &self.chain);
            }
            let falls = grip.processes.want_restart(grip.turn, process);
            // It has just been wished up, so there is something to wait for.
            let falls = grip.processes.want_ready(process, begun).unwrap_or(falls);
            Wait { process: process.clone(), falls, begun }
        };
        self.plan.consumers.iter().map(restart).collect()
    }

    /// When a consumer has had its time.
    pub(super) fn next_deadline(&self, processes: &Processes) -> Option<Moment> {
        let waits = match &self.stage {
            Stage::Verifying(_, waits) => waits,
            Stage::Restoring(back) => &back.waits,
            Stage::Wanted
            | Stage::Preparing(_)
            | Stage::Building(..)
            | Stage::Installing(..)
            | Stage::Switching(..)
            | Stage::Committing(..)
            | Stage::Clearing(_)
            | Stage::Over(_) => return None,
        };
        waits.iter().filter_map(|wait| processes.ready_deadline(&wait.process, wait.begun)).min()
    }
}

/// Whether all consumers answer: none as long as one may.
fn look(waits: &[Wait], grip: &Grip<'_>) -> Option<Result<(), StepFailure>> {
    let mut are_all_there = true;
    for wait in waits {
        match grip.processes.look_ready(&wait.process, wait.falls, wait.begun, grip.turn.now) {
            Look::There => {}
            Look::NotYet => are_all_there = false,
            Look::Failed(failure) => return Some(Err(failure)),
        }
    }
    are_all_there.then_some(Ok(()))
}

/// Why a publish failed, when it is known how the way back ended.
fn restored(back: &Back, before: Option<Generation>, grip: &Grip<'_>) -> Option<PublishFailure> {
    let restored = match (before, look(&back.waits, grip)?) {
        (Some(before), Ok(())) => Restored::Served(before),
        (Some(before), Err(cause)) => Restored::Unwell(before, Box::new(cause)),
        (None, _) if !back.lives.iter().all(|(name, life)| grip.processes.is_gone(name, *life)) => return None,
        (None, _) => Restored::Nothing,
    };
    let cause = Box::new(back.cause.clone());
    Some(PublishFailure::Rejected { generation: back.generation, cause, restored })
}

fn words(answer: ArtifactAnswer) -> String {
    match answer {
        ArtifactAnswer::Failed(error) => error,
        ArtifactAnswer::Found(_)
        | ArtifactAnswer::Prepared(_)
        | ArtifactAnswer::Installed(_)
        | ArtifactAnswer::Removed => "it was answered out of its turn".to_owned(),
    }
}
