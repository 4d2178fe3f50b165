//! The end of a session: asked for by a signal at any moment, or forced on it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod death;

use e2e::{Project, Session, wait};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(config);
    project
}

/// What devloop says when a signal asks for the end.
const ASKED: [(Signal, &str); 3] = [
    (Signal::INT, "received ctrl-c, shutting down"),
    (Signal::TERM, "received SIGTERM, shutting down"),
    (Signal::HUP, "received SIGHUP, shutting down"),
];

/// Runs a session up to a moment and sends a signal: the session must end well and leave nothing.
fn ends_by((signal, words): (Signal, &str), config: &str, moment: impl Fn(&Project, &Session)) {
    let project = project(config);
    let mut session = project.run();
    moment(&project, &session);
    session.signal(signal);
    assert!(session.wait().success(), "{words}\n{}", session.told());
    assert_eq!(session.count(words), 1, "{}", session.told());
    assert_eq!(session.count("not reached"), 0, "{}", session.told());
    assert_eq!(project.state()["root"], project.root().to_str().unwrap());
    wait::nothing_left(&project.root());
}

/// The same with each of the three signals.
fn ends_at(config: &str, moment: impl Fn(&Project, &Session) + Sync) {
    std::thread::scope(|scope| {
        for asked in ASKED {
            let moment = &moment;
            scope.spawn(move || ends_by(asked, config, moment));
        }
    });
}

// promise: session.stop.1, session.exit.1
#[test]
fn p2_a_signal_ends_a_session_at_rest_and_every_process_is_asked_to_end() {
    ends_at(
        "[process.web]\ncommand = [\"PUPPET\", \"on-term\", \"heard\", \"asked\", \"print\", \"up\", \"hang\"]\n",
        |_, session| {
            session.wait_for_stdout("up");
        },
    );
    let project = project(
        "[process.web]\ncommand = [\"PUPPET\", \"on-term\", \"heard\", \"asked\", \"print\", \"up\", \"hang\"]\n",
    );
    let mut session = project.run();
    session.wait_for_stdout("up");
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("heard"), 1), ["asked"]);
    session.wait_for("stopped process web");
    assert!(session.log().contains("received ctrl-c, shutting down"));
}

// promise: session.stop.1
#[test]
fn p4_a_signal_ends_a_startup_workflow_whose_hook_hangs() {
    ends_at(
        r#"
startup_workflows = ["startup", "second"]
[process.web]
command = ["PUPPET", "hang"]
[hook.stuck]
command = ["PUPPET", "group-child", "child.pid", "on-term", "heard", "asked", "write-pid", "stuck.pid", "hang"]
[workflow.startup]
steps = [{ action = "run_hook", hook = "stuck" }, { action = "log", message = "not reached" }]
[workflow.second]
steps = [{ action = "log", message = "not reached" }]
"#,
        |project, _| {
            wait::pid(&project.path("stuck.pid"));
        },
    );
}

// promise: session.stop.1
#[test]
fn p4_a_signal_ends_a_hook_that_ignores_signals() {
    ends_at(
        r#"
startup_workflows = ["startup"]
[hook.deaf]
command = ["PUPPET", "ignore-term", "write-pid", "deaf.pid", "hang"]
[workflow.startup]
steps = [{ action = "run_hook", hook = "deaf" }, { action = "log", message = "not reached" }]
"#,
        |project, _| {
            wait::pid(&project.path("deaf.pid"));
        },
    );
}

// promise: session.stop.1
#[test]
fn p4_a_signal_ends_a_sleep() {
    ends_at(
        r#"
startup_workflows = ["startup"]
[workflow.startup]
steps = [
  { action = "log", message = "it sleeps" },
  { action = "sleep_ms", duration_ms = 600000 },
  { action = "log", message = "not reached" },
]
"#,
        |_, session| {
            session.wait_for("it sleeps");
        },
    );
}

