//! Readers that stall or go away.

use super::{behind, project};
use e2e::{Session, wait};
use std::process::{Command, Stdio};

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
fn a_closed_stdout_costs_one_warning_and_the_session_goes_on() {
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
fn a_closed_stderr_costs_one_warning_and_the_session_goes_on() {
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
fn streams_that_were_closed_before_the_start_change_nothing_else() {
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

// promise: output.stall.1
#[test]
fn a_stalled_reader_slows_its_writer_and_nothing_else_and_loses_nothing() {
    let project = project(SPEWING);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut session = Session::start_into(project.command(&["run"]), writer.into(), Stdio::piped());
    session.wait_for("watching ");
    let written = stalled(&project);
    // Everything else goes on.
    project.file("go", "");
    wait::lines(&project.path("gone"), 2);
    session.wait_for_count("started process other", 2);
    // The reader comes back: nothing is missing.
    session.hear_stdout(reader);
    session.wait_for_stdout(&format!("{:08} ", written + 100));
    assert!(session.stop().success(), "{}", session.told());
    let lines = session.stdout_lines();
    let texts = behind(&lines, "[puppet loud] ");
    for (number, text) in texts[..written + 100].iter().enumerate() {
        assert!(text.starts_with(&format!("{number:08} x")) && text.len() == 4009, "line {number}: {text:?}");
    }
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
