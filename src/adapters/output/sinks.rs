//! Where finished lines go: stdout, stderr and the session log, each distinct file with its own queue.
//!
//! A file that fails costs one warning: in the log for stdout and stderr, on stderr for the log. The log stops at its
//! limit with a line that says so.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use super::super::log_index::{IndexWriter, LabelLook, label_line};
use super::inbox::Inbox;
use super::secrets::Secrets;
use super::spares::Spares;
use super::tail::Tail;
use super::writer::{self, Batch, Queue, Whose};
use crate::report::human::count;

use super::{OwnLine, SinkOptions, Stamp, Warning};

/// Batches from this length on are not copied for the log but shared with it; below it, joining small pieces is cheaper.
const SHARED_MIN: usize = 16 * 1024;

/// The last line of a log.
const LOG_IS_FULL: &str = "the session log has reached its limit: nothing more is written to it";

/// One of the three destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Stdout,
    Stderr,
    Log,
}

struct Sink {
    queue: Arc<Queue>,
    /// As warnings name it.
    name: &'static str,
    /// Lines that were dropped since this was last told.
    lost: usize,
}

/// All destinations.
pub(super) struct Sinks {
    files: Vec<Sink>,
    stdout: usize,
    stderr: usize,
    log: Option<usize>,
    /// Labels that the log's index knows; none without an index.
    indexed: Option<HashSet<String>>,
    /// Bytes that the log still takes before its last line.
    log_left: u64,
    stdout_colours: bool,
    stderr_colours: bool,
    label_width: usize,
    stamp: Option<Stamp>,
    warning: Warning,
    secrets: Arc<Secrets>,
    spares: Spares,
}

impl Sinks {
    /// Starts a writer for each distinct file.
    pub(super) fn open(options: SinkOptions, inbox: &Arc<Inbox>) -> io::Result<Self> {
        let mut sinks = Vec::new();
        let mut add = |file: OwnedFd, index: Option<IndexWriter>, name| -> io::Result<usize> {
            let number = sinks.len();
            sinks.push(Sink { queue: writer::start(number, (file, index), Arc::clone(inbox))?, name, lost: 0 });
            Ok(number)
        };
        let (stdout, stderr) = if is_same_file(&options.stdout, &options.stderr) {
            let both = add(options.stdout, None, "stdout and stderr")?;
            (both, both)
        } else {
            (add(options.stdout, None, "stdout")?, add(options.stderr, None, "stderr")?)
        };
        let (mut log, mut indexed) = (None, None);
        let mut log_left = options.log_bytes_max;
        let log_last = (options.warning)(LOG_IS_FULL).len() as u64;
        if let Some(file) = options.log {
            let there = file.metadata()?.len();
            log_left = log_left.saturating_sub(there).saturating_sub(log_last);
            indexed = options.log_index.is_some().then(HashSet::new);
            log = Some(add(file.into(), options.log_index, "the session log")?);
        }
        Ok(Self {
            files: sinks,
            stdout,
            stderr,
            log,
            indexed,
            log_left,
            stdout_colours: options.stdout_colours,
            stderr_colours: options.stderr_colours,
            label_width: options.label_width,
            stamp: options.stamp,
            warning: options.warning,
            secrets: options.secrets,
            spares: Spares::default(),
        })
    }

    /// All queues, for whoever waits until they are written.
    pub(super) fn queues(&self) -> Vec<Arc<Queue>> {
        self.files.iter().map(|sink| Arc::clone(&sink.queue)).collect()
    }

    /// Whether stderr shows colours.
    pub(super) fn stderr_has_colours(&self) -> bool {
        self.stderr_colours
    }

    /// Whether child lines to that place show colours.
    pub(super) fn has_colours(&self, place: Place) -> bool {
        match place {
            Place::Stdout => self.stdout_colours,
            Place::Stderr => self.stderr_colours,
            Place::Log => false,
        }
    }

    /// How wide labels of children are where they are shown, in columns.
    pub(super) fn label_width(&self) -> usize {
        self.label_width
    }

    /// What stands in front of lines that are shown now; empty when nothing does.
    pub(super) fn stamp(&self) -> Vec<u8> {
        self.stamp.as_ref().map_or_else(Vec::new, |stamp| stamp())
    }

    /// Whether lines to that place are of any use.
    pub(super) fn has(&self, place: Place) -> bool {
        self.index(place).is_some()
    }

    /// Whether the place takes more from children; when not, the reader is woken once it does.
    pub(super) fn has_room(&self, place: Place) -> bool {
        self.index(place).is_none_or(|index| self.files[index].queue.has_room())
    }

