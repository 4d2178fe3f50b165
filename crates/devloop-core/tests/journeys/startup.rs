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
    check(
        &Story::begins(plan, script).until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan → 'z_first began'
        +1ms saved v1 → start server#1
        +2ms saved v3 → hook bad t1 for z_first
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +12ms hook t1 ended with exit status 1, Nothing → 'z_first failed in z_first step 1 run_hook: HookFailed { hook: bad, status: Code(1) }', 'a_second began'
        +13ms saved v4 → hook good t2 for a_second
        +23ms hook t2 ended with exit status 0, Nothing → "a_second: said", 'a_second finished'
    "#]],
    );
}

#[test]
fn a_taken_address_during_startup_ends_the_session() {
    let plan = Planned::new()
        .process("other", |_| {})
        .process("server", |server| server.readiness = Some(http(500, 15_000)))
        .workflow("w", [log("w")])
        .watch("w", "src/");
    let script = Script { start_failures: [("server", (1, taken()))].into(), ..Script::default() };
    let mut story = Story::begins(plan, script);
    check(
        &story.until(1000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start other#1, start server#1
            +3ms other#1 started → 'ProcessStarted { process: other, pid: 7 }'
            +3ms server#1 failed to start: AddressInUse { address: "127.0.0.1:8080" } → 'ProcessStartFailed { process: server, failure: AddressInUse { address: "127.0.0.1:8080" }, again_in: None }', stop other#1
            +8ms other#1 exited with signal 15 (SIGTERM)
            +9ms other#1 gone → 'ProcessStopped { process: other }', end as failed
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn a_taken_address_later_fails_the_workflow() {
    let plan = Planned::new()
        .process("server", |server| {
            server.readiness = Some(http(500, 15_000));
            server.autostart = false;
        })
        .workflow("w", [start("server"), log("never said")])
        .watch("w", "src/");
    let script = Script { start_failures: [("server", (1, taken()))].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +103ms saved v3 → start server#1
        +105ms server#1 failed to start: AddressInUse { address: "127.0.0.1:8080" } → 'ProcessStartFailed { process: server, failure: AddressInUse { address: "127.0.0.1:8080" }, again_in: None }', 'w failed in w step 1 start_process: ProcessStartFailed { process: server, failure: AddressInUse { address: "127.0.0.1:8080" } }'
    "#]],
    );
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
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan → 'w began'
        +2ms saved v3 → hook build t1 for w
        +5ms PathsTouched [Settled src/a]
        +12ms hook t1 ended with exit status 0, Nothing → "w: []", 'w finished', 'w began with 1 files'
        +13ms saved v4 → hook build t2 for w ["src/a"]
        +23ms hook t2 ended with exit status 0, Nothing → "w: ["src/a"]", 'w finished'
    "#]],
    );
}
