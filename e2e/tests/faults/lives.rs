//! Lives that begin and end many times, or cannot begin.
#![expect(unsafe_code, reason = "limits and users are set by plain system calls before a program runs")]

use crate::{children, descriptors, guardian, memory_kib, project, status, ticks};
use e2e::faults::{figures, rounds};
use e2e::{Session, stray, wait};
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

// promise: process.stop.2
#[test]
fn p8_many_restarts_of_a_tree_leave_no_process_no_descriptor_and_no_memory_behind() {
    let project = project(
        r#"
debounce_ms = 0
[watch.go]
paths = ["go"]
[process.tree]
command = ["PUPPET", "group-child", "child.pid", "daemon", "daemon.pid", "append", "lives", "life", "hang"]
stop_timeout_ms = 5
[workflow.go]
steps = [{ action = "restart_process", process = "tree" }]
"#,
    );
    let session = project.run_watching();
    let begin = |life: usize| {
        for file in ["child.pid", "daemon.pid"] {
            let _ = std::fs::remove_file(project.path(file));
        }
        project.file("go", &life.to_string());
        wait::lines(&project.path("lives"), life + 1);
    };
    wait::lines(&project.path("lives"), 1);
    (1..10).for_each(begin);
    let count = || wait::left_of(&project.root()).len();
    let (fds, memory, processes) = (descriptors(session.pid()), memory_kib(session.pid()), count());
    let lives = rounds(30, 1000);
    (10..lives).for_each(begin);
    wait::until("the descriptors are as many as before", || (descriptors(session.pid()) <= fds + 2).then_some(()));
    wait::until("the processes are as many as before", || (count() <= processes).then_some(()));
    let grown = memory_kib(session.pid()).saturating_sub(memory);
    eprintln!(
        "P8: {lives} lives: processes {processes} and {}, descriptors {fds} and {}, memory {memory} KiB and {grown} more",
        count(),
        descriptors(session.pid())
    );
    assert!(grown < 5 * 1024, "devloop has grown by {grown} KiB");
}

/// Zombies below a process of devloop.
fn zombies(parent: u32) -> usize {
    let is_zombie = |pid: &u32| status(*pid, "State").is_some_and(|state| state.starts_with('Z'));
    children(parent).iter().filter(|pid| is_zombie(pid)).count()
}

#[test]
fn p9_orphans_of_short_lives_leave_no_zombie() {
    let count = rounds(300, 10_000);
    let project = project(&format!(
        r#"
[process.busy]
command = ["sh", "-c", "i=0; while [ $$i -lt {count} ]; do (true &) ; i=$(($$i+1)); done; echo done; exec sleep 1000"]
"#
    ));
    let session = project.run();
    let began = Instant::now();
    while !session.stdout_lines().iter().any(|line| line.contains("done")) {
        assert!(began.elapsed() < Duration::from_secs(300), "{}", session.told());
        std::thread::sleep(Duration::from_millis(5));
    }
    let guardian = guardian(session.pid());
    let all =
        || zombies(session.pid()) + zombies(guardian) + children(guardian).into_iter().map(zombies).sum::<usize>();
    let began = Instant::now();
    wait::until("no zombie is left", || (all() == 0).then_some(()));
    eprintln!("P9: {count} orphans, no zombie after {:.1?}", began.elapsed());
}

#[test]
fn p13_a_crash_loop_is_slowed_down_told_once_a_step_and_costs_nothing() {
    let seconds = u64::try_from(rounds(4, 60)).unwrap();
    let project = project("[process.unsteady]\ncommand = [\"PUPPET\", \"exit\", \"3\"]\nrestart = \"always\"\n");
    let mut session = project.run();
    session.wait_for("process unsteady exited with exit status 3");
    let (began, busy) = (Instant::now(), ticks(session.pid()));
    // A time is what this fault is counted in.
    std::thread::sleep(Duration::from_secs(seconds));
    let cpu = ticks(session.pid()) - busy;
    let (starts, ends) = (session.count("started process unsteady"), session.count("process unsteady exited with"));
    eprintln!("P13: {starts} starts and {cpu} ticks of 10 ms in {:.1?}", began.elapsed());
    // The waits double from 250 ms, less a tenth; the sum of n of them is at least 225 ms times 2^n - 1.
    let most = (0..64).take_while(|n| 225 * ((1_u128 << n) - 1) <= began.elapsed().as_millis()).count();
    assert!(starts <= most.min(12), "{starts} starts");
    assert!(starts >= 3 && starts.abs_diff(ends) <= 1, "{starts} starts, {ends} ends\n{}", session.told());
    assert!(session.stop().success());
}

