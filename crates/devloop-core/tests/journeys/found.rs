//! What the simulation found, one story a seed, so that it stays found.

use crate::build::{Planned, hook, log, needs, sleep, start, stop, wait, write};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::plan::output::{Extract, Pattern, RulePlan};
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::process::ProcessPlan;
use expect_test::expect;
use std::time::Duration;

/// Seed 85.
#[test]
fn a_start_that_was_held_for_the_file_looks_at_its_dependencies_again() {
    let plan = Planned::new()
        .process("db", |_| {})
        .process("server", |server| {
            server.depends_on = needs(&["db"]);
            let pattern = Pattern::new(regex::Regex::new("(.)").unwrap());
            let extract = Extract::Regex { pattern, capture_group: 1 };
            server.output.rules.push(RulePlan { state_key: "port".into(), extract });
        })
        .workflow("off", [start("db"), stop("db")])
        .watch("off", "src/")
        .startup(&["off"]);
    let script = Script { shows_everything: true, ..Script::default() };
    check(
        &Story::begins(plan, script).until(2000),
        &expect![[r#"
            +0ms SessionBegan → watch, save v1
            +1ms WatchingBegan → 'off began'
            +1ms saved v1 → save v3
            +2ms saved v3 → start db#1
            +4ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', stop db#1, save v4
            +5ms saved v4 → 'ProcessHeldBack { process: server, cause: ProcessStopped { process: db } }'
            +9ms db#1 exited with signal 15 (SIGTERM)
            +10ms db#1 gone → 'ProcessStopped { process: db }', 'off finished'
            +705ms DeadlineReached → sync v4
            +706ms synced v4
        "#]],
    );
}

/// Seeds 136 and 294.
#[test]
fn a_start_that_is_wanted_again_waits_for_what_was_written_since() {
    let plan = Planned::new()
        .process("server", |_| {})
        .workflow("w", [write("a", "1"), start("server"), log("started")])
        .watch("w", "src/")
        .startup(&["w"]);
    let script = Script { shows_everything: true, ..Script::default() };
    check(
        &Story::begins(plan, script).until(2000),
        &expect![[r#"
            +0ms SessionBegan → watch, save v1
            +1ms WatchingBegan → 'w began'
            +1ms saved v1 → save v4
            +2ms saved v4 → start server#1
            +4ms server#1 started → 'ProcessStarted { process: server, pid: 7 }', "w: started", 'w finished'
            +702ms DeadlineReached → sync v4
            +703ms synced v4
        "#]],
    );
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
        .watch("w1", "one/")
        .watch("w2", "two/")
        .watch("w3", "all/")
        .and_watch("all1", "all/", "w1")
        .and_watch("all2", "all/", "w2")
        .debounce(0);
    let script = Script { hook_takes: [("one", 500), ("two", 100)].into(), ..Script::default() };
    let mut story =
        Story::begins(plan, script).saves(100, "one/x").saves(110, "two/x").saves(120, "two/y").saves(140, "all/z");
    check(
        &story.until(2000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +100ms PathsTouched [Settled one/x] → 'w1 began with 1 files'
            +101ms saved v3 → hook one t1 for w1 ["one/x"]
            +110ms PathsTouched [Settled two/x] → 'w2 began with 1 files'
            +111ms saved v5 → hook two t2 for w2 ["two/x"]
            +120ms PathsTouched [Settled two/y]
            +140ms PathsTouched [Settled all/z]
            +211ms hook t2 ended with exit status 0, Nothing → 'w2 finished', 'w2 began with 2 files'
            +212ms saved v6 → hook two t3 for w2 ["all/z", "two/y"]
            +312ms hook t3 ended with exit status 0, Nothing → 'w2 finished'
            +601ms hook t1 ended with exit status 0, Nothing → 'w1 finished', 'w1 began with 1 files'
            +602ms saved v8 → hook one t4 for w1 ["all/z"]
            +1102ms hook t4 ended with exit status 0, Nothing → 'w1 finished', 'w3 began with 1 files'
            +1103ms saved v9 → hook three t5 for w3 ["all/z"]
            +1113ms hook t5 ended with exit status 0, Nothing → 'w3 finished'
        "#]],
    );
}

/// Seed 904.
#[test]
fn waiting_for_a_process_whose_dependency_is_late_fails() {
    let readiness = ProbePlan {
        kind: ProbeKind::StateKey { key: "never".into() },
        interval: Duration::from_millis(500),
        timeout: Duration::from_secs(1),
    };
    let plan = Planned::new()
        .process("db", |db| db.readiness = Some(readiness))
        .process("server", |server| server.depends_on = needs(&["db"]))
        .workflow("w", [sleep(10), wait("server"), log("never said")])
        .watch("w", "src/")
        .debounce(0);
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a").saves(3000, "src/b");
    check(
        &story.until(10_000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start db#1
        +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }'
        +100ms PathsTouched [Settled src/a] → 'w began with 1 files'
        +1003ms DeadlineReached → 'ProcessNotReady { process: db, within: 1s, last: None }', 'w failed in w step 2 wait_for_process: DependencyFailed { process: server, cause: ProcessNotReady { process: db, within: 1s, last: None } }'
        +3000ms PathsTouched [Settled src/b] → 'w began with 1 files'
        +4010ms DeadlineReached → 'w failed in w step 2 wait_for_process: DependencyFailed { process: server, cause: ProcessNotReady { process: db, within: 1s, last: None } }'
    "#]],
    );
}

/// Seeds 25726, 30037 and 59282.
#[test]
fn what_a_process_left_when_it_ended_by_itself_holds_up_nobody_that_a_saved_config_starts() {
    let slower = |process: &mut ProcessPlan| process.stop_timeout = Duration::from_secs(9);
    let before = Planned::new().process("setup", |_| {}).process("server", |_| {});
    let after = Planned::new().process("setup", slower).process("server", slower).process("web", |_| {});
    // It started a daemon and ended well: the daemon lives on, and the config that changed it does not end it.
    let script = Script { leftovers: ["setup"].into(), ..Script::default() };
    let mut story = Story::begins(before, script).exits(50, "setup", 1, 0).config(100, after);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start server#1, start setup#1
            +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +3ms setup#1 started → 'ProcessStarted { process: setup, pid: 7 }'
            +50ms setup#1 exited with exit status 0 → 'ProcessExited { process: setup, status: Code(0), again_in: None }'
            +100ms PlanTouched
            +150ms DeadlineReached → load
            +151ms loaded a plan → apply, stop server#1, 'process server Changed, Restart', 'process setup Changed', 'process web Added, Start'
            +156ms server#1 exited with signal 15 (SIGTERM)
            +157ms server#1 gone → 'ProcessStopped { process: server }', start server#2, start web#1
            +159ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
            +159ms web#1 started → 'ProcessStarted { process: web, pid: 7 }'
        "#]],
    );
}
