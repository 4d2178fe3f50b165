//! The config is saved while the session lasts: the difference is applied, and nothing else.

use crate::build::{Planned, hook, http, log, needs, restart, sleep, start, wait};
use crate::check;
use crate::story::{Script, Story, exits};
use devloop_core::fact::{Captured, LoadedPlan, StartFailure};
use devloop_core::names::{StateKey, WorkflowName};
use devloop_core::plan::hook::{Capture, ObservePlan};
use devloop_core::plan::process::ProcessPlan;
use devloop_core::plan::server::{EventServerPlan, ReloadServerPlan};
use devloop_core::view::Condition;
use expect_test::expect;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn slower(process: &mut ProcessPlan) {
    process.stop_timeout = Duration::from_secs(9);
}

#[test]
fn unchanged_processes_are_not_touched_and_the_difference_is_applied() {
    let before = Planned::new().process("same", |_| {}).process("other", |_| {}).process("gone", |_| {});
    let after = Planned::new()
        .process("same", |_| {})
        .process("other", slower)
        .process("fresh", |_| {})
        .process("quiet", |quiet| quiet.autostart = false);
    let mut story = Story::begins(before, Script::default()).config(100, after);
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start gone#1, start other#1, start same#1
        +3ms gone#1 started → 'ProcessStarted { process: gone, pid: 7 }'
        +3ms other#1 started → 'ProcessStarted { process: other, pid: 7 }'
        +3ms same#1 started → 'ProcessStarted { process: same, pid: 7 }'
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded a plan → apply, stop gone#1, stop other#1, 'process fresh Added, Start', 'process gone Removed, Stop', 'process other Changed, Restart', 'process quiet Added'
        +156ms gone#1 exited with signal 15 (SIGTERM)
        +156ms other#1 exited with signal 15 (SIGTERM)
        +157ms gone#1 gone → 'ProcessStopped { process: gone }'
        +157ms other#1 gone → 'ProcessStopped { process: other }', start fresh#1, start other#2
        +159ms fresh#1 started → 'ProcessStarted { process: fresh, pid: 7 }'
        +159ms other#2 started → 'ProcessStarted { process: other, pid: 7 }'
    "#]],
    );
    let view = story.view();
    let lives: Vec<(&str, u32)> =
        view.processes.iter().map(|(name, process)| (name.as_str(), process.incarnation.0)).collect();
    assert_eq!(lives, [("fresh", 1), ("other", 2), ("quiet", 0), ("same", 1)]);
}

#[test]
fn who_takes_over_begins_when_who_is_dropped_is_gone() {
    let before = Planned::new().process("server", |server| server.readiness = Some(http(50, 1000)));
    let after = Planned::new().process("web", |web| web.readiness = Some(http(50, 1000)));
    let script = Script { deaf: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(before, script).config(100, after);
    check(
        &story.until(9000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start server#1
            +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +3.500ms probe t1 says Well → 'ProcessReady { process: server }'
            +100ms PlanTouched
            +150ms DeadlineReached → load
            +151ms loaded a plan → apply, stop server#1, 'process server Removed, Stop', 'process web Added, Start'
            +1151ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: false }'
            +5151ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +5152ms server#1 exited with signal 9 (SIGKILL)
            +5153ms server#1 gone → 'ProcessStopped { process: server }', start web#1
            +5155ms web#1 started → 'ProcessStarted { process: web, pid: 7 }'
            +5155.500ms probe t2 says Well → 'ProcessReady { process: web }'
        "#]],
    );
}

#[test]
fn what_survives_sigkill_is_not_waited_for() {
    let before = Planned::new().process("server", |_| {});
    let after = Planned::new().process("web", |_| {});
    let script = Script { deaf: ["server"].into(), undying: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(before, script).config(100, after);
    check(
        &story.until(9000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start server#1
            +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +100ms PlanTouched
            +150ms DeadlineReached → load
            +151ms loaded a plan → apply, stop server#1, 'process server Removed, Stop', 'process web Added, Start'
            +1151ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: false }'
            +5151ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +5651ms server#1 stuck at 7 → 'ProcessStuck { process: server, pid: 7 }', start web#1
            +5653ms web#1 started → 'ProcessStarted { process: web, pid: 7 }'
            +6151ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: Killed }], can_be_hurried: false }'
        "#]],
    );
}

