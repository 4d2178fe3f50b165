//! The threads with real pipes and files: nothing lost, nothing torn, nobody waits who must not.

use std::fs;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write, pipe};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::dice::Dice;
use super::*;

mod trouble;

const DEADLINE: Duration = Duration::from_secs(60);

struct Stage {
    output: Output,
    end: OutputEnd,
    folder: tempfile::TempDir,
}

struct Wish {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    log: Option<File>,
    log_bytes_max: u64,
    colours: bool,
    label_width: usize,
    stamp: Option<&'static str>,
    secrets: Arc<Secrets>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            stdout: None,
            stderr: None,
            log: None,
            log_bytes_max: u64::MAX,
            colours: false,
            label_width: 0,
            stamp: None,
            secrets: Arc::default(),
        }
    }
}

/// A child without a process: whoever holds these ends is it.
struct Puppet {
    id: StreamsId,
    stdout: PipeWriter,
    stderr: PipeWriter,
    heard: mpsc::Receiver<Heard>,
}

impl Stage {
    fn open(wish: Wish) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let options = SinkOptions {
            stdout: wish.stdout.unwrap_or_else(|| file("out").into()),
            stderr: wish.stderr.unwrap_or_else(|| file("err").into()),
            log: Some(wish.log.unwrap_or_else(|| file("log"))),
            log_bytes_max: wish.log_bytes_max,
            log_index: None,
            stdout_colours: wish.colours,
            stderr_colours: wish.colours,
            label_width: wish.label_width,
            stamp: wish.stamp.map(|stamp| Box::new(move || stamp.as_bytes().to_vec()) as Stamp),
            warning: Box::new(|words| format!("[devloop output] WARN {words}\n").into_bytes()),
            secrets: Arc::clone(&wish.secrets),
        };
        let (output, end) = Output::start(options).unwrap();
        Self { output, end, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap()).into_owned()
    }

    fn child(&self, label: &str, change: impl FnOnce(&mut ChildStreams)) -> Puppet {
        let (out, stdout) = pipe().unwrap();
        let (err, stderr) = pipe().unwrap();
        let (told, heard) = mpsc::channel();
        let mut streams = ChildStreams {
            label: label.to_owned(),
            who: label.split(' ').next_back().map(|name| Who::Hook(name.into())),
            stdout: out.into(),
            stderr: err.into(),
            inherit: true,
            style: BodyStyle::Plain,
            raw: false,
            rules: Vec::new(),
            patterns: Vec::new(),
            capture: false,
            heard: Box::new(move |word| told.send(word).unwrap_or(())),
        };
        change(&mut streams);
        Puppet { id: self.output.attach(streams), stdout, stderr, heard }
    }

    fn drain(&self, id: StreamsId) -> Drained {
        let (done, answer) = oneshot::channel();
        self.output.drain(id, done);
        answer.blocking_recv().unwrap()
    }

    fn waits_for(&self, name: &str, words: &str) {
        eventually(|| self.text(name).contains(words), || format!("{words:?} in {:?}", self.text(name)));
    }

    /// Ends the output and gives the texts of stdout, stderr and the log.
    fn ends(self) -> [String; 3] {
        assert!(self.end.flush_and_stop(DEADLINE));
        ["out", "err", "log"].map(|name| {
            let path = self.folder.path().join(name);
            fs::read(path).map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
        })
    }
}

fn eventually(is_so: impl Fn() -> bool, what: impl Fn() -> String) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "not in time: {}", what());
        thread::sleep(Duration::from_millis(2));
    }
}

fn own(words: &str) -> OwnLine {
    OwnLine { stderr: words.as_bytes().to_vec(), log: words.as_bytes().to_vec() }
}

fn port_rule() -> Rule {
    let pattern = Regex::new("^port ([0-9]+)$").unwrap();
    Rule { state_key: "port".to_owned(), extract: Extract::Regex { pattern, group: 1 } }
}

fn captured(value: &str) -> Heard {
    Heard::Captured { state_key: "port".to_owned(), value: value.to_owned() }
}

