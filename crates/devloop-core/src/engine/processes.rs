//! Wish and state of each process.
//!
//! Others make wishes and look at states; nobody is called back. A fact about a life that is not the newest one is
//! dropped in [`Processes::current`], an answer of a probe that nobody awaits in [`Processes::probe_answered`].

mod backoff;
mod ending;
mod life;
mod probing;
mod renewal;

use self::backoff::Jitter;
use self::life::{Process, State, Stopping, Then};
use super::turn::Turn;
use crate::fact::{ProbeAnswer, ProcessFact, StartFailure};
use crate::moment::Moment;
use crate::names::{Incarnation, ProcessName, TaskId};
use crate::notice::{Notice, StepFailure};
use crate::plan::Plan;
use crate::plan::process::ProcessPlan;
use crate::value::Value;
use crate::view::{Condition, ProcessView};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All processes of the plan.
pub(crate) struct Processes {
    all: BTreeMap<ProcessName, Process>,
    jitter: Jitter,
    /// Startup workflows are going.
    is_startup: bool,
    /// The session ends: nothing starts again.
    is_draining: bool,
}

/// What someone who waits for a process sees.
pub(crate) enum Look {
    /// What was awaited is there.
    There,
    /// Not yet.
    NotYet,
    /// It will not come.
    Failed(StepFailure),
}

/// How a dependency stands.
enum Need {
    Met,
    Coming,
    /// It comes later than a start waits for.
    Late(StepFailure),
    Lost(StepFailure),
}

impl Processes {
    /// All of them down.
    pub(crate) fn new(plan: &Plan, seed: u64) -> Self {
        let process = |(name, plan): (&ProcessName, &Arc<ProcessPlan>)| {
            (name.clone(), Process::new(name.clone(), Arc::clone(plan)))
        };
        Self {
            all: plan.processes.iter().map(process).collect(),
            jitter: Jitter::new(seed),
            is_startup: true,
            is_draining: false,
        }
    }

    // Wishes.

    /// Wants what the plan starts by itself.
    pub(crate) fn want_autostart(&mut self, turn: &mut Turn) {
        let names: Vec<ProcessName> =
            self.all.values().filter(|process| process.plan.autostart).map(|process| process.name.clone()).collect();
        for name in names {
            self.want_start(turn, &name);
        }
    }

    /// Wants a process to run, and what it depends on; gives the falls so far, for [`Self::look_started`].
    pub(crate) fn want_start(&mut self, turn: &mut Turn, name: &ProcessName) -> u64 {
        let Some(process) = self.all.get_mut(name) else { return 0 };
        let falls = process.falls();
        if self.is_draining || process.renewal.is_removed {
            return falls;
        }
        process.is_wanted = true;
        match &process.state {
            State::Up { .. } | State::Starting => {}
            // Whoever wants it now has written what it shall read by now.
            State::Held(_) => process.hold(turn),
            State::Waiting { .. } => {
                process.wait_anew(turn.now);
                turn.stir();
            }
            State::Down | State::Stopping(_) | State::Lingering | State::BackingOff { .. } => {
                if process.leave(turn, Then::Start) {
                    self.begin(turn, name);
                }
            }
        }
        falls
    }

    /// Wants a new life of a process; gives the falls so far.
    pub(crate) fn want_restart(&mut self, turn: &mut Turn, name: &ProcessName) -> u64 {
        let Some(process) = self.all.get_mut(name) else { return 0 };
        let falls = process.falls();
        if !self.is_draining && !process.renewal.is_removed {
            process.is_wanted = true;
            process.is_awaited = false;
            process.is_stranger_told = false;
            if process.leave(turn, Then::Start) {
                self.begin(turn, name);
            }
        }
        falls
    }

    /// Wants a process to be gone; gives the life that is to go.
    pub(crate) fn want_stop(&mut self, turn: &mut Turn, name: &ProcessName) -> Incarnation {
        let Some(process) = self.all.get_mut(name) else { return Incarnation::default() };
        (process.is_wanted, process.renewal.is_stopped) = (false, true);
        process.is_stranger_told = false;
        if !matches!(process.state, State::Down) {
            process.fall(turn, StepFailure::ProcessStopped { process: name.clone() });
            process.leave(turn, Then::Rest);
        }
        process.incarnation
    }

    /// Notes that a step waits for a process to be ready; gives the falls so far, or why there is nothing to wait for.
    pub(crate) fn want_ready(&mut self, name: &ProcessName, now: Moment) -> Result<u64, StepFailure> {
        let not_running = || StepFailure::ProcessNotRunning { process: name.clone() };
        let process = self.all.get_mut(name).ok_or_else(not_running)?;
        match &process.state {
            State::Waiting { .. }
            | State::Held(_)
            | State::Starting
            | State::Up { .. }
            | State::Stopping(Stopping { then: Then::Start, .. }) => {
                process.is_awaited = true;
                process.wait_anew(now);
                Ok(process.falls())
            }
            State::Down | State::Stopping(_) | State::Lingering | State::BackingOff { .. } => Err(not_running()),
        }
    }

