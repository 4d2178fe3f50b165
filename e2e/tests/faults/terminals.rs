//! What is typed: ctrl-c, ctrl-z, and what `fg` does.

use crate::project;
use e2e::faults::rounds;
use e2e::terminal::Keyboard;
use e2e::{Project, Session, stray, wait};
use rustix::process::Signal;
use std::time::Duration;

/// A session in the foreground of a terminal.
fn in_terminal(project: &Project) -> (Session, Keyboard) {
    let mut command = project.command(&["run"]);
    let keyboard = Keyboard::of(&mut command);
    (Session::start(command), keyboard)
}

// promise: session.stop.1
#[test]
fn p5_a_typed_ctrl_c_reaches_each_child_once() {
    for _ in 0..rounds(3, 100) {
        let project = project(
            r#"
[process.counting]
command = ["PUPPET", "count-signals", "heard", "print", "counting listens", "await-file", "enough"]
[process.other]
command = ["PUPPET", "count-signals", "heard.too", "print", "other listens", "await-file", "enough"]
stop_signal = "SIGINT"
"#,
        );
        let (mut session, mut keyboard) = in_terminal(&project);
        session.wait_for_stdout("counting listens");
        session.wait_for_stdout("other listens");
        keyboard.ctrl('c');
        wait::lines(&project.path("heard"), 1);
        wait::lines(&project.path("heard.too"), 1);
        project.file("enough", "");
        assert!(session.wait().success(), "{}", session.told());
        assert_eq!(wait::lines(&project.path("heard"), 1), ["15"]);
        assert_eq!(wait::lines(&project.path("heard.too"), 1), ["2"]);
    }
}

/// One that beats, with a probe that would be late; one that has left its group.
const BEATING: &str = r#"
[process.beat]
command = ["sh", "-c", "setsid sh -c 'echo $$$$ > apart.pid; while :; do echo a >> apart; sleep 0.02; done' & echo $$$$ > beat.pid; while :; do echo tick; echo b >> beats; sleep 0.02; done"]
restart = "always"
output = { inherit = false }
readiness = { kind = "output", pattern = "tick" }
liveness = { kind = "output", pattern = "tick", timeout_ms = 2000 }
[process.asked]
command = ["PUPPET", "write-pid", "asked.pid", "hang"]
restart = "always"
readiness = { kind = "exec", command = ["true"] }
liveness = { kind = "exec", command = ["true"], interval_ms = 20, timeout_ms = 2000 }
"#;

/// How long a session sleeps: longer than any of its time limits.
fn nap() -> Duration {
    Duration::from_millis(u64::try_from(rounds(2500, 60_000)).unwrap())
}

/// How many lines a file has.
fn count(project: &Project, file: &str) -> usize {
    std::fs::read_to_string(project.path(file)).unwrap_or_default().lines().count()
}

// promise: session.suspend.1
#[test]
fn p12_ctrl_z_pauses_children_and_fg_continues_them_and_nobody_is_restarted() {
    let project = project(BEATING);
    let (mut session, mut keyboard) = in_terminal(&project);
    session.wait_for("process beat is ready");
    session.wait_for("process asked is ready");
    let before = keyboard.settings();
    let pids = ["beat.pid", "apart.pid", "asked.pid"].map(|file| wait::pid(&project.path(file)));
    keyboard.ctrl('z');
    let devloop = session.pid();
    for pid in pids.into_iter().chain([devloop]) {
        wait::until("all are stopped", || wait::is_stopped(pid).then_some(()));
    }
    let beats = (count(&project, "beats"), count(&project, "apart"));
    std::thread::sleep(nap());
    assert_eq!((count(&project, "beats"), count(&project, "apart")), beats, "nobody beats while all are paused");
    // As `fg` does.
    stray::signal(devloop, Signal::CONT).unwrap();
    session.wait_for("devloop stood still for");
    wait::lines(&project.path("beats"), beats.0 + 20);
    wait::lines(&project.path("apart"), beats.1 + 20);
    assert!(pids.iter().all(|pid| wait::is_alive(*pid)), "{}", session.told());
    assert_eq!(session.count("is not well"), 0, "{}", session.told());
    assert_eq!(session.count("started process"), 2, "{}", session.told());
    assert_eq!(keyboard.settings(), before, "the terminal is as it was");
    keyboard.ctrl('c');
    assert!(session.wait().success(), "{}", session.told());
    wait::nothing_left(&project.root());
}

// promise: session.suspend.2
#[test]
fn p12_time_asleep_is_taken_from_no_grace_period() {
    let project = project(
        r#"
[process.slow]
command = ["PUPPET", "meet-on-term", "asked", "finish", "write-pid", "slow.pid", "print", "up", "hang"]
stop_timeout_ms = 2000
"#,
    );
    let (mut session, mut keyboard) = in_terminal(&project);
    session.wait_for_stdout("up");
    keyboard.ctrl('c');
    wait::until("the slow one was asked", || project.path("asked").exists().then_some(()));
    keyboard.ctrl('z');
    let slow = wait::pid(&project.path("slow.pid"));
    for pid in [session.pid(), slow] {
        wait::until("both are stopped", || wait::is_stopped(pid).then_some(()));
    }
    std::thread::sleep(nap());
    project.file("finish", "");
    stray::signal(session.pid(), Signal::CONT).unwrap();
    assert!(session.wait().success(), "{}", session.told());
    assert_eq!(session.count("is killed"), 0, "{}", session.told());
}

// promise: session.suspend.2
#[test]
fn p19_a_devloop_that_was_stopped_for_long_restarts_nobody_and_has_lost_no_exit() {
    let project = project(&format!(
        "{BEATING}[process.brief]\ncommand = [\"PUPPET\", \"append-pid\", \"pids\", \"hang\"]\nrestart = \"always\"\n\
         restart_delay_ms = 1\n"
    ));
    let mut session = project.run();
    session.wait_for("process beat is ready");
    session.wait_for("process asked is ready");
    let brief = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    let pids = ["beat.pid", "asked.pid"].map(|file| wait::pid(&project.path(file)));
    session.signal(Signal::STOP);
    wait::until("devloop is stopped", || wait::is_stopped(session.pid()).then_some(()));
    stray::signal(brief, Signal::KILL).unwrap();
    wait::gone(brief);
    std::thread::sleep(nap());
    session.signal(Signal::CONT);
    session.wait_for("process brief exited with signal 9 (SIGKILL)");
    wait::lines(&project.path("pids"), 2);
    let beats = count(&project, "beats");
    wait::lines(&project.path("beats"), beats + 20);
    assert!(pids.iter().all(|pid| wait::is_alive(*pid)), "{}", session.told());
    assert_eq!(session.count("is not well"), 0, "{}", session.told());
    assert_eq!(session.count("started process"), 4, "{}", session.told());
    assert!(session.stop().success());
}
