//! A page of the reference, carried out as a reader would: its files are written, its commands run, what it shows is
//! compared with what comes. `docs/development.md` says how such a page is written.

use crate::browser::Browser;
use crate::project::Project;
use crate::session::Session;
use crate::terminal::Keyboard;
use crate::wait;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The folder of the project, as pages call it.
const ROOT: &str = "/home/me/notes";

/// Columns of the terminal that `devloop run` has.
const COLUMNS: u16 = 80;

/// A part of a page that is carried out.
#[derive(Debug)]
enum Part {
    /// A file that is written, or a text that is put at its end.
    File { path: String, text: String, appends: bool },
    /// Commands with their output; where it is rough, what is cut or counted is not compared.
    Commands { text: String, rough: bool },
    /// The terminal that `devloop run` has.
    Session { text: String },
    /// What a browser shows, after it was told to open an address.
    Browser { address: Option<String>, title: String },
}

/// Someone who does what a page says.
pub struct Reader<'a> {
    project: &'a Project,
    session: Option<Session>,
    keyboard: Option<Keyboard>,
    /// Lines of the session that the page is past.
    read: usize,
    browser: Option<Browser>,
}

/// Carries out a page. Words of the page may be replaced before, as a port by a free one.
pub fn carry_out(project: &Project, page: &str, replaced: &[(&str, &str)]) {
    let mut text = page.replace(ROOT, project.root().to_str().unwrap());
    for (from, to) in replaced {
        assert!(text.contains(from), "the page does not have {from}");
        text = text.replace(from, to);
    }
    let mut reader = Reader { project, session: None, keyboard: None, read: 0, browser: None };
    let parts = parts(&text);
    assert!(parts.len() > 5, "the page has nothing to do");
    for (line, part) in parts {
        reader.follow(line, &part);
    }
    assert!(reader.session.is_none(), "the page leaves its session running");
}

/// The parts of a page, each with the number of its line.
fn parts(page: &str) -> Vec<(usize, Part)> {
    let mut parts = Vec::new();
    let mut open: Option<(usize, &str, String)> = None;
    for (line, text) in page.lines().enumerate() {
        match (text.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some((line + 1, kind, String::new())),
            (Some(_), Some((line, kind, text))) => parts.extend(part(kind, text).map(|part| (line, part))),
            (None, Some((line, kind, body))) => open = Some((line, kind, body + text + "\n")),
            (None, None) => parts.extend(browser(text).map(|part| (line + 1, part))),
        }
    }
    parts
}

fn part(kind: &str, text: String) -> Option<Part> {
    let (language, more) = kind.split_once(' ').unwrap_or((kind, ""));
    match (language, more) {
        ("console", "") => Some(Part::Commands { text, rough: false }),
        ("console", "rough") => Some(Part::Commands { text, rough: true }),
        ("console", "session") => Some(Part::Session { text }),
        (_, more) => match more.split_once('=') {
            Some(("file", path)) => Some(Part::File { path: path.to_owned(), text, appends: false }),
            Some(("append", path)) => Some(Part::File { path: path.to_owned(), text, appends: true }),
            _ => {
                assert!(more.is_empty(), "no reader knows what to do with ```{kind}");
                None
            }
        },
    }
}

/// `<!-- browser: ADDRESS shows TITLE -->`, or without the address for the page that is open.
fn browser(line: &str) -> Option<Part> {
    let told = line.strip_prefix("<!-- browser: ")?.strip_suffix(" -->").unwrap();
    let (address, title) = told.split_once("shows ").unwrap();
    let address = Some(address.trim().to_owned()).filter(|address| !address.is_empty());
    Some(Part::Browser { address, title: title.to_owned() })
}

