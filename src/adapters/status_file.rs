//! `<folder of the state file>/status.json`: what a session is doing, for `devloop status`.
//!
//! A thread of its own writes it, a moment after something has changed and at most twenty times a second; nobody waits
//! for it. Absent on purpose: tokens, values of the state, and any way to make the session act.

mod chronicle;
mod identity;
mod shape;

pub use chronicle::Chronicle;
pub use identity::{began, lives};
pub use shape::{Session, Snapshot};

use super::json;
use super::own_files::OwnFolder;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The file's name.
pub const NAME: &str = "status.json";

/// How long the writer lets changes gather: it must not work while a save is on its way to its command.
const GATHER: Duration = Duration::from_millis(50);

/// The longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The file of a running session. Dropping it removes the file.
#[derive(Debug)]
pub struct StatusFile {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    newest: Option<Box<Snapshot>>,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatusFile {
    /// Starts the writer for the session of a state file.
    pub fn start(state_file: &Path) -> io::Result<Self> {
        let folder = OwnFolder::open_or_create(state_file.parent().unwrap_or(Path::new("/")))?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let writer =
            std::thread::Builder::new().name("status file".to_owned()).spawn(move || write_all(&folder, &theirs))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Puts a newer picture in the place of the one that waits to be written. Returns at once.
    pub fn show(&self, snapshot: Snapshot) {
        let mut slot = self.shared.lock();
        let was_empty = slot.newest.replace(Box::new(snapshot)).is_none();
        drop(slot);
        if was_empty {
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for StatusFile {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has told so itself.
            let _ = writer.join();
        }
    }
}

fn write_all(folder: &OwnFolder, shared: &Shared) {
    loop {
        let mut slot = shared.lock();
        while slot.newest.is_none() && !slot.is_over {
            slot = shared.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        if !slot.is_over {
            let gathered = shared.changed.wait_timeout_while(slot, GATHER, |slot| !slot.is_over);
            slot = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (newest, is_over) = (slot.newest.take(), slot.is_over);
        drop(slot);
        if is_over {
            let _ = folder.remove(OsStr::new(NAME));
            return;
        }
        if let Some(snapshot) = newest {
            // A full disk costs the status and nothing else; the next change tries again.
            let _ = replace(folder, &json::pretty_value(&snapshot.into_value()));
        }
    }
}

/// Puts a new file (0600) in the place of the old one, so that a reader finds a whole one at any time.
fn replace(folder: &OwnFolder, text: &str) -> io::Result<()> {
    let (mut file, temporary) = folder.create_random(temporary_name)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| folder.rename(&temporary, OsStr::new(NAME)));
    if written.is_err() {
        let _ = folder.remove(&temporary);
    }
    written
}

fn temporary_name(random: &str) -> OsString {
    OsString::from(format!(".{NAME}.{random}.tmp"))
}

/// Whether a name in the folder is what a crashed session left of its status.
pub fn is_temporary(name: &OsStr) -> bool {
    let inner = name.to_str().and_then(|name| name.strip_prefix(".status.json.")?.strip_suffix(".tmp"));
    inner.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The text of the file beside a state file; none where no session has written one.
pub fn read(state_file: &Path) -> io::Result<Option<String>> {
    let path = state_file.parent().unwrap_or(Path::new("/")).join(NAME);
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
