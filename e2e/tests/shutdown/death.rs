//! devloop or its guardian is killed.

use super::project;
use e2e::{Stray, stray, wait};
use rustix::process::Signal;
use std::time::{Duration, Instant};

// promise: session.death.1
#[test]
fn p1_when_devloop_is_killed_everything_below_its_processes_goes_whatever_it_did_to_hide() {
    let project = project(
        r#"
[process.daemons]
command = ["PUPPET", "daemon", "daemon.pid", "double-fork", "forked.pid", "write-pid", "daemons.pid", "hang"]
[process.deaf]
command = ["PUPPET", "ignore-term", "count-signals", "heard", "write-pid", "deaf.pid", "hang"]
[process.forking]
command = ["PUPPET", "fork-on", "forks"]
[process.group]
command = ["PUPPET", "group-child", "child.pid", "group-of-its-own", "own.pid", "write-pid", "group.pid", "hang"]
[process.left]
command = ["PUPPET", "daemon", "left.pid", "exit", "0"]
[process.plain]
command = ["PUPPET", "write-pid", "plain.pid", "hang"]
"#,
    );
    let mut session = project.run();
    let files = ["daemon", "forked", "daemons", "deaf", "child", "own", "group", "left", "plain"];
    let pids = files.map(|file| wait::pid(&project.path(&format!("{file}.pid"))));
    wait::lines(&project.path("forks"), 3);
    session.wait_for("process left exited with");
    let killed = Instant::now();
    session.signal(Signal::KILL);
    wait::nothing_left(&project.root());
    // A second is promised; a busy machine gets a few more.
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    for (file, pid) in files.iter().zip(pids) {
        assert!(!wait::is_alive(pid), "{file}");
    }
    assert!(!session.wait().success());
}

// promise: session.death.1
#[test]
fn when_devloop_is_killed_the_groups_of_its_hooks_go_and_their_daemons_live_on() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[hook.tool]
command = ["PUPPET", "group-child", "child.pid", "daemon", "daemon.pid", "ignore-term", "write-pid", "tool.pid", "hang"]
[hook.polled]
command = ["PUPPET", "group-child", "polled.pid", "hang"]
observe = { workflow = "startup", interval_ms = 1000 }
[workflow.startup]
steps = [{ action = "run_hook", hook = "tool" }]
"#,
    );
    let session = project.run();
    let gone = ["child.pid", "tool.pid", "polled.pid"].map(|file| wait::pid(&project.path(file)));
    let daemon = Stray::in_file(&project.path("daemon.pid"));
    session.signal(Signal::KILL);
    gone.into_iter().for_each(wait::gone);
    wait::until("only the daemon is left", || (wait::left_of(&project.root()).len() == 1).then_some(()));
    assert!(daemon.is_alive());
}

// promise: session.death.1
#[test]
fn when_devloop_dies_of_a_bug_nothing_is_left_either() {
    // What a failed allocation, a wrong instruction and a wrong calculation end in.
    for bug in [Signal::ABORT, Signal::ILL, Signal::FPE] {
        let project = project(
            "[process.tree]\ncommand = [\"PUPPET\", \"daemon\", \"daemon.pid\", \"ignore-term\", \"write-pid\", \"tree.pid\", \"hang\"]\n",
        );
        let mut session = project.run();
        let pids = ["daemon.pid", "tree.pid"].map(|file| wait::pid(&project.path(file)));
        session.signal(bug);
        wait::nothing_left(&project.root());
        assert!(pids.iter().all(|pid| !wait::is_alive(*pid)));
        assert!(!session.wait().success());
    }
}

// promise: session.death.1
#[test]
fn p1_a_session_that_is_killed_at_a_told_moment_leaves_nothing_and_the_next_one_starts() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[process.tree]
command = ["PUPPET", "daemon", "daemon.pid", "group-child", "child.pid", "hang"]
stop_timeout_ms = 100
[process.unsteady]
command = ["PUPPET", "daemon", "unsteady.pid", "exit", "1"]
stop_timeout_ms = 100
restart = "always"
restart_delay_ms = 1
[hook.tool]
command = ["PUPPET", "group-child", "tool.pid", "exit", "0"]
[workflow.startup]
steps = [{ action = "run_hook", hook = "tool" }, { action = "restart_process", process = "tree" }, { action = "log", message = "started" }]
"#,
    );
    for moment in
        ["writing session log", "started process tree", "running workflow startup", "stopped process tree", "started"]
    {
        let session = project.run();
        session.wait_for(moment);
        session.signal(Signal::KILL);
        wait::nothing_left(&project.root());
    }
    let mut session = project.run();
    session.wait_for("started process tree");
    assert!(session.stop().success(), "{}", session.told());
    wait::nothing_left(&project.root());
}

// promise: session.exit.1
#[test]
fn p7_a_session_whose_guardian_is_killed_stops_everything_and_exits_with_1() {
    let project = project(
        r#"
[process.web]
command = ["PUPPET", "daemon", "daemon.pid", "write-pid", "web.pid", "hang"]
stop_timeout_ms = 100
"#,
    );
    let mut session = project.run();
    session.wait_for("started process web");
    wait::pid(&project.path("web.pid"));
    let guardian = wait::until("the guardian is there", || child_of(session.pid()));
    stray::signal(guardian, Signal::KILL).unwrap();
    assert_eq!(session.wait().code(), Some(1), "{}", session.told());
    session.wait_for("guardian");
    wait::nothing_left(&project.root());
}

/// The only child of a process.
fn child_of(parent: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}
