//! What has happened in a session so far, by what was noticed: the part of a status that the engine does not remember.

use crate::report::failures::step;
use devloop_core::names::{HookName, ProcessName, WorkflowName};
use devloop_core::notice::Notice;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many changed files of a run are kept.
const FILES_KEPT: usize = 20;

/// Everything that was noticed, in its newest state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chronicle {
    pub(super) processes: BTreeMap<ProcessName, ProcessPast>,
    pub(super) workflows: BTreeMap<WorkflowName, WorkflowPast>,
    /// Observed hooks whose last poll failed, and why.
    pub(super) failing: BTreeMap<HookName, String>,
}

/// What a process has been through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProcessPast {
    pub(super) starts: u64,
    pub(super) since: Option<SystemTime>,
    pub(super) last_end: Option<(String, SystemTime)>,
    /// Why it could not be started, became not ready, or fails its liveness.
    pub(super) trouble: Option<String>,
}

/// What a workflow has been through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WorkflowPast {
    pub(super) began: Option<SystemTime>,
    pub(super) changed_files: Vec<Arc<str>>,
    /// How many more there were.
    pub(super) files_left_out: usize,
    pub(super) last: Option<LastRun>,
    pub(super) runs: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LastRun {
    pub(super) result: &'static str,
    pub(super) why: Option<String>,
    pub(super) ended: SystemTime,
    pub(super) took: Option<Duration>,
}

impl LastRun {
    fn new(result: &'static str, ended: SystemTime) -> Self {
        Self { result, why: None, ended, took: None }
    }
}

impl Chronicle {
    /// Takes note; `words` are what the user was told.
    pub fn heard(&mut self, now: SystemTime, notice: &Notice, words: &dyn Fn() -> String) {
        match notice {
            Notice::ProcessStarted { process, .. } => {
                let past = self.processes.entry(process.clone()).or_default();
                past.starts += 1;
                past.since = Some(now);
                past.trouble = None;
            }
            Notice::ProcessStopped { process } => self.ended(process, "stopped, as asked".to_owned(), now),
            Notice::ProcessExited { process, status, .. } => self.ended(process, status.to_string(), now),
            Notice::ProcessReady { process } => self.processes.entry(process.clone()).or_default().trouble = None,
            Notice::ProcessStartFailed { process, .. }
            | Notice::ProcessHeldBack { process, .. }
            | Notice::ProcessNotReady { process, .. }
            | Notice::ProcessUnwell { process, .. }
            | Notice::ProcessStuck { process, .. } => {
                self.processes.entry(process.clone()).or_default().trouble = Some(words());
            }
            Notice::WorkflowBegan { workflow, changed_files } => {
                let past = self.workflows.entry(workflow.clone()).or_default();
                past.runs += 1;
                past.began = Some(now);
                past.changed_files = changed_files.iter().take(FILES_KEPT).cloned().collect();
                past.files_left_out = changed_files.len().saturating_sub(FILES_KEPT);
            }
            Notice::WorkflowFinished { workflow, took } => {
                self.run_ended(workflow, LastRun { took: Some(*took), ..LastRun::new("ok", now) });
            }
            Notice::WorkflowFailed { workflow, failure, .. } => {
                self.run_ended(workflow, LastRun { why: Some(step(failure)), ..LastRun::new("failed", now) });
            }
            Notice::WorkflowCancelled { workflow } => self.run_ended(workflow, LastRun::new("cancelled", now)),
            Notice::ObserverFailed { hook, .. } => {
                self.failing.insert(hook.clone(), words());
            }
            Notice::ObserverRecovered { hook } => {
                self.failing.remove(hook);
            }
            _ => {}
        }
    }

    fn ended(&mut self, process: &ProcessName, how: String, now: SystemTime) {
        let past = self.processes.entry(process.clone()).or_default();
        past.since = None;
        past.last_end = Some((how, now));
    }

    fn run_ended(&mut self, workflow: &WorkflowName, mut last: LastRun) {
        let past = self.workflows.entry(workflow.clone()).or_default();
        last.took = last.took.or_else(|| last.ended.duration_since(past.began?).ok());
        past.last = Some(last);
    }
}
