//! The logs that are there: which sessions they are of, and which of those live.

use super::{age_of, index_name};
use crate::adapters::log_index::{self, Index};
use crate::adapters::own_files::OwnFolder;
use crate::adapters::status_file;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the log of a run that could not start begins.
const FAILED: &[u8; 18] = b"devloop run failed";

/// The longest log of a run that could not start, in bytes.
const FAILED_BYTES_MAX: u64 = 16 * 1024;

/// The log of a session, of one that lives or of one that is over.
#[derive(Debug)]
pub struct PastLog {
    /// `<unix ms>-<pid>-<n>`.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// When the session began.
    pub began: SystemTime,
    /// When something was last written to it.
    pub written: SystemTime,
    /// Its length in bytes.
    pub bytes: u64,
    /// What its index says; nothing where there is none.
    pub index: Index,
    pid: u32,
    file: File,
}

/// The logs of the sessions of a state file, the oldest first. What is no regular file is passed over, and so is a log
/// that says it belongs to another state file in the same folder.
pub fn of_state_file(state_file: &Path) -> io::Result<Vec<PastLog>> {
    let state_name = state_file.file_name().unwrap_or_default().to_string_lossy();
    let above = match OwnFolder::open(state_file.parent().unwrap_or(Path::new("/"))) {
        Ok(above) => above,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let folder = match above.existing_subfolder(OsStr::new(super::FOLDER)) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let indexes = above.existing_subfolder(OsStr::new(super::INDEX_FOLDER)).ok();
    let mut names: Vec<_> =
        folder.names()?.into_iter().filter_map(|name| Some((age_of(name.to_str()?)?, name))).collect();
    names.sort();
    let logs = names
        .into_iter()
        .filter_map(|((unix_ms, pid, _), name)| open((&folder, indexes.as_ref()), unix_ms, pid, &name));
    Ok(logs.filter(|log| log.index.state_file.as_deref().is_none_or(|of| of == state_name)).collect())
}

/// A log that was removed in this very moment is none.
fn open((folder, indexes): (&OwnFolder, Option<&OwnFolder>), unix_ms: u128, pid: u32, name: &OsStr) -> Option<PastLog> {
    let file = folder.open_regular(name).ok()??;
    let found = file.metadata().ok()?;
    let text = name.to_str()?;
    let index = indexes.and_then(|folder| read_index(folder, text));
    Some(PastLog {
        id: text.strip_prefix("session-")?.strip_suffix(".log")?.to_owned(),
        path: folder.path().join(name),
        began: UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(unix_ms).ok()?))?,
        written: found.modified().ok()?,
        bytes: found.len(),
        index: index.unwrap_or_default(),
        pid,
        file,
    })
}

impl PastLog {
    /// The file, open for reading.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether its session lives, and more may come. Where the file system has no locks, the pid decides.
    pub fn is_live(&self) -> bool {
        match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
                false
            }
            Err(Errno::WOULDBLOCK) => true,
            Err(_) => status_file::lives(self.pid, None),
        }
    }

    /// Whether it is of a run that could not start, and says no more than why.
    pub fn never_began(&self) -> bool {
        let mut begin = [0; FAILED.len()];
        self.bytes < FAILED_BYTES_MAX && self.file.read_exact_at(&mut begin, 0).is_ok() && begin == *FAILED
    }

    /// What its index says by now.
    pub fn read_index_again(&mut self) {
        let above = self.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let folder = OwnFolder::open(&above.join(super::INDEX_FOLDER)).ok();
        if let Some(index) = folder.and_then(|folder| read_index(&folder, &format!("session-{}.log", self.id))) {
            self.index = index;
        }
    }
}

fn read_index(folder: &OwnFolder, log: &str) -> Option<Index> {
    log_index::read(folder.open_regular(&index_name(log)).ok()??).ok()
}

#[cfg(test)]
mod tests {
    use super::super::create_at;
    use super::*;

    #[test]
    fn logs_are_those_of_the_state_file_and_the_one_that_is_held_is_live() {
        let temp = tempfile::tempdir().unwrap();
        let (ours, theirs) = (temp.path().join("state.json"), temp.path().join("other.json"));
        assert!(of_state_file(&ours).unwrap().is_empty());
        assert!(of_state_file(&temp.path().join("nowhere/state.json")).unwrap().is_empty());
        drop(create_at(&ours, 9, 7).unwrap());
        let held = create_at(&ours, 10, 8).unwrap();
        drop(create_at(&theirs, 11, 9).unwrap());
        // Written before there were indexes: it may be of either.
        std::fs::write(temp.path().join("logs/session-12-9-0.log"), "").unwrap();
        let logs = of_state_file(&ours).unwrap();
        let seen: Vec<_> = logs.iter().map(|log| (log.id.as_str(), log.is_live())).collect();
        assert_eq!(seen, [("9-7-0", false), ("10-8-0", true), ("12-9-0", false)]);
        drop(held);
        assert!(!logs[1].is_live());
    }

    #[test]
    fn a_link_in_the_place_of_a_log_is_no_log() {
        let temp = tempfile::tempdir().unwrap();
        let ours = temp.path().join("state.json");
        drop(create_at(&ours, 9, 7).unwrap());
        std::os::unix::fs::symlink("/etc/passwd", temp.path().join("logs/session-10-7-0.log")).unwrap();
        assert_eq!(of_state_file(&ours).unwrap().len(), 1);
    }
}