    /// A start begins: what the process depends on is wanted too, and awaited.
    fn begin(&mut self, turn: &mut Turn, name: &ProcessName) {
        let Some(process) = self.all.get_mut(name) else { return };
        process.adopt();
        process.renewal.is_stopped = false;
        process.change(turn, State::Waiting { since: turn.now, is_told: false });
        let plan = Arc::clone(&process.plan);
        for dependency in &plan.depends_on {
            self.want_start(turn, dependency);
        }
    }

    // Questions.

    /// The life that a wish to start would begin; none when one begins or goes on already.
    pub(crate) fn life_to_start(&self, name: &ProcessName) -> Option<Incarnation> {
        let process = self.all.get(name)?;
        match &process.state {
            State::Up { .. } | State::Starting | State::Held(_) | State::Waiting { .. } => None,
            State::Down | State::Stopping(_) | State::Lingering | State::BackingOff { .. } => {
                Some(process.incarnation.next())
            }
        }
    }

    /// The newest life.
    pub(crate) fn newest_life(&self, name: &ProcessName) -> Incarnation {
        self.all.get(name).map_or_else(Incarnation::default, |process| process.incarnation)
    }

    /// Whether nothing is left of a life and of those before it.
    pub(crate) fn is_gone(&self, name: &ProcessName, incarnation: Incarnation) -> bool {
        self.all.get(name).is_none_or(|process| match &process.state {
            State::Down | State::Waiting { .. } | State::Held(_) | State::BackingOff { is_gone: true, .. } => true,
            State::Starting
            | State::Up { .. }
            | State::Stopping(_)
            | State::Lingering
            | State::BackingOff { is_gone: false, .. } => process.incarnation > incarnation,
        })
    }

    /// Whether the session ends.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// The life that a wish to restart would begin.
    pub(crate) fn life_to_restart(&self, name: &ProcessName) -> Option<Incarnation> {
        self.all.get(name).map(|process| process.incarnation.next())
    }

    /// Whether a start that was wanted has come to its end.
    pub(crate) fn look_started(&self, name: &ProcessName, falls: u64) -> Look {
        let Some(process) = self.all.get(name) else { return removed(name) };
        if process.falls() != falls {
            return process.last_fall().cloned().map_or_else(|| not_running(name), Look::Failed);
        }
        match &process.state {
            State::Up { .. } => Look::There,
            State::Waiting { .. }
            | State::Held(_)
            | State::Starting
            | State::Stopping(Stopping { then: Then::Start | Then::BackOff(_), .. })
            | State::BackingOff { .. } => Look::NotYet,
            State::Down | State::Stopping(_) | State::Lingering => not_running(name),
        }
    }

    /// Whether a life that was to go is gone.
    pub(crate) fn look_gone(&self, name: &ProcessName, incarnation: Incarnation) -> Look {
        let is_going = self
            .all
            .get(name)
            .is_some_and(|process| process.incarnation == incarnation && matches!(process.state, State::Stopping(_)));
        if is_going { Look::NotYet } else { Look::There }
    }

    /// Whether a process is ready for whoever has waited since `begun`.
    pub(crate) fn look_ready(&self, name: &ProcessName, falls: u64, begun: Moment, now: Moment) -> Look {
        let Some(process) = self.all.get(name) else { return removed(name) };
        if process.falls() != falls {
            return process.last_fall().cloned().map_or_else(|| not_running(name), Look::Failed);
        }
        match &process.state {
            State::Up { probing, .. } if probing.is_ready() => Look::There,
            State::Up { since, .. } => match (&process.plan.readiness, process.not_ready()) {
                (Some(probe), Some(failure)) if begun.max(*since) + probe.timeout <= now => Look::Failed(failure),
                _ => Look::NotYet,
            },
            State::Waiting { .. }
            | State::Held(_)
            | State::Starting
            | State::Stopping(Stopping { then: Then::Start, .. }) => Look::NotYet,
            State::Down | State::Stopping(_) | State::Lingering | State::BackingOff { .. } => not_running(name),
        }
    }

    /// When whoever has waited since `begun` has waited for too long.
    pub(crate) fn ready_deadline(&self, name: &ProcessName, begun: Moment) -> Option<Moment> {
        let process = self.all.get(name)?;
        let State::Up { since, .. } = &process.state else { return None };
        Some(begun.max(*since) + process.plan.readiness.as_ref()?.timeout)
    }

    // Facts.

    /// Startup is over: from now on a taken address is a failed start like any other.
    pub(crate) fn end_startup(&mut self) {
        self.is_startup = false;
    }