#[test]
fn each_line_goes_labelled_to_its_stream_and_to_the_log() {
    let stage = Stage::open(Wish::default());
    let mut child = stage.child("sh web", |_| {});
    child.stdout.write_all(b"one\r\ntwo\r").unwrap();
    stage.waits_for("out", "two");
    child.stdout.write_all(b"\nthree\x1b[2J\x07\n").unwrap();
    child.stderr.write_all(b"oops\nlast").unwrap();
    stage.drain(child.id);
    let [out, err, log] = stage.ends();
    assert_eq!(out, "[sh web] one\n[sh web] two\n[sh web] three^G\n");
    assert_eq!(err, "[sh web] oops\n[sh web] last\n");
    assert!(log.contains("[sh web] three\x1b[2J\x07\n") && log.contains("[sh web] last\n"), "{log}");
}

#[test]
fn a_child_that_is_not_inherited_is_in_the_log_alone_and_its_rules_run() {
    let stage = Stage::open(Wish::default());
    let mut child = stage.child("sh web", |streams| {
        streams.inherit = false;
        streams.rules = vec![port_rule()];
        streams.patterns = vec![Regex::new("port").unwrap()];
    });
    child.stderr.write_all(b"\x1b[1mport\x1b[0m 80\n").unwrap();
    assert_eq!(child.heard.recv_timeout(DEADLINE).unwrap(), captured("80"));
    assert_eq!(child.heard.recv_timeout(DEADLINE).unwrap(), Heard::PatternMatched(0));
    let [out, err, log] = stage.ends();
    assert_eq!((out.as_str(), err.as_str()), ("", ""));
    assert_eq!(log, "[sh web] \x1b[1mport\x1b[0m 80\n");
}

#[test]
fn colours_labels_and_dim_appear_where_the_stream_has_colours() {
    let stage = Stage::open(Wish { colours: true, ..Wish::default() });
    let mut child = stage.child("sh web", |streams| streams.style = BodyStyle::Dim);
    child.stdout.write_all(b"a\x1b[31mb\n").unwrap();
    stage.drain(child.id);
    let [out, _, log] = stage.ends();
    assert!(out.ends_with("m[sh web]\x1b[0m \x1b[2ma\x1b[31m\x1b[2mb\x1b[0m\n"), "{out:?}");
    assert_eq!(log, "[sh web] a\x1b[31mb\n");
}

#[test]
fn a_raw_child_passes_unfiltered() {
    let stage = Stage::open(Wish::default());
    let mut child = stage.child("sh web", |streams| streams.raw = true);
    child.stdout.write_all(b"\x1b[2J\xff\x07\n").unwrap();
    stage.drain(child.id);
    let path = stage.path("out");
    assert!(stage.end.flush_and_stop(DEADLINE));
    assert_eq!(fs::read(path).unwrap(), b"[sh web] \x1b[2J\xff\x07\n");
}

#[test]
fn text_without_an_end_is_shown_when_its_stream_is_silent_and_rules_see_the_whole_line_later() {
    let stage = Stage::open(Wish::default());
    let mut child = stage.child("sh web", |streams| streams.rules = vec![port_rule()]);
    child.stdout.write_all(b"port 80").unwrap();
    stage.waits_for("out", "[sh web] port 80\n");
    assert_eq!(child.heard.recv_timeout(DEADLINE).unwrap(), captured("80"));
    child.stdout.write_all(b"81\n").unwrap();
    assert_eq!(child.heard.recv_timeout(DEADLINE).unwrap(), captured("8081"));
    let [out, ..] = stage.ends();
    assert_eq!(out, "[sh web] port 80\n[sh web] 81\n");
}

