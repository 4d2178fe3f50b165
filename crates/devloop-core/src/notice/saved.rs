//! What a saved config changed, what it could not change, and why it was not taken.

use std::sync::Arc;

/// One thing of the config that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// The table or key of the top level, as the user writes it: `process`, `debounce_ms`.
    pub section: &'static str,
    /// The name, of a table that has one.
    pub name: Option<Arc<str>>,
    /// What happened to it.
    pub what: Edit,
    /// What is done for it at once.
    pub follows: Follows,
}

/// What a saved config did to a table or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It was not there.
    Added,
    /// It says something else.
    Changed,
    /// It is not there any more.
    Removed,
}

/// What is done at once for a change of the config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing: it counts from now on.
    Nothing,
    /// A process starts.
    Start,
    /// A process restarts.
    Restart,
    /// A process stops.
    Stop,
}

/// What a saved config says otherwise, and what stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The key: `root`, `event_server.bind`.
    pub key: &'static str,
    /// What holds until the session ends.
    pub kept: String,
    /// What the config says.
    pub wanted: String,
}

/// Why a saved config cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanRejection {
    /// It has mistakes, which have been shown.
    Broken {
        /// How many.
        errors: usize,
    },
    /// It cannot be read.
    Unreadable {
        /// The system's own words.
        error: String,
    },
}
