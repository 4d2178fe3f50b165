//! Thousands of simulated sessions. A seed draws the plan, the faults and what comes from outside; checkers with
//! oracles of their own watch every step. `SIM_SEED=n` shows one session in full, `SIM_SEEDS=n` lives that many,
//! `SIM_FROM=n` from that one on, `SIM_FAILURES=n` up to that many broken ones.

#![expect(clippy::unwrap_used, reason = "what a test builds by hand is right, or the test is wrong")]

mod checkers;
mod dice;
mod edits;
mod faults;
mod marks;
mod plans;
mod session;
mod store;
mod told;
#[path = "../stage/trace.rs"]
mod trace;
mod world;

use session::Session;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Sessions in every `cargo test`.
const SEEDS: u64 = 3_000;
/// Lines of a failed session that are shown without `SIM_SEED`.
const TAIL: usize = 60;
/// Failed sessions that are counted before giving up: which seeds fail in the same way helps to find the cause.
const FAILURES_MAX: u64 = 20;

/// A number from the environment: which sessions are lived is for whoever runs the test to say.
#[expect(clippy::disallowed_methods, reason = "the test is told by its environment; the core is not")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Lives one session through; what was broken, if anything, a panic of the engine included.
fn live(seed: u64, is_traced: bool) -> (Session, Option<String>) {
    let mut session = Session::new(seed, is_traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| session.live()));
    let broken = match outcome {
        Ok(outcome) => outcome.err(),
        Err(_) => Some("the engine panicked".to_owned()),
    };
    (session, broken)
}

/// A seed in words, with the last lines of its trace.
fn report(seed: u64, broken: &str, tail: usize) -> String {
    let lines = live(seed, true).0.trace.unwrap_or_default();
    let from = lines.len().saturating_sub(tail);
    let head: Vec<&str> = lines.iter().take_while(|line| !line.starts_with('+')).map(String::as_str).collect();
    format!(
        "SIM_SEED={seed}: {broken}\n{}\n…\n{}\nSIM_SEED={seed}: {broken}",
        head.join("\n"),
        lines[from..].join("\n")
    )
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever asks for one seed wants to see it")]
fn thousands_of_sessions_keep_every_promise() {
    if let Some(seed) = number("SIM_SEED") {
        let (session, broken) = live(seed, true);
        eprintln!("{}", session.trace.unwrap_or_default().join("\n"));
        assert_eq!(broken, None, "SIM_SEED={seed}");
        return;
    }
    let from = number("SIM_FROM").unwrap_or(0);
    let mut steps = 0;
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut failures = Vec::new();
    let most = number("SIM_FAILURES").unwrap_or(FAILURES_MAX);
    for seed in from..from + number("SIM_SEEDS").unwrap_or(SEEDS) {
        let (session, broken) = live(seed, false);
        steps += session.steps;
        session.tally.iter().for_each(|(rare, times)| *tally.entry(rare).or_default() += times);
        failures.extend(broken.map(|broken| (seed, broken)));
        if failures.len() as u64 >= most {
            break;
        }
    }
    eprintln!("{steps} steps, {tally:?}");
    if let Some((seed, broken)) = failures.first() {
        let others: Vec<String> =
            failures[1..].iter().map(|(seed, broken)| format!("SIM_SEED={seed}: {broken}")).collect();
        panic!("{}\n{}", report(*seed, broken, TAIL), others.join("\n"));
    }
    let is_enough = number("SIM_SEEDS").is_none_or(|seeds| seeds >= SEEDS);
    if is_enough {
        assert_eq!(told::RARE.iter().find(|rare| !tally.contains_key(*rare)), None, "never lived through");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in (0..400).step_by(8) {
        let (one, other) = (live(seed, true).0.trace, live(seed, true).0.trace);
        assert_eq!(one, other, "SIM_SEED={seed}");
        assert!(one.is_some_and(|lines| lines.len() > 2), "SIM_SEED={seed} has no trace");
    }
}
