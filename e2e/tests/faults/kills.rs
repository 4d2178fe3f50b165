//! devloop, its guardian, or all of them are killed.

use crate::{Chance, children, gone_after, guardian, project, status, trees};
use e2e::faults::{figures, rounds};
use e2e::{Session, stray, wait};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A tree that a round draws, one that falls and is started again, a hook, an event server.
fn config(command: &str, token: &str, startup: &str) -> String {
    format!(
        r#"
startup_workflows = [{startup}]
[event_server]
bind = "127.0.0.1:0"
[event.note]
state_key = "note"
workflow = "again"
pattern = "^[a-z]*$"
[watch.again]
paths = ["go"]
[process.tree]
command = {command}
stop_timeout_ms = 50
[process.unsteady]
command = ["sh", "-c", "setsid sleep {token} & exit 1"]
stop_timeout_ms = 50
restart = "always"
restart_delay_ms = 5
restart_delay_max_ms = 20
[hook.tool]
command = ["sh", "-c", "sleep {token} & sleep {token}"]
[workflow.startup]
steps = [{{ action = "run_hook", hook = "tool" }}]
[workflow.again]
steps = [{{ action = "restart_process", process = "tree" }}]
"#
    )
}

/// Runs a session up to a random moment of its startup, a restart, a hook, or its end.
fn at_a_random_moment(project: &e2e::Project, moment: u64, chance: &mut Chance) -> Session {
    let session = project.run();
    match moment {
        0 => chance.pause(200_000),
        1 => {
            session.wait_for("started process tree");
            project.file("go", "");
            chance.pause(100_000);
        }
        2 => {
            session.wait_for("running workflow startup");
            chance.pause(30_000);
        }
        _ => {
            session.wait_for("started process tree");
            session.signal(Signal::TERM);
            chance.pause(60_000);
        }
    }
    session
}

// promise: session.death.1
#[test]
fn p1_a_devloop_that_is_killed_at_a_random_moment_leaves_nothing() {
    let mut chance = Chance::of("P1");
    let mut times = Vec::new();
    let mut sum = 0;
    for round in 0..rounds(16, 200) {
        let (command, token) = trees::command(round);
        let moment = chance.below(4);
        let startup = if moment == 2 { "\"startup\"" } else { "" };
        let project = project(&config(&command, &token, startup));
        trees::write_forker(&project);
        let mut session = at_a_random_moment(&project, moment, &mut chance);
        // It may have ended by itself where the moment is its end.
        let _ = stray::signal(session.pid(), Signal::KILL);
        times.push(gone_after(&project.root(), &token));
        session.wait();
        sum += 1;
    }
    eprintln!("P1: nothing was left {sum} times; gone after: {}", figures(&mut times));
}

/// devloop and all that are named after it: guardian and keepers.
fn all_of_devloop(devloop: u32) -> Vec<u32> {
    let guardian = guardian(devloop);
    [vec![devloop, guardian], children(guardian)].concat()
}

// promise: session.death.2
#[test]
fn p6_when_everything_of_devloop_is_killed_direct_children_die_and_the_next_session_sweeps_the_rest() {
    let mut times = Vec::new();
    for round in 0..rounds(6, 100) {
        let (command, token) = trees::command(round);
        let project = project(&config(&command, &token, ""));
        trees::write_forker(&project);
        let mut devloop = project.command(&["run"]);
        devloop.process_group(0);
        let mut session = Session::start(devloop);
        let line = session.wait_for("started process tree (pid ");
        let child: u32 = line.split("(pid ").nth(1).unwrap().trim_end_matches(')').parse().unwrap();
        // What has neither its session nor its environment any more cannot be told from a stranger once nobody is above it.
        let is_traceless = trees::TREES[round % trees::TREES.len()].0 == "env -i";
        if round % 2 == 0 && !is_traceless {
            // As `pkill -9 devloop` does, one after the other.
            for pid in all_of_devloop(session.pid()) {
                let _ = stray::signal(pid, Signal::KILL);
            }
        } else {
            let group = Pid::from_raw(session.pid().cast_signed()).unwrap();
            kill_process_group(group, Signal::KILL).unwrap();
        }
        let began = std::time::Instant::now();
        wait::gone(child);
        times.push(began.elapsed());
        session.wait();
        let mut next = project.run();
        next.wait_for("started process tree");
        assert!(next.stop().success(), "{}", next.told());
        gone_after(&project.root(), &token);
    }
    eprintln!("P6: the direct child died after: {}", figures(&mut times));
}

