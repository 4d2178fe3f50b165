//! Posted values: accepted when the file holds them, undone when it could not be written, each change one more run.

use crate::build::{Planned, hook, log, restart, sleep, write};
use crate::check;
use crate::story::{Script, Story, exits};
use devloop_core::engine::{LOOP_RUNS_MAX, REQUESTS_MAX};
use devloop_core::fact::Captured;
use devloop_core::plan::hook::Capture;
use devloop_core::plan::workflow::Step;
use devloop_core::value::Value;
use expect_test::expect;
use std::collections::{BTreeMap, BTreeSet};

/// A page that a client opens: what it posts is shown.
fn page() -> Planned {
    Planned::new()
        .process("client", |_| {})
        .workflow("show", [log("{{ page }}")])
        .event("page", "page", "show")
        .debounce(0)
}

fn loud() -> Script {
    Script { shows_everything: true, ..Script::default() }
}

/// All that was answered and said, without the rest.
fn told(trace: &str) -> Vec<String> {
    let words = trace.lines().flat_map(|line| line.split(" → ").skip(1)).flat_map(|effects| effects.split(", "));
    words.filter(|word| word.starts_with("answer") || word.starts_with('"')).map(str::to_owned).collect()
}

// promise: event.commit.1, event.run.1
#[test]
fn a_posted_value_is_saved_then_its_run_is_admitted_then_the_client_is_told() {
    let mut story = Story::begins(page(), loud()).posts(100, "page", "home");
    check(
        &story.until(1000),
        &expect![[r#"
            +0ms SessionBegan → watch, save v1
            +1ms WatchingBegan
            +1ms saved v1 → start client#1
            +3ms client#1 started → 'ProcessStarted { process: client, pid: 7 }'
            +100ms q1 posts "home" to page → save v2
            +101ms saved v2 → answer q1 Accepted for r1, 'show began', "show: home", 'show finished', save v4
            +102ms saved v4
            +802ms DeadlineReached → sync v4
            +803ms synced v4
        "#]],
    );
}

// promise: event.same.1, event.first.1
#[test]
fn the_value_that_the_key_holds_runs_nothing_but_the_first_post_of_a_session_always_runs() {
    let mut story =
        Story::begins(page().workflow("begin", [write("page", "home")]).startup(&["begin"]), Script::default())
            .posts(100, "page", "home")
            .posts(200, "page", "home")
            .posts(300, "page", "blog");
    assert_eq!(
        told(&story.until(1000)),
        [
            "answer q1 Accepted for r2",
            "\"show: home\"",
            "answer q2 Accepted",
            "answer q3 Accepted for r3",
            "\"show: blog\""
        ]
    );
}

// promise: event.save.1
#[test]
fn a_value_that_could_not_be_saved_is_undone_and_posting_it_again_runs() {
    let script = Script { saves_fail: (1, 3), ..Script::default() };
    let mut story = Story::begins(page(), script).posts(100, "page", "home").posts(200, "page", "blog");
    assert_eq!(told(&story.until(199)), ["answer q1 Accepted for r1", "\"show: home\""]);
    assert_eq!(told(&story.until(299)), ["answer q2 NotSaved"]);
    assert_eq!(story.view().values["page"], Value::from("home"));
    let mut story = story.posts(300, "page", "blog");
    assert_eq!(told(&story.until(1000)), ["answer q3 Accepted for r2", "\"show: blog\""]);
}

// promise: event.save.1
#[test]
fn the_first_post_of_a_session_that_could_not_be_saved_leaves_no_key_behind() {
    let script = Script { saves_fail: (1, 1), ..Script::default() };
    let mut story = Story::begins(page(), script).posts(100, "page", "home");
    assert_eq!(told(&story.until(200)), ["answer q1 NotSaved"]);
    assert!(!story.view().values.contains_key("page"));
}

#[test]
fn what_is_posted_while_a_save_fails_goes_into_the_next_one() {
    let script = Script { saves_fail: (1, 1), ..Script::default() };
    let mut story = Story::begins(page(), script);
    for value in ["one", "two", "three"] {
        story = story.posts(100, "page", value);
    }
    // The first is in flight when the others come.
    assert_eq!(
        told(&story.until(1000)),
        ["answer q1 NotSaved", "answer q2 Accepted for r1", "answer q3 Accepted for r1", "\"show: three\""]
    );
}

// promise: event.value.1, event.grant.1
#[test]
fn a_wrong_value_and_an_event_that_was_not_granted_change_nothing() {
    let plan = page().process("client", |client| client.events = Some(BTreeSet::from(["page".into()])));
    let mut story = Story::begins(plan.event("other", "other", "show"), Script::default())
        .posts(100, "page", "No Word")
        .posts(101, "page", &"a".repeat(8193))
        .posts(102, "other", "home")
        .posts(103, "none", "home");
    assert_eq!(
        told(&story.until(1000)),
        ["answer q1 BadValue", "answer q2 BadValue", "answer q3 NotGranted", "answer q4 NotGranted"]
    );
    assert!(!story.view().values.contains_key("page") && !story.view().values.contains_key("other"));
}

// promise: event.run.2
#[test]
fn posts_that_wait_are_one_run_and_posts_while_it_runs_are_one_more() {
    let plan = page().workflow("show", [log("{{ page }}"), sleep(500)]);
    let mut story = Story::begins(plan, Script::default());
    for (millis, value) in [(100, "a"), (100, "b"), (200, "c"), (210, "d"), (220, "e")] {
        story = story.posts(millis, "page", value);
    }
    let told = told(&story.until(5000));
    let runs: Vec<&String> = told.iter().filter(|word| word.starts_with('"')).collect();
    assert_eq!(runs, ["\"show: a\"", "\"show: e\""], "{told:?}");
    assert!(told.contains(&"answer q5 Accepted for r2".to_owned()), "{told:?}");
}

// promise: event.snapshot.1
#[test]
fn a_run_keeps_the_values_it_began_with_and_sees_what_its_own_steps_write() {
    let plan = page().hook("blog", |hook| hook.capture = Capture::Text { state_key: "page".into() }).workflow(
        "show",
        [
            log("{{ page }}"),
            sleep(100),
            log("{{ page }}"),
            hook("blog"),
            log("{{ page }}"),
            write("page", "end"),
            log("{{ page }}"),
        ],
    );
    let captured = exits(0, Captured::Text("captured".to_owned()));
    let script = Script { hook_ends: BTreeMap::from([("blog", vec![captured])]), ..Script::default() };
    let mut story = Story::begins(plan, script).posts(100, "page", "a").posts(150, "page", "b");
    let told = told(&story.until(205));
    assert_eq!(told[1..], ["\"show: a\"", "answer q2 Accepted for r2", "\"show: a\""]);
    let told = self::told(&story.until(220));
    assert_eq!(told[..2], ["\"show: captured\"", "\"show: end\""]);
}

// promise: event.drain.1
#[test]
fn a_session_that_ends_refuses_what_it_has_not_saved_and_what_still_comes() {
    let plan = page().process("client", |_| {});
    let script = Script { deaf: BTreeSet::from(["client"]), ..Script::default() };
    let mut story = Story::begins(plan, script).posts(100, "page", "home").interrupted(100).posts(200, "page", "blog");
    assert_eq!(told(&story.until(300)), ["answer q1 ShuttingDown", "answer q2 ShuttingDown"]);
    assert!(!story.view().values.contains_key("page"));
}

// promise: event.flood.1
#[test]
fn a_flood_is_bounded_and_its_runs_are_few() {
    let mut story = Story::begins(page(), Script::default());
    for number in 0..REQUESTS_MAX + 10 {
        story = story.posts(100, "page", &format!("n{number}"));
    }
    let told = told(&story.until(1000));
    let count = |start: &str| told.iter().filter(|word| word.contains(start)).count();
    assert_eq!((count("Accepted"), count("Busy")), (REQUESTS_MAX, 10));
    assert!(count("show:") <= 2, "{told:?}");
}

/// A workflow whose hook posts to the event that runs it.
fn looping() -> (Planned, Script) {
    let plan = Planned::new()
        .process("client", |_| {})
        .hook("again", |_| {})
        .workflow("spin", [hook("again")])
        .event("spun", "spun", "spin")
        .debounce(0);
    (plan, Script { hook_posts: BTreeMap::from([("again", "spun")]), ..Script::default() })
}

// promise: event.loop.1
#[test]
fn a_workflow_that_runs_itself_is_named_once_and_slowed_down() {
    let (plan, script) = looping();
    let mut story = Story::begins(plan, script).posts(1000, "spun", "go");
    let trace = story.until(2000);
    let begun = |trace: &str| trace.matches("'spin began'").count();
    assert_eq!(trace.matches("EventLoop { event: spun, workflow: spin }").count(), 1, "{trace}");
    assert_eq!(begun(&trace), LOOP_RUNS_MAX + 2, "the first was the client's");
    let later = story.until(32_000);
    assert!(!later.contains("EventLoop"), "{later}");
    assert!((29..=31).contains(&begun(&later)), "{later}");
}

// promise: event.loop.2
#[test]
fn other_clients_of_a_slowed_workflow_wait_for_nothing() {
    let (plan, script) = looping();
    let mut story = Story::begins(plan, script).posts(1000, "spun", "go");
    story.until(5000);
    let mut story = story.posts(5500, "spun", "mine");
    let trace = story.until(5550);
    assert!(trace.contains("'spin began'"), "{trace}");
}

#[test]
fn a_process_that_its_own_workflow_restarts_counts_as_its_doing_too() {
    let plan = Planned::new()
        .process("client", |_| {})
        .hook("ping", |_| {})
        .workflow("one", [hook("ping")])
        .workflow("two", [restart("client"), hook("pong")])
        .hook("pong", |_| {})
        .event("to-two", "to-two", "two")
        .event("to-one", "to-one", "one")
        .debounce(0);
    let script = Script { hook_posts: BTreeMap::from([("ping", "to-two"), ("pong", "to-one")]), ..Script::default() };
    let mut story = Story::begins(plan, script).posts(100, "to-one", "go");
    let trace = story.until(10_000);
    assert!(trace.contains("EventLoop"), "a loop through two workflows: {trace}");
}

// promise: reload.step.1
#[test]
fn a_notify_reload_step_tells_browsers() {
    let plan = page().workflow("show", [Step::NotifyReload, log("done")]);
    let mut story = Story::begins(plan, Script::default()).posts(100, "page", "home");
    let trace = story.until(1000);
    assert!(trace.contains("reload, \"show: done\""), "{trace}");
}

#[test]
fn a_value_that_is_posted_again_while_its_first_post_is_refused_is_kept() {
    let plan = Planned::new()
        .process("client", |_| {})
        .workflow("open", [log("{{ url }}")])
        .workflow("other", [log("{{ tag }}")])
        .event("url", "url", "open")
        .event("tag", "tag", "other");
    let script = Script { saves_fail: (1, 1), ..Script::default() };
    let mut story = Story::begins(plan, script).posts(100, "url", "a").posts(100, "tag", "b").posts(100, "url", "a");
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start client#1
        +3ms client#1 started → 'ProcessStarted { process: client, pid: 7 }'
        +100ms q1 posts "a" to url
        +100ms q2 posts "b" to tag
        +100ms q3 posts "a" to url
        +101ms failed to save v2: no space left on device → answer q1 NotSaved, 'StateSaveFailed { error: "no space left on device" }'
        +102ms saved v3 → 'StateSaveRecovered', answer q2 Accepted for r1, answer q3 Accepted for r2, 'other began', 'open began', "other: b", 'other finished', "open: a", 'open finished'
    "#]],
    );
    assert_eq!(story.view().values.get("url"), Some(&Value::from("a")));
}