#[test]
fn a_run_ends_with_the_plan_that_it_began_with_and_the_next_takes_the_new_one() {
    let before =
        Planned::new().hook("build", |_| {}).workflow("rust", [hook("build"), log("old")]).watch("rust", "src/");
    let after = Planned::new().workflow("rust", [log("new")]).watch("rust", "src/");
    let script = Script { hook_takes: [("build", 500)].into(), ..Script::default() };
    let mut story = Story::begins(before, script)
        .saves(100, "src/a.rs")
        .config(200, after)
        .saves(400, "src/b.rs")
        .saves(900, "src/c.rs");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'rust began with 1 files'
        +103ms saved v3 → hook build t1 for rust ["src/a.rs"]
        +200ms PlanTouched
        +250ms DeadlineReached → load
        +251ms loaded a plan → apply, 'hook build Removed', 'workflow rust Changed'
        +400ms PathsTouched [Settled src/b.rs]
        +603ms hook t1 ended with exit status 0, Nothing → "rust: old", 'rust finished', 'rust began with 1 files', "rust: new", 'rust finished'
        +900ms PathsTouched [Settled src/c.rs]
        +902ms DeadlineReached → 'rust began with 1 files', "rust: new", 'rust finished'
    "#]],
    );
}

// promise: saved.runs.2
#[test]
fn startup_workflows_do_not_run_again() {
    let before = Planned::new().workflow("hello", [log("hello")]).startup(&["hello"]);
    let after = Planned::new().workflow("hello", [log("hello again")]).workflow("more", [log("more")]);
    let mut story = Story::begins(before, Script::default()).config(100, after.startup(&["hello", "more"]));
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan → 'hello began', "hello: hello", 'hello finished'
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded a plan → apply, 'startup_workflows Changed', 'workflow hello Changed', 'workflow more Added'
    "#]],
    );
}

#[test]
fn a_broken_config_is_told_and_the_next_good_one_is_applied() {
    let before = Planned::new().process("server", |_| {});
    let after = Planned::new().process("server", slower);
    let error = "No such file or directory".to_owned();
    let mut story = Story::begins(before.clone(), Script::default())
        .config_holds(100, LoadedPlan::Broken { errors: 2 })
        .config_holds(300, LoadedPlan::Unreadable { error })
        .config(500, before)
        .config(700, after);
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded Broken { errors: 2 } → 'PlanRejected(Broken { errors: 2 })'
        +300ms PlanTouched
        +350ms DeadlineReached → load
        +351ms loaded Unreadable { error: "No such file or directory" } → 'PlanRejected(Unreadable { error: "No such file or directory" })'
        +500ms PlanTouched
        +550ms DeadlineReached → load
        +551ms loaded a plan → 'PlanRestored'
        +700ms PlanTouched
        +750ms DeadlineReached → load
        +751ms loaded a plan → apply, stop server#1, 'process server Changed, Restart'
        +756ms server#1 exited with signal 15 (SIGTERM)
        +757ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +759ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn a_save_that_changes_nothing_does_nothing() {
    let plan = Planned::new().process("server", |_| {}).workflow("rust", [log("x")]).watch("rust", "src/");
    let mut story =
        Story::begins(plan.clone(), Script::default()).config(100, plan).config_holds(300, LoadedPlan::Same);
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded a plan
        +300ms PlanTouched
        +350ms DeadlineReached → load
        +351ms loaded Same
    "#]],
    );
}

