//! `<state folder>/events.jsonl`: one line for each value that was posted and each request that was refused.
//!
//! A thread of its own writes it; nobody waits for it. While the disk takes nothing, up to 8 MiB wait for it, and lines
//! beyond that are counted in a line of their own. A log that was removed or moved away is begun anew in its place. Absent on purpose: values, tokens, and anything else that a client
//! chose, its event's name aside.

use super::own_files::OwnFolder;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How long one file may grow, in bytes; then it becomes `events.jsonl.1`, and the one that had that name is gone.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes that wait for the disk.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

const NAME: &str = "events.jsonl";
const EARLIER: &str = "events.jsonl.1";

/// What the log cannot do, in the system's words. Called on the writer's thread.
pub type Trouble = Box<dyn Fn(&io::Error) + Send>;

/// The log of a running session. Dropping it writes what waits.
#[derive(Debug)]
pub struct AuditLog {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    missing: u64,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditLog {
    /// Opens the log (0600, never through a link) and starts its thread.
    pub fn open(state_folder: &Path, trouble: Trouble) -> io::Result<Self> {
        let folder = OwnFolder::open_or_create(state_folder)?;
        let log = LogFile::open(folder, FILE_BYTES_MAX)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("audit log".to_owned())
            .spawn(move || write_all(log, &theirs, &trouble))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Adds a line. Returns at once.
    pub fn add(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.shared.lock();
        if waiting.lines.len() >= WAITING_BYTES_MAX {
            waiting.missing += 1;
            return;
        }
        let was_empty = waiting.lines.is_empty();
        write(&mut waiting.lines);
        waiting.lines.push(b'\n');
        drop(waiting);
        if was_empty {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has told so itself.
            let _ = writer.join();
        }
    }
}

fn write_all(mut log: LogFile, shared: &Shared, trouble: &Trouble) {
    let mut lines = Vec::new();
    let mut was_well = true;
    loop {
        let mut waiting = shared.lock();
        while waiting.lines.is_empty() && !waiting.is_over {
            waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.lines.is_empty() {
            return;
        }
        lines.clear();
        std::mem::swap(&mut lines, &mut waiting.lines);
        let missing = std::mem::take(&mut waiting.missing);
        drop(waiting);
        if missing > 0 {
            lines.extend_from_slice(format!("{{\"missing\":{missing}}}\n").as_bytes());
        }
        match log.write(&lines) {
            Ok(()) => was_well = true,
            // Told once, and again when it has worked in between.
            Err(error) => {
                if std::mem::take(&mut was_well) {
                    trouble(&error);
                }
            }
        }
    }
}

struct LogFile {
    folder: OwnFolder,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl LogFile {
    fn open(folder: OwnFolder, bytes_max: u64) -> io::Result<Self> {
        let (file, bytes) = open_at_end(&folder)?;
        Ok(Self { folder, file, bytes, bytes_max })
    }

    /// Appends whole lines; the file is exchanged where the next line does not fit.
    fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        self.find()?;
        while !lines.is_empty() {
            let left = usize::try_from(self.bytes_max.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
            let fits = if lines.len() <= left {
                lines.len()
            } else {
                lines[..left].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)
            };
            if fits == 0 && self.bytes > 0 {
                self.exchange()?;
                continue;
            }
            let (now, later) = lines.split_at(if fits == 0 { lines.len() } else { fits });
            self.file.write_all(now)?;
            self.bytes += now.len() as u64;
            lines = later;
        }
        Ok(())
    }

    /// Whoever reads the log reads it by its path: what is not there any more is opened again.
    fn find(&mut self) -> io::Result<()> {
        let path = self.folder.path();
        let opened = self.file.metadata()?;
        let is_in_place = std::fs::symlink_metadata(path.join(NAME))
            .is_ok_and(|found| (found.dev(), found.ino()) == (opened.dev(), opened.ino()));
        if !is_in_place {
            let folder = OwnFolder::open_again(path)?;
            (self.file, self.bytes) = open_at_end(&folder)?;
            self.folder = folder;
        }
        Ok(())
    }

    fn exchange(&mut self) -> io::Result<()> {
        self.folder.rename(OsStr::new(NAME), OsStr::new(EARLIER))?;
        (self.file, self.bytes) = open_at_end(&self.folder)?;
        Ok(())
    }
}

/// Two sessions with state files in one folder write to one log: each line is appended as a whole (`O_APPEND`).
fn open_at_end(folder: &OwnFolder) -> io::Result<(File, u64)> {
    let file = folder.open_file(OsStr::new(NAME))?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
    Ok((file, found.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn line(log: &AuditLog, text: &str) {
        log.add(|out| out.extend_from_slice(text.as_bytes()));
    }

    #[test]
    fn lines_are_appended_privately_across_sessions() {
        let temp = tempfile::tempdir().unwrap();
        for text in ["a", "b"] {
            let log = AuditLog::open(temp.path(), Box::new(|_| {})).unwrap();
            line(&log, text);
            line(&log, text);
        }
        let path = temp.path().join(NAME);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\na\nb\nb\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn there_are_two_files_at_most_and_no_line_is_torn() {
        let temp = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(OwnFolder::open_or_create(temp.path()).unwrap(), 25).unwrap();
        for number in 0..10 {
            log.write(format!("line{number}a\nline{number}b\n").as_bytes()).unwrap();
        }
        let text = |name: &str| std::fs::read_to_string(temp.path().join(name)).unwrap();
        assert_eq!((text(EARLIER), text(NAME)), ("line7b\nline8a\nline8b\n".into(), "line9a\nline9b\n".into()));
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_log_that_was_removed_or_moved_away_is_begun_anew_in_its_place() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("state");
        let mut log = LogFile::open(OwnFolder::open_or_create(&folder).unwrap(), 1000).unwrap();
        let text = || std::fs::read_to_string(folder.join(NAME)).unwrap();
        log.write(b"a\n").unwrap();
        std::fs::remove_file(folder.join(NAME)).unwrap();
        log.write(b"b\n").unwrap();
        assert_eq!(text(), "b\n");
        std::fs::rename(&folder, temp.path().join("aside")).unwrap();
        log.write(b"c\n").unwrap();
        assert_eq!(text(), "c\n");
        std::fs::remove_dir_all(&folder).unwrap();
        log.write(b"d\n").unwrap();
        log.write(b"e\n").unwrap();
        assert_eq!(text(), "d\ne\n");
    }

    #[test]
    fn a_link_or_a_pipe_in_its_place_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let victim = temp.path().join("victim");
        std::fs::write(&victim, "x").unwrap();
        std::os::unix::fs::symlink(&victim, temp.path().join(NAME)).unwrap();
        AuditLog::open(temp.path(), Box::new(|_| {})).unwrap_err();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "x");
    }
}
