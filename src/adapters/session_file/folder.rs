//! The folder of the state file while a session has its lock: reading once, replacing often.

use super::error::StateError;
use super::json;
use super::lock::{Lock, NoLock};
use super::trust::{OthersCanWrite, find_others};
use crate::adapters::own_files::OwnFolder;
use devloop_core::effect::Values;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The longest state file that is read, in bytes.
pub const STATE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The folder of the state file, with the lock of this session.
#[derive(Debug)]
pub struct StateFolder {
    state_file: PathBuf,
    name: OsString,
    folder: OwnFolder,
    /// Held by being there.
    lock: Lock,
    warning: Option<OthersCanWrite>,
}

impl StateFolder {
    /// Opens the folder, makes it where it is missing, takes the lock, and removes what crashed sessions left.
    pub fn open(state_file: &Path) -> Result<Self, StateError> {
        let Some(name) = state_file.file_name() else {
            return Err(StateError::NoFileName { path: state_file.to_owned() });
        };
        let path = state_file.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder =
            OwnFolder::open_or_create(path).map_err(|source| StateError::Folder { path: path.to_owned(), source })?;
        let lock = take_lock(&folder, state_file, name)?;
        folder.remove_temporaries(name).map_err(|source| StateError::Folder { path: path.to_owned(), source })?;
        let warning = find_others(path);
        Ok(Self { state_file: state_file.to_owned(), name: name.to_owned(), folder, lock, warning })
    }

    /// What the user should know about who else can write here.
    pub fn warning(&self) -> Option<&OthersCanWrite> {
        self.warning.as_ref()
    }

    /// Reads the state file. One that is missing, or holds nothing but white space, counts as no values.
    pub fn load(&self) -> Result<Values, StateError> {
        let file = match self.folder.open_to_read(&self.name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Values::new()),
            // What `open(2)` says of a socket.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                return Err(self.unparsable("it is not a regular file".to_owned(), false));
            }
            Err(source) => return Err(self.unreadable(source)),
        };
        let found = file.metadata().map_err(|source| self.unreadable(source))?;
        if found.is_dir() {
            return Err(self.unparsable("it is a folder".to_owned(), false));
        }
        if !found.is_file() {
            return Err(self.unparsable("it is not a regular file".to_owned(), false));
        }
        let mut bytes = Vec::new();
        if found.len() <= STATE_BYTES_MAX {
            (&file).take(STATE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|source| self.unreadable(source))?;
        }
        if found.len().max(bytes.len() as u64) > STATE_BYTES_MAX {
            let words = format!("it is longer than {} MiB", STATE_BYTES_MAX / 1024 / 1024);
            return Err(self.unparsable(words, true));
        }
        let text = str::from_utf8(&bytes).map_err(|error| self.unparsable(error.to_string(), true))?;
        if text.trim_ascii().is_empty() {
            return Ok(Values::new());
        }
        json::object(text).map_err(|words| self.unparsable(words, true))
    }

    /// Puts a new file in the place of the state file. On failure nothing is left over, and the old one is
    /// untouched (unless all that failed was making the rename survive a loss of power).
    pub(super) fn replace(&mut self, text: &[u8], durable: bool) -> Result<(), StateError> {
        self.find_folder()?;
        let path = || self.state_file.clone();
        self.folder.replace(&self.name, text, durable).map_err(|source| StateError::Write { path: path(), source })?;
        let synced = if durable { self.folder.sync() } else { Ok(()) };
        synced.map_err(|source| StateError::Sync { path: path(), source })
    }

    /// The file as it is now, to be synced while others take its place; none where there is none.
    pub(super) fn hold(&mut self) -> Option<Held> {
        self.find_folder().ok()?;
        let file = self.folder.open_regular(&self.name).ok()??;
        Some(Held { file, folder: self.folder.try_clone().ok()? })
    }

    /// Clients read by path: a folder that was removed, moved away or exchanged is found or made again, and so is the
    /// lock in it.
    fn find_folder(&mut self) -> Result<(), StateError> {
        let path = self.folder.path().to_owned();
        match self.folder.is_in_place() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(StateError::Folder { path, source }),
        }
        let folder =
            OwnFolder::open_again(&path).map_err(|source| StateError::Folder { path: path.clone(), source })?;
        let lock = take_lock(&folder, &self.state_file, &self.name)?;
        drop(std::mem::replace(&mut self.lock, lock));
        self.folder = folder;
        Ok(())
    }

    fn unreadable(&self, source: io::Error) -> StateError {
        StateError::Read { path: self.state_file.clone(), source }
    }

    fn unparsable(&self, words: String, is_file: bool) -> StateError {
        StateError::Parse { path: self.state_file.clone(), words, is_file }
    }
}

/// A state file that was saved, and its folder.
pub(super) struct Held {
    file: File,
    folder: OwnFolder,
}

impl Held {
    /// Makes it survive a loss of power. Takes as long as the disk has other things to write.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.folder.sync_file(&self.file)?;
        self.folder.sync()
    }
}

fn take_lock(folder: &OwnFolder, state_file: &Path, name: &OsStr) -> Result<Lock, StateError> {
    let mut lock_name = name.to_owned();
    lock_name.push(".lock");
    Lock::take(folder, &lock_name).map_err(|error| match error {
        NoLock::Held(pid) => StateError::Held { path: state_file.to_owned(), pid },
        NoLock::Refused(source) => StateError::Lock { path: folder.path().join(&lock_name), source },
    })
}