#[test]
fn a_config_that_is_written_in_pieces_is_read_once_it_is_whole() {
    let before = Planned::new().process("server", |_| {});
    let mut story = Story::begins(before.clone(), Script::default())
        .config_holds(100, LoadedPlan::Broken { errors: 1 })
        .config_holds(140, LoadedPlan::Broken { errors: 1 })
        .config(180, before.process("more", |_| {}));
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PlanTouched
        +140ms PlanTouched
        +180ms PlanTouched
        +230ms DeadlineReached → load
        +231ms loaded a plan → apply, 'process more Added, Start', start more#1
        +233ms more#1 started → 'ProcessStarted { process: more, pid: 7 }'
    "#]],
    );
}

#[test]
fn a_config_that_is_written_on_and_on_is_read_now_and_then() {
    let plan = Planned::new().process("server", |_| {});
    let mut story = Story::begins(plan, Script::default());
    for millis in (100..1500).step_by(30) {
        story = story.config_holds(millis, LoadedPlan::Same);
    }
    let told = story.until(3000);
    assert_eq!(told.matches("load").count(), 6, "{told}");
}

// promise: saved.fixed.1
#[test]
fn what_cannot_change_is_told_once_and_the_rest_is_applied() {
    let mut before = Planned::new();
    before.0.event_server = Some(EventServerPlan { bind: ([127, 0, 0, 1], 7000).into() });
    before.0.reload_server = Some(ReloadServerPlan { bind: ([127, 0, 0, 1], 7001).into(), allow_origins: Vec::new() });
    let mut after = before.clone().process("more", |_| {});
    after.0.state_file = PathBuf::from("/elsewhere/state.json");
    after.0.event_server = Some(EventServerPlan { bind: ([127, 0, 0, 1], 8000).into() });
    let allow_origins = vec!["https://a.example".to_owned()];
    after.0.reload_server = Some(ReloadServerPlan { bind: ([127, 0, 0, 1], 8001).into(), allow_origins });
    let again = after.clone().process("even_more", |_| {});
    let loaded = |plan: &Planned| LoadedPlan::Valid {
        plan: Arc::new(plan.0.clone()),
        other_root: Some(PathBuf::from("/elsewhere")),
    };
    let mut story = Story::begins(before.clone(), Script::default())
        .config_holds(100, loaded(&after))
        .config_holds(300, loaded(&again))
        .config(500, before);
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded a plan for /elsewhere → 'PlanKept(Kept { key: "state_file", kept: "/project/.devloop/state.json", wanted: "/elsewhere/state.json" })', 'PlanKept(Kept { key: "event_server.bind", kept: "127.0.0.1:7000", wanted: "127.0.0.1:8000" })', 'PlanKept(Kept { key: "browser_reload_server.bind", kept: "127.0.0.1:7001", wanted: "127.0.0.1:8001" })', 'PlanKept(Kept { key: "root", kept: "/project", wanted: "/elsewhere" })', apply, 'process more Added, Start', 'browser_reload_server Changed', start more#1
        +153ms more#1 started → 'ProcessStarted { process: more, pid: 7 }'
        +300ms PlanTouched
        +350ms DeadlineReached → load
        +351ms loaded a plan for /elsewhere → apply, 'process even_more Added, Start', start even_more#1
        +353ms even_more#1 started → 'ProcessStarted { process: even_more, pid: 7 }'
        +500ms PlanTouched
        +550ms DeadlineReached → load
        +551ms loaded a plan → apply, stop even_more#1, stop more#1, 'process even_more Removed, Stop', 'process more Removed, Stop', 'browser_reload_server Changed'
        +556ms even_more#1 exited with signal 15 (SIGTERM)
        +556ms more#1 exited with signal 15 (SIGTERM)
        +557ms even_more#1 gone → 'ProcessStopped { process: even_more }'
        +557ms more#1 gone → 'ProcessStopped { process: more }'
    "#]],
    );
}

