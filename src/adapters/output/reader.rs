//! The thread that reads all pipes: waits in one `poll`, reads what is there, a bounded piece of each pipe in turn.
//!
//! `poll` and not `epoll`: a session has a few dozen pipes, a loud one is read a quarter of a MiB at a time, and one code
//! serves all systems.

use std::collections::BTreeMap;
use std::io::{self, PipeReader};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::child::{Child, Side};
use devloop_core::notice::Who;

use super::inbox::{self, Command, Inbox};
use super::sinks::Sinks;
use super::tail::Tail;

/// Bytes of one read.
const READ_MAX: usize = 256 * 1024;

/// Dead children whose pipes are still held by descendants (a daemon that a hook left behind). They cost two descriptors
/// each; beyond this number the oldest are closed.
const LINGERING_MAX: usize = 32;

/// How long the thread rests when the system refuses even a `poll`.
const REST: Duration = Duration::from_millis(50);

struct Reader {
    inbox: Arc<Inbox>,
    wake: PipeReader,
    sinks: Sinks,
    children: Vec<Child>,
    buffer: Vec<u8>,
    /// The last lines of those that are no longer there: of each the newest start.
    tails: BTreeMap<Who, Tail>,
    /// It was told that there are too many daemons; once is enough.
    told_of_daemons: bool,
}

/// Starts the thread; it ends when the inbox is closed.
pub(super) fn start(inbox: Arc<Inbox>, wake: PipeReader, sinks: Sinks) -> io::Result<()> {
    let (children, tails, buffer) = (Vec::new(), BTreeMap::new(), vec![0; READ_MAX]);
    let reader = Reader { inbox, wake, sinks, children, buffer, tails, told_of_daemons: false };
    thread::Builder::new().name("devloop-output".to_owned()).spawn(move || reader.run()).map(|_| ())
}

impl Reader {
    fn run(mut self) {
        while let Some(commands) = self.inbox.take() {
            for command in commands {
                self.obey(command);
            }
            self.sinks.tell_lost(false);
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(_) => {
                    thread::sleep(REST);
                    continue;
                }
            };
            for (child, side) in ready {
                let child = &mut self.children[child];
                // Another child of this round may have filled the file.
                if child.wanted(side, &self.sinks).is_some() {
                    child.read(side, &mut self.buffer, &mut self.sinks);
                }
            }
            let now = Instant::now();
            for child in &mut self.children {
                child.tick(now, &mut self.sinks);
            }
            self.sinks.release(now);
            self.forget();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Attach(id, streams) => {
                if let Some(who) = &streams.who {
                    self.tails.remove(who);
                }
                let child = Child::new(id, *streams, &self.sinks);
                self.sinks.introduce(&child.look());
                self.children.push(child);
            }
            Command::Recall(who, make) => {
                let living = self.children.iter().rev().find_map(|child| child.tail_of(&who));
                let tail = living.or_else(|| self.tails.get(&who));
                let lines = tail.map_or_else(Vec::new, |tail| tail.lines(self.sinks.stderr_has_colours()));
                self.sinks.own_line(make(&lines));
            }
            Command::Drain(id, done) => {
                if let Some(child) = self.children.iter_mut().find(|child| child.id == id) {
                    child.read_all(&mut self.buffer, &mut self.sinks);
                    // Who no longer waits for it does not need it.
                    let _ = done.send(child.settle(self.sinks.secrets()));
                }
            }
            Command::Line(line) => self.sinks.own_line(line),
            Command::Failed { sink, error } => self.sinks.failed(sink, &error),
            Command::Finish(done) => {
                for child in &mut self.children {
                    child.read_all(&mut self.buffer, &mut self.sinks);
                    child.settle(self.sinks.secrets());
                }
                self.children.clear();
                self.sinks.tell_lost(true);
                let _ = done.send(());
            }
        }
    }

    /// Waits for bytes, wishes, room or a deadline; answers which pipes can be read.
    fn wait(&mut self) -> Result<Vec<(usize, Side)>, Errno> {
        let mut polled = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let mut whose = Vec::new();
        for (index, child) in self.children.iter().enumerate() {
            for side in Side::BOTH {
                if let Some(pipe) = child.wanted(side, &self.sinks) {
                    polled.push(PollFd::new(pipe, PollFlags::IN));
                    whose.push((index, side));
                }
            }
        }
        let deadlines = self.children.iter().filter_map(Child::deadline);
        let deadline = deadlines.chain(self.sinks.release_at()).min();
        let timeout = deadline.map(|at| timespec(at.saturating_duration_since(Instant::now())));
        poll(&mut polled, timeout.as_ref())?;
        let is_woken = !polled[0].revents().is_empty();
        let ready = polled[1..].iter().zip(whose).filter(|(fd, _)| !fd.revents().is_empty());
        let ready = ready.map(|(_, whose)| whose).collect();
        if is_woken {
            inbox::hush(&mut self.wake);
        }
        Ok(ready)
    }

    fn forget(&mut self) {
        let over: Vec<Child> = self.children.extract_if(.., |child| child.is_over()).collect();
        for child in over {
            keep(&mut self.tails, &self.children, child);
        }
        let lingering = self.children.iter().filter(|child| child.is_drained()).count();
        for _ in LINGERING_MAX..lingering {
            if let Some(oldest) = self.children.iter().position(Child::is_drained) {
                let mut oldest = self.children.remove(oldest);
                // What it has written so far is not lost.
                oldest.read_all(&mut self.buffer, &mut self.sinks);
                keep(&mut self.tails, &self.children, oldest);
                if !std::mem::replace(&mut self.told_of_daemons, true) {
                    let words = format!(
                        "more than {LINGERING_MAX} daemons that children left behind still hold their output: \
                         that of the oldest is closed, and nothing more of it is shown"
                    );
                    self.sinks.warn(&words);
                }
            }
        }
    }
}

/// Keeps the last lines of a child that goes, unless its next start is there already.
fn keep(tails: &mut BTreeMap<Who, Tail>, children: &[Child], gone: Child) {
    if let Some((who, tail)) = gone.into_tail()
        && !children.iter().any(|child| child.tail_of(&who).is_some())
    {
        tails.insert(who, tail);
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
