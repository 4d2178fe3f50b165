//! Starts, stops, exits, readiness, dependencies.

use crate::world::{Bench, add_process, add_watch, add_workflow, ms, plan, process, process_with_rule, tcp};
use devloop_core::fact::{Fact, ProbeAnswer, ProbeRole, ProcessFact, StartFailure};
use devloop_core::moment::Moment;
use devloop_core::names::StateKey;
use devloop_core::plan::Plan;
use devloop_core::plan::output::Pattern;
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::process::{ProcessPlan, RestartPolicy};
use devloop_core::plan::workflow::Step;
use devloop_core::value::Value;
use devloop_core::view::{Condition, Phase};
use std::collections::BTreeSet;
use std::time::Duration;

fn server_plan(steps: Vec<Step>, server: ProcessPlan) -> Plan {
    let mut plan = plan(steps);
    add_process(&mut plan, "server", server);
    plan
}

fn restart_and_wait() -> Vec<Step> {
    vec![Step::RestartProcess("server".into()), Step::WaitForProcess("server".into())]
}

fn condition(bench: &Bench, name: &str) -> Condition {
    bench.engine.view().processes[name].condition
}

#[test]
fn a_save_restarts_the_server_and_waits_until_it_is_ready() {
    let server = ProcessPlan { readiness: Some(tcp()), ..process() };
    let mut bench = Bench::begun(server_plan(restart_and_wait(), server));
    assert_eq!(bench.started("server", 1), ["probe server t1"]);
    assert_eq!(bench.probed(1, ProbeAnswer::Well), ["ProcessReady"]);
    assert_eq!(bench.saves_and_waits(&["src/a.rs"]), ["stop server#1"]);
    assert_eq!(bench.exited("server", 1, 143), [""; 0]);
    assert_eq!(bench.gone("server", 1), ["ProcessStopped", "start server#2"]);
    assert_eq!(bench.started("server", 2), ["probe server t2"]);
    assert_eq!(bench.probed(2, ProbeAnswer::Refused), [""; 0]);
    assert_eq!(bench.wait_ms(1), ["probe server t3"]);
    assert_eq!(bench.probed(3, ProbeAnswer::Well), ["ProcessReady", "finished main"]);
}

#[test]
fn a_process_that_ignores_its_stop_is_killed_and_then_started() {
    let mut bench = Bench::begun(server_plan(vec![Step::RestartProcess("server".into())], process()));
    bench.started("server", 1);
    bench.saves_and_waits(&["src/a.rs"]);
    assert_eq!(bench.wait_ms(4_800), ["WaitingForStop", "ProcessKilled", "kill server#1"]);
    assert_eq!(bench.exited("server", 1, -9), [""; 0]);
    assert_eq!(bench.gone("server", 1), ["ProcessStopped", "start server#2"]);
}

