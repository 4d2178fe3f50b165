//! The session log, and what `RUST_LOG` filters.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::disk::Disk;
use e2e::{Project, Session, programs, wait};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn logs(project: &Project) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(project.path(".devloop/logs")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The log that the session said it writes.
fn log_of(session: &Session) -> PathBuf {
    let line = session.wait_for("writing session log: ");
    PathBuf::from(line.strip_prefix("devloop: writing session log: ").unwrap())
}

// promise: log.file.1
#[test]
fn each_run_has_a_private_log_with_its_own_lines_and_every_line_of_every_child() {
    let project = Project::new(programs!());
    project.config(
        "startup_workflows = [\"w\"]\n\
         [process.quiet]\ncommand = [\"PUPPET\", \"print\", \"hidden out\", \"eprint\", \"hidden err\", \"hang\"]\n\
         output = { inherit = false }\n\
         [hook.shown]\ncommand = [\"PUPPET\", \"print\", \"shown out\", \"partial\", \"no line end\"]\n\
         [hook.captured]\ncommand = [\"PUPPET\", \"print\", \"captured\"]\ncapture = \"text\"\nstate_key = \"c\"\noutput = { inherit = false }\n\
         [workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"shown\" }, { action = \"run_hook\", hook = \"captured\" }, \
         { action = \"log\", message = \"said\", style = \"boxed\" }, { action = \"log\", message = \"said plainly\" }]\n",
    );
    let mut session = project.run();
    session.wait_for("said plainly");
    let path = log_of(&session);
    let text = wait::file(&path, |text| text.contains("hidden err") && text.contains("said plainly"));
    assert!(session.stop().success());
    let text = if text.is_empty() { text } else { fs::read_to_string(&path).unwrap() };
    for line in [
        "hidden out",
        "hidden err",
        "shown out",
        "no line end",
        "captured",
        "│ said │",
        "said plainly",
        "running workflow w",
        "started process quiet",
        "watching ",
        "shutting down",
        "stopped process quiet",
    ] {
        assert!(text.lines().any(|found| found.contains(line)), "'{line}' is not in the log:\n{text}");
    }
    assert!(text.contains(&format!("[devloop] writing session log: {}\n", path.display())), "{text}");
    assert!(!session.told().contains("hidden"), "{}", session.told());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(!text.contains('\u{1b}'));

    // session-<unix ms>-<pid>-<n>.log
    let name = path.file_name().unwrap().to_str().unwrap();
    let numbers: Vec<u128> = name
        .strip_prefix("session-")
        .unwrap()
        .strip_suffix(".log")
        .unwrap()
        .split('-')
        .map(|part| part.parse().unwrap())
        .collect();
    assert_eq!((numbers.len(), numbers[1]), (3, u128::from(session.pid())));
    let modified =
        fs::metadata(&path).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!(numbers[0] <= modified && modified - numbers[0] < 60_000, "{name}");
    assert_eq!(path.parent().unwrap(), project.path(".devloop/logs"));

    // Another run, another log.
    let mut session = project.run();
    session.wait_for("said plainly");
    assert_ne!(log_of(&session), path);
    assert!(session.stop().success());
    assert_eq!(logs(&project).len(), 2);
}

// promise: log.file.2
#[test]
fn the_log_of_a_run_that_could_not_start_says_why() {
    let project = Project::new(programs!());
    project.config("").file(".devloop/state.json", "[]");
    let output = project.call(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    let log = fs::read_to_string(&logs(&project)[0]).unwrap();
    assert!(log.contains("devloop run failed: failed to parse state file"), "{log}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("devloop run failed: failed to parse state file"), "{told}");
    assert_eq!(told.matches("devloop run failed").count(), 1, "{told}");
}

#[test]
fn a_run_that_fails_during_startup_has_its_reason_in_the_log() {
    let project = Project::new(programs!());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    project.config(&format!(
        "startup_workflows = [\"w\"]\n[process.server]\ncommand = [\"PUPPET\", \"hang\"]\nautostart = false\n\
         readiness = {{ kind = \"http\", url = \"http://{address}/\" }}\n\
         [workflow.w]\nsteps = [{{ action = \"start_process\", process = \"server\" }}]\n"
    ));
    let output = project.call(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    let log = fs::read_to_string(&logs(&project)[0]).unwrap();
    let why = format!("process 'server' cannot start: address {address} is already in use");
    assert_eq!(log.matches(&why).count(), 1, "{log}");
    assert!(log.lines().any(|line| line.starts_with("devloop run failed")), "{log}");
}

// promise: log.file.3
#[test]
fn the_newest_twenty_logs_are_kept_and_nothing_else_is_removed() {
    let project = Project::new(programs!());
    project.config("");
    for number in 1..=25 {
        project.file(&format!(".devloop/logs/session-{}-7-0.log", 1000 + number), "old");
        project.file(&format!(".devloop/log-index/session-{}-7-0.index", 1000 + number), "old");
    }
    project.file(".devloop/logs/notes.txt", "mine").file(".devloop/logs/session-x.log", "mine");
    let mut session = project.run_watching();
    let new = log_of(&session);
    assert!(session.stop().success());
    let names: Vec<String> =
        logs(&project).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let mut expected: Vec<String> = (7..=25).map(|number| format!("session-{}-7-0.log", 1000 + number)).collect();
    expected.extend([
        "notes.txt".to_owned(),
        "session-x.log".to_owned(),
        new.file_name().unwrap().to_str().unwrap().to_owned(),
    ]);
    expected.sort();
    assert_eq!(names, expected);
    for number in 1..=25 {
        let index = project.path(&format!(".devloop/log-index/session-{}-7-0.index", 1000 + number));
        assert_eq!(index.exists(), number >= 7, "{}", index.display());
    }
}

#[test]
fn a_log_is_bounded_and_the_session_goes_on_when_it_is_full() {
    let project = Project::new(programs!());
    // 70 MB of lines, more than the 64 MiB that a log may have.
    project.config(
        "startup_workflows = [\"w\"]\n[hook.spew]\ncommand = [\"PUPPET\", \"spew\", \"7000\", \"10000\"]\noutput = { inherit = false }\n\
         [workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"spew\" }, { action = \"log\", message = \"it goes on\" }]\n",
    );
    let mut session = project.run();
    session.wait_for("it goes on");
    assert!(session.stop().success());
    let log = fs::metadata(log_of(&session)).unwrap();
    assert!(log.len() > 60 * 1024 * 1024 && log.len() <= 64 * 1024 * 1024 + 4096, "{}", log.len());
}

// promise: log.filter.1
#[test]
fn rust_log_hides_diagnostics_but_never_messages_failures_or_the_place_of_the_log() {
    let mut project = Project::new(programs!());
    project.config(
        "startup_workflows = [\"w\"]\n[hook.bad]\ncommand = [\"PUPPET\", \"exit\", \"1\"]\n\
         [workflow.w]\nsteps = [{ action = \"log\", message = \"plain {{missing}}\" }, { action = \"log\", message = \"framed\", style = \"boxed\" }, \
         { action = \"run_hook\", hook = \"bad\" }]\n",
    );
    project.variable("RUST_LOG", "error");
    let mut session = project.run();
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(session.stop().success());
    let told = session.told();
    for shown in ["plain ", "│ framed │", "workflow failed", "devloop: writing session log: "] {
        assert!(told.contains(shown), "'{shown}' is hidden:\n{told}");
    }
    for hidden in ["watching ", "running workflow", "shutting down", "renders empty"] {
        assert!(!told.contains(hidden), "'{hidden}' is shown:\n{told}");
    }

    project.variable("RUST_LOG", "devloop::watcher=info");
    let mut session = project.run_watching();
    session.wait_for("workflow failed");
    assert!(session.stop().success());
    assert_eq!(session.count("running workflow"), 0, "{}", session.told());

    project.variable("RUST_LOG", "debug,nonsense=loud");
    let mut session = project.run_watching();
    session.wait_for("running workflow");
    assert!(session.told().contains("RUST_LOG"), "{}", session.told());
    assert!(session.stop().success());
}

#[test]
fn engine_lines_have_their_fixed_shape() {
    let project = Project::new(programs!());
    project.config("startup_workflows = [\"unused\"]\n");
    let mut session = project.run();
    session.wait_for("running workflow unused");
    assert!(session.stop().success());
    for line in session.stderr_lines().iter().filter(|line| !line.starts_with("devloop: ")) {
        let (part, rest) = line.strip_prefix("[devloop ").unwrap().split_once("] ").unwrap();
        assert!(!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()), "{line}");
        let mut words = rest.splitn(3, ' ');
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&words.next().unwrap()), "{line}");
        let time = words.next().unwrap();
        assert!(time.len() > 18 && time.contains('T') && time.ends_with('Z'), "{line}");
        assert!(words.next().is_some_and(|message| !message.is_empty()), "{line}");
    }
}

#[test]
fn a_folder_without_room_for_a_log_costs_a_warning_and_no_session() {
    let project = Project::new(programs!());
    project.config("").file(".devloop/logs", "a file is in the way");
    let mut session = project.run_watching();
    session.wait_for("/.devloop/logs': Not a directory (os error 20)");
    assert!(session.stop().success());

    fs::remove_file(project.path(".devloop/logs")).unwrap();
    std::os::unix::fs::symlink(project.root(), project.path(".devloop/logs")).unwrap();
    let mut session = project.run_watching();
    session.wait_for("/.devloop/logs': Not a directory (os error 20); it is a link, and devloop follows none here");
    assert!(session.stop().success());
}

/// The session log's own disk is full after 256 KiB; where there are no mount namespaces, no file may be longer than that.
fn on_a_small_disk(project: &Project) -> (Option<Disk>, Command) {
    let devloop = project.command(&["run"]);
    let disk = Disk::mount(&project.path(".devloop/logs"), "256k");
    let command = disk.as_ref().map_or_else(
        || {
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -f 512; exec \"$0\" run"]).arg(devloop.get_program());
            command.current_dir(project.root()).stdin(Stdio::null());
            command
        },
        |disk| disk.command(&devloop),
    );
    (disk, command)
}

