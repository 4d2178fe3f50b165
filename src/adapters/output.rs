//! The way of every byte that children and devloop itself write: pipes to labelled, harmless, whole lines to stdout,
//! stderr and the session log. The bytes never pass through the engine or the loop.
//!
//! One thread (`devloop-output`) reads all pipes and makes lines; one thread for each distinct file writes them. When a
//! file takes no more, the pipes that lead to it are not read: the child waits, and nothing else does. Every call on
//! [`Output`] returns at once. Order is kept per stream, and across stdout and stderr where they are one file.
//!
//! What a line may contain is decided in `filter`, what is searched in it in `rules`. The terminal gets the filtered line,
//! the session log its exact bytes with the plain label. Colours of a child pass where that stream has colours.
//!
//! Absent on purpose: who a child is and when it lives (`process`, `hook`), the name and age of session logs, the words of
//! notices (the caller hands over finished lines), and any decision about what a captured value means.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use devloop_core::notice::Who;
use regex::Regex;
use tokio::sync::oneshot;

mod child;
#[cfg(test)]
mod dice;
mod filter;
mod inbox;
mod label;
mod lines;
mod reader;
pub mod replay;
mod rules;
mod secrets;
mod sinks;
mod spares;
mod tail;
mod writer;

use super::log_index::IndexWriter;
use inbox::{Command, Inbox};
use lines::Line;
use writer::Queue;

pub use rules::{Extract, Rule};
pub use secrets::{Secrets, TOKEN_BYTES, TOKEN_PREFIX, Token, mask_shapes};

/// How long a stream is silent before its unfinished line is shown.
const SILENCE: Duration = Duration::from_secs(1);

/// Bytes of stdout that are kept of a child with `capture`; with more, the capture has overflowed.
pub const CAPTURE_MAX: usize = 1024 * 1024;

/// Makes a whole line of devloop's own, as it goes to stderr or the log, of a warning's words.
pub type Warning = Box<dyn Fn(&str) -> Vec<u8> + Send>;

/// What stands in front of each line of a child that is shown now, as its time.
pub type Stamp = Box<dyn Fn() -> Vec<u8> + Send>;

/// Where lines go, and how they look there.
pub struct SinkOptions {
    /// Takes what children write to stdout. Its blocking mode is left as it is.
    pub stdout: OwnedFd,
    /// Takes what children write to stderr, and devloop's own lines.
    pub stderr: OwnedFd,
    /// The session log, open for writing at its end.
    pub log: Option<File>,
    /// Bytes that the session log may have in all; at the end of it stands a line that says so.
    pub log_bytes_max: u64,
    /// Learns when the log's bytes came and how the labels in it look.
    pub log_index: Option<IndexWriter>,
    /// Whether stdout shows colours.
    pub stdout_colours: bool,
    /// Whether stderr shows colours.
    pub stderr_colours: bool,
    /// How wide labels of children are where they are shown, in columns; narrower ones get blanks behind them.
    pub label_width: usize,
    /// What stands in front of each line of a child where it is shown; the same for all lines of one read.
    pub stamp: Option<Stamp>,
    /// How this room's own warnings look.
    pub warning: Warning,
    /// What is shown and captured as `***`.
    pub secrets: Arc<Secrets>,
}

/// Makes a line of devloop's own of the last lines of a child. Called on the reader's thread.
pub type Recalled = Box<dyn FnOnce(&[String]) -> OwnLine + Send>;

/// One start of one child, as far as its output is concerned.
pub struct ChildStreams {
    /// `EXE NAME`: what stands between the brackets in front of each line.
    pub label: String,
    /// Who it is, if somebody may ask for its last lines.
    pub who: Option<Who>,
    /// The read end of its stdout.
    pub stdout: OwnedFd,
    /// The read end of its stderr.
    pub stderr: OwnedFd,
    /// Whether its lines go to stdout and stderr, too; the session log has them all.
    pub inherit: bool,
    /// How its lines look.
    pub style: BodyStyle,
    /// Its lines pass unfiltered, whatever they do to the terminal.
    pub raw: bool,
    /// What is searched in its lines.
    pub rules: Vec<Rule>,
    /// What its readiness and its liveness wait for.
    pub patterns: Vec<Regex>,
    /// Whether its stdout is kept, up to [`CAPTURE_MAX`].
    pub capture: bool,
    /// Hears what was found. Called on the reader's thread: it may only put the word into a channel.
    pub heard: Box<dyn Fn(Heard) + Send>,
}

/// How the body of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyStyle {
    /// As the child wrote it.
    #[default]
    Plain,
    /// Dim, where the stream has colours.
    Dim,
}

