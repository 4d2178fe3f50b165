//! What failed is shown together with the last lines of its child: once for a failed run, and once for a process that
//! falls again and again.

use super::output::{Output, OwnLine};
use crate::report::Reporter;
use crate::report::digest::Digest;
use devloop_core::names::ProcessName;
use devloop_core::notice::{Notice, StepFailure, Who};
use devloop_core::plan::Plan;
use devloop_core::plan::process::WELL_AFTER;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The last digest, for whoever wants to see it again.
pub type LastDigest = Arc<Mutex<Option<String>>>;

/// Which failures were shown.
#[derive(Debug, Default)]
pub struct Digests {
    processes: BTreeMap<ProcessName, Lives>,
    last: LastDigest,
}

/// The lives of a process, as far as they were noticed.
#[derive(Debug, Default)]
struct Lives {
    started: u64,
    since: Option<Instant>,
    /// The number of the life whose end was shown last; none since it was well.
    shown: Option<u64>,
}

impl Digests {
    /// Where the last one is kept.
    pub fn last(&self) -> LastDigest {
        Arc::clone(&self.last)
    }

    /// Shows what belongs to a notice that the user was told.
    pub fn heard(&mut self, notice: &Notice, plan: &Plan, (reporter, output): (&Arc<Reporter>, &Output)) {
        let digest = match notice {
            Notice::ProcessStarted { process, .. } => {
                let lives = self.processes.entry(process.clone()).or_default();
                (lives.started, lives.since) = (lives.started + 1, Some(Instant::now()));
                None
            }
            Notice::ProcessStopped { process } => {
                self.processes.remove(process);
                None
            }
            Notice::ProcessExited { process, status, .. } if !status.is_success() => {
                let lives = self.processes.entry(process.clone()).or_default();
                // Then it falls anew, as its restart delay begins anew.
                let was_well = lives.since.is_some_and(|since| since.elapsed() >= WELL_AFTER);
                let is_new = lives.shown.is_none() || was_well;
                if is_new {
                    lives.shown = Some(lives.started);
                }
                (is_new && reporter.tells(notice)).then(|| Digest::of_process(process, *status, plan))
            }
            Notice::WorkflowFailed { path, failure, .. } => {
                Digest::of_workflow(path, failure, plan).filter(|digest| !self.was_shown(&digest.who, failure))
            }
            _ => None,
        };
        let Some(digest) = digest else { return };
        let (reporter, last) = (Arc::clone(reporter), Arc::clone(&self.last));
        let who = digest.who.clone();
        output.recall(
            who,
            Box::new(move |lines| {
                let shown = reporter.digest(&digest, lines);
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
                OwnLine { stderr: shown.into_bytes(), log: Vec::new() }
            }),
        );
    }

    /// Whether the end of this very life was shown already, a moment ago.
    fn was_shown(&self, who: &Who, failure: &StepFailure) -> bool {
        let Who::Process(process) = who else { return false };
        let is_end = !matches!(failure, StepFailure::ProcessNotReady { .. });
        is_end && self.processes.get(process).is_some_and(|lives| lives.shown == Some(lives.started))
    }
}
