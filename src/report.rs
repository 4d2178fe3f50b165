//! From notices to words, and from words to the user. Only here and in the constructors of diagnostics is there text.
//!
//! Absent on purpose: any wait. A line is handed to the output room, which writes it when the terminal can take it.

pub mod argv;
pub mod audit;
pub mod boxed;
pub mod columns;
pub mod diagnostics;
pub mod digest;
pub mod escape;
pub mod failures;
pub mod filter;
pub mod first_screen;
pub mod forecast;
pub mod graph;
pub mod human;
pub mod keys;
pub mod local;
pub mod outline;
pub mod page;
pub mod status;
pub mod words;

use devloop_config::Diagnostic;
use devloop_core::notice::{Level, Notice};
use devloop_core::plan::Plan;
use devloop_core::plan::words::Words;
use devloop_core::plan::workflow::MessageStyle;
use devloop_core::value::Value;
use digest::Digest;
use filter::Filter;
use first_screen::Beginning;
use local::Zone;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// Columns of a terminal that does not know its width, and the widest page.
const WIDTH: usize = 80;
const WIDTH_MAX: usize = 120;

/// What stands on a screen that was cleared.
const CLEARED: &str = "devloop runs; h and Enter lists keys";

/// Takes finished lines without waiting: each ends with a line feed.
pub trait LineSink: Send + Sync {
    /// The same lines in two forms: as the user's stderr shows them, and as the session log keeps them.
    fn line(&self, shown: String, recorded: String);
}

/// Resolves the variables of a probe's URL for display.
pub type Resolve = Box<dyn Fn(&Words) -> String + Send + Sync>;

/// Tells the user what happens. Threads of adapters tell through it, too.
pub struct Reporter {
    sink: Box<dyn LineSink>,
    filter: Filter,
    plan: RwLock<Arc<Plan>>,
    resolve: Resolve,
    colors: bool,
    /// Columns of the user's terminal, if stderr is one.
    columns: Option<usize>,
    is_terminal: bool,
    is_quiet: bool,
    zone: Zone,
}

/// How lines look on the user's stderr.
#[derive(Debug)]
pub struct Look {
    /// Whether it has colours.
    pub colors: bool,
    /// Its width in columns, if it is a terminal that knows it.
    pub columns: Option<usize>,
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// Of what no filter hides, only warnings, failures and `log` steps are shown; the session log has it all.
    pub is_quiet: bool,
    /// Where the user is.
    pub zone: Zone,
}

impl Reporter {
    /// A reporter for one session.
    pub fn new(sink: Box<dyn LineSink>, filter: Filter, plan: Arc<Plan>, resolve: Resolve, look: Look) -> Self {
        let plan = RwLock::new(plan);
        let Look { colors, columns, is_terminal, is_quiet, zone } = look;
        Self { sink, filter, plan, resolve, colors, columns, is_terminal, is_quiet, zone }
    }

    /// What is said of a notice.
    pub fn words(&self, notice: &Notice) -> String {
        let plan = self.plan();
        words::of(notice, &plan, &*self.resolve)
    }

    /// Tells what the engine noticed.
    pub fn notice(&self, notice: &Notice) {
        if !self.tells(notice) {
            return;
        }
        if let Notice::Message { text, style: MessageStyle::Boxed, .. } = notice {
            let text = escape::one_line(text);
            self.sink.line(boxed::frame(&text, self.columns), boxed::frame(&text, None));
            return;
        }
        let plan = self.plan();
        let is_shown = !self.is_quiet || is_important(notice.level()) || notice.is_for_user();
        self.write(notice.part(), notice.level(), &words::of(notice, &plan, &*self.resolve), is_shown);
    }

    /// Whether a notice is shown at all.
    pub fn tells(&self, notice: &Notice) -> bool {
        notice.is_for_user() || self.filter.lets_through(notice.part(), notice.level())
    }

    /// A digest as stderr shows it.
    pub fn digest(&self, digest: &Digest, lines: &[String]) -> String {
        digest.page(lines, self.width(), self.colors)
    }

    fn width(&self) -> usize {
        self.columns.unwrap_or(WIDTH).min(WIDTH_MAX)
    }

    /// The plan that notices are about.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers what was typed; nothing hides that.
    pub fn answer(&self, level: Level, message: &str) {
        self.write("keys", level, message, true);
    }

    /// The list of keys.
    pub fn keys(&self) -> String {
        keys::page(&self.plan(), self.width(), self.colors)
    }

    /// The first line of a screen that was cleared.
    pub fn after_clear(&self) -> String {
        if self.colors { format!("\x1b[2m{CLEARED}\x1b[0m\n") } else { format!("{CLEARED}\n") }
    }

    /// What the session is doing, as things are `now`.
    pub fn status(&self, fields: &BTreeMap<String, Value>, now: SystemTime) -> String {
        status::page(fields, now, self.width(), self.colors)
    }

