//! `devloop logs`: the log of a session, shown again.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, programs, wait};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

const CONFIG: &str = r#"
startup_workflows = ["w"]

[process.web]
command = ["sh", "-c", "printf 'a \\033[31mred\\033[0m \\033[2Jword\\n'; printf 'title \\033]0;gone\\007\\n' >&2; touch up; exec cat"]
readiness = { kind = "exec", command = ["test", "-e", "up"] }

[hook.build]
command = ["PUPPET", "print", "built", "print", "error 7"]
output = { inherit = false }

[workflow.w]
steps = [
  { action = "wait_for_process", process = "web" },
  { action = "run_hook", hook = "build" },
  { action = "log", message = "said" },
]
"#;

fn project() -> Project {
    let project = Project::new(programs!());
    project.config(CONFIG);
    project
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What `devloop logs` shows with these options.
fn shown(project: &Project, options: &[&str]) -> String {
    let output = project.call(&[&["logs"], options].concat());
    assert!(output.status.success(), "{options:?}: {}", stderr(&output));
    stdout(&output)
}

/// A whole session, with what it showed on stderr with colours.
fn session(project: &mut Project) -> String {
    project.argument("--color=always");
    let mut session = project.run();
    session.wait_for(" said");
    session.wait_for("title");
    assert!(session.stop().success());
    session.told()
}

/// The only file of a folder of devloop's.
fn only(project: &Project, folder: &str) -> PathBuf {
    let entries = fs::read_dir(project.path(".devloop").join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let [path] = <[PathBuf; 1]>::try_from(entries.collect::<Vec<_>>()).unwrap();
    path
}

/// A log of a session that is long over, without an index, as earlier versions left it.
fn old_log(project: &Project, name: &str, text: &str) {
    project.file(&format!(".devloop/logs/session-{name}.log"), text);
}

// promise: command.logs.1
#[test]
fn the_log_of_a_session_that_is_over_is_shown_as_it_looked() {
    let mut project = project();
    let told = session(&mut project);
    let page = shown(&project, &[]);
    let mut same = 0;
    for line in told.lines().filter(|line| line.contains("devloop ") || line.contains("web")) {
        same += usize::from(page.lines().any(|found| found == line));
    }
    assert!(same >= 6, "{told}\n{page}");
    assert!(page.contains("a \u{1b}[31mred\u{1b}[0m word"), "{page}");
    assert!(page.contains(" title \n") && !page.contains("gone"), "{page}");
    // Hooks are dim, shown or not.
    assert!(page.contains("[puppet build]\u{1b}[0m \u{1b}[2mbuilt\u{1b}[0m\n"), "{page}");
}

#[test]
fn without_colours_nothing_but_text_is_shown() {
    let project = project();
    let mut running = project.run();
    running.wait_for(" said");
    running.wait_for("title");
    assert!(running.stop().success());
    let page = shown(&project, &[]);
    assert!(!page.contains('\u{1b}') && page.contains("[sh web] a red word\n"), "{page}");
    assert!(page.contains("[devloop] writing session log: ") && page.contains("[puppet build] built\n"), "{page}");
}

// promise: command.logs.2
#[test]
fn lines_are_chosen_by_name_by_pattern_and_from_the_end() {
    let project = project();
    let mut running = project.run();
    running.wait_for(" said");
    running.wait_for("title");
    assert!(running.stop().success());
    assert_eq!(shown(&project, &["-p", "build"]), "[puppet build] built\n[puppet build] error 7\n");
    assert_eq!(shown(&project, &["-p", "build,web", "-n", "1"]).lines().count(), 1);
    assert_eq!(shown(&project, &["-p", "build", "-n", "1"]), "[puppet build] error 7\n");
    assert_eq!(shown(&project, &["--grep", "^error [0-9]$"]), "[puppet build] error 7\n");
    // Colours are not in the way.
    assert_eq!(shown(&project, &["-p", "web", "--grep", "a red w"]), "[sh web] a red word\n");
    let own = shown(&project, &["-p", "devloop"]);
    assert!(own.lines().count() > 5 && own.lines().all(|line| line.starts_with("[devloop")), "{own}");
    assert_eq!(shown(&project, &["-n", "0"]), "");
    assert_eq!(shown(&project, &["-n", "3"]).lines().count(), 3);

    let unknown = project.call(&["logs", "-p", "wbe"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("no process or hook is called 'wbe'\nhint: did you mean 'web'?"),
        "{}",
        stderr(&unknown)
    );
    for wrong in [&["--grep", "("][..], &["--since", "soon"], &["-n", "x"]] {
        assert_eq!(project.call(&[&["logs"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
}

// promise: command.logs.3
#[test]
fn what_came_since_a_moment_is_found_also_of_children_that_say_no_time() {
    let project = Project::new(programs!());
    project.config(
        "[watch.go]\npaths = [\"go\"]\nworkflow = \"go\"\n[workflow.go]\nsteps = [{ action = \"log\", message = \"gone\" }]\n\
         [process.p]\ncommand = [\"PUPPET\", \"print\", \"early\", \"await-file\", \"go\", \"print\", \"late\", \"hang\"]\n",
    );
    let mut running = project.run();
    running.wait_for_stdout("early");
    // The log has a thread of its own; marks are a tenth of a second apart.
    wait::until("the log has it, too", || running.log().contains("early").then_some(()));
    let early = std::time::SystemTime::now();
    wait::until("some time", || (early.elapsed().unwrap().as_millis() > 250).then_some(()));
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    project.file("go", "");
    running.wait_for_stdout("late");
    assert!(running.stop().success());
    let index = fs::read_to_string(only(&project, "log-index")).unwrap();
    let marks: Vec<(usize, u128)> = index
        .lines()
        .filter_map(|line| line.strip_prefix("at ")?.split_once(' '))
        .map(|(offset, at)| (offset.parse().unwrap(), at.parse().unwrap()))
        .collect();
    let log = fs::read_to_string(only(&project, "logs")).unwrap();
    let first_late = marks.iter().find(|(_, at)| *at + 100 > seconds).unwrap();
    assert!(!log[first_late.0..].contains("early") && log[first_late.0..].contains("late"), "{index}\n{log}");
    assert!(shown(&project, &["--since", "10m"]).contains("early"));
    assert!(shown(&project, &["--since", "1h", "-n", "1000"]).contains("late"));
    assert_eq!(shown(&project, &["--since", "2199-01-01"]), "");

    // Without an index, devloop's own lines have times.
    let line = |at: &str, text: &str| format!("[devloop engine] INFO {at} {text}\n[sh p] after {text}\n");
    let text = line("2026-01-01T10:00:00.000Z", "one")
        + &line("2026-01-01T11:00:00.000Z", "two")
        + &line("2026-01-01T12:00:00.000Z", "three");
    old_log(&project, "5-7-0", &text);
    let since = shown(&project, &["--session", "5-7-0", "--since", "2026-01-01T11:30:00Z"]);
    assert_eq!(since, "[sh p] after two\n[devloop engine] INFO 2026-01-01T12:00:00.000Z three\n[sh p] after three\n");
}

// promise: command.logs.4
#[test]
fn sessions_are_listed_and_named_by_the_beginning_of_their_ids() {
    let project = project();
    let none = project.call(&["logs"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("no session has left a log in"), "{}", stderr(&none));
    assert!(!project.path(".devloop").exists(), "something was made");

    old_log(&project, "1000-7-0", "[sh old] one\n");
    old_log(&project, "1001-7-0", "[sh old] two\n");
    assert_eq!(shown(&project, &["--session", "1000"]), "[sh old] one\n");
    assert_eq!(shown(&project, &["--session", "session-1001-7-0.log"]), "[sh old] two\n");
    assert_eq!(shown(&project, &[]), "[sh old] two\n");
    for (id, told) in [
        ("7", "no session begins with '7'\nhint: there are 1001-7-0 (1970-"),
        ("100", "more than one session begins with '100'\nhint: there are 1001-7-0 ("),
    ] {
        let output = project.call(&["logs", "--session", id]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(told) && stderr(&output).contains("1000-7-0 ("), "{}", stderr(&output));
    }

    let mut running = project.run();
    running.wait_for(" said");
    // A run that cannot begin is newer, and not what is looked for.
    assert!(!project.call(&["run"]).status.success());
    assert!(shown(&project, &[]).contains("[puppet build] built\n"));
    let list = shown(&project, &["--session"]);
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("SESSION") && lines.len() == 5, "{list}");
    assert_eq!(lines.iter().filter(|line| line.contains("running")).count(), 1, "{list}");
    assert!(lines[2].contains("running") && lines[4].starts_with("1000-7-0"), "{list}");
    assert!(running.stop().success());
    assert!(!shown(&project, &["--session"]).contains("running"));
    assert!(shown(&project, &[]).contains("[puppet build] built\n"));
}

fn follow(project: &Project, options: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = project.command(&[&["logs", "-f"], options].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

// promise: command.logs.5
#[test]
fn following_shows_what_comes_and_ends_with_the_session() {
    let project = Project::new(programs!());
    project.config(
        "[watch.go]\npaths = [\"go\"]\nworkflow = \"go\"\n[workflow.go]\nsteps = [{ action = \"run_hook\", hook = \"tell\" }]\n\
         [hook.tell]\ncommand = [\"PUPPET\", \"cat\", \"go\"]\n",
    );
    let mut running = project.run_watching();
    let (mut child, mut lines) = follow(&project, &["-p", "tell"]);
    let mut seen = String::new();
    for round in 0..3 {
        project.file("go", &format!("round {round}\n"));
        seen.clear();
        lines.read_line(&mut seen).unwrap();
        assert_eq!(seen, format!("[puppet tell] round {round}\n"));
    }
    let (all, mut all_lines) = follow(&project, &["-n", "100000"]);
    assert!(running.stop().success());
    assert!(wait::until("following ends", || child.try_wait().unwrap()).success());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut all_lines, &mut text).unwrap();
    let output = all.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    assert_eq!(text, fs::read_to_string(only(&project, "logs")).unwrap());
    // Of one that is over there is no more to come.
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len() - 10..].join("\n") + "\n";
    assert_eq!(shown(&project, &["-f"]), end);
}

#[test]
fn a_reader_that_goes_away_ends_following_also_when_nothing_comes() {
    let project = project();
    let mut running = project.run();
    running.wait_for(" said");
    let (mut child, mut lines) = follow(&project, &[]);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    drop(lines);
    let status = wait::until("following ends", || child.try_wait().unwrap());
    let output = child.wait_with_output().unwrap();
    assert!(status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    let (mut child, _lines) = follow(&project, &[]);
    drop(child.stderr.take());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let status = wait::until("ctrl-c ends it", || child.try_wait().unwrap());
    assert!(std::os::unix::process::ExitStatusExt::signal(&status) == Some(2), "{status}");
    assert!(running.stop().success());
}

// promise: command.logs.6
#[test]
fn what_a_log_holds_cannot_act_on_a_terminal_whoever_wrote_it() {
    let project = project();
    old_log(
        &project,
        "5-7-0",
        "[sh a] \u{1b}]52;c;aGk=\u{7}x\u{9b}2Jy\r\u{8}\n[sh b\u{1b}[2J] z\nown \u{1b}[31m\u{1b}[6n\n\u{0}\n",
    );
    project.file(
        ".devloop/log-index/session-5-7-0.index",
        "devloop log index 1\nlabel 32 plain a [sh \u{1b}[2Ja]\nat 99999999 1\nat 3 17\n",
    );
    for options in [&["--color=always"][..], &["--color=always", "--since", "1970-01-01T00:00:00Z"]] {
        let page = shown(&project, options);
        let rest = page.replace("\u{1b}[0m", "");
        let rest = rest
            .split("\u{1b}[")
            .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == 'm'))
            .collect::<String>();
        assert!(rest.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
        assert!(page.contains('x') && page.contains("^@"), "{page:?}");
    }
}

// promise: command.logs.6
#[test]
fn a_token_that_a_child_took_apart_with_escapes_is_not_put_together_again() {
    let project = project();
    let (first, rest) = ("dlt_01234", "56789abcdef0123456789abcdef0123456789abcdef");
    old_log(&project, "5-7-0", &format!("[sh a] {first}\u{1b}]8;;\u{7}{rest} {first}\u{1b}[1m{rest}\n"));
    for options in [&["--color=always"][..], &["--color=never"]] {
        let page = shown(&project, options);
        assert!(page.contains("*** ***") && !page.contains("56789abc"), "{page:?}");
    }
}

// promise: log.index.1
#[test]
fn an_index_is_private_and_holds_no_token() {
    let project = Project::new(programs!());
    project.config(
        "[event_server]\nbind = \"127.0.0.1:0\"\n[event.e]\nstate_key = \"e\"\nworkflow = \"w\"\npattern = \"^a$\"\n[workflow.w]\nsteps = []\n\
         [process.p]\ncommand = [\"PUPPET\", \"print-env\", \"DEVLOOP_EVENTS_TOKEN\", \"hang\"]\n",
    );
    let mut running = project.run();
    running.wait_for_stdout("***");
    assert!(running.stop().success());
    let index = &only(&project, "log-index");
    assert_eq!(fs::metadata(index).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(index).unwrap();
    assert!(text.contains("label ") && text.contains("\nat 0 ") && !text.contains("dlt_"), "{text}");
    assert!(!shown(&project, &[]).contains("dlt_"));
}

#[test]
fn a_session_without_room_for_an_index_has_its_log_and_is_shown() {
    let project = project();
    project.file(".devloop/log-index", "a file is in the way");
    let mut running = project.run();
    running.wait_for(" said");
    assert!(running.stop().success());
    assert_eq!(running.count("log-index"), 0, "{}", running.told());
    assert_eq!(shown(&project, &["-p", "build", "--since", "10m"]), "[puppet build] built\n[puppet build] error 7\n");
}

#[test]
fn a_huge_log_is_read_from_its_end_with_little_memory() {
    let project = project();
    let path = project.path(".devloop/logs/session-5-7-0.log");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    // 60 MB, as many as a log may have.
    for number in 0..60_000 {
        writeln!(file, "[sh loud] {number:08} {:980}", "").unwrap();
    }
    drop(file);
    let mut command = project.command(&["logs", "-n", "30000"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains(" 00030000 "));
    assert!(lines.nth(10_000).unwrap().unwrap().contains(" 00040001 "));
    let peak = wait::memory_peak_kib(child.id());
    assert!(peak < 20 * 1024, "{peak} KiB");
    assert_eq!(lines.count(), 19_998);
    assert!(child.wait().unwrap().success());
}
