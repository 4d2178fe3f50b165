//! The end of a session.

use crate::world::{Bench, add_hook, add_process, hook, ms, plan, process, run_hook};
use devloop_core::effect::Effect;
use devloop_core::fact::{Captured, Fact, Interrupt};
use devloop_core::names::StateVersion;
use devloop_core::notice::{Awaited, Fate, Notice, Who};
use devloop_core::plan::Plan;
use devloop_core::plan::process::ProcessPlan;
use std::collections::BTreeSet;

const CTRL_C: Fact = Fact::InterruptRequested(Interrupt::Int);

fn busy() -> Plan {
    let mut plan = plan(vec![run_hook("build")]);
    add_hook(&mut plan, "build", hook());
    add_process(&mut plan, "db", process());
    add_process(&mut plan, "server", ProcessPlan { depends_on: BTreeSet::from(["db".into()]), ..process() });
    plan
}

fn running() -> Bench {
    let mut bench = Bench::begun(busy());
    bench.started("db", 1);
    bench.started("server", 1);
    bench
}

#[test]
fn ctrl_c_saves_while_dependants_stop_first_and_ends() {
    let mut bench = running();
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.give(CTRL_C), ["InterruptReceived", "stop t1", "stop server#1", "last save"]);
    assert_eq!(bench.saves_and_waits(&["src/b"]), [""; 0]);
    assert_eq!(bench.hook_ends(1, 143, Captured::Nothing), [""; 0]);
    assert_eq!(bench.exited("server", 1, 0), [""; 0]);
    assert_eq!(bench.gone("server", 1), ["ProcessStopped", "stop db#1"]);
    bench.exited("db", 1, 0);
    assert_eq!(bench.gone("db", 1), ["ProcessStopped", "end AsAsked"]);
    assert_eq!(bench.gone("db", 1), [""; 0]);
    assert_eq!(bench.engine.next_deadline(), None);
}

#[test]
fn the_grace_is_counted_from_the_stop_of_each_level() {
    let mut bench = running();
    bench.give(CTRL_C);
    assert_eq!(bench.wait_ms(1000), ["WaitingForStop"]);
    assert_eq!(bench.wait_ms(4000), ["ProcessKilled", "kill server#1"]);
    bench.wait_ms(500);
    bench.exited("server", 1, -9);
    assert_eq!(bench.gone("server", 1), ["ProcessStopped", "stop db#1"]);
    assert_eq!(bench.wait_ms(4999), ["WaitingForStop"]);
    assert_eq!(bench.wait_ms(1), ["ProcessKilled", "kill db#1"]);
}

// promise: session.stop.4
#[test]
fn a_stop_that_takes_long_is_told_once_with_the_time_that_is_left() {
    let mut bench = running();
    bench.saves_and_waits(&["src/a"]);
    bench.give(CTRL_C);
    let told = |bench: &mut Bench, millis| {
        bench.now = bench.now + ms(millis);
        bench.engine.step(bench.now, Fact::DeadlineReached)
    };
    assert_eq!(told(&mut bench, 999), []);
    let awaited = |who| Awaited { who, fate: Fate::KilledIn(ms(4000)) };
    let both = vec![awaited(Who::Process("server".into())), awaited(Who::Hook("build".into()))];
    let notice = Notice::WaitingForStop { awaited: both, can_be_hurried: true };
    assert_eq!(told(&mut bench, 1), [Effect::Report(notice)]);
    assert_eq!(told(&mut bench, 3000), []);
}

#[test]
fn a_second_ctrl_c_kills_what_is_still_there() {
    let mut bench = running();
    bench.saves_and_waits(&["src/a"]);
    bench.give(CTRL_C);
    assert_eq!(bench.give(CTRL_C), ["KillRequested", "kill t1", "kill db#1", "kill server#1"]);
    bench.hook_ends(1, -9, Captured::Nothing);
    bench.gone("server", 1);
    assert_eq!(bench.gone("db", 1), ["ProcessStopped", "end AsAsked"]);
}

#[test]
fn what_survives_the_kill_is_left_behind_after_ten_seconds() {
    let mut bench = running();
    bench.give(CTRL_C);
    bench.give(CTRL_C);
    bench.gone("server", 1);
    let lines = bench.wait(ms(10_000));
    assert_eq!(lines, ["WaitingForStop", "WaitingForStop", "end Abandoned { processes: [db] }"]);
}

#[test]
fn a_start_that_is_answered_during_the_drain_is_stopped_at_once() {
    let mut plan = busy();
    plan.processes.remove("server");
    let mut bench = Bench::begun(plan);
    assert_eq!(bench.give(CTRL_C), ["InterruptReceived", "last save"]);
    assert_eq!(bench.started("db", 1), ["stop db#1"]);
}

#[test]
fn a_lost_guardian_ends_the_session_as_a_failure() {
    let mut bench = running();
    assert_eq!(bench.give(Fact::GuardianLost), ["GuardianLost", "stop server#1", "last save"]);
    assert_eq!(bench.give(CTRL_C), ["InterruptReceived"]);
    bench.gone("server", 1);
    assert_eq!(bench.gone("db", 1), ["ProcessStopped", "end Failed"]);
}

#[test]
fn a_failing_last_save_is_told_and_does_not_hang() {
    let mut bench = Bench::begun(plan(Vec::new()));
    bench.answers_saves = false;
    assert_eq!(bench.give(CTRL_C), ["InterruptReceived", "last save"]);
    let version = StateVersion(1);
    assert_eq!(
        bench.give(Fact::StateSaveFailed { version, error: "gone".to_owned(), is_replaced: false }),
        ["StateSaveFailed", "end AsAsked"]
    );
}

#[test]
fn the_end_waits_for_a_last_save_that_is_under_way() {
    let mut bench = running();
    bench.answers_saves = false;
    assert_eq!(bench.give(CTRL_C).last().map(String::as_str), Some("last save"));
    bench.gone("server", 1);
    assert_eq!(bench.gone("db", 1), ["ProcessStopped"], "the file is not written yet");
    assert_eq!(bench.give(Fact::StateSaved(StateVersion(1))), ["end AsAsked"]);
}

#[test]
fn an_interrupt_before_the_watches_are_live_ends_the_session() {
    let mut bench = Bench::new(busy());
    bench.give(Fact::SessionBegan);
    assert_eq!(bench.give(CTRL_C), ["InterruptReceived", "last save", "end AsAsked"]);
    assert_eq!(bench.give(Fact::WatchingBegan), [""; 0]);
}
