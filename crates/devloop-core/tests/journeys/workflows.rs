//! Steps, inline workflows, triggers, parallel groups, templates.

use crate::build::{Planned, hook, http, log, restart, run, sleep, stop, wait};
use crate::check;
use crate::story::{Script, Story, exits};
use devloop_core::fact::Captured;
use devloop_core::names::WorkflowName;
use devloop_core::plan::hook::Capture;
use devloop_core::plan::workflow::{Step, WorkflowPlan};
use expect_test::expect;

fn triggering(names: &'static [&'static str]) -> impl FnOnce(&mut WorkflowPlan) {
    move |workflow| workflow.triggers = names.iter().map(|name| WorkflowName::from(*name)).collect()
}

#[test]
fn a_restart_with_a_wait_goes_on_when_the_new_life_answers_its_probe() {
    let plan = Planned::new()
        .process("server", |server| server.readiness = Some(http(500, 15_000)))
        .workflow("rust", [restart("server"), wait("server"), log("ready")])
        .watch("rust", "src/");
    let script = Script { ready_after: [("server", 30)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +32ms probe t20 says Well → 'ProcessReady { process: server }'
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'rust began with 1 files', stop server#1
        +107ms server#1 exited with signal 15 (SIGTERM)
        +108ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +110ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        +139ms probe t40 says Well → 'ProcessReady { process: server }', "rust: ready", 'rust finished'
    "#]],
    );
}

#[test]
fn triggers_run_depth_first_and_each_once() {
    let plan = Planned::new()
        .workflow_with("a", [log("a")], triggering(&["b", "c"]))
        .workflow_with("b", [log("b")], triggering(&["d"]))
        .workflow_with("c", [log("c")], triggering(&["d"]))
        .workflow("d", [log("d for {{ last_workflow }}")])
        .watch("a", "src/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'a began with 1 files', "a: a", 'b began with 1 files', "b: b", 'd began with 1 files', "d: d for d", 'c began with 1 files', "c: c", 'a finished'
    "#]],
    );
}

#[test]
fn the_triggers_of_an_inline_workflow_run_before_the_next_step_of_its_parent() {
    let plan = Planned::new()
        .hook("build", |_| {})
        .workflow_with("parent", [run("child"), log("parent goes on")], triggering(&["last"]))
        .workflow_with("child", [hook("build"), log("child says {{ last_workflow }}")], triggering(&["after"]))
        .workflow("after", [hook("build"), log("after says {{ last_workflow }}")])
        .workflow("last", [log("last")])
        .watch("parent", "src/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'parent began with 1 files', 'child began with 1 files'
        +103ms saved v3 → hook build t1 for child ["src/a.rs"]
        +113ms hook t1 ended with exit status 0, Nothing → "child: child says parent", 'after began with 1 files'
        +114ms saved v4 → hook build t2 for after ["src/a.rs"]
        +124ms hook t2 ended with exit status 0, Nothing → "after: after says after", "parent: parent goes on", 'last began with 1 files', "last: last", 'parent finished'
    "#]],
    );
}

#[test]
fn the_first_failure_in_a_parallel_group_cancels_the_rest_and_ends_the_run() {
    let plan = Planned::new()
        .hook("bad", |_| {})
        .hook("slow", |_| {})
        .workflow_with(
            "all",
            [Step::Parallel(vec![hook("slow"), hook("bad"), sleep(5000)]), log("never said")],
            triggering(&["next"]),
        )
        .workflow("next", [log("never said either")])
        .watch("all", "src/");
    let script = Script {
        hook_takes: [("slow", 60_000)].into(),
        hook_ends: [("bad", vec![exits(3, Captured::Nothing)])].into(),
        ..Script::default()
    };
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
    check(
        &story.until(10_000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'all began with 1 files'
        +103ms saved v3 → hook slow t1 for all ["src/a.rs"], hook bad t2 for all ["src/a.rs"]
        +113ms hook t2 ended with exit status 3, Nothing → stop hook t1
        +115ms hook t1 ended with signal 15 (SIGTERM), Nothing → 'all failed in all step 1.2 run_hook: HookFailed { hook: bad, status: Code(3) }'
    "#]],
    );
}

#[test]
fn a_parallel_group_goes_on_when_all_are_done() {
    let plan = Planned::new()
        .hook("one", |_| {})
        .hook("two", |_| {})
        .workflow("all", [Step::Parallel(vec![hook("one"), hook("two"), sleep(30)]), log("done")])
        .watch("all", "src/");
    let script = Script { hook_takes: [("one", 50)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'all began with 1 files'
        +103ms saved v3 → hook one t1 for all ["src/a.rs"], hook two t2 for all ["src/a.rs"]
        +113ms hook t2 ended with exit status 0, Nothing
        +153ms hook t1 ended with exit status 0, Nothing → "all: done", 'all finished'
    "#]],
    );
}

#[test]
fn a_failing_step_of_an_inline_workflow_is_told_with_the_way_to_it() {
    let plan = Planned::new()
        .hook("bad", |_| {})
        .workflow("parent", [log("begin"), run("child"), log("never said")])
        .workflow("child", [hook("bad")])
        .watch("parent", "src/");
    let script = Script { hook_ends: [("bad", vec![exits(1, Captured::Nothing)])].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'parent began with 1 files', "parent: begin", 'child began with 1 files'
        +103ms saved v3 → hook bad t1 for child ["src/a.rs"]
        +113ms hook t1 ended with exit status 1, Nothing → 'parent failed in parent step 2 run_workflow, child step 1 run_hook: HookFailed { hook: bad, status: Code(1) }'
    "#]],
    );
}

#[test]
fn a_missing_key_is_told_once_and_a_value_that_looks_like_a_template_stays_text() {
    let plan = Planned::new()
        .hook("ask", |ask| ask.capture = Capture::Text { state_key: "text".into() })
        .workflow("say", [log("[{{ gone }}]"), hook("ask"), log("[{{ text }}]"), log("[{{ gone }}]")])
        .watch("say", "src/")
        .debounce(0);
    let captured = Captured::Text("{{ last_workflow }}".to_owned());
    let script = Script { hook_ends: [("ask", vec![exits(0, captured)])].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a").saves(200, "src/b");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a] → 'say began with 1 files', 'TemplateKeyMissing { workflow: say, key: gone }', "say: []"
        +101ms saved v3 → hook ask t1 for say ["src/a"]
        +111ms hook t1 ended with exit status 0, Text("{{ last_workflow }}") → "say: [{{ last_workflow }}]", "say: []", 'say finished'
        +200ms PathsTouched [Settled src/b] → 'say began with 1 files', "say: []"
        +201ms saved v5 → hook ask t2 for say ["src/b"]
        +211ms hook t2 ended with exit status 0, Text("{{ last_workflow }}") → "say: [{{ last_workflow }}]", "say: []", 'say finished'
    "#]],
    );
}

#[test]
fn a_run_sees_its_own_changed_files_whatever_else_is_going() {
    let plan = Planned::new()
        .hook("one", |_| {})
        .workflow("one", [hook("one"), log("{{ last_workflow }} {{ last_changed_files }}")])
        .workflow("two", [log("{{ last_workflow }} {{ last_changed_files }}")])
        .watch("one", "one/")
        .watch("two", "two/")
        .debounce(0);
    let mut story = Story::begins(plan, Script::default()).saves(100, "one/x").saves(105, "two/y");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled one/x] → 'one began with 1 files'
        +101ms saved v3 → hook one t1 for one ["one/x"]
        +105ms PathsTouched [Settled two/y] → 'two began with 1 files', "two: two ["two/y"]", 'two finished'
        +111ms hook t1 ended with exit status 0, Nothing → "one: one ["one/x"]", 'one finished'
    "#]],
    );
}

#[test]
fn a_stopped_process_is_gone_before_the_next_step_and_waiting_for_it_fails() {
    let plan = Planned::new()
        .process("server", |_| {})
        .workflow("off", [stop("server"), log("gone"), wait("server")])
        .watch("off", "src/");
    let script = Script { deaf: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(10_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start server#1
            +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +100ms PathsTouched [Settled src/a]
            +102ms DeadlineReached → 'off began with 1 files', stop server#1
            +1102ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: false }'
            +5102ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +5103ms server#1 exited with signal 9 (SIGKILL)
            +5104ms server#1 gone → 'ProcessStopped { process: server }', "off: gone", 'off failed in off step 3 wait_for_process: ProcessNotRunning { process: server }'
        "#]],
    );
}
