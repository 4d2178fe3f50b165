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
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs] → 'rust began with 1 files'
        +101ms saved v3 → hook build t1 for rust ["src/a.rs"]
        +200ms PathsTouched [Settled src/b.rs]
        +300ms PathsTouched [Settled src/c.rs]
        +601ms hook t1 ended with exit status 0, Nothing → "rust: ["src/a.rs"]", 'rust finished', 'rust began with 2 files'
        +602ms saved v4 → hook build t2 for rust ["src/b.rs", "src/c.rs"]
        +1102ms hook t2 ended with exit status 0, Nothing → "rust: ["src/b.rs","src/c.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn a_restarted_workflow_is_cancelled_and_begins_again_with_all_files_since() {
    let mut story = Story::begins(busy(OnBusy::Restart), slow_build()).saves(100, "src/a.rs").saves(200, "src/b.rs");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs] → 'rust began with 1 files'
        +101ms saved v3 → hook build t1 for rust ["src/a.rs"]
        +200ms PathsTouched [Settled src/b.rs] → stop hook t1, 'WorkflowCancelled { workflow: rust }'
        +202ms hook t1 ended with signal 15 (SIGTERM), Nothing → 'rust began with 2 files'
        +203ms saved v4 → hook build t2 for rust ["src/a.rs", "src/b.rs"]
        +703ms hook t2 ended with exit status 0, Nothing → "rust: ["src/a.rs","src/b.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn a_skipping_workflow_drops_what_comes_while_it_runs() {
    let mut story = Story::begins(busy(OnBusy::Skip), slow_build()).saves(100, "src/a.rs").saves(200, "src/b.rs");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs] → 'rust began with 1 files'
        +101ms saved v3 → hook build t1 for rust ["src/a.rs"]
        +200ms PathsTouched [Settled src/b.rs] → 'WorkflowSkipped { workflow: rust }'
        +601ms hook t1 ended with exit status 0, Nothing → "rust: ["src/a.rs"]", 'rust finished'
    "#]],
    );
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
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled web/x]
        +102ms DeadlineReached → 'a_js began with 1 files'
        +103ms saved v3 → hook js t1 for a_js ["web/x"]
        +113ms hook t1 ended with exit status 0, Nothing → 'a_js finished', 'b_css began with 1 files'
        +114ms saved v4 → hook css t2 for b_css ["web/x"]
        +124ms hook t2 ended with exit status 0, Nothing → 'b_css finished'
    "#]],
    );
}

#[test]
fn an_unrelated_workflow_does_not_wait_for_a_slow_one_and_a_related_one_does() {
    let locked = |name: &'static str| {
        move |hook: &mut devloop_core::plan::hook::HookPlan| {
            hook.locks = [LockName::from(name)].into();
        }
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
    let mut story =
        Story::begins(plan, slow_build()).saves(100, "src/a.rs").saves(110, "assets/logo.svg").saves(120, "css/a.css");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs] → 'build began with 1 files'
        +101ms saved v3 → hook build t1 for build ["src/a.rs"]
        +110ms PathsTouched [Settled assets/logo.svg]
        +120ms PathsTouched [Settled css/a.css] → 'css began with 1 files'
        +121ms saved v5 → hook css t2 for css ["css/a.css"]
        +131ms hook t2 ended with exit status 0, Nothing → 'css finished'
        +601ms hook t1 ended with exit status 0, Nothing → 'build finished', 'pack began with 1 files'
        +602ms saved v7 → hook pack t3 for pack ["assets/logo.svg"]
        +612ms hook t3 ended with exit status 0, Nothing → 'pack finished'
    "#]],
    );
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
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs] → 'build began with 1 files'
        +101ms saved v3 → hook build t1 for build ["src/a.rs"]
        +120ms PathsTouched [Settled css/a.css]
        +601ms hook t1 ended with exit status 0, Nothing → 'build finished', 'css began with 1 files'
        +602ms saved v5 → hook css t2 for css ["css/a.css"]
        +612ms hook t2 ended with exit status 0, Nothing → 'css finished'
    "#]],
    );
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
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled one/x] → 'one began with 1 files', stop server#1
        +102ms PathsTouched [Settled two/x]
        +105ms server#1 exited with signal 15 (SIGTERM)
        +106ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +108ms server#2 started → 'ProcessStarted { process: server, pid: 7 }', 'one finished', 'two began with 1 files', stop server#2
        +113ms server#2 exited with signal 15 (SIGTERM)
        +114ms server#2 gone → 'ProcessStopped { process: server }', start server#3
        +116ms server#3 started → 'ProcessStarted { process: server, pid: 7 }', 'two finished'
    "#]],
    );
}