// promise: log.full.1
#[test]
fn l6_a_full_disk_under_the_log_costs_one_warning_and_nothing_else() {
    let project = Project::new(programs!());
    project.file(".devloop/logs/x", "").file(".devloop/.gitignore", "*\n").config(
        "[watch.go]\npaths = [\"go\"]\nworkflow = \"go\"\n\
         [process.loud]\ncommand = [\"PUPPET\", \"write-pid\", \"loud.pid\", \"spew\", \"20000\", \"99\", \"await-file\", \"go\", \"print\", \"still here\", \"hang\"]\n\
         [workflow.go]\nsteps = [{ action = \"run_hook\", hook = \"go\" }, { action = \"write_state\", key = \"k\", value = \"kept\" }]\n\
         [hook.go]\ncommand = [\"PUPPET\", \"print\", \"a hook ran\"]\n",
    );
    let (_disk, command) = on_a_small_disk(&project);
    let mut session = Session::start(command);
    session.wait_for("watching ");
    let warning = session.wait_for("cannot write to the session log: ");
    assert!(warning.contains("No space left on device") || warning.contains("File too large"), "{warning}");
    project.file("go", "");
    session.wait_for_stdout("[puppet loud] still here");
    session.wait_for_stdout("[puppet go] a hook ran");
    wait::file(&project.state_file(), |text| text.contains("kept"));
    assert!(wait::is_alive(wait::pid(&project.path("loud.pid"))));
    assert!(session.stop().success(), "{}", session.told());
    assert_eq!(session.count("cannot write"), 1, "{}", session.told());
    let lines = session.stdout_lines();
    let numbers =
        lines.iter().filter_map(|line| line.strip_prefix("[puppet loud] ")?.split_once(" x")?.0.parse::<u32>().ok());
    assert!(numbers.eq(0..20_000), "{} lines", lines.len());
}

