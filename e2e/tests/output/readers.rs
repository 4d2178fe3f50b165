//! Readers that stall or go away.

use super::{behind, project};
use e2e::faults::{figures, rounds};
use e2e::web::Posting;
use e2e::{Session, wait};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TALKATIVE: &str = r#"
[watch.go]
paths = ["go"]
[process.web]
command = ["PUPPET", "print", "first", "await-file", "closed", "print", "port 1", "eprint", "port 2", "print", "port 3", "await-file", "more", "print", "port 4", "eprint", "port 5", "hang"]
output = { rules = [{ state_key = "port", pattern = "port ([0-9]+)" }] }
[process.other]
command = ["PUPPET", "write-pid", "other.pid", "hang"]
[workflow.go]
steps = [{ action = "run_hook", hook = "go" }]
[hook.go]
command = ["PUPPET", "print", "to stdout", "eprint", "to stderr", "append", "gone", "a hook ran"]
"#;

/// The text of the only session log of a project.
fn log(project: &e2e::Project) -> String {
    let folder = project.path(".devloop/logs");
    let log = wait::until("there is a session log", || std::fs::read_dir(&folder).ok()?.next());
    String::from_utf8_lossy(&std::fs::read(log.unwrap().path()).unwrap()).into_owned()
}

// promise: output.closed.1
#[test]
fn l5_a_closed_stdout_costs_one_warning_and_the_session_goes_on() {
    let project = project(TALKATIVE);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut session = Session::start_into(project.command(&["run"]), writer.into(), Stdio::piped());
    session.wait_for("watching ");
    drop(reader);
    project.file("closed", "");
    session.wait_for("[puppet web] port 2");
    project.file("go", "");
    wait::lines(&project.path("gone"), 1);
    project.file("more", "");
    session.wait_for("[puppet web] port 5");
    assert!(wait::is_alive(wait::pid(&project.path("other.pid"))));
    assert!(session.stop().success(), "{}", session.told());
    let log = session.log();
    assert_eq!(log.matches("cannot write to stdout").count(), 1, "{log}");
    for line in ["[puppet web] port 1", "[puppet web] port 3", "[puppet web] port 4", "[puppet go] to stdout"] {
        assert!(log.lines().any(|logged| logged == line), "{line}: {log}");
    }
}

// promise: output.closed.1
#[test]
fn l5_a_closed_stderr_costs_one_warning_and_the_session_goes_on() {
    let project = project(TALKATIVE);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut session = Session::start_into(project.command(&["run"]), Stdio::piped(), writer.into());
    session.wait_for_stdout("[puppet web] first");
    drop(reader);
    project.file("closed", "");
    session.wait_for_stdout("[puppet web] port 3");
    project.file("go", "");
    wait::lines(&project.path("gone"), 1);
    project.file("more", "");
    session.wait_for_stdout("[puppet web] port 4");
    assert!(session.stop().success(), "{}", session.told());
    let log = log(&project);
    assert_eq!(log.matches("cannot write to stderr").count(), 1, "{log}");
    assert!(log.contains("received ctrl-c, shutting down"), "{log}");
    wait::nothing_left(&project.root());
}

