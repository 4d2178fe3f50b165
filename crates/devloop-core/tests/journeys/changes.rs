//! Files change: the first save at once, a burst when it is over.

use crate::build::{Planned, hook, log};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::fact::TouchKind;
use expect_test::expect;

fn build() -> Planned {
    Planned::new().hook("build", |_| {}).workflow("rust", [hook("build")]).watch("rust", "src/")
}

fn quick() -> Planned {
    Planned::new().workflow("rust", [log("{{ last_changed_files }}")]).watch("rust", "src/")
}

#[test]
fn a_saved_file_starts_its_workflow_in_milliseconds() {
    let mut story = Story::begins(build(), Script::default()).saves(100, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'rust began with 1 files'
        +103ms saved v3 → hook build t1 for rust ["src/a.rs"]
        +113ms hook t1 ended with exit status 0, Nothing → 'rust finished'
    "#]],
    );
}

#[test]
fn a_path_that_no_group_names_starts_nothing() {
    let mut story = Story::begins(build(), Script::default()).saves(100, "target/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled target/a.rs]
    "#]],
    );
}

#[test]
fn a_burst_gives_one_run_at_once_and_one_when_it_is_over() {
    let mut story = Story::begins(quick(), Script::default())
        .saves(100, "src/a.rs")
        .saves(110, "src/b.rs")
        .saves(120, "src/c.rs")
        .saves(130, "src/d.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +102ms DeadlineReached → 'rust began with 1 files', "rust: ["src/a.rs"]", 'rust finished'
        +110ms PathsTouched [Settled src/b.rs]
        +120ms PathsTouched [Settled src/c.rs]
        +130ms PathsTouched [Settled src/d.rs]
        +170ms DeadlineReached → 'rust began with 3 files', "rust: ["src/b.rs","src/c.rs","src/d.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn without_leading_the_first_save_waits_for_the_quiet() {
    let plan = Planned::new().workflow("rust", [log("{{ last_changed_files }}")]).watch_with("rust", "src/", false);
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a.rs").saves(105, "src/b.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a.rs]
        +105ms PathsTouched [Settled src/b.rs]
        +125ms DeadlineReached → 'rust began with 2 files', "rust: ["src/a.rs","src/b.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn a_writer_that_never_closes_is_waited_for_and_then_not_any_more() {
    let mut story = Story::begins(quick(), Script::default());
    for at in 1..40 {
        story = story.touches(at * 100, "src/log.txt", TouchKind::Writing);
    }
    check(
        &story.until(6000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Writing src/log.txt]
        +200ms PathsTouched [Writing src/log.txt]
        +300ms PathsTouched [Writing src/log.txt]
        +400ms PathsTouched [Writing src/log.txt]
        +500ms PathsTouched [Writing src/log.txt]
        +600ms PathsTouched [Writing src/log.txt]
        +700ms PathsTouched [Writing src/log.txt]
        +800ms PathsTouched [Writing src/log.txt]
        +900ms PathsTouched [Writing src/log.txt]
        +1000ms PathsTouched [Writing src/log.txt]
        +1100ms PathsTouched [Writing src/log.txt]
        +1200ms PathsTouched [Writing src/log.txt]
        +1300ms PathsTouched [Writing src/log.txt]
        +1400ms PathsTouched [Writing src/log.txt]
        +1500ms PathsTouched [Writing src/log.txt]
        +1600ms PathsTouched [Writing src/log.txt]
        +1700ms PathsTouched [Writing src/log.txt]
        +1800ms PathsTouched [Writing src/log.txt]
        +1900ms PathsTouched [Writing src/log.txt]
        +2000ms PathsTouched [Writing src/log.txt]
        +2100ms PathsTouched [Writing src/log.txt]
        +2200ms PathsTouched [Writing src/log.txt]
        +2300ms PathsTouched [Writing src/log.txt]
        +2400ms PathsTouched [Writing src/log.txt]
        +2500ms PathsTouched [Writing src/log.txt]
        +2600ms PathsTouched [Writing src/log.txt] → 'rust began with 1 files', "rust: ["src/log.txt"]", 'rust finished'
        +2700ms PathsTouched [Writing src/log.txt]
        +2800ms PathsTouched [Writing src/log.txt]
        +2900ms PathsTouched [Writing src/log.txt]
        +3000ms PathsTouched [Writing src/log.txt]
        +3100ms PathsTouched [Writing src/log.txt]
        +3200ms PathsTouched [Writing src/log.txt]
        +3300ms PathsTouched [Writing src/log.txt]
        +3400ms PathsTouched [Writing src/log.txt]
        +3500ms PathsTouched [Writing src/log.txt]
        +3600ms PathsTouched [Writing src/log.txt]
        +3700ms PathsTouched [Writing src/log.txt]
        +3800ms PathsTouched [Writing src/log.txt]
        +3900ms PathsTouched [Writing src/log.txt]
        +4150ms DeadlineReached → 'rust began with 1 files', "rust: ["src/log.txt"]", 'rust finished'
    "#]],
    );
}

#[test]
fn a_first_save_is_released_when_its_writer_closes_it() {
    let mut story = Story::begins(quick(), Script::default()).touches(100, "src/a.rs", TouchKind::Writing).touches(
        103,
        "src/a.rs",
        TouchKind::Settled,
    );
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Writing src/a.rs]
        +103ms PathsTouched [Settled src/a.rs]
        +105ms DeadlineReached → 'rust began with 1 files', "rust: ["src/a.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn a_first_save_of_many_files_waits_no_longer_than_four_milliseconds() {
    let mut story = Story::begins(quick(), Script::default());
    for at in 0..7 {
        story = story.saves(100 + at, &format!("src/{at}.rs"));
    }
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/0.rs]
        +101ms PathsTouched [Settled src/1.rs]
        +102ms PathsTouched [Settled src/2.rs]
        +103ms PathsTouched [Settled src/3.rs]
        +104ms PathsTouched [Settled src/4.rs] → 'rust began with 5 files', "rust: ["src/0.rs","src/1.rs","src/2.rs","src/3.rs","src/4.rs"]", 'rust finished'
        +105ms PathsTouched [Settled src/5.rs]
        +106ms PathsTouched [Settled src/6.rs]
        +126ms DeadlineReached → 'rust began with 2 files', "rust: ["src/5.rs","src/6.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn debounce_zero_waits_for_nothing_but_the_writer() {
    let mut story = Story::begins(quick().debounce(0), Script::default())
        .touches(100, "src/a.rs", TouchKind::Writing)
        .saves(101, "src/a.rs")
        .saves(101, "src/b.rs");
    check(
        &story.until(1000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +100ms PathsTouched [Writing src/a.rs]
            +101ms PathsTouched [Settled src/a.rs] → 'rust began with 1 files', "rust: ["src/a.rs"]", 'rust finished'
            +101ms PathsTouched [Settled src/b.rs] → 'rust began with 1 files', "rust: ["src/b.rs"]", 'rust finished'
        "#]],
    );
}

#[test]
fn groups_of_one_workflow_merge_into_a_sorted_list() {
    let plan = Planned::new()
        .workflow("rust", [log("{{ last_changed_files }}")])
        .watch("rust", "src/")
        .and_watch("more", "tests/", "rust");
    let mut story =
        Story::begins(plan, Script::default()).saves(100, "tests/b.rs").saves(101, "src/z.rs").saves(101, "src/a.rs");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +100ms PathsTouched [Settled tests/b.rs]
        +101ms PathsTouched [Settled src/z.rs]
        +101ms PathsTouched [Settled src/a.rs]
        +103ms DeadlineReached → 'rust began with 3 files', "rust: ["src/a.rs","src/z.rs","tests/b.rs"]", 'rust finished'
    "#]],
    );
}

#[test]
fn a_workflow_that_writes_what_it_is_run_for_is_told_once() {
    let mut story = Story::begins(quick(), Script::default());
    for number in 0..60 {
        story = story.saves(100 + number * 300, "src/a.rs");
    }
    let told = story
        .until(20_000)
        .matches("WorkflowRepeats { workflow: rust, times: 21, within: 10s, path: \"src/a.rs\" }")
        .count();
    assert_eq!(told, 1);
}

#[test]
fn a_person_who_saves_every_second_is_told_nothing() {
    let mut story = Story::begins(quick(), Script::default());
    for number in 0..60 {
        story = story.saves(100 + number * 1000, "src/a.rs");
    }
    assert!(!story.until(70_000).contains("WorkflowRepeats"));
}
