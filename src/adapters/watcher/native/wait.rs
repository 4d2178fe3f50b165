//! What the thread waits for: the queue, the table of mounts, what is due, and its own end.

use super::super::polling;
use super::{Native, ROOT_INTERVAL};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::PipeReader;
use std::time::{Duration, Instant};

/// After so many turns with hardly a pause between them, a burst is on, and events are let come together.
const BURST_TURNS: u32 = 16;

/// The longest pause inside a burst.
const BURST_PAUSE: Duration = Duration::from_millis(2);

/// How long events are let come together in a burst. A single save never waits for this.
const BURST_WAIT: Duration = Duration::from_millis(1);

impl Native {
    /// Waits for something to do. False: the watcher is dropped.
    pub(in super::super) fn wait(&mut self, ended: &PipeReader) -> bool {
        let timeout = self.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|span| Timespec::try_from(span).ok());
        let (queue, mounts) = self.eyes.sources();
        let (table, news) = mounts.map_or((queue, PollFlags::empty()), |table| (table, PollFlags::PRI));
        let mut sources =
            [PollFd::new(&queue, PollFlags::IN), PollFd::new(ended, PollFlags::IN), PollFd::new(&table, news)];
        // An interrupted wait is a turn with nothing to do.
        let _ = poll(&mut sources, timeout.as_ref());
        let is_ended = !sources[1].revents().is_empty();
        self.mounts_changed |= sources[2].revents().contains(PollFlags::PRI);
        let (turns, last) = self.burst;
        self.burst.0 = if last.elapsed() < BURST_PAUSE { turns.saturating_add(1) } else { 0 };
        if turns < BURST_TURNS || is_ended { !is_ended } else { polling::is_quiet(ended, BURST_WAIT) }
    }

    /// When there is something to do without an event.
    fn next_deadline(&self) -> Option<Instant> {
        let linked = self.linked.values().min().copied();
        let root = self.lost.root.then(|| Instant::now() + ROOT_INTERVAL);
        let polled = (!self.polled.is_empty()).then_some(self.poll_at);
        [linked, root, polled, self.stamp_at].into_iter().flatten().min()
    }
}
