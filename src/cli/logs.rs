//! `devloop logs`: what the running session wrote, or one that is over. Reads the log and its index, and nothing else.

mod printer;

use super::living;
use super::mistakes;
use super::{print, stdout_colors};
use crate::adapters::session_log::lines::{Forward, begin_of_last};
use crate::adapters::session_log::past::{self, PastLog};
use crate::env_vars;
use crate::failure::Failure;
use crate::report::columns;
use crate::report::human;
use crate::report::local::Zone;
use crate::report::said_at;
use clap::ArgMatches;
use devloop_core::plan::Plan;
use printer::{OWN_NAME, Printer};
use regex::Regex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Lines with which following begins.
const FOLLOWED_LINES: usize = 10;

/// Between two looks at a log that is followed.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What the command line asks for.
pub(super) struct Asked {
    follows: bool,
    last: Option<usize>,
    /// None: everybody's lines.
    names: BTreeSet<String>,
    pattern: Option<Regex>,
    since: Option<SystemTime>,
    session: Session,
}

enum Session {
    /// The one that runs, else the newest.
    Newest,
    /// The one whose id begins so.
    Beginning(String),
    /// None: they are listed.
    Listed,
}

impl Asked {
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let session = match matches.get_one::<String>("session").map(String::as_str) {
            None => Session::Newest,
            Some("") => Session::Listed,
            Some(id) => Session::Beginning(id.to_owned()),
        };
        Self {
            follows: matches.get_flag("follow"),
            last: matches.get_one("lines").copied(),
            names: matches.get_many("process").into_iter().flatten().cloned().collect(),
            pattern: matches.get_one("grep").cloned(),
            since: matches.get_one("since").copied(),
            session,
        }
    }
}

/// `--grep`.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    // The parser draws the place below the pattern, which the error shows already; what is wrong is its last line.
    let words = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().replace("error: ", "");
    Regex::new(text).map_err(|error| format!("it is no pattern: {}", words(error)))
}

/// `--since`.
pub(super) fn since(text: &str) -> Result<SystemTime, String> {
    let moment = zone().moment(text.trim(), SystemTime::now());
    moment.ok_or_else(|| "name a span as 10m or 2h, a time as 14:30, a day as 2026-11-22, or RFC 3339".to_owned())
}

