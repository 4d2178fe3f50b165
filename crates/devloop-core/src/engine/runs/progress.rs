//! Where a run stands in its tree of steps.
//!
//! Recursion is bounded by the depth of a validated plan.

use super::memory::Memory;
use super::steps::{self, Await, Begun, Reach};
use crate::engine::processes::{Look, Processes};
use crate::moment::Moment;
use crate::names::{TaskId, WorkflowName};
use crate::notice::{StepFailure, StepPlace};
use crate::plan::workflow::{Step, WorkflowPlan};
use std::sync::Arc;

/// A workflow that is going: its steps, then its triggers.
pub(crate) struct Flow {
    workflow: WorkflowName,
    plan: Arc<WorkflowPlan>,
    stage: Stage,
}

enum Stage {
    Steps { done: usize, current: Node },
    Triggers { done: usize, current: Option<Box<Flow>> },
}

/// A step that is going.
enum Node {
    Untouched,
    Awaiting(Await),
    Parallel(Vec<Node>),
    Inline(Box<Flow>),
    Done,
}

/// How far an advance came.
pub(crate) enum Outcome {
    /// It waits for something.
    Pending,
    /// It came to its end.
    Done,
    /// A step failed.
    Failed(Failed),
}

/// Which step failed, and why.
pub(crate) struct Failed {
    pub(crate) path: Vec<StepPlace>,
    pub(crate) failure: StepFailure,
}

impl Flow {
    /// A workflow of this run begins.
    pub(crate) fn begin(
        workflow: &WorkflowName,
        is_inline: bool,
        memory: &mut Memory,
        reach: &mut Reach<'_>,
    ) -> Option<Self> {
        let plan = Arc::clone(reach.plan.workflows.get(workflow)?);
        memory.begin(reach.turn, workflow, is_inline);
        Some(Self { workflow: workflow.clone(), plan, stage: Stage::Steps { done: 0, current: Node::Untouched } })
    }

    /// Goes as far as it can.
    pub(crate) fn advance(&mut self, memory: &mut Memory, reach: &mut Reach<'_>) -> Outcome {
        let plan = Arc::clone(&self.plan);
        while let Stage::Steps { done, current } = &mut self.stage {
            let Some(step) = plan.steps.get(*done) else {
                self.stage = Stage::Triggers { done: 0, current: None };
                break;
            };
            let mut place = Place { workflow: &self.workflow, number: vec![*done + 1] };
            match current.advance(step, &mut place, memory, reach) {
                Outcome::Done => (*done, *current) = (*done + 1, Node::Untouched),
                other @ (Outcome::Pending | Outcome::Failed(_)) => return other,
            }
        }
        self.advance_triggers(&plan, memory, reach)
    }

    fn advance_triggers(&mut self, plan: &WorkflowPlan, memory: &mut Memory, reach: &mut Reach<'_>) -> Outcome {
        let Stage::Triggers { done, current } = &mut self.stage else { return Outcome::Pending };
        while let Some(target) = plan.triggers.get(*done) {
            if current.is_none() && memory.follow(target) {
                *current = Flow::begin(target, false, memory, reach).map(Box::new);
            }
            let outcome = current.as_mut().map_or(Outcome::Done, |flow| flow.advance(memory, reach));
            match outcome {
                Outcome::Done => (*done, *current) = (*done + 1, None),
                Outcome::Pending => return Outcome::Pending,
                Outcome::Failed(failed) => {
                    let place = Place { workflow: &self.workflow, number: vec![*done + 1] };
                    return Outcome::Failed(failed.below(place.step("triggers")));
                }
            }
        }
        Outcome::Done
    }

