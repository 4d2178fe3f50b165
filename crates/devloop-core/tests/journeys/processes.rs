//! Lives of processes: exits, back-off, dependencies, leftovers.

use crate::build::{Planned, http, log, needs, restart, start, wait};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::fact::StartFailure;
use devloop_core::plan::process::{ProcessPlan, RestartPolicy};
use expect_test::expect;

/// A plan needs a workflow for its watch group.
fn quiet(plan: Planned) -> Planned {
    plan.workflow("w", [log("w")]).watch("w", "src/")
}

fn always(process: &mut ProcessPlan) {
    process.restart = RestartPolicy::Always;
}

fn refused() -> StartFailure {
    StartFailure::Refused {
        what: "program 'server' was not found in PATH".to_owned(),
        error: "No such file or directory (os error 2)".to_owned(),
    }
}

#[test]
fn a_process_that_exits_is_started_again_after_a_growing_delay() {
    let plan = quiet(Planned::new().process("server", always));
    let mut story = Story::begins(plan, Script::default())
        .exits(100, "server", 1, 1)
        .exits(600, "server", 2, 1)
        .exits(2000, "server", 3, 1);
    check(
        &story.until(5000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms server#1 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(230.575ms) }'
        +330.575ms DeadlineReached → start server#2
        +332.575ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        +600ms server#2 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(476.25ms) }'
        +1076.250ms DeadlineReached → start server#3
        +1078.250ms server#3 started → 'ProcessStarted { process: server, pid: 7 }'
        +2000ms server#3 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(1.0108s) }'
        +3010.800ms DeadlineReached → start server#4
        +3012.800ms server#4 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn ten_seconds_of_health_bring_the_first_delay_back() {
    let plan = quiet(Planned::new().process("server", always));
    let mut story = Story::begins(plan, Script::default())
        .exits(100, "server", 1, 1)
        .exits(600, "server", 2, 1)
        .exits(12_000, "server", 3, 1);
    check(
        &story.until(13_000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms server#1 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(230.575ms) }'
        +330.575ms DeadlineReached → start server#2
        +332.575ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        +600ms server#2 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(476.25ms) }'
        +1076.250ms DeadlineReached → start server#3
        +1078.250ms server#3 started → 'ProcessStarted { process: server, pid: 7 }'
        +12000ms server#3 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(252.7ms) }'
        +12252.700ms DeadlineReached → start server#4
        +12254.700ms server#4 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn a_success_is_no_reason_to_start_again_on_failure_and_one_to_never() {
    let plan = Planned::new()
        .process("job", |job| job.restart = RestartPolicy::OnFailure)
        .process("once", |once| once.restart = RestartPolicy::Never);
    let mut story = Story::begins(quiet(plan), Script::default()).exits(100, "job", 1, 0).exits(100, "once", 1, 1);
    check(
        &story.until(5000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start job#1, start once#1
        +3ms job#1 started → 'ProcessStarted { process: job, pid: 7 }'
        +3ms once#1 started → 'ProcessStarted { process: once, pid: 7 }'
        +100ms job#1 exited with exit status 0 → 'ProcessExited { process: job, status: Code(0), again_in: None }'
        +100ms once#1 exited with exit status 1 → 'ProcessExited { process: once, status: Code(1), again_in: None }'
    "#]],
    );
}

#[test]
fn a_start_that_fails_is_tried_again_like_any_other() {
    let plan = quiet(Planned::new().process("server", always));
    let script = Script { start_failures: [("server", (2, refused()))].into(), ..Script::default() };
    check(
        &Story::begins(plan, script).until(5000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 failed to start: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" } → 'ProcessStartFailed { process: server, failure: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" }, again_in: Some(230.575ms) }'
        +233.575ms DeadlineReached → start server#2
        +235.575ms server#2 failed to start: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" } → 'ProcessStartFailed { process: server, failure: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" }, again_in: Some(476.25ms) }'
        +711.825ms DeadlineReached → start server#3
        +713.825ms server#3 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn what_a_process_leaves_behind_is_gone_before_its_next_life() {
    let plan = quiet(Planned::new().process("server", always));
    let script = Script { leftovers: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).exits(100, "server", 1, 1);
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms server#1 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(230.575ms) }'
        +330.575ms DeadlineReached → stop server#1
        +336.575ms server#1 gone → start server#2
        +338.575ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn starting_a_process_starts_what_it_depends_on_and_waits_until_that_is_ready() {
    let plan = Planned::new()
        .process("db", |db| {
            db.autostart = false;
            db.readiness = Some(http(500, 15_000));
        })
        .process("queue", |queue| queue.autostart = false)
        .process("server", |server| {
            server.autostart = false;
            server.depends_on = needs(&["db", "queue"]);
        })
        .workflow("up", [start("server"), log("started")])
        .watch("up", "src/");
    let script = Script { ready_after: [("db", 40)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'up began with 1 files'
        +103ms saved v3 → start db#1, start queue#1
        +105ms db#1 started → 'ProcessStarted { process: db, pid: 7 }'
        +105ms queue#1 started → 'ProcessStarted { process: queue, pid: 7 }'
        +144.500ms probe t27 says Well → 'ProcessReady { process: db }', start server#1
        +146.500ms server#1 started → 'ProcessStarted { process: server, pid: 7 }', "up: started", 'up finished'
    "#]],
    );
}

#[test]
fn a_dependency_that_cannot_start_fails_the_step_and_says_so() {
    let plan = Planned::new()
        .process("db", |db| db.autostart = false)
        .process("server", |server| {
            server.autostart = false;
            server.depends_on = needs(&["db"]);
        })
        .workflow("up", [start("server"), log("never said")])
        .watch("up", "src/");
    let script = Script { start_failures: [("db", (1, refused()))].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'up began with 1 files'
        +103ms saved v3 → start db#1
        +105ms db#1 failed to start: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" } → 'ProcessStartFailed { process: db, failure: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" }, again_in: None }', 'ProcessHeldBack { process: server, cause: ProcessStartFailed { process: db, failure: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" } } }', 'up failed in up step 1 start_process: DependencyFailed { process: server, cause: ProcessStartFailed { process: db, failure: Refused { what: "program 'server' was not found in PATH", error: "No such file or directory (os error 2)" } } }'
    "#]],
    );
}

#[test]
fn a_restart_does_not_restart_dependants() {
    let plan = Planned::new()
        .process("db", |_| {})
        .process("server", |server| server.depends_on = needs(&["db"]))
        .workflow("w", [restart("db")])
        .watch("w", "src/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start db#1
        +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
        +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files', stop db#1
        +107ms db#1 exited with signal 15 (SIGTERM)
        +108ms db#1 gone → 'ProcessStopped { process: db }', start db#2
        +110ms db#2 started → 'ProcessStarted { process: db, pid: 7 }', 'w finished'
    "#]],
    );
}

#[test]
fn starting_what_runs_does_nothing() {
    let plan =
        Planned::new().process("server", |_| {}).workflow("w", [start("server"), log("there")]).watch("w", "src/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files', "w: there", 'w finished'
    "#]],
    );
}

#[test]
fn a_process_that_dies_ends_its_wait_at_once_with_its_exit_status() {
    let plan = Planned::new()
        .process("server", |server| {
            server.readiness = Some(http(500, 15_000));
            server.restart = RestartPolicy::Always;
        })
        .workflow("w", [wait("server"), log("never said")])
        .watch("w", "src/");
    let script = Script { ready_after: [("server", 60_000)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a").exits(150, "server", 1, 101);
    check(
        &story.until(300),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +150ms server#1 exited with exit status 101 → 'ProcessExited { process: server, status: Code(101), again_in: Some(230.575ms) }', 'w failed in w step 1 wait_for_process: ProcessExited { process: server, status: Code(101) }'
    "#]],
    );
}

#[test]
fn waiting_for_a_process_between_two_lives_fails_at_once() {
    let plan = Planned::new().process("server", always).workflow("w", [wait("server")]).watch("w", "src/");
    let mut story = Story::begins(plan, Script::default()).exits(100, "server", 1, 1).saves(150, "src/a");
    check(
        &story.until(400),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms server#1 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: Some(230.575ms) }'
        +150ms PathsTouched [Settled src/a]
        +152ms DeadlineReached → 'w began with 1 files', 'w failed in w step 1 wait_for_process: ProcessNotRunning { process: server }'
        +330.575ms DeadlineReached → start server#2
        +332.575ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}