// promise: saved.lost.1
#[test]
fn a_change_of_a_group_that_is_dropped_still_runs() {
    let before = Planned::new().workflow("rust", [log("{{ last_changed_files }}")]).watch_with("rust", "src/", false);
    let mut story = Story::begins(before.debounce(1000), Script::default())
        .saves(100, "src/a.rs")
        .touches(110, "src/b.rs", devloop_core::fact::TouchKind::Writing)
        .config(120, Planned::new())
        .saves(400, "src/c.rs");
    check(
        &story.until(3000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +110ms PathsTouched [Writing src/b.rs]
        +120ms PlanTouched
        +170ms DeadlineReached → load
        +171ms loaded a plan → apply, 'debounce_ms Changed', 'watch rust Removed', 'workflow rust Removed', 'rust began with 2 files', "rust: ["src/a.rs","src/b.rs"]", 'rust finished'
        +400ms PathsTouched [Settled src/c.rs]
    "#]],
    );
}

#[test]
fn a_change_of_a_group_that_is_changed_still_runs_and_its_new_patterns_count() {
    let before = Planned::new().workflow("rust", [log("{{ last_changed_files }}")]).watch_with("rust", "src/", false);
    let after = Planned::new().workflow("rust", [log("{{ last_changed_files }}")]).watch("rust", "lib/");
    let mut story = Story::begins(before.debounce(1000), Script::default())
        .touches(100, "src/a.rs", devloop_core::fact::TouchKind::Writing)
        .config(110, after.debounce(1000))
        .saves(3000, "src/b.rs")
        .saves(3100, "lib/b.rs");
    check(
        &story.until(5000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Writing src/a.rs]
        +110ms PlanTouched
        +160ms DeadlineReached → load
        +161ms loaded a plan → apply, 'watch rust Changed'
        +1100ms DeadlineReached → 'rust began with 1 files', "rust: ["src/a.rs"]", 'rust finished'
        +3000ms PathsTouched [Settled src/b.rs]
        +3100ms PathsTouched [Settled lib/b.rs]
        +3102ms DeadlineReached → 'rust began with 1 files', "rust: ["lib/b.rs"]", 'rust finished'
    "#]],
    );
}

// promise: saved.lost.1
#[test]
fn a_value_that_was_posted_under_the_old_plan_runs_its_workflow() {
    let before = Planned::new()
        .process("client", |_| {})
        .hook("slow", |_| {})
        .workflow("open", [hook("slow"), log("{{ url }}")])
        .event("url", "url", "open");
    let after = Planned::new().process("client", |_| {});
    let script = Script { hook_takes: [("slow", 300)].into(), ..Script::default() };
    let mut story = Story::begins(before, script)
        .posts(100, "url", "one")
        .posts(150, "url", "two")
        .config(151, after)
        .posts(300, "url", "three");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start client#1
        +3ms client#1 started → 'ProcessStarted { process: client, pid: 7 }'
        +100ms q1 posts "one" to url
        +101ms saved v2 → answer q1 Accepted for r1, 'open began'
        +102ms saved v4 → hook slow t1 for open
        +150ms q2 posts "two" to url
        +151ms PlanTouched
        +151ms saved v5 → answer q2 Accepted for r2
        +201ms DeadlineReached → load
        +202ms loaded a plan → apply, 'hook slow Removed', 'event url Removed', 'workflow open Removed'
        +300ms q3 posts "three" to url → answer q3 NotGranted
        +402ms hook t1 ended with exit status 0, Nothing → "open: one", 'open finished', 'open began', hook slow t2 for open
        +702ms hook t2 ended with exit status 0, Nothing → "open: two", 'open finished'
    "#]],
    );
}

