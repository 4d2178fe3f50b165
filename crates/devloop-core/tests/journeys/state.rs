//! The state file: saved before a child could read it, tried again when it cannot be written.

use crate::build::{Planned, hook, log, write};
use crate::check;
use crate::story::{Script, Story};
use expect_test::expect;

fn writing() -> Planned {
    Planned::new()
        .hook("build", |_| {})
        .workflow("w", [write("k", "{{ last_changed_files }}"), hook("build"), log("done")])
        .watch("w", "src/")
        .debounce(0)
}

#[test]
fn what_a_hook_could_read_is_on_disk_before_it_starts() {
    let script = Script { shows_everything: true, ..Script::default() };
    let mut story = Story::begins(writing(), script).saves(100, "src/a").interrupted(200);
    check(&story.until(1000), &expect![""]);
}

#[test]
fn a_save_that_fails_is_told_once_and_tried_again_and_holds_nobody_up() {
    let script = Script { shows_everything: true, saves_fail: (3, 1), ..Script::default() };
    let mut story = Story::begins(writing(), script).saves(100, "src/a");
    check(&story.until(5000), &expect![""]);
}
