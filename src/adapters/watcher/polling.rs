//! Comparing at intervals, on every system: `[watcher] kind = "poll"`.
//!
//! A file counts as changed when its mtime, size or inode differ; where they do not, but ctime does or the clock of the
//! file system is too coarse to tell, files up to 1 MiB are compared by content.

use super::batch::Batch;
use super::targets::Cover;
use super::tree::{Eyes, Look, Relative, Seen, Tree};
use super::{Ears, Heard, Post, WatcherTrouble, wants_last_look};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, PipeReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Nobody tells anything: every folder is compared.
pub(super) struct Closed;

impl Eyes for Closed {
    fn watch(&mut self, at: &Path, _: &Relative, _: Cover, _: bool) -> io::Result<Seen> {
        if at.is_dir() { Ok(Seen { watch: None, polled: true }) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn unwatch(&mut self, _: i32, _: &[u8]) {}
}

/// Compares everything, again and again.
pub(super) struct Poller {
    pub(super) tree: Tree,
    pub(super) batch: Batch,
    pub(super) heard: Ears,
    /// Root as the plan names it, perhaps through symlinks.
    pub(super) named_root: PathBuf,
    pub(super) interval: Duration,
    pub(super) is_gone: bool,
}

impl Poller {
    /// Has looked at nothing yet.
    pub(super) fn new(post: Post) -> Self {
        Self {
            tree: Tree::new(&post.plan, post.root, post.own.clone()),
            batch: Batch::new(&post.plan, post.own),
            heard: post.heard,
            named_root: post.plan.root.clone(),
            interval: post.plan.watcher.poll_interval,
            is_gone: false,
        }
    }

    /// Looks at everything for the first time.
    pub(super) fn begin(post: Post) -> Self {
        let mut poller = Self::new(post);
        poller.tree.survey(&mut Closed, b"", Look::First, &mut poller.batch);
        poller.tell();
        (poller.heard)(Heard::Began);
        poller
    }

    /// Compares once.
    pub(super) fn round(&mut self) {
        // A root that is away changes nothing; what is different when it is back counts then.
        if self.tree.root().is_dir() == self.is_gone {
            self.is_gone = !self.is_gone;
            let root = self.named_root.clone();
            let gone = WatcherTrouble::RootGone { root: root.clone() };
            let trouble = if self.is_gone { gone } else { WatcherTrouble::RootBack { root } };
            (self.heard)(Heard::Trouble(trouble));
        }
        if self.is_gone {
            return;
        }
        self.tree.survey(&mut Closed, b"", Look::Poll, &mut self.batch);
        let touches = self.batch.take();
        if !touches.is_empty() {
            (self.heard)(Heard::Touched(touches));
        }
        self.tell();
    }

    fn tell(&mut self) {
        for trouble in self.tree.troubles() {
            (self.heard)(Heard::Trouble(trouble));
        }
    }
}

/// Runs until the other end of `ended` is closed.
pub(super) fn run(post: Post, ended: &PipeReader) {
    let mut poller = Poller::begin(post);
    while is_quiet(ended, poller.interval) {
        poller.round();
    }
    if wants_last_look(ended) {
        poller.round();
    }
}

/// Waits for that long. False: the watcher is dropped.
pub(super) fn is_quiet(ended: &PipeReader, span: Duration) -> bool {
    let timeout = Timespec::try_from(span).ok();
    let mut sources = [PollFd::new(ended, PollFlags::IN)];
    let _ = poll(&mut sources, timeout.as_ref());
    sources[0].revents().is_empty()
}
