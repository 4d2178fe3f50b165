//! Workflows that change what they are run for.

use crate::build::{Planned, hook};
use crate::story::{Script, Story};
use devloop_core::engine::{FEEDBACK_HOLD, FEEDBACK_RUNS};
use devloop_core::plan::workflow::OnBusy;
use std::collections::BTreeMap;

/// A workflow whose hook writes a file of its own group, 2 ms after its start, and takes this long.
fn feeding(writes: &[&'static str], takes: u64) -> (Planned, Script) {
    let plan = Planned::new().hook("write", |_| {}).workflow("rust", [hook("write")]).watch("rust", "src/");
    let hook_writes = BTreeMap::from([("write", writes.to_vec())]);
    (plan, Script { hook_writes, hook_takes: BTreeMap::from([("write", takes)]), ..Script::default() })
}

fn begun(trace: &str) -> usize {
    trace.matches("'rust began").count()
}

/// How often it was told that a workflow feeds itself.
fn told(trace: &str) -> usize {
    trace.matches("WorkflowFeedsItself").count()
}

// promise: workflow.loop.1
#[test]
fn w9_a_workflow_that_feeds_itself_is_named_within_a_few_runs_and_slowed_down() {
    for takes in [10, 300] {
        let (plan, script) = feeding(&["src/made.rs"], takes);
        let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
        let trace = story.until(6000);
        assert_eq!(told(&trace), 1, "{trace}");
        let until_told = trace.split("WorkflowFeedsItself").next().unwrap();
        assert!(begun(until_told) <= FEEDBACK_RUNS as usize + 4, "{trace}");
        assert!(trace.contains("workflow: rust, in_a_row: 8, path: \"src/made.rs\", is_slowed: true"), "{trace}");
        // The first was the person's. From then on at most one a second, but on and on: no change is lost.
        let later = story.until(36_000);
        assert_eq!(told(&later), 0, "{later}");
        assert!((20..=30).contains(&begun(&later)), "{} runs", begun(&later));
    }
}

#[test]
fn w9_a_long_run_is_held_back_for_as_long_as_it_takes() {
    let (plan, script) = feeding(&["src/made.rs"], 3000);
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
    let trace = story.until(90_000);
    assert_eq!(told(&trace), 1, "{trace}");
    let later = story.until(150_000);
    assert!((9..=11).contains(&begun(&later)), "half of the time: {} runs", begun(&later));
    assert!(FEEDBACK_HOLD.0.as_millis() <= 3000 && FEEDBACK_HOLD.1.as_millis() >= 3000);
}

// promise: workflow.loop.2
#[test]
fn w9_a_rewrite_that_converges_costs_one_more_run_and_is_not_told() {
    let (plan, mut script) = feeding(&["src/a.rs", "elsewhere/x"], 10);
    script.hook_writes.insert("write", vec!["src/a.rs", "elsewhere/x", "src/a.rs", "elsewhere/x"]);
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs").saves(2000, "src/a.rs");
    let trace = story.until(10_000);
    assert_eq!((begun(&trace), told(&trace)), (4, 0), "{trace}");
}

// promise: workflow.loop.3
#[test]
fn w9_a_save_during_a_hold_begins_its_run_at_once() {
    let (plan, script) = feeding(&["src/made.rs"], 10);
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs").saves(5500, "src/mine.rs");
    let before = story.until(5499);
    assert_eq!(told(&before), 1, "{before}");
    let trace = story.until(5560);
    assert!(trace.contains("'rust began with 2 files'"), "{trace}");
}

#[test]
fn w9_a_person_who_saves_often_is_neither_told_nor_slowed() {
    // Saves that fall before, during and after runs of every length.
    for (every, takes) in [(100, 10), (300, 10), (330, 200), (1000, 900), (700, 2000), (400, 1500)] {
        let (plan, script) = feeding(&["elsewhere/x"], takes);
        let mut story = Story::begins(plan, script);
        let count = 60_000 / every;
        for number in 0..count {
            story = story.saves(1000 + number * every, "src/a.rs");
        }
        let trace = story.until(70_000);
        assert_eq!(told(&trace), 0, "every {every} ms, runs of {takes} ms");
        // As many runs as there is time for: quiet is waited for before each, and nothing else.
        let least = 60_000 / (every.max(takes) + every + 300);
        assert!(begun(&trace) as u64 >= least, "every {every} ms, runs of {takes} ms: {} runs", begun(&trace));
    }
}

#[test]
fn w9_without_debounce_a_loop_is_named_and_nothing_waits() {
    let (plan, script) = feeding(&["src/made.rs"], 10);
    let mut story = Story::begins(plan.debounce(0), script).saves(100, "src/a.rs");
    let trace = story.until(2000);
    assert!(trace.contains("is_slowed: false"), "{trace}");
    assert!(begun(&trace) > 50, "{} runs", begun(&trace));
}

#[test]
fn w9_a_workflow_that_begins_anew_when_busy_is_slowed_too() {
    let (_, script) = feeding(&["src/made.rs"], 100);
    let plan = Planned::new()
        .hook("write", |_| {})
        .workflow_with("rust", [hook("write")], |workflow| workflow.on_busy = OnBusy::Restart)
        .watch("rust", "src/");
    let mut story = Story::begins(plan, script).saves(100, "src/a.rs");
    let trace = story.until(4000);
    assert_eq!(told(&trace), 1, "{trace}");
    let later = story.until(24_000);
    assert!((15..=21).contains(&begun(&later)), "{} runs", begun(&later));
}

#[test]
fn w9_a_person_whose_saves_cancel_runs_is_neither_told_nor_slowed() {
    for every in [150, 400, 1300] {
        let plan = Planned::new()
            .hook("build", |_| {})
            .workflow_with("rust", [hook("build")], |workflow| workflow.on_busy = OnBusy::Restart)
            .watch("rust", "src/");
        let script = Script { hook_takes: BTreeMap::from([("build", 10_000)]), ..Script::default() };
        let mut story = Story::begins(plan, script);
        for number in 0..30_000 / every {
            story = story.saves(1000 + number * every, "src/a.rs");
        }
        let trace = story.until(45_000);
        assert_eq!(told(&trace), 0, "every {every} ms");
        let finished = trace.lines().rfind(|line| line.contains("'rust finished'")).unwrap();
        let at: u64 = finished[1..].split("ms").next().unwrap().parse().unwrap();
        assert!(at < 31_000 + 10_000 + 1_200, "every {every} ms: {finished}");
    }
}

#[test]
fn w9_a_script_that_saves_as_soon_as_another_workflow_has_run_is_not_taken_for_a_loop() {
    let plan = Planned::new()
        .hook("write", |_| {})
        .workflow("rust", [hook("write")])
        .watch("rust", "src/")
        .workflow("beacon", [hook("write")])
        .watch("beacon", "beacon");
    let mut story = Story::begins(plan, Script::default());
    for number in 0..40 {
        // A hook takes 10 ms: the save comes 5 ms after its own workflow's run, while the beacon's is going.
        let at = 1000 + number * 60;
        story = story.saves(at, "src/a.rs").saves(at, "beacon");
    }
    let trace = story.until(10_000);
    assert_eq!(told(&trace), 0, "{trace}");
}
