//! Why the state cannot be opened, read or written.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What went wrong with the state file or its folder. The system's own words are its source.
#[derive(Debug)]
pub enum StateError {
    /// The configured path names no file.
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// The folder can be neither opened nor made.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock file cannot be used.
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another session has the lock.
    Held {
        /// The state file.
        path: PathBuf,
        /// Who, when the lock file says so.
        pid: Option<u32>,
    },
    /// The state file cannot be read.
    Read {
        /// The state file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state file holds no state; it is left as it is.
    Parse {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it, in the parser's words where there are any.
        words: String,
        /// Whether it is a file at all, which could be repaired.
        is_file: bool,
    },
    /// The state file cannot be replaced; it is as it was before.
    Write {
        /// The state file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state file is replaced, and may be as it was before after a loss of power.
    Sync {
        /// The state file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFileName { .. } => Some("set `state_file` to the path of a file".to_owned()),
            Self::Held { .. } => Some("stop that session first, or give this one a `state_file` of its own".to_owned()),
            Self::Parse { path, is_file: true, .. } => {
                Some(format!("repair '{}', or remove it to begin with an empty state", path.display()))
            }
            Self::Parse { path, is_file: false, .. } => {
                Some(format!("remove '{}', or set `state_file` to another path", path.display()))
            }
            Self::Folder { .. } | Self::Lock { .. } | Self::Read { .. } | Self::Write { .. } | Self::Sync { .. } => {
                None
            }
        }
    }

    /// The message and all its causes in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFileName { path } => write!(f, "state file '{}' has no file name", path.display()),
            Self::Folder { path, .. } => write!(f, "cannot open the folder of the state file '{}'", path.display()),
            Self::Lock { path, .. } => write!(f, "cannot lock '{}'", path.display()),
            Self::Held { path, pid: Some(pid) } => {
                write!(f, "another session (pid {pid}) uses the state file '{}'", path.display())
            }
            Self::Held { path, pid: None } => write!(f, "another session uses the state file '{}'", path.display()),
            Self::Read { path, .. } => write!(f, "cannot read the state file '{}'", path.display()),
            Self::Parse { path, words, .. } => write!(f, "failed to parse state file '{}': {words}", path.display()),
            Self::Sync { path, .. } => {
                write!(f, "cannot make the state file '{}' survive a loss of power", path.display())
            }
            Self::Write { path, .. } => write!(f, "cannot write the state file '{}'", path.display()),
        }
    }
}

impl Error for StateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Folder { source, .. }
            | Self::Lock { source, .. }
            | Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::Sync { source, .. } => Some(source),
            Self::NoFileName { .. } | Self::Held { .. } | Self::Parse { .. } => None,
        }
    }
}
