//! What the thread on Linux does: waits for inotify, turns its events into touches, compares where events are missing.
//!
//! What an event means is decided here:
//! - `IN_MODIFY` and the creation of a file say that someone writes; `IN_CLOSE_WRITE` after either says it is whole.
//! - `IN_CLOSE_WRITE` alone (opened for writing, nothing written, or written through a mapping) and `IN_ATTRIB`
//!   (`touch`, but also `chmod`) count only if mtime, size or inode differ from what was last seen.
//! - A name that goes may be half of a save (`unlink` and create, a backup), and so may a temporary one that comes.
//! - A name that appears for a file that nobody will close (a hard link, `linkat` of an `O_TMPFILE`) is whole when it
//!   has more than one link, or content that nobody goes on writing for [`LINKED_WAIT`]; a symlink is whole at once.

mod wait;

use super::batch::Batch;
use super::inotify::{Event, Events, Inotify};
use super::paths::{join, name_of};
use super::polling::Poller;
use super::stamps::{Stamp, Status, wall_clock};
use super::targets::is_below;
use super::tree::{Look, Relative, Tree};
use super::{Ears, Heard, Post, WatcherTrouble, farewell};
use devloop_core::fact::TouchKind;
use rustix::fs::inotify::ReadFlags;
use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a new file with content may stay without a write before it counts as linked, not written.
const LINKED_WAIT: Duration = Duration::from_millis(2);

/// How often a lost root is looked for.
const ROOT_INTERVAL: Duration = Duration::from_millis(500);

/// How long the queue is read again and again before what was heard is sent.
const ROUND_TIME: Duration = Duration::from_millis(5);

/// How long the start may take to look at files; the rest are looked at afterwards.
const STAMP_TIME: Duration = Duration::from_millis(3);

/// Folders whose files are looked at between two looks at the queue. Fewer than that are looked at without delay.
const STAMP_FOLDERS: usize = 64;

/// Many folders are looked at only this long after the last came, when a starting session has done the rest of its work.
const STAMP_DELAY: Duration = Duration::from_secs(5);

/// File systems stamp changes with a clock that may be this far behind, in nanoseconds.
pub(super) const CLOCK_LAG: i128 = 20_000_000;

pub(super) struct Native {
    tree: Tree,
    eyes: Inotify,
    batch: Batch,
    heard: Ears,
    interval: Duration,
    /// Root as the plan names it, perhaps through symlinks.
    named_root: PathBuf,
    events: Events,
    /// Files that someone has begun to write.
    written: HashSet<Vec<u8>>,
    /// New files of which nobody knows whether they are written or linked, and when to decide.
    linked: HashMap<Vec<u8>, Instant>,
    /// A name that was moved away, with the cookie by which the system tells where it went.
    moving: Option<(u32, Vec<u8>)>,
    /// Turns in a row with hardly a pause between them, and when the last one ended.
    burst: (u32, Instant),
    /// Files whose stamps are older than what has been said about them.
    stale: HashSet<Vec<u8>>,
    /// The queue was empty at this moment (nanoseconds since 1970), so all before it is known.
    known_until: i128,
    rules_changed: bool,
    /// Something was mounted, or is not any more.
    mounts_changed: bool,
    lost: Lost,
    /// When files that nobody has looked at are due.
    stamp_at: Option<Instant>,
    polled: Vec<Relative>,
    poll_at: Instant,
}

/// What the events of a round left to be done.
#[derive(Default)]
struct Lost {
    /// Events are missing.
    events: bool,
    /// Root is not where it was.
    root: bool,
    /// The user has been told so.
    root_is_told: bool,
}

impl Native {
    pub(super) fn new(post: Post, eyes: Inotify) -> Self {
        Self::of(Poller::new(post), eyes)
    }

    /// Goes on where comparing at intervals ends.
    pub(super) fn resume(poller: Poller, eyes: Inotify, since: i128) -> Self {
        let mut native = Self::of(poller, eyes);
        native.eyes.watch_above(native.tree.root());
        native.known_until = since;
        native.compare();
        native.send();
        native
    }

