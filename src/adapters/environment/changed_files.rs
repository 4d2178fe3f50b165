//! The list of changed files as a child gets it: in a variable as far as it fits there, and then all of it in a file.

use crate::adapters::own_files::OwnFolder;
use devloop_core::fact::StartFailure;
use devloop_core::value::Value;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest list that a variable holds, in bytes of JSON. One string of an environment may have 128 KiB on Linux
/// (`execve(2)`), and all of them share a limit with the arguments.
pub const CHANGED_FILES_BYTES_MAX: usize = 32 * 1024;

const FOLDER: &str = "changed";
const SUFFIX: &str = ".json";

/// As much of a list as fits into a variable.
pub(super) struct Fitted {
    /// A JSON array.
    pub(super) text: String,
    /// Whether nothing is missing.
    pub(super) is_whole: bool,
}

/// The beginning of the list that fits.
pub(super) fn fit(files: &[Arc<str>]) -> Fitted {
    let mut text = String::from("[");
    for (index, file) in files.iter().enumerate() {
        let item = json_string(file);
        let comma = usize::from(index > 0);
        if text.len() + comma + item.len() + 1 > CHANGED_FILES_BYTES_MAX {
            return Fitted { text: text + "]", is_whole: false };
        }
        text.push_str(&","[..comma]);
        text.push_str(&item);
    }
    Fitted { text: text + "]", is_whole: true }
}

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// A file (0600) with the whole list as a JSON array. It is removed when this is dropped.
#[derive(Debug)]
pub struct ChangedFilesFile {
    folder: OwnFolder,
    name: OsString,
    path: PathBuf,
}

impl ChangedFilesFile {
    /// Writes `<state folder>/changed/<name of the state file>.<random>.json`.
    pub(super) fn create(state_file: &Path, files: &[Arc<str>]) -> Result<Self, StartFailure> {
        let state_folder = state_file.parent().unwrap_or(Path::new(""));
        Self::try_create(state_folder, &prefix(state_file), files).map_err(|error| StartFailure::Refused {
            what: format!("cannot write the list of changed files to '{}'", state_folder.join(FOLDER).display()),
            error: error.to_string(),
        })
    }

    fn try_create(state_folder: &Path, prefix: &OsStr, files: &[Arc<str>]) -> io::Result<Self> {
        let folder = OwnFolder::open_again(state_folder)?.subfolder(FOLDER)?;
        let (mut file, name) = folder.create_random(|random| {
            let mut name = prefix.to_owned();
            name.push(random);
            name.push(SUFFIX);
            name
        })?;
        // From here on the file is removed on every way out.
        let path = folder.path().join(&name);
        let made = Self { folder, name, path };
        let mut text = String::from("[");
        for (index, file) in files.iter().enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            text.push_str(&json_string(file));
        }
        text.push_str("]\n");
        file.write_all(text.as_bytes())?;
        Ok(made)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ChangedFilesFile {
    fn drop(&mut self) {
        let _ = self.folder.remove(&self.name);
    }
}

/// Removes the lists that crashed sessions of this state file left. Whoever has its lock has made all others.
pub(super) fn remove_stale(state_file: &Path) {
    let state_folder = state_file.parent().unwrap_or(Path::new(""));
    if !state_folder.join(FOLDER).is_dir() {
        return;
    }
    let prefix = prefix(state_file);
    // What cannot be removed is in nobody's way.
    let _ = OwnFolder::open_or_create(state_folder)
        .and_then(|folder| folder.subfolder(FOLDER))
        .and_then(|folder| folder.remove_all(|name| is_list(name, &prefix)));
}

/// Sessions that share a folder leave each other's files alone.
fn prefix(state_file: &Path) -> OsString {
    let mut prefix = state_file.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    prefix
}

fn is_list(name: &OsStr, prefix: &OsStr) -> bool {
    let random = name.as_bytes().strip_prefix(prefix.as_bytes()).and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    random.is_some_and(|random| random.len() == 16 && random.iter().all(u8::is_ascii_hexdigit))
}
