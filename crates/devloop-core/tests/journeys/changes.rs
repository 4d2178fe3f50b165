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
    check(&story.until(1000), &expect![""]);
}

#[test]
fn a_path_that_no_group_names_starts_nothing() {
    let mut story = Story::begins(build(), Script::default()).saves(100, "target/a.rs");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn a_burst_gives_one_run_at_once_and_one_when_it_is_over() {
    let mut story = Story::begins(quick(), Script::default())
        .saves(100, "src/a.rs")
        .saves(110, "src/b.rs")
        .saves(120, "src/c.rs")
        .saves(130, "src/d.rs");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn without_leading_the_first_save_waits_for_the_quiet() {
    let plan = Planned::new().workflow("rust", [log("{{ last_changed_files }}")]).watch_with("rust", "src/", false);
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a.rs").saves(105, "src/b.rs");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn a_writer_that_never_closes_is_waited_for_and_then_not_any_more() {
    let mut story = Story::begins(quick(), Script::default());
    for at in 1..40 {
        story = story.touches(at * 100, "src/log.txt", TouchKind::Writing);
    }
    check(&story.until(6000), &expect![""]);
}

#[test]
fn a_first_save_is_released_when_its_writer_closes_it() {
    let mut story = Story::begins(quick(), Script::default())
        .touches(100, "src/a.rs", TouchKind::Writing)
        .touches(103, "src/a.rs", TouchKind::Settled);
    check(&story.until(1000), &expect![""]);
}

#[test]
fn debounce_zero_waits_for_nothing() {
    let mut story = Story::begins(quick().debounce(0), Script::default())
        .touches(100, "src/a.rs", TouchKind::Writing)
        .saves(101, "src/a.rs")
        .saves(101, "src/b.rs");
    check(&story.until(1000), &expect![""]);
}

#[test]
fn groups_of_one_workflow_merge_into_a_sorted_list() {
    let plan = Planned::new()
        .workflow("rust", [log("{{ last_changed_files }}")])
        .watch("rust", "src/")
        .and_watch("more", "tests/", "rust");
    let mut story =
        Story::begins(plan, Script::default()).saves(100, "tests/b.rs").saves(101, "src/z.rs").saves(101, "src/a.rs");
    check(&story.until(1000), &expect![""]);
}
