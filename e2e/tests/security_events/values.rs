//! What becomes of a value: V1, V3, V6 to V8, V11, V17, V18.

use e2e::programs;
use e2e::web::{Posting, eventually};
use std::os::unix::fs::PermissionsExt as _;

const SHOWN: &str = r#"
[event.any]
state_key = "any"
workflow = "show"
[workflow.show]
steps = [
  { action = "write_state", key = "copy", value = "{{any}}" },
  { action = "run_hook", hook = "seen" },
  { action = "log", message = "copied {{copy}} end" },
]
[hook.seen]
command = ["PUPPET", "append", "ROOT/seen", "{{any}} $DEVLOOP_WORKFLOW"]
"#;

fn shown(value: &str) -> (Posting, String) {
    let posting = Posting::with(programs!(), SHOWN);
    assert_eq!(posting.post("any", value).status, 204);
    let line = posting.session.wait_for("copied ");
    (posting, line)
}

#[test]
fn v1_shell_metacharacters_are_stored_as_they_are_and_reach_no_shell() {
    let value = "$(touch pwned); `touch pwned` && touch pwned | touch pwned\n\"'";
    let (posting, _) = shown(value);
    assert_eq!(posting.state_of("any").as_deref(), Some(value));
    assert!(!posting.project.path("pwned").exists());
    // What a hook gets is what the config says: nothing in a command is a template.
    let seen = std::fs::read_to_string(posting.project.path("seen")).unwrap();
    assert_eq!(seen, "{{any}} $DEVLOOP_WORKFLOW\n");
}

#[test]
fn v3_a_value_that_looks_like_a_template_stays_text_at_any_depth() {
    let (posting, line) = shown("{{root}} {{DEVLOOP_EVENTS_TOKEN}} {{{{any}}}}");
    assert!(line.contains("copied {{root}} {{DEVLOOP_EVENTS_TOKEN}} {{{{any}}}} end"), "{line}");
    assert_eq!(posting.state_of("copy"), posting.state_of("any"));
}

// promise: event.value.1
#[test]
fn v6_controls_are_data_and_more_than_8_kib_is_400() {
    let value = "\0\u{1}\u{7f}\u{9b}";
    let (posting, line) = shown(value);
    assert_eq!(posting.state_of("any").as_deref(), Some(value));
    assert!(!line.contains(['\0', '\u{1}', '\u{7f}', '\u{9b}']), "{line:?}");
    assert_eq!(posting.post("free", &"x".repeat(8 * 1024)).status, 204);
    assert_eq!(posting.post("free", &"x".repeat(8 * 1024 + 1)).status, 400);
    assert_eq!(posting.post("free", &"é".repeat(4 * 1024 + 1)).status, 400);
    assert_eq!(posting.state_of("free"), Some("x".repeat(8 * 1024)));
}

#[test]
fn v7_a_value_forges_no_line() {
    let (posting, line) = shown("a\n[devloop workflows] INFO fake\r\nb\u{2028}c");
    assert!(line.contains(r"copied a\n[devloop workflows] INFO fake\r\nb\u{2028}c end"), "{line}");
    let forged =
        posting.session.stderr_lines().into_iter().filter(|line| line.starts_with("[devloop workflows] INFO fake"));
    assert_eq!(forged.count(), 0);
}

#[test]
fn v8_characters_that_reorder_or_hide_text_are_shown_escaped() {
    let (_posting, line) = shown("a\u{202e}b\u{200b}c\u{2066}d\u{1b}[31me");
    assert!(line.contains(r"copied a\u{202e}b\u{200b}c\u{2066}d\u{1b}[31me end"), "{line}");
}

// promise: event.value.1
#[test]
fn v11_the_whole_value_must_match_its_pattern() {
    let posting = Posting::start(programs!());
    for bad in ["a\n", "\na", "a b", "A", "", "$(x);a", "a\0"] {
        assert_eq!(posting.post("slug", bad).status, 400, "{bad:?}");
    }
    assert_eq!(posting.state_of("slug"), None);
    assert_eq!(posting.session.count("running workflow"), 0);
}

// promise: event.same.1, event.first.1
#[test]
fn v17_the_first_post_of_a_session_runs_and_the_same_value_again_does_not() {
    let mut posting = Posting::start(programs!());
    assert_eq!(posting.post("slug", "same").status, 204);
    posting.session.wait_for("slug is same");
    assert_eq!(posting.post("slug", "same").status, 204);
    assert_eq!(posting.post("slug", "other").status, 204);
    posting.session.wait_for("slug is other");
    assert_eq!(posting.session.count("slug is same"), 1);
    posting.session.stop();
    let again = Posting::run(posting.project);
    assert_eq!(again.post("slug", "other").status, 204);
    again.session.wait_for("slug is other");
}

// promise: event.save.1
#[test]
fn v18_a_value_that_could_not_be_saved_is_500_undone_and_a_retry_runs_its_workflow() {
    let posting = Posting::start(programs!());
    posting.assert_alive();
    posting.session.wait_for("slug is alive");
    let folder = posting.project.path(".devloop");
    let mode = |bits: u32| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(bits)).unwrap();
    if std::fs::write(folder.join("probe"), "").is_ok() && is_root() {
        // Permissions do not hold root back: a folder in the way of the state file does.
        let state = posting.project.state_file();
        let kept = posting.project.path("kept.json");
        std::fs::rename(&state, &kept).unwrap();
        std::fs::create_dir(&state).unwrap();
        assert_eq!(posting.post("slug", "lost").status, 500);
        std::fs::remove_dir(&state).unwrap();
        std::fs::rename(&kept, &state).unwrap();
    } else {
        mode(0o500);
        assert_eq!(posting.post("slug", "lost").status, 500);
        mode(0o700);
    }
    assert_eq!(posting.state_of("slug").as_deref(), Some("alive"));
    assert_eq!(posting.session.count("slug is lost"), 0);
    assert_eq!(posting.post("slug", "lost").status, 204);
    posting.session.wait_for("slug is lost");
    eventually("both are in the audit log", || {
        let audit = posting.audit();
        audit.iter().any(|line| line["status"] == 500) && audit.last().is_some_and(|line| line["status"] == 204)
    });
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