impl Reader<'_> {
    fn follow(&mut self, line: usize, part: &Part) {
        match part {
            Part::File { path, text, appends: false } => drop(self.project.file(path, text)),
            Part::File { path, text, appends: true } => {
                let before = std::fs::read_to_string(self.project.path(path)).unwrap();
                self.project.file(path, &format!("{before}\n{text}"));
            }
            Part::Commands { text, rough } => self.call(line, text, *rough),
            Part::Session { text } => self.watch(line, text),
            Part::Browser { address, title } => self.look(address.as_deref(), title),
        }
    }

    /// Runs commands, and compares what each prints with the lines up to the next.
    fn call(&self, line: usize, text: &str, rough: bool) {
        for block in format!("\n{text}").split("\n$ ").skip(1) {
            let (command, wanted) = block.split_once('\n').unwrap_or((block, ""));
            let began = Instant::now();
            loop {
                let told = self.shell(command);
                if is_as_shown(&compared(wanted, rough), &compared(&told, rough)) {
                    break;
                }
                // devloop may be asked before the session has written down what it shows already.
                let may_come = command.starts_with("devloop ") && began.elapsed() < wait::DEADLINE;
                assert!(may_come, "line {line}: `{command}` prints\n{told}\nwhere the page shows\n{wanted}");
            }
        }
    }

    /// What a command prints, both streams in one, as a terminal has them.
    fn shell(&self, command: &str) -> String {
        let devloop = self.project.command(&[]).get_program().to_owned();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec 2>&1\ndevloop() {{ \"$DEVLOOP_OF_TEST\" \"$@\"; }}\n{command}"));
        shell.current_dir(self.project.root()).stdin(Stdio::null()).env("DEVLOOP_OF_TEST", devloop);
        shell.env_remove("RUST_LOG").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let output = shell.output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "`{command}` failed: {told}");
        told
    }

    /// The terminal of `devloop run`: a start, Ctrl-C, and lines that have to come, in any order between these two:
    /// programs run side by side.
    fn watch(&mut self, line: usize, text: &str) {
        let mut wanted = Vec::new();
        for shown in text.lines() {
            if shown.starts_with("^C") {
                self.wait_for(line, &std::mem::take(&mut wanted));
                self.keyboard.as_mut().unwrap_or_else(|| panic!("line {line}: no session runs")).ctrl('c');
            }
            if shown == "$ devloop run" {
                self.start(line);
            } else {
                wanted.push(shown);
            }
        }
        self.wait_for(line, &wanted);
        if text.lines().any(|shown| shown.starts_with("^C")) {
            let mut session = self.session.take().unwrap();
            // The terminal ends with its last holder.
            self.keyboard = None;
            assert!(session.wait().success(), "{}", session.told());
        }
    }

    fn start(&mut self, line: usize) {
        assert!(self.session.is_none(), "line {line}: a session runs already");
        let mut command = self.project.command(&["run"]);
        command.env("NO_COLOR", "1").env("TERM", "xterm");
        let (keyboard, session) = Keyboard::and_screen(&mut command, COLUMNS);
        (self.session, self.keyboard, self.read) = (Some(session), Some(keyboard), 0);
    }

    fn session(&self, line: usize) -> &Session {
        self.session.as_ref().unwrap_or_else(|| panic!("line {line}: no session runs"))
    }

    /// Waits until each of these lines has come since what was read before.
    fn wait_for(&mut self, line: usize, wanted: &[&str]) {
        if wanted.is_empty() {
            return;
        }
        let began = Instant::now();
        self.read = loop {
            let heard = self.session(line).stderr_lines();
            let heard: Vec<String> = heard.iter().map(|line| compared_line(line, false)).collect();
            let mut taken = vec![false; heard.len()];
            let mut is_there = |shown: &&&str| {
                let shown = compared_line(shown, false);
                let found = (self.read..heard.len()).find(|&at| !taken[at] && heard[at] == shown);
                found.inspect(|&at| taken[at] = true).is_some()
            };
            let missing: Vec<&&str> = wanted.iter().filter(|shown| !is_there(shown)).collect();
            if missing.is_empty() {
                break taken.iter().rposition(|&it| it).map_or(self.read, |at| at + 1);
            }
            let told = || self.session(line).told();
            assert!(began.elapsed() < wait::DEADLINE, "line {line}: {missing:#?} did not come\n{}", told());
            std::thread::sleep(Duration::from_millis(2));
        };
    }

    fn look(&mut self, address: Option<&str>, title: &str) {
        if let Some(address) = address {
            self.browser = Browser::open(address);
        }
        let Some(browser) = &self.browser else { return };
        let is_shown = || browser.titles().iter().any(|it| it == title);
        wait::until(&format!("the browser shows '{title}'"), || is_shown().then_some(()));
        // Its script may come later than its title, and whoever reads the tutorial is not so quick.
        if let Some(port) = address.and_then(|_| self.reload_port()) {
            wait::until("the page listens for reloads", || (wait::connections(port) > 0).then_some(()));
        }
    }

    /// The port of the session's reload stream, where it has one.
    fn reload_port(&self) -> Option<u16> {
        let lines = self.session.as_ref()?.stderr_lines();
        let line = lines.iter().find(|line| line.contains("listening for browser reload events at"))?;
        line.trim_end().strip_suffix("/browser-events")?.rsplit(':').next()?.parse().ok()
    }
}