/// Who can be asked for by name, as far as the config tells.
pub(super) fn names_of(plan: &Plan) -> Vec<String> {
    let processes = plan.processes.keys().map(ToString::to_string);
    let hooks = plan.hooks.keys().map(ToString::to_string);
    processes.chain(hooks).chain([OWN_NAME.to_owned()]).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The ids of all sessions with a log, the newest first, and when each began.
pub(super) fn known(state_file: &Path) -> Vec<(String, String)> {
    let logs = past::of_state_file(state_file).unwrap_or_default();
    logs.into_iter().rev().map(|log| (log.id, zone().stamp(log.began))).collect()
}

pub(super) fn main(config: Option<&PathBuf>, asked: &Asked) -> Result<(), Failure> {
    let place = living::place(config)?;
    let folder = crate::adapters::session_log::folder_of(&place.state_file);
    let cannot_read = |what: &Path, error: &io::Error| {
        Failure::cannot_begin(format!("cannot read the session logs in '{}': {error}", what.display()))
    };
    let logs = past::of_state_file(&place.state_file).map_err(|error| cannot_read(&folder, &error))?;
    if logs.is_empty() {
        let why = format!("no session has left a log in '{}'", folder.display());
        return Err(Failure::cannot_begin_but(why, "`devloop run` starts one"));
    }
    let log = match &asked.session {
        Session::Listed => return print(&list(&logs)),
        Session::Newest => newest(logs),
        Session::Beginning(id) => beginning(logs, id)?,
    };
    let Some(mut log) = log else { return Ok(()) };
    check_names(asked, &log, place.plan.as_ref())?;
    match show(&mut log, asked) {
        Err(Ended::Unreadable(error)) => Err(cannot_read(&log.path, &error)),
        Err(Ended::Unwritable(error)) => Err(Failure::CannotWrite(error)),
        Ok(()) => Ok(()),
    }
}

/// The session that lives, else the newest. A run that could not start beside one is newer, and of less interest.
fn newest(mut logs: Vec<PastLog>) -> Option<PastLog> {
    let live = logs.iter().rposition(PastLog::is_live);
    match live.or_else(|| logs.iter().rposition(|log| !log.never_began())) {
        Some(at) => Some(logs.swap_remove(at)),
        None => logs.pop(),
    }
}

fn beginning(mut logs: Vec<PastLog>, id: &str) -> Result<Option<PastLog>, Failure> {
    // Also the file's name is understood.
    let name = id.rsplit('/').next().unwrap_or(id);
    let wanted = name.strip_prefix("session-").unwrap_or(name).trim_end_matches(".log");
    let found: Vec<usize> = (0..logs.len()).filter(|&at| logs[at].id.starts_with(wanted)).collect();
    let exact = logs.iter().position(|log| log.id == wanted);
    if let Some(at) = exact.or(if let [only] = found[..] { Some(only) } else { None }) {
        return Ok(Some(logs.swap_remove(at)));
    }
    let id = crate::report::escape::one_line(id);
    let (problem, shown) = if found.is_empty() {
        logs.reverse();
        (format!("no session begins with '{id}'"), logs)
    } else {
        let matching = logs.into_iter().filter(|log| log.id.starts_with(wanted)).rev().collect();
        (format!("more than one session begins with '{id}'"), matching)
    };
    let ids: Vec<String> = shown.iter().map(|log| format!("{} ({})", log.id, zone().stamp(log.began))).collect();
    Err(Failure::cannot_begin_but(problem, format!("there are {}", ids.join(", "))))
}

/// A name that nobody has would show nothing, and following it would wait for ever.
fn check_names(asked: &Asked, log: &PastLog, plan: Option<&Plan>) -> Result<(), Failure> {
    let mut known: BTreeSet<String> = plan.map(names_of).unwrap_or_default().into_iter().collect();
    known.extend(log.index.labels.iter().map(|look| look.name.clone()));
    let is_sure = plan.is_some() && !log.index.labels.is_empty();
    let Some(unknown) = asked.names.iter().find(|name| !known.contains(*name)).filter(|_| is_sure) else {
        return Ok(());
    };
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = mistakes::meant(unknown, &names, &format!("there are {}", names.join(", ")));
    let unknown = crate::report::escape::one_line(unknown);
    Err(Failure::cannot_begin_but(format!("no process or hook is called '{unknown}'"), hint))
}

/// Why showing ended early.
enum Ended {
    Unreadable(io::Error),
    Unwritable(io::Error),
}

fn show(log: &mut PastLog, asked: &Asked) -> Result<(), Ended> {
    let mut printer = Printer::new(asked, &log.index, stdout_colors());
    let begin = begin(log, asked, &mut printer).map_err(Ended::Unreadable)?;
    let file = log.file().try_clone().map_err(Ended::Unreadable)?;
    let mut forward = Forward::new(&file, begin);
    loop {
        // Before the look at the lines: what is written until it ends is all there then.
        let is_live = asked.follows && log.is_live();
        let mut each = |line: &[u8]| printer.line(line, asked.follows.then_some(&mut *log));
        let mut went = forward.read(&mut each).map_err(Ended::Unreadable)?;
        if let Some(rest) = forward.rest_of(is_live).filter(|_| went.is_continue()) {
            went = printer.line(&rest, None);
        }
        let went = if went.is_continue() { printer.flush() } else { went };
        if let Some(error) = printer.trouble() {
            return Err(Ended::Unwritable(error));
        }
        if went.is_break() || !is_live || is_nobody_left() {
            return Ok(());
        }
    }
}

/// Where the lines begin that are to be shown.
fn begin(log: &PastLog, asked: &Asked, printer: &mut Printer<'_>) -> io::Result<u64> {
    let from = asked.since.map_or(Ok(0), |since| begin_since(log, since))?;
    let is_tail = asked.follows && asked.since.is_none();
    match asked.last.or(is_tail.then_some(FOLLOWED_LINES)) {
        Some(count) => begin_of_last(log.file(), from..log.bytes, count, &mut |line| printer.accepts(line)),
        None => Ok(from),
    }
}

/// Where what came since a moment begins: by the index, and where that has nothing to say, by the times in devloop's
/// own lines. Rather too early than too late.
fn begin_since(log: &PastLog, since: SystemTime) -> io::Result<u64> {
    if log.written < since {
        return Ok(log.bytes);
    }
    let is_begin = |offset: u64| {
        let mut before = [0];
        offset == 0
            || (offset <= log.bytes && log.file().read_exact_at(&mut before, offset - 1).is_ok() && before == *b"\n")
    };
    if let Some(offset) = log.index.offset_since(since).filter(|&offset| is_begin(offset)) {
        return Ok(offset);
    }
    let marked = log.index.marks.last().map_or(0, |mark| mark.offset);
    let mut at = if is_begin(marked) { marked } else { 0 };
    let mut begin = at;
    let mut forward = Forward::new(log.file(), at);
    let _ = forward.read(&mut |line| {
        at += line.len() as u64 + 1;
        match str::from_utf8(line).ok().and_then(said_at) {
            Some(said) if said >= since => return ControlFlow::Break(()),
            Some(_) => begin = at,
            None => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(begin)
}

/// Waits a moment. `true`: nobody reads stdout any more.
fn is_nobody_left() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let is_gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    poll(&mut polled, Some(&PAUSE)).is_ok_and(|count| count > 0) && polled[0].revents().intersects(is_gone)
}

/// A line for each session, the newest first.
fn list(logs: &[PastLog]) -> String {
    let zone = zone();
    let now = SystemTime::now();
    let head = ["SESSION", "BEGAN", "LASTED", "SIZE"].map(str::to_owned).to_vec();
    let rows = logs.iter().rev().map(|log| {
        let is_live = log.is_live();
        let end = if is_live { now } else { log.written };
        let lasted = human::duration(end.duration_since(log.began).unwrap_or_default());
        let lasted = if is_live { format!("{lasted}, running") } else { lasted };
        vec![log.id.clone(), zone.stamp(log.began), lasted, human::bytes(log.bytes)]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let mut text = String::new();
    // An id that is cut would be of no use.
    for line in columns::lines(&rows, usize::MAX) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn zone() -> Zone {
    Zone::of_user(std::env::var(env_vars::TZ).ok().as_deref())
}
