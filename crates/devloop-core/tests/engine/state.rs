//! The state file: what is saved when, and what waits for it.

use crate::world::{Bench, add_hook, hook, plan, run_hook};
use devloop_core::fact::Fact;
use devloop_core::names::StateVersion;
use devloop_core::plan::Plan;

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
    Fact::StateSaveFailed(StateVersion(version), error.to_owned())
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
    assert_eq!(bench.engine.next_deadline(), None);
}

#[test]
fn an_answer_to_another_save_than_the_one_in_flight_changes_nothing() {
    let mut bench = by_hand();
    bench.saves_and_waits(&["src/a"]);
    assert_eq!(bench.give(Fact::StateSaved(StateVersion(2))), [""; 0]);
}
