//! One process: what is wanted of it, what it does, and how facts and deadlines change that.
//!
//! Deadlines live in the state they belong to, so a timer of an earlier state cannot exist.

use super::backoff::{self, Jitter};
use super::probing::{Asked, Finding, Probing};
use super::renewal::Renewal;
use crate::effect::Effect;
use crate::engine::turn::Turn;
use crate::fact::{ExitStatus, ProbeAnswer, ProbeRole, StartFailure};
use crate::moment::Moment;
use crate::names::{Incarnation, ProcessName, StateVersion, TaskId};
use crate::notice::{Notice, StepFailure};
use crate::plan::process::{ProcessPlan, RestartPolicy, WELL_AFTER};
use crate::value::Value;
use std::sync::Arc;
use std::time::Duration;

/// From SIGKILL to the moment at which the end of a session waits no longer.
pub(crate) const LEFT_AFTER: Duration = Duration::from_secs(10);

/// A process of the plan.
pub(crate) struct Process {
    pub(crate) name: ProcessName,
    /// What its life was started with, or the next one will be.
    pub(crate) plan: Arc<ProcessPlan>,
    pub(crate) is_wanted: bool,
    pub(crate) state: State,
    /// The newest life.
    pub(crate) incarnation: Incarnation,
    pub(crate) pid: Option<u32>,
    failures: u32,
    falls: u64,
    last_fall: Option<StepFailure>,
    /// A step waits for this life to be ready, and will say so if it is late.
    pub(crate) is_awaited: bool,
    /// The last life that survived SIGKILL.
    pub(super) stuck: Option<Incarnation>,
    /// What a saved config did to it.
    pub(super) renewal: Renewal,
    /// It was said that a stranger has its address: not again until it ran, was asked to stop or
    /// restart, or failed otherwise.
    pub(crate) is_stranger_told: bool,
}

/// What a process does.
pub(crate) enum State {
    /// It does not run, and nothing of it is left.
    Down,
    /// It waits for what it depends on.
    Waiting { since: Moment, is_told: bool },
    /// It waits until the state file holds this version.
    Held(StateVersion),
    /// Its start was asked for.
    Starting,
    /// It runs.
    Up { since: Moment, probing: Probing },
    /// It was asked to end.
    Stopping(Stopping),
    /// It ended by itself and is not started again; something of it may be left.
    Lingering,
    /// It is started again then; `is_gone`: nothing of the earlier life is left.
    BackingOff { until: Moment, is_gone: bool },
}

/// How far a stop is.
pub(crate) struct Stopping {
    pub(crate) stage: Stage,
    pub(crate) then: Then,
    has_exited: bool,
    /// It ended by itself before: what is stopped are leftovers, and nobody is told.
    is_quiet: bool,
}

/// What was asked of a life that shall end.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
    /// Nothing: its start was not answered yet.
    Unanswered { since: Moment, is_kill: bool },
    /// To stop.
    Asked { since: Moment },
    /// Killed.
    Killed { since: Moment },
}

/// What comes after a stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Rest,
    /// A start at once.
    Start,
    /// A start after a wait.
    BackOff(Duration),
}

impl Process {
    /// A process that does not run.
    pub(crate) fn new(name: ProcessName, plan: Arc<ProcessPlan>) -> Self {
        Self {
            name,
            plan,
            is_wanted: false,
            state: State::Down,
            incarnation: Incarnation::default(),
            pid: None,
            failures: 0,
            falls: 0,
            last_fall: None,
            is_awaited: false,
            stuck: None,
            renewal: Renewal::default(),
            is_stranger_told: false,
        }
    }

