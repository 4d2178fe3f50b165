//! The first screen, in a pipe and on terminals of several widths.

use super::project;
use e2e::Session;
use e2e::terminal::Keyboard;

const CONFIG: &str = r#"
startup_workflows = ["assets"]
[process.web]
command = ["PUPPET", "print", "web is up", "hang"]
[process.tunnel]
command = ["PUPPET", "hang"]
autostart = false
[hook.version]
command = ["PUPPET", "print", "1"]
capture = "text"
state_key = "version"
observe = { workflow = "assets" }
[workflow.assets]
steps = []
[watch.css]
paths = ["style/**/*.css", "theme.css"]
workflow = "assets"
"#;

// promise: run.screen.1
#[test]
fn a_pipe_gets_a_line_a_topic() {
    let project = project(CONFIG);
    let mut session = project.run();
    session.wait_for_stdout("web is up");
    for topic in [
        "INFO",
        "config: devloop.toml",
        "watches: css → assets (style/**/*.css, theme.css)",
        "processes: web",
        "on demand: tunnel",
        "at startup: assets",
        "polls: version (",
        "stop: ctrl-c stops everything in order, a second one kills",
    ] {
        let line = session.wait_for(topic);
        assert!(topic == "INFO" || line.starts_with("[devloop session] INFO "), "{line}");
    }
    assert!(session.stop().success());
    assert_eq!(session.count("h and Enter"), 0, "nobody can type: {}", session.told());
}

/// What a terminal of so many columns shows, up to the first process.
fn shown(columns: u16) -> Vec<String> {
    let mut project = project(CONFIG);
    project.variable("TERM", "xterm").variable("NO_COLOR", "1");
    let mut command = project.command(&["run"]);
    let (keyboard, mut session) = Keyboard::and_screen(&mut command, columns);
    drop(command);
    session.wait_for("started process web");
    drop(keyboard);
    session.signal(rustix::process::Signal::INT);
    assert!(session.wait().success());
    lines(&session)
}

fn lines(session: &Session) -> Vec<String> {
    session.stderr_lines().iter().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

// promise: run.screen.1
#[test]
fn a_terminal_gets_a_page_that_fits_into_it() {
    for columns in [60, 80, 200] {
        let lines = shown(columns);
        let first = lines.iter().position(|line| line.starts_with("devloop 0.")).unwrap();
        let page: Vec<&String> =
            lines[first..].iter().take_while(|line| line.starts_with("devloop") || line.starts_with("  ")).collect();
        assert!(page.len() >= 9, "{lines:#?}");
        // A path has no place where it could be broken.
        let fits = |line: &&&String| line.chars().count() <= columns.into() || line.contains(".devloop/logs/");
        assert_eq!(page.iter().find(|line| !fits(line)), None, "{columns}: {page:#?}");
        assert!(page.iter().any(|line| line.starts_with("  watches    css → assets (")), "{page:#?}");
    }
}

// promise: output.local.1
#[test]
fn a_terminal_shows_the_local_time_of_day() {
    let lines = shown(80);
    let line = lines.iter().find(|line| line.contains("started process web")).unwrap();
    let time = line.split(' ').nth(3).unwrap();
    assert!(time.len() == 12 && time.split(':').count() == 3, "{line}");
}