    /// Hooks that it waits for.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        let mut tasks = Vec::new();
        self.each_await(&mut |awaited| {
            if let Await::Hook(task) = awaited {
                tasks.push(*task);
            }
        });
        tasks
    }

    /// Publishes that it waits for.
    pub(crate) fn publishes(&self) -> Vec<TaskId> {
        let mut publishes = Vec::new();
        self.each_await(&mut |awaited| {
            if let Await::Published(id) = awaited {
                publishes.push(*id);
            }
        });
        publishes
    }

    /// When it goes on, or fails, whatever else happens.
    pub(crate) fn next_deadline(&self, processes: &Processes) -> Option<Moment> {
        let mut next: Option<Moment> = None;
        self.each_await(&mut |awaited| {
            if let Some(at) = awaited.deadline(processes) {
                next = Some(next.map_or(at, |earlier| earlier.min(at)));
            }
        });
        next
    }

    fn each_await(&self, visit: &mut impl FnMut(&Await)) {
        match &self.stage {
            Stage::Steps { current, .. } => current.each_await(visit),
            Stage::Triggers { current: Some(flow), .. } => flow.each_await(visit),
            Stage::Triggers { current: None, .. } => {}
        }
    }
}

impl Node {
    fn advance(&mut self, step: &Step, place: &mut Place<'_>, memory: &mut Memory, reach: &mut Reach<'_>) -> Outcome {
        if matches!(self, Self::Untouched) {
            match steps::begin(step, place.workflow, memory, reach) {
                Ok(begun) => *self = Self::begun(begun, memory, reach),
                Err(failure) => return Outcome::Failed(place.failed(step, failure)),
            }
        }
        let outcome = match self {
            Self::Untouched | Self::Done => Outcome::Done,
            Self::Awaiting(awaited) => match awaited.look(memory, reach) {
                Look::There => Outcome::Done,
                Look::NotYet => Outcome::Pending,
                Look::Failed(failure) => Outcome::Failed(place.failed(step, failure)),
            },
            Self::Inline(flow) => match flow.advance(memory, reach) {
                Outcome::Failed(failed) => Outcome::Failed(failed.below(place.step(step.action()))),
                other @ (Outcome::Pending | Outcome::Done) => other,
            },
            Self::Parallel(nodes) => Self::advance_all(nodes, step, place, memory, reach),
        };
        if matches!(outcome, Outcome::Done) {
            *self = Self::Done;
        }
        outcome
    }

    fn begun(begun: Begun, memory: &mut Memory, reach: &mut Reach<'_>) -> Self {
        match begun {
            Begun::Done => Self::Done,
            Begun::Awaits(awaited) => Self::Awaiting(awaited),
            Begun::Parallel(count) => Self::Parallel((0..count).map(|_| Self::Untouched).collect()),
            Begun::Inline(workflow) => match Flow::begin(&workflow, true, memory, reach) {
                Some(flow) => Self::Inline(Box::new(flow)),
                None => Self::Done,
            },
        }
    }

    /// All of them, in order; the first failure is the failure of all.
    fn advance_all(
        nodes: &mut [Self],
        step: &Step,
        place: &mut Place<'_>,
        memory: &mut Memory,
        reach: &mut Reach<'_>,
    ) -> Outcome {
        let Step::Parallel(steps) = step else { return Outcome::Done };
        let mut is_pending = false;
        for (index, (node, step)) in nodes.iter_mut().zip(steps).enumerate() {
            place.number.push(index + 1);
            let outcome = node.advance(step, place, memory, reach);
            place.number.pop();
            match outcome {
                Outcome::Done => {}
                Outcome::Pending => is_pending = true,
                Outcome::Failed(failed) => return Outcome::Failed(failed),
            }
        }
        if is_pending { Outcome::Pending } else { Outcome::Done }
    }

    fn each_await(&self, visit: &mut impl FnMut(&Await)) {
        match self {
            Self::Untouched | Self::Done => {}
            Self::Awaiting(awaited) => visit(awaited),
            Self::Parallel(nodes) => nodes.iter().for_each(|node| node.each_await(visit)),
            Self::Inline(flow) => flow.each_await(visit),
        }
    }
}

/// Where a step stands.
struct Place<'a> {
    workflow: &'a WorkflowName,
    number: Vec<usize>,
}

impl Place<'_> {
    fn step(&self, action: &'static str) -> StepPlace {
        StepPlace { workflow: self.workflow.clone(), number: self.number.clone(), action }
    }

    fn failed(&self, step: &Step, failure: StepFailure) -> Failed {
        Failed { path: vec![self.step(step.action())], failure }
    }
}

impl Failed {
    fn below(mut self, place: StepPlace) -> Self {
        self.path.insert(0, place);
        self
    }
}
