//! Bytes into lines: whole, in order, labelled, none lost.

use super::{behind, project};
use e2e::faults::rounds;
use e2e::{Session, wait};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

// promise: output.line.1, output.stdout.1
#[test]
fn each_line_has_its_label_and_stays_in_its_stream() {
    let project = project(
        r#"
startup_workflows = ["startup"]
[process.web]
command = ["PUPPET", "print", "one", "eprint", "two", "print", "three", "eprint", "four", "hang"]
[process.quiet]
command = ["PUPPET", "print", "not shown", "eprint", "not shown", "hang"]
output = { inherit = false }
[hook.tool]
command = ["sh", "-c", "echo five; echo six >&2"]
[workflow.startup]
steps = [{ action = "run_hook", hook = "tool" }, { action = "log", message = "a message" }]
"#,
    );
    let mut session = project.run();
    session.wait_for("[puppet web] four");
    session.wait_for_stdout("[puppet web] three");
    session.wait_for_stdout("[sh tool] five");
    session.wait_for("[sh tool] six");
    session.wait_for("a message");
    wait::until("what is not shown is in the log", || session.log().contains("[puppet quiet] not shown").then_some(()));
    assert!(session.stop().success());
    let (stdout, stderr) = (session.stdout_lines(), session.stderr_lines());
    assert_eq!(behind(&stdout, "[puppet web] "), ["one", "three"]);
    assert_eq!(behind(&stderr, "[puppet web] "), ["two", "four"]);
    assert_eq!(stdout.len(), 3, "only what children wrote to stdout is on stdout: {stdout:?}");
    assert!(!session.told().contains("not shown"));
    let log = session.log();
    for line in ["[puppet web] one", "[puppet web] two", "[sh tool] five", "[sh tool] six", "[puppet quiet] not shown"]
    {
        assert!(log.lines().any(|logged| logged == line), "{line}: {log}");
    }
}

// promise: output.line.1
#[test]
fn lines_of_many_writers_are_never_mixed_and_none_is_lost() {
    const LINES: usize = 20_000;
    let writers = [("a", 9), ("b", 100), ("c", 1000), ("d", 333)];
    let config = writers.map(|(writer, length)| {
        format!("[process.{writer}]\ncommand = [\"PUPPET\", \"spew\", \"{LINES}\", \"{length}\"]\n")
    });
    let project = project(&config.concat());
    let mut session = project.run();
    for writer in ["a", "b", "c", "d"] {
        session.wait_for(&format!("process {writer} exited with exit status 0"));
    }
    assert!(session.stop().success());
    let lines = session.stdout_lines();
    assert_eq!(lines.len(), 4 * LINES);
    for (writer, length) in writers {
        let texts = behind(&lines, &format!("[puppet {writer}] "));
        assert_eq!(texts.len(), LINES, "{writer}");
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(*text, format!("{number:08} {}", "x".repeat(length - 9)), "{writer}");
        }
    }
}

// promise: output.line.1
#[test]
fn l1_a_million_lines_of_one_child_are_all_there_in_order() {
    let count = rounds(100_000, 1_000_000);
    let project = project(&format!("[process.loud]\ncommand = [\"PUPPET\", \"spew\", \"{count}\", \"99\"]\n"));
    let out = project.path("out");
    let began = std::time::Instant::now();
    let stdout = Stdio::from(std::fs::File::create(&out).unwrap());
    let mut session = Session::start_into(project.command(&["run"]), stdout, Stdio::piped());
    wait::until_within(wait::PATIENCE, "the child is over", || {
        (session.count("process loud exited with exit status 0") > 0).then_some(())
    });
    wait::tail(&out, &format!("{:08} ", count - 1));
    let (took, cpu, memory) = (began.elapsed(), wait::cpu(session.pid()), wait::memory_peak_kib(session.pid()));
    let log = session.wait_for("writing session log: ").split_once("log: ").unwrap().1.to_owned();
    assert!(session.stop().success());
    println!("L1: {count} lines in {took:.1?}, {cpu:.1?} of CPU, {memory} KiB");
    assert!(memory < 40 * 1024, "{memory} KiB");
    let rest = "x".repeat(90);
    let check = |path: &std::path::Path| {
        let lines = BufReader::new(std::fs::File::open(path).unwrap()).lines().map(Result::unwrap);
        let mut next = 0;
        for line in lines.filter(|line| line.starts_with("[puppet loud] ")) {
            assert_eq!(line, format!("[puppet loud] {next:08} {rest}"), "{}", path.display());
            next += 1;
        }
        next
    };
    assert_eq!(check(&out), count);
    // The log ends at its limit of 64 MiB.
    assert_eq!(check(log.as_ref()).min(500_000), count.min(500_000));
}

