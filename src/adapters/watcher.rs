//! The watcher: which paths below root changed.
//!
//! One thread looks at the folders that can hold a match and says what changed there, as [`Heard`]. Linux asks
//! inotify, one watch a folder; other systems ask `notify` for hints and compare; `[watcher] kind = "poll"`, watch
//! limits and file systems that tell nothing compare at intervals.
//!
//! Absent on purpose: debouncing and grouping (the engine's `changes`), words for people (`report`), and any thought
//! about what a change means.

mod batch;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod farewell;
mod fate;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod hints;
mod ignores;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod inotify;
mod listing;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod mounts;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod native;
mod own;
mod paths;
mod polling;
mod stamps;
mod targets;
mod temporary;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod thread;
mod tree;

#[cfg(test)]
mod tests;

use devloop_core::fact::Touch;
use devloop_core::plan::Plan;
use devloop_core::plan::watch::WatcherKind;
use std::fmt;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use fate::{Fate, fate};
pub use own::OwnFiles;

/// What the watcher says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A target of the plan is registered, whether or not it exists yet: one for each distinct base folder.
    Watching {
        /// The absolute path of the folder.
        target: String,
        /// Whether everything below it is watched too.
        recursive: bool,
    },
    /// All watches are live; once, after all `Watching`.
    Began,
    /// Paths that some group matches, in the order in which they were seen, each once.
    Touched(Vec<Touch>),
    /// Something is not as it should be, or is again.
    Trouble(WatcherTrouble),
}

/// What can be wrong with watching. The watcher goes on in every case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatcherTrouble {
    /// The system gives no more watches: this folder and all below it are compared at intervals instead.
    WatchLimit {
        /// The first folder without a watch.
        folder: PathBuf,
        /// The setting that limits them, as sysctl names it (inotify(7)).
        setting: &'static str,
        /// Its value, where it can be read.
        limit: Option<u64>,
        /// The time between two comparisons.
        interval: Duration,
    },
    /// The system lost changes; the tree is compared to find them.
    Overflow,
    /// Root was moved or removed; it is looked for until it is back.
    RootGone {
        /// Root.
        root: PathBuf,
    },
    /// Root is back and has been compared.
    RootBack {
        /// Root.
        root: PathBuf,
    },
    /// A folder cannot be watched or listed; what is below it is not seen.
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The system's own words.
        error: String,
    },
    /// The system is short of something that looking at a folder needs; it is tried again at intervals.
    PutOff {
        /// The folder.
        path: PathBuf,
        /// The system's own words.
        error: String,
    },
    /// The system tells nothing at all for now: all is compared at intervals, and the system asked again.
    Deaf {
        /// Root.
        root: PathBuf,
        /// The system's own words.
        error: String,
        /// The time between two comparisons.
        interval: Duration,
    },
    /// The system tells changes again.
    HearsAgain {
        /// Root.
        root: PathBuf,
    },
    /// A folder is on a file system that does not tell all changes: it is compared at intervals.
    SilentMount {
        /// The folder.
        folder: PathBuf,
        /// The file system's name, as in `/proc/self/mountinfo`.
        kind: String,
        /// The time between two comparisons.
        interval: Duration,
    },
}

impl WatcherTrouble {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::WatchLimit { setting, limit, .. } => {
                let least = if setting.ends_with("instances") { 1024 } else { 524_288 };
                let more = limit.map_or(least, |limit| limit.saturating_mul(4).max(least));
                Some(format!("raise it with `sudo sysctl {setting}={more}`, or watch fewer folders"))
            }
            Self::Unreadable { .. } => Some("make it readable, or let git ignore it".to_owned()),
            Self::PutOff { .. } | Self::Deaf { .. } => {
                Some("raise the limit that it names, such as that of open files (`ulimit -n`)".to_owned())
            }
            Self::Overflow
            | Self::RootGone { .. }
            | Self::RootBack { .. }
            | Self::HearsAgain { .. }
            | Self::SilentMount { .. } => None,
        }
    }
}

impl fmt::Display for WatcherTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WatchLimit { folder, setting, limit, interval } => {
                write!(f, "no watch is left for '{}': the system's limit {setting}", folder.display())?;
                if let Some(limit) = limit {
                    write!(f, " ({limit})")?;
                }
                write!(f, " is reached; it is compared every {} ms instead", interval.as_millis())
            }
            Self::Overflow => f.write_str("the system lost file changes; comparing the tree"),
            Self::RootGone { root } => write!(f, "root '{}' was moved or removed; waiting for it", root.display()),
            Self::RootBack { root } => write!(f, "root '{}' is back", root.display()),
            Self::Unreadable { path, error } => write!(f, "cannot watch '{}': {error}", path.display()),
            Self::PutOff { path, error } => {
                write!(f, "cannot look at '{}' for now: {error}; it is tried again and again", path.display())
            }
            Self::Deaf { root, error, interval } => write!(
                f,
                "the system tells no changes below '{}': {error}; it is compared every {} ms instead, until it does",
                root.display(),
                interval.as_millis()
            ),
            Self::HearsAgain { root } => write!(f, "the system tells changes below '{}' again", root.display()),
            Self::SilentMount { folder, kind, interval } => write!(
                f,
                "'{}' is on a file system ({kind}) that does not tell all changes; it is compared every {} ms",
                folder.display(),
                interval.as_millis()
            ),
        }
    }
}

/// Takes what the watcher says; called on the watcher's thread, and must not wait.
pub type Ears = Box<dyn Fn(Heard) + Send>;

/// The running watcher. Dropping it ends its thread soon; it does not wait for that.
#[derive(Debug)]
pub struct Watcher {
    /// The thread sees its end being closed, or a byte: the wish for a last look.
    alive: PipeWriter,
}

impl Watcher {
    /// Starts the thread `devloop-watcher`. Fails when root is no folder, or when the system gives no thread or
    /// descriptor.
    pub fn start(plan: Arc<Plan>, own: OwnFiles, heard: Ears) -> io::Result<Self> {
        let root = plan.root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        let (ended, alive) = io::pipe()?;
        let post = Post { plan, own: own.below(&root), root, heard };
        std::thread::Builder::new().name("devloop-watcher".to_owned()).spawn(move || post.stand(&ended))?;
        Ok(Self { alive })
    }

    /// Ends the thread after a last look: what changed before this call, and was not said yet, is said.
    pub fn retire(mut self) {
        // A thread that has ended already has nothing to say.
        let _ = self.alive.write_all(b"l");
    }
}

/// Whether the watcher was retired, when its thread has seen that the pipe is not quiet any more.
fn wants_last_look(mut ended: &PipeReader) -> bool {
    matches!(ended.read(&mut [0]), Ok(1))
}

/// What the thread begins with.
struct Post {
    plan: Arc<Plan>,
    own: own::Own,
    /// Root without symlinks.
    root: PathBuf,
    heard: Ears,
}

impl Post {
    fn stand(mut self, ended: &PipeReader) {
        let lines = targets::Targets::of(&self.plan).lines(&self.plan.root);
        let heard = self.heard;
        // Whoever reads that something is watched may change it at once, so it is said when it is true.
        self.heard = Box::new(move |said| {
            if matches!(said, Heard::Began) {
                for (target, recursive) in &lines {
                    heard(Heard::Watching { target: target.clone(), recursive: *recursive });
                }
            }
            heard(said);
        });
        match self.plan.watcher.kind {
            WatcherKind::Poll => polling::run(self, ended),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            WatcherKind::Native => thread::run(self, ended),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            WatcherKind::Native => hints::run(self, ended),
        }
    }
}
