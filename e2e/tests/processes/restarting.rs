//! Processes that end by themselves, and how they come back.

use super::{place, project};
use e2e::{stray, wait};
use rustix::process::Signal;
use std::time::{Duration, Instant};

// promise: process.restart.1
#[test]
fn a_process_that_ended_is_started_again_as_its_policy_says() {
    let project = project(
        r#"
[process.always]
command = ["PUPPET", "append", "always", "life"]
restart = "always"
restart_delay_ms = 10
[process.never]
command = ["PUPPET", "append", "never", "life", "exit", "1"]
[process.failed]
command = ["PUPPET", "append", "failed", "life", "exit", "1"]
restart = "on_failure"
restart_delay_ms = 10
[process.signalled]
command = ["PUPPET", "append", "signalled", "life", "kill-self", "9"]
restart = "on_failure"
restart_delay_ms = 10
[process.succeeded]
command = ["PUPPET", "append", "succeeded", "life"]
restart = "on_failure"
restart_delay_ms = 10
"#,
    );
    let session = project.run();
    for name in ["always", "failed", "signalled"] {
        wait::lines(&project.path(name), 3);
    }
    session.wait_for("process never exited with exit status 1");
    session.wait_for("process succeeded exited with exit status 0");
    session.wait_for("process signalled exited with signal 9 (SIGKILL)");
    for name in ["always", "failed", "signalled"] {
        let so_far = wait::lines(&project.path(name), 3).len();
        wait::lines(&project.path(name), so_far + 1);
    }
    assert_eq!(wait::lines(&project.path("never"), 1).len(), 1);
    assert_eq!(wait::lines(&project.path("succeeded"), 1).len(), 1);
}

// promise: process.restart.1
#[test]
fn the_delay_of_a_restart_doubles_up_to_its_maximum() {
    let project = project(
        r#"
[process.unsteady]
command = ["PUPPET", "exit", "3"]
restart = "on_failure"
restart_delay_ms = 20
restart_delay_max_ms = 160
"#,
    );
    let began = Instant::now();
    let session = project.run();
    session.wait_for_count("process unsteady exited with exit status 3", 7);
    // The first six delays, each up to a tenth shorter than told in the config.
    let least = Duration::from_millis(20 + 40 + 80 + 160 * 3) * 9 / 10;
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    let lines = session.stderr_lines();
    let delays: Vec<f64> = lines.iter().filter_map(|line| delay(line)).collect();
    for (delay, expected) in delays.iter().zip([20.0, 40.0, 80.0, 160.0, 160.0, 160.0]) {
        assert!((expected * 0.89..=expected * 1.11).contains(delay), "{delays:?}");
    }
}

/// Milliseconds until the next start, from the line of an exit.
fn delay(line: &str) -> Option<f64> {
    let (_, rest) = line.split_once("starting it again in ")?;
    let (number, unit) = rest.trim().split_once(' ')?;
    let number: f64 = number.parse().unwrap();
    Some(if unit == "s" { number * 1000.0 } else { number })
}

// promise: process.restart.2
#[test]
fn ten_seconds_of_health_bring_the_first_delay_back() {
    let project = project(
        r#"
[process.recovering]
command = ["sh", "-c", '''
life=$(cat life 2>/dev/null || echo 0)
echo $((life + 1)) > life
if [ "$$life" -eq 4 ]; then sleep 10.3; fi
exit 1
''']
restart = "always"
restart_delay_ms = 10
restart_delay_max_ms = 1000
"#,
    );
    let session = project.run();
    session.wait_for_count("process recovering exited with", 5);
    let delays: Vec<f64> = session.stderr_lines().iter().filter_map(|line| delay(line)).collect();
    assert!(delays[3] > 60.0, "{delays:?}");
    assert!(delays[4] < 12.0, "{delays:?}");
}

// promise: process.restart.3
#[test]
fn p13_a_crash_loop_is_never_given_up() {
    let project = project(
        r#"
[process.unsteady]
command = ["PUPPET", "exit", "3"]
restart = "always"
restart_delay_ms = 1
restart_delay_max_ms = 5
"#,
    );
    let mut session = project.run();
    session.wait_for_count("process unsteady exited with exit status 3", 60);
    assert!(session.stop().success());
}

#[test]
fn a_process_that_somebody_kills_is_noticed_and_started_again() {
    let project = project(
        r#"
[process.victim]
command = ["PUPPET", "append-pid", "pids", "hang"]
restart = "on_failure"
restart_delay_ms = 1
"#,
    );
    let session = project.run();
    session.wait_for("started process victim");
    let first = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    stray::signal(first, Signal::KILL).unwrap();
    session.wait_for("process victim exited with signal 9 (SIGKILL)");
    session.wait_for_count("started process victim", 2);
    wait::lines(&project.path("pids"), 2);
}

#[test]
fn a_stop_is_no_reason_to_start_again_and_ends_a_wait_for_the_next_start() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.eager]
command = ["PUPPET", "append", "eager", "life", "hang"]
restart = "always"
restart_delay_ms = 1
[process.waiting]
command = ["PUPPET", "append", "waiting", "life", "exit", "1"]
restart = "always"
restart_delay_ms = 60000
restart_delay_max_ms = 60000
[workflow.go]
steps = [
  { action = "stop_process", process = "eager" },
  { action = "stop_process", process = "waiting" },
  { action = "log", message = "both are stopped" },
]
"#,
    );
    let mut session = project.run_watching();
    wait::lines(&project.path("eager"), 1);
    session.wait_for("process waiting exited with exit status 1");
    project.file("go", "");
    session.wait_for("both are stopped");
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("eager"), 1).len(), 1);
    assert_eq!(wait::lines(&project.path("waiting"), 1).len(), 1);
}

#[test]
fn a_failed_wait_at_startup_does_not_switch_the_restart_policy_off() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[process.slow]
command = ["sh", "-c", "if [ -e once ]; then echo it is ready; exec sleep 1000; fi; touch once; exit 5"]
restart = "on_failure"
restart_delay_ms = 200
autostart = false
readiness = { kind = "output", pattern = "it is ready" }
[workflow.startup]
steps = [
  { action = "start_process", process = "slow" },
  { action = "wait_for_process", process = "slow" },
]
"#,
    );
    let session = project.run();
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    session.wait_for("process slow is ready");
    let lines = session.stderr_lines();
    assert!(place(&lines, "workflow failed") < place(&lines, "process slow is ready"), "{lines:#?}");
}
