//! Linux: one inotify watch a folder, with a mask of changes only, so that reading costs nothing (inotify(7)).

use super::WatcherTrouble;
use super::mounts::Mounts;
use super::targets::Cover;
use super::tree::{Eyes, Relative, Seen};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;

/// Events of one round; more wait for the next, so that a flood cannot hold back what has been heard.
const ROUND_MAX: usize = 20_000;

/// One event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) watch: i32,
    pub(super) what: ReadFlags,
    /// The same for both events of a rename (inotify(7)).
    pub(super) cookie: u32,
    name_at: usize,
    name_length: usize,
}

/// The events of one round, with their names in one piece.
#[derive(Debug, Default)]
pub(super) struct Events {
    events: Vec<Event>,
    names: Vec<u8>,
}

impl Events {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Event, &[u8])> {
        self.events.iter().map(|event| (*event, &self.names[event.name_at..event.name_at + event.name_length]))
    }
}

/// The queue and the watches of it.
pub(super) struct Inotify {
    queue: OwnedFd,
    buffer: Vec<MaybeUninit<u8>>,
    paths: HashMap<i32, Relative>,
    /// The watch of the folder that holds root.
    above: Option<i32>,
    /// Further paths to one folder, which symlinks that a pattern names can make.
    also: Vec<(i32, Relative)>,
    mounts: Mounts,
    interval: Duration,
    limit_is_told: bool,
    troubles: Vec<WatcherTrouble>,
    /// How many watches there may be, for tests of the system's limit.
    watches_max: usize,
}

impl Inotify {
    pub(super) fn new(root: &Path, interval: Duration, watches_max: usize) -> io::Result<Self> {
        Ok(Self {
            queue: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            buffer: vec![MaybeUninit::uninit(); READ_BYTES],
            paths: HashMap::new(),
            above: None,
            also: Vec::new(),
            mounts: Mounts::at_and_below(root),
            interval,
            limit_is_told: false,
            troubles: Vec::new(),
            watches_max,
        })
    }

    /// Watches the folder that holds root. Root itself does not tell its end as long as anybody has a folder in it
    /// open: `IN_DELETE_SELF` comes when the inode is freed (inotify(7)).
    pub(super) fn watch_above(&mut self, root: &Path) {
        let mask = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        // Without it only a root that is in use when it is removed is missed.
        self.above = root.parent().and_then(|above| inotify::add_watch(&self.queue, above, mask).ok());
    }

    /// Whether an event tells that root is no longer where it was.
    pub(super) fn is_end_of(&self, root: &Path, event: Event, name: &[u8]) -> bool {
        self.above == Some(event.watch)
            && event.what.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM)
            && root.file_name().is_some_and(|root| root.as_bytes() == name)
    }

    pub(super) fn queue(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    /// What is mounted where.
    pub(super) fn mounts(&mut self) -> &mut Mounts {
        &mut self.mounts
    }

    /// What waits for news: the queue, and the table of mounts where there is one.
    pub(super) fn sources(&self) -> (BorrowedFd<'_>, Option<BorrowedFd<'_>>) {
        (self.queue.as_fd(), self.mounts.table())
    }

    pub(super) fn troubles(&mut self) -> Vec<WatcherTrouble> {
        std::mem::take(&mut self.troubles)
    }

    /// Reads all that waits, at most a round of it. True: the queue is empty.
    pub(super) fn read(&mut self, into: &mut Events) -> bool {
        into.events.clear();
        into.names.clear();
        let mut reader = Reader::new(&self.queue, &mut self.buffer);
        loop {
            // What has been read from the system is lost with the reader, so a round ends only between two reads.
            if into.events.len() >= ROUND_MAX && reader.is_buffer_empty() {
                return false;
            }
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map_or(&b""[..], |name| name.to_bytes());
                    let name_at = into.names.len();
                    into.names.extend_from_slice(name);
                    let (watch, what, cookie) = (event.wd(), event.events(), event.cookie());
                    into.events.push(Event { watch, what, cookie, name_at, name_length: name.len() });
                }
                Err(Errno::INTR) => {}
                Err(_) => return true,
            }
        }
    }

    /// The folders that a watch stands for: mostly one.
    pub(super) fn paths(&self, watch: i32) -> impl Iterator<Item = Relative> {
        let also = self.also.iter().filter(move |(known, _)| *known == watch).map(|(_, path)| Arc::clone(path));
        self.paths.get(&watch).map(Arc::clone).into_iter().chain(also)
    }

    /// The system ended a watch by itself (`IN_IGNORED`); answers with its folders.
    pub(super) fn ended(&mut self, watch: i32) -> Vec<Relative> {
        let paths = self.paths(watch).collect();
        self.paths.remove(&watch);
        self.also.retain(|(known, _)| *known != watch);
        paths
    }

    fn remember(&mut self, watch: i32, path: &Relative) {
        match self.paths.get(&watch) {
            Some(known) if known != path => {
                if !self.also.iter().any(|(also, known)| *also == watch && known == path) {
                    self.also.push((watch, Arc::clone(path)));
                }
            }
            Some(_) => {}
            None => {
                self.paths.insert(watch, Arc::clone(path));
            }
        }
    }

    fn limit_is_reached(&mut self, at: &Path, setting: &'static str) {
        if !self.limit_is_told {
            self.limit_is_told = true;
            self.troubles.push(limit_trouble(at, setting, self.interval));
        }
    }

    /// Whether a folder is the top of a mount that does not tell all changes; says so once.
    fn is_silent(&mut self, at: &Path) -> bool {
        let Some((kind, is_news)) = self.mounts.silent(at) else { return false };
        if is_news {
            self.troubles.push(WatcherTrouble::SilentMount { folder: at.to_owned(), kind, interval: self.interval });
        }
        true
    }
}

