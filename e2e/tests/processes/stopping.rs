//! How processes end, and what ends with them.

use super::project;
use e2e::{Stray, stray, wait};
use rustix::process::Signal;

// promise: process.stop.1
#[test]
fn a_stop_sends_the_stop_signal_to_the_whole_group() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.plain]
command = ["sh", "-c", "PUPPET on-term heard child write-pid child.pid hang & PUPPET on-term heard other write-pid other.pid hang & wait"]
[process.special]
command = ["PUPPET", "on-signal", "10", "heard", "SIGUSR1", "on-term", "heard", "SIGTERM", "write-pid", "special.pid", "hang"]
stop_signal = "SIGUSR1"
[workflow.go]
steps = [
  { action = "stop_process", process = "plain" },
  { action = "stop_process", process = "special" },
  { action = "log", message = "both are stopped" },
]
"#,
    );
    let session = project.run_watching();
    let pids = ["child.pid", "other.pid", "special.pid"].map(|file| wait::pid(&project.path(file)));
    project.file("go", "");
    session.wait_for("both are stopped");
    assert!(pids.iter().all(|pid| !wait::is_alive(*pid)));
    session.wait_for("stopped process plain");
    session.wait_for("stopped process special");
    let mut heard = wait::lines(&project.path("heard"), 3);
    heard.sort();
    assert_eq!(heard, ["SIGUSR1", "child", "other"]);
    assert_eq!(session.count("is killed"), 0, "{}", session.told());
}

// promise: process.stop.1
#[test]
fn what_ignores_the_stop_signal_is_killed_after_the_grace_period() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.deaf]
command = ["PUPPET", "ignore-term", "write-pid", "deaf.pid", "hang"]
stop_timeout_ms = 60
[workflow.go]
steps = [{ action = "stop_process", process = "deaf" }, { action = "log", message = "it is stopped" }]
"#,
    );
    let session = project.run_watching();
    let pid = wait::pid(&project.path("deaf.pid"));
    project.file("go", "");
    session.wait_for("process deaf did not end within 60 ms and is killed");
    session.wait_for("it is stopped");
    assert!(!wait::is_alive(pid));
}

// promise: process.stop.1
#[test]
fn p10_a_process_that_was_put_to_sleep_is_woken_to_end_well() {
    let project = project(
        r#"
[process.asleep]
command = ["PUPPET", "on-term", "heard", "ended well", "write-pid", "asleep.pid", "hang"]
"#,
    );
    let mut session = project.run();
    session.wait_for("started process asleep");
    stray::signal(wait::pid(&project.path("asleep.pid")), Signal::STOP).unwrap();
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("heard"), 1), ["ended well"]);
    assert_eq!(session.count("is killed"), 0, "{}", session.told());
}

// promise: process.stop.2
#[test]
fn a_restart_waits_until_the_whole_tree_is_gone() {
    // Each life looks for what is left of the lives before it. Nothing may be, whatever it did to hide.
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.tree]
command = ["sh", "-c", '''
for pid in $(cat *.pid 2>/dev/null); do if [ -e "/proc/$$pid" ]; then echo "$$pid" >> left; fi; done
rm -f *.pid
exec PUPPET group-child child.pid group-of-its-own group.pid daemon daemon.pid double-fork forked.pid ignore-term write-pid own.pid append lives life hang
''']
stop_timeout_ms = 50
[workflow.go]
steps = [{ action = "restart_process", process = "tree" }]
"#,
    );
    let mut session = project.run_watching();
    for life in 1..=4 {
        wait::lines(&project.path("lives"), life);
        project.file("go", &life.to_string());
        session.wait_for_count("started process tree", life + 1);
    }
    wait::lines(&project.path("lives"), 5);
    assert!(session.stop().success());
    assert_eq!(std::fs::read_to_string(project.path("left")).unwrap_or_default(), "");
    wait::nothing_left(&project.root());
}

// promise: process.stop.3
#[test]
fn a_contained_group_leaves_sessions_of_their_own_alone() {
    let project = project(
        r#"
[process.launcher]
command = ["PUPPET", "daemon", "daemon.pid", "group-child", "child.pid", "write-pid", "own.pid", "hang"]
contain = "group"
stop_timeout_ms = 50
"#,
    );
    let mut session = project.run();
    let daemon = Stray::in_file(&project.path("daemon.pid"));
    let others = ["child.pid", "own.pid"].map(|file| wait::pid(&project.path(file)));
    session.wait_for("started process launcher");
    assert!(session.stop().success());
    assert!(others.iter().all(|pid| !wait::is_alive(*pid)));
    assert!(daemon.is_alive());
}