/// Writes `count` numbered lines of 1 to 70,000 bytes and of any kind of end, in random pieces.
fn babble(mut pipe: PipeWriter, name: &str, seed: u64, count: usize) {
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::new();
    for number in 0..count {
        let length = if dice.below(50) == 0 { dice.below(70_000) } else { dice.below(200) };
        write!(bytes, "{name}:{number}:{length}:").unwrap();
        bytes.resize(bytes.len() + length, b'x');
        bytes.extend_from_slice(if dice.below(3) == 0 { b"\r\n" } else { b"\n" });
        if bytes.len() > dice.below(100_000) {
            let (now, later) = bytes.split_at(dice.below(bytes.len() + 1));
            pipe.write_all(now).unwrap();
            bytes = later.to_vec();
        }
    }
    pipe.write_all(&bytes).unwrap();
}

/// Checks that each stream's lines are all there, whole and in order; counts them.
fn check_babble(file: &Path, counts: &mut std::collections::BTreeMap<String, usize>) {
    // The second part of a line that was broken stands behind another stream's lines, perhaps; its length tells whose it is.
    let mut open: Vec<(String, usize)> = Vec::new();
    for line in BufReader::new(File::open(file).unwrap()).lines() {
        let line = line.unwrap();
        let (label, rest) = line.split_once("] ").unwrap();
        if rest.bytes().all(|byte| byte == b'x') && !rest.is_empty() {
            let at = open.iter().position(|(of, left)| of == label && *left == rest.len());
            open.remove(at.unwrap_or_else(|| panic!("{label}: {} bytes are of no line", rest.len())));
            continue;
        }
        let fields: Vec<&str> = rest.splitn(4, ':').collect();
        let [name, number, length, body] = fields[..] else { panic!("torn: {line:.80}") };
        assert_eq!(label.strip_prefix("[sh ").unwrap(), &name[..name.len() - 1], "{line:.80}");
        let next = counts.entry(name.to_owned()).or_default();
        assert_eq!(number.parse(), Ok(*next), "{name}");
        let body = body.strip_suffix(lines::BREAK_MARK).unwrap_or(body);
        let left = length.parse::<usize>().unwrap() - body.len();
        if left > 0 {
            open.push((label.to_owned(), left));
        }
        assert!(body.bytes().all(|byte| byte == b'x'), "{name} {number}");
        *next += 1;
    }
    assert_eq!(open, [], "parts are missing");
}

#[test]
fn l2_eight_children_on_both_streams_lose_and_tear_nothing() {
    // 200,000 lines of each child in all when `FAULT_ROUNDS=full`.
    let count = if std::env::var("FAULT_ROUNDS").is_ok_and(|rounds| rounds == "full") { 100_000 } else { 800 };
    let stage = Stage::open(Wish::default());
    let mut speakers = Vec::new();
    let mut ids = Vec::new();
    for n in 0..8 {
        let child = stage.child(&format!("sh p{n}"), |_| {});
        ids.push(child.id);
        let (stdout, stderr) = (child.stdout, child.stderr);
        speakers.push(thread::spawn(move || babble(stdout, &format!("p{n}o"), n, count)));
        speakers.push(thread::spawn(move || babble(stderr, &format!("p{n}e"), n + 100, count)));
    }
    for speaker in speakers {
        speaker.join().unwrap();
    }
    for id in ids {
        stage.drain(id);
    }
    assert!(stage.end.flush_and_stop(DEADLINE));
    let path = |name: &str| stage.folder.path().join(name);
    let mut shown = std::collections::BTreeMap::new();
    check_babble(&path("out"), &mut shown);
    check_babble(&path("err"), &mut shown);
    let mut logged = std::collections::BTreeMap::new();
    check_babble(&path("log"), &mut logged);
    assert_eq!(shown.len(), 16);
    assert!(shown.values().all(|found| *found == count), "{shown:?}");
    assert_eq!(shown, logged);
}

#[test]
fn a_capture_stops_at_its_limit_and_says_so() {
    let stage = Stage::open(Wish::default());
    let mut child = stage.child("sh hook", |streams| streams.capture = true);
    child.stdout.write_all(&b"y\n".repeat(CAPTURE_MAX)).unwrap();
    child.stderr.write_all(b"not captured\n").unwrap();
    let drained = stage.drain(child.id);
    assert!(drained.overflowed);
    assert_eq!(drained.captured.map(|bytes| bytes.len()), Some(CAPTURE_MAX));
}

