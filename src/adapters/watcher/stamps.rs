//! What was last seen of the files in a folder: names and 64-bit stamps, packed, because trees are large.
//!
//! A row takes 16 bytes and its name: 100,000 files stay below 4 MB.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Contents are compared up to this many bytes.
const CONTENT_MAX: u64 = 1024 * 1024;

/// The coarsest steps in which file systems count time (FAT: 2 s). Within them two writes can look like one.
const TICK_MAX: Duration = Duration::from_secs(2);

/// The parts of a file's status that matter here. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) mtime: i128,
    pub(super) ctime: i128,
    pub(super) size: u64,
    pub(super) links: u64,
    pub(super) inode: u64,
    pub(super) is_file: bool,
    pub(super) is_link: bool,
}

impl Status {
    /// Of a path itself, not of what a symlink leads to.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = path.symlink_metadata()?;
        let nanos = |seconds: i64, part: i64| i128::from(seconds) * 1_000_000_000 + i128::from(part);
        Ok(Self {
            mtime: nanos(found.mtime(), found.mtime_nsec()),
            ctime: nanos(found.ctime(), found.ctime_nsec()),
            size: found.size(),
            links: found.nlink(),
            inode: found.ino(),
            is_file: found.is_file(),
            is_link: found.is_symlink(),
        })
    }

    /// A stamp that differs when content, existence or name changed, and not for mode, owner or access time.
    pub(super) fn stamp(&self) -> Stamp {
        let mut hasher = DefaultHasher::new();
        (self.mtime, self.size, self.inode).hash(&mut hasher);
        Stamp(hasher.finish() | 1)
    }
}

/// Nanoseconds since 1970 by the clock that file systems use.
pub(super) fn wall_clock() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

/// A hash of a file's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

impl Stamp {
    /// The file exists and nobody has looked at it.
    pub(super) const UNKNOWN: Self = Self(0);
}

#[derive(Clone, Copy, Debug)]
struct Row {
    at: u32,
    length: u8,
    exists: bool,
    stamp: Stamp,
}

/// The files of one folder that matter, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Files {
    names: Vec<u8>,
    /// Files that are gone keep their row for a while, so that delete and create again moves nothing.
    rows: Vec<Row>,
    gone: usize,
}

/// So many rows of files that are gone are nothing to tidy up for.
const GONE_MIN: usize = 64;

impl Files {
    /// Room for rows that come in order of their names.
    pub(super) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { names: Vec::with_capacity(bytes), rows: Vec::with_capacity(count), gone: 0 }
    }

    /// Adds a row whose name is after all others.
    pub(super) fn push(&mut self, name: &[u8], stamp: Stamp) {
        let row = self.row(name, stamp);
        self.rows.push(row);
    }

    fn row(&mut self, name: &[u8], stamp: Stamp) -> Row {
        // Names have at most 255 bytes (`NAME_MAX`), and no folder has 4 GB of them.
        let at = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        self.names.extend_from_slice(name);
        Row { at, length, exists: true, stamp }
    }

    fn name(&self, row: Row) -> &[u8] {
        let at = row.at as usize;
        &self.names[at..at + usize::from(row.length)]
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| self.name(*row).cmp(name))
    }

    /// What was last seen of a file; `None` when it did not exist.
    pub(super) fn get(&self, name: &[u8]) -> Option<Stamp> {
        let row = self.rows[self.find(name).ok()?];
        row.exists.then_some(row.stamp)
    }

    /// Remembers that a file exists.
    pub(super) fn set(&mut self, name: &[u8], stamp: Stamp) {
        match self.find(name) {
            Ok(place) => {
                self.gone -= usize::from(!self.rows[place].exists);
                self.rows[place].exists = true;
                self.rows[place].stamp = stamp;
            }
            Err(place) => {
                let row = self.row(name, stamp);
                self.rows.insert(place, row);
            }
        }
    }

    /// Remembers that a file is gone.
    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Ok(place) = self.find(name) {
            self.gone += usize::from(self.rows[place].exists);
            self.rows[place].exists = false;
        }
        // Names that come once and never again must not gather.
        if self.gone > GONE_MIN && self.gone > self.rows.len() / 2 {
            self.tidy();
        }
    }

    /// Lets go of the rows of files that are gone.
    fn tidy(&mut self) {
        let mut kept = Self::with_capacity(self.rows.len() - self.gone, 0);
        for (name, stamp) in self.iter() {
            kept.push(name, stamp);
        }
        *self = kept;
    }

    /// The files that exist.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Stamp)> {
        self.rows.iter().filter(|row| row.exists).map(|row| (self.name(*row), row.stamp))
    }

    /// Fills in the stamps that nobody has looked at.
    pub(super) fn stamp_unknown(&mut self, mut look: impl FnMut(&[u8]) -> Option<Stamp>) {
        for place in 0..self.rows.len() {
            let row = self.rows[place];
            if row.exists && row.stamp == Stamp::UNKNOWN {
                let found = look(self.name(row));
                self.rows[place].stamp = found.unwrap_or(Stamp::UNKNOWN);
            }
        }
    }
}

