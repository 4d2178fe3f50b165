//! The end: ctrl-c once and twice, levels, what does not go, a lost guardian.

use crate::build::{Planned, hook, http, log, needs};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::fact::Fact;
use expect_test::expect;
use std::time::Duration;

fn levels() -> Planned {
    Planned::new()
        .process("db", |db| db.stop_timeout = Duration::from_millis(1000))
        .process("cache", |_| {})
        .process("server", |server| server.depends_on = needs(&["db", "cache"]))
        .hook("build", |_| {})
        .workflow("w", [hook("build"), log("never said")])
        .watch("w", "src/")
}

#[test]
fn ctrl_c_stops_level_by_level_and_saves() {
    let mut story = Story::begins(levels(), Script::default()).interrupted(1000);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_during_a_hook_cancels_it_and_starts_nothing_more() {
    let script = Script { hook_takes: [("build", 60_000)].into(), ..Script::default() };
    let mut story = Story::begins(levels(), script).saves(900, "src/a").saves(999, "src/b").interrupted(1000);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn the_grace_period_counts_for_each_level() {
    let script = Script { deaf: ["server", "db"].into(), ..Script::default() };
    let mut story = Story::begins(levels(), script).interrupted(1000);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn a_second_ctrl_c_kills_what_is_still_stopping() {
    let script = Script {
        deaf: ["server", "db"].into(),
        hook_takes: [("build", u64::MAX)].into(),
        deaf_hooks: ["build"].into(),
        ..Script::default()
    };
    let mut story = Story::begins(levels(), script).saves(900, "src/a").interrupted(1000).interrupted(1200);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_while_the_first_process_starts_ends_that_too() {
    let mut story = Story::begins(levels(), Script::default()).interrupted(2);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_before_watches_are_live_ends_at_once() {
    let mut story = Story::begins(levels(), Script::default()).interrupted(0);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_stops_probes() {
    let plan = Planned::new()
        .process("server", |server| server.readiness = http(500, 15_000))
        .workflow("w", [log("w")])
        .watch("w", "src/");
    let script =
        Script { ready_after: [("server", 60_000)].into(), shows_everything: true, ..Script::default() };
    let mut story = Story::begins(plan, script);
    story.until(1000);
    let mut story = story.interrupted(1001);
    check(&story.until(2000), &expect![""]);
}

#[test]
fn without_its_guardian_a_session_stops_everything_and_fails() {
    let mut story = Story::begins(levels(), Script::default()).at(1000, Fact::GuardianLost);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn what_survives_sigkill_is_named_and_left_after_ten_seconds() {
    let script = Script { deaf: ["server"].into(), undying: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(levels(), script).interrupted(1000);
    check(&story.until(60_000), &expect![""]);
    assert!(story.has_ended());
}
