//! The way to the end of a session: running, draining, perhaps killing, one last save, ended.

use super::hooks::Hooks;
use super::processes::Processes;
use crate::effect::Ending;
use crate::moment::Moment;

/// A session that ends.
pub(crate) struct Drain {
    ending: Ending,
}

impl Drain {
    /// The end begins.
    pub(crate) fn new(ending: Ending) -> Self {
        Self { ending }
    }

    /// However it began, going on is impossible.
    pub(crate) fn fail(&mut self) {
        self.ending = Ending::Failed;
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
}