/// What only comparing at intervals needs: a change of content that left size and mtime alone shows in ctime, and where
/// the file system's clock is too coarse for that, in the content itself.
#[derive(Debug, Default)]
pub(super) struct Contents {
    known: HashMap<u64, Content>,
}

#[derive(Clone, Copy, Debug)]
struct Content {
    ctime: i128,
    /// When it was read or looked at.
    looked: i128,
    /// Zero: nobody has read it.
    hash: u64,
}

impl Contents {
    /// Whether a file whose stamp is the same has other content than when this was last asked.
    pub(super) fn differ(&mut self, path: &Path, status: &Status) -> bool {
        if !status.is_file || status.size > CONTENT_MAX {
            return false;
        }
        let key = hash_of(path);
        let looked = wall_clock();
        let Some(known) = self.known.get(&key).copied() else {
            self.remember(path, status);
            return false;
        };
        let is_old = known.looked - known.ctime > nanos(TICK_MAX);
        if known.ctime == status.ctime && is_old && known.hash != 0 {
            return false;
        }
        let Ok(hash) = content_hash(path) else { return false };
        self.known.insert(key, Content { ctime: status.ctime, looked, hash });
        if known.hash == 0 { known.ctime != status.ctime } else { known.hash != hash }
    }

    /// Remembers a file as it is. Its content is read only if a change could come within the same tick of the clock;
    /// else that is left for the first comparison.
    pub(super) fn remember(&mut self, path: &Path, status: &Status) {
        if !status.is_file || status.size > CONTENT_MAX {
            return;
        }
        let looked = wall_clock();
        let is_recent = looked - status.ctime <= nanos(TICK_MAX);
        let hash = if is_recent { content_hash(path).unwrap_or(0) } else { 0 };
        self.known.insert(hash_of(path), Content { ctime: status.ctime, looked, hash });
    }

    pub(super) fn forget(&mut self, path: &Path) {
        self.known.remove(&hash_of(path));
    }
}

fn nanos(span: Duration) -> i128 {
    i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)
}

fn hash_of(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// The hash of at most [`CONTENT_MAX`] bytes. Never waits: a FIFO that took the file's place is opened without blocking.
fn content_hash(path: &Path) -> std::io::Result<u64> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let mut bytes = Vec::new();
    file.take(CONTENT_MAX).read_to_end(&mut bytes)?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(hasher.finish() | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_removed_and_set_again() {
        let mut files = Files::default();
        for name in ["m", "b", "z", "a"] {
            files.set(name.as_bytes(), Stamp::UNKNOWN);
        }
        files.remove(b"b");
        assert_eq!(files.get(b"b"), None);
        let names: Vec<&[u8]> = files.iter().map(|(name, _)| name).collect();
        assert_eq!(names, [b"a", b"m", b"z"]);
        files.set(b"b", Stamp(3));
        assert_eq!(files.get(b"b"), Some(Stamp(3)));
    }

    #[test]
    fn names_that_come_once_and_go_do_not_gather() {
        let mut files = Files::default();
        files.set(b"stays", Stamp(5));
        for number in 0..10_000 {
            let name = format!("temporary{number}");
            files.set(name.as_bytes(), Stamp::UNKNOWN);
            files.remove(name.as_bytes());
        }
        assert!(files.rows.len() < 200 && files.names.len() < 4000, "{} rows", files.rows.len());
        assert_eq!(files.get(b"stays"), Some(Stamp(5)));
        assert_eq!(files.iter().count(), 1);
    }

    #[test]
    fn a_row_is_sixteen_bytes() {
        assert_eq!(size_of::<Row>(), 16);
    }
}
