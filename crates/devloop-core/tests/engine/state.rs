//! The state file: what is saved when, and what waits for it.

use crate::world::{Bench, add_hook, add_process, hook, plan, process_with_rule, run_hook};
use devloop_core::effect::Effect;
use devloop_core::fact::{Captured, Fact, Interrupt, ProcessFact};
use devloop_core::names::{Incarnation, StateVersion};
use devloop_core::plan::Plan;
use devloop_core::value::Value;
use std::time::Duration;

fn build() -> Plan {
    let mut plan = plan(vec![run_hook("build")]);
    add_hook(&mut plan, "build", hook());
    plan
}

/// A session whose saves are answered by hand from now on.
fn by_hand() -> Bench {
    let mut bench = Bench::begun(build());
    bench.answers_saves = false;
    bench
}

fn failed(version: u64, error: &str) -> Fact {
    Fact::StateSaveFailed { version: StateVersion(version), error: error.to_owned(), is_replaced: false }
}

#[test]
fn a_hook_starts_when_what_it_could_read_is_on_disk() {
    let mut bench = by_hand();
    assert_eq!(bench.saves_and_waits(&["src/a"]), [""; 0]);
    assert_eq!(bench.give(Fact::StateSaved(StateVersion(3))), [r#"hook build t1 for main ["src/a"]"#]);
}

#[test]
fn a_failed_save_releases_what_waits_is_told_once_and_tried_again() {
    let mut bench = by_hand();
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.give(failed(3, "no space left")), ["StateSaveFailed", r#"hook build t1 for main ["src/a"]"#]);
    assert_eq!(bench.wait_ms(1000), [""; 0]);
    assert_eq!(bench.give(failed(3, "no space left")), [""; 0]);
    bench.wait_ms(1000);
    assert_eq!(bench.give(failed(3, "read-only file system")), ["StateSaveFailed"]);
    bench.wait_ms(1000);
    assert_eq!(bench.give(Fact::StateSaved(StateVersion(3))), ["StateSaveRecovered"]);
    // Once more, to survive a loss of power; then nothing is left to do.
    bench.wait_ms(1000);
    bench.give(Fact::StateSynced(StateVersion(3)));
    assert_eq!(bench.engine.next_deadline(), None);
}

#[test]
fn what_did_not_change_for_a_while_survives_a_loss_of_power_and_the_end_has_nothing_to_save() {
    let mut bench = Bench::begun(build());
    assert_eq!(bench.give(Fact::InterruptRequested(Interrupt::Int)), ["InterruptReceived", "last save", "end AsAsked"]);
    let mut bench = Bench::begun(build());
    bench.wait_ms(1000);
    assert_eq!(bench.engine.next_deadline(), None);
    assert_eq!(bench.give(Fact::InterruptRequested(Interrupt::Int)), ["InterruptReceived", "end AsAsked"]);
}

#[test]
fn a_save_does_not_wait_for_the_sync_of_the_one_before_and_has_its_own_later() {
    let mut bench = by_hand();
    bench.wait_ms(1000);
    let asked = |bench: &mut Bench, fact: Fact| -> Vec<Effect> {
        let effects = bench.engine.step(bench.now, fact);
        effects.into_iter().filter(|it| matches!(it, Effect::SaveState { .. } | Effect::SyncState(_))).collect()
    };
    bench.saves(&["src/a"]);
    bench.now = bench.engine.next_deadline().unwrap();
    let saves = asked(&mut bench, Fact::DeadlineReached);
    let [Effect::SaveState { version, durable: false, .. }] = saves.as_slice() else { panic!("{saves:?}") };
    let version = *version;
    assert_eq!(bench.give(Fact::StateSaved(version)), [r#"hook build t1 for main ["src/a"]"#]);
    // Nobody has answered the first sync, so there is none of this version yet.
    assert_eq!(bench.engine.next_deadline(), None);
    assert_eq!(asked(&mut bench, Fact::StateSynced(StateVersion(1))), []);
    bench.now = bench.engine.next_deadline().unwrap();
    assert_eq!(asked(&mut bench, Fact::DeadlineReached), [Effect::SyncState(version)]);
    bench.give(Fact::StateSynced(version));
    bench.hook_ends(1, 0, Captured::Nothing);
    assert_eq!(bench.give(Fact::InterruptRequested(Interrupt::Int)), ["InterruptReceived", "end AsAsked"]);
}

#[test]
fn a_sync_that_fails_is_followed_by_a_durable_save_that_says_why() {
    let mut bench = by_hand();
    bench.wait_ms(1000);
    assert_eq!(bench.give(Fact::StateSyncFailed(StateVersion(1))), ["last save"]);
    assert_eq!(bench.give(failed(1, "input/output error")), ["StateSaveFailed"]);
}

#[test]
fn the_disk_is_left_alone_while_files_change_but_not_for_ever() {
    let calm_after = |saves: u64| {
        let mut bench = Bench::begun(build());
        let begin = bench.now;
        for number in 0.. {
            let Some(at) = bench.engine.next_deadline() else { break };
            if number < saves {
                bench.saves(&["elsewhere/a"]);
                bench.wait_ms(500);
            } else {
                bench.wait(at.since(bench.now));
            }
        }
        bench.now.since(begin).as_millis()
    };
    assert_eq!([0, 1, 10, 50].map(calm_after), [700, 700, 5200, 10_000]);
}

#[test]
fn a_session_whose_last_values_are_not_in_the_file_ends_unsaved() {
    let mut bench = by_hand();
    bench.saves_and_waits(&["src/a"]);
    bench.give(failed(3, "no space left"));
    assert_eq!(bench.give(Fact::InterruptRequested(Interrupt::Int)), ["InterruptReceived", "stop t1", "last save"]);
    assert_eq!(bench.give(failed(3, "no space left")), [""; 0]);
    assert_eq!(bench.hook_ends(1, 1, Captured::Nothing), ["last save"], "once more, now that nothing can change");
    assert_eq!(bench.give(failed(3, "no space left")), ["end Unsaved"]);
}

#[test]
fn changes_during_a_save_go_into_one_next_write() {
    let mut plan = plan(Vec::new());
    add_process(&mut plan, "tunnel", process_with_rule("url"));
    let mut bench = Bench::begun(plan);
    bench.started("tunnel", 1);
    bench.wait_ms(1000);
    let written = |bench: &mut Bench, fact: Fact| -> Vec<(StateVersion, Option<Value>)> {
        let effects = bench.engine.step(bench.now, fact);
        let found = effects.into_iter().filter_map(|effect| match effect {
            Effect::SaveState { version, values, .. } => Some((version, values.get("url").cloned())),
            _ => None,
        });
        found.collect()
    };
    let captured = |text: &str| {
        let fact = ProcessFact::Captured { key: "url".into(), value: text.to_owned() };
        Fact::Process("tunnel".into(), Incarnation(1), fact)
    };
    let mut saved = Vec::new();
    for number in 0..100 {
        saved.extend(written(&mut bench, captured(&format!("https://{number}"))));
        bench.now = bench.now + Duration::from_micros(10);
    }
    while let Some(at) = bench.engine.next_deadline().filter(|_| saved.is_empty()) {
        bench.now = at;
        saved.extend(written(&mut bench, Fact::DeadlineReached));
    }
    let (first, _) = saved[0].clone();
    let next = written(&mut bench, Fact::StateSaved(first));
    let last = saved.iter().chain(&next).next_back().unwrap();
    assert_eq!(last.1, Some(Value::from("https://99")));
    assert!(saved.len() == 1 && next.len() <= 1, "{} writes, then {}", saved.len(), next.len());
}

#[test]
fn an_answer_to_another_save_than_the_one_in_flight_changes_nothing() {
    let mut bench = by_hand();
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.give(Fact::StateSaved(StateVersion(2))), [""; 0]);
}
