//! Comparing at intervals, on every system: `[watcher] kind = "poll"`.
//!
//! A file counts as changed when its mtime, size or inode differ; where they do not, but ctime does or the clock of the
//! file system is too coarse to tell, files up to 1 MiB are compared by content.

use super::batch::Batch;
use super::targets::Cover;
use super::tree::{Eyes, Look, Relative, Seen, Tree};
use super::{Heard, Post, WatcherTrouble, wants_last_look};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, PipeReader};
use std::path::Path;
use std::time::Duration;

/// Nobody tells anything: every folder is compared.
pub(super) struct Closed;

impl Eyes for Closed {
    fn watch(&mut self, at: &Path, _: &Relative, _: Cover, _: bool) -> io::Result<Seen> {
        if at.is_dir() { Ok(Seen { watch: None, polled: true }) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn unwatch(&mut self, _: i32, _: &[u8]) {}
}

/// Runs until the other end of `ended` is closed.
pub(super) fn run(post: Post, ended: &PipeReader) {
    let named_root = post.plan.root.clone();
    let mut tree = Tree::new(&post.plan, post.root, post.own.clone());
    let mut batch = Batch::new(&post.plan, post.own);
    let mut is_gone = false;
    tree.survey(&mut Closed, b"", Look::First, &mut batch);
    tell(&mut tree, &post.heard);
    (post.heard)(Heard::Began);
    loop {
        let is_last = !is_quiet(ended, post.plan.watcher.poll_interval);
        if is_last && !wants_last_look(ended) {
            return;
        }
        // A root that is away changes nothing; what is different when it is back counts then.
        if tree.root().is_dir() == is_gone {
            is_gone = !is_gone;
            let root = named_root.clone();
            let gone = WatcherTrouble::RootGone { root: root.clone() };
            let trouble = if is_gone { gone } else { WatcherTrouble::RootBack { root } };
            (post.heard)(Heard::Trouble(trouble));
        }
        if is_gone && is_last {
            return;
        }
        if is_gone {
            continue;
        }
        tree.survey(&mut Closed, b"", Look::Poll, &mut batch);
        let touches = batch.take();
        if !touches.is_empty() {
            (post.heard)(Heard::Touched(touches));
        }
        tell(&mut tree, &post.heard);
        if is_last {
            return;
        }
    }
}

fn tell(tree: &mut Tree, heard: &super::Ears) {
    for trouble in tree.troubles() {
        heard(Heard::Trouble(trouble));
    }
}

/// Waits for that long. False: the watcher is dropped.
pub(super) fn is_quiet(ended: &PipeReader, span: Duration) -> bool {
    let timeout = Timespec::try_from(span).ok();
    let mut sources = [PollFd::new(ended, PollFlags::IN)];
    let _ = poll(&mut sources, timeout.as_ref());
    sources[0].revents().is_empty()
}
