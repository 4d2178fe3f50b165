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
    check(&story.until(5000), &expect![""]);
}

#[test]
fn ten_seconds_of_health_bring_the_first_delay_back() {
    let plan = quiet(Planned::new().process("server", always));
    let mut story = Story::begins(plan, Script::default())
        .exits(100, "server", 1, 1)
        .exits(600, "server", 2, 1)
        .exits(12_000, "server", 3, 1);
    check(&story.until(13_000), &expect![""]);
}

#[test]
fn a_success_is_no_reason_to_start_again_on_failure_and_one_to_never() {
    let plan = Planned::new()
        .process("job", |job| job.restart = RestartPolicy::OnFailure)
        .process("once", |once| once.restart = RestartPolicy::Never);
    let mut story =
        Story::begins(quiet(plan), Script::default()).exits(100, "job", 1, 0).exits(100, "once", 1, 1);
    check(&story.until(5000), &expect![""]);
}

#[test]
fn a_start_that_fails_is_tried_again_like_any_other() {
    let plan = quiet(Planned::new().process("server", always));
    let script = Script { start_failures: [("server", (2, refused()))].into(), ..Script::default() };
    check(&Story::begins(plan, script).until(5000), &expect![""]);
}

#[test]
fn what_a_process_leaves_behind_is_gone_before_its_next_life() {
    let plan = quiet(Planned::new().process("server", always));
    let script = Script { leftovers: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).exits(100, "server", 1, 1);
    check(&story.until(2000), &expect![""]);
}

#[test]
fn starting_a_process_starts_what_it_depends_on_and_waits_until_that_is_ready() {
    let plan = Planned::new()
        .process("db", |db| {
            db.autostart = false;
            db.readiness = http(500, 15_000);
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
    check(&story.until(2000), &expect![""]);
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
    check(&story.until(2000), &expect![""]);
}

#[test]
fn a_restart_does_not_restart_dependants() {
    let plan = Planned::new()
        .process("db", |_| {})
        .process("server", |server| server.depends_on = needs(&["db"]))
        .workflow("w", [restart("db")])
        .watch("w", "src/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a");
    check(&story.until(2000), &expect![""]);
}

#[test]
fn starting_what_runs_does_nothing() {
    let plan = Planned::new().process("server", |_| {}).workflow("w", [start("server"), log("there")]).watch("w", "src/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a");
    check(&story.until(2000), &expect![""]);
}

#[test]
fn a_process_that_dies_ends_its_wait_at_once_with_its_exit_status() {
    let plan = Planned::new()
        .process("server", |server| {
            server.readiness = http(500, 15_000);
            server.restart = RestartPolicy::Always;
        })
        .workflow("w", [wait("server"), log("never said")])
        .watch("w", "src/");
    let script = Script { ready_after: [("server", 60_000)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a").exits(150, "server", 1, 101);
    check(&story.until(300), &expect![""]);
}

#[test]
fn waiting_for_a_process_between_two_lives_fails_at_once() {
    let plan = Planned::new().process("server", always).workflow("w", [wait("server")]).watch("w", "src/");
    let mut story = Story::begins(plan, Script::default()).exits(100, "server", 1, 1).saves(150, "src/a");
    check(&story.until(400), &expect![""]);
}
