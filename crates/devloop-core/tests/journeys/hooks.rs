//! Hooks: timeouts, captures, polls.

use crate::build::{Planned, hook, log};
use crate::check;
use crate::story::{Script, Story, exits};
use devloop_core::fact::{CaptureFailure, Captured};
use devloop_core::names::WorkflowName;
use devloop_core::plan::hook::{Capture, HookPlan, ObservePlan};
use devloop_core::value::Value;
use expect_test::expect;
use std::time::Duration;

fn capturing(capture: Capture) -> Planned {
    Planned::new()
        .hook("ask", |ask| ask.capture = capture)
        .workflow("w", [hook("ask"), log("slug is {{ slug }}, n is {{ n }}")])
        .watch("w", "src/")
}

fn told(plan: Planned, captured: Captured) -> String {
    let script = Script { hook_ends: [("ask", vec![exits(0, captured)])].into(), ..Script::default() };
    Story::begins(plan, script).saves(100, "src/a").until(1000)
}

#[test]
fn a_hook_that_takes_too_long_is_stopped_then_killed_and_its_step_fails() {
    let plan = Planned::new()
        .hook("build", |build| build.timeout = Some(Duration::from_millis(300)))
        .workflow("w", [hook("build"), log("never said")])
        .watch("w", "src/");
    let script = Script { hook_takes: [("build", u64::MAX)].into(), deaf_hooks: ["build"].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(20_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +100ms PathsTouched [Settled src/a]
            +102ms DeadlineReached → 'w began with 1 files'
            +103ms saved v3 → hook build t1 for w ["src/a"]
            +403ms DeadlineReached → stop hook t1
            +1403ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Hook(build), fate: KilledIn(4s) }], can_be_hurried: false }'
            +5403ms DeadlineReached → kill hook t1
            +5405ms hook t1 ended with signal 9 (SIGKILL), Nothing → 'w failed in w step 1 run_hook: HookTimedOut { hook: build, within: 300ms }'
        "#]],
    );
}

#[test]
fn captured_text_is_written_to_its_key() {
    let plan = capturing(Capture::Text { state_key: "slug".into() });
    check(
        &told(plan, Captured::Text("hello".to_owned())),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +103ms saved v3 → hook ask t1 for w ["src/a"]
        +113ms hook t1 ended with exit status 0, Text("hello") → 'TemplateKeyMissing { workflow: w, key: n }', "w: slug is hello, n is ", 'w finished'
    "#]],
    );
}

#[test]
fn a_captured_object_is_merged() {
    let object = [("slug".into(), Value::from("hello")), ("n".into(), Value::Number("1.50".to_owned()))].into();
    check(
        &told(capturing(Capture::Json), Captured::Object(object)),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +103ms saved v3 → hook ask t1 for w ["src/a"]
        +113ms hook t1 ended with exit status 0, Object({n: Number("1.50"), slug: String("hello")}) → "w: slug is hello, n is 1.50", 'w finished'
    "#]],
    );
}

#[test]
fn a_captured_reserved_key_fails_the_step_and_writes_nothing() {
    let object = [("slug".into(), Value::from("no")), ("root".into(), Value::from("/"))].into();
    check(
        &told(capturing(Capture::Json), Captured::Object(object)),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +103ms saved v3 → hook ask t1 for w ["src/a"]
        +113ms hook t1 ended with exit status 0, Object({root: String("/"), slug: String("no")}) → 'w failed in w step 1 run_hook: ReservedKey { hook: ask, key: root }'
    "#]],
    );
}

#[test]
fn output_that_cannot_be_used_fails_the_step() {
    let failure = CaptureFailure::TooLong { bytes_max: 1 << 20 };
    check(
        &told(capturing(Capture::Text { state_key: "slug".into() }), Captured::Unusable(failure)),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +103ms saved v3 → hook ask t1 for w ["src/a"]
        +113ms hook t1 ended with exit status 0, Unusable(TooLong { bytes_max: 1048576 }) → 'w failed in w step 1 run_hook: CaptureUnusable { hook: ask, failure: TooLong { bytes_max: 1048576 } }'
    "#]],
    );
}