/// The trouble of a limit, with its value from `/proc/sys`.
pub(super) fn limit_trouble(at: &Path, setting: &'static str, interval: Duration) -> WatcherTrouble {
    let file = Path::new("/proc/sys").join(setting.replace('.', "/"));
    let limit = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    WatcherTrouble::WatchLimit { folder: at.to_owned(), setting, limit, interval }
}

/// The trouble of a system that gives no queue, by its words (`inotify_init(2)`): either too many programs have one, or
/// this one has too many files open.
pub(super) fn queue_trouble(root: &Path, error: &io::Error, interval: Duration) -> WatcherTrouble {
    let has_files = std::fs::File::open("/dev/null").is_ok();
    if error.raw_os_error() == Some(Errno::MFILE.raw_os_error()) && has_files {
        return limit_trouble(root, "fs.inotify.max_user_instances", interval);
    }
    WatcherTrouble::Deaf { root: root.to_owned(), error: error.to_string(), interval }
}

impl Eyes for Inotify {
    fn watch(&mut self, at: &Path, path: &Relative, cover: Cover, follow: bool) -> io::Result<Seen> {
        let polled = self.is_silent(at);
        let result = if self.paths.len() < self.watches_max {
            inotify::add_watch(&self.queue, at, mask(cover, follow))
        } else {
            Err(Errno::NOSPC)
        };
        match result {
            Ok(watch) => {
                self.remember(watch, path);
                Ok(Seen { watch: Some(watch), polled })
            }
            Err(Errno::NOSPC | Errno::NOMEM) => {
                self.limit_is_reached(at, "fs.inotify.max_user_watches");
                Ok(Seen { watch: None, polled: true })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn unwatch(&mut self, watch: i32, path: &[u8]) {
        let was_also = self.also.iter().position(|(known, also)| *known == watch && also.as_ref() == path);
        if let Some(place) = was_also {
            self.also.remove(place);
            return;
        }
        if self.paths.get(&watch).is_none_or(|known| known.as_ref() != path) {
            return;
        }
        self.paths.remove(&watch);
        if let Some(place) = self.also.iter().position(|(known, _)| *known == watch) {
            let (_, path) = self.also.remove(place);
            self.paths.insert(watch, path);
            return;
        }
        // It fails when the folder is gone and the watch with it: then there is nothing to end.
        let _ = inotify::remove_watch(&self.queue, watch);
    }
}

/// What counts as a change. A folder that only leads to others is not asked about writes, except for the end of one,
/// which a `.gitignore` needs.
fn mask(cover: Cover, follow: bool) -> WatchFlags {
    let mut mask = WatchFlags::CLOSE_WRITE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::DELETE_SELF
        // Also a folder that becomes readable.
        | WatchFlags::ATTRIB
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR
        | WatchFlags::EXCL_UNLINK
        // Two paths may lead to one folder: the later must not narrow what the earlier asked.
        | WatchFlags::MASK_ADD;
    if cover != Cover::Way {
        mask |= WatchFlags::MODIFY;
    }
    if !follow {
        mask |= WatchFlags::DONT_FOLLOW;
    }
    mask
}