    /// Forgets lives that failed: what is tried next is something else.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
    }

    /// How often it fell: a failed start, an exit by itself, a stop. Who waits compares.
    pub(crate) fn falls(&self) -> u64 {
        self.falls
    }

    /// Why it fell last.
    pub(crate) fn last_fall(&self) -> Option<&StepFailure> {
        self.last_fall.as_ref()
    }

    /// Notes a fall for whoever waits.
    pub(crate) fn fall(&mut self, turn: &mut Turn, failure: StepFailure) {
        self.falls += 1;
        self.last_fall = Some(failure);
        self.is_awaited = false;
        turn.stir();
    }

    pub(crate) fn change(&mut self, turn: &mut Turn, state: State) {
        self.state = state;
        turn.stir();
    }

    /// Somebody new waits: a dependency that was too late for others gets its time again.
    pub(crate) fn wait_anew(&mut self, now: Moment) {
        if let State::Waiting { since, is_told } = &mut self.state
            && *is_told
        {
            (*since, *is_told) = (now, false);
        }
    }

    /// Lives that failed in a row.
    pub(crate) fn failures(&self, now: Moment) -> u32 {
        match &self.state {
            State::Up { since, .. } if now.since(*since) >= WELL_AFTER => 0,
            State::Up { .. }
            | State::Down
            | State::Waiting { .. }
            | State::Held(_)
            | State::Starting
            | State::Stopping(_)
            | State::Lingering
            | State::BackingOff { .. } => self.failures,
        }
    }

    /// What it depends on is there: what a child could read goes on disk first.
    pub(crate) fn hold(&mut self, turn: &mut Turn) {
        self.renewal.after.clear();
        self.clear_rule_keys(turn);
        let needs = turn.session.version();
        self.change(turn, State::Held(needs));
    }

    /// Asks for the next life.
    pub(crate) fn launch(&mut self, turn: &mut Turn) {
        self.incarnation = self.incarnation.next();
        turn.ask(Effect::StartProcess(self.name.clone(), self.incarnation));
        self.change(turn, State::Starting);
    }

    fn clear_rule_keys(&mut self, turn: &mut Turn) {
        let plan = Arc::clone(&self.plan);
        for rule in &plan.output.rules {
            turn.write(&rule.state_key, &Value::String(String::new()));
        }
    }

    /// The command runs.
    pub(crate) fn started(&mut self, turn: &mut Turn, pid: u32) {
        match &mut self.state {
            State::Starting => {
                self.is_stranger_told = false;
                let probing = Probing::new(&self.plan, turn.now);
                self.change(turn, State::Up { since: turn.now, probing });
            }
            State::Stopping(Stopping { stage, .. }) => {
                if let Stage::Unanswered { is_kill, .. } = *stage {
                    let name = self.name.clone();
                    *stage = if is_kill {
                        turn.ask(Effect::KillProcess(name, self.incarnation));
                        Stage::Killed { since: turn.now }
                    } else {
                        turn.ask(Effect::StopProcess(name, self.incarnation));
                        Stage::Asked { since: turn.now }
                    };
                }
            }
            State::Down
            | State::Waiting { .. }
            | State::Held(_)
            | State::Up { .. }
            | State::Lingering
            | State::BackingOff { .. } => return,
        }
        self.pid = Some(pid);
        turn.report(Notice::ProcessStarted { process: self.name.clone(), pid });
    }

    /// The command does not run. The wait before the next try, if there is one, is drawn from `jitter`.
    pub(crate) fn start_failed(&mut self, turn: &mut Turn, failure: StartFailure, jitter: Option<&mut Jitter>) -> Then {
        if let State::Stopping(Stopping { then, .. }) = self.state {
            self.change(turn, State::Down);
            return then;
        }
        let again_in = self.next_try(turn.now, false, jitter);
        let is_stranger = matches!(failure, StartFailure::AddressInUse { .. });
        if !(is_stranger && self.is_stranger_told) {
            turn.report(Notice::ProcessStartFailed { process: self.name.clone(), failure: failure.clone(), again_in });
        }
        self.is_stranger_told = is_stranger;
        self.fall(turn, StepFailure::ProcessStartFailed { process: self.name.clone(), failure });
        self.state = match again_in {
            Some(wait) => State::BackingOff { until: turn.now + wait, is_gone: true },
            None => State::Down,
        };
        Then::Rest
    }

    /// What it depends on will not come.
    pub(crate) fn dependency_failed(&mut self, turn: &mut Turn, cause: StepFailure, jitter: Option<&mut Jitter>) {
        self.fall(turn, StepFailure::DependencyFailed { process: self.name.clone(), cause: Box::new(cause.clone()) });
        turn.report(Notice::ProcessHeldBack { process: self.name.clone(), cause });
        self.state = match self.next_try(turn.now, false, jitter) {
            Some(wait) => State::BackingOff { until: turn.now + wait, is_gone: true },
            None => State::Down,
        };
    }

    /// After how long it is tried again, by its policy; the wish follows.
    fn next_try(&mut self, now: Moment, is_success: bool, jitter: Option<&mut Jitter>) -> Option<Duration> {
        let is_again = match self.plan.restart {
            RestartPolicy::Never => false,
            RestartPolicy::OnFailure => !is_success,
            RestartPolicy::Always => true,
        };
        self.failures = self.failures(now).saturating_add(1);
        let jitter = jitter.filter(|_| is_again);
        self.is_wanted = jitter.is_some();
        jitter.map(|jitter| backoff::delay(&self.plan, self.failures, jitter))
    }

    /// The command ended.
    pub(crate) fn exited(&mut self, turn: &mut Turn, status: ExitStatus, jitter: Option<&mut Jitter>) {
        self.pid = None;
        self.clear_rule_keys(turn);
        match &mut self.state {
            State::Stopping(stopping) => stopping.has_exited = true,
            State::Up { probing, .. } => {
                probing.stop(turn);
                self.fell(turn, status, jitter);
            }
            State::Starting => self.fell(turn, status, jitter),
            State::Down | State::Waiting { .. } | State::Held(_) | State::Lingering | State::BackingOff { .. } => {}
        }
    }

    fn fell(&mut self, turn: &mut Turn, status: ExitStatus, jitter: Option<&mut Jitter>) {
        let again_in = self.next_try(turn.now, status.is_success(), jitter);
        turn.report(Notice::ProcessExited { process: self.name.clone(), status, again_in });
        self.fall(turn, StepFailure::ProcessExited { process: self.name.clone(), status });
        self.state = match again_in {
            Some(wait) => State::BackingOff { until: turn.now + wait, is_gone: false },
            None => State::Lingering,
        };
    }

    /// Nothing of the life is left. Says what comes next.
    pub(crate) fn gone(&mut self, turn: &mut Turn, jitter: Option<&mut Jitter>) -> Then {
        if matches!(self.state, State::Up { .. } | State::Starting) {
            self.exited(turn, ExitStatus::Unknown, jitter);
        }
        match &mut self.state {
            State::Stopping(Stopping { then, has_exited, is_quiet, .. }) => {
                let (then, has_exited, is_quiet) = (*then, *has_exited, *is_quiet);
                if !has_exited {
                    self.pid = None;
                    self.clear_rule_keys(turn);
                }
                if !is_quiet {
                    turn.report(Notice::ProcessStopped { process: self.name.clone() });
                }
                let state = match then {
                    Then::Rest | Then::Start => State::Down,
                    Then::BackOff(wait) => State::BackingOff { until: turn.now + wait, is_gone: true },
                };
                self.change(turn, state);
                return then;
            }
            State::Lingering => self.change(turn, State::Down),
            State::BackingOff { is_gone, .. } => *is_gone = true,
            State::Down | State::Waiting { .. } | State::Held(_) | State::Starting | State::Up { .. } => {}
        }
        Then::Rest
    }

    /// Ends this life, if there is one. Says whether nothing of it is left, so that `then` is the caller's.
    pub(crate) fn leave(&mut self, turn: &mut Turn, then: Then) -> bool {
        let is_quiet = match &mut self.state {
            State::Down => return true,
            State::Waiting { .. } | State::Held(_) | State::BackingOff { is_gone: true, .. } => {
                self.change(turn, State::Down);
                return true;
            }
            State::Stopping(stopping) => {
                stopping.then = then;
                turn.stir();
                return false;
            }
            State::Starting => {
                let stage = Stage::Unanswered { since: turn.now, is_kill: false };
                let stopping = Stopping { stage, then, has_exited: false, is_quiet: false };
                self.change(turn, State::Stopping(stopping));
                return false;
            }
            State::Up { probing, .. } => {
                probing.stop(turn);
                self.is_awaited = false;
                false
            }
            State::Lingering | State::BackingOff { is_gone: false, .. } => true,
        };
        turn.ask(Effect::StopProcess(self.name.clone(), self.incarnation));
        let stage = Stage::Asked { since: turn.now };
        self.change(turn, State::Stopping(Stopping { stage, then, has_exited: is_quiet, is_quiet }));
        false
    }

    /// Ends this life at once.
    pub(crate) fn kill(&mut self, turn: &mut Turn) {
        let is_quiet = match &mut self.state {
            State::Down => return,
            State::Waiting { .. } | State::Held(_) | State::BackingOff { is_gone: true, .. } => {
                return self.change(turn, State::Down);
            }
            State::Starting => {
                let stage = Stage::Unanswered { since: turn.now, is_kill: true };
                let stopping = Stopping { stage, then: Then::Rest, has_exited: false, is_quiet: false };
                return self.change(turn, State::Stopping(stopping));
            }
            State::Stopping(stopping) => {
                stopping.then = Then::Rest;
                match &mut stopping.stage {
                    Stage::Unanswered { is_kill, .. } => *is_kill = true,
                    Stage::Killed { .. } => {}
                    stage @ Stage::Asked { .. } => {
                        *stage = Stage::Killed { since: turn.now };
                        turn.ask(Effect::KillProcess(self.name.clone(), self.incarnation));
                    }
                }
                return;
            }
            State::Up { probing, .. } => {
                probing.stop(turn);
                false
            }
            State::Lingering | State::BackingOff { is_gone: false, .. } => true,
        };
        turn.ask(Effect::KillProcess(self.name.clone(), self.incarnation));
        let stage = Stage::Killed { since: turn.now };
        let stopping = Stopping { stage, then: Then::Rest, has_exited: is_quiet, is_quiet };
        self.change(turn, State::Stopping(stopping));
    }

    /// A probe's attempt is over.
    pub(crate) fn probe_answered(&mut self, turn: &mut Turn, task: TaskId, answer: &ProbeAnswer) -> Option<Finding> {
        let State::Up { probing, .. } = &mut self.state else { return None };
        let role = probing.role_of(task)?;
        probing.answered(turn, &Asked { process: &self.name, plan: &self.plan }, role, answer.clone())
    }

    /// A line matched.
    pub(crate) fn line_matched(&mut self, turn: &Turn, role: ProbeRole) -> Option<Finding> {
        let State::Up { probing, .. } = &mut self.state else { return None };
        probing.line_matched(turn.now, &self.plan, role)
    }

    /// Looks at state keys that are probes.
    pub(crate) fn look_at_keys(&mut self, turn: &Turn) -> Option<Finding> {
        let State::Up { probing, .. } = &mut self.state else { return None };
        probing.look_at_keys(turn, &Asked { process: &self.name, plan: &self.plan })
    }

    /// Devloop stood still: what is asked is asked again.
    pub(crate) fn slept(&mut self, turn: &mut Turn) {
        if let State::Up { probing, .. } = &mut self.state {
            probing.slept(turn, &self.plan);
        }
    }

    /// Probes what is due.
    pub(crate) fn expire_probes(&mut self, turn: &mut Turn) -> Option<Finding> {
        let State::Up { probing, .. } = &mut self.state else { return None };
        probing.expire(turn, &Asked { process: &self.name, plan: &self.plan })
    }

    /// Acts on what a probe found.
    pub(crate) fn found(&mut self, turn: &mut Turn, finding: Finding, jitter: Option<&mut Jitter>) {
        let process = self.name.clone();
        match finding {
            Finding::Ready => {
                turn.stir();
                turn.report(Notice::ProcessReady { process });
            }
            Finding::Late => {
                turn.stir();
                let late = self.not_ready().filter(|_| !self.is_awaited);
                if let Some(StepFailure::ProcessNotReady { process, within, last }) = late {
                    turn.report(Notice::ProcessNotReady { process, within, last });
                }
            }
            Finding::Unwell(reason) => {
                let jitter = jitter.filter(|_| self.plan.restart != RestartPolicy::Never);
                turn.report(Notice::ProcessUnwell { process, reason, is_restarted: jitter.is_some() });
                if let Some(jitter) = jitter {
                    self.failures = self.failures(turn.now).saturating_add(1);
                    // The first one is repaired at once; one that is unwell again and again must wait.
                    let then = match self.failures {
                        1 => Then::Start,
                        more => Then::BackOff(backoff::delay(&self.plan, more - 1, jitter)),
                    };
                    self.leave(turn, then);
                }
            }
        }
    }

    /// The failure of whoever waited too long for this life.
    pub(crate) fn not_ready(&self) -> Option<StepFailure> {
        let State::Up { probing, .. } = &self.state else { return None };
        let within = self.plan.readiness.as_ref()?.timeout;
        Some(StepFailure::ProcessNotReady { process: self.name.clone(), within, last: probing.last() })
    }
}