// promise: process.stop.4
#[test]
fn a_process_is_stopped_before_what_it_depends_on() {
    let project = project(
        r#"
[process.app]
command = ["PUPPET", "on-term", "heard", "app", "hang"]
depends_on = ["middle"]
[process.base]
command = ["PUPPET", "on-term", "heard", "base", "print", "up", "hang"]
readiness = { kind = "output", pattern = "up" }
[process.middle]
command = ["PUPPET", "on-term", "heard", "middle", "print", "up", "hang"]
depends_on = ["base"]
readiness = { kind = "output", pattern = "up" }
"#,
    );
    let mut session = project.run();
    // A puppet that has not come to its first order yet would end without a word.
    let state = |name: &str| session.wait_for(&format!("started process {name} (pid "));
    let pid = |line: String| line.rsplit("(pid ").next().unwrap().trim_end_matches(')').parse::<u32>().unwrap();
    let app = pid(state("app"));
    wait::until("the app can hear SIGTERM", || is_blocking_term(app).then_some(()));
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("heard"), 3), ["app", "middle", "base"]);
}

/// Whether SIGTERM is blocked in the main thread, as puppets do that wait for it in another.
fn is_blocking_term(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() & (1 << 14) != 0
}

// promise: process.stop.4
#[test]
fn processes_that_do_not_need_each_other_stop_at_the_same_time() {
    // Each ends only when the other has been asked to end, too.
    let project = project(
        r#"
[process.a]
command = ["PUPPET", "meet-on-term", "a.asked", "b.asked", "print", "a is up", "hang"]
stop_timeout_ms = 20000
[process.b]
command = ["PUPPET", "meet-on-term", "b.asked", "a.asked", "print", "b is up", "hang"]
stop_timeout_ms = 20000
"#,
    );
    let mut session = project.run();
    session.wait_for_stdout("a is up");
    session.wait_for_stdout("b is up");
    assert!(session.stop().success());
    assert!(project.path("a.asked").exists() && project.path("b.asked").exists());
    assert_eq!(session.count("is killed"), 0, "{}", session.told());
}

// promise: process.exit.1
#[test]
fn what_a_command_leaves_in_its_group_is_killed_and_sessions_live_until_it_is_stopped() {
    let project = project(
        r#"
[process.launcher]
command = ["PUPPET", "group-child", "child.pid", "daemon", "daemon.pid", "exit", "3"]
stop_timeout_ms = 100
"#,
    );
    let mut session = project.run();
    session.wait_for("process launcher exited with exit status 3");
    wait::gone(wait::pid(&project.path("child.pid")));
    let daemon = Stray::in_file(&project.path("daemon.pid"));
    assert!(daemon.is_alive());
    assert!(session.stop().success());
    assert!(!daemon.is_alive());
}

// promise: process.stop.1
#[test]
fn who_comes_to_the_keeper_while_its_parent_ends_is_asked_to_stop_as_well() {
    for _ in 0..12 {
        // Whoever is not asked would keep the session for longer than the test waits.
        let project = project(
            r#"
[process.families]
command = ["sh", "-c", """
setsid sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & exec sleep 1000' &) ; echo up ; exec sleep 1000
"""]
stop_timeout_ms = 300000
"#,
        );
        let mut session = project.run();
        session.wait_for_stdout("up");
        let processes = || wait::left_of(&project.root()).iter().filter(|left| left.ends_with("sleep 1000 ")).count();
        wait::until("all sleep", || (processes() == 5).then_some(()));
        assert!(session.stop().success());
    }
}

// promise: process.stop.2
#[test]
fn a_session_of_its_own_that_a_dead_command_left_is_gone_before_the_next_life() {
    let project = project(
        r#"
[process.launcher]
command = ["sh", "-c", '''
if [ -e daemon.pid ]; then if [ -e "/proc/$(cat daemon.pid)" ]; then echo left > left; fi; rm daemon.pid; echo > second; exec sleep 1000; fi
exec PUPPET daemon daemon.pid exit 3
''']
restart = "on_failure"
restart_delay_ms = 1
stop_timeout_ms = 100
"#,
    );
    let _session = project.run();
    wait::lines(&project.path("second"), 1);
    assert!(!project.path("left").exists());
}