// promise: output.line.4, output.line.5
#[test]
fn l3_bytes_without_an_end_cost_little_memory_and_the_prompt_after_them_is_shown() {
    let count = 1_000_000 * rounds(40, 1000);
    let project = project(&format!(
        "[process.long]\ncommand = [\"PUPPET\", \"endless\", \"{count}\", \"print\", \"\", \"partial\", \"your name? \", \"hang\"]\n"
    ));
    let out = project.path("out");
    let stdout = Stdio::from(std::fs::File::create(&out).unwrap());
    let mut session = Session::start_into(project.command(&["run"]), stdout, Stdio::piped());
    wait::tail(&out, "[puppet long] your name? \n");
    let memory = wait::memory_peak_kib(session.pid());
    assert!(session.stop().success());
    println!("L3: {count} bytes without an end, {memory} KiB");
    assert!(memory < 64 * 1024, "{memory} KiB");
    let mut shown = 0;
    let mut reader = BufReader::new(std::fs::File::open(&out).unwrap());
    let mut line = Vec::new();
    while reader.by_ref().take(1 << 20).read_until(b'\n', &mut line).unwrap() > 0 {
        assert!(line.len() < 66 * 1024, "{}", line.len());
        let text = line.strip_prefix(b"[puppet long] ").unwrap();
        shown += text.iter().take_while(|byte| **byte == b'x').count();
        line.clear();
    }
    assert_eq!(shown, count);
}

#[test]
fn l3_what_a_flood_needs_of_memory_is_given_back_when_it_is_over() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.flood]
command = ["PUPPET", "spew", "200000", "300"]
autostart = false
[workflow.go]
steps = [{ action = "start_process", process = "flood" }]
"#,
    );
    let out = project.path("out");
    let stdout = Stdio::from(std::fs::File::create(out).unwrap());
    let mut session = Session::start_into(project.command(&["run"]), stdout, Stdio::piped());
    session.wait_for("watching ");
    let before = wait::memory_own_kib(session.pid());
    for round in 1..=3 {
        project.file("go", &round.to_string());
        session.wait_for_count("process flood exited with", round);
    }
    let during = wait::memory_own_kib(session.pid());
    let mut after = during;
    wait::until("the memory is given back", || {
        after = wait::memory_own_kib(session.pid());
        (after <= before + 1024).then_some(())
    });
    println!("L3: {before} KiB before, {during} at the end of a flood, {after} after it");
    assert!(session.stop().success());
}

// promise: output.line.2
#[test]
fn l7_what_a_child_wrote_right_before_its_death_stands_before_its_exit() {
    const LINES: usize = 16_384;
    let project = project(
        r#"
[process.dying]
command = ["PUPPET", "spew", "16384", "64", "partial", "the last words", "kill-self", "9"]
"#,
    );
    let mut session = project.run();
    session.wait_for("process dying exited with signal 9 (SIGKILL)");
    assert!(session.stop().success());
    let shown = session.stdout_lines();
    let log: Vec<String> = session.log().lines().map(str::to_owned).collect();
    let exit = log.iter().position(|line| line.contains("process dying exited with")).unwrap();
    for lines in [&shown[..], &log[..exit]] {
        let texts = behind(lines, "[puppet dying] ");
        assert_eq!(texts.len(), LINES + 1);
        assert!(texts[LINES - 1].starts_with(&format!("{:08} ", LINES - 1)));
        assert_eq!(texts[LINES], "the last words");
    }
    assert_eq!(behind(&log[exit..], "[puppet dying] "), [""; 0]);
}

// promise: output.line.3
#[test]
fn a_carriage_return_ends_a_line_and_both_together_end_it_once() {
    let project = project(
        r#"
[process.progress]
command = ["PUPPET", "partial", "10 %\r50 %\r100 %\r\ndone\n\nafter an empty line\r", "partial", "\nend\n"]
"#,
    );
    let mut session = project.run();
    session.wait_for("process progress exited with");
    assert!(session.stop().success());
    let lines = session.stdout_lines();
    assert_eq!(
        behind(&lines, "[puppet progress] "),
        ["10 %", "50 %", "100 %", "done", "", "after an empty line", "end"]
    );
}

// promise: output.line.4
#[test]
fn a_line_over_64_kib_is_broken_with_a_mark_and_whole_otherwise() {
    let project = project(
        r#"
[process.long]
command = ["PUPPET", "spew", "1", "200000", "spew", "1", "65536", "print", "the next line"]
"#,
    );
    let mut session = project.run();
    session.wait_for("process long exited with");
    assert!(session.stop().success());
    let lines = session.stdout_lines();
    let texts = behind(&lines, "[puppet long] ");
    assert_eq!(texts.len(), 6, "{:?}", texts.iter().map(|text| text.len()).collect::<Vec<_>>());
    let mark = texts[0].trim_start_matches(|c: char| c.is_ascii_digit() || c == 'x' || c == ' ');
    assert!(!mark.is_empty());
    let whole: String = texts[..4].iter().map(|text| text.strip_suffix(mark).unwrap_or(text).trim_end()).collect();
    assert_eq!(whole, format!("00000000 {}", "x".repeat(200_000 - 9)));
    assert!(texts[..3].iter().all(|text| text.ends_with(mark) && text.len() <= 64 * 1024 + 8));
    assert!(!texts[3].ends_with(mark));
    assert_eq!(texts[4].len(), 65_536);
    assert_eq!(texts[5], "the next line");
}

// promise: output.line.5
#[test]
fn a_prompt_is_shown_though_its_line_has_no_end() {
    let project = project(
        r#"
[process.asking]
command = ["PUPPET", "partial", "your name? ", "await-file", "answered", "print", "thank you", "hang"]
"#,
    );
    let session = project.run();
    let line = session.wait_for_stdout("your name?");
    assert!(line.starts_with("[puppet asking] your name?"), "{line}");
    project.file("answered", "");
    session.wait_for_stdout("thank you");
    let shown = session.stdout_lines().join("\n");
    assert_eq!(shown.matches("your name?").count(), 1, "{shown}");
}
