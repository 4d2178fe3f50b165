//! `<state file>.status`: what a session is doing, for `devloop status`.
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
use super::own_files::{OwnFolder, read_text};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where the session of a state file says what it is doing: beside it, under a name that no other session has.
pub fn path_of(state_file: &Path) -> PathBuf {
    let mut name = state_file.file_name().unwrap_or_default().to_owned();
    name.push(".status");
    state_file.with_file_name(name)
}

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
        let folder = state_file.parent().unwrap_or(Path::new("/")).to_owned();
        let name = path_of(state_file).file_name().unwrap_or_default().to_owned();
        OwnFolder::open_or_create(&folder)?.remove_temporaries(&name)?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("status file".to_owned())
            .spawn(move || write_all(&folder, &name, &theirs))?;
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

fn write_all(folder: &Path, name: &OsStr, shared: &Shared) {
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
            let _ = OwnFolder::open(folder).and_then(|folder| folder.remove(name));
            return;
        }
        if let Some(snapshot) = newest {
            let text = json::pretty_value(&snapshot.into_value());
            // By its path, as readers find it: a folder that was removed or exchanged is not held on to. A full disk costs
            // the status and nothing else; the next change tries again.
            let _ = OwnFolder::open_again(folder).and_then(|folder| folder.replace(name, text.as_bytes(), false));
        }
    }
}

/// The text of the file beside a state file; none where no session has written one.
pub fn read(state_file: &Path) -> io::Result<Option<String>> {
    read_text(&path_of(state_file), FILE_BYTES_MAX)
}

#[cfg(test)]
mod tests;