// promise: session.exit.1
#[test]
fn p7_a_devloop_that_loses_its_guardian_stops_everything_and_exits_with_1() {
    let mut times = Vec::new();
    for round in 0..rounds(7, 50) {
        let (command, token) = trees::command(round);
        let project = project(&config(&command, &token, ""));
        trees::write_forker(&project);
        let mut session = project.run();
        session.wait_for("started process tree");
        let began = std::time::Instant::now();
        stray::signal(guardian(session.pid()), Signal::KILL).unwrap();
        assert_eq!(session.wait().code(), Some(1), "{}", session.told());
        session.wait_for("the guardian, which keeps all children, is gone");
        gone_after(&project.root(), &token);
        times.push(began.elapsed());
    }
    eprintln!("P7: all was gone after: {}", figures(&mut times));
}

/// What the end asked for by a signal leaves behind, and who heard what.
fn ends_well(signal: Signal, round: usize) -> Duration {
    let (command, token) = trees::command(round);
    let graceful =
        "[process.graceful]\ncommand = [\"PUPPET\", \"on-term\", \"heard\", \"asked\", \"print\", \"up\", \"hang\"]\n";
    let project = project(&format!("{}{graceful}", config(&command, &token, "")));
    trees::write_forker(&project);
    let mut session = project.run();
    session.wait_for_stdout("up");
    session.wait_for("started process tree");
    let began = std::time::Instant::now();
    session.signal(signal);
    assert!(session.wait().success(), "{}", session.told());
    let took = began.elapsed();
    assert_eq!(wait::lines(&project.path("heard"), 1), ["asked"]);
    gone_after(&project.root(), &token);
    took
}

// promise: session.stop.1
#[test]
fn p2_each_signal_asks_every_process_once_and_leaves_nothing() {
    let mut times = Vec::new();
    for round in 0..rounds(3, 50) {
        for (number, signal) in [Signal::TERM, Signal::HUP, Signal::INT].into_iter().enumerate() {
            times.push(ends_well(signal, 3 * round + number));
        }
    }
    eprintln!("P2: exit after: {}", figures(&mut times));
}

// promise: session.stop.2
#[test]
fn p3_a_second_ctrl_c_kills_every_kind_of_tree() {
    let mut times = Vec::new();
    for round in 0..rounds(7, 50) {
        let (command, token) = trees::command(round);
        let deaf = config(&command, &token, "").replace("stop_timeout_ms = 50", "stop_timeout_ms = 600000");
        let counting = "[process.counting]\ncommand = [\"PUPPET\", \"count-signals\", \"heard\", \"print\", \"up\", \"hang\"]\n\
                        stop_timeout_ms = 600000\n";
        let project = project(&format!("{deaf}{counting}"));
        trees::write_forker(&project);
        let mut session = project.run();
        session.wait_for_stdout("up");
        session.wait_for("started process tree");
        session.signal(Signal::INT);
        wait::lines(&project.path("heard"), 1);
        let began = std::time::Instant::now();
        session.signal(Signal::INT);
        assert!(session.wait().success(), "{}", session.told());
        times.push(began.elapsed());
        gone_after(&project.root(), &token);
    }
    eprintln!("P3: exit after the second: {}", figures(&mut times));
}