#[test]
fn p14_a_program_that_is_rebuilt_again_and_again_fails_its_start_and_nothing_else() {
    let project = project(
        r#"
[process.other]
command = ["PUPPET", "append-pid", "other", "hang"]
restart = "always"
[process.tool]
command = ["bin/tool", "1000000"]
restart = "always"
restart_delay_ms = 5
restart_delay_max_ms = 20
"#,
    );
    let tool = project.path("bin/tool");
    let mut session = project.run();
    let turns = rounds(5, 100);
    for round in 1..=turns {
        // It vanished: told, and tried again.
        let fragment = "guardian failed to start process 'tool'";
        session.wait_for_count(fragment, session.count(fragment) + 1);
        // It is being written: the same.
        project.file("bin/tool.new", "");
        std::fs::copy("/bin/sleep", project.path("bin/tool.new")).unwrap();
        std::fs::set_permissions(project.path("bin/tool.new"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let writer = std::fs::OpenOptions::new().append(true).open(project.path("bin/tool.new")).unwrap();
        std::fs::rename(project.path("bin/tool.new"), &tool).unwrap();
        session.wait_for_count("Text file busy", session.count("Text file busy") + 1);
        drop(writer);
        let line = session.wait_for_count("started process tool", round);
        let pid: u32 = line.split("(pid ").nth(1).unwrap().trim_end_matches(')').parse().unwrap();
        std::fs::remove_file(&tool).unwrap();
        stray::signal(pid, Signal::KILL).unwrap();
    }
    assert_eq!(wait::lines(&project.path("other"), 1).len(), 1, "the other one was left alone");
    assert!(session.stop().success(), "{}", session.told());
    eprintln!("P14: {turns} rounds, no end of the session");
}

/// A user that runs nothing else, for whoever may change to it.
const NOBODY_ELSE: u32 = 61_234;

/// Tasks of a user: what `RLIMIT_NPROC` counts (setrlimit(2)).
fn tasks_of(user: u32) -> u64 {
    let is_of =
        |pid: &u32| status(*pid, "Uid").is_some_and(|ids| ids.split_whitespace().next() == Some(&user.to_string()));
    let pids =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_of).filter_map(|pid| status(pid, "Threads")?.parse::<u64>().ok()).sum()
}

#[test]
fn p15_a_user_who_may_have_no_more_processes_loses_starts_and_never_the_session() {
    let child = |number: usize| {
        format!(
            "[process.p{number:02}]\ncommand = [\"sleep\", \"1000\"]\n\
             restart = \"on_failure\"\nrestart_delay_ms = 50\nrestart_delay_max_ms = 100\n"
        )
    };
    let project = project(&(0..40).map(child).collect::<String>());
    let is_root = rustix::process::getuid().is_root();
    let user = if is_root { NOBODY_ELSE } else { rustix::process::getuid().as_raw() };
    let limit = tasks_of(user) + 40;
    let mut command = project.command(&["run"]);
    if is_root {
        // That user must reach the program, and write into the project.
        std::fs::copy(command.get_program(), project.path("devloop-here")).unwrap();
        for (path, mode) in [(project.root(), 0o777), (project.path("devloop-here"), 0o755)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        command = std::process::Command::new(project.path("devloop-here"));
        command.arg("run").current_dir(project.root()).stdin(std::process::Stdio::null()).env_remove("RUST_LOG");
    }
    // SAFETY: system calls with integers and a pointer to a live local, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
            if libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) != 0 || is_root && libc::setuid(user) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut session = Session::start(command);
    let line = session.wait_for("guardian failed to start process 'p");
    assert!(line.contains("Resource temporarily unavailable"), "{line}");
    // It is tried again, and what runs goes on.
    session.wait_for_count("guardian failed to start process 'p", 80);
    assert!(session.count("started process") > 0, "{}", session.told());
    assert!(session.stop().success(), "{}", session.told());
    wait::nothing_left(&project.root());
}

// promise: process.ready.2
#[test]
fn p16_an_exit_ends_a_wait_at_once() {
    let mut times = Vec::new();
    for _ in 0..rounds(3, 50) {
        let project = project(
            r#"
startup_workflows = ["wait"]
[process.web]
command = ["PUPPET", "write-pid", "web.pid", "hang"]
readiness = { kind = "output", pattern = "never printed", timeout_ms = 600000 }
[workflow.wait]
steps = [{ action = "log", message = "it waits" }, { action = "wait_for_process", process = "web" }]
"#,
        );
        let session = project.run();
        let pid = wait::pid(&project.path("web.pid"));
        session.wait_for("it waits");
        session.wait_for("started process web");
        let began = Instant::now();
        stray::signal(pid, Signal::KILL).unwrap();
        let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
        times.push(began.elapsed());
        assert!(line.contains("process 'web' exited with signal 9 (SIGKILL)"), "{line}");
    }
    eprintln!("P16: the wait failed after: {}", figures(&mut times));
}

// promise: process.exit.1
#[test]
fn p20_a_pipe_that_somebody_holds_keeps_no_dead_process_from_its_next_life() {
    let mut times = Vec::new();
    for _ in 0..rounds(3, 20) {
        let project = project(
            r#"
[process.leaving]
command = ["PUPPET", "daemon", "daemon.pid", "append-pid", "pids", "print", "up", "hang"]
restart = "always"
restart_delay_ms = 1
stop_timeout_ms = 100
"#,
        );
        let mut session = project.run();
        let first = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
        let daemon = wait::pid(&project.path("daemon.pid"));
        session.wait_for_stdout("up");
        let began = Instant::now();
        stray::signal(first, Signal::KILL).unwrap();
        session.wait_for("process leaving exited with signal 9 (SIGKILL)");
        wait::lines(&project.path("pids"), 2);
        times.push(began.elapsed());
        assert!(!wait::is_alive(daemon), "the daemon of a life is gone before the next one");
        assert!(session.stop().success());
    }
    eprintln!("P20: the next life after: {}", figures(&mut times));
}
