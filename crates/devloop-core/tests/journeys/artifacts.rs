//! Artifacts: built beside what is served, switched to, verified, or taken back.

use crate::build::{Planned, log, publish};
use crate::check;
use crate::story::{Script, Story, exits};
use devloop_core::fact::Captured;
use expect_test::expect;

fn site() -> Planned {
    Planned::new()
        .artifact("site")
        .workflow("w", [publish("site"), log("{{ artifact.site.generation }}")])
        .watch("w", "src/")
}

fn everything() -> Script {
    Script { shows_everything: true, ..Script::default() }
}

#[test]
fn a_publish_restarts_its_consumers_when_the_switch_is_durable_and_ends_when_they_answer() {
    let mut story = Story::begins(site(), everything()).saves(100, "src/a");
    check(
        &story.until(1000),
        &expect![[r#"
            +0ms SessionBegan → watch, files t1 of site: Find, save v1
            +0.500ms files t1: Found([])
            +1ms WatchingBegan
            +1ms saved v1
            +100ms PathsTouched [Settled src/a]
            +102ms DeadlineReached → 'w began with 1 files', files t3 of site: Prepare, save v3
            +102.500ms files t3: Prepared(102000-0000000a)
            +103ms saved v3 → hook build t4 for w ["src/a"]
            +113ms hook t4 ended with exit status 0, Nothing → files t5 of site: Install(102000-0000000a)
            +113.500ms files t5: Installed([102000-0000000a]) → save v6 durably
            +114.500ms saved v6 → serve site 102000-0000000a, start server#1
            +116.500ms server#1 started → 'ProcessStarted { process: server, pid: 7 }', probe server t6 for Readiness expecting "102000-0000000a"
            +117ms probe t6 says Well → 'ProcessReady { process: server }', save v7 durably
            +118ms saved v7 → 'Artifact { artifact: site, news: Published { generation: 102000-0000000a, took: 16ms } }', "w: 102000-0000000a", 'w finished'
        "#]],
    );
}

#[test]
fn a_generation_that_is_not_answered_with_is_taken_back_and_removed() {
    let script = Script { ready_after: [("server", 3000)].into(), ..everything() };
    let mut story = Story::begins(site(), Script { shows_everything: false, ..script }).saves(100, "src/a");
    check(
        &story.until(2000),
        &expect![[r#"
            +0ms SessionBegan → watch, files t1 of site: Find
            +0.500ms files t1: Found([])
            +1ms WatchingBegan
            +100ms PathsTouched [Settled src/a]
            +102ms DeadlineReached → 'w began with 1 files', files t3 of site: Prepare
            +102.500ms files t3: Prepared(102000-0000000a)
            +103ms saved v3 → hook build t4 for w ["src/a"]
            +113ms hook t4 ended with exit status 0, Nothing → files t5 of site: Install(102000-0000000a)
            +113.500ms files t5: Installed([102000-0000000a])
            +114.500ms saved v6 → serve site 102000-0000000a, start server#1
            +116.500ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +216.500ms DeadlineReached → serve no site, stop server#1
            +221.500ms server#1 exited with signal 15 (SIGTERM)
            +222.500ms server#1 gone → 'ProcessStopped { process: server }', files t66 of site: Remove([102000-0000000a])
            +223ms files t66: Removed → 'w failed in w step 1 publish_artifact: NotPublished { artifact: site, failure: Rejected { generation: 102000-0000000a, cause: ProcessNotReady { process: server, within: 100ms, last: Some("connection refused") }, restored: Nothing } }'
        "#]],
    );
}

#[test]
fn a_build_that_fails_is_removed_before_the_step_fails() {
    let script = Script { hook_ends: [("build", vec![exits(1, Captured::Nothing)])].into(), ..Script::default() };
    let mut story = Story::begins(site(), script).saves(100, "src/a");
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch, files t1 of site: Find
        +0.500ms files t1: Found([])
        +1ms WatchingBegan
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files', files t3 of site: Prepare
        +102.500ms files t3: Prepared(102000-0000000a)
        +103ms saved v3 → hook build t4 for w ["src/a"]
        +113ms hook t4 ended with exit status 1, Nothing → files t5 of site: Remove([102000-0000000a])
        +113.500ms files t5: Removed → 'w failed in w step 1 publish_artifact: NotPublished { artifact: site, failure: NotBuilt(HookFailed { hook: build, status: Code(1) }) }'
    "#]],
    );
}

#[test]
fn an_interrupt_in_the_middle_of_a_switch_takes_it_back_before_the_session_ends() {
    let script = Script { ready_after: [("server", 3000)].into(), ..Script::default() };
    let mut story = Story::begins(site(), script).saves(100, "src/a").interrupted(150);
    check(
        &story.until(2000),
        &expect![[r#"
            +0ms SessionBegan → watch, files t1 of site: Find
            +0.500ms files t1: Found([])
            +1ms WatchingBegan
            +100ms PathsTouched [Settled src/a]
            +102ms DeadlineReached → 'w began with 1 files', files t3 of site: Prepare
            +102.500ms files t3: Prepared(102000-0000000a)
            +103ms saved v3 → hook build t4 for w ["src/a"]
            +113ms hook t4 ended with exit status 0, Nothing → files t5 of site: Install(102000-0000000a)
            +113.500ms files t5: Installed([102000-0000000a])
            +114.500ms saved v6 → serve site 102000-0000000a, start server#1
            +116.500ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +150ms interrupt Int → 'InterruptReceived { interrupt: Int }', serve no site, stop server#1
            +155ms server#1 exited with signal 15 (SIGTERM)
            +156ms server#1 gone → 'ProcessStopped { process: server }', files t29 of site: Remove([102000-0000000a])
            +156.500ms files t29: Removed → end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn without_its_consumers_an_artifact_is_published_as_soon_as_the_switch_is_durable() {
    let (kept, left_out) = ("other", "server");
    let plan = Planned(site().process(kept, |_| {}).0.only(&[kept.into()]));
    let mut story = Story::begins(plan, Script::default()).saves(100, "src/a");
    let told = story.until(1000);
    assert!(told.contains("Published") && told.contains("'w finished'"), "{told}");
    assert!(!told.contains(left_out), "{told}");
}

/// It may be what fills the disk, and no file has ever named it.
#[test]
fn a_generation_whose_switch_cannot_be_saved_is_removed_before_the_step_fails() {
    let script = Script { saves_fail: (100, 2), ..Script::default() };
    let mut story = Story::begins(site(), script).saves(100, "src/a");
    check(
        &story.until(300),
        &expect![[r#"
            +0ms SessionBegan → watch, files t1 of site: Find
            +0.500ms files t1: Found([])
            +1ms WatchingBegan
            +100ms PathsTouched [Settled src/a]
            +102ms DeadlineReached → 'w began with 1 files', files t3 of site: Prepare
            +102.500ms files t3: Prepared(102000-0000000a)
            +103ms saved v3 → hook build t4 for w ["src/a"]
            +113ms hook t4 ended with exit status 0, Nothing → files t5 of site: Install(102000-0000000a)
            +113.500ms files t5: Installed([102000-0000000a])
            +114.500ms failed to save v6: no space left on device → 'StateSaveFailed { error: "no space left on device" }', files t6 of site: Remove([102000-0000000a])
            +115ms files t6: Removed → 'w failed in w step 1 publish_artifact: NotPublished { artifact: site, failure: NotSaved("no space left on device") }'
            +115.500ms failed to save v9: no space left on device
        "#]],
    );
}
