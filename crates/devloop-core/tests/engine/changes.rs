//! When a change is released.

use crate::world::{Bench, add_hook, hook, plan, run_hook};
use devloop_core::fact::TouchKind;
use devloop_core::plan::Plan;
use std::time::Duration;

fn build() -> Plan {
    let mut plan = plan(vec![run_hook("build")]);
    add_hook(&mut plan, "build", hook());
    plan
}

/// After how many milliseconds of waiting a hook starts, with its line.
fn released(bench: &mut Bench, within_ms: u64) -> Option<(u64, String)> {
    let begun = bench.now;
    let end = begun + Duration::from_millis(within_ms);
    while bench.now < end {
        if let Some(line) = bench.wait_ms(1).into_iter().find(|line| line.starts_with("hook")) {
            return Some((u64::try_from(bench.now.since(begun).as_millis()).unwrap(), line));
        }
    }
    None
}

fn end_hook(bench: &mut Bench, task: u64) {
    bench.hook_ends(task, 0, devloop_core::fact::Captured::Nothing);
}

#[test]
fn the_first_save_is_released_when_nothing_has_moved_for_two_milliseconds() {
    let mut bench = Bench::begun(build());
    bench.saves(&["src/a"]);
    assert_eq!(released(&mut bench, 50), Some((2, r#"hook build t1 for main ["src/a"]"#.to_owned())));
}

#[test]
fn the_first_save_waits_four_milliseconds_at_most() {
    let mut bench = Bench::begun(build());
    bench.saves(&["src/b"]);
    bench.wait_ms(1);
    bench.saves(&["src/a"]);
    bench.wait_ms(1);
    bench.saves(&["src/a"]);
    bench.wait_ms(1);
    bench.saves(&["src/a"]);
    assert_eq!(released(&mut bench, 50), Some((1, r#"hook build t1 for main ["src/a", "src/b"]"#.to_owned())));
}

#[test]
fn a_file_that_is_still_written_is_not_released_before_it_is_closed() {
    let mut bench = Bench::begun(build());
    bench.touches(&["src/a"], TouchKind::Writing);
    assert_eq!(released(&mut bench, 100), None);
    bench.saves(&["src/a"]);
    assert_eq!(released(&mut bench, 50).unwrap().0, 2);
}

#[test]
fn a_file_that_nobody_closes_is_released_after_the_debounce() {
    let mut bench = Bench::begun(build());
    bench.touches(&["src/a"], TouchKind::Writing);
    assert_eq!(released(&mut bench, 1000).unwrap().0, 250);
}

#[test]
fn a_burst_is_released_once_it_is_over() {
    let mut bench = Bench::begun(build());
    bench.saves(&["src/a"]);
    assert!(released(&mut bench, 10).is_some());
    end_hook(&mut bench, 1);
    bench.wait_ms(40);
    for path in ["src/b", "src/c", "src/d", "src/e"] {
        bench.saves(&[path]);
        assert_eq!(released(&mut bench, 10), None, "the gap before the burst is no pause of it");
    }
    let files = r#"["src/b", "src/c", "src/d", "src/e"]"#;
    assert_eq!(released(&mut bench, 100), Some((30, format!("hook build t2 for main {files}"))));
}

#[test]
fn a_burst_ends_after_twenty_milliseconds_at_least_and_the_debounce_at_most() {
    for (pause, quiet) in [(1, 20), (20, 80), (100, 250)] {
        let mut bench = Bench::begun(build());
        bench.saves(&["src/a"]);
        assert!(released(&mut bench, 10).is_some());
        end_hook(&mut bench, 1);
        bench.saves(&["src/b"]);
        // Some of the pauses are longer than the quiet that would end the burst: keep it open.
        bench.touches(&["src/c"], TouchKind::Writing);
        bench.wait_ms(pause);
        bench.saves(&["src/c"]);
        assert_eq!(released(&mut bench, 1000).unwrap().0, quiet);
    }
}

#[test]
fn a_burst_that_never_ends_is_released_after_ten_times_the_debounce() {
    let mut bench = Bench::begun(build());
    bench.saves(&["src/a"]);
    assert!(released(&mut bench, 10).is_some());
    end_hook(&mut bench, 1);
    let begun = bench.now;
    let end = loop {
        bench.saves(&["src/log"]);
        if released(&mut bench, 10).is_some() {
            break bench.now;
        }
    };
    assert_eq!(end.since(begun), Duration::from_millis(2500));
}

/// Files that change one after the other, one in each millisecond, until something is released: when, and how many
/// it holds.
fn storm(bench: &mut Bench, files: u32) -> Option<(u128, usize)> {
    bench.saves(&["src/a"]);
    assert!(released(bench, 10).is_some());
    end_hook(bench, 1);
    let begun = bench.now;
    for file in 0..files {
        bench.saves(&[&format!("src/{file}")]);
        if let Some((_, line)) = released(bench, 1) {
            return Some((bench.now.since(begun).as_millis(), line.matches("src/").count()));
        }
    }
    None
}

#[test]
fn w6_a_checkout_that_a_slow_disk_stretches_to_twenty_seconds_is_one_release() {
    let mut bench = Bench::begun(build());
    assert_eq!(storm(&mut bench, 20_000), None);
    assert_eq!(released(&mut bench, 250).unwrap().1.matches("src/").count(), 20_000);
}

#[test]
fn w6_a_storm_that_never_ends_is_released_after_a_hundred_times_the_debounce() {
    let mut bench = Bench::begun(build());
    assert_eq!(storm(&mut bench, 30_000), Some((25_000, 25_000)));
}

#[test]
fn a_group_without_leading_waits_for_the_quiet() {
    let mut plan = build();
    plan.watches.get_mut("main").unwrap().leading = false;
    let mut bench = Bench::begun(plan);
    bench.saves(&["src/a"]);
    assert_eq!(released(&mut bench, 100).unwrap().0, 20);
}

#[test]
fn without_a_debounce_everything_is_released_at_once() {
    let mut plan = build();
    plan.debounce = Duration::ZERO;
    let mut bench = Bench::begun(plan);
    assert_eq!(bench.saves(&["src/a", "other/b"]), [r#"hook build t1 for main ["src/a"]"#]);
}

#[test]
fn twenty_thousand_files_are_one_list() {
    let mut bench = Bench::begun(build());
    let paths: Vec<String> = (0..20_000).map(|n| format!("src/{n:05}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    bench.saves(&paths);
    let (after, line) = released(&mut bench, 10).unwrap();
    assert_eq!((after, line.matches("src/").count()), (2, 20_000));
}

#[test]
fn w5_what_may_be_half_of_a_save_is_waited_for_also_when_the_machine_is_busy() {
    // A backup is made, and the program that saves is not given the machine for 15 ms.
    let mut bench = Bench::begun(build());
    bench.touches(&["src/a"], TouchKind::Half);
    bench.touches(&["src/a~"], TouchKind::Half);
    assert_eq!(released(&mut bench, 15), None);
    bench.saves(&["src/a"]);
    assert_eq!(released(&mut bench, 15), None, "the backup may still go");
    // It has waited for longer than a first save does, and goes at once.
    assert_eq!(bench.touches(&["src/a~"], TouchKind::Spent), [r#"hook build t1 for main ["src/a", "src/a~"]"#]);
}

#[test]
fn w5_what_stays_half_is_released_when_the_tree_is_quiet() {
    for kind in [TouchKind::Half, TouchKind::Spent] {
        let mut bench = Bench::begun(build());
        bench.touches(&["src/a"], kind);
        assert_eq!(released(&mut bench, 100), Some((20, r#"hook build t1 for main ["src/a"]"#.to_owned())));
    }
}
