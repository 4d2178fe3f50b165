//! The validated wish of the user: every name resolved, every pattern compiled, every default filled in.

pub mod artifact;
pub mod command;
pub mod event;
pub mod footprint;
pub mod hook;
mod only;
pub mod output;
pub mod probe;
pub mod process;
pub mod server;
pub mod watch;
pub mod words;
pub mod workflow;

use crate::names::{ArtifactName, EventName, HookName, ProcessName, StateKey, WatchName, WorkflowName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// State keys that devloop writes itself; hooks, rules and `write_state` may not.
pub const RESERVED_KEYS: [&str; 3] = ["root", "last_workflow", "last_changed_files"];

/// Folders beside the state file that are devloop's own: nothing below them counts as a change.
pub const STATE_FOLDERS: [&str; 4] = ["logs", "log-index", "artifacts", "changed"];

/// Whether a state key belongs to devloop: one of [`RESERVED_KEYS`], or anything below `artifact.`.
pub fn is_reserved(key: &str) -> bool {
    RESERVED_KEYS.contains(&key) || key == "artifact" || key.starts_with("artifact.")
}

/// All that a `devloop.toml` says. Immutable; shared as `Arc<Plan>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Absolute folder of the project.
    pub root: PathBuf,
    /// Absolute path of the state file.
    pub state_file: PathBuf,
    /// The longest wait after a change in a quiet tree; zero: no waiting at all.
    pub debounce: Duration,
    /// Whether runs that do not conflict may run at the same time.
    pub concurrent: bool,
    /// Workflows that run one after the other when the session begins.
    pub startup_workflows: Vec<WorkflowName>,
    /// How files are watched.
    pub watcher: watch::WatcherPlan,
    /// Watch groups.
    pub watches: BTreeMap<WatchName, watch::WatchPlan>,
    /// Long-lived children.
    pub processes: BTreeMap<ProcessName, Arc<process::ProcessPlan>>,
    /// One-shot children.
    pub hooks: BTreeMap<HookName, Arc<hook::HookPlan>>,
    /// Builds that replace what processes serve.
    pub artifacts: BTreeMap<ArtifactName, Arc<artifact::ArtifactPlan>>,
    /// Ordered steps.
    pub workflows: BTreeMap<WorkflowName, Arc<workflow::WorkflowPlan>>,
    /// Values that clients may post.
    pub events: BTreeMap<EventName, Arc<event::EventPlan>>,
    /// Where values are posted; there if the table is, or an event is declared.
    pub event_server: Option<server::EventServerPlan>,
    /// Where browsers listen; there if some workflow has a `notify_reload` step.
    pub reload_server: Option<server::ReloadServerPlan>,
}

impl Plan {
    /// A plan with nothing in it, for tests and as a start for building one.
    pub fn empty(root: PathBuf) -> Self {
        Self {
            state_file: root.join(".devloop/state.json"),
            root,
            debounce: Duration::from_millis(250),
            concurrent: true,
            startup_workflows: Vec::new(),
            watcher: watch::WatcherPlan::default(),
            watches: BTreeMap::new(),
            processes: BTreeMap::new(),
            hooks: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            workflows: BTreeMap::new(),
            events: BTreeMap::new(),
            event_server: None,
            reload_server: None,
        }
    }

    /// The events that an item with this `events` list may post; an item without one may post all.
    pub fn granted(&self, list: Option<&BTreeSet<EventName>>) -> BTreeSet<EventName> {
        let is_granted = |event: &&EventName| list.is_none_or(|list| list.contains(*event));
        self.events.keys().filter(is_granted).cloned().collect()
    }

    /// The keys that output rules of a process write.
    pub fn rule_keys(&self, process: &ProcessName) -> impl Iterator<Item = &StateKey> {
        self.processes.get(process).into_iter().flat_map(|plan| plan.output.rules.iter().map(|rule| &rule.state_key))
    }
}