    fn of(poller: Poller, eyes: Inotify) -> Self {
        let Poller { tree, batch, heard, named_root, interval, .. } = poller;
        Self {
            tree,
            eyes,
            batch,
            heard,
            interval,
            named_root,
            events: Events::default(),
            written: HashSet::new(),
            linked: HashMap::new(),
            moving: None,
            burst: (0, Instant::now()),
            stale: HashSet::new(),
            known_until: 0,
            rules_changed: false,
            mounts_changed: false,
            lost: Lost::default(),
            stamp_at: None,
            polled: Vec::new(),
            poll_at: Instant::now(),
        }
    }

    pub(super) fn begin(&mut self) {
        self.eyes.watch_above(self.tree.root());
        self.known_until = wall_clock() - CLOCK_LAG;
        self.survey(b"", Look::First);
        let watched = Instant::now();
        while watched.elapsed() < STAMP_TIME && self.tree.stamp_some() {}
        self.grown();
        self.tell_troubles();
        (self.heard)(Heard::Began);
    }

    /// The watches end with the program, and nobody waits for that.
    pub(super) fn part(&self) {
        farewell::close_later(self.eyes.queue());
    }

    /// Hears all that waits, says it, and looks at what is due.
    pub(super) fn turn(&mut self) {
        self.hear();
        self.work();
        self.burst.1 = Instant::now();
    }

    /// Says all that changed until now, also what would be looked at later.
    pub(super) fn last_look(&mut self) {
        let now = Instant::now();
        self.linked.values_mut().for_each(|at| *at = now);
        self.poll_at = now;
        // A round that took long has left something in the queue.
        let mut began = Instant::now();
        self.hear();
        while began.elapsed() > ROUND_TIME {
            began = Instant::now();
            self.hear();
        }
        self.work();
    }

    /// What a turn does with what was heard.
    fn work(&mut self) {
        self.settle_linked();
        if self.rules_changed {
            self.rules_changed = false;
            self.survey(b"", Look::First);
        }
        if std::mem::take(&mut self.mounts_changed) {
            for point in self.eyes.mounts().changed() {
                self.mounted(&point);
            }
        }
        if self.lost.root {
            self.seek_root();
        }
        if self.lost.events {
            self.lost.events = false;
            (self.heard)(Heard::Trouble(WatcherTrouble::Overflow));
            self.compare();
        }
        if !self.polled.is_empty() && Instant::now() >= self.poll_at {
            for path in self.polled.clone() {
                self.survey(&path, Look::Poll);
            }
            self.poll_at = Instant::now() + self.interval;
        }
        self.send();
        if self.stamp_at.is_some_and(|at| Instant::now() >= at) && !(0..STAMP_FOLDERS).all(|_| self.tree.stamp_some()) {
            self.stamp_at = None;
        }
    }

    /// Compares the tree with what was last seen of it.
    fn compare(&mut self) {
        let since = self.known_until;
        self.known_until = wall_clock() - CLOCK_LAG;
        self.written.clear();
        self.linked.clear();
        self.survey(b"", Look::Again { since });
    }

    fn survey(&mut self, path: &[u8], look: Look) {
        self.tree.survey(&mut self.eyes, path, look, &mut self.batch);
        self.grown();
    }

    /// Folders may have come.
    fn grown(&mut self) {
        self.stamp_at = match self.tree.unstamped() {
            0 => None,
            few if few <= STAMP_FOLDERS => Some(Instant::now()),
            _ => Some(Instant::now() + STAMP_DELAY),
        };
        self.polled = self.tree.polled();
    }

    /// Takes the queue until it is empty, or for as long as what was heard may wait.
    fn hear(&mut self) {
        let began = Instant::now();
        loop {
            let empty_at = wall_clock() - CLOCK_LAG;
            let mut events = std::mem::take(&mut self.events);
            let is_empty = self.eyes.read(&mut events);
            for (event, name) in events.iter() {
                self.heard(event, name);
            }
            let is_quiet = events.iter().next().is_none();
            self.events = events;
            if is_quiet && is_empty && !self.lost.events {
                self.known_until = empty_at;
            }
            if is_quiet || began.elapsed() > ROUND_TIME {
                return;
            }
        }
    }

