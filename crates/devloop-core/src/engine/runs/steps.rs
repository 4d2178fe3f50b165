//! What each step begins, and what it then awaits.

use super::lineage::Lineage;
use super::memory::Memory;
use crate::effect::{Effect, Errand};
use crate::engine::hooks::Hooks;
use crate::engine::intake::Intake;
use crate::engine::processes::{Look, Processes};
use crate::engine::publishing::Publishing;
use crate::engine::turn::Turn;
use crate::moment::Moment;
use crate::names::{ArtifactName, HookName, Incarnation, ProcessName, TaskId, WorkflowName};
use crate::notice::{Notice, StepFailure};
use crate::plan::Plan;
use crate::plan::workflow::Step;
use crate::value::Value;
use std::sync::Arc;

/// What a step can reach.
pub(crate) struct Reach<'a> {
    /// What its run began with; for what no run has begun yet, the newest.
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) turn: &'a mut Turn,
    pub(crate) processes: &'a mut Processes,
    pub(crate) hooks: &'a mut Hooks,
    pub(crate) publishing: &'a mut Publishing,
    pub(crate) intake: &'a Intake,
    pub(crate) lineage: &'a mut Lineage,
}

impl Reach<'_> {
    /// The same for a run that began with this plan.
    pub(crate) fn under<'b>(&'b mut self, plan: &'b Arc<Plan>) -> Reach<'b> {
        Reach {
            plan,
            turn: self.turn,
            processes: self.processes,
            hooks: self.hooks,
            intake: self.intake,
            lineage: self.lineage,
            publishing: self.publishing,
        }
    }
}

/// What a step waits for.
pub(crate) enum Await {
    /// A process to run.
    Started { process: ProcessName, falls: u64 },
    /// A process to be ready, since a moment.
    Ready { process: ProcessName, falls: u64, begun: Moment },
    /// A life to be gone.
    Gone { process: ProcessName, incarnation: Incarnation },
    /// A hook to end.
    Hook(TaskId),
    /// A publish to end.
    Published(TaskId),
    /// A moment.
    Until(Moment),
}

/// How a step began.
pub(crate) enum Begun {
    /// It is done already.
    Done,
    /// It waits.
    Awaits(Await),
    /// Its steps go on at the same time.
    Parallel(usize),
    /// Another workflow's steps follow.
    Inline(WorkflowName),
}

/// Begins a step of `workflow`.
pub(crate) fn begin(
    step: &Step,
    workflow: &WorkflowName,
    memory: &mut Memory,
    reach: &mut Reach<'_>,
) -> Result<Begun, StepFailure> {
    let Reach { turn, processes, lineage, .. } = reach;
    if let Step::StartProcess(name) | Step::RestartProcess(name) | Step::WaitForProcess(name) = step
        && processes.is_removed(name)
    {
        return Err(StepFailure::ProcessRemoved { process: name.clone() });
    }
    Ok(match step {
        Step::StartProcess(name) => {
            if let Some(life) = processes.life_to_start(name) {
                lineage.life_wanted(name, life, memory.chain());
            }
            let falls = processes.want_start(turn, name);
            Begun::Awaits(Await::Started { process: name.clone(), falls })
        }
        Step::RestartProcess(name) => {
            if let Some(life) = processes.life_to_restart(name) {
                lineage.life_wanted(name, life, memory.chain());
            }
            let falls = processes.want_restart(turn, name);
            Begun::Awaits(Await::Started { process: name.clone(), falls })
        }
        Step::StopProcess(name) => {
            let incarnation = processes.want_stop(turn, name);
            Begun::Awaits(Await::Gone { process: name.clone(), incarnation })
        }
        Step::WaitForProcess(name) => {
            let falls = processes.want_ready(name, turn.now)?;
            Begun::Awaits(Await::Ready { process: name.clone(), falls, begun: turn.now })
        }
        Step::RunHook(name) => run_hook(name, workflow, memory, reach),
        Step::PublishArtifact(name) => publish(name, workflow, memory, reach),
        Step::RunWorkflow(name) => Begun::Inline(name.clone()),
        Step::Sleep(span) => Begun::Awaits(Await::Until(turn.now + *span)),
        Step::WriteState { key, value } => {
            let text = memory.render(turn, workflow, value)?;
            turn.write(key, &Value::String(text));
            memory.wrote(turn, key);
            Begun::Done
        }
        Step::Log { message, style } => {
            let text = memory.render(turn, workflow, message)?;
            turn.report(Notice::Message { workflow: workflow.clone(), text, style: *style });
            Begun::Done
        }
        Step::NotifyReload => {
            turn.ask(Effect::BroadcastReload);
            Begun::Done
        }
        Step::Parallel(steps) => Begun::Parallel(steps.len()),
    })
}

fn run_hook(name: &HookName, workflow: &WorkflowName, memory: &Memory, reach: &mut Reach<'_>) -> Begun {
    let Some(plan) = reach.plan.hooks.get(name) else { return Begun::Done };
    let errand = errand(workflow, memory);
    let task = reach.hooks.want(reach.turn, name, plan, errand);
    reach.lineage.hook_wanted(task, memory.chain());
    Begun::Awaits(Await::Hook(task))
}

fn publish(name: &ArtifactName, workflow: &WorkflowName, memory: &Memory, reach: &mut Reach<'_>) -> Begun {
    let why = (errand(workflow, memory), memory.chain());
    match reach.publishing.want(reach.turn, reach.plan, name, why) {
        Some(id) => Begun::Awaits(Await::Published(id)),
        None => Begun::Done,
    }
}

fn errand(workflow: &WorkflowName, memory: &Memory) -> Errand {
    Errand { workflow: Arc::from(workflow.as_str()), changed_files: memory.files(), candidate: None }
}

impl Await {
    /// Looks whether it has come.
    pub(crate) fn look(&self, memory: &mut Memory, reach: &mut Reach<'_>) -> Look {
        let now = reach.turn.now;
        match self {
            Self::Started { process, falls } => reach.processes.look_started(process, *falls),
            Self::Ready { process, falls, begun } => reach.processes.look_ready(process, *falls, *begun, now),
            Self::Gone { process, incarnation } => reach.processes.look_gone(process, *incarnation),
            Self::Until(at) if *at <= now => Look::There,
            Self::Until(_) => Look::NotYet,
            Self::Published(id) => match reach.publishing.take(*id) {
                None => Look::NotYet,
                Some(Ok(())) => Look::There,
                Some(Err(failure)) => Look::Failed(failure),
            },
            Self::Hook(task) => match reach.hooks.take(reach.turn, *task) {
                None => Look::NotYet,
                Some(Ok(written)) => {
                    written.keys.iter().for_each(|key| memory.wrote(reach.turn, key));
                    Look::There
                }
                Some(Err(failure)) => Look::Failed(failure),
            },
        }
    }

    /// When it comes, or has taken too long, whatever else happens.
    pub(crate) fn deadline(&self, processes: &Processes) -> Option<Moment> {
        match self {
            Self::Until(at) => Some(*at),
            Self::Ready { process, begun, .. } => processes.ready_deadline(process, *begun),
            Self::Started { .. } | Self::Gone { .. } | Self::Hook(_) | Self::Published(_) => None,
        }
    }
}