    /// From now on notices are about this plan.
    pub fn renew(&self, plan: Arc<Plan>) {
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// Shows diagnostics of a saved config, as `validate` does; no filter hides them.
    pub fn diagnostics(&self, diagnostics: &[Diagnostic], path: &str, text: &str) {
        if !diagnostics.is_empty() {
            let shown = diagnostics::render(diagnostics, path, text, self.colors);
            self.always(shown.trim_end(), diagnostics::render(diagnostics, path, text, false).trim_end());
        }
    }

    /// Tells something of an adapter's own.
    pub fn line(&self, part: &str, level: Level, message: &str) {
        if level == Level::Error || self.filter.lets_through(part, level) {
            self.write(part, level, message, !self.is_quiet || is_important(level));
        }
    }

    /// Tells something that no filter may hide, in a form of its own.
    pub fn always(&self, shown: &str, recorded: &str) {
        self.sink.line(format!("{shown}\n"), format!("{recorded}\n"));
    }

    /// Tells what the session is about to do: a page on a terminal, a line a topic elsewhere.
    pub fn first_screen(&self, beginning: &Beginning<'_>) {
        const PART: &str = "session";
        if !self.filter.lets_through(PART, Level::Info) {
            return;
        }
        let plan = self.plan();
        let rows = first_screen::rows(&plan, beginning);
        if !self.is_terminal || self.is_quiet {
            // Where the log is, its own line has said.
            for (label, text) in rows.iter().filter(|(label, _)| *label != "log") {
                self.line(PART, Level::Info, &format!("{label}: {text}"));
            }
            return;
        }
        let page = first_screen::page(env!("CARGO_PKG_VERSION"), &rows, self.width(), self.colors);
        let time = time_stamp();
        let recorded =
            rows.iter().map(|(label, text)| line(PART, Level::Info, &time, &format!("{label}: {text}"), false));
        self.sink.line(page, recorded.collect());
    }

    fn write(&self, part: &str, level: Level, message: &str, is_shown: bool) {
        let now = SystemTime::now();
        let recorded = line(part, level, &time_stamp_of(now), message, false);
        let shown = if is_shown {
            // Who sits in front of a terminal lives in local time; whoever reads a pipe may live anywhere.
            let time = if self.is_terminal { self.zone.clock(now) } else { time_stamp_of(now) };
            line(part, level, &time, message, self.colors)
        } else {
            String::new()
        };
        self.sink.line(shown, recorded);
    }
}

/// Whether a line says that something is not as it should be.
fn is_important(level: Level) -> bool {
    matches!(level, Level::Error | Level::Warn)
}

/// A warning as an engine line without colours, for rooms that write it themselves.
pub fn warning(part: &str, message: &str) -> String {
    line(part, Level::Warn, &time_stamp(), message, false)
}

/// The wall clock, as lines show it: RFC 3339 with milliseconds.
pub fn time_stamp() -> String {
    time_stamp_of(SystemTime::now())
}

/// A moment in the same form.
pub fn time_stamp_of(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The moment that a time stamp of this form names.
pub fn moment_of(stamp: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(stamp).ok()
}

/// The span of time that a text such as `10m` or `2h 30m` names.
pub fn span_of(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// An engine line, taken apart.
struct Parts<'a> {
    part: &'a str,
    level: Level,
    time: &'a str,
    message: &'a str,
}

fn parts(line: &str) -> Option<Parts<'_>> {
    let (part, rest) = line.strip_prefix("[devloop ")?.split_once("] ")?;
    let mut words = rest.splitn(3, ' ');
    let (level, time, message) = (words.next()?, words.next()?, words.next()?);
    let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug];
    let level = levels.into_iter().find(|of| name_of(*of).0 == level)?;
    moment_of(time)?;
    Some(Parts { part, level, time, message })
}

/// When devloop said a line of its own; none for any other line.
pub fn said_at(line: &str) -> Option<SystemTime> {
    moment_of(parts(line)?.time)
}

/// An engine line of a session log with the colours that it had; none for any other line.
pub fn painted(recorded: &str) -> Option<String> {
    parts(recorded).map(|it| line(it.part, it.level, it.time, it.message, true))
}

/// How a line names a level, and in which colour.
fn name_of(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Error => ("ERROR", "31"),
        Level::Warn => ("WARN", "33"),
        Level::Info => ("INFO", "32"),
        Level::Debug => ("DEBUG", "34"),
    }
}

/// An engine line: `[devloop PART] LEVEL TIME message` (fixed in shape; scripts read it).
fn line(part: &str, level: Level, time: &str, message: &str, colors: bool) -> String {
    let (name, color) = name_of(level);
    if colors {
        format!("\x1b[2m[devloop {part}]\x1b[0m \x1b[{color}m{name}\x1b[0m \x1b[2m{time}\x1b[0m {message}\n")
    } else {
        format!("[devloop {part}] {name} {time} {message}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_line_gets_the_colours_that_it_had() {
        let time = "2026-11-22T15:26:45.454Z";
        for level in [Level::Error, Level::Warn, Level::Info, Level::Debug] {
            let lines = [false, true].map(|colors| line("engine", level, time, "it  said", colors));
            assert_eq!(painted(lines[0].trim_end()).as_ref(), Some(&lines[1]));
            assert_eq!(said_at(lines[0].trim_end()), moment_of(time));
        }
        for other in
            ["[devloop] x", "[devloop a] LOUD 2026-11-22T15:26:45.454Z x", "[devloop a] INFO now x", "│ x │", ""]
        {
            assert_eq!((painted(other), said_at(other)), (None, None), "{other}");
        }
    }
}
