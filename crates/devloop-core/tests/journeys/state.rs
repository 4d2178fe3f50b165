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
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch, save v1
        +1ms WatchingBegan
        +1ms saved v1
        +100ms PathsTouched [Settled src/a] → 'w began with 1 files', save v4
        +101ms saved v4 → hook build t1 for w ["src/a"]
        +111ms hook t1 ended with exit status 0, Nothing → "w: done", 'w finished'
        +200ms interrupt Int → 'InterruptReceived { interrupt: Int }', save v4 durably
        +201ms saved v4 → end as asked
    "#]],
    );
}

#[test]
fn a_save_that_fails_is_told_once_and_tried_again_and_holds_nobody_up() {
    let script = Script { shows_everything: true, saves_fail: (3, 1), ..Script::default() };
    let mut story = Story::begins(writing(), script).saves(100, "src/a");
    check(
        &story.until(5000),
        &expect![[r#"
            +0ms SessionBegan → watch, save v1
            +1ms WatchingBegan
            +1ms saved v1
            +100ms PathsTouched [Settled src/a] → 'w began with 1 files', save v4
            +101ms failed to save v4: no space left on device → 'StateSaveFailed { error: "no space left on device" }', hook build t1 for w ["src/a"]
            +111ms hook t1 ended with exit status 0, Nothing → "w: done", 'w finished'
            +601ms DeadlineReached → save v4
            +602ms failed to save v4: no space left on device
            +1102ms DeadlineReached → save v4
            +1103ms failed to save v4: no space left on device
            +1603ms DeadlineReached → save v4
            +1604ms saved v4 → 'StateSaveRecovered'
            +2304ms DeadlineReached → sync v4
            +2305ms synced v4
        "#]],
    );
}
