//! The file that one `devloop run` writes its lines to: a new one for each run, of which the newest are kept.
//!
//! In a folder of their own lie the indexes, each of which goes with its log. A log is locked (`flock(2)`) as long as its session lives: so
//! whoever reads it knows whether more can come.
//!
//! Absent on purpose: writing. Whoever owns the lines writes them, and stops at [`LOG_BYTES_MAX`].

pub mod lines;
pub mod past;

use super::log_index::IndexWriter;
use super::own_files::OwnFolder;
use rustix::fs::FlockOperation;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a log may grow, in bytes; what would come later is not written.
pub const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How many logs are kept, the new one among them.
pub const LOGS_KEPT: usize = 20;

/// How many runs of one process in one millisecond are told apart.
const NUMBER_MAX: u32 = 1000;

/// How often a log that somebody else has locked is tried.
const LOCK_TRIES_MAX: u32 = 5;

const FOLDER: &str = "logs";

/// Where the indexes are, beside that: what is in `logs` is for people and their scripts.
const INDEX_FOLDER: &str = "log-index";

/// A log that was just made.
#[derive(Debug)]
pub struct SessionLog {
    /// Opened for appending, closed on exec.
    pub file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Its index, unless the system refused one: then the log goes without.
    pub index: Option<IndexWriter>,
}

/// There is no log; a session runs without one.
#[derive(Debug)]
pub struct NoSessionLog {
    folder: PathBuf,
    source: io::Error,
}

impl fmt::Display for NoSessionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write a session log in '{}': {}", self.folder.display(), self.source)
    }
}

impl Error for NoSessionLog {}

/// Makes `logs/session-<unix ms>-<pid>-<n>.log` (0600) beside a state file and removes the oldest ones of that pattern.
/// The folders are made (0700) where they are missing.
pub fn create(state_file: &Path) -> Result<SessionLog, NoSessionLog> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    create_at(state_file, now.as_millis(), std::process::id())
        .map_err(|source| NoSessionLog { folder: folder_of(state_file), source })
}

/// Where the logs of the sessions of a state file are.
pub fn folder_of(state_file: &Path) -> PathBuf {
    state_file.with_file_name(FOLDER)
}

fn create_at(state_file: &Path, unix_ms: u128, pid: u32) -> io::Result<SessionLog> {
    let above = OwnFolder::open_or_create(state_file.parent().unwrap_or(Path::new("/")))?;
    let folder = above.subfolder(FOLDER)?;
    let mut number = 0;
    let (file, name) = loop {
        let name = format!("session-{unix_ms}-{pid}-{number}.log");
        match folder.create_file(OsStr::new(&name)) {
            Ok(file) => break (file, name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NUMBER_MAX => number += 1,
            Err(error) => return Err(error),
        }
    };
    lock(&file);
    // A log that cannot be removed is no reason to go without a new one.
    let kept = remove_old(&folder, &name);
    let index = create_index(&above, &name, &kept.unwrap_or_default());
    let state_name = state_file.file_name().unwrap_or_default().to_string_lossy();
    let index = index.ok().map(|file| IndexWriter::new(file, &state_name));
    Ok(SessionLog { file, path: folder.path().join(name), index })
}

/// Removes the indexes of logs that are not kept, and begins one for a new log.
fn create_index(above: &OwnFolder, log: &str, kept: &[String]) -> io::Result<File> {
    let folder = above.subfolder(INDEX_FOLDER)?;
    let is_stale = |log: String| !kept.contains(&log);
    folder.remove_all(|name| name.to_str().and_then(log_of_index).is_some_and(is_stale))?;
    folder.create_file(&index_name(log))
}

/// A reader that asks in this very moment has its own lock for a few microseconds.
fn lock(file: &File) {
    for _ in 0..LOCK_TRIES_MAX {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(1)),
            Ok(()) | Err(_) => return,
        }
    }
}

/// The index of a log.
fn index_name(log: &str) -> OsString {
    OsString::from(format!("{}.index", log.trim_end_matches(".log")))
}

/// The log of an index; none for any other file.
fn log_of_index(name: &str) -> Option<String> {
    let log = format!("{}.log", name.strip_suffix(".index")?);
    age_of(&log).map(|_| log)
}