#[test]
fn a_failing_hook_captures_nothing() {
    let plan = capturing(Capture::Text { state_key: "slug".into() });
    let script =
        Script { hook_ends: [("ask", vec![exits(2, Captured::Text("no".to_owned()))])].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +103ms saved v3 → hook ask t1 for w ["src/a"]
        +113ms hook t1 ended with exit status 2, Text("no") → 'w failed in w step 1 run_hook: HookFailed { hook: ask, status: Code(2) }'
    "#]],
    );
    assert_eq!(story.view().values.get("slug"), None);
}

fn observed(hook: &mut HookPlan) {
    hook.capture = Capture::Text { state_key: "branch".into() };
    hook.observe = Some(ObservePlan { workflow: WorkflowName::from("switched"), interval: Duration::from_secs(1) });
}

#[test]
fn an_observed_hook_runs_its_workflow_when_what_it_captures_changed() {
    let plan = Planned::new()
        .hook("branch", observed)
        .workflow("switched", [log("on {{ branch }}")])
        .watch("switched", "src/");
    let says = |text: &str| exits(0, Captured::Text(text.to_owned()));
    let script =
        Script { hook_ends: [("branch", vec![says("main"), says("main"), says("fix")])].into(), ..Script::default() };
    check(
        &Story::begins(plan, script).until(4500),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → hook branch t1 for observe
        +11ms hook t1 ended with exit status 0, Text("main") → 'switched began', "switched: on main", 'switched finished'
        +1011ms DeadlineReached → hook branch t2 for observe
        +1021ms hook t2 ended with exit status 0, Text("main")
        +2021ms DeadlineReached → hook branch t3 for observe
        +2031ms hook t3 ended with exit status 0, Text("fix") → 'switched began', "switched: on fix", 'switched finished'
        +3031ms DeadlineReached → hook branch t4 for observe
        +3041ms hook t4 ended with exit status 0, Text("fix")
        +4041ms DeadlineReached → hook branch t5 for observe
        +4051ms hook t5 ended with exit status 0, Text("fix")
    "#]],
    );
}

#[test]
fn a_failing_poll_is_told_once_then_when_it_changes_and_when_it_works_again() {
    let plan = Planned::new()
        .hook("branch", observed)
        .workflow("switched", [log("on {{ branch }}")])
        .watch("switched", "src/");
    let fails = |code| exits(code, Captured::Nothing);
    let ends = vec![fails(1), fails(1), fails(2), exits(0, Captured::Text("main".to_owned()))];
    let script = Script { hook_ends: [("branch", ends)].into(), ..Script::default() };
    check(
        &Story::begins(plan, script).until(4500),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → hook branch t1 for observe
        +11ms hook t1 ended with exit status 1, Nothing → 'ObserverFailed { hook: branch, failure: HookFailed { hook: branch, status: Code(1) } }'
        +1011ms DeadlineReached → hook branch t2 for observe
        +1021ms hook t2 ended with exit status 1, Nothing
        +2021ms DeadlineReached → hook branch t3 for observe
        +2031ms hook t3 ended with exit status 2, Nothing → 'ObserverFailed { hook: branch, failure: HookFailed { hook: branch, status: Code(2) } }'
        +3031ms DeadlineReached → hook branch t4 for observe
        +3041ms hook t4 ended with exit status 0, Text("main") → 'ObserverRecovered { hook: branch }', 'switched began', "switched: on main", 'switched finished'
        +4041ms DeadlineReached → hook branch t5 for observe
        +4051ms hook t5 ended with exit status 0, Text("main")
    "#]],
    );
}

#[test]
fn a_slow_poll_is_never_doubled() {
    let plan = Planned::new()
        .hook("branch", observed)
        .workflow("switched", [log("on {{ branch }}")])
        .watch("switched", "src/");
    let script = Script { hook_takes: [("branch", 2500)].into(), ..Script::default() };
    check(
        &Story::begins(plan, script).until(9000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → hook branch t1 for observe
        +2501ms hook t1 ended with exit status 0, Nothing
        +3501ms DeadlineReached → hook branch t2 for observe
        +6001ms hook t2 ended with exit status 0, Nothing
        +7001ms DeadlineReached → hook branch t3 for observe
    "#]],
    );
}
