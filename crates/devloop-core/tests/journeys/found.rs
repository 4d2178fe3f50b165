//! What the simulation found, one story a seed, so that it stays found.

use crate::build::{Planned, hook, log, needs, sleep, start, stop, wait, write};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use expect_test::expect;
use std::time::Duration;

/// Seed 85.
#[test]
fn a_start_that_was_held_for_the_file_looks_at_its_dependencies_again() {
    let plan = Planned::new()
        .process("db", |_| {})
        .process("server", |server| server.depends_on = needs(&["db"]))
        .workflow("off", [write("k", "v"), stop("db")])
        .watch("off", "src/")
        .startup(&["off"]);
    check(&Story::begins(plan, Script::default()).until(1000), &expect![""]);
}

/// Seeds 136 and 294.
#[test]
fn a_start_that_is_wanted_again_waits_for_what_was_written_since() {
    let plan = Planned::new()
        .process("server", |server| server.autostart = false)
        .process("db", |db| db.autostart = false)
        .workflow("one", [write("a", "1"), start("server")])
        .workflow("two", [write("b", "2"), start("server"), log("started")])
        .watch("one", "one/")
        .watch("two", "two/")
        .startup(&["one"]);
    let script = Script { shows_everything: true, ..Script::default() };
    check(&Story::begins(plan, script).until(1000), &expect![""]);
}

/// Seed 549.
#[test]
fn a_batch_keeps_its_order_though_one_of_its_workflows_was_waiting_already() {
    let plan = Planned::new()
        .hook("one", |_| {})
        .hook("two", |_| {})
        .hook("three", |_| {})
        .workflow("w1", [hook("one")])
        .workflow("w2", [hook("two")])
        .workflow("w3", [hook("three")])
        .watch("w1", "**/*.rs")
        .watch("w2", "**/*")
        .watch("w3", "**/*.rs")
        .debounce(0);
    let script = Script { hook_takes: [("two", 100)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "a.txt").saves(120, "b.txt").saves(140, "c.rs");
    check(&story.until(1000), &expect![""]);
}

/// Seed 904.
#[test]
fn waiting_for_a_process_whose_dependency_is_late_fails() {
    let readiness = ProbePlan {
        kind: ProbeKind::StateKey { key: "never".into() },
        interval: Duration::from_millis(500),
        timeout: Duration::from_millis(1000),
    };
    let plan = Planned::new()
        .process("db", |db| db.readiness = Some(readiness))
        .process("server", |server| server.depends_on = needs(&["db"]))
        .workflow("w", [sleep(10), wait("server"), log("never said")])
        .watch("w", "src/")
        .debounce(0);
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a").saves(3000, "src/b");
    check(&story.until(10_000), &expect![""]);
}