/// What was found in a child's lines. After a first word at once, the next ones are gathered for some milliseconds, and
/// of each key only the last value is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A rule matched.
    Captured {
        /// The rule's key.
        state_key: String,
        /// At most 8 KiB, without control characters.
        value: String,
    },
    /// The pattern with this index matched at least once since it was last told.
    PatternMatched(usize),
    /// There was more to capture than [`CAPTURE_MAX`]; once.
    CaptureOverflowed,
}

/// The answer to [`Output::drain`].
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// The exact bytes of stdout, for a child with `capture`.
    pub captured: Option<Vec<u8>>,
    /// There were more than [`CAPTURE_MAX`]; `captured` holds the first of them.
    pub overflowed: bool,
}

/// A line of devloop's own in its two forms; an empty form is not written. A missing line end is added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnLine {
    /// As stderr gets it, colours included.
    pub stderr: Vec<u8>,
    /// As the session log gets it.
    pub log: Vec<u8>,
}

/// One attached child; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamsId(u64);

/// The handle through which everyone speaks to the output threads. Cheap to clone; no call waits for anything.
#[derive(Clone)]
pub struct Output {
    inbox: Arc<Inbox>,
    next_id: Arc<AtomicU64>,
}

/// The end of the output: held by whoever ends the session.
pub struct OutputEnd {
    inbox: Arc<Inbox>,
    queues: Vec<Arc<Queue>>,
}

impl Output {
    /// Starts the threads. Fails when the system gives no thread or pipe.
    pub fn start(options: SinkOptions) -> io::Result<(Self, OutputEnd)> {
        let (inbox, wake) = inbox::open()?;
        let sinks = sinks::Sinks::open(options, &inbox)?;
        let queues = sinks.queues();
        reader::start(Arc::clone(&inbox), wake, sinks)?;
        let output = Self { inbox: Arc::clone(&inbox), next_id: Arc::default() };
        Ok((output, OutputEnd { inbox, queues }))
    }

    /// Reads the child's pipes from now on.
    pub fn attach(&self, streams: ChildStreams) -> StreamsId {
        let id = StreamsId(self.next_id.fetch_add(1, Ordering::Relaxed));
        self.inbox.send(Command::Attach(id, Box::new(streams)));
        id
    }

    /// The child is dead: all that is in its pipes is read at once, however full the files are, its unfinished lines are
    /// shown, and what was found in them is told; then `done` is answered. Descendants that still hold the pipes go on
    /// being shown, but nothing they write is searched or captured. While a file takes nothing, up to 64 MiB of dead children
    /// wait for it; lines beyond that are counted, and the number is told. `done` is dropped when the output has ended.
    pub fn drain(&self, id: StreamsId, done: oneshot::Sender<Drained>) {
        self.inbox.send(Command::Drain(id, done));
    }

    /// Writes a line of devloop's own that is made of the last lines of a child's newest start: at most twenty, 4 KiB in
    /// all, as stderr shows them; none when there is no such child.
    pub fn recall(&self, who: Who, make: Recalled) {
        self.inbox.send(Command::Recall(who, make));
    }

    /// From now on wishes gather, and nobody is woken for each: another thread that wakes up on a busy machine would take
    /// the processor from a child that is about to start.
    pub fn hold(&self) {
        self.inbox.hold();
    }

    /// Wakes the reader for what has gathered since [`Self::hold`], if that was called.
    pub fn release(&self) {
        self.inbox.release();
    }

    /// Writes a line of devloop's own, after all lines of children that were read before. While a file takes nothing, up
    /// to 4 MiB wait for it; more are counted, and the number is told when it goes on.
    pub fn line(&self, line: OwnLine) {
        self.inbox.send(Command::Line(line));
    }
}

impl OutputEnd {
    /// Shows what is left in all pipes, and waits until everything is written, or until nothing could be written for
    /// `within` (at most ten times that in all). Answers whether everything was. Waits: not for the loop's thread while
    /// the loop still runs.
    pub fn flush_and_stop(self, within: Duration) -> bool {
        // Whoever held wishes back has ended before it could let them go.
        self.inbox.release();
        let mut written = true;
        let mut stalled = vec![false; self.queues.len()];
        // A second time for what the first says: a file that failed is told in another.
        for _ in 0..2 {
            let (done, is_done) = std::sync::mpsc::channel();
            self.inbox.send(Command::Finish(done));
            written = is_done.recv_timeout(within * 10).is_ok();
            for (queue, is_stalled) in self.queues.iter().zip(&mut stalled) {
                // A file that took nothing the first time is not waited for again.
                *is_stalled = !queue.wait_until_written(if *is_stalled { Duration::ZERO } else { within });
                written &= !*is_stalled;
            }
        }
        written
    }
}

impl Drop for OutputEnd {
    /// Ends the threads; without a flush before, what is queued may be lost with the program.
    fn drop(&mut self) {
        self.inbox.close();
        for queue in &self.queues {
            queue.close();
        }
    }
}

#[cfg(test)]
mod tests;