    /// Something about a life. Says whether the session must end for it: a stranger at an address during startup.
    pub(crate) fn absorb(
        &mut self,
        turn: &mut Turn,
        name: &ProcessName,
        incarnation: Incarnation,
        fact: ProcessFact,
    ) -> bool {
        let jitter = (!self.is_draining).then_some(&mut self.jitter);
        let Some(process) = Self::current(&mut self.all, name, incarnation) else { return false };
        let mut then = Then::Rest;
        let mut is_fatal = false;
        Self::note_stuck(process, &fact);
        match fact {
            ProcessFact::Started { pid } => process.started(turn, pid),
            ProcessFact::StartFailed(failure) => {
                // What starts by itself is part of the startup, however late the first answer comes.
                let is_startup = self.is_startup || (process.plan.autostart && incarnation == Incarnation(1));
                let is_startup = is_startup && !process.renewal.is_later;
                is_fatal = is_startup
                    && matches!(failure, StartFailure::AddressInUse { .. })
                    && matches!(process.state, State::Starting);
                then = process.start_failed(turn, failure, jitter.filter(|_| !is_fatal));
            }
            ProcessFact::Captured { key, value } => {
                if process.pid.is_some() {
                    turn.write(&key, &Value::String(value));
                }
            }
            ProcessFact::LineMatched(role) => {
                if let Some(finding) = process.line_matched(turn, role) {
                    process.found(turn, finding, jitter);
                }
            }
            ProcessFact::Exited(status) => process.exited(turn, status, jitter),
            ProcessFact::Gone => then = process.gone(turn, jitter),
            ProcessFact::Stuck { pid } => turn.report(Notice::ProcessStuck { process: name.clone(), pid }),
        }
        if then == Then::Start {
            self.begin(turn, name);
        }
        is_fatal
    }

