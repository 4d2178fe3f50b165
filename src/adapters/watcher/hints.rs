//! Systems without inotify: `notify` gives hints of where something happened, and a comparison says what.
//!
//! Hints are not trusted for more than a place: the system merges events, tells them late, and tells modes too.

use super::batch::Batch;
use super::paths::name_of;
use super::stamps::Status;
use super::targets::Cover;
use super::tree::{Eyes, Look, Relative, Seen, Tree};
use devloop_core::fact::TouchKind;
use std::io;
use std::path::Path;

/// The system tells about root as a whole, so a folder needs no watch of its own.
pub(super) struct Told;

impl Eyes for Told {
    fn watch(&mut self, at: &Path, _: &Relative, _: Cover, follow: bool) -> io::Result<Seen> {
        let is_folder = at.is_dir() && (follow || !at.is_symlink());
        if is_folder { Ok(Seen { watch: None, polled: false }) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn unwatch(&mut self, _: i32, _: &[u8]) {}
}

/// Compares what is at a path, relative to root, with what was last seen there.
pub(super) fn look(tree: &mut Tree, path: &[u8], batch: &mut Batch) {
    let at = tree.at(path);
    let is_folder = at.is_dir() && (!at.is_symlink() || tree.follows(path));
    if tree.has(path) && !is_folder {
        return tree.vanished(&mut Told, path, batch);
    }
    if is_folder {
        if tree.has(path) {
            tree.survey(&mut Told, path, Look::Again { since: i128::MAX }, batch);
        } else {
            tree.appeared(&mut Told, path, batch);
        }
        while tree.stamp_some() {}
        return;
    }
    let found = Status::of(&at).ok().filter(|status| status.is_file || status.is_link);
    if name_of(path) == b".gitignore" {
        tree.survey(&mut Told, b"", Look::First, batch);
    }
    if found.map(|status| status.stamp()) != tree.stamp(path) && batch.touch(path, TouchKind::Settled) {
        if found.is_some() { tree.restamp(path) } else { tree.forget(path) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use thread::run;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod thread {
    use super::super::{Heard, Post, polling, wants_last_look};
    use super::*;
    use notify::{Event, RecursiveMode, Watcher as _};
    use std::io::PipeReader;
    use std::os::unix::ffi::OsStrExt;
    use std::sync::mpsc::{Receiver, channel};

    /// What the thread waits for.
    enum Word {
        Hint(notify::Result<Event>),
        /// The watcher was dropped, or retired: then a last look is due.
        Ended {
            is_retired: bool,
        },
    }

    /// Runs until the other end of `ended` is closed; compares at intervals if the system refuses to tell.
    pub(in super::super) fn run(post: Post, ended: &PipeReader) {
        let (sender, hints) = channel();
        let hint = sender.clone();
        let watcher = notify::recommended_watcher(move |event| {
            let _ = hint.send(Word::Hint(event));
        });
        let watching = watcher.and_then(|mut watcher| {
            watcher.watch(&post.root, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        let (Ok(_watcher), Ok(end)) = (watching, ended.try_clone()) else { return polling::run(post, ended) };
        std::thread::spawn(move || {
            let is_retired = wants_last_look(&end);
            let _ = sender.send(Word::Ended { is_retired });
        });
        listen(post, &hints);
    }

    fn listen(post: Post, hints: &Receiver<Word>) {
        let mut tree = Tree::new(&post.plan, post.root, post.own.clone());
        let mut batch = Batch::new(&post.plan, post.own);
        tree.survey(&mut Told, b"", Look::First, &mut batch);
        while tree.stamp_some() {}
        (post.heard)(Heard::Began);
        let mut is_over = false;
        while !is_over && let Ok(first) = hints.recv() {
            for told in std::iter::once(first).chain(hints.try_iter()) {
                match told {
                    Word::Ended { is_retired: false } => return,
                    Word::Ended { is_retired: true } => {
                        is_over = true;
                        look(&mut tree, b"", &mut batch);
                    }
                    Word::Hint(Ok(event)) if !event.need_rescan() => {
                        for path in &event.paths {
                            if let Ok(path) = path.strip_prefix(tree.root().to_owned()) {
                                look(&mut tree, path.as_os_str().as_bytes(), &mut batch);
                            }
                        }
                    }
                    Word::Hint(_) => look(&mut tree, b"", &mut batch),
                }
            }
            for trouble in tree.troubles() {
                (post.heard)(Heard::Trouble(trouble));
            }
            let touches = batch.take();
            if !touches.is_empty() {
                (post.heard)(Heard::Touched(touches));
            }
        }
    }
}
