//! What is typed while a session runs.

use super::project;
use e2e::terminal::Keyboard;
use e2e::{Project, Session, stray, wait};
use rustix::process::Signal;
use std::process::Command;

const CONFIG: &str = r#"
[process.web]
command = ["PUPPET", "append-pid", "lives", "print", "web is up", "hang"]
[process.worker]
command = ["PUPPET", "hang"]
[hook.build]
command = ["PUPPET", "append", "builds", "one", "eprint", "no such type", "exit", "3"]
[workflow.build]
steps = [{ action = "run_hook", hook = "build" }]
[watch.build]
paths = ["src/"]
"#;

fn typing() -> Project {
    let mut project = project(CONFIG);
    project.variable("TERM", "xterm").variable("NO_COLOR", "1");
    project
}

fn on_terminal(command: &mut Command) -> (Keyboard, Session) {
    let (keyboard, session) = Keyboard::and_screen(command, 100);
    session.wait_for("h and Enter lists keys");
    session.wait_for("web is up");
    (keyboard, session)
}

// promise: run.keys.1
#[test]
fn keys_restart_run_show_clear_and_quit() {
    let project = typing();
    let (mut keyboard, mut session) = on_terminal(&mut project.command(&["run"]));
    keyboard.line("h");
    session.wait_for("keys, each with Enter");
    session.wait_for("r PROCESS");
    keyboard.line("r we");
    session.wait_for("restarting process web, as typed");
    wait::lines(&project.path("lives"), 2);
    keyboard.line("f");
    session.wait_for("nothing has failed so far");
    keyboard.line("w bu");
    session.wait_for_count("│ no such type", 1);
    keyboard.line("f");
    session.wait_for_count("│ no such type", 2);
    // A session says what it is doing a moment after it has begun.
    let status = project.path(".devloop/state.json.status");
    wait::until("the session says what it is doing", || status.exists().then_some(()));
    keyboard.line("s");
    session.wait_for("LAST RUN");
    keyboard.line("c");
    session.wait_for("\x1b[2J");
    keyboard.line("r w");
    session.wait_for("'w' may be web or worker");
    keyboard.line("zap");
    session.wait_for("'zap' is no key; h and Enter lists them");
    keyboard.line("q");
    session.wait_for("asked to quit, shutting down");
    assert!(session.wait().success(), "{}", session.told());
    assert_eq!(wait::lines(&project.path("builds"), 1).len(), 1);
}

// promise: run.keys.2
#[test]
fn keys_are_heard_again_after_ctrl_z_and_fg() {
    let project = typing();
    let (mut keyboard, mut session) = on_terminal(&mut project.command(&["run"]));
    keyboard.ctrl('z');
    let pid = session.pid();
    wait::until("devloop is stopped", || wait::is_stopped(pid).then_some(()));
    stray::signal(pid, Signal::CONT).unwrap();
    session.wait_for("devloop stood still for");
    keyboard.line("r web");
    wait::lines(&project.path("lives"), 2);
    keyboard.ctrl('c');
    session.wait_for("received ctrl-c, shutting down");
    assert!(session.wait().success(), "{}", session.told());
}

// promise: run.keys.2
#[test]
fn in_the_background_devloop_is_not_stopped_and_takes_nothing_that_is_typed_for_others() {
    let project = typing();
    let devloop = project.command(&["run"]).get_program().to_str().unwrap().to_owned();
    let mut shell = project.command(&[]);
    let script =
        format!("set -m; {devloop} run & read line; echo the shell heard $line; fg >fg.out; echo it ended with $?");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).current_dir(project.root());
    for (name, value) in shell.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    shell.stdin(std::process::Stdio::null());
    let (mut keyboard, mut session) = on_terminal(&mut command);
    keyboard.line("r web");
    session.wait_for("the shell heard r web");
    wait::until("the job is in the foreground", || project.path("fg.out").metadata().ok().filter(|it| it.len() > 0));
    keyboard.line("r web");
    wait::lines(&project.path("lives"), 2);
    keyboard.line("q");
    session.wait_for("it ended with 0");
    session.wait();
    assert_eq!(wait::lines(&project.path("lives"), 2).len(), 2, "{}", session.told());
}

// promise: run.keys.3
#[test]
fn where_a_stream_is_no_terminal_nothing_that_is_typed_is_heard() {
    let project = typing();
    let mut command = project.command(&["run"]);
    let mut keyboard = Keyboard::of(&mut command);
    let mut session = Session::start(command);
    session.wait_for_stdout("web is up");
    keyboard.line("q");
    project.file("src/a", "");
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    keyboard.ctrl('c');
    session.wait_for("received ctrl-c, shutting down");
    assert!(session.wait().success(), "{}", session.told());
    assert_eq!((session.count("asked to quit"), session.count("lists keys")), (0, 0), "{}", session.told());
}