// promise: session.stop.1
#[test]
fn p4_a_signal_ends_probes_that_are_never_answered() {
    for asked in ASKED {
        let [web, dial] = [(); 2].map(|()| wait::free_port());
        let config = format!(
            r#"
startup_workflows = ["startup"]
[process.web]
command = ["PUPPET", "accept-and-say-nothing", "127.0.0.1:{web}"]
readiness = {{ kind = "http", url = "http://127.0.0.1:{web}/", timeout_ms = 600000, interval_ms = 600000 }}
[process.exec]
command = ["PUPPET", "hang"]
readiness = {{ kind = "exec", command = ["PUPPET", "ignore-term", "write-pid", "probe.pid", "hang"], timeout_ms = 600000, interval_ms = 600000 }}
[process.tcp]
command = ["PUPPET", "hang"]
readiness = {{ kind = "tcp", address = "127.0.0.1:{dial}", timeout_ms = 600000 }}
[workflow.startup]
steps = [{{ action = "wait_for_process", process = "web" }}, {{ action = "log", message = "not reached" }}]
"#
        );
        ends_by(asked, &config, |project, session| {
            wait::pid(&project.path("probe.pid"));
            session.wait_for("running workflow startup");
            wait::until("the probe has a connection", || has_connection(web).then_some(()));
        });
    }
}

/// Whether a connection to a local port is open (`/proc/net/tcp` in proc(5): state 01).
fn has_connection(port: u16) -> bool {
    let local = format!("0100007F:{port:04X}");
    std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&local.as_str()) && fields.get(3) == Some(&"01")
    })
}

// promise: session.stop.1
#[test]
fn p4_a_signal_ends_a_session_in_the_middle_of_a_stop() {
    ends_at(
        r#"
startup_workflows = ["startup"]
[process.slow]
command = ["PUPPET", "count-signals", "heard", "print", "up", "hang"]
stop_timeout_ms = 1500
readiness = { kind = "output", pattern = "up" }
[workflow.startup]
steps = [
  { action = "wait_for_process", process = "slow" },
  { action = "restart_process", process = "slow" },
  { action = "log", message = "not reached" },
]
"#,
        |project, _| {
            wait::lines(&project.path("heard"), 1);
        },
    );
}

// promise: session.stop.1
#[test]
fn p4_a_signal_ends_observed_hooks_and_waits_for_a_restart() {
    ends_at(
        r#"
[process.unsteady]
command = ["PUPPET", "exit", "1"]
restart = "always"
restart_delay_ms = 600000
restart_delay_max_ms = 600000
[hook.poll]
command = ["PUPPET", "write-pid", "poll.pid", "hang"]
observe = { workflow = "seen", interval_ms = 1 }
[workflow.seen]
steps = [{ action = "log", message = "not reached" }]
"#,
        |project, session| {
            wait::pid(&project.path("poll.pid"));
            session.wait_for("process unsteady exited with");
        },
    );
}

// promise: session.stop.1
#[test]
fn p4_a_signal_as_soon_as_the_log_is_there_ends_the_session_as_well() {
    for (signal, _) in ASKED {
        let project = project("[process.web]\ncommand = [\"PUPPET\", \"hang\"]\n");
        let mut session = project.run();
        session.wait_for("writing session log: ");
        session.signal(signal);
        assert!(session.wait().success(), "{}", session.told());
        wait::nothing_left(&project.root());
    }
}

// promise: session.stop.1
#[test]
fn nothing_new_starts_once_the_end_was_asked_for() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.eager]
command = ["PUPPET", "append", "lives", "life", "print", "eager is up", "hang"]
restart = "always"
restart_delay_ms = 1
[process.slow]
command = ["PUPPET", "meet-on-term", "asked", "finish", "print", "slow is up", "hang"]
stop_timeout_ms = 30000
[workflow.go]
steps = [{ action = "run_hook", hook = "go" }]
[hook.go]
command = ["PUPPET", "append", "gone", "a hook ran"]
"#,
    );
    let mut session = project.run_watching();
    session.wait_for_stdout("eager is up");
    session.wait_for_stdout("slow is up");
    session.signal(Signal::TERM);
    wait::until("the slow one was asked", || project.path("asked").exists().then_some(()));
    project.file("go", "1");
    session.wait_for("stopped process eager");
    project.file("go", "2").file("finish", "");
    assert!(session.wait().success(), "{}", session.told());
    assert!(!project.path("gone").exists());
    assert_eq!(session.count("running workflow go"), 0, "{}", session.told());
    assert_eq!(wait::lines(&project.path("lives"), 1).len(), 1);
}

// promise: session.stop.1
#[test]
fn what_a_session_wrote_into_its_state_is_there_when_it_ended() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[workflow.startup]
steps = [
  { action = "write_state", key = "answer", value = "42" },
  { action = "log", message = "written" },
  { action = "sleep_ms", duration_ms = 600000 },
]
"#,
    );
    let mut session = project.run();
    session.wait_for("written");
    assert!(session.stop().success());
    assert_eq!(project.state()["answer"], "42");
    assert_eq!(project.state()["last_workflow"], "startup");
}

