//! devloop's own files, which never count, so that a session cannot wake itself.

use devloop_core::plan::STATE_FOLDERS;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Absolute paths that never count as changes. A folder named `.devloop` never counts anywhere and needs no entry.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles {
    /// Single files.
    pub files: Vec<PathBuf>,
    /// Folders with all below them.
    pub folders: Vec<PathBuf>,
    /// Beginnings of paths: `/p/.state.json.` stands for every temporary file of the state.
    pub prefixes: Vec<PathBuf>,
}

impl OwnFiles {
    /// The files that belong to the session of a state file: itself, its lock, temporary files, the event log, and
    /// the [`STATE_FOLDERS`] beside it.
    pub fn of_state_file(state_file: &Path) -> Self {
        let folder = state_file.parent().unwrap_or(Path::new("/"));
        let name = state_file.file_name().unwrap_or(OsStr::new("state.json")).to_string_lossy();
        Self {
            files: vec![
                state_file.to_owned(),
                folder.join(format!("{name}.lock")),
                folder.join(format!("{name}.status")),
            ],
            folders: STATE_FOLDERS.map(|name| folder.join(name)).to_vec(),
            // The state file's temporary files begin with its hidden name.
            prefixes: vec![folder.join(format!(".{name}.")), folder.join("events.jsonl")],
        }
    }

    /// The same, relative to root (absolute, without symlinks). What lies elsewhere is left out.
    pub(super) fn below(self, root: &Path) -> Own {
        let all = |paths: Vec<PathBuf>| paths.iter().filter_map(|path| relative(path, root)).collect();
        Own { files: all(self.files), folders: all(self.folders), prefixes: all(self.prefixes) }
    }
}

/// A path relative to root, whatever symlinks lead to its folder.
fn relative(path: &Path, root: &Path) -> Option<Vec<u8>> {
    let mut existing = path.parent()?;
    let real = loop {
        match existing.canonicalize() {
            Ok(real) => break real,
            Err(_) => existing = existing.parent()?,
        }
    };
    let whole = real.join(path.strip_prefix(existing).ok()?);
    let relative = whole.strip_prefix(root).ok()?;
    Some(relative.as_os_str().as_bytes().to_vec())
}

/// Own files as paths relative to root.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    files: Vec<Vec<u8>>,
    folders: Vec<Vec<u8>>,
    prefixes: Vec<Vec<u8>>,
}

impl Own {
    /// Whether a path relative to root never counts.
    pub(super) fn holds(&self, path: &[u8]) -> bool {
        self.files.iter().any(|file| file == path)
            || self.prefixes.iter().any(|prefix| path.starts_with(prefix))
            || self.folders.iter().any(|folder| {
                path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_state_file_is_own_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let own = OwnFiles::of_state_file(&root.join("not/yet/s.json")).below(&root);
        for path in [
            "s.json",
            "s.json.lock",
            ".s.json.0123456789abcdef.tmp",
            "events.jsonl.1",
            "logs",
            "logs/a",
            "log-index/a",
            "artifacts/x/y",
        ] {
            assert!(own.holds(format!("not/yet/{path}").as_bytes()), "{path}");
        }
        for path in ["s.jsonx", "logsx", "a/logs", "logs2/a"] {
            assert!(!own.holds(format!("not/yet/{path}").as_bytes()), "{path}");
        }
    }
}