#[test]
fn what_descendants_write_after_the_drain_is_shown_and_not_searched() {
    let stage = Stage::open(Wish::default());
    let mut child = stage.child("sh web", |streams| streams.rules = vec![port_rule()]);
    child.stdout.write_all(b"port 1").unwrap();
    stage.drain(child.id);
    assert_eq!(child.heard.try_recv(), Ok(captured("1")));
    child.stdout.write_all(b"port 2\n").unwrap();
    stage.waits_for("out", "[sh web] port 2\n");
    assert_eq!(child.heard.try_iter().count(), 0);
}

#[test]
fn of_many_daemons_left_behind_only_the_oldest_pipes_are_closed() {
    let stage = Stage::open(Wish::default());
    let mut daemons: Vec<Puppet> = (0..40).map(|n| stage.child(&format!("sh d{n}"), |_| {})).collect();
    for daemon in &daemons {
        stage.drain(daemon.id);
        (&daemon.stdout).write_all(b"after the drain\n").unwrap();
    }
    eventually(|| (&daemons[0].stdout).write_all(b"x").is_err(), || "the oldest is closed".to_owned());
    let last = daemons.last_mut().unwrap();
    last.stdout.write_all(b"still\n").unwrap();
    stage.waits_for("out", "[sh d39] still\n");
    let [out, err, _] = stage.ends();
    for n in 0..40 {
        assert!(out.contains(&format!("[sh d{n}] after the drain\n")), "{n}: {out}");
    }
    assert_eq!(err.matches("more than 32 daemons").count(), 1, "{err}");
}

// promise: log.file.3
#[test]
fn the_log_stops_at_its_limit_with_a_line_that_says_so() {
    let stage = Stage::open(Wish { log_bytes_max: 10_000, ..Wish::default() });
    let mut child = stage.child("sh web", |_| {});
    child.stdout.write_all(&b"0123456789\n".repeat(5000)).unwrap();
    stage.drain(child.id);
    let [out, err, log] = stage.ends();
    assert_eq!(out.lines().count(), 5000);
    assert_eq!(err.matches("the session log has reached its limit").count(), 1, "{err}");
    assert!(log.len() <= 10_000 && log.len() > 9_900, "{}", log.len());
    assert!(log.lines().last().unwrap().contains("has reached its limit"), "{log}");
    let whole = log.lines().filter(|line| *line == "[sh web] 0123456789").count();
    assert_eq!(whole, log.lines().count() - 1);
}

#[test]
fn one_file_for_both_streams_keeps_the_order_of_what_was_read() {
    let (mut terminal, both) = pipe().unwrap();
    let stderr = both.try_clone().unwrap();
    let stage = Stage::open(Wish { stdout: Some(both.into()), stderr: Some(stderr.into()), ..Wish::default() });
    let reader = thread::spawn(move || {
        let mut text = String::new();
        terminal.read_to_string(&mut text).unwrap();
        text
    });
    let mut expected = String::new();
    for n in 0..200 {
        let mut child = stage.child("sh x", |_| {});
        child.stdout.write_all(format!("{n}").as_bytes()).unwrap();
        stage.drain(child.id);
        stage.output.line(own(&format!("process x exited with {n}")));
        expected.extend([format!("[sh x] {n}\n"), format!("process x exited with {n}\n")]);
    }
    stage.ends();
    assert_eq!(reader.join().unwrap(), expected);
}

#[test]
fn whoever_waits_for_a_drain_after_the_end_is_told() {
    let stage = Stage::open(Wish::default());
    let child = stage.child("sh x", |_| {});
    let output = stage.output.clone();
    stage.ends();
    let (done, answer) = oneshot::channel();
    output.drain(child.id, done);
    assert!(answer.blocking_recv().is_err());
}
