//! One thread a file: takes finished lines from a bounded queue and writes them, waiting for the file as long as it takes.
//!
//! The blocking mode of the file is never changed, since others share it; where someone else made it non-blocking, the
//! thread waits in `poll`. After an error the file is left alone: its lines are taken and dropped.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::super::log_index::IndexWriter;
use super::inbox::{Command, Inbox};
use super::spares::Spares;

/// Bytes that may wait for the file before pipes are no longer read.
const QUEUE_MAX: usize = 1024 * 1024;

/// Bytes of dead children that may wait for the file beyond that, when it is stalled while children come and go.
const DRAINED_MAX: usize = 64 * 1024 * 1024;

/// Bytes of devloop's own lines that may wait.
const OWN_MAX: usize = 4 * 1024 * 1024;

/// Chunks up to this many bytes together are written in one go; also the step in which a file that can stall is written.
const STEP: usize = 64 * 1024;

/// Whose lines they are: the two have separate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Child,
    Own,
}

/// Finished lines on their way to a file.
#[derive(Debug)]
pub(super) enum Batch {
    /// For one file.
    Alone(Vec<u8>),
    /// The same lines go to another file, too; whoever has written them last keeps the buffer.
    Shared(Arc<Vec<u8>>),
}

impl Batch {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Alone(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// The buffer, when nobody else needs what is in it.
    fn into_used(self) -> Option<Vec<u8>> {
        match self {
            Self::Alone(bytes) => Some(bytes),
            Self::Shared(bytes) => Arc::into_inner(bytes),
        }
    }
}

struct Chunk {
    batch: Batch,
    own: usize,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Bytes in `chunks` and in the writer's hands.
    queued: usize,
    /// How many of them are devloop's own.
    own: usize,
    spares: Spares,
    /// For the index, before the next lines.
    labels: Vec<u8>,
    /// The writer sleeps until it is told of more.
    asleep: bool,
    broken: bool,
    closed: bool,
}

impl State {
    /// Puts the lines behind the others, small ones into one piece with those before them; a buffer for the next ones,
    /// perhaps with what was in it.
    fn add(&mut self, batch: Batch, own: usize) -> Option<Vec<u8>> {
        if let (Some(Chunk { batch: Batch::Alone(last), own: of_last }), Batch::Alone(bytes)) =
            (self.chunks.back_mut(), &batch)
            && last.len() + bytes.len() <= STEP
        {
            last.extend_from_slice(bytes);
            *of_last += own;
            return batch.into_used();
        }
        self.chunks.push_back(Chunk { batch, own });
        self.spares.take()
    }
}

/// What waits for one file.
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
    reader_waits: AtomicBool,
    written: AtomicU64,
}

