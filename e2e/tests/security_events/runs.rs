//! What a value's run does with it: V4, V5, V9, V15, V16.

use e2e::programs;
use e2e::web::{Posting, eventually};
use std::time::{Duration, Instant};

#[test]
fn v4_a_text_that_grows_over_64_kib_fails_its_step() {
    let double = r#"{ action = "write_state", key = "grown", value = "{{grown}}{{grown}}" },"#.repeat(4);
    let posting = Posting::with(
        programs!(),
        &format!(
            r#"
[event.seed]
state_key = "seed"
workflow = "grow"
[workflow.grow]
steps = [{{ action = "write_state", key = "grown", value = "{{{{seed}}}}" }}, {double} {{ action = "log", message = "never" }}]
"#
        ),
    );
    assert_eq!(posting.post("seed", &"x".repeat(8 * 1024)).status, 204);
    posting.session.wait_for("is longer than 64 KiB");
    eventually("what still fitted is saved", || posting.state_of("grown") == Some("x".repeat(64 * 1024)));
    assert_eq!(posting.session.count("never"), 0);
    posting.assert_alive();
}

#[test]
fn v5_what_is_no_text_is_shown_as_json_and_never_as_nothing() {
    let posting = Posting::with(
        programs!(),
        r#"
[event.ask]
state_key = "ask"
workflow = "ask"
[hook.values]
command = ["PUPPET", "print", '{"list": [1, {"a": "{{ask}}"}], "none": null, "yes": true, "n": 7, "empty": {}}']
capture = "json"
[workflow.ask]
steps = [
  { action = "run_hook", hook = "values" },
  { action = "log", message = "typed {{list}} {{none}} {{yes}} {{n}} {{empty}} {{list.1.a}}" },
]
"#,
    );
    assert_eq!(posting.post("ask", "x").status, 204);
    let line = posting.session.wait_for("typed ");
    assert!(line.ends_with(r#"typed [1,{"a":"{{ask}}"}] null true 7 {} {{ask}}"#), "{line}");
}

#[test]
fn v9_a_wide_value_with_line_ends_breaks_no_frame() {
    let posting = Posting::with(
        programs!(),
        r#"
[event.boxed]
state_key = "boxed"
workflow = "boxed"
[workflow.boxed]
steps = [{ action = "log", style = "boxed", message = "{{boxed}}" }]
"#,
    );
    let value = "日本語\n│ forged │\r\n└──┘\u{1b}[31m\u{202e}é\t";
    assert_eq!(posting.post("boxed", value).status, 204);
    posting.session.wait_for("日本語");
    posting.session.wait_for_count("└──", 2);
    let lines = posting.session.stderr_lines();
    let at = lines.iter().position(|line| line.starts_with('┌')).unwrap();
    let shown = r"日本語\n│ forged │\r\n└──┘\u{1b}[31m\u{202e}é\t";
    // Three of its characters are two columns wide; a column is free on both sides.
    let edge = "─".repeat(shown.chars().count() + 3 + 2);
    assert_eq!(lines[at..at + 3], [format!("┌{edge}┐"), format!("│ {shown} │"), format!("└{edge}┘")]);
}

// promise: event.loop.1
#[test]
fn v15_a_workflow_that_posts_to_its_own_event_is_named_once_and_slowed_down() {
    let config = r#"
[event.spin]
state_key = "spin"
workflow = "spin"
[workflow.spin]
steps = [{ action = "run_hook", hook = "again" }, { action = "log", message = "turned" }]
[hook.again]
command = ["sh", "-c", "date +%s%N | 'DEVLOOP' post spin -"]
"#;
    let posting = Posting::with(programs!(), &config.replace("DEVLOOP", programs!().devloop));
    assert_eq!(posting.post("spin", "go").status, 204);
    let warning = posting.session.wait_for("workflow spin runs itself");
    assert!(warning.contains("WARN") && warning.contains("event 'spin'"), "{warning}");
    let (turns, began) = (posting.session.count("turned"), Instant::now());
    posting.session.wait_for_count("turned", turns + 4);
    assert!(began.elapsed() > Duration::from_secs(2), "at most one a second: {:?}", began.elapsed());
    assert_eq!(posting.session.count("runs itself"), 1);
    // Nobody else is slowed.
    assert_eq!(posting.post("slug", "mine").status, 204);
    posting.session.wait_for("slug is mine");
}

// promise: event.snapshot.1
#[test]
fn v16_a_run_keeps_the_values_it_began_with_and_a_later_one_has_a_run_of_its_own() {
    let posting = Posting::with(
        programs!(),
        r#"
[event.kept]
state_key = "kept"
workflow = "keep"
[workflow.keep]
steps = [
  { action = "log", message = "before {{kept}}." },
  { action = "run_hook", hook = "gate" },
  { action = "log", message = "after {{kept}}." },
  { action = "write_state", key = "own", value = "own of {{kept}}" },
  { action = "log", message = "sees {{own}}." },
]
[hook.gate]
command = ["PUPPET", "await-file", "ROOT/go"]
"#,
    );
    assert_eq!(posting.post("kept", "first").status, 204);
    posting.session.wait_for("before first.");
    assert_eq!(posting.post("kept", "second").status, 204);
    assert_eq!(posting.state_of("kept").as_deref(), Some("second"));
    posting.project.file("go", "");
    posting.session.wait_for("sees own of second.");
    let lines = posting.session.stderr_lines();
    let said: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.rsplit_once(" message ").map(|(_, said)| said).or(line.split("workflows] ").nth(1)))
        .filter(|said| ["before", "after", "sees"].iter().any(|word| said.contains(word)))
        .map(|said| said.split_once("before ").or(said.split_once("after ")).or(said.split_once("sees ")).unwrap().1)
        .collect();
    assert_eq!(said, ["first.", "first.", "own of first.", "second.", "second.", "own of second."]);
}
