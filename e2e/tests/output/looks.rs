//! Colours, and what of a child's bytes reaches a terminal.

use super::{behind, project};
use e2e::{Project, Session, terminal};
use std::process::Stdio;

const CHILD: &str = r#"
[process.painter]
command = ["PUPPET", "print", "a \u001b[31mred\u001b[39m and \u001b[1;32mgreen", "print", "plain again", "print", "over", "hang"]
"#;

/// The painter's lines on stdout, labels and all.
fn painted(project: &Project) -> Vec<String> {
    let mut session = project.run();
    session.wait_for_stdout("over");
    assert!(session.stop().success());
    session.stdout_lines()
}

// promise: output.escape.1
#[test]
fn colours_pass_and_end_with_their_line() {
    let mut project = project(CHILD);
    project.variable("CLICOLOR_FORCE", "1");
    let lines = painted(&project);
    assert!(lines[0].contains("a \x1b[31mred\x1b[39m and \x1b[1;32mgreen"), "{lines:?}");
    assert!(lines[0].ends_with("green\x1b[0m"), "{lines:?}");
    assert!(lines[1].ends_with("plain again"), "{lines:?}");
}

// promise: output.escape.1
#[test]
fn everything_but_colours_is_removed_whole() {
    let mut project = project(
        r#"
[process.painter]
command = ["PUPPET", "print", "<\u001b[2J\u001b[1;1H\u001b[?25l\u001b]0;a title\u0007\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\\u001bc\u001b[5A>", "print", "over", "hang"]
"#,
    );
    project.variable("CLICOLOR_FORCE", "1");
    let lines = painted(&project);
    assert!(lines[0].ends_with("<link>") || lines[0].ends_with("<link>\x1b[0m"), "{:?}", lines[0]);
}

// promise: output.escape.2
#[test]
fn control_characters_are_shown_and_what_is_no_text_is_marked() {
    let project = project(
        r#"
[process.bell]
command = ["printf", 'bell \007 back \010 delete \177 tab\tbad \377 cut \303\n']
"#,
    );
    let mut session = project.run();
    session.wait_for("process bell exited with");
    assert!(session.stop().success());
    let lines = session.stdout_lines();
    assert_eq!(behind(&lines, "[printf bell] "), ["bell ^G back ^H delete ^? tab\tbad \u{fffd} cut \u{fffd}"]);
}

// promise: output.escape.3
#[test]
fn raw_output_lets_everything_through() {
    let project = project(
        r#"
[process.painter]
command = ["PUPPET", "print", "<\u001b[2J\u001b[31m\u0007>", "print", "over", "hang"]
raw_output = true
"#,
    );
    let lines = painted(&project);
    assert_eq!(lines[0], "[puppet painter] <\x1b[2J\x1b[31m\x07>");
}

/// Whether stdout and stderr have colours.
fn has_colours(session: &Session) -> (bool, bool) {
    let (stdout, stderr) = (session.wait_for_stdout("green"), session.wait_for("started process painter"));
    (stdout.contains("\x1b["), stderr.contains("\x1b["))
}

// promise: output.color.1
#[test]
fn streams_that_are_no_terminal_have_no_colours_unless_somebody_says_so() {
    // A variable and its value, the choice of `--color`, whether there are colours.
    let cases = [
        (None, None, false),
        (Some(("CLICOLOR_FORCE", "1")), None, true),
        (Some(("CLICOLOR_FORCE", "0")), None, false),
        (Some(("CLICOLOR_FORCE", "1")), Some("never"), false),
        (None, Some("always"), true),
        (Some(("NO_COLOR", "1")), Some("always"), true),
        (Some(("NO_COLOR", "1")), Some("auto"), false),
    ];
    for (variable, color, expected) in cases {
        let mut project = project(CHILD);
        if let Some((name, value)) = variable {
            project.variable(name, value);
        }
        if let Some(color) = color {
            project.argument("--color").argument(color);
        }
        let mut session = project.run();
        assert_eq!(has_colours(&session), (expected, expected), "{variable:?} {color:?}\n{}", session.told());
        assert!(session.stop().success());
        let escapes = session.told().contains('\x1b');
        assert_eq!(escapes, expected, "{variable:?} {color:?}");
        assert!(!session.log().lines().any(|line| line.starts_with("[devloop") && line.contains('\x1b')));
    }
}

// promise: output.color.1
#[test]
fn each_stream_has_colours_when_it_is_a_terminal() {
    for (variable, on_stdout, expected) in
        [(None, true, (true, false)), (None, false, (false, true)), (Some(("NO_COLOR", "1")), true, (false, false))]
    {
        let mut project = project(CHILD);
        project.variable("TERM", "xterm-256color");
        if let Some((name, value)) = variable {
            project.variable(name, value);
        }
        let (reader, end) = terminal::open();
        let mut session = if on_stdout {
            Session::start_into(project.command(&["run"]), end, Stdio::piped())
        } else {
            Session::start_into(project.command(&["run"]), Stdio::piped(), end)
        };
        if on_stdout {
            session.hear_stdout(reader);
        } else {
            session.hear_stderr(reader);
        }
        assert_eq!(has_colours(&session), expected, "{}", session.told());
        assert!(session.stop().success());
    }
}

// promise: output.color.2
#[test]
fn a_label_keeps_its_colour_and_a_dim_line_stays_dim_behind_a_colour() {
    let mut project = project(
        r#"
startup_workflows = ["startup"]
[process.web]
command = ["PUPPET", "print", "one", "eprint", "two", "hang"]
[process.dim]
command = ["PUPPET", "print", "before \u001b[31mred\u001b[0m after", "hang"]
output = { body_style = "dim" }
[hook.tool]
command = ["PUPPET", "print", "from a hook"]
[hook.plain]
command = ["PUPPET", "print", "from a plain hook"]
output = { body_style = "plain" }
[workflow.startup]
steps = [{ action = "run_hook", hook = "tool" }, { action = "run_hook", hook = "plain" }]
"#,
    );
    project.variable("CLICOLOR_FORCE", "1");
    let mut labels = Vec::new();
    for _ in 0..2 {
        let session = project.run();
        for (line, text) in [(session.wait_for_stdout("one"), "one"), (session.wait_for("two"), "two")] {
            labels.push(line.split_once(text).unwrap().0.to_owned());
        }
        let line = session.wait_for_stdout("before");
        let (before, after) = line.split_once("\x1b[31m").unwrap();
        assert!(before.contains("\x1b[2mbefore"), "{line:?}");
        assert!(after.starts_with("\x1b[2mred\x1b[0m\x1b[2m after"), "{line:?}");
        assert!(session.wait_for_stdout("from a hook").contains("\x1b[2mfrom a hook"));
        assert!(!session.wait_for_stdout("from a plain hook").contains("\x1b[2m"));
    }
    assert!(labels.iter().all(|label| label == &labels[0]), "{labels:?}");
    let color = labels[0].split_once("\x1b[").unwrap().1.split('m').next().unwrap();
    assert!(!["0", "37", "97"].contains(&color) && labels[0].contains("[puppet web]"), "{labels:?}");
}
