//! Templates, and messages for the user.

use crate::project;
use e2e::{Project, Session};

/// A session whose startup workflow runs a hook that captures this JSON, and then logs these messages.
fn logging(json: &str, messages: &[&str]) -> (Project, Session) {
    let mut config = String::from(
        "startup_workflows = [\"w\"]\n[hook.values]\ncommand = [\"cat\", \"values.json\"]\ncapture = \"json\"\n\
         output = { inherit = false }\n[workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"values\" },\n",
    );
    for message in messages {
        config.push_str(&format!("{{ action = \"log\", message = '''{message}''' }},\n"));
    }
    config.push_str("{ action = \"log\", message = \"that was all\" }]\n");
    let project = project(&config);
    project.file("values.json", json);
    let session = project.run();
    session.wait_for("that was all");
    (project, session)
}

/// The messages, without the beginnings of their lines.
fn messages(session: &Session) -> Vec<String> {
    let lines = session.stderr_lines();
    lines
        .iter()
        .filter_map(|line| Some(line.strip_prefix("[devloop ")?.split_once("Z message ")?.1.to_owned()))
        .collect()
}

// promise: workflow.template.1, workflow.template.2
#[test]
fn keys_are_looked_up_whole_and_then_as_a_path_and_other_values_are_compact_json() {
    let json = r#"{"text": "as it is", "n": 1.50, "yes": true, "none": null, "list": [1, {"a": "b"}],
        "deep": {"er": {"key": "found", "n": 7}}, "deep.whole": "whole", "deep": {"er": {"key": "found"}, "whole": "path"}}"#;
    let sent = [
        "message {{ text }}|{{text}}",
        "message {{n}} {{yes}} {{none}} {{list}}",
        "message {{deep.er.key}} {{deep.er}}",
        "message {{deep.whole}}",
        "message {{ not a key }} {{}} {x}",
    ];
    let (_project, mut session) = logging(json, &sent);
    let told = messages(&session);
    assert_eq!(told[0], "as it is|as it is");
    assert!(
        ["1.5 true null [1,{\"a\":\"b\"}]", "1.50 true null [1,{\"a\":\"b\"}]"].contains(&told[1].as_str()),
        "{told:?}"
    );
    assert_eq!(told[2], "found {\"key\":\"found\"}");
    assert_eq!(told[3], "whole");
    assert_eq!(told[4], "{{ not a key }} {{}} {x}");
    assert!(session.stop().success());
}

// promise: workflow.template.3
#[test]
fn a_missing_key_becomes_nothing_and_warns_once_with_its_name() {
    let (_project, mut session) =
        logging("{}", &["message [{{missing}}]", "message [{{missing}}] again", "message [{{deep.er}}]"]);
    assert_eq!(messages(&session), ["[]", "[] again", "[]"]);
    let warnings: Vec<String> = session.stderr_lines().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(
        warnings.iter().filter(|line| line.contains("'missing'") && line.contains("workflow w")).count(),
        1,
        "{warnings:?}"
    );
    assert_eq!(warnings.iter().filter(|line| line.contains("'deep.er'")).count(), 1, "{warnings:?}");
    assert!(session.stop().success());
}

// promise: workflow.template.4
#[test]
fn a_value_that_looks_like_a_template_stays_text() {
    let (project, mut session) =
        logging(r#"{"a": "{{b}}", "b": "secret", "c": "$HOME $(id)"}"#, &["message {{a}} {{c}}"]);
    assert_eq!(messages(&session), ["{{b}} $HOME $(id)"]);
    assert!(session.stop().success());
    assert_eq!(project.state()["a"], "{{b}}");
}

// promise: workflow.log.1
#[test]
fn a_boxed_message_has_a_frame_of_its_display_width() {
    let project = project(
        "startup_workflows = [\"w\"]\n[workflow.w]\nsteps = [{ action = \"log\", style = \"boxed\", message = \"日本 é http://x\" }]\n",
    );
    let mut session = project.run();
    session.wait_for("└");
    let lines = session.stderr_lines();
    let at = lines.iter().position(|line| line.starts_with('┌')).unwrap();
    // Two columns for each of the wide characters, one for all others.
    let width = "日本 é http://x".chars().count() + 2;
    assert_eq!(lines[at], format!("┌{}┐", "─".repeat(width + 2)));
    assert_eq!(lines[at + 1], "│ 日本 é http://x │");
    assert_eq!(lines[at + 2], format!("└{}┘", "─".repeat(width + 2)));
    assert!(session.stop().success());
}

// promise: workflow.log.2
#[test]
fn a_message_is_one_line_and_cannot_forge_others() {
    let forged = r#"{"v": "x\n[devloop engine] INFO forged\r\u001b[2J\u001b]0;title\u0007\u202eend"}"#;
    let (_project, mut session) = logging(forged, &["message {{v}}"]);
    let told = session.told();
    let lines = session.stderr_lines();
    assert!(!lines.iter().any(|line| line.starts_with("[devloop engine] INFO forged")), "{told}");
    assert!(!told.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{told}");
    let line = lines.iter().find(|line| line.contains("forged")).unwrap();
    assert!(line.contains("x\\n[devloop engine]") && line.ends_with("end"), "{line}");
    assert!(session.stop().success());
}