/// Lines as they are compared; without empty ones at the end.
fn compared(text: &str, rough: bool) -> Vec<String> {
    text.trim_end().lines().map(|line| compared_line(line, rough)).collect()
}

/// A line without what is different each time: times, durations, pids, the names of logs, the port of the reload
/// stream, how many spaces a column needs, and where the terminal's edge cut it; roughly compared, without any number.
fn compared_line(line: &str, rough: bool) -> String {
    let line = if line.ends_with('…') { line.rsplit_once(": ").map_or(line, |(kept, _)| kept) } else { line };
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let before = words.last().map_or("", String::as_str);
        let is_time = without_numbers(word) == "0:0:0.0";
        let differs = is_time
            || rough
            || before.ends_with("pid")
            || word.contains("logs/session-")
            || word.ends_with("/browser-events");
        let is_unit = matches!(word.trim_end_matches([',', ')']), "ms" | "s" | "min" | "h");
        if is_unit && before.chars().all(|c| c.is_ascii_digit() || c == '.') && !before.is_empty() {
            "0".clone_into(words.last_mut().unwrap());
            words.push(word.replace("ms", "s").replace("min", "s"));
        } else if differs {
            words.push(without_numbers(word));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

/// Each number of a word as a 0.
fn without_numbers(word: &str) -> String {
    let mut left = String::new();
    for c in word.chars() {
        if !c.is_ascii_digit() {
            left.push(c);
        } else if !left.ends_with('0') {
            left.push('0');
        }
    }
    left
}

/// Whether what came is what is shown, where `...` stands for any lines.
fn is_as_shown(shown: &[String], came: &[String]) -> bool {
    match shown.split_first() {
        None => came.is_empty(),
        Some((first, rest)) if first == "..." => (0..=came.len()).any(|at| is_as_shown(rest, &came[at..])),
        Some((first, rest)) => came.split_first().is_some_and(|(it, came)| it == first && is_as_shown(rest, came)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_different_each_time_is_not_compared() {
        let same = |left: &str, right: &str| compared_line(left, false) == compared_line(right, false);
        assert!(same("INFO 19:20:34.050 started process a (pid 723)", "INFO 09:20:34.150 started process a (pid 1)"));
        assert!(same("ok 2 s ago, took 29 ms", "ok 15 min ago, took 1.2 s"));
        assert!(!same("3 pages", "4 pages"));
        assert!(!same("exit status 1", "exit status 2"));
    }

    #[test]
    fn three_dots_stand_for_any_lines() {
        let lines = |text: &str| compared(text, false);
        assert!(is_as_shown(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
        assert!(is_as_shown(&lines("a\n..."), &lines("a")));
        assert!(!is_as_shown(&lines("a\n...\nd"), &lines("a\nb\nc")));
        assert!(!is_as_shown(&lines("a"), &lines("a\nb")));
    }
}
