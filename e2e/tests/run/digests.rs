//! What failed is said once more, with the last lines of its child.

use super::project;
use e2e::Session;

/// The lines of stderr from a title on, as long as they belong to its digest.
fn digest(session: &Session, title: &str) -> Vec<String> {
    let lines = session.stderr_lines();
    let begin = lines.iter().position(|line| line == title).unwrap_or_else(|| panic!("{}", session.told()));
    let rest = lines[begin + 1..].iter().take_while(|line| line.starts_with("  "));
    rest.map(|line| line.trim().to_owned()).collect()
}

fn count(session: &Session, title: &str) -> usize {
    session.stderr_lines().iter().filter(|line| *line == title).count()
}

const BUILD: &str = r#"
[hook.compile]
command = ["PUPPET", "print", "compiling", "eprint", "\u001b[31merror\u001b[0m: \u001b[2Jno such type", "exit", "101"]
OUTPUT
[workflow.build]
steps = [{ action = "log", message = "building" }, { action = "run_hook", hook = "compile" }]
[workflow.after]
steps = [{ action = "log", message = "afterwards" }]
[watch.build]
paths = ["src/"]
[watch.after]
paths = ["after/"]
"#;

// promise: run.digest.1
#[test]
fn a_failed_run_ends_with_where_why_which_command_and_the_last_lines() {
    for output in ["", "output = { inherit = false }"] {
        let project = project(&BUILD.replace("OUTPUT", output));
        let mut session = project.run_watching();
        project.file("src/a", "");
        session.wait_for("workflow build failed");
        project.file("after/a", "");
        session.wait_for("afterwards");
        assert!(session.stop().success());
        let told = digest(&session, "workflow build failed");
        assert_eq!(told[0], "step     workflow 'build', step 2 (run_hook)", "{told:#?}");
        assert_eq!(told[1], "why      hook 'compile' ended with exit status 101", "{told:#?}");
        assert!(told[2].starts_with("command  ") && told.iter().any(|line| line.ends_with("exit 101")), "{told:#?}");
        assert!(told.contains(&"output   the last lines of compile:".to_owned()), "{told:#?}");
        let mut lines: Vec<&str> = told.iter().filter_map(|line| line.strip_prefix("│ ")).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["compiling", "error: no such type"], "nothing of it moves a cursor: {told:#?}");
        assert_eq!(count(&session, "workflow build failed"), 1, "{}", session.told());
        let log = session.log();
        assert!(!log.contains("the last lines of"), "the log has the lines themselves: {log}");
    }
}

// promise: run.digest.1
#[test]
fn a_digest_is_bounded_and_shows_no_token() {
    let project = project(
        r#"
[hook.loud]
command = ["sh", "-c", "seq 1 5000; echo token $DEVLOOP_EVENTS_TOKEN; exit 1"]
output = { inherit = false }
[workflow.build]
steps = [{ action = "run_hook", hook = "loud" }]
[watch.build]
paths = ["src/"]
[event_server]
bind = "127.0.0.1:0"
[event.go]
state_key = "go"
workflow = "build"
pattern = "^[a-z]+$"
"#,
    );
    let mut session = project.run_watching();
    project.file("src/a", "");
    session.wait_for("token ***");
    assert!(session.stop().success());
    let told = digest(&session, "workflow build failed");
    let lines: Vec<&str> = told.iter().filter_map(|line| line.strip_prefix("│ ")).collect();
    assert_eq!((lines.len(), lines[0], lines[19]), (20, "4982", "token ***"), "{told:#?}");
}

// promise: run.digest.2
#[test]
fn a_process_that_falls_again_and_again_is_shown_once() {
    let project = project(
        r#"
[process.web]
command = ["PUPPET", "append-pid", "lives", "eprint", "cannot open the database", "exit", "7"]
restart = "always"
restart_delay_ms = 1
"#,
    );
    let mut session = project.run();
    session.wait_for_count("process web exited with exit status 7", 4);
    assert!(session.stop().success());
    let told = digest(&session, "process web failed");
    assert_eq!(told[0], "why      it exited with exit status 7", "{told:#?}");
    assert!(told.contains(&"│ cannot open the database".to_owned()), "{told:#?}");
    assert_eq!(count(&session, "process web failed"), 1, "{}", session.told());
}

// promise: run.digest.2
#[test]
fn a_run_that_fails_with_its_process_shows_its_lines_once() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[process.web]
command = ["PUPPET", "eprint", "cannot bind", "exit", "1"]
autostart = false
readiness = { kind = "tcp", address = "127.0.0.1:1" }
[workflow.startup]
steps = [{ action = "start_process", process = "web" }, { action = "wait_for_process", process = "web" }]
"#,
    );
    let mut session = project.run();
    session.wait_for("│ cannot bind");
    session.wait_for("workflow failed");
    assert!(session.stop().success());
    assert_eq!(session.count("│ cannot bind"), 1, "{}", session.told());
}

// promise: run.digest.1
#[test]
fn a_process_that_does_not_become_ready_is_shown_while_it_lives() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[process.web]
command = ["PUPPET", "print", "waiting for the database", "hang"]
readiness = { kind = "output", pattern = "listening", timeout_ms = 300 }
[workflow.startup]
steps = [{ action = "wait_for_process", process = "web" }]
"#,
    );
    let mut session = project.run();
    session.wait_for("│ waiting for the database");
    assert!(session.stop().success());
    assert_eq!(count(&session, "workflow startup failed"), 1, "{}", session.told());
}
