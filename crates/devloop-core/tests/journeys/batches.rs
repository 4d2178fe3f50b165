//! Which runs wait for which: batches, footprints, and what a busy workflow does.

use crate::build::{Planned, hook, log, restart};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::names::LockName;
use devloop_core::plan::workflow::OnBusy;
use expect_test::expect;

fn busy(on_busy: OnBusy) -> Planned {
    Planned::new()
        .hook("build", |_| {})
        .workflow_with("rust", [hook("build"), log("{{ last_changed_files }}")], |rust| rust.on_busy = on_busy)
        .watch("rust", "src/")
        .debounce(0)
}

fn slow_build() -> Script {
    Script { hook_takes: [("build", 500)].into(), ..Script::default() }
}

#[test]
fn a_queued_workflow_runs_once_more_with_all_files() {
    let mut story = Story::begins(busy(OnBusy::Queue), slow_build())
        .saves(100, "src/a.rs")
        .saves(200, "src/b.rs")
        .saves(300, "src/c.rs");
    check(&story.until(2000), &expect![""]);
}

#[test]
fn a_restarted_workflow_is_cancelled_and_begins_again_with_all_files_since() {
    let mut story =
        Story::begins(busy(OnBusy::Restart), slow_build()).saves(100, "src/a.rs").saves(200, "src/b.rs");
    check(&story.until(2000), &expect![""]);
}

#[test]
fn a_skipping_workflow_drops_what_comes_while_it_runs() {
    let mut story = Story::begins(busy(OnBusy::Skip), slow_build()).saves(100, "src/a.rs").saves(200, "src/b.rs");
    check(&story.until(2000), &expect![""]);
}

#[test]
fn workflows_of_one_batch_run_one_after_the_other_in_name_order() {
    let plan = Planned::new()
        .hook("css", |_| {})
        .hook("js", |_| {})
        .workflow("b_css", [hook("css")])
        .workflow("a_js", [hook("js")])
        .watch("b_css", "web/")
        .watch("a_js", "web/");
    let mut story = Story::begins(plan, Script::default()).saves(100, "web/x");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn an_unrelated_workflow_does_not_wait_for_a_slow_one_and_a_related_one_does() {
    let locked = |name: &'static str| move |hook: &mut devloop_core::plan::hook::HookPlan| {
        hook.locks = [LockName::from(name)].into();
    };
    let plan = Planned::new()
        .hook("build", locked("dist"))
        .hook("pack", locked("dist"))
        .hook("css", |_| {})
        .workflow("build", [hook("build")])
        .workflow("css", [hook("css")])
        .workflow("pack", [hook("pack")])
        .watch("build", "src/")
        .watch("css", "css/")
        .watch("pack", "assets/")
        .debounce(0);
    let mut story = Story::begins(plan, slow_build())
        .saves(100, "src/a.rs")
        .saves(110, "assets/logo.svg")
        .saves(120, "css/a.css");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn without_concurrency_one_workflow_runs_at_a_time() {
    let mut plan = Planned::new()
        .hook("build", |_| {})
        .hook("css", |_| {})
        .workflow("build", [hook("build")])
        .workflow("css", [hook("css")])
        .watch("build", "src/")
        .watch("css", "css/")
        .debounce(0);
    plan.0.concurrent = false;
    let mut story = Story::begins(plan, slow_build()).saves(100, "src/a.rs").saves(120, "css/a.css");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn two_workflows_that_restart_one_process_wait_for_each_other() {
    let plan = Planned::new()
        .process("server", |_| {})
        .workflow("one", [restart("server")])
        .workflow("two", [restart("server")])
        .watch("one", "one/")
        .watch("two", "two/")
        .debounce(0);
    let mut story = Story::begins(plan, Script::default()).saves(100, "one/x").saves(102, "two/x");
    check(&story.until(1000), &expect![""]);
}