    /// The process, if this is its newest life and not yet gone; anything else is a fact about the past.
    fn current<'a>(
        all: &'a mut BTreeMap<ProcessName, Process>,
        name: &ProcessName,
        incarnation: Incarnation,
    ) -> Option<&'a mut Process> {
        let process = all.get_mut(name).filter(|process| process.incarnation == incarnation)?;
        match &process.state {
            State::Starting
            | State::Up { .. }
            | State::Stopping(_)
            | State::Lingering
            | State::BackingOff { is_gone: false, .. } => Some(process),
            State::Down | State::Waiting { .. } | State::Held(_) | State::BackingOff { is_gone: true, .. } => None,
        }
    }

    /// An attempt of a probe is over.
    pub(crate) fn probe_answered(&mut self, turn: &mut Turn, task: TaskId, answer: &ProbeAnswer) {
        for process in self.all.values_mut() {
            if let Some(finding) = process.probe_answered(turn, task, answer) {
                process.found(turn, finding, (!self.is_draining).then_some(&mut self.jitter));
            }
        }
    }

    // Time, and what follows from what others did.

    /// Acts on all that is due.
    pub(crate) fn expire(&mut self, turn: &mut Turn) {
        let mut due = Vec::new();
        for process in self.all.values_mut() {
            if let Some(finding) = process.expire_probes(turn) {
                process.found(turn, finding, (!self.is_draining).then_some(&mut self.jitter));
            }
            process.expire_stop(turn);
            if matches!(process.state, State::BackingOff { until, .. } if until <= turn.now) && !self.is_draining {
                due.push(process.name.clone());
            }
        }
        for name in due {
            self.want_start(turn, &name);
        }
    }

    /// Goes on where dependencies, the state file or state keys allow it.
    pub(crate) fn advance(&mut self, turn: &mut Turn) {
        if self.is_draining {
            return self.advance_ending(turn);
        }
        let waiting: Vec<ProcessName> = self
            .all
            .values()
            .filter(|process| matches!(process.state, State::Waiting { .. }))
            .map(|process| process.name.clone())
            .collect();
        for name in waiting {
            self.advance_waiting(turn, &name);
        }
        self.advance_held(turn);
        for process in self.all.values_mut() {
            if let Some(finding) = process.look_at_keys(turn) {
                process.found(turn, finding, Some(&mut self.jitter));
            }
        }
    }

    /// Launches what waits no longer for the state file, unless what it depends on went meanwhile.
    fn advance_held(&mut self, turn: &mut Turn) {
        let is_due = |process: &&Process| matches!(process.state, State::Held(needs) if turn.session.is_settled(needs));
        let due: Vec<ProcessName> = self.all.values().filter(is_due).map(|process| process.name.clone()).collect();
        for name in due {
            let are_met = self.needs(&name, turn.now, turn.now).iter().all(|need| matches!(need, Need::Met));
            let Some(process) = self.all.get_mut(&name) else { continue };
            if are_met {
                process.launch(turn);
            } else {
                process.change(turn, State::Waiting { since: turn.now, is_told: false });
            }
        }
    }

    fn advance_waiting(&mut self, turn: &mut Turn, name: &ProcessName) {
        let Some(process) = self.all.get(name) else { return };
        let State::Waiting { since, is_told } = process.state else { return };
        if self.must_wait_for_others(process) {
            return;
        }
        let needs = self.needs(name, since, turn.now);
        let Some(process) = self.all.get_mut(name) else { return };
        if needs.iter().all(|need| matches!(need, Need::Met)) {
            return process.hold(turn);
        }
        for need in needs {
            match need {
                Need::Met | Need::Coming => {}
                Need::Late(cause) => {
                    if !is_told {
                        let cause = Box::new(cause);
                        process.fall(turn, StepFailure::DependencyFailed { process: name.clone(), cause });
                        process.state = State::Waiting { since, is_told: true };
                    }
                }
                Need::Lost(cause) => return process.dependency_failed(turn, cause, Some(&mut self.jitter)),
            }
        }
    }

    /// How all that a process depends on stands for a start that has waited since `begun`.
    fn needs(&self, name: &ProcessName, begun: Moment, now: Moment) -> Vec<Need> {
        let dependencies = self.all.get(name).into_iter().flat_map(|process| &process.plan.depends_on);
        dependencies.map(|dependency| self.need(dependency, begun, now)).collect()
    }

    /// How a dependency stands for a start that has waited since `begun`.
    fn need(&self, name: &ProcessName, begun: Moment, now: Moment) -> Need {
        let Some(process) = self.all.get(name) else { return Need::Met };
        let cause =
            || process.last_fall().cloned().unwrap_or_else(|| StepFailure::ProcessNotRunning { process: name.clone() });
        match &process.state {
            State::Up { probing, .. } if probing.is_ready() => Need::Met,
            State::Up { since, .. } => match (&process.plan.readiness, process.not_ready()) {
                (Some(probe), Some(failure)) if begun.max(*since) + probe.timeout <= now => Need::Late(failure),
                _ => Need::Coming,
            },
            State::Waiting { is_told: true, .. }
            | State::BackingOff { .. }
            | State::Stopping(Stopping { then: Then::BackOff(_), .. }) => Need::Late(cause()),
            State::Waiting { .. }
            | State::Held(_)
            | State::Starting
            | State::Stopping(Stopping { then: Then::Start, .. }) => Need::Coming,
            State::Down | State::Lingering | State::Stopping(_) => Need::Lost(cause()),
        }
    }

    /// When something is due.
    pub(crate) fn next_deadline(&self, now: Moment) -> Option<Moment> {
        self.all.values().filter_map(|process| self.deadline_of(process, now)).min()
    }

    fn deadline_of(&self, process: &Process, now: Moment) -> Option<Moment> {
        match &process.state {
            State::Up { probing, .. } => probing.next_deadline(&process.plan),
            State::BackingOff { until, .. } => (!self.is_draining).then_some(*until),
            State::Stopping(stopping) => process.stop_deadline(stopping, self.is_draining, now),
            State::Waiting { since, is_told: false } => {
                let late = |dependency| self.ready_deadline(dependency, *since);
                process.plan.depends_on.iter().filter_map(late).filter(|&at| at > now).min()
            }
            State::Waiting { .. } | State::Down | State::Held(_) | State::Starting | State::Lingering => None,
        }
    }

    // Pictures.

    /// A picture of each.
    pub(crate) fn view(&self, now: Moment) -> BTreeMap<ProcessName, ProcessView> {
        let view = |process: &Process| ProcessView {
            is_wanted: process.is_wanted,
            condition: condition(process),
            incarnation: process.incarnation,
            pid: process.pid,
            failures: process.failures(now),
        };
        let is_shown = |process: &Process| !(process.renewal.is_removed && matches!(process.state, State::Down));
        let shown = self.all.iter().filter(|(_, process)| is_shown(process));
        shown.map(|(name, process)| (name.clone(), view(process))).collect()
    }
}

fn removed(name: &ProcessName) -> Look {
    Look::Failed(StepFailure::ProcessRemoved { process: name.clone() })
}

fn not_running(name: &ProcessName) -> Look {
    Look::Failed(StepFailure::ProcessNotRunning { process: name.clone() })
}

fn condition(process: &Process) -> Condition {
    match &process.state {
        State::Down => Condition::Down,
        State::Waiting { .. } | State::Held(_) => Condition::Waiting,
        State::Starting => Condition::Starting,
        State::Up { probing, .. } if probing.is_ready() => Condition::Ready,
        State::Up { .. } => Condition::Running,
        State::Stopping(_) => Condition::Stopping,
        State::Lingering => Condition::Lingering,
        State::BackingOff { .. } => Condition::BackingOff,
    }
}