// promise: session.stop.1
#[test]
fn ten_well_behaved_children_end_with_the_session() {
    let child = |number: usize| {
        format!(
            "[process.p{number}]\ncommand = [\"PUPPET\", \"on-term\", \"heard\", \"p{number}\", \"print\", \"p{number} is up\", \"hang\"]\n"
        )
    };
    let project = project(&(0..10).map(child).collect::<String>());
    let mut session = project.run();
    for number in 0..10 {
        session.wait_for_stdout(&format!("p{number} is up"));
    }
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("heard"), 10).len(), 10);
    assert_eq!(session.count("is killed"), 0, "{}", session.told());
}

// promise: session.stop.1
#[test]
fn p5_a_signal_to_the_whole_group_of_a_terminal_reaches_a_child_once() {
    let project = project(
        r#"
[process.counting]
command = ["PUPPET", "count-signals", "heard", "print", "up", "hang"]
stop_timeout_ms = 700
"#,
    );
    let mut command = project.command(&["run"]);
    command.process_group(0);
    let mut session = Session::start(command);
    session.wait_for_stdout("up");
    kill_process_group(Pid::from_raw(i32::try_from(session.pid()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert!(session.wait().success(), "{}", session.told());
    // SIGTERM, from us; not the SIGINT of the terminal.
    assert_eq!(wait::lines(&project.path("heard"), 1), ["15"]);
}

const DEAF: &str = r#"
startup_workflows = ["startup"]
[process.deaf]
command = ["PUPPET", "group-child", "child.pid", "daemon", "daemon.pid", "count-signals", "heard", "write-pid", "deaf.pid", "hang"]
stop_timeout_ms = 600000
[hook.deaf]
command = ["PUPPET", "count-signals", "hook.heard", "write-pid", "hook.pid", "hang"]
[workflow.startup]
steps = [{ action = "run_hook", hook = "deaf" }]
"#;

// promise: session.stop.2
#[test]
fn p3_a_second_signal_kills_what_is_left_at_once() {
    for (signal, _) in ASKED {
        let project = project(DEAF);
        let mut session = project.run();
        let pids = ["deaf.pid", "child.pid", "daemon.pid", "hook.pid"].map(|file| wait::pid(&project.path(file)));
        session.signal(signal);
        wait::lines(&project.path("heard"), 1);
        assert!(wait::is_alive(pids[0]));
        session.signal(signal);
        assert!(session.wait().success(), "{}", session.told());
        assert!(pids.iter().all(|pid| !wait::is_alive(*pid)), "{}", session.told());
        assert_eq!(project.state()["root"], project.root().to_str().unwrap());
        wait::nothing_left(&project.root());
    }
}

// promise: session.stop.3
#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[hook.go]
command = ["PUPPET", "kill-self", "1"]
[workflow.go]
steps = [{ action = "run_hook", hook = "go" }]
"#,
    );
    let devloop = project.command(&["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" run"]).arg(devloop.get_program());
    command.current_dir(project.root()).stdin(Stdio::null());
    let mut session = Session::start(command);
    session.wait_for("watching ");
    session.signal(Signal::HUP);
    project.file("go", "");
    // Children do not inherit it: one that raises SIGHUP dies of it.
    session.wait_for("signal 1 (SIGHUP)");
    assert_eq!(session.count("shutting down"), 0, "{}", session.told());
    assert!(session.stop().success());
}

// promise: session.exit.1
#[test]
fn a_session_that_cannot_begin_exits_with_1_and_a_wrong_command_line_with_2() {
    let project = project("[process.web]\ncommand = [\"PUPPET\", \"hang\"]\n");
    project.file(".devloop/state.json", "[1]");
    let mut session = project.run();
    assert_eq!(session.wait().code(), Some(1));
    session.wait_for("failed to parse state file");
    assert_eq!(std::fs::read_to_string(project.state_file()).unwrap(), "[1]");
    let logs = std::fs::read_dir(project.path(".devloop/logs")).unwrap();
    let logs: Vec<String> = logs.map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap()).collect();
    assert!(logs.len() == 1 && logs[0].contains("devloop run failed"), "{logs:?}");
    project.config("no_such_key = 1\n");
    assert_eq!(project.call(&["run"]).status.code(), Some(1));
    for arguments in [&["no-such-command"][..], &["run", "--no-such-option"], &["run", "superfluous"]] {
        assert_eq!(project.call(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
