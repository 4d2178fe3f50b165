//! The faults that a session has to survive. Each repairs what it broke, so that the invariants can be looked at.

mod clients;
mod files;
mod output;
mod processes;
mod state;

use crate::dice::Dice;
use crate::world::{Outcome, World};
use std::sync::LazyLock;

/// One kind of fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// How often it comes, compared with the others.
    pub(crate) weight: usize,
    pub(crate) throw: fn(&mut World, &mut Dice) -> Outcome,
}

pub(crate) const FAULTS: &[Fault] = &[
    Fault { name: "a child is killed", weight: 3, throw: processes::kill_child },
    Fault { name: "a group is killed", weight: 2, throw: processes::kill_group },
    Fault { name: "a keeper is killed", weight: 3, throw: processes::kill_keeper },
    Fault { name: "a stopped child is restarted", weight: 3, throw: processes::stop_child },
    Fault { name: "devloop is stopped and goes on", weight: 3, throw: processes::stop_devloop },
    Fault { name: "a storm of restarts", weight: 3, throw: processes::restart_storm },
    Fault { name: "a broken program", weight: 3, throw: processes::broken_program },
    Fault { name: "a tree that forks", weight: 2, throw: processes::fork_tree },
    Fault { name: "a crash loop", weight: 2, throw: processes::crash_loop },
    Fault { name: "a stranger has the port", weight: 2, throw: processes::stranger },
    Fault { name: "a moody probe server", weight: 3, throw: processes::mood },
    Fault { name: "a daemon stays behind", weight: 2, throw: processes::daemon },
    Fault { name: "a hook is killed", weight: 2, throw: processes::kill_hook },
    Fault { name: "a second session", weight: 1, throw: processes::second_session },
    Fault { name: "a storm of files", weight: 3, throw: files::storm },
    Fault { name: "a switch of branches", weight: 3, throw: files::switch },
    Fault { name: "a folder is removed and made again", weight: 3, throw: files::remove_and_make },
    Fault { name: "a folder is renamed", weight: 3, throw: files::rename_folder },
    Fault { name: "saves of editors", weight: 4, throw: files::saves },
    Fault { name: "new folders in one go", weight: 3, throw: files::new_folders },
    Fault { name: "a polled value changes", weight: 1, throw: files::polled },
    Fault { name: "a storm of events", weight: 3, throw: clients::storm },
    Fault { name: "rude clients", weight: 3, throw: clients::rude },
    Fault { name: "half-open connections", weight: 2, throw: clients::half_open },
    Fault { name: "wrong tokens", weight: 2, throw: clients::wrong_tokens },
    Fault { name: "reload listeners that stall", weight: 2, throw: clients::stalled_listeners },
    Fault { name: "nobody reads", weight: 3, throw: output::stall },
    Fault { name: "a flood of lines", weight: 3, throw: output::flood },
    Fault { name: "a line without an end", weight: 2, throw: output::endless },
    Fault { name: "noise and pieces of lines", weight: 2, throw: output::noise },
    Fault { name: "a child dies after a flood", weight: 2, throw: output::last_words },
    Fault { name: "the state file is in the way", weight: 2, throw: state::file },
    Fault { name: "the state folder is in the way", weight: 2, throw: state::folder },
    Fault { name: "the logs are in the way", weight: 1, throw: state::logs },
];

/// The faults that are asked for: all, or those whose names have a part that `CHAOS_FAULTS` names.
static ASKED: LazyLock<Vec<&Fault>> = LazyLock::new(|| {
    let parts = std::env::var("CHAOS_FAULTS").unwrap_or_default();
    let is_asked = |fault: &&Fault| parts.split(',').any(|part| fault.name.contains(part.trim()));
    let asked: Vec<&Fault> = FAULTS.iter().filter(is_asked).collect();
    assert!(!asked.is_empty(), "no fault has a name with a part of CHAOS_FAULTS='{parts}'");
    asked
});

/// The fault that comes next.
pub(crate) fn draw(dice: &mut Dice) -> &'static Fault {
    let mut left = dice.below(ASKED.iter().map(|fault| fault.weight).sum());
    for fault in ASKED.iter() {
        match left.checked_sub(fault.weight) {
            Some(rest) => left = rest,
            None => return fault,
        }
    }
    unreachable!("the dice stay below the sum of all weights")
}

/// Lets a drawn time pass: the only waits here that are for a time, since faults come at any.
pub(crate) fn pass(dice: &mut Dice, milliseconds_max: usize) {
    let milliseconds = u64::try_from(dice.below(milliseconds_max + 1)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}