    /// An empty buffer for a batch of lines.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.spares.take().unwrap_or_default()
    }

    /// A child with this label is about to write.
    pub(super) fn introduce(&mut self, look: &LabelLook) {
        let (Some(log), Some(indexed)) = (self.log, &mut self.indexed) else { return };
        if let Some(line) = label_line(look)
            && !indexed.contains(&line)
        {
            self.files[log].queue.tell_index(&line);
            indexed.insert(line);
        }
    }

    /// What nobody may see.
    pub(super) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// Hands finished lines of a child over. All of a child's bytes pass here or in `hand_over_both`, last before they
    /// are written: the place to mask what must not be seen.
    pub(super) fn hand_over(&mut self, place: Place, mut batch: Vec<u8>, tail: Option<&mut Tail>) {
        self.secrets.mask(&mut batch);
        if let Some(tail) = tail {
            tail.take(&batch);
        }
        self.push(place, batch, Whose::Child);
    }

    /// Hands over lines that look alike in their stream and in the log.
    pub(super) fn hand_over_both(&mut self, place: Place, mut batch: Vec<u8>, tail: Option<&mut Tail>) {
        self.secrets.mask(&mut batch);
        if let Some(tail) = tail {
            tail.take(&batch);
        }
        let left = self.log_left.checked_sub(batch.len() as u64);
        if let Some(left) = left.filter(|_| batch.len() >= SHARED_MIN && self.log.is_some()) {
            self.log_left = left;
            let shared = Arc::new(batch);
            for place in [place, Place::Log] {
                if let Some(index) = self.index(place) {
                    self.enqueue(index, Batch::Shared(Arc::clone(&shared)), Whose::Child);
                }
            }
        } else {
            let mut logged = self.buffer();
            logged.extend_from_slice(&batch);
            self.push(place, batch, Whose::Child);
            self.push(Place::Log, logged, Whose::Child);
        }
    }

    /// Writes a line of devloop's own.
    pub(super) fn own_line(&mut self, line: OwnLine) {
        self.own(Place::Stderr, line.stderr);
        self.own(Place::Log, line.log);
    }

    /// A writer has given its file up.
    pub(super) fn failed(&mut self, sink: usize, error: &io::Error) {
        let name = self.files[sink].name;
        let is_log = self.log == Some(sink);
        let warning = (self.warning)(&format!("cannot write to {name}: {error}; nothing more is written there"));
        if is_log {
            self.log = None;
            self.own(Place::Stderr, warning);
        } else {
            self.own(Place::Log, warning);
        }
    }

    /// Says how many lines were dropped, where there is room again to say it, or at the end, in any case.
    pub(super) fn tell_lost(&mut self, at_the_end: bool) {
        for index in 0..self.files.len() {
            let sink = &mut self.files[index];
            if sink.lost == 0 || !(sink.queue.has_room() || at_the_end) {
                continue;
            }
            let lost = std::mem::take(&mut sink.lost);
            let lines = count(lost, "line is", "lines are");
            let words = format!("{lines} missing in {}: it took nothing for too long", sink.name);
            let warning = (self.warning)(&words);
            // stdout is the children's alone.
            let place = if self.log == Some(index) { Place::Log } else { Place::Stderr };
            // Under the larger limit: the smaller one may be why there is something to tell.
            self.push(place, warning, Whose::Child);
        }
    }

    /// Takes a buffer back that nobody needs.
    pub(super) fn keep(&mut self, used: Vec<u8>) {
        self.spares.keep(used, Instant::now());
    }

    /// When `release` has something to do.
    pub(super) fn release_at(&self) -> Option<Instant> {
        self.spares.release_at()
    }

    /// Lets go of the buffers of a flood that is over.
    pub(super) fn release(&mut self, now: Instant) {
        self.spares.release(now);
    }

    /// Writes a warning of this room's own.
    pub(super) fn warn(&mut self, words: &str) {
        let line = (self.warning)(words);
        self.own(Place::Stderr, line.clone());
        self.own(Place::Log, line);
    }

    fn own(&mut self, place: Place, mut line: Vec<u8>) {
        if !line.is_empty() && !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        self.secrets.mask(&mut line);
        self.push(place, line, Whose::Own);
    }

    fn index(&self, place: Place) -> Option<usize> {
        match place {
            Place::Stdout => Some(self.stdout),
            Place::Stderr => Some(self.stderr),
            Place::Log => self.log,
        }
    }

    fn push(&mut self, place: Place, mut batch: Vec<u8>, whose: Whose) {
        let Some(index) = self.index(place) else { return };
        if batch.is_empty() {
            self.keep(batch);
            return;
        }
        let is_full = place == Place::Log && !self.fits_log(&mut batch);
        self.enqueue(index, Batch::Alone(batch), whose);
        if is_full {
            // Whoever looks into the log finds it there, and the others see where nothing can be found any more.
            self.warn(LOG_IS_FULL);
            self.log = None;
        }
    }

    fn enqueue(&mut self, index: usize, batch: Batch, whose: Whose) {
        let sink = &mut self.files[index];
        match sink.queue.push(batch, whose) {
            Ok(Some(used)) => self.keep(used),
            Ok(None) => {}
            Err(refused) => sink.lost += memchr::memchr_iter(b'\n', refused.bytes()).count(),
        }
    }

    /// Whether the log takes the batch; when not, the batch is cut after the last line that fits, and there is room for
    /// the log's last line.
    fn fits_log(&mut self, batch: &mut Vec<u8>) -> bool {
        if let Some(left) = self.log_left.checked_sub(batch.len() as u64) {
            self.log_left = left;
            return true;
        }
        let fits = usize::try_from(self.log_left).map_or(batch.len(), |left| left.min(batch.len()));
        batch.truncate(memchr::memrchr(b'\n', &batch[..fits]).map_or(0, |at| at + 1));
        self.log_left = u64::MAX;
        false
    }
}

/// Whether both are one terminal, pipe or file: then one queue keeps their order.
fn is_same_file(a: &impl AsFd, b: &impl AsFd) -> bool {
    match (rustix::fs::fstat(a), rustix::fs::fstat(b)) {
        (Ok(a), Ok(b)) => (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino),
        _ => false,
    }
}