    fn heard(&mut self, event: Event, name: &[u8]) {
        let what = event.what;
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.lost.events = true;
            return;
        }
        if what.contains(ReadFlags::IGNORED) {
            for path in self.eyes.ended(event.watch) {
                self.reconsider(&path);
            }
            return;
        }
        if self.eyes.is_end_of(self.tree.root(), event, name) {
            self.lost.root = true;
        }
        let folders: Vec<Relative> = self.eyes.paths(event.watch).collect();
        for folder in folders {
            if what.intersects(ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT) {
                self.reconsider(&folder);
            } else if !name.is_empty() {
                let path = join(&folder, name);
                if what.contains(ReadFlags::ISDIR) {
                    self.folder_heard(what, &path);
                } else {
                    self.file_heard(event, path);
                }
            }
        }
    }

    /// A watched folder is not where it was: whatever stands at its path is looked at anew.
    fn reconsider(&mut self, path: &[u8]) {
        if path.is_empty() {
            self.lost.root = true;
            return;
        }
        self.folder_vanished(path);
        self.folder_appeared(path);
    }

    /// Other files stand at a path than before. Where a mount ends the system tells so itself, but not where one begins.
    fn mounted(&mut self, point: &Path) {
        let Ok(path) = point.strip_prefix(self.tree.root()) else { return };
        match path.as_os_str().as_bytes() {
            b"" => self.compare(),
            path => {
                let path = path.to_owned();
                self.folder_vanished(&path);
                self.folder_appeared(&path);
            }
        }
    }

    fn folder_heard(&mut self, what: ReadFlags, path: &[u8]) {
        if what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            self.folder_appeared(path);
        } else if what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
            self.folder_vanished(path);
        } else if what.contains(ReadFlags::ATTRIB) && !self.tree.has(path) {
            // It may have become readable.
            self.folder_appeared(path);
        }
    }

    fn folder_vanished(&mut self, path: &[u8]) {
        self.tree.vanished(&mut self.eyes, path, &mut self.batch);
        // Nobody will hear the end of what was being written in it.
        let batch = &mut self.batch;
        self.written.retain(|written| !(is_below(written, path) && batch.touch(written, TouchKind::Settled)));
        self.stale.retain(|stale| !is_below(stale, path));
    }

    fn folder_appeared(&mut self, path: &[u8]) {
        if self.tree.at(path).is_dir() {
            self.tree.appeared(&mut self.eyes, path, &mut self.batch);
            self.grown();
        }
    }

    fn file_heard(&mut self, event: Event, path: Vec<u8>) {
        let what = event.what;
        let is_gone = what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        let is_whole = what.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO);
        if name_of(&path) == b".gitignore" && (is_gone || is_whole) {
            self.rules_changed = true;
        }
        if self.tree.follows(&path) {
            self.link_heard(what, &path);
        }
        if what.contains(ReadFlags::MODIFY) {
            if self.batch.touch(&path, TouchKind::Writing) {
                self.linked.remove(&path);
                self.written.insert(path);
            }
        } else if what.contains(ReadFlags::CREATE) {
            if self.batch.matters(&path) {
                self.linked.insert(path.clone(), Instant::now() + LINKED_WAIT);
                self.written.insert(path);
            }
        } else if is_gone {
            self.written.remove(&path);
            self.stale.remove(&path);
            self.tree.forget(&path);
            let is_temporary = self.tree.is_temporary(&path, false);
            self.batch.touch(&path, if is_temporary { TouchKind::Spent } else { TouchKind::Half });
            self.moving = Some((event.cookie, path)).filter(|_| what.contains(ReadFlags::MOVED_FROM) && !is_temporary);
        } else if what.contains(ReadFlags::MOVED_TO) {
            self.written.remove(&path);
            self.arrived(event.cookie, &path);
            self.settled(path);
        } else if what.contains(ReadFlags::CLOSE_WRITE) {
            if self.written.remove(&path) || self.differs(&path) {
                self.settled(path);
            }
        } else if what.contains(ReadFlags::ATTRIB) && !self.written.contains(&path) && self.differs(&path) {
            self.settled(path);
        }
    }

    /// A symlink that a pattern names as a folder.
    fn link_heard(&mut self, what: ReadFlags, path: &[u8]) {
        if what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            self.folder_vanished(path);
            self.folder_appeared(path);
        }
    }

    /// A name came by a rename. If it is to stay, the old name will not come back: it made no way for a backup.
    fn arrived(&mut self, cookie: u32, path: &[u8]) {
        if let Some((_, from)) = self.moving.take().filter(|(moved, _)| *moved == cookie)
            && !self.tree.is_temporary(path, true)
        {
            self.batch.touch(&from, TouchKind::Settled);
        }
    }

    fn settled(&mut self, path: Vec<u8>) {
        let kind = if self.tree.is_temporary(&path, true) { TouchKind::Half } else { TouchKind::Settled };
        if self.batch.touch(&path, kind) {
            self.stale.insert(path);
        }
    }

    /// Whether a file is other than it was last seen. Before anybody looked, a recent mtime stands for that.
    fn differs(&mut self, path: &[u8]) -> bool {
        if !self.batch.matters(path) {
            return false;
        }
        let Ok(status) = Status::of(&self.tree.at(path)) else { return false };
        match self.tree.stamp(path) {
            Some(known) if known != Stamp::UNKNOWN => known != status.stamp(),
            Some(_) => status.mtime >= self.known_until || status.mtime == status.ctime,
            None => true,
        }
    }

    /// Decides about new names: whether someone writes them, or no close will come.
    fn settle_linked(&mut self) {
        let now = Instant::now();
        for (path, due) in std::mem::take(&mut self.linked) {
            if !self.written.contains(&path) {
                continue;
            }
            let status = Status::of(&self.tree.at(&path)).ok().filter(|status| status.is_file || status.is_link);
            let Some(status) = status else {
                self.written.remove(&path);
                continue;
            };
            if status.is_link || status.links > 1 || (status.size > 0 && now >= due) {
                self.written.remove(&path);
                self.settled(path);
            } else if now < due {
                self.batch.touch(&path, TouchKind::Writing);
                self.linked.insert(path, due);
            }
        }
    }

    /// Root was moved or removed. Its watches stay with what was moved, so all are given back.
    fn seek_root(&mut self) {
        self.tree.blind(&mut self.eyes);
        let is_back = self.named_root.canonicalize().is_ok_and(|real| real == self.tree.root() && real.is_dir());
        let root = self.named_root.clone();
        if !is_back {
            if !self.lost.root_is_told {
                self.lost.root_is_told = true;
                (self.heard)(Heard::Trouble(WatcherTrouble::RootGone { root }));
            }
            return;
        }
        self.lost.root = false;
        self.compare();
        if std::mem::take(&mut self.lost.root_is_told) {
            (self.heard)(Heard::Trouble(WatcherTrouble::RootBack { root }));
        }
    }

    fn tell_troubles(&mut self) {
        for trouble in self.eyes.troubles().into_iter().chain(self.tree.troubles()) {
            (self.heard)(Heard::Trouble(trouble));
        }
    }

    /// Says what was heard; only then takes the time to look at it.
    fn send(&mut self) {
        let touches = self.batch.take();
        if !touches.is_empty() {
            (self.heard)(Heard::Touched(touches));
        }
        self.tell_troubles();
        for path in std::mem::take(&mut self.stale) {
            self.tree.restamp(&path);
        }
    }

    /// As if the system had lost events.
    #[cfg(test)]
    pub(super) fn lose_events(&mut self) {
        let mut events = Events::default();
        while !self.eyes.read(&mut events) {}
        self.lost.events = true;
    }
}
