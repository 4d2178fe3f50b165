//! One-shot children: held until the state file is right, bounded in time, stopped, killed, and judged.
//!
//! Whoever wants a hook keeps its task and takes the end when there is one. An answer for a task that nobody keeps is
//! dropped in [`Hooks::finished`].

use super::patience::{Stop, StopStage};
use super::turn::Turn;
use crate::effect::{Effect, Errand};
use crate::fact::{CaptureFailure, Captured, HookOutcome};
use crate::moment::Moment;
use crate::names::{HookName, StateKey, StateVersion, TaskId};
use crate::notice::{StepFailure, Who};
use crate::plan;
use crate::plan::hook::{Capture, HookPlan};
use crate::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// From the wish that a hook ends to SIGKILL.
pub const HOOK_GRACE: Duration = Duration::from_secs(5);

/// From SIGKILL to the moment at which the end of a session waits no longer.
const LEFT_AFTER: Duration = Duration::from_secs(10);

/// All hooks that were wanted and whose ends were not taken.
#[derive(Default)]
pub(crate) struct Hooks {
    calls: BTreeMap<TaskId, Call>,
}

struct Call {
    hook: HookName,
    plan: Arc<HookPlan>,
    stage: Stage,
    is_timed_out: bool,
    /// Nobody takes its end.
    is_dropped: bool,
}

/// What a hook wrote.
#[derive(Default)]
pub(crate) struct Written {
    /// The keys that it captured.
    pub(crate) keys: Vec<StateKey>,
    /// Whether one of them holds something else now.
    pub(crate) is_changed: bool,
}

enum Stage {
    /// Waits until the state file holds a version.
    Held { needs: StateVersion, errand: Errand },
    /// Was asked to start.
    Going { until: Option<Moment> },
    /// Was asked to end.
    Stopping { since: Moment },
    /// Is being killed.
    Killed { since: Moment },
    /// Is over; the end was not taken yet.
    Over(HookOutcome),
}

impl Hooks {
    /// Wants a hook to run.
    pub(crate) fn want(&mut self, turn: &mut Turn, hook: &HookName, plan: &Arc<HookPlan>, errand: Errand) -> TaskId {
        let task = turn.new_task();
        let stage = Stage::Held { needs: turn.session.version(), errand };
        let call = Call { hook: hook.clone(), plan: Arc::clone(plan), stage, is_timed_out: false, is_dropped: false };
        self.calls.insert(task, call);
        turn.stir();
        task
    }

    /// Starts what waits no longer for the state file.
    pub(crate) fn advance(&mut self, turn: &mut Turn) {
        for (&task, call) in &mut self.calls {
            if let Stage::Held { needs, errand } = &call.stage
                && turn.session.is_settled(*needs)
            {
                let (hook, plan, errand) = (call.hook.clone(), Arc::clone(&call.plan), errand.clone());
                call.stage = Stage::Going { until: call.plan.timeout.map(|timeout| turn.now + timeout) };
                turn.ask(Effect::StartHook { task, hook, plan, errand });
            }
        }
    }

    /// A hook is over.
    pub(crate) fn finished(&mut self, turn: &mut Turn, task: TaskId, outcome: HookOutcome) {
        let Some(call) = self.calls.get_mut(&task) else { return };
        turn.stir();
        if call.is_dropped {
            self.calls.remove(&task);
        } else {
            call.stage = Stage::Over(outcome);
        }
    }

    /// Takes the end of a hook, if there is one: writes what it captured.
    pub(crate) fn take(&mut self, turn: &mut Turn, task: TaskId) -> Option<Result<Written, StepFailure>> {
        let call = self.calls.get(&task)?;
        if !matches!(call.stage, Stage::Over(_)) {
            return None;
        }
        let Call { hook, plan, stage, is_timed_out, .. } = self.calls.remove(&task)?;
        let Stage::Over(outcome) = stage else { return None };
        let limit = plan.timeout.filter(|_| is_timed_out);
        Some(match limit {
            Some(within) => Err(StepFailure::HookTimedOut { hook, within }),
            None => judge(turn, hook, &plan, outcome),
        })
    }

    /// Nobody wants a hook any more: it is asked to end, and its end interests nobody.
    pub(crate) fn cancel(&mut self, turn: &mut Turn, task: TaskId) {
        let Some(call) = self.calls.get_mut(&task) else { return };
        call.is_dropped = true;
        match call.stage {
            Stage::Held { .. } | Stage::Over(_) => {
                self.calls.remove(&task);
                turn.stir();
            }
            Stage::Going { .. } => {
                call.stage = Stage::Stopping { since: turn.now };
                turn.ask(Effect::StopHook(task));
            }
            Stage::Stopping { .. } | Stage::Killed { .. } => {}
        }
    }

