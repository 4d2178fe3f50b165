//! How lives end: grace and SIGKILL at any time; at the end of the session level by level, dependants first.

use super::Processes;
use super::life::{LEFT_AFTER, Process, Stage, State, Stopping, Then};
use crate::effect::Effect;
use crate::engine::patience::{Stop, StopStage};
use crate::engine::turn::Turn;
use crate::moment::Moment;
use crate::names::ProcessName;
use crate::notice::{Notice, Who};

impl Process {
    /// Kills what does not end in time.
    pub(super) fn expire_stop(&mut self, turn: &mut Turn) {
        if let State::Stopping(Stopping { stage, .. }) = &mut self.state
            && let Stage::Asked { since } = *stage
            && since + self.plan.stop_timeout <= turn.now
        {
            *stage = Stage::Killed { since: turn.now };
            turn.report(Notice::ProcessKilled { process: self.name.clone(), after: self.plan.stop_timeout });
            turn.ask(Effect::KillProcess(self.name.clone(), self.incarnation));
        }
    }

    /// When a stop goes on by itself.
    pub(super) fn stop_deadline(&self, stopping: &Stopping, is_draining: bool, now: Moment) -> Option<Moment> {
        match stopping.stage {
            Stage::Asked { since } => Some(since + self.plan.stop_timeout),
            Stage::Killed { .. } | Stage::Unanswered { .. } => {
                self.left_at().filter(|&left_at| is_draining && left_at > now)
            }
        }
    }

    /// When the end of a session waits no longer for this life.
    fn left_at(&self) -> Option<Moment> {
        let State::Stopping(stopping) = &self.state else { return None };
        match stopping.stage {
            Stage::Asked { .. } => None,
            Stage::Killed { since } | Stage::Unanswered { since, is_kill: true } => Some(since + LEFT_AFTER),
            Stage::Unanswered { since, is_kill: false } => Some(since + self.plan.stop_timeout + LEFT_AFTER),
        }
    }

    /// The stop that is under way.
    fn stop(&self) -> Option<Stop> {
        let State::Stopping(stopping) = &self.state else { return None };
        let (since, stage) = match stopping.stage {
            Stage::Unanswered { since, .. } => (since, StopStage::Starting),
            Stage::Asked { since } => (since, StopStage::KilledAt(since + self.plan.stop_timeout)),
            Stage::Killed { since } => (since, StopStage::Killed),
        };
        Some(Stop { who: Who::Process(self.name.clone()), since, stage })
    }

    fn is_down(&self) -> bool {
        matches!(self.state, State::Down)
    }

    fn is_left(&self, now: Moment) -> bool {
        self.left_at().is_some_and(|left_at| left_at <= now)
    }
}

impl Processes {
    /// The session ends: nothing starts any more, nothing is probed; lives end in [`Self::advance_ending`].
    pub(crate) fn drain(&mut self, turn: &mut Turn) {
        self.is_draining = true;
        for process in self.all.values_mut() {
            process.is_wanted = false;
            match &mut process.state {
                State::Up { probing, .. } => probing.stop(turn),
                State::Waiting { .. } | State::Held(_) | State::Starting | State::BackingOff { is_gone: true, .. } => {
                    process.leave(turn, Then::Rest);
                }
                State::Stopping(stopping) => stopping.then = Then::Rest,
                State::Down | State::Lingering | State::BackingOff { is_gone: false, .. } => {}
            }
        }
        turn.stir();
    }

    /// Stops each life whose dependants are gone.
    pub(super) fn advance_ending(&mut self, turn: &mut Turn) {
        let now = turn.now;
        let blocked = |name: &ProcessName| {
            self.all
                .values()
                .any(|other| other.plan.depends_on.contains(name) && !other.is_down() && !other.is_left(now))
        };
        let next: Vec<ProcessName> = self
            .all
            .values()
            .filter(|process| !matches!(process.state, State::Down | State::Stopping(_)) && !blocked(&process.name))
            .map(|process| process.name.clone())
            .collect();
        for name in next {
            if let Some(process) = self.all.get_mut(&name) {
                process.leave(turn, Then::Rest);
            }
        }
    }

    /// Kills everything at once.
    pub(crate) fn kill_all(&mut self, turn: &mut Turn) {
        for process in self.all.values_mut() {
            process.kill(turn);
        }
    }

    /// Whether nothing is left that is worth waiting for.
    pub(crate) fn are_over(&self, now: Moment) -> bool {
        self.all.values().all(|process| process.is_down() || process.is_left(now))
    }

    /// All stops that are under way.
    pub(crate) fn stops(&self) -> impl Iterator<Item = Stop> {
        self.all.values().filter_map(Process::stop)
    }

    /// Devloop stood still.
    pub(crate) fn slept(&mut self, turn: &mut Turn) {
        for process in self.all.values_mut() {
            process.slept(turn);
        }
    }

    /// Who has not ended yet.
    pub(crate) fn not_gone(&self) -> Vec<ProcessName> {
        self.all.values().filter(|process| !process.is_down()).map(|process| process.name.clone()).collect()
    }
}