#[test]
fn p4_a_signal_in_the_first_milliseconds_ends_the_program_and_leaves_nothing() {
    let mut chance = Chance::of("P4");
    for round in 0..rounds(20, 200) {
        let (command, token) = trees::command(round);
        let project = project(&config(&command, &token, "\"startup\""));
        trees::write_forker(&project);
        let mut session = project.run();
        chance.pause(60_000);
        session.signal(Signal::INT);
        // Before devloop listens there are no children, and the signal itself ends it, which shells call 130.
        let status = session.wait();
        let is_interrupted = std::os::unix::process::ExitStatusExt::signal(&status) == Some(Signal::INT.as_raw());
        assert!(status.success() || is_interrupted, "{status}\n{}", session.told());
        gone_after(&project.root(), &token);
    }
}

/// Whether this machine has and allows what a test needs; the continuous run must.
fn works(command: &mut Command) -> bool {
    let works = command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    assert!(works || std::env::var_os("CI").is_none(), "the continuous run needs {command:?}");
    works
}

/// Makes installing a handler take 50 ms, and waits in between for the first one (SIGINT is the lowest bit but one of
/// `SigCgt`, proc(5)).
#[test]
fn p4_a_signal_that_comes_while_its_handler_is_installed_is_heard() {
    if !works(Command::new("strace").arg("-V")) {
        return;
    }
    let project = project("[process.web]\ncommand = [\"PUPPET\", \"hang\"]\n");
    let inner = project.command(&["run"]);
    let mut outer = Command::new("strace");
    outer.args(["-o", "trace", "-e", "trace=rt_sigaction", "-e", "inject=rt_sigaction:delay_exit=50000"]);
    outer
        .args(["sh", "-c", "echo $$ >devloop.pid; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args());
    outer.current_dir(project.root()).stdin(Stdio::null()).env_remove("RUST_LOG");
    let mut session = Session::start(outer);
    let pid = wait::pid(&project.path("devloop.pid"));
    wait::until("the handler of SIGINT is there", || {
        let caught = status(pid, "SigCgt")?;
        (u64::from_str_radix(&caught, 16).unwrap() & 2 != 0 && status(pid, "Name")?.starts_with("devloop"))
            .then_some(())
    });
    stray::signal(pid, Signal::INT).unwrap();
    assert!(session.wait().success(), "{}", session.told());
    session.wait_for("received ctrl-c");
}

/// Within a pid namespace of its own (`pid_namespaces(7)`): a bystander and what an earlier session left, both in a session
/// that is led from outside, which is number 0 for all of them; then a session of devloop until it watches.
const LED_FROM_OUTSIDE: &str = r#"
sleep 100 & bystander=$!
env DEVLOOP_STATE="$1" DEVLOOP_LIFE=4194305.web.1 sleep 20 & left=$!
until grep -q DEVLOOP_LIFE "/proc/$left/environ"; do :; done
shift
"$@" >said 2>&1 & session=$!
until grep -q 'watching ' said; do ! grep -q '^State:.*Z' "/proc/$session/status" || exit 1; done
wait "$left" || echo "left behind: $?"
kill -TERM "$session"
wait "$session" && echo 'ended well'
kill -0 "$bystander" && echo 'the bystander lives'
"#;

#[test]
fn what_is_left_behind_is_killed_alone_where_the_session_is_led_from_outside_the_pid_namespace() {
    if !works(Command::new("unshare").args(["-Urpf", "--kill-child", "--mount-proc", "true"])) {
        return;
    }
    let project = project("[process.web]\ncommand = [\"PUPPET\", \"hang\"]\n");
    let inner = project.command(&["run"]);
    let mut outer = Command::new("unshare");
    outer.args(["-Urpf", "--kill-child", "--mount-proc", "sh", "-c", LED_FROM_OUTSIDE, "sh"]).arg(project.state_file());
    outer.arg(inner.get_program()).args(inner.get_args()).current_dir(project.root()).env_remove("RUST_LOG");
    let output = outer.output().unwrap();
    let said = std::fs::read_to_string(project.path("said")).unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(seen, "left behind: 137\nended well\nthe bystander lives\n", "{said}");
}