#[test]
fn what_exits_by_itself_comes_back_later_each_time_and_at_once_when_it_was_well() {
    let server = ProcessPlan { restart: RestartPolicy::Always, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    for (life, shortest) in [(1, 225), (2, 450), (3, 900), (4, 1800)] {
        bench.started("server", life);
        assert_eq!(bench.exited("server", life, 1), ["ProcessExited"]);
        bench.gone("server", life);
        assert_eq!(condition(&bench, "server"), Condition::BackingOff);
        assert_eq!(bench.wait_ms(shortest - 1), [""; 0]);
        assert_eq!(bench.wait_ms(shortest), [format!("start server#{}", life + 1)]);
    }
    bench.started("server", 5);
    assert_eq!(bench.wait(ms(10_000)), [""; 0]);
    bench.exited("server", 5, 0);
    bench.gone("server", 5);
    assert_eq!(bench.wait_ms(275), ["start server#6"]);
}

#[test]
fn the_longest_wait_for_a_restart_is_kept() {
    let server = ProcessPlan { restart: RestartPolicy::OnFailure, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    for life in 1..=40 {
        bench.started("server", life);
        bench.exited("server", life, 1);
        bench.gone("server", life);
        // The jitter does not go over it either.
        assert_eq!(bench.wait_ms(30_000), [format!("start server#{}", life + 1)]);
    }
}

#[test]
fn leftovers_of_an_exited_life_are_stopped_before_the_next_one() {
    let server = ProcessPlan { restart: RestartPolicy::Always, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    bench.started("server", 1);
    bench.exited("server", 1, 0);
    assert_eq!(bench.wait_ms(300), ["stop server#1"]);
    assert_eq!(bench.gone("server", 1), ["start server#2"]);
}

#[test]
fn a_taken_address_ends_the_session_during_startup_and_is_said_once() {
    let mut plan = server_plan(restart_and_wait(), process());
    plan.startup_workflows = vec!["main".into()];
    let mut bench = Bench::begun(plan);
    assert_eq!(bench.taken("server", 1), ["start server#2"], "the restart step has given up on the first life");
    assert_eq!(bench.taken("server", 2), ["ProcessStartFailed", "last save", "end Failed"]);
}

#[test]
fn a_taken_address_later_fails_the_workflow_and_is_said_once() {
    let mut bench = Bench::begun(server_plan(restart_and_wait(), process()));
    bench.started("server", 1);
    bench.saves_and_waits(&["src/a.rs"]);
    bench.exited("server", 1, 0);
    bench.gone("server", 1);
    assert_eq!(
        bench.taken("server", 2),
        ["ProcessStartFailed", "failed main: main.[1] restart_process: ProcessStartFailed"]
    );
    assert_eq!(bench.engine.view().phase, Phase::Running);
}

#[test]
fn a_taken_address_is_said_once_however_often_it_is_tried_again_until_the_process_ran() {
    let server = ProcessPlan { restart: RestartPolicy::Always, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    bench.started("server", 1);
    bench.exited("server", 1, 0);
    bench.gone("server", 1);
    assert_eq!(bench.wait_ms(300), ["start server#2"]);
    assert_eq!(bench.taken("server", 2), ["ProcessStartFailed"]);
    assert_eq!(bench.wait_ms(600), ["start server#3"]);
    assert_eq!(bench.taken("server", 3), [""; 0]);
    assert_eq!(bench.wait_ms(1200), ["start server#4"]);
    bench.started("server", 4);
    bench.exited("server", 4, 0);
    bench.gone("server", 4);
    assert_eq!(bench.wait_ms(2400), ["start server#5"]);
    assert_eq!(bench.taken("server", 5), ["ProcessStartFailed"], "it ran in between");
}

#[test]
fn a_death_ends_the_wait_at_once_and_the_policy_still_applies() {
    let server = ProcessPlan { readiness: Some(tcp()), restart: RestartPolicy::Always, ..process() };
    let mut plan = server_plan(vec![Step::WaitForProcess("server".into())], server);
    plan.startup_workflows = vec!["main".into()];
    let mut bench = Bench::begun(plan);
    bench.started("server", 1);
    let lines = bench.exited("server", 1, 1);
    assert_eq!(lines, ["cancel t1", "ProcessExited", "failed main: main.[1] wait_for_process: ProcessExited"]);
    bench.gone("server", 1);
    assert_eq!(bench.saves(&["src/a.rs"]), [""; 0]);
    assert_eq!(bench.wait_ms(5), ["failed main: main.[1] wait_for_process: ProcessNotRunning"]);
    assert_eq!(bench.wait_ms(300), ["start server#2"]);
}

#[test]
fn a_wait_that_takes_too_long_fails_and_a_late_answer_still_counts() {
    let server = ProcessPlan { readiness: Some(tcp()), ..process() };
    let mut bench = Bench::begun(server_plan(restart_and_wait(), server));
    bench.started("server", 1);
    assert_eq!(bench.wait_ms(15_000), ["ProcessNotReady"]);
    assert_eq!(bench.saves_and_waits(&["src/a.rs"]), ["cancel t1", "stop server#1"]);
    bench.exited("server", 1, 0);
    bench.gone("server", 1);
    assert_eq!(bench.started("server", 2), ["probe server t2"]);
    assert_eq!(bench.wait_ms(15_000), ["failed main: main.[2] wait_for_process: ProcessNotReady"]);
    assert_eq!(bench.probed(2, ProbeAnswer::Unwell("status 503".to_owned())), [""; 0]);
    assert_eq!(bench.wait_ms(500), ["probe server t3"]);
    assert_eq!(bench.probed(3, ProbeAnswer::Well), ["ProcessReady"]);
}

#[test]
fn a_process_waits_for_what_it_depends_on() {
    let mut plan = server_plan(Vec::new(), ProcessPlan { depends_on: BTreeSet::from(["db".into()]), ..process() });
    add_process(&mut plan, "db", ProcessPlan { autostart: false, readiness: Some(tcp()), ..process() });
    let mut bench = Bench::new(plan);
    bench.give(Fact::SessionBegan);
    assert_eq!(bench.give(Fact::WatchingBegan), ["start db#1"]);
    assert_eq!(condition(&bench, "server"), Condition::Waiting);
    bench.started("db", 1);
    assert_eq!(bench.probed(1, ProbeAnswer::Well), ["ProcessReady", "start server#1"]);
}

#[test]
fn a_dependency_that_cannot_start_fails_the_step_that_needs_it() {
    let mut plan = server_plan(
        vec![Step::StartProcess("server".into())],
        ProcessPlan { autostart: false, depends_on: BTreeSet::from(["db".into()]), ..process() },
    );
    add_process(&mut plan, "db", ProcessPlan { autostart: false, ..process() });
    let mut bench = Bench::begun(plan);
    assert_eq!(bench.saves_and_waits(&["src/a"]), ["start db#1"]);
    let failure = StartFailure::Refused { what: "program 'db'".to_owned(), error: "not found".to_owned() };
    assert_eq!(
        bench.process("db", 1, ProcessFact::StartFailed(failure)),
        ["ProcessStartFailed", "ProcessHeldBack", "failed main: main.[1] start_process: DependencyFailed"]
    );
    assert_eq!(condition(&bench, "server"), Condition::Down);
}

#[test]
fn rule_keys_are_empty_before_a_start_and_after_the_end_and_wake_a_wait() {
    let kind = ProbeKind::StateKey { key: "url".into() };
    let readiness = Some(ProbePlan { kind, interval: ms(500), timeout: ms(15_000) });
    let mut plan = plan(vec![Step::WaitForProcess("tunnel".into())]);
    plan.startup_workflows = vec!["main".into()];
    add_process(&mut plan, "tunnel", ProcessPlan { readiness, ..process_with_rule("url") });
    let mut bench = Bench::begun(plan);
    bench.started("tunnel", 1);
    let url = |bench: &Bench| bench.engine.view().values.get("url").cloned();
    assert_eq!(url(&bench), Some(Value::from("")));
    let captured = |text: &str| ProcessFact::Captured { key: StateKey::from("url"), value: text.to_owned() };
    assert_eq!(bench.process("tunnel", 1, captured("https://a")), ["ProcessReady", "finished main"]);
    bench.exited("tunnel", 1, 0);
    assert_eq!(url(&bench), Some(Value::from("")));
    assert_eq!(bench.process("tunnel", 1, captured("https://late")), [""; 0]);
    assert_eq!(url(&bench), Some(Value::from("")));
}

#[test]
fn two_failures_in_a_row_of_its_liveness_restart_a_process() {
    let server = ProcessPlan { liveness: Some(tcp()), restart: RestartPolicy::OnFailure, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    bench.started("server", 1);
    assert_eq!(bench.wait_ms(500), ["probe server t1"]);
    assert_eq!(bench.probed(1, ProbeAnswer::Refused), ["probe server t2"]);
    assert_eq!(bench.probed(2, ProbeAnswer::Well), [""; 0]);
    assert_eq!(bench.wait_ms(500), ["probe server t3"]);
    assert_eq!(bench.probed(3, ProbeAnswer::Refused), ["probe server t4"]);
    assert_eq!(bench.probed(4, ProbeAnswer::Refused), ["ProcessUnwell", "stop server#1"]);
    bench.exited("server", 1, 0);
    assert_eq!(bench.gone("server", 1), ["ProcessStopped", "start server#2"]);
}

// promise: session.suspend.2
#[test]
fn p12_a_pause_is_passed_on_and_what_was_asked_before_it_is_asked_again() {
    let server = ProcessPlan { liveness: Some(tcp()), restart: RestartPolicy::OnFailure, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    bench.started("server", 1);
    assert_eq!(bench.wait_ms(500), ["probe server t1"]);
    assert_eq!(bench.probed(1, ProbeAnswer::Refused), ["probe server t2"]);
    assert_eq!(bench.give(Fact::SuspendRequested), ["suspend"]);
    assert_eq!(bench.give(Fact::Slept(ms(60_000))), ["Slept", "cancel t2", "probe server t3"]);
    assert_eq!(bench.probed(2, ProbeAnswer::Refused), [""; 0], "its answer was on its way");
    assert_eq!(bench.probed(3, ProbeAnswer::Refused), ["probe server t4"], "the first of two");
    assert_eq!(bench.probed(4, ProbeAnswer::Well), [""; 0]);
}

#[test]
fn a_start_ends_a_wait_for_a_restart_and_a_stop_cancels_it() {
    let server = ProcessPlan { restart: RestartPolicy::Always, ..process() };
    let mut plan = server_plan(vec![Step::StartProcess("server".into())], server);
    add_workflow(&mut plan, "halt", vec![Step::StopProcess("server".into())], &[]);
    add_watch(&mut plan, "halt", "halt/");
    let mut bench = Bench::begun(plan);
    bench.started("server", 1);
    bench.exited("server", 1, 1);
    bench.gone("server", 1);
    bench.saves(&["src/a"]);
    assert_eq!(bench.wait_ms(2), ["start server#2"]);
    assert_eq!(bench.started("server", 2), ["finished main"]);
    bench.exited("server", 2, 1);
    bench.gone("server", 2);
    bench.saves(&["halt/a"]);
    assert_eq!(bench.wait_ms(60_000), ["finished halt"]);
    assert_eq!(condition(&bench, "server"), Condition::Down);
}

#[test]
fn the_gap_between_attempts_grows_with_the_time_waited_up_to_the_interval() {
    let server = ProcessPlan { readiness: Some(tcp()), ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    bench.started("server", 1);
    let mut gaps = Vec::new();
    for task in 1.. {
        bench.probed(task, ProbeAnswer::Refused);
        let asked = bench.now;
        while bench.wait(Duration::from_micros(100)).is_empty() {}
        gaps.push(bench.now.since(asked));
        if bench.now > Moment::from_millis(14_000) {
            break;
        }
    }
    assert_eq!(gaps.first(), Some(&ms(1)));
    assert!(gaps.is_sorted(), "{gaps:?}");
    assert!((ms(250)..ms(300)).contains(gaps.last().unwrap()), "{gaps:?}");
}

#[test]
fn output_that_was_not_heard_while_devloop_was_suspended_is_no_failure() {
    let kind = ProbeKind::Output { pattern: Pattern::new(regex::Regex::new("tick").unwrap()) };
    let liveness = Some(ProbePlan { kind, interval: ms(500), timeout: ms(2000) });
    let server = ProcessPlan { liveness, restart: RestartPolicy::Always, ..process() };
    let mut bench = Bench::begun(server_plan(Vec::new(), server));
    bench.started("server", 1);
    bench.wait_ms(1990);
    // The clock does not count the time.
    assert_eq!(bench.give(Fact::Slept(ms(60_000))), ["Slept"]);
    bench.process("server", 1, ProcessFact::LineMatched(ProbeRole::Liveness));
    assert_eq!(bench.wait_ms(1999), [""; 0]);
    assert_eq!(bench.wait_ms(1), ["ProcessUnwell", "stop server#1"]);
}

#[test]
fn a_wait_for_a_process_whose_dependency_never_gets_ready_ends() {
    let depends_on = BTreeSet::from(["db".into()]);
    let mut plan = server_plan(vec![Step::WaitForProcess("server".into())], ProcessPlan { depends_on, ..process() });
    add_process(&mut plan, "db", ProcessPlan { readiness: Some(tcp()), ..process() });
    let mut bench = Bench::begun(plan);
    bench.started("db", 1);
    assert_eq!(bench.wait_ms(20_000), ["ProcessNotReady"]);
    assert_eq!(bench.saves(&["src/a"]), [""; 0]);
    assert_eq!(bench.wait_ms(20_000), ["failed main: main.[1] wait_for_process: DependencyFailed"]);
    assert_eq!(bench.probed(1, ProbeAnswer::Well), ["ProcessReady", "start server#1"]);
}