// promise: output.closed.1
#[test]
fn l5_streams_that_were_closed_before_the_start_change_nothing_else() {
    let project = project(TALKATIVE);
    let devloop = project.command(&["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" run >&- 2>&-"]).arg(devloop.get_program());
    command.current_dir(project.root()).stdin(Stdio::null());
    let mut session = Session::start(command);
    let pid = wait::pid(&project.path("other.pid"));
    project.file("closed", "").file("more", "");
    wait::file(&project.state_file(), |text| text.contains("\"port\": \"5\"") || text.contains("\"port\": \"4\""));
    project.file("go", "");
    wait::lines(&project.path("gone"), 1);
    assert!(session.stop().success());
    assert!(!wait::is_alive(pid));
    let log = log(&project);
    assert!(log.contains("[puppet go] to stdout") && log.contains("[puppet go] to stderr"), "{log}");
}

// promise: output.closed.1
#[test]
fn l5_full_devices_and_a_pipe_into_head_cost_warnings_and_the_session_goes_on() {
    for streams in [">/dev/full", ">/dev/full 2>/dev/full", "| head -n 1 >head", "2>&1 | head -n 1 >head"] {
        let project = project(TALKATIVE);
        let devloop = project.command(&["run"]);
        let mut command = Command::new("sh");
        let script =
            format!("(echo $$ >/dev/null; exec sh -c 'echo $$ >devloop.pid; exec \"$0\" run' \"$0\") {streams}");
        command.args(["-c", &script]).arg(devloop.get_program()).current_dir(project.root()).stdin(Stdio::null());
        let mut shell = Session::start(command);
        wait::pid(&project.path("other.pid"));
        project.file("closed", "").file("more", "");
        wait::file(&project.state_file(), |text| text.contains("\"port\": \"5\"") || text.contains("\"port\": \"4\""));
        project.file("go", "");
        wait::lines(&project.path("gone"), 1);
        let devloop = wait::pid(&project.path("devloop.pid"));
        e2e::stray::signal(devloop, rustix::process::Signal::INT).unwrap();
        wait::gone(devloop);
        shell.wait();
        let log = log(&project);
        let warnings = log.matches("cannot write to std").count();
        assert!((1..=2).contains(&warnings) || log.contains("stdout and stderr"), "{streams}: {log}");
        assert!(log.contains("[puppet go] to stdout") && log.contains("received ctrl-c, shutting down"), "{log}");
        wait::nothing_left(&project.root());
    }
}

const SPEWING: &str = r#"
[watch.go]
paths = ["go"]
[process.loud]
command = ["PUPPET", "write-pid", "loud.pid", "spew-slowly", "4000", "progress"]
[process.other]
command = ["PUPPET", "print", "other is up", "hang"]
output = { inherit = false }
[workflow.go]
steps = [
  { action = "run_hook", hook = "quiet" },
  { action = "restart_process", process = "other" },
  { action = "run_hook", hook = "quiet" },
]
[hook.quiet]
command = ["PUPPET", "append", "gone", "a hook ran"]
"#;

/// The number of the last line that the loud child could write, once it can write no more.
fn stalled(project: &e2e::Project) -> usize {
    let progress = || std::fs::read_to_string(project.path("progress")).ok()?.parse::<usize>().ok();
    let pid = wait::pid(&project.path("loud.pid"));
    // A thread that waits in `write` to a pipe sleeps there: proc(5), `wchan` and `syscall` need rights, `stat` does not.
    let mut seen = (None, 0);
    wait::until("the loud child waits", || {
        let now = progress();
        seen = if now.is_some() && now == seen.0 && is_asleep(pid) { (now, seen.1 + 1) } else { (now, 0) };
        // As often as a child that only waits for its turn never is.
        (seen.1 >= 150).then_some(now?)
    })
}

fn is_asleep(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().trim_start().starts_with('S')
}

/// An event whose hook leaves a line in `told`.
const ASKED: &str = r#"
[event.ask]
state_key = "ask"
workflow = "ask"
[workflow.ask]
steps = [{ action = "run_hook", hook = "ask" }]
[hook.ask]
command = ["PUPPET", "append", "ROOT/told", "asked"]
"#;

// promise: output.stall.1
#[test]
fn l4_a_stalled_reader_slows_its_writer_and_nothing_else_and_loses_nothing() {
    let stalled_for = Duration::from_secs(rounds(1, 30) as u64);
    let project = project(&format!("{SPEWING}{}{ASKED}", e2e::web::CONFIG));
    let (reader, writer) = std::io::pipe().unwrap();
    let session = Session::start_into(project.command(&["run"]), writer.into(), Stdio::piped());
    session.wait_for("watching ");
    let written = stalled(&project);
    // Everything else goes on.
    project.file("go", "");
    wait::lines(&project.path("gone"), 2);
    session.wait_for_count("started process other", 2);
    wait::pid(&project.path("client.pid"));
    let mut posting = Posting::of(session, project);
    let (began, mut asked, mut times) = (Instant::now(), 0, Vec::new());
    while asked == 0 || began.elapsed() < stalled_for {
        let posted = Instant::now();
        asked += 1;
        assert_eq!(posting.post("ask", &asked.to_string()).status, 204);
        wait::lines(&posting.project.path("told"), asked);
        times.push(posted.elapsed());
    }
    println!("L4: event to hook while stdout took nothing for {stalled_for:?}: {}", figures(&mut times));
    assert!(times.last().unwrap() < &Duration::from_secs(4), "{times:?}");
    // The reader comes back: nothing is missing.
    posting.session.hear_stdout(reader);
    posting.session.wait_for_stdout(&format!("{:08} ", written + 100));
    assert!(posting.session.stop().success(), "{}", posting.session.told());
    let lines = posting.session.stdout_lines();
    let texts = behind(&lines, "[puppet loud] ");
    for (number, text) in texts[..written + 100].iter().enumerate() {
        assert!(text.starts_with(&format!("{number:08} x")) && text.len() == 4009, "line {number}: {text:?}");
    }
}

// promise: output.stall.1
#[test]
fn l4_a_signal_ends_a_session_whose_terminal_takes_nothing() {
    let project = project(SPEWING);
    let (_reader, terminal) = e2e::terminal::open();
    let mut session = Session::start_into(project.command(&["run"]), terminal, Stdio::piped());
    session.wait_for("watching ");
    stalled(&project);
    let asked = Instant::now();
    let status = session.stop();
    println!("L4: gone {:.1?} after the signal", asked.elapsed());
    assert!(status.success() && asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    wait::nothing_left(&project.root());
}

// promise: output.stall.1
#[test]
fn a_session_ends_though_nobody_reads_its_streams() {
    let project = project(SPEWING);
    let (_stdout, stdout) = std::io::pipe().unwrap();
    let (_stderr, stderr) = std::io::pipe().unwrap();
    let mut session = Session::start_into(project.command(&["run"]), stdout.into(), stderr.into());
    stalled(&project);
    project.file("go", "");
    wait::lines(&project.path("gone"), 2);
    assert!(session.stop().success());
    wait::nothing_left(&project.root());
}