/// Starts the thread that writes to `file`; `sink` is the number under which it tells the inbox of a failure.
/// An index learns of all that the file gets.
pub(super) fn start(
    sink: usize,
    (file, index): (OwnedFd, Option<IndexWriter>),
    inbox: Arc<Inbox>,
) -> io::Result<Arc<Queue>> {
    let queue = Arc::new(Queue {
        state: Mutex::default(),
        filled: Condvar::new(),
        emptied: Condvar::new(),
        reader_waits: AtomicBool::new(false),
        written: AtomicU64::new(0),
    });
    let shared = Arc::clone(&queue);
    thread::Builder::new()
        .name("devloop-write".to_owned())
        .spawn(move || shared.write(sink, (&file, index), &inbox))?;
    Ok(queue)
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts whole lines behind the others and gives a buffer back that nobody needs where there is one, or the lines
    /// themselves when too much waits already. A broken file takes everything.
    pub(super) fn push(&self, batch: Batch, whose: Whose) -> Result<Option<Vec<u8>>, Batch> {
        let mut state = self.lock();
        let length = batch.bytes().len();
        if state.broken || state.closed || length == 0 {
            return Ok(batch.into_used());
        }
        let own = if whose == Whose::Own { length } else { 0 };
        let is_full = match whose {
            Whose::Own => state.own + own > OWN_MAX,
            Whose::Child => state.queued > DRAINED_MAX,
        };
        if is_full {
            return Err(batch);
        }
        state.queued += length;
        state.own += own;
        let spare = state.add(batch, own);
        // Waking who is awake would be a system call for nothing.
        let was_asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if was_asleep {
            self.filled.notify_one();
        }
        Ok(spare)
    }

    /// Has a line of an index written before what is pushed next.
    pub(super) fn tell_index(&self, line: &str) {
        self.lock().labels.extend_from_slice(line.as_bytes());
    }

    /// Whether children may write more. When not, the reader is woken as soon as they may.
    pub(super) fn has_room(&self) -> bool {
        let state = self.lock();
        let has_room = state.queued < QUEUE_MAX;
        if !has_room {
            self.reader_waits.store(true, Ordering::Relaxed);
        }
        has_room
    }

    /// Waits until nothing is queued; gives up when nothing was written for `within`, or after ten times that.
    pub(super) fn wait_until_written(&self, within: Duration) -> bool {
        let latest = Instant::now() + within * 10;
        let mut state = self.lock();
        while state.queued > 0 {
            let before = self.written.load(Ordering::Relaxed);
            let (after, timeout) = self.emptied.wait_timeout(state, within).unwrap_or_else(PoisonError::into_inner);
            state = after;
            let is_stalled = timeout.timed_out() && before == self.written.load(Ordering::Relaxed);
            if state.queued > 0 && (is_stalled || Instant::now() >= latest) {
                return false;
            }
        }
        true
    }

    /// Ends the thread once it has written what is queued.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    fn write(&self, sink: usize, (file, mut index): (&OwnedFd, Option<IndexWriter>), inbox: &Inbox) {
        let is_regular = rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
        while let Some((Chunk { batch, own }, labels)) = self.next_chunk() {
            let length = batch.bytes().len();
            if let Some(index) = &mut index {
                index.labels(&labels);
                index.before(length);
            }
            let step = if is_regular { length } else { STEP };
            let outcome = batch.bytes().chunks(step).try_for_each(|part| self.write_all(file, part));
            let used = batch.into_used();
            let mut state = self.lock();
            state.queued -= length;
            state.own -= own;
            if outcome.is_err() {
                state.broken = true;
                let dropped = std::mem::take(&mut state.chunks);
                state.queued -= dropped.iter().map(|chunk| chunk.batch.bytes().len()).sum::<usize>();
                state.own = 0;
            }
            if let Some(used) = used {
                let now = Instant::now();
                state.spares.keep(used, now);
                state.spares.release(now);
            }
            let (is_empty, has_room) = (state.queued == 0, state.queued <= QUEUE_MAX / 2);
            if let Err(error) = outcome {
                // Before anyone can see the queue empty: who waits for that asks the reader next, behind this.
                inbox.send(Command::Failed { sink, error });
            }
            drop(state);
            if is_empty {
                self.emptied.notify_all();
            }
            if has_room && self.reader_waits.swap(false, Ordering::Relaxed) {
                inbox.wake();
            }
        }
    }

    fn next_chunk(&self) -> Option<(Chunk, Vec<u8>)> {
        let mut state = self.lock();
        loop {
            if let Some(chunk) = state.chunks.pop_front() {
                return Some((chunk, std::mem::take(&mut state.labels)));
            }
            if state.closed {
                return None;
            }
            state.asleep = true;
            state = match state.spares.release_at() {
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let calm = at.saturating_duration_since(Instant::now());
                    self.filled.wait_timeout(state, calm).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.spares.release(Instant::now());
        }
    }

    fn write_all(&self, file: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(file, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written.fetch_add(count as u64, Ordering::Relaxed);
                    bytes = &bytes[count..];
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(file, PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::inbox;
    use super::*;

    #[test]
    fn buffers_that_a_flood_needed_are_let_go_when_it_is_over() {
        let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
        let (inbox, _wake) = inbox::open().unwrap();
        let queue = start(0, (null.into(), None), inbox).unwrap();
        let mut kept_most = 0;
        for _ in 0..50 {
            assert!(queue.push(Batch::Alone(vec![b'x'; 300_000]), Whose::Child).is_ok());
            assert!(queue.wait_until_written(Duration::from_secs(60)));
            kept_most = kept_most.max(queue.lock().spares.bytes());
        }
        assert!(kept_most >= 300_000, "{kept_most}");
        let began = Instant::now();
        while queue.lock().spares.bytes() > 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "{} bytes", queue.lock().spares.bytes());
            thread::sleep(Duration::from_millis(5));
        }
        queue.close();
    }
}
