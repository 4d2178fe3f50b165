//! The way to the end of a session: running, draining, perhaps killing, one last save, ended.

use super::hooks::Hooks;
use super::processes::Processes;
use super::turn::Turn;
use crate::effect::Ending;
use crate::moment::Moment;
use crate::notice::Notice;
use std::time::Duration;

/// From the begin of the drain to the first word about who has not ended yet.
const FIRST_WORD_AFTER: Duration = Duration::from_secs(1);

/// From one such word to the next.
const NEXT_WORD_AFTER: Duration = Duration::from_secs(5);

/// A session that ends.
pub(crate) struct Drain {
    ending: Ending,
    tell_at: Moment,
}

impl Drain {
    /// The end begins.
    pub(crate) fn new(ending: Ending, now: Moment) -> Self {
        Self { ending, tell_at: now + FIRST_WORD_AFTER }
    }

    /// However it began, going on is impossible.
    pub(crate) fn fail(&mut self) {
        self.ending = Ending::Failed;
    }

    /// Says now and then who has not ended yet.
    pub(crate) fn expire(&mut self, turn: &mut Turn, processes: &Processes) {
        if self.tell_at <= turn.now {
            self.tell_at = turn.now + NEXT_WORD_AFTER;
            let names = processes.not_gone();
            if !names.is_empty() {
                turn.report(Notice::WaitingForStop { processes: names });
            }
        }
    }

    /// How the session ended.
    pub(crate) fn ending(&self, now: Moment, processes: &Processes, hooks: &Hooks) -> Ending {
        let left = processes.not_gone();
        if left.is_empty() && !hooks.has_left(now) {
            self.ending.clone()
        } else {
            Ending::Abandoned { processes: left }
        }
    }

    /// When the next word is due.
    pub(crate) fn next_deadline(&self) -> Moment {
        self.tell_at
    }
}
