//! The thread on Linux: hears what the system tells, and compares for as long as it tells nothing.

use super::inotify::{self, Inotify};
use super::native::{CLOCK_LAG, Native};
use super::polling::{self, Poller};
use super::stamps::wall_clock;
use super::{Heard, Post, WatcherTrouble, wants_last_look};
use std::io::{self, PipeReader};
use std::time::{Duration, Instant};

/// How often a system that gave no queue is asked for one again.
const QUEUE_INTERVAL: Duration = Duration::from_secs(2);

/// Runs until the other end of `ended` is closed.
pub(super) fn run(post: Post, ended: &PipeReader) {
    run_with(post, ended, usize::MAX);
}

/// The same, with at most that many watches.
pub(super) fn run_with(post: Post, ended: &PipeReader, watches_max: usize) {
    let (root, interval) = (post.root.clone(), post.plan.watcher.poll_interval);
    let open = || Inotify::new(&root, interval, watches_max);
    let native = match open() {
        Ok(eyes) => {
            let mut native = Native::new(post, eyes);
            native.begin();
            Some(native)
        }
        Err(error) => {
            (post.heard)(Heard::Trouble(inotify::queue_trouble(&root, &error, interval)));
            compare_until(post, ended, open)
        }
    };
    let Some(mut native) = native else { return };
    while native.wait(ended) {
        native.turn();
    }
    if wants_last_look(ended) {
        native.last_look();
    }
    native.part();
}

/// Compares at intervals until the system gives a queue. `None`: the watcher was dropped before.
fn compare_until(post: Post, ended: &PipeReader, open: impl Fn() -> io::Result<Inotify>) -> Option<Native> {
    let mut poller = Poller::begin(post);
    let mut ask_at = Instant::now() + QUEUE_INTERVAL;
    while polling::is_quiet(ended, poller.interval) {
        let since = wall_clock() - CLOCK_LAG;
        poller.round();
        if poller.is_gone || Instant::now() < ask_at {
            continue;
        }
        if let Ok(eyes) = open() {
            (poller.heard)(Heard::Trouble(WatcherTrouble::HearsAgain { root: poller.named_root.clone() }));
            return Some(Native::resume(poller, eyes, since));
        }
        ask_at = Instant::now() + QUEUE_INTERVAL;
    }
    if wants_last_look(ended) {
        poller.round();
    }
    None
}
