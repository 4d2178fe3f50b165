//! What is typed at the terminal that devloop runs on, a line at a time.
//!
//! A thread of its own reads, and only while devloop is the terminal's foreground: in the background it waits, and is
//! not stopped for it. Children have no part in the terminal, so nothing that is read here was meant for one.
//! Absent on purpose: single keys (that would take the line editing of the terminal away), and anything where stdin,
//! stdout or stderr is no terminal: a pager behind a pipe reads the same keyboard.

use super::digests::LastDigest;
use super::guardian;
use super::json;
use super::output::{Output, OwnLine};
use super::status_file;
use crate::hands::FactSender;
use crate::report::Reporter;
use crate::report::keys::{self, Key};
use devloop_core::fact::{Fact, Interrupt, Typed};
use devloop_core::notice::Level;
use devloop_core::value::Value;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, PipeReader, PipeWriter, Stdin};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

/// The longest line that is read, in bytes; a terminal gives at most 4096 (termios(3), canonical mode).
const LINE_MAX: usize = 4096;

/// Between two looks at who is in the foreground, while a line waits that is somebody else's.
const BACKGROUND: Duration = Duration::from_millis(250);

/// Erases the screen and what was scrolled out of it, and goes to its first line (ECMA-48: ED, CUP; xterm: ED 3).
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// Whether somebody can type.
pub fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// What keys need.
pub struct Desk {
    /// Where wishes go.
    pub facts: FactSender,
    /// Where answers are shown.
    pub output: Output,
    /// Who has the words, and the plan.
    pub reporter: Arc<Reporter>,
    /// What failed last.
    pub last_digest: LastDigest,
    /// Beside it lies what the session is doing.
    pub state_file: PathBuf,
    /// Whether the terminal can be cleared.
    pub can_clear: bool,
}

/// A keyboard that is listened to. Dropping it leaves what is typed from then on to whoever reads it next.
#[derive(Debug)]
pub struct Keyboard {
    /// Closed when it is dropped, which wakes the thread.
    _leave: PipeWriter,
}

impl Keyboard {
    /// Starts to listen. Fails when the system gives no thread or pipe.
    pub fn listen(desk: Desk) -> io::Result<Self> {
        // A read in the background then fails, where it would stop devloop and with it everything (SIGTTIN, termios(3)).
        guardian::ignore_background_reads();
        let (leave, writer) = io::pipe()?;
        std::thread::Builder::new().name("devloop-keys".to_owned()).spawn(move || read_all(&desk, &leave))?;
        Ok(Self { _leave: writer })
    }
}

fn read_all(desk: &Desk, leave: &PipeReader) {
    let stdin = io::stdin();
    let mut line = Vec::new();
    let mut buffer = [0; LINE_MAX];
    while wait(leave, Some(&stdin), None) {
        if !is_in_foreground(&stdin) {
            if !wait(leave, None, Some(BACKGROUND)) {
                return;
            }
            continue;
        }
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(count) => take(desk, &mut line, &buffer[..count]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Somebody else is in the foreground since the last look.
            Err(Errno::IO) if !is_in_foreground(&stdin) => {}
            Err(_) => return,
        }
    }
}

/// Waits for something to read, or for so long; `false` when nobody wants to know any more, or the terminal is gone.
fn wait(leave: &PipeReader, stdin: Option<&Stdin>, within: Option<Duration>) -> bool {
    let mut polled = vec![PollFd::new(leave, PollFlags::IN)];
    polled.extend(stdin.map(|stdin| PollFd::new(stdin, PollFlags::IN)));
    let within = within.map(|within| Timespec { tv_sec: 0, tv_nsec: i64::from(within.subsec_nanos()) });
    match poll(&mut polled, within.as_ref()) {
        Ok(_) => {
            let is_gone = polled
                .get(1)
                .is_some_and(|stdin| stdin.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL));
            polled[0].revents().is_empty() && !is_gone
        }
        Err(error) => error == Errno::INTR,
    }
}

/// Whether what is typed is for devloop. A terminal that controls nobody has no foreground, and whoever reads it gets it.
fn is_in_foreground(stdin: &Stdin) -> bool {
    rustix::termios::tcgetpgrp(stdin).is_ok_and(|foreground| foreground == rustix::process::getpgrp())
        || rustix::termios::tcgetpgrp(stdin) == Err(Errno::NOTTY)
}

/// Takes what was read; ctrl-d alone gives nothing, and means nothing.
fn take(desk: &Desk, line: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if byte == b'\n' || byte == b'\r' {
            let typed = String::from_utf8_lossy(line).into_owned();
            line.clear();
            obey(desk, &typed);
        } else if line.len() < LINE_MAX {
            line.push(byte);
        }
    }
}

fn obey(desk: &Desk, typed: &str) {
    let key = match keys::read(typed, &desk.reporter.plan()) {
        Ok(key) => key,
        Err(why) => return desk.reporter.answer(Level::Warn, &why),
    };
    match key {
        Key::Nothing => {}
        Key::Help => show(desk, desk.reporter.keys()),
        Key::Status => show(desk, status(desk)),
        Key::Failure => {
            let last = desk.last_digest.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match last {
                Some(digest) => show(desk, digest),
                None => desk.reporter.answer(Level::Info, "nothing has failed so far"),
            }
        }
        Key::Clear if desk.can_clear => show(desk, format!("{CLEAR}{}", desk.reporter.after_clear())),
        Key::Clear => desk.reporter.answer(Level::Warn, "this terminal cannot be cleared"),
        Key::Restart(process) => {
            desk.reporter.answer(Level::Info, &format!("restarting process {process}, as typed"));
            desk.facts.send(Fact::Typed(Typed::Restart(process)));
        }
        Key::Run(workflow) => {
            desk.reporter.answer(Level::Info, &format!("workflow {workflow} is wanted, as typed"));
            desk.facts.send(Fact::Typed(Typed::Run(workflow)));
        }
        Key::Quit => desk.facts.send(Fact::InterruptRequested(Interrupt::Typed)),
    }
}

/// Shows a page on the terminal alone: the session log is about what happens.
fn show(desk: &Desk, page: String) {
    desk.output.line(OwnLine { stderr: page.into_bytes(), log: Vec::new() });
}

/// What `devloop status` shows, from the same file.
fn status(desk: &Desk) -> String {
    let fields = status_file::read(&desk.state_file).ok().flatten().and_then(|text| json::object(&text).ok());
    let fields: Option<BTreeMap<String, Value>> =
        fields.map(|fields| fields.into_iter().map(|(key, value)| (key.as_str().to_owned(), value)).collect());
    match fields {
        Some(fields) => desk.reporter.status(&fields, SystemTime::now()),
        None => "what the session is doing cannot be read\n".to_owned(),
    }
}
