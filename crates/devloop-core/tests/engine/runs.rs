//! Steps, triggers, hooks, and what happens when a workflow is wanted again.

use crate::world::{
    Bench, add_hook, add_process, add_watch, add_workflow, hook, ms, plan, process, run_hook, set_on_busy,
};
use devloop_core::fact::{Captured, ProcessFact, StartFailure};
use devloop_core::names::StateKey;
use devloop_core::plan::Plan;
use devloop_core::plan::hook::{Capture, HookPlan, ObservePlan};
use devloop_core::plan::workflow::{MessageStyle, OnBusy, Step};
use devloop_core::template::Template;
use devloop_core::value::Value;
use std::collections::BTreeMap;

fn log(text: &str) -> Step {
    Step::Log { message: Template::parse(text), style: MessageStyle::Plain }
}

fn build(on_busy: OnBusy) -> Plan {
    let mut plan = plan(vec![run_hook("build")]);
    add_hook(&mut plan, "build", hook());
    set_on_busy(&mut plan, "main", on_busy);
    plan
}

#[test]
fn a_busy_workflow_that_queues_runs_once_more_with_all_files_since() {
    let mut bench = Bench::begun(build(OnBusy::Queue));
    assert_eq!(bench.saves_and_waits(&["src/a"]), [r#"hook build t1 for main ["src/a"]"#]);
    assert_eq!(bench.saves_and_waits(&["src/c"]), [""; 0]);
    assert_eq!(bench.saves_and_waits(&["src/b"]), [""; 0]);
    let lines = bench.hook_ends(1, 0, Captured::Nothing);
    assert_eq!(lines, ["finished main", r#"hook build t2 for main ["src/b", "src/c"]"#]);
}

#[test]
fn a_busy_workflow_that_restarts_is_cancelled_and_keeps_its_files() {
    let mut bench = Bench::begun(build(OnBusy::Restart));
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.saves_and_waits(&["src/b"]), ["stop t1", "WorkflowCancelled"]);
    assert_eq!(bench.saves_and_waits(&["src/c"]), [""; 0]);
    let lines = bench.hook_ends(1, 143, Captured::Nothing);
    assert_eq!(lines, [r#"hook build t2 for main ["src/a", "src/b", "src/c"]"#]);
}

#[test]
fn a_busy_workflow_that_skips_drops_the_change() {
    let mut bench = Bench::begun(build(OnBusy::Skip));
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.saves_and_waits(&["src/b"]), ["WorkflowSkipped"]);
    assert_eq!(bench.hook_ends(1, 0, Captured::Nothing), ["finished main"]);
}

#[test]
fn a_hook_that_takes_too_long_is_stopped_then_killed_and_fails_the_run() {
    let mut plan = build(OnBusy::Queue);
    add_hook(&mut plan, "build", HookPlan { timeout: Some(ms(1000)), ..hook() });
    let mut bench = Bench::begun(plan);
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.wait_ms(1000), ["stop t1"]);
    assert_eq!(bench.wait_ms(5000), ["WaitingForStop", "kill t1"]);
    assert_eq!(bench.hook_ends(1, 0, Captured::Nothing), ["failed main: main.[1] run_hook: HookTimedOut"]);
}

#[test]
fn triggers_run_after_the_last_step_depth_first_and_once() {
    let mut plan = plan(vec![log("main")]);
    add_workflow(&mut plan, "main", vec![log("a")], &["b", "c"]);
    add_workflow(&mut plan, "b", vec![log("b")], &["d"]);
    add_workflow(&mut plan, "c", vec![log("c")], &["d"]);
    add_workflow(&mut plan, "d", vec![log("d {{last_workflow}}")], &[]);
    let mut bench = Bench::begun(plan);
    let lines = bench.saves_and_waits(&["src/x"]);
    assert_eq!(lines, ["log a", "log b", "log d d", "log c", "finished main"]);
}

#[test]
fn an_inline_workflow_runs_with_its_triggers_before_the_next_step_and_is_not_written_down() {
    let mut plan = plan(Vec::new());
    let inner = Step::RunWorkflow("inner".into());
    add_workflow(&mut plan, "main", vec![inner, log("after {{last_workflow}}")], &[]);
    add_workflow(
        &mut plan,
        "inner",
        vec![log("inner {{last_workflow}} {{last_changed_files}}"), run_hook("h")],
        &["t"],
    );
    add_workflow(&mut plan, "t", vec![log("t")], &[]);
    add_hook(&mut plan, "h", hook());
    let mut bench = Bench::begun(plan);
    let lines = bench.saves_and_waits(&["src/x"]);
    assert_eq!(lines, [r#"log inner main ["src/x"]"#, r#"hook h t1 for inner ["src/x"]"#]);
    assert_eq!(bench.hook_ends(1, 0, Captured::Nothing), ["log t", "log after t", "finished main"]);
}

#[test]
fn the_first_failure_of_a_parallel_step_cancels_the_rest_and_names_its_place() {
    let mut plan = plan(vec![log("x"), Step::Parallel(vec![run_hook("slow"), Step::RunWorkflow("inner".into())])]);
    add_workflow(&mut plan, "inner", vec![run_hook("bad")], &[]);
    add_hook(&mut plan, "slow", hook());
    add_hook(&mut plan, "bad", hook());
    let mut bench = Bench::begun(plan);
    let lines = bench.saves_and_waits(&["src/x"]);
    assert_eq!(lines[1..], [r#"hook slow t1 for main ["src/x"]"#, r#"hook bad t2 for inner ["src/x"]"#]);
    assert_eq!(bench.hook_ends(2, 3, Captured::Nothing), ["stop t1"]);
    assert_eq!(bench.wait_ms(5000), ["WaitingForStop", "kill t1"]);
    assert_eq!(
        bench.hook_ends(1, -9, Captured::Nothing),
        ["failed main: main.[2, 2] run_workflow > inner.[1] run_hook: HookFailed"]
    );
}

#[test]
fn captured_text_and_objects_become_state_and_reserved_keys_fail_the_step() {
    let mut plan = plan(vec![run_hook("slug"), run_hook("facts"), log("{{slug}} {{n}}{{gone}}")]);
    add_hook(&mut plan, "slug", HookPlan { capture: Capture::Text { state_key: "slug".into() }, ..hook() });
    add_hook(&mut plan, "facts", HookPlan { capture: Capture::Json, ..hook() });
    let mut bench = Bench::begun(plan);
    bench.saves_and_waits(&["src/x"]);
    bench.hook_ends(1, 0, Captured::Text("post".to_owned()));
    let object = |key: &str| Captured::Object(BTreeMap::from([(StateKey::from(key), Value::Number("7".to_owned()))]));
    assert_eq!(bench.hook_ends(2, 0, object("n")), ["TemplateKeyMissing", "log post 7", "finished main"]);
    bench.saves_and_waits(&["src/x"]);
    bench.hook_ends(3, 0, Captured::Text("post".to_owned()));
    let lines = bench.hook_ends(4, 0, object("artifact.x.path"));
    assert_eq!(lines, ["failed main: main.[2] run_hook: ReservedKey"]);
}

#[test]
fn independent_workflows_of_different_causes_run_at_the_same_time_and_of_one_batch_in_order() {
    let mut plan = build(OnBusy::Queue);
    add_workflow(&mut plan, "css", vec![run_hook("css")], &[]);
    add_hook(&mut plan, "css", hook());
    add_watch(&mut plan, "css", "styles/");
    let mut bench = Bench::begun(plan.clone());
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.saves_and_waits(&["styles/a"]), [r#"hook css t2 for css ["styles/a"]"#]);
    let mut bench = Bench::begun(plan.clone());
    assert_eq!(bench.saves_and_waits(&["src/a", "styles/a"]), [r#"hook css t1 for css ["styles/a"]"#]);
    assert_eq!(
        bench.hook_ends(1, 1, Captured::Nothing),
        ["failed css: css.[1] run_hook: HookFailed", r#"hook build t2 for main ["src/a"]"#]
    );
    plan.concurrent = false;
    let mut bench = Bench::begun(plan);
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.saves_and_waits(&["styles/a"]), [""; 0]);
}

#[test]
fn startup_workflows_run_in_their_order_and_a_failure_does_not_stop_the_next() {
    let mut plan = build(OnBusy::Queue);
    add_workflow(&mut plan, "early", vec![run_hook("early")], &[]);
    add_hook(&mut plan, "early", hook());
    plan.startup_workflows = vec!["main".into(), "early".into()];
    let mut bench = Bench::new(plan);
    assert_eq!(bench.give(devloop_core::fact::Fact::SessionBegan), ["watch"]);
    assert_eq!(bench.give(devloop_core::fact::Fact::WatchingBegan), ["hook build t1 for main []"]);
    let lines = bench.hook_ends(1, 1, Captured::Nothing);
    assert_eq!(lines, ["failed main: main.[1] run_hook: HookFailed", "hook early t2 for early []"]);
    assert_eq!(bench.hook_ends(2, 0, Captured::Nothing), ["finished early"]);
}

#[test]
fn a_polled_hook_runs_its_workflow_when_what_it_captures_changed() {
    let mut plan = plan(vec![log("branch {{branch}}")]);
    let observe = Some(ObservePlan { workflow: "main".into(), interval: ms(1000) });
    let capture = Capture::Text { state_key: "branch".into() };
    add_hook(&mut plan, "branch", HookPlan { capture, observe, ..hook() });
    let mut bench = Bench::begun(plan);
    let text = |text: &str| Captured::Text(text.to_owned());
    assert_eq!(bench.hook_ends(1, 0, text("a")), ["log branch a", "finished main"]);
    assert_eq!(bench.wait_ms(1000), ["hook branch t2 for observe []"]);
    assert_eq!(bench.wait_ms(5000), [""; 0], "never twice at once");
    assert_eq!(bench.hook_ends(2, 0, text("a")), [""; 0]);
    bench.wait_ms(1000);
    assert_eq!(bench.hook_ends(3, 1, Captured::Nothing), ["ObserverFailed"]);
    bench.wait_ms(1000);
    assert_eq!(bench.hook_ends(4, 1, Captured::Nothing), [""; 0], "told once");
    bench.wait_ms(1000);
    assert_eq!(bench.hook_ends(5, 0, text("b")), ["ObserverRecovered", "log branch b", "finished main"]);
}

#[test]
fn a_run_that_awaits_a_process_which_another_run_cannot_start_goes_on_failing_not_hanging() {
    let mut plan = plan(vec![Step::StartProcess("db".into())]);
    add_workflow(&mut plan, "other", vec![Step::WaitForProcess("db".into())], &[]);
    add_watch(&mut plan, "other", "other/");
    add_process(&mut plan, "db", devloop_core::plan::process::ProcessPlan { autostart: false, ..process() });
    let mut bench = Bench::begun(plan);
    assert_eq!(bench.saves_and_waits(&["src/a"]), ["start db#1"]);
    assert_eq!(bench.saves_and_waits(&["other/a"]), [""; 0]);
    let failure = StartFailure::UnsetVariable { key: "command[1]".to_owned(), variable: "PORT".to_owned() };
    assert_eq!(
        bench.process("db", 1, ProcessFact::StartFailed(failure)),
        [
            "ProcessStartFailed",
            "failed main: main.[1] start_process: ProcessStartFailed",
            "failed other: other.[1] wait_for_process: ProcessNotRunning",
        ]
    );
}

#[test]
fn t2_after_a_long_sleep_an_observed_hook_is_asked_once() {
    let mut plan = plan(Vec::new());
    let observe = ObservePlan { workflow: "main".into(), interval: ms(1000) };
    add_hook(&mut plan, "branch", HookPlan { observe: Some(observe), ..hook() });
    let mut bench = Bench::begun(plan);
    bench.hook_ends(1, 0, Captured::Nothing);
    assert_eq!(bench.wait_ms(1000), ["hook branch t2 for observe []"]);
    bench.hook_ends(2, 0, Captured::Nothing);
    // An hour passes in which nobody could look.
    bench.now = bench.now + ms(3_600_000);
    assert_eq!(bench.give(devloop_core::fact::Fact::DeadlineReached), ["hook branch t3 for observe []"]);
    assert_eq!(bench.hook_ends(3, 0, Captured::Nothing), [""; 0]);
    assert_eq!(bench.wait_ms(999), [""; 0]);
    assert_eq!(bench.wait_ms(1), ["hook branch t4 for observe []"]);
}
