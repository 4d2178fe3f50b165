//! Children that print, and a terminal that does not take it.
#![expect(clippy::unnecessary_wraps, reason = "all faults have one form")]

use super::pass;
use crate::dice::Dice;
use crate::world::{Outcome, World};
use rustix::process::Signal;

/// Nobody reads what devloop prints. Everything that is no output goes on; then somebody reads again.
pub(crate) fn stall(world: &mut World, dice: &mut Dice) -> Outcome {
    world.ears.stall(true);
    world.order("printer", &format!("numbered {} 90", dice.between(1000, 20_000)));
    pass(dice, 1500);
    let result = world
        .until_up("a post is accepted though nobody reads", |world| (world.load.post(2) == Some(204)).then_some(()))
        .and_then(|()| {
            let before = world.runs().len();
            world.project.file("src/stalled", &world.load.new_value());
            world.until_up("a change leads to a run though nobody reads", |world| {
                (world.runs().len() > before).then_some(())
            })
        });
    pass(dice, 1500);
    world.ears.stall(false);
    result
}

pub(crate) fn flood(world: &mut World, dice: &mut Dice) -> Outcome {
    for name in ["printer", "db", "client"] {
        if dice.one_in(2) {
            world.order(name, &format!("numbered {} {}", dice.between(1, 20_000), dice.between(1, 300)));
        }
    }
    Ok(())
}

/// A line without an end, up to 64 MB: every byte is shown.
pub(crate) fn endless(world: &mut World, dice: &mut Dice) -> Outcome {
    let megabytes = if dice.one_in(8) { 64 } else { dice.between(1, 4) };
    world.tell(format!("  {megabytes} MiB"));
    let before = world.ears.heard().endless;
    let printer = world.pid_of("printer");
    world.order("printer", &format!("endless {megabytes}"));
    let bytes = before + megabytes as u64 * 1024 * 1024;
    world.until_up("all of the line is shown", |world| {
        // Somebody else may have killed it meanwhile.
        let is_cut = printer.is_none() || world.pid_of("printer") != printer;
        (is_cut || world.ears.heard().endless >= bytes).then_some(())
    })?;
    let shown = world.ears.heard().endless;
    if shown > bytes { Err(format!("{shown} bytes of {bytes} were shown")) } else { Ok(()) }
}

pub(crate) fn noise(world: &mut World, dice: &mut Dice) -> Outcome {
    world.order("tool", &format!("noise {}", dice.between(10, 2000)));
    world.order("tool", "partial prompt>");
    pass(dice, 1500);
    world.order("tool", "partial \rdone");
    Ok(())
}

/// It dies in the middle of what it prints; what it has printed is shown.
pub(crate) fn last_words(world: &mut World, dice: &mut Dice) -> Outcome {
    world.order("printer", &format!("numbered {} 100", dice.between(1000, 10_000)));
    if dice.one_in(2) {
        world.order("printer", "exit 1");
    } else {
        pass(dice, 50);
        let pid = world.pid_of("printer");
        world.signal(pid, Signal::KILL);
    }
    Ok(())
}
