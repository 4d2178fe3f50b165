//! How sessions end, and how the next one begins.

use crate::dice::Dice;
use crate::faults::pass;
use crate::invariants::{Ending, after_end};
use crate::world::{Outcome, World};
use rustix::process::Signal;

/// One way to end a session.
pub(crate) struct End {
    pub(crate) name: &'static str,
    pub(crate) weight: usize,
    throw: fn(&mut World, &mut Dice) -> Ending,
}

pub(crate) const ENDS: &[End] = &[
    End { name: "devloop is asked to end", weight: 4, throw: ask },
    End { name: "devloop is asked twice", weight: 2, throw: ask_twice },
    End { name: "devloop is asked while nobody reads", weight: 1, throw: ask_stalled },
    End { name: "devloop is killed", weight: 5, throw: kill },
    End { name: "devloop is killed in a storm of restarts", weight: 3, throw: kill_in_a_storm },
    End { name: "devloop is killed while it ends", weight: 3, throw: kill_while_it_ends },
    End { name: "devloop dies of a bug", weight: 1, throw: bug },
    End { name: "the guardian is killed", weight: 3, throw: kill_guardian },
    End { name: "devloop and its guardian are killed", weight: 2, throw: kill_both },
    End { name: "devloop, its guardian and all keepers are killed", weight: 2, throw: kill_all },
];

const KILLED: Ending = Ending { code: None, is_lossless: false, is_clean: true };
const ASKED: Ending = Ending { code: Some(0), is_lossless: true, is_clean: true };

/// The end that comes next.
pub(crate) fn draw(dice: &mut Dice) -> &'static End {
    let mut left = dice.below(ENDS.iter().map(|end| end.weight).sum());
    for end in ENDS {
        match left.checked_sub(end.weight) {
            Some(rest) => left = rest,
            None => return end,
        }
    }
    unreachable!("the dice stay below the sum of all weights")
}

/// Ends the session and looks at what is left of it.
pub(crate) fn end(world: &mut World, end: &End, dice: &mut Dice) -> Outcome {
    let ending = (end.throw)(world, dice);
    after_end(world, ending)
}

/// The end of everything.
pub(crate) fn end_well(world: &mut World) -> Outcome {
    to_devloop(world, Signal::INT);
    after_end(world, ASKED)
}

/// Starts sessions: some are ended before they are up, the last one stays.
pub(crate) fn begin(world: &mut World, dice: &mut Dice) -> Outcome {
    while dice.one_in(4) {
        let is_kill = dice.one_in(2);
        world.tell(format!("a session that is {} at its start", if is_kill { "killed" } else { "asked to end" }));
        world.launch();
        if is_kill {
            pass(dice, 150);
            to_devloop(world, Signal::KILL);
            after_end(world, KILLED)?;
        } else {
            // Before its first words nothing has begun, and the signal does what it does to any program.
            world.until("the session says something", |world| (!world.ears.heard().own.is_empty()).then_some(()))?;
            pass(dice, 150);
            to_devloop(world, Signal::INT);
            after_end(world, ASKED)?;
        }
    }
    world.tell("a session");
    world.launch();
    Ok(())
}

fn to_devloop(world: &mut World, signal: Signal) {
    let pid = world.session().pid();
    world.signal(pid, signal);
}

fn ask(world: &mut World, dice: &mut Dice) -> Ending {
    let signal = *dice.pick(&[Signal::INT, Signal::TERM, Signal::HUP]);
    to_devloop(world, signal);
    ASKED
}

fn ask_twice(world: &mut World, dice: &mut Dice) -> Ending {
    to_devloop(world, Signal::INT);
    pass(dice, 200);
    to_devloop(world, Signal::TERM);
    Ending { is_lossless: false, ..ASKED }
}

fn ask_stalled(world: &mut World, dice: &mut Dice) -> Ending {
    world.ears.stall(true);
    world.order("printer", "numbered 5000 100");
    pass(dice, 300);
    to_devloop(world, Signal::INT);
    Ending { is_lossless: false, ..ASKED }
}

fn kill(world: &mut World, dice: &mut Dice) -> Ending {
    pass(dice, 200);
    to_devloop(world, Signal::KILL);
    KILLED
}

fn kill_in_a_storm(world: &mut World, dice: &mut Dice) -> Ending {
    for _ in 0..dice.between(1, 20) {
        world.control(&format!("restart-{}", *dice.pick(&["web", "tree", "deaf", "tool", "db"])));
        world.project.file("src/killed", &world.load.new_value());
        pass(dice, 20);
    }
    to_devloop(world, Signal::KILL);
    KILLED
}

fn kill_while_it_ends(world: &mut World, dice: &mut Dice) -> Ending {
    to_devloop(world, Signal::TERM);
    pass(dice, 60);
    let has_ended = world.session().has_ended().is_some();
    if has_ended {
        return Ending { is_lossless: false, ..ASKED };
    }
    to_devloop(world, Signal::KILL);
    // It may have ended between the question and the signal.
    let code = world.until("devloop ends", |world| world.session().has_ended()).ok().and_then(|status| status.code());
    Ending { code: code.filter(|code| *code == 0), ..KILLED }
}

fn bug(world: &mut World, dice: &mut Dice) -> Ending {
    to_devloop(world, *dice.pick(&[Signal::ABORT, Signal::ILL, Signal::FPE]));
    KILLED
}

fn kill_guardian(world: &mut World, _dice: &mut Dice) -> Ending {
    let guardian = world.keepers().0;
    world.signal(guardian, Signal::KILL);
    Ending { code: Some(1), is_lossless: false, is_clean: true }
}

fn kill_both(world: &mut World, dice: &mut Dice) -> Ending {
    let guardian = world.keepers().0;
    let devloop = world.session().pid();
    let pids: Vec<u32> = guardian.into_iter().chain([devloop]).collect();
    kill_each(world, dice, &pids);
    KILLED
}

fn kill_all(world: &mut World, dice: &mut Dice) -> Ending {
    let (guardian, keepers) = world.keepers();
    let devloop = world.session().pid();
    let pids: Vec<u32> = guardian.into_iter().chain(keepers).chain([devloop]).collect();
    kill_each(world, dice, &pids);
    // Whoever watched is gone: direct children die with their keepers, the rest is found by the next session.
    Ending { is_clean: false, ..KILLED }
}

/// Kills them as if at once: stopped first, so that none sees the others go.
fn kill_each(world: &mut World, dice: &mut Dice, pids: &[u32]) {
    if dice.one_in(2) {
        for pid in pids {
            world.signal(*pid, Signal::STOP);
        }
    }
    let from = dice.below(pids.len());
    for pid in pids[from..].iter().chain(&pids[..from]) {
        world.signal(*pid, Signal::KILL);
    }
}
