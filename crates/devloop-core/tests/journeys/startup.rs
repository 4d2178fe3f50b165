//! The beginning: what comes first, what a failure there means.

use crate::build::{Planned, hook, http, log, start};
use crate::check;
use crate::story::{Script, Story, exits};
use devloop_core::fact::{Captured, StartFailure};
use expect_test::expect;

fn taken() -> StartFailure {
    StartFailure::AddressInUse { address: "127.0.0.1:8080".to_owned() }
}

#[test]
fn watches_are_live_before_processes_and_startup_workflows_and_those_go_on_after_a_failed_one() {
    let plan = Planned::new()
        .process("server", |_| {})
        .hook("bad", |_| {})
        .hook("good", |_| {})
        .workflow("z_first", [hook("bad"), log("never said")])
        .workflow("a_second", [hook("good"), log("said")])
        .watch("z_first", "src/")
        .startup(&["z_first", "a_second"]);
    let script = Script { hook_ends: [("bad", vec![exits(1, Captured::Nothing)])].into(), ..Script::default() };
    check(&Story::begins(plan, script).until(1000), &expect![""]);
}

#[test]
fn a_taken_address_during_startup_ends_the_session() {
    let plan = Planned::new()
        .process("other", |_| {})
        .process("server", |server| server.readiness = http(500, 15_000))
        .workflow("w", [log("w")])
        .watch("w", "src/");
    let script = Script { start_failures: [("server", (1, taken()))].into(), ..Script::default() };
    let mut story = Story::begins(plan, script);
    check(&story.until(1000), &expect![""]);
    assert!(story.has_ended());
}

#[test]
fn a_taken_address_later_fails_the_workflow() {
    let plan = Planned::new()
        .process("server", |server| {
            server.readiness = http(500, 15_000);
            server.autostart = false;
        })
        .workflow("w", [start("server"), log("never said")])
        .watch("w", "src/");
    let script = Script { start_failures: [("server", (1, taken()))].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(&story.until(1000), &expect![""]);
    assert!(!story.has_ended());
}

#[test]
fn a_change_during_startup_is_not_lost() {
    let plan = Planned::new()
        .hook("build", |_| {})
        .workflow("w", [hook("build"), log("{{ last_changed_files }}")])
        .watch("w", "src/")
        .startup(&["w"]);
    let mut story = Story::begins(plan, Script::default()).saves(5, "src/a");
    check(&story.until(1000), &expect![""]);
}