#[test]
fn a_token_at_the_end_of_a_long_line_is_in_no_log() {
    let project = Project::new(programs!());
    // 64 KiB end in the middle of it.
    let long = "x".repeat(64 * 1024 - 30);
    project.file("long", &long).config(
        "startup_workflows = [\"w\"]\n[event_server]\nbind = \"127.0.0.1:0\"\n[event.e]\nstate_key = \"e\"\nworkflow = \"w\"\n\
         [process.chatty]\ncommand = [\"PUPPET\", \"cat\", \"long\", \"print-env\", \"DEVLOOP_EVENTS_TOKEN\", \"print\", \"and on\", \"hang\"]\n\
         [workflow.w]\nsteps = []\n",
    );
    let mut session = project.run();
    session.wait_for_stdout("[puppet chatty] and on");
    assert!(session.stop().success());
    let texts = [session.stdout_lines().join("\n"), session.log()];
    for text in &texts {
        assert!(text.contains("[puppet chatty] ***") && !text.contains("dlt_"), "{}", &text[text.len() - 300..]);
    }
}

#[test]
fn a_limit_on_the_length_of_files_costs_warnings_and_no_session() {
    let project = Project::new(programs!());
    project.config("");
    let devloop = project.command(&["run"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 0; exec \"$0\" run"]).arg(devloop.get_program());
    command.current_dir(project.root()).stdin(Stdio::null());
    let mut session = Session::start(command);
    session.wait_for("cannot write to the session log: File too large");
    session.wait_for("the state file cannot be written");
    assert_eq!(session.stop().code(), Some(1));
    session.wait_for("devloop run failed: the state file does not have the last values");
}