// promise: saved.step.1
#[test]
fn a_step_that_names_a_process_that_is_dropped_says_so() {
    let before = Planned::new()
        .process("server", |server| server.readiness = Some(http(50, 5000)))
        .workflow("rust", [wait("server")])
        .workflow("late", [sleep(300), restart("server")])
        .watch("rust", "src/")
        .and_watch("late", "lib/", "late");
    let script = Script { ready_after: [("server", 4000)].into(), ..Script::default() };
    let mut story = Story::begins(before.clone(), script)
        .saves(100, "src/a.rs")
        .saves(110, "lib/a.rs")
        .config(150, Planned::new().workflow("rust", [log("x")]));
    check(
        &story.until(3000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'rust began with 1 files'
        +110ms PathsTouched [Settled lib/a.rs]
        +150ms PlanTouched
        +200ms DeadlineReached → load
        +201ms loaded a plan → apply, stop server#1, 'watch late Removed', 'watch rust Removed', 'process server Removed, Stop', 'workflow late Removed', 'workflow rust Changed', 'rust failed in rust step 1 wait_for_process: ProcessRemoved { process: server }', 'late began with 1 files'
        +206ms server#1 exited with signal 15 (SIGTERM)
        +207ms server#1 gone → 'ProcessStopped { process: server }'
        +501ms DeadlineReached → 'late failed in late step 2 restart_process: ProcessRemoved { process: server }'
    "#]],
    );
}

#[test]
fn a_run_that_waits_for_a_changed_process_waits_for_its_new_life() {
    let before = Planned::new()
        .process("server", |server| server.readiness = Some(http(50, 5000)))
        .workflow("rust", [restart("server"), wait("server"), log("ready")])
        .watch("rust", "src/");
    let mut after = before.clone();
    after = after.process("server", |server| {
        server.readiness = Some(http(50, 5000));
        slower(server);
    });
    let script = Script { ready_after: [("server", 300)].into(), ..Script::default() };
    let mut story = Story::begins(before, script).saves(1000, "src/a.rs").config(1050, after);
    check(
        &story.until(3000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +302.620ms probe t108 says Well → 'ProcessReady { process: server }'
        +1000ms PathsTouched [Settled src/a.rs]
        +1002ms DeadlineReached → 'rust began with 1 files', stop server#1
        +1007ms server#1 exited with signal 15 (SIGTERM)
        +1008ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +1010ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        +1050ms PlanTouched
        +1100ms DeadlineReached → load
        +1101ms loaded a plan → apply, stop server#2, 'process server Changed, Restart'
        +1106ms server#2 exited with signal 15 (SIGTERM)
        +1107ms server#2 gone → 'ProcessStopped { process: server }', start server#3
        +1109ms server#3 started → 'ProcessStarted { process: server, pid: 7 }'
        +1408.620ms probe t272 says Well → 'ProcessReady { process: server }', "rust: ready", 'rust finished'
    "#]],
    );
}

// promise: saved.processes.3
#[test]
fn a_process_that_failed_is_tried_again_when_its_table_is_another() {
    let before = Planned::new()
        .process("db", |_| {})
        .process("server", |server| server.depends_on = needs(&["db"]))
        .process("done", |_| {})
        .process("stopped", |stopped| stopped.autostart = false);
    let slow = before.clone().process("db", slower).process("done", slower);
    let after = slow.process("stopped", |stopped| {
        stopped.autostart = false;
        slower(stopped);
    });
    let failure = StartFailure::Refused { what: "program 'db'".to_owned(), error: "not found".to_owned() };
    let script = Script { start_failures: [("db", (1, failure))].into(), ..Script::default() };
    let mut story = Story::begins(before, script).exits(50, "done", 1, 0).config(100, after);
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start db#1, start done#1
        +3ms db#1 failed to start: Refused { what: "program 'db'", error: "not found" } → 'ProcessStartFailed { process: db, failure: Refused { what: "program 'db'", error: "not found" }, again_in: None }', 'ProcessHeldBack { process: server, cause: ProcessStartFailed { process: db, failure: Refused { what: "program 'db'", error: "not found" } } }'
        +3ms done#1 started → 'ProcessStarted { process: done, pid: 7 }'
        +50ms done#1 exited with exit status 0 → 'ProcessExited { process: done, status: Code(0), again_in: None }'
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded a plan → apply, 'process db Changed, Restart', 'process done Changed', 'process stopped Changed', start db#2
        +153ms db#2 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
        +155ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn a_taken_address_of_a_process_that_a_save_brought_does_not_end_a_session_that_starts() {
    let before = Planned::new().workflow("hello", [sleep(1000)]).startup(&["hello"]);
    let after = before.clone().process("server", |_| {});
    let failure = StartFailure::AddressInUse { address: "127.0.0.1:8080".to_owned() };
    let script = Script { start_failures: [("server", (1, failure))].into(), ..Script::default() };
    let mut story = Story::begins(before, script).config(100, after);
    check(
        &story.until(500),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan → 'hello began'
        +100ms PlanTouched
        +150ms DeadlineReached → load
        +151ms loaded a plan → apply, 'process server Added, Start', start server#1
        +153ms server#1 failed to start: AddressInUse { address: "127.0.0.1:8080" } → 'ProcessStartFailed { process: server, failure: AddressInUse { address: "127.0.0.1:8080" }, again_in: None }'
    "#]],
    );
    assert!(!story.has_ended());
}

fn observed(name: &str, interval: u64) -> Planned {
    Planned::new().workflow("seen", [log("seen")]).hook(name, |hook| {
        hook.capture = Capture::Text { state_key: StateKey::from("branch") };
        let interval = Duration::from_millis(interval);
        hook.observe = Some(ObservePlan { workflow: WorkflowName::from("seen"), interval });
    })
}

// promise: saved.follows.2
#[test]
fn a_changed_observer_is_polled_at_once_and_never_twice_at_once() {
    let script = Script { hook_takes: [("branch", 80)].into(), deaf_hooks: ["branch"].into(), ..Script::default() };
    let mut story = Story::begins(observed("branch", 100), script)
        .config(200, observed("branch", 10_000))
        .config(500, Planned::new());
    check(
        &story.until(9000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → hook branch t1 for observe
        +81ms hook t1 ended with exit status 0, Nothing
        +181ms DeadlineReached → hook branch t2 for observe
        +200ms PlanTouched
        +250ms DeadlineReached → load
        +251ms loaded a plan → apply, 'hook branch Changed', stop hook t2
        +261ms hook t2 ended with exit status 0, Nothing
        +261.001ms DeadlineReached → hook branch t3 for observe
        +341.001ms hook t3 ended with exit status 0, Nothing
        +500ms PlanTouched
        +550ms DeadlineReached → load
        +551ms loaded a plan → apply, 'hook branch Removed', 'workflow seen Removed'
    "#]],
    );
}

// promise: saved.follows.2
#[test]
fn an_unchanged_observer_goes_on() {
    let text = |text: &str| exits(0, Captured::Text(text.to_owned()));
    let script = Script { hook_ends: [("branch", vec![text("main")])].into(), ..Script::default() };
    let mut story =
        Story::begins(observed("branch", 1000), script).config(200, observed("branch", 1000).process("more", |_| {}));
    check(
        &story.until(1100),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → hook branch t1 for observe
        +11ms hook t1 ended with exit status 0, Text("main") → 'seen began', "seen: seen", 'seen finished'
        +200ms PlanTouched
        +250ms DeadlineReached → load
        +251ms loaded a plan → apply, 'process more Added, Start', start more#1
        +253ms more#1 started → 'ProcessStarted { process: more, pid: 7 }'
        +1011ms DeadlineReached → hook branch t2 for observe
        +1021ms hook t2 ended with exit status 0, Text("main")
    "#]],
    );
}

// promise: saved.runs.1
#[test]
fn a_run_that_waits_begins_with_the_new_plan() {
    let before = Planned::new()
        .hook("build", |_| {})
        .workflow("rust", [hook("build"), log("old")])
        .workflow("gone", [hook("build"), log("still here")])
        .watch("rust", "src/")
        .and_watch("gone", "lib/", "gone");
    let after = Planned::new().hook("build", |_| {}).workflow("rust", [log("new")]).watch("rust", "src/");
    let script = Script { hook_takes: [("build", 500)].into(), ..Script::default() };
    let mut story = Story::begins(before.debounce(0), script)
        .saves(100, "src/a.rs")
        .saves(110, "src/b.rs")
        .saves(120, "lib/c.rs")
        .config(200, after);
    check(
        &story.until(3000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs] → 'rust began with 1 files'
        +101ms saved v3 → hook build t1 for rust ["src/a.rs"]
        +110ms PathsTouched [Settled src/b.rs]
        +120ms PathsTouched [Settled lib/c.rs]
        +200ms PlanTouched
        +250ms DeadlineReached → load
        +251ms loaded a plan → apply, 'debounce_ms Changed', 'watch gone Removed', 'workflow gone Removed', 'workflow rust Changed'
        +601ms hook t1 ended with exit status 0, Nothing → "rust: old", 'rust finished', 'rust began with 1 files', 'gone began with 1 files', "rust: new", 'rust finished'
        +602ms saved v6 → hook build t2 for gone ["lib/c.rs"]
        +1102ms hook t2 ended with exit status 0, Nothing → "gone: still here", 'gone finished'
    "#]],
    );
}

#[test]
fn a_save_before_the_watches_are_live_is_applied_when_they_are() {
    let before = Planned::new().process("server", |_| {});
    let mut story = Story::begins(before.clone(), Script::default()).config(0, before.process("more", |_| {}));
    check(
        &story.until(500),
        &expect![[r#"
        +0ms SessionBegan → watch
        +0ms PlanTouched
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +50ms DeadlineReached → load
        +51ms loaded a plan → apply, 'process more Added, Start', start more#1
        +53ms more#1 started → 'ProcessStarted { process: more, pid: 7 }'
    "#]],
    );
}

#[test]
fn a_save_while_the_session_ends_is_ignored() {
    let before = Planned::new().process("server", |_| {});
    let script = Script { deaf: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(before.clone(), script)
        .config(950, before.clone().process("more", |_| {}))
        .interrupted(1000)
        .config(1100, before.process("even_more", |_| {}));
    check(
        &story.until(9000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start server#1
            +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +950ms PlanTouched
            +1000ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop server#1
            +1100ms PlanTouched
            +2000ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: true }'
            +6000ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +6001ms server#1 exited with signal 9 (SIGKILL)
            +6002ms server#1 gone → 'ProcessStopped { process: server }', end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn a_process_that_comes_back_before_it_was_gone_has_a_life_of_its_own() {
    let before = Planned::new().process("server", |_| {}).workflow("rust", [start("server")]);
    let script = Script { deaf: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(before.clone(), script).config(100, Planned::new()).config(300, before);
    check(
        &story.until(9000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start server#1
            +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +100ms PlanTouched
            +150ms DeadlineReached → load
            +151ms loaded a plan → apply, stop server#1, 'process server Removed, Stop', 'workflow rust Removed'
            +300ms PlanTouched
            +350ms DeadlineReached → load
            +351ms loaded a plan → apply, 'process server Added, Start', 'workflow rust Added'
            +1151ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: false }'
            +5151ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +5152ms server#1 exited with signal 9 (SIGKILL)
            +5153ms server#1 gone → 'ProcessStopped { process: server }', start server#2
            +5155ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        "#]],
    );
    let view = story.view();
    assert_eq!(view.processes.len(), 1);
    assert!(view.processes.values().all(|server| server.condition == Condition::Ready && server.incarnation.0 == 2));
}
