//! What happens to processes when the machine or somebody on it is unkind.

use super::{parent, project};
use e2e::{Project, Session, stray, wait};
use rustix::process::Signal;
use std::process::{Command, Stdio};

#[test]
fn p15_a_system_that_has_no_descriptors_left_fails_a_start_and_never_the_session() {
    let child = |number: usize| {
        format!(
            "[process.p{number:02}]\ncommand = [\"PUPPET\", \"append\", \"up\", \"p{number:02}\", \"hang\"]\n\
             restart = \"on_failure\"\nrestart_delay_ms = 50\nrestart_delay_max_ms = 100\n"
        )
    };
    let project = project(&(0..40).map(child).collect::<String>());
    let devloop = project.command(&["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" run"]).arg(devloop.get_program());
    command.current_dir(project.root()).stdin(Stdio::null());
    let mut session = Session::start(command);
    let line = session.wait_for("guardian failed to start process 'p");
    assert!(line.contains("Too many open files"), "{line}");
    // It is tried again, and the others go on.
    session.wait_for_count("guardian failed to start process 'p39'", 2);
    assert!(!wait::lines(&project.path("up"), 3).is_empty());
    assert!(session.stop().success(), "{}", session.told());
    wait::nothing_left(&project.root());
}

#[test]
fn p19_a_session_that_was_put_to_sleep_has_lost_no_exit_when_it_wakes() {
    let project = project(
        r#"
[process.brief]
command = ["PUPPET", "append-pid", "pids", "hang"]
restart = "always"
restart_delay_ms = 1
[process.steady]
command = ["PUPPET", "append", "steady", "life", "hang"]
restart = "always"
readiness = { kind = "exec", command = ["true"] }
liveness = { kind = "exec", command = ["true"], interval_ms = 5, timeout_ms = 10000 }
"#,
    );
    let mut session = project.run();
    session.wait_for("process steady is ready");
    let first = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    session.signal(Signal::STOP);
    stray::signal(first, Signal::KILL).unwrap();
    wait::gone(first);
    session.signal(Signal::CONT);
    session.wait_for("process brief exited with signal 9 (SIGKILL)");
    session.wait_for_count("started process brief", 2);
    wait::lines(&project.path("pids"), 2);
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("steady"), 1).len(), 1);
}

#[test]
fn a_process_whose_keeper_is_killed_counts_as_dead_and_is_started_again() {
    let project = project(
        r#"
[process.kept]
command = ["PUPPET", "group-child", "child.pid", "daemon", "daemon.pid", "append-pid", "pids", "hang"]
restart = "on_failure"
restart_delay_ms = 1
"#,
    );
    let session = project.run();
    session.wait_for("started process kept");
    let first: u32 = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    let daemon = wait::pid(&project.path("daemon.pid"));
    stray::signal(parent(first), Signal::KILL).unwrap();
    session.wait_for("process kept exited with");
    session.wait_for_count("started process kept", 2);
    wait::lines(&project.path("pids"), 2);
    wait::gone(first);
    wait::gone(daemon);
}

/// A project whose process `tree` leaves a daemon behind.
fn with_a_daemon() -> Project {
    project("[process.tree]\ncommand = [\"PUPPET\", \"daemon\", \"daemon.pid\", \"append-pid\", \"pids\", \"hang\"]\n")
}

/// Its child, the daemon, and who keeps them: keeper and guardian.
fn members(project: &Project) -> [u32; 4] {
    let child = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    let keeper = parent(child);
    [child, wait::pid(&project.path("daemon.pid")), keeper, parent(keeper)]
}

#[test]
fn a_guardian_and_a_keeper_that_somebody_stops_still_hear_the_end_of_devloop() {
    let project = with_a_daemon();
    let mut session = project.run();
    let [child, daemon, keeper, guardian] = members(&project);
    stray::signal(keeper, Signal::STOP).unwrap();
    stray::signal(guardian, Signal::STOP).unwrap();
    // Devloop is given the time to see it: a change that is answered comes after.
    stray::signal(child, Signal::KILL).unwrap();
    session.wait_for("process tree exited with");
    stray::signal(session.pid(), Signal::KILL).unwrap();
    [child, daemon, keeper, guardian].into_iter().for_each(wait::gone);
    assert!(!session.wait().success());
    wait::nothing_left(&project.root());
}

#[test]
fn a_guardian_and_a_keeper_that_are_stopped_when_devloop_is_killed_are_woken_by_its_end() {
    let project = with_a_daemon();
    let mut session = project.run();
    let [child, daemon, keeper, guardian] = members(&project);
    // In this order nobody is left to wake the next.
    for pid in [session.pid(), guardian, keeper] {
        stray::signal(pid, Signal::STOP).unwrap();
        wait::until("it is stopped", || wait::is_stopped(pid).then_some(()));
    }
    stray::signal(session.pid(), Signal::KILL).unwrap();
    [child, daemon, keeper, guardian].into_iter().for_each(wait::gone);
    assert!(!session.wait().success());
    wait::nothing_left(&project.root());
}

#[test]
fn p6_what_survives_devloop_and_all_its_keepers_is_swept_by_the_next_session() {
    let project = project(
        r#"
[process.tree]
command = ["sh", "-c", "env -i PUPPET write-pid traceless.pid hang & exec PUPPET group-child child.pid daemon daemon.pid double-fork forked.pid append-pid pids hang"]
"#,
    );
    let mut session = project.run();
    let child: u32 = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    let keeper = parent(child);
    let guardian = parent(keeper);
    assert_eq!(parent(guardian), session.pid());
    let daemons = ["daemon.pid", "forked.pid", "child.pid", "traceless.pid"].map(|file| wait::pid(&project.path(file)));
    // Nobody of them may see the other's end before its own.
    for pid in [session.pid(), guardian, keeper] {
        stray::signal(pid, Signal::STOP).unwrap();
    }
    for pid in [session.pid(), guardian, keeper] {
        stray::signal(pid, Signal::KILL).unwrap();
    }
    [guardian, keeper, child].into_iter().for_each(wait::gone);
    assert!(!session.wait().success());
    let mut next = project.run();
    next.wait_for("started process tree");
    for daemon in daemons {
        wait::gone(daemon);
    }
    assert!(next.stop().success());
    wait::nothing_left(&project.root());
}

#[test]
fn a_child_that_writes_without_a_pause_does_not_keep_others_from_being_heard() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.loud]
command = ["sh", "-c", "exec yes a line of a child that never stops"]
output = { inherit = false }
[process.other]
command = ["PUPPET", "append", "other", "life", "hang"]
[workflow.go]
steps = [{ action = "restart_process", process = "other" }, { action = "log", message = "restarted" }]
"#,
    );
    let mut session = project.run_watching();
    wait::lines(&project.path("other"), 1);
    session.wait_for("started process loud");
    for round in 1..=5 {
        project.file("go", &round.to_string());
        session.wait_for_count("restarted", round);
    }
    assert!(session.stop().success());
    wait::nothing_left(&project.root());
}
