//! `--label-width`, `--timestamps`, `--quiet`.

use super::project;
use e2e::Session;

const TWO: &str = r#"
startup_workflows = ["startup"]
[process.web]
command = ["PUPPET", "print", "from web", "hang"]
[process.database]
command = ["PUPPET", "print", "from database", "eprint", "a complaint", "hang"]
[workflow.startup]
steps = [{ action = "wait_for_process", process = "web" }, { action = "log", message = "for the user" }]
"#;

fn run(arguments: &[&str]) -> Session {
    let mut project = project(TWO);
    for argument in arguments {
        project.argument(argument);
    }
    let mut session = project.run();
    session.wait_for_stdout("from web");
    session.wait_for_stdout("from database");
    session.wait_for("a complaint");
    session.wait_for("for the user");
    assert!(session.stop().success(), "{}", session.told());
    session
}

fn sorted(session: &Session) -> Vec<String> {
    let mut lines = session.stdout_lines();
    lines.sort();
    lines
}

// promise: output.label.1
#[test]
fn labels_are_aligned_when_asked_and_otherwise_as_wide_as_they_are() {
    assert_eq!(sorted(&run(&[])), ["[puppet database] from database", "[puppet web] from web"]);
    assert_eq!(
        sorted(&run(&["--label-width", "auto"])),
        ["[puppet database] from database", "[puppet web]      from web"]
    );
    assert_eq!(sorted(&run(&["--label-width", "14"])), ["[puppet database] from database", "[puppet web]   from web"]);
}

#[test]
fn a_label_width_that_is_none_is_a_mistake_of_the_command_line() {
    let output = project(TWO).call(&["run", "--label-width", "wide"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("it is `auto` or a number of columns up to 200"), "{told}");
}

// promise: output.stamp.1
#[test]
fn lines_of_children_carry_the_local_time_when_asked() {
    let mut project = project(TWO);
    project.argument("--timestamps").variable("TZ", "XYZ-25:17");
    let mut session = project.run();
    let line = session.wait_for_stdout("from web");
    let (stamp, rest) = line.split_once(' ').unwrap();
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!((shape.as_str(), rest), ("99:99:99.999", "[puppet web] from web"));
    session.wait_for("a complaint");
    assert!(session.stop().success());
    let log = session.log();
    assert!(log.lines().any(|line| line == "[puppet web] from web"), "the log has its lines as ever: {log}");
    assert!(
        session.stderr_lines().iter().any(|line| line.ends_with("[puppet database] a complaint") && line.len() > 40)
    );
}

// promise: run.quiet.1
#[test]
fn a_quiet_session_shows_children_log_steps_and_trouble_and_its_log_has_all() {
    let mut project = project(&format!(
        "{TWO}[workflow.bad]\nsteps = [{{ action = \"run_hook\", hook = \"bad\" }}]\n[hook.bad]\ncommand = [\"PUPPET\", \"exit\", \"3\"]\n\
         [watch.bad]\npaths = [\"bad/\"]\n"
    ));
    project.argument("--quiet");
    let mut session = project.run();
    // Fixed: no filter hides it, and it is where the rest is.
    session.wait_for("writing session log: ");
    session.wait_for_stdout("from web");
    session.wait_for("for the user");
    session.wait_for("a complaint");
    let log = || {
        let folder = project.path(".devloop/logs").read_dir().ok()?;
        let log = folder.filter_map(Result::ok).map(|entry| entry.path()).find(|path| path.extension().is_some())?;
        std::fs::read_to_string(&log).ok()
    };
    e2e::wait::until("the log tells of the watch", || log().filter(|text| text.contains("watching ")));
    project.file("bad/x", "");
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(session.stop().success());
    let log = log().unwrap();
    assert!(log.contains("started process web"), "{log}");
    let told = session.told();
    for hidden in ["started process", "watching ", "running workflow", "shutting down"] {
        assert_eq!(session.count(hidden), 0, "{hidden}: {told}");
    }
}