    /// Ends everything at once.
    pub(crate) fn kill_all(&mut self, turn: &mut Turn) {
        let tasks: Vec<TaskId> = self.calls.keys().copied().collect();
        for task in tasks {
            let Some(call) = self.calls.get_mut(&task) else { continue };
            call.is_dropped = true;
            match call.stage {
                Stage::Held { .. } | Stage::Over(_) => {
                    self.calls.remove(&task);
                }
                Stage::Going { .. } | Stage::Stopping { .. } => kill(turn, task, call),
                Stage::Killed { .. } => {}
            }
        }
        turn.stir();
    }

    /// Whether a cancelled hook is over.
    pub(crate) fn is_over(&self, task: TaskId) -> bool {
        !self.calls.contains_key(&task)
    }

    /// Whether no hook is left whose end is worth waiting for.
    pub(crate) fn are_over(&self, now: Moment) -> bool {
        self.calls.values().all(|call| is_left(call, now))
    }

    /// Whether a hook survives SIGKILL.
    pub(crate) fn has_left(&self, now: Moment) -> bool {
        self.calls.values().any(|call| is_left(call, now))
    }

    /// Stops what takes too long, kills what does not stop.
    pub(crate) fn expire(&mut self, turn: &mut Turn) {
        for (&task, call) in &mut self.calls {
            match call.stage {
                Stage::Going { until: Some(until) } if until <= turn.now => {
                    call.is_timed_out = true;
                    call.stage = Stage::Stopping { since: turn.now };
                    turn.ask(Effect::StopHook(task));
                }
                Stage::Stopping { since } if since + HOOK_GRACE <= turn.now => kill(turn, task, call),
                Stage::Held { .. }
                | Stage::Going { .. }
                | Stage::Stopping { .. }
                | Stage::Killed { .. }
                | Stage::Over(_) => {}
            }
        }
    }

    /// All stops that are under way.
    pub(crate) fn stops(&self) -> impl Iterator<Item = Stop> {
        self.calls.values().filter_map(|call| {
            let (since, stage) = match call.stage {
                Stage::Stopping { since } => (since, StopStage::KilledAt(since + HOOK_GRACE)),
                Stage::Killed { since } => (since, StopStage::Killed),
                Stage::Held { .. } | Stage::Going { .. } | Stage::Over(_) => return None,
            };
            Some(Stop { who: Who::Hook(call.hook.clone()), since, stage })
        })
    }

    /// When the next hook takes too long.
    pub(crate) fn next_deadline(&self, now: Moment) -> Option<Moment> {
        let deadline = |call: &Call| match call.stage {
            Stage::Going { until } => until,
            Stage::Stopping { since } => Some(since + HOOK_GRACE),
            Stage::Killed { since } => Some(since + LEFT_AFTER).filter(|&at| at > now),
            Stage::Held { .. } | Stage::Over(_) => None,
        };
        self.calls.values().filter_map(deadline).min()
    }
}

fn kill(turn: &mut Turn, task: TaskId, call: &mut Call) {
    call.stage = Stage::Killed { since: turn.now };
    turn.ask(Effect::KillHook(task));
}

fn is_left(call: &Call, now: Moment) -> bool {
    matches!(call.stage, Stage::Killed { since } if since + LEFT_AFTER <= now)
}

/// Turns the end of a hook into what its step makes of it.
fn judge(turn: &mut Turn, hook: HookName, plan: &HookPlan, outcome: HookOutcome) -> Result<Written, StepFailure> {
    let (status, captured) = match outcome {
        HookOutcome::StartFailed(failure) => return Err(StepFailure::HookStartFailed { hook, failure }),
        HookOutcome::Exited { status, captured } => (status, captured),
    };
    if let Captured::Unusable(failure @ CaptureFailure::TooLong { .. }) = captured {
        // That is why it was ended, whatever its status says.
        return Err(StepFailure::CaptureUnusable { hook, failure });
    }
    if !status.is_success() {
        return Err(StepFailure::HookFailed { hook, status });
    }
    match captured {
        Captured::Nothing => Ok(Written::default()),
        Captured::Unusable(failure) => Err(StepFailure::CaptureUnusable { hook, failure }),
        Captured::Text(text) => Ok(match &plan.capture {
            Capture::Text { state_key } => {
                let is_changed = turn.write(state_key, &Value::String(text));
                Written { keys: vec![state_key.clone()], is_changed }
            }
            Capture::Ignore | Capture::Json => Written::default(),
        }),
        Captured::Object(fields) => {
            if let Some(key) = fields.keys().find(|key| plan::is_reserved(key.as_str())) {
                return Err(StepFailure::ReservedKey { hook, key: key.clone() });
            }
            let is_changed = fields.iter().fold(false, |is_changed, (key, value)| turn.write(key, value) | is_changed);
            Ok(Written { keys: fields.into_keys().collect(), is_changed })
        }
    }
}
