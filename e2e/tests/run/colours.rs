//! Who has colours: by option, by variable, by terminal, in every command.

use super::project;
use e2e::Project;
use e2e::terminal;
use std::io::Read as _;

/// Commands that draw something in colour where they may, each on its own stream.
const DRAWING: [&[&str]; 6] =
    [&["docs"], &["graph"], &["audit"], &["plan", "a.txt"], &["--help"], &["run", "--no-such-option"]];

fn drawn(project: &Project, arguments: &[&str], on_terminal: bool) -> String {
    let mut command = project.command(arguments);
    if !on_terminal {
        let output = command.output().unwrap();
        return String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    }
    let (mut reader, end) = terminal::open();
    let (_unused, other) = terminal::open();
    let is_stderr = arguments.contains(&"--no-such-option");
    let (stdout, stderr) = if is_stderr { (other, end) } else { (end, other) };
    let mut child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
    drop(command);
    let mut bytes = Vec::new();
    // A terminal whose last writer has gone says so by an error.
    let _ = reader.read_to_end(&mut bytes);
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap()
}

fn has_colours(variable: Option<(&str, &str)>, color: Option<&str>, arguments: &[&str], on_terminal: bool) -> bool {
    let mut project = project("");
    project.variable("TERM", "xterm-256color");
    if let Some((name, value)) = variable {
        project.variable(name, value);
    }
    if let Some(color) = color {
        project.argument("--color").argument(color);
    }
    let drawn = drawn(&project, arguments, on_terminal);
    assert!(!drawn.is_empty(), "{arguments:?}");
    drawn.contains('\x1b')
}

// promise: output.color.3
#[test]
fn every_command_has_colours_on_a_terminal_that_shows_them_and_nowhere_else() {
    for arguments in DRAWING {
        assert!(has_colours(None, None, arguments, true), "{arguments:?}");
        assert!(!has_colours(None, None, arguments, false), "{arguments:?}");
        assert!(!has_colours(Some(("TERM", "dumb")), None, arguments, true), "{arguments:?}");
    }
}

// promise: output.color.3
#[test]
fn every_command_listens_to_the_variables_and_to_the_option() {
    let cases = [
        (Some(("NO_COLOR", "1")), None, true, false),
        (Some(("CLICOLOR", "0")), None, true, false),
        (Some(("FORCE_COLOR", "0")), None, true, false),
        (Some(("CLICOLOR_FORCE", "1")), None, false, true),
        (Some(("FORCE_COLOR", "1")), None, false, true),
        (Some(("CLICOLOR_FORCE", "0")), None, false, false),
        (Some(("NO_COLOR", "1")), Some("always"), false, true),
        (Some(("FORCE_COLOR", "1")), Some("never"), true, false),
    ];
    for arguments in DRAWING {
        for (variable, color, on_terminal, expected) in cases {
            let has = has_colours(variable, color, arguments, on_terminal);
            assert_eq!(has, expected, "{arguments:?} {variable:?} {color:?} {on_terminal}");
        }
    }
}
