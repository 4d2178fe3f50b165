//! Chaos: a session with everything in it, random faults, and after each a look at everything that must hold.
//!
//! `CHAOS_SECONDS` says for how long, `CHAOS_SEED` which faults come in which order; both are printed, and a violation
//! is told with the seed, the faults so far with their times, and what the session said last. `CHAOS_LOUD` shows the
//! story while it happens, `CHAOS_DEVLOOP` is the program that suffers instead of this build's, and `CHAOS_FAULTS`
//! throws only faults whose names have one of these parts (between commas).
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and tells its story")]

mod census;
mod dice;
mod ears;
mod endings;
mod faults;
mod invariants;
mod load;
mod world;

use dice::Dice;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use world::{Outcome, World};

/// How long it takes when nobody says otherwise.
const SECONDS: u64 = 12;

/// What lasts at least this long begins with one session for two thirds of the time: only there a slope of its memory
/// can be seen.
const SOAK: Duration = Duration::from_secs(25 * 60);

#[test]
fn t3_a_session_survives_whatever_is_done_to_it() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("CHAOS_SEED").unwrap_or_else(|| RandomState::new().hash_one("chaos"));
    let time = Duration::from_secs(number("CHAOS_SECONDS").unwrap_or(SECONDS));
    eprintln!("CHAOS_SEED={seed}, for {} s", time.as_secs());
    let mut programs = e2e::programs!();
    if let Ok(program) = std::env::var("CHAOS_DEVLOOP") {
        programs.devloop = program.leak();
    }
    let mut world = World::new(e2e::Project::new(programs));
    // Also a fault that cannot be thrown is told with all that came before.
    let suffers = AssertUnwindSafe(|| suffer(&mut world, &mut Dice::new(seed), time));
    let result = catch_unwind(suffers).unwrap_or_else(|_| Err("the driver itself has failed, see above".to_owned()));
    world.load.end();
    world.ears.stall(false);
    if let Err(words) = result {
        panic!("{words}\n{}\n{}", story(&world, seed), figures(&world, seed));
    }
    eprintln!("{}", figures(&world, seed));
    assert!(world.figures.rests > 0);
}

/// Session after session until the time is over. Only the dice decide what comes, the time only when it ends.
fn suffer(world: &mut World, dice: &mut Dice, time: Duration) -> Outcome {
    if time >= SOAK {
        soak(world, &mut dice.fork(), time * 2 / 3)?;
    }
    loop {
        endings::begin(world, &mut dice.fork())?;
        invariants::at_rest(world)?;
        let faults = match dice.below(20) {
            0 => dice.between(50, 300),
            1..=5 => dice.between(6, 15),
            _ => dice.between(1, 5),
        };
        for _ in 0..faults {
            if world.began.elapsed() >= time {
                return endings::end_well(world);
            }
            round(world, dice)?;
        }
        if dice.one_in(2) {
            throw(world, faults::draw(dice), &mut dice.fork())?;
        }
        let end = endings::draw(dice);
        world.tell(end.name);
        *world.figures.faults.entry(end.name).or_default() += 1;
        endings::end(world, end, &mut dice.fork())?;
    }
}

/// One session that suffers for a long time.
fn soak(world: &mut World, dice: &mut Dice, time: Duration) -> Outcome {
    endings::begin(world, &mut dice.fork())?;
    invariants::at_rest(world)?;
    while world.began.elapsed() < time {
        round(world, dice)?;
    }
    endings::end_well(world)
}

/// Some faults, often one by one, sometimes before the session has come to rest; then a look at everything.
fn round(world: &mut World, dice: &mut Dice) -> Outcome {
    let at_once = if dice.one_in(3) { dice.between(2, 4) } else { 1 };
    for _ in 0..at_once {
        throw(world, faults::draw(dice), &mut dice.fork())?;
    }
    invariants::at_rest(world)?;
    faults::pass(&mut dice.fork(), 300);
    Ok(())
}

fn throw(world: &mut World, fault: &faults::Fault, dice: &mut Dice) -> Outcome {
    world.tell(fault.name);
    *world.figures.faults.entry(fault.name).or_default() += 1;
    (fault.throw)(world, dice)?;
    world.is_up()
}

/// All that helps to find out what happened.
fn story(world: &World, seed: u64) -> String {
    let heard = world.ears.heard();
    let tail: Vec<&str> = heard.tail.iter().map(String::as_str).collect();
    let own: Vec<&str> = heard.own.iter().rev().take(80).rev().map(String::as_str).collect();
    let members: Vec<String> = world.census().iter().map(|member| format!("{member:?}")).collect();
    format!(
        "--- CHAOS_SEED={seed}, the faults:\n{}\n--- processes\n{}\n--- devloop's own last lines\n{}\n--- all last lines\n{}\n",
        world.history().join("\n"),
        members.join("\n"),
        own.join("\n"),
        tail.join("\n"),
    )
}

fn figures(world: &World, seed: u64) -> String {
    let figures = &world.figures;
    let slowest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    let faults: Vec<String> = figures.faults.iter().map(|(name, count)| format!("{count:5} {name}")).collect();
    format!(
        "CHAOS_SEED={seed}: {:.0} s, {} sessions, {} rests, {} faults\n{}\n{} posts accepted, {} reads of the state, {} numbered lines, \
         slowest clean-up {:?}, slowest end {:?}\n{}",
        world.began.elapsed().as_secs_f64(),
        figures.sessions,
        figures.rests,
        figures.faults.values().sum::<usize>(),
        faults.join("\n"),
        world.load.accepted.load(std::sync::atomic::Ordering::SeqCst),
        world.load.reads.load(std::sync::atomic::Ordering::SeqCst),
        figures.numbered_lines,
        slowest(&figures.cleanups),
        slowest(&figures.exits),
        figures.memory.join("\n"),
    )
}
