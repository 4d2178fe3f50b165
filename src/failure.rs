//! Why the program ended, and its exit code.

use crate::env_vars;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Ended as asked, also after a signal that asked for it.
pub const SUCCESS: u8 = 0;
/// Config rejected, the world refused, or the run failed.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// No config file was found.
    NoConfig {
        /// Where the search began.
        folder: PathBuf,
    },
    /// The config file cannot be read.
    UnreadableConfig {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: String,
    },
    /// The config has errors; they have been shown.
    Rejected {
        /// The file.
        path: PathBuf,
        /// How many.
        errors: usize,
    },
    /// `devloop docs TOPIC` with a topic that does not exist.
    UnknownTopic {
        /// What was asked for.
        topic: String,
        /// The nearest that exists.
        nearest: Option<&'static str>,
    },
    /// No session of this config runs.
    NoSession {
        /// The state file that it would hold.
        state_file: PathBuf,
    },
    /// `devloop man COMMAND` with a command that does not exist.
    UnknownCommand {
        /// What was asked for.
        command: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// `devloop state KEY` with a key that the state does not hold.
    UnknownKey {
        /// What was asked for.
        key: String,
        /// The nearest that is held.
        nearest: Option<String>,
    },
    /// `devloop init` where a config is already.
    ConfigIsHere,
    /// `devloop post` outside of a process or hook that may post.
    NoToken,
    /// The command could not begin, or could not do what it was asked for.
    CannotBegin {
        /// Why, with the system's words.
        why: String,
        /// What to do, where it is more than to read why.
        hint: Option<String>,
    },
    /// The session ended because something failed; it has been told.
    SessionFailed,
    /// `devloop post` could not post.
    NotPosted {
        /// The event.
        event: String,
        /// Why.
        why: String,
        /// What to do, where it is more than to read why.
        hint: Option<&'static str>,
    },
    /// `devloop audit --deny` found what it denies; how many of which kinds.
    Denied(Vec<(&'static str, usize)>),
    /// stdout or stderr could not be written.
    CannotWrite(std::io::Error),
    /// The command line makes no sense; it has been told.
    Usage,
}

impl Failure {
    /// What cannot be begun, without a hint.
    pub fn cannot_begin(why: impl Into<String>) -> Self {
        Self::CannotBegin { why: why.into(), hint: None }
    }

    /// What cannot be begun, and what to do about it.
    pub fn cannot_begin_but(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::CannotBegin { why: why.into(), hint: Some(hint.into()) }
    }

    /// Whether the user has heard of it already.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::SessionFailed | Self::Usage)
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage => USAGE,
            Self::NoConfig { .. }
            | Self::UnreadableConfig { .. }
            | Self::Rejected { .. }
            | Self::UnknownTopic { .. }
            | Self::UnknownCommand { .. }
            | Self::UnknownKey { .. }
            | Self::NoToken
            | Self::ConfigIsHere
            | Self::NoSession { .. }
            | Self::CannotBegin { .. }
            | Self::SessionFailed
            | Self::NotPosted { .. }
            | Self::Denied(_)
            | Self::CannotWrite(_) => FAILED,
        })
    }
}

impl Failure {
    /// What to do about it, where it is more than to read why.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoConfig { .. } => "`devloop init` writes one, and `--config PATH` names one".to_owned(),
            Self::UnreadableConfig { .. } => "`--config PATH` names another".to_owned(),
            Self::UnknownTopic { nearest: Some(nearest), .. } => format!("did you mean '{nearest}'?"),
            Self::UnknownTopic { nearest: None, .. } => "`devloop docs` lists them".to_owned(),
            Self::NoSession { .. } => "`devloop run` starts one".to_owned(),
            Self::UnknownCommand { nearest: Some(nearest), .. } | Self::UnknownKey { nearest: Some(nearest), .. } => {
                format!("did you mean '{nearest}'?")
            }
            Self::UnknownCommand { nearest: None, .. } => "`devloop --help` lists them".to_owned(),
            Self::UnknownKey { nearest: None, .. } => "`devloop state` shows all of it".to_owned(),
            Self::Denied(_) => "`devloop audit` shows them, and `devloop docs security` what they mean".to_owned(),
            Self::ConfigIsHere => "`devloop init --print` shows what would be written".to_owned(),
            Self::NoToken => {
                "they are there in processes and hooks that `devloop run` starts and whose `events` list is absent or \
                 names an event"
                    .to_owned()
            }
            Self::CannotBegin { hint, .. } => return hint.clone(),
            Self::NotPosted { hint, .. } => return hint.map(str::to_owned),
            Self::Rejected { .. } | Self::SessionFailed | Self::CannotWrite(_) | Self::Usage => return None,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConfig { folder } => {
                write!(f, "no devloop.toml in {} or in any folder above it", folder.display())
            }
            Self::UnreadableConfig { path, error } => write!(f, "cannot read the config {}: {error}", path.display()),
            Self::Rejected { path, errors: 1 } => write!(f, "the config {} has an error", path.display()),
            Self::Rejected { path, errors } => write!(f, "the config {} has {errors} errors", path.display()),
            Self::UnknownTopic { topic, .. } => write!(f, "there is no topic '{topic}'"),
            Self::NoSession { state_file } => write!(f, "no session runs that holds {}", state_file.display()),
            Self::UnknownCommand { command, .. } => write!(f, "there is no command '{command}'"),
            Self::UnknownKey { key, .. } => write!(f, "the state holds no key '{key}'"),
            Self::ConfigIsHere => f.write_str("devloop.toml is here already and stays as it is"),
            Self::NoToken => write!(f, "{} and {} are not set", env_vars::EVENTS_BASE_URL, env_vars::EVENTS_TOKEN),
            Self::CannotBegin { why, .. } => f.write_str(why),
            Self::SessionFailed => f.write_str("the session failed"),
            Self::NotPosted { event, why, .. } => write!(f, "cannot post to '{event}': {why}"),
            Self::Denied(found) => {
                let found: Vec<String> = found.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
                write!(f, "--deny found {}", found.join(", "))
            }
            Self::CannotWrite(error) => write!(f, "cannot write the output: {error}"),
            Self::Usage => f.write_str("the command line makes no sense"),
        }
    }
}
