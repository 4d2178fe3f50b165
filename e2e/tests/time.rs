//! Clocks that jump, machines that sleep, sessions that have nothing to do: rows T1, T2 and T4.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::faults::rounds;
use e2e::{Project, Session, programs, wait};
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Moves the wall clock of whoever loads it by the seconds that a file holds; the monotonic clock stays as it is.
const SHIFTED: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
  char text[32] = {0};
  const char *path = getenv("SHIFTED_CLOCK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  return got > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
  return result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval *now, void *zone) {
  (void)zone;
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
"#;

/// Makes the library; a machine that can build Rust has a C compiler that links.
fn shim(folder: &Path) -> std::path::PathBuf {
    let (source, library) = (folder.join("shifted.c"), folder.join("shifted.so"));
    std::fs::write(&source, SHIFTED).unwrap();
    let made = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(made.unwrap().success());
    library
}

/// Everything that waits for a time: a probe, an observed hook, a restart, a sleep.
const TIMERS: &str = r#"
debounce_ms = 20
[watch.go]
paths = ["go"]
workflow = "go"
[process.web]
command = ["PUPPET", "append", "ROOT/starts", "", "serve", "ADDRESS", "ok", "hang"]
restart = "always"
readiness = { kind = "http", url = "http://ADDRESS/" }
liveness = { kind = "http", url = "http://ADDRESS/", interval_ms = 100 }
[hook.poll]
command = ["PUPPET", "append", "ROOT/polls", ""]
capture = "text"
state_key = "polled"
observe = { workflow = "unused", interval_ms = 200 }
[workflow.unused]
steps = []
[workflow.go]
steps = [{ action = "log", message = "it sleeps" }, { action = "sleep_ms", duration_ms = 1000 }, { action = "log", message = "it wakes" }]
"#;

fn timers() -> Project {
    let project = Project::new(programs!());
    let address = format!("127.0.0.1:{}", wait::free_port());
    project.config(&TIMERS.replace("ADDRESS", &address));
    project
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// Saves, and measures the workflow's sleep of one second.
fn sleep_of_a_second(project: &Project, session: &Session, number: usize) -> Duration {
    project.file("go", &number.to_string());
    session.wait_for_count("it sleeps", number);
    let began = Instant::now();
    session.wait_for_count("it wakes", number);
    began.elapsed()
}

#[test]
fn t1_a_wall_clock_that_jumps_has_no_effect() {
    let mut project = timers();
    let library = shim(&project.root());
    project.file("shift", "0");
    let shift = project.path("shift").to_str().unwrap().to_owned();
    project.variable("LD_PRELOAD", library.to_str().unwrap()).variable("SHIFTED_CLOCK", &shift);
    let mut session = project.run_watching();
    session.wait_for("process web is healthy");
    let mut days = std::collections::BTreeSet::new();
    for (number, seconds) in [(1, "0"), (2, "-3600"), (3, "86400"), (4, "-86400"), (5, "31536000")] {
        project.file("shift", seconds);
        let polls = lines(&project.path("polls"));
        let slept = sleep_of_a_second(&project, &session, number);
        println!("T1: clock at {seconds} s: a sleep of 1 s took {slept:.2?}");
        assert!(slept > Duration::from_millis(900) && slept < Duration::from_secs(6), "{seconds}: {slept:?}");
        let polled = lines(&project.path("polls")) - polls;
        assert!(
            (1..=slept.as_millis() / 200 + 2).contains(&(polled as u128)),
            "{seconds}: {polled} polls in {slept:?}"
        );
        let line = session.wait_for_count("it wakes", number);
        days.insert(line.split_once('T').unwrap().0.rsplit(' ').next().unwrap().to_owned());
    }
    // The clock was really moved: devloop's own lines show it.
    assert!(days.len() >= 4, "{days:?}");
    assert_eq!(lines(&project.path("starts")), 1, "the process was not restarted");
    assert!(session.stop().success());
}

#[test]
fn t2_a_session_that_was_asleep_polls_once_when_it_wakes() {
    let project = timers();
    let mut session = project.run_watching();
    session.wait_for("process web is healthy");
    wait::lines(&project.path("polls"), 2);
    session.signal(Signal::STOP);
    // Fifteen polls are missed, and more of the liveness.
    std::thread::sleep(Duration::from_secs(3));
    let before = lines(&project.path("polls"));
    let woken = Instant::now();
    session.signal(Signal::CONT);
    wait::lines(&project.path("polls"), before + 6);
    // At most one that was under way, one that was due, and then one after each interval.
    assert!(woken.elapsed() >= Duration::from_millis(4 * 200), "{:?}", woken.elapsed());
    assert_eq!(lines(&project.path("starts")), 1, "the process was not restarted");
    assert!(session.stop().success());
}

/// devloop and the small processes of its guardian: all that run its program below it.
fn own_pids(devloop: u32) -> Vec<u32> {
    let program = std::fs::read_link(format!("/proc/{devloop}/exe")).unwrap();
    let parent = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    };
    let is_below = |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|above| above == devloop);
    let pids =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let runs_it = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    pids.filter(|pid| runs_it(*pid) && is_below(*pid)).collect()
}

/// How often their threads went to sleep (proc(5), `voluntary_ctxt_switches`): each time, something had woken them.
fn wakeups(pids: &[u32]) -> u64 {
    let threads =
        pids.iter().flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let count = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?.trim().parse::<u64>().ok()
    };
    threads.filter_map(count).sum()
}

#[test]
fn t4_a_session_that_has_nothing_to_do_does_nothing() {
    let project = Project::new(programs!());
    let mut config =
        String::from("[watch.all]\npaths = [\"**/*.rs\"]\nworkflow = \"all\"\n[workflow.all]\nsteps = []\n");
    config.push_str("[event_server]\nbind = \"127.0.0.1:0\"\n[event.e]\nstate_key = \"e\"\nworkflow = \"all\"\n");
    for number in 0..10 {
        project.file(&format!("src/{number}/x.rs"), "");
        let process = "[process.pNUMBER]\ncommand = [\"PUPPET\", \"append\", \"up\", \"\", \"hang\"]\n";
        config.push_str(&process.replace("NUMBER", &number.to_string()));
    }
    project.config(&config);
    let mut session = project.run_watching();
    wait::lines(&project.path("up"), 10);
    let pids = own_pids(session.pid());
    assert!(pids.len() >= 2, "{pids:?}");
    let cpu = || pids.iter().map(|pid| wait::cpu(*pid)).sum::<Duration>();
    let span = Duration::from_secs(rounds(3, 60) as u64);
    // What the start still has to do is over once a second passes in which nothing happens.
    wait::until("it is at rest", || {
        let before = wakeups(&pids);
        std::thread::sleep(Duration::from_secs(1));
        (wakeups(&pids) <= before + 1).then_some(())
    });
    let (wakeups_before, cpu_before) = (wakeups(&pids), cpu());
    std::thread::sleep(span);
    let (woken, used) = (wakeups(&pids) - wakeups_before, cpu().saturating_sub(cpu_before));
    println!("T4: {} processes idle for {span:?}: {woken} wake-ups, {used:.2?} of CPU", pids.len());
    assert!(woken <= span.as_secs(), "{woken} wake-ups in {span:?}");
    assert!(used <= span / 1000, "{used:?} of CPU in {span:?}");
    assert!(session.stop().success());
}