/// Answers which are left, without the new one.
fn remove_old(folder: &OwnFolder, new: &str) -> io::Result<Vec<String>> {
    let mut others: Vec<_> = folder
        .names()?
        .into_iter()
        .filter(|name| name != new)
        .filter_map(|name| Some((age_of(name.to_str()?)?, name)))
        .collect();
    others.sort();
    let superfluous = (others.len() + 1).saturating_sub(LOGS_KEPT);
    for (_, name) in others.drain(..superfluous) {
        let _ = folder.remove(&name);
    }
    Ok(others.into_iter().filter_map(|(_, name)| name.into_string().ok()).collect())
}

/// The numbers of a log's name, in the order of age; none for any other file.
fn age_of(name: &str) -> Option<(u128, u32, u32)> {
    let mut numbers = name.strip_prefix("session-")?.strip_suffix(".log")?.split('-');
    let age = (number(numbers.next()?)?, number(numbers.next()?)?, number(numbers.next()?)?);
    numbers.next().is_none().then_some(age)
}

/// Digits only: `parse` would also take a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_log_is_private_named_by_time_and_pid_and_written_to_its_end() {
        let temp = tempfile::tempdir().unwrap();
        let state = temp.path().join("new/.devloop");
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let mut log = create(&state.join("state.json")).unwrap();
        log.file.write_all(b"line\n").unwrap();
        assert_eq!(std::fs::read_to_string(&log.path).unwrap(), "line\n");
        assert_eq!(log.path.parent().unwrap(), state.join("logs"));
        let (at, pid, number) = age_of(log.path.file_name().unwrap().to_str().unwrap()).unwrap();
        assert!(at >= before);
        assert_eq!((pid, number), (std::process::id(), 0));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&log.path), mode(&state.join("logs")), mode(&state)), (0o600, 0o700, 0o700));
        assert_eq!(std::fs::read_to_string(state.join(".gitignore")).unwrap(), "*\n");
    }

    #[test]
    fn runs_of_one_instant_are_told_apart() {
        let temp = tempfile::tempdir().unwrap();
        create_at(&temp.path().join("state.json"), 5, 7).unwrap();
        assert!(create_at(&temp.path().join("state.json"), 5, 7).unwrap().path.ends_with("session-5-7-1.log"));
    }

    #[test]
    fn the_newest_twenty_are_kept_and_nothing_else_is_touched() {
        let temp = tempfile::tempdir().unwrap();
        let logs = temp.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let strangers =
            ["notes.txt", "session-1-2.log", "session-1-2-3-4.log", "session-+1-2-3.log", "session-1-2-3.log.gz"];
        for name in strangers {
            std::fs::write(logs.join(name), "").unwrap();
        }
        for at in 1..=25 {
            create_at(&temp.path().join("state.json"), at, 7).unwrap();
        }
        let mut expected: Vec<_> = (6..=25).map(|at| format!("session-{at}-7-0.log")).collect();
        expected.extend(strangers.map(str::to_owned));
        expected.sort();
        assert_eq!(names(&logs), expected);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_cost_the_new_log() {
        let temp = tempfile::tempdir().unwrap();
        for at in 101..=120 {
            create_at(&temp.path().join("state.json"), at, 7).unwrap();
        }
        let log = create_at(&temp.path().join("state.json"), 5, 7).unwrap();
        assert!(log.path.exists());
        assert_eq!(names(&temp.path().join("logs")).len(), 20);
    }

    #[test]
    fn a_folder_that_is_a_link_or_a_file_is_refused_in_words() {
        let temp = tempfile::tempdir().unwrap();
        let elsewhere = temp.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, temp.path().join("logs")).unwrap();
        let error = create(&temp.path().join("state.json")).unwrap_err();
        assert!(error.to_string().contains("cannot write a session log in '"), "{error}");
        assert!(error.to_string().ends_with(&format!("': {}", error.source)), "{error}");
        assert!(names(&elsewhere).is_empty());

        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        create(&file.join("state.json")).unwrap_err();
    }
}
