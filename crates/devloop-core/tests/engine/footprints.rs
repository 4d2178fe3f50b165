//! Which workflows may run at the same time.

use crate::world::{add_hook, add_process, add_workflow, hook, plan, process, process_with_rule, run_hook};
use devloop_core::names::WorkflowName;
use devloop_core::plan::Plan;
use devloop_core::plan::footprint::Footprint;
use devloop_core::plan::hook::{Capture, HookPlan};
use devloop_core::plan::process::ProcessPlan;
use devloop_core::plan::workflow::{MessageStyle, Step};
use devloop_core::template::Template;
use std::collections::BTreeSet;

fn log(text: &str) -> Step {
    Step::Log { message: Template::parse(text), style: MessageStyle::Plain }
}

fn write(key: &str) -> Step {
    Step::WriteState { key: key.into(), value: Template::parse("x") }
}

/// A plan in which all that is named here exists.
fn world() -> Plan {
    let mut plan = plan(Vec::new());
    add_process(&mut plan, "db", process());
    add_process(&mut plan, "server", ProcessPlan { depends_on: BTreeSet::from(["db".into()]), ..process() });
    add_process(&mut plan, "tunnel", process_with_rule("url"));
    add_hook(&mut plan, "css", hook());
    add_hook(&mut plan, "slug", HookPlan { capture: Capture::Text { state_key: "slug".into() }, ..hook() });
    add_hook(&mut plan, "facts", HookPlan { capture: Capture::Json, ..hook() });
    add_hook(&mut plan, "one", HookPlan { locks: BTreeSet::from(["dist".into()]), ..hook() });
    add_hook(&mut plan, "two", HookPlan { locks: BTreeSet::from(["dist".into()]), ..hook() });
    plan
}

fn conflict(left: Step, right: Step) -> bool {
    let mut plan = world();
    add_workflow(&mut plan, "left", vec![left], &[]);
    add_workflow(&mut plan, "right", vec![right], &[]);
    let [left, right] = ["left", "right"].map(|name| Footprint::of(&plan, &WorkflowName::from(name)));
    assert_eq!(left.conflicts_with(&right), right.conflicts_with(&left));
    left.conflicts_with(&right)
}

#[test]
fn what_one_writes_and_another_reads_or_writes_keeps_them_apart() {
    assert!(conflict(Step::RestartProcess("server".into()), Step::WaitForProcess("server".into())));
    assert!(conflict(Step::StartProcess("server".into()), Step::StopProcess("db".into())));
    assert!(conflict(run_hook("css"), run_hook("css")));
    assert!(conflict(run_hook("slug"), log("{{slug}}")));
    assert!(conflict(run_hook("facts"), log("{{anything}}")));
    assert!(conflict(run_hook("one"), run_hook("two")));
    assert!(conflict(Step::RestartProcess("tunnel".into()), log("{{ url }}")));
    assert!(conflict(write("a"), log("{{a.b}}")));
}

#[test]
fn what_shares_nothing_or_only_reads_may_meet() {
    assert!(!conflict(Step::WaitForProcess("server".into()), Step::WaitForProcess("server".into())));
    assert!(!conflict(Step::RestartProcess("server".into()), run_hook("css")));
    assert!(!conflict(log("{{last_workflow}} {{last_changed_files}}"), write("a")));
    assert!(!conflict(run_hook("facts"), run_hook("css")));
}

#[test]
fn a_lock_of_a_process_keeps_away_from_what_starts_or_stops_it() {
    let mut plan = world();
    add_process(&mut plan, "bundler", ProcessPlan { locks: BTreeSet::from(["dist".into()]), ..process() });
    let steps = [
        ("hook", run_hook("one")),
        ("start", Step::StartProcess("bundler".into())),
        ("restart", Step::RestartProcess("bundler".into())),
        ("stop", Step::StopProcess("bundler".into())),
        ("wait", Step::WaitForProcess("bundler".into())),
    ];
    for (name, step) in steps {
        add_workflow(&mut plan, name, vec![step], &[]);
    }
    let of = |name: &str| Footprint::of(&plan, &WorkflowName::from(name));
    assert_eq!(
        ["start", "restart", "stop", "wait"].map(|name| of("hook").conflicts_with(&of(name))),
        [true, true, true, false]
    );
}

#[test]
fn a_footprint_reaches_through_steps_and_triggers() {
    let mut plan = world();
    add_workflow(&mut plan, "inner", vec![run_hook("css")], &[]);
    add_workflow(&mut plan, "next", vec![Step::StopProcess("server".into())], &[]);
    add_workflow(&mut plan, "outer", vec![Step::Parallel(vec![Step::RunWorkflow("inner".into())])], &["next"]);
    add_workflow(&mut plan, "css", vec![run_hook("css")], &[]);
    add_workflow(&mut plan, "wait", vec![Step::WaitForProcess("server".into())], &[]);
    let of = |name: &str| Footprint::of(&plan, &WorkflowName::from(name));
    assert!(of("outer").conflicts_with(&of("css")));
    assert!(of("outer").conflicts_with(&of("wait")));
    assert!(!of("css").conflicts_with(&of("wait")));
    assert!(of("main").conflicts_with(&of("main")), "one workflow never overlaps itself");
}
