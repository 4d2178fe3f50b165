//! Workflows that changed files start again and again: most often one that writes what it is run for.

use super::batch::Files;
use crate::moment::Moment;
use crate::names::WorkflowName;
use crate::notice::Notice;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// So many starts within [`WITHIN`] are a person who saves often; one more is told.
const STARTS: usize = 20;

/// How long a start counts. After so long without one, the next repetition is told again.
const WITHIN: Duration = Duration::from_secs(10);

/// The latest starts of each workflow by changed files.
#[derive(Default)]
pub(crate) struct Repeats {
    recent: BTreeMap<WorkflowName, Recent>,
}

#[derive(Default)]
struct Recent {
    /// At most one more than [`STARTS`], the oldest first.
    starts: VecDeque<Moment>,
    is_told: bool,
}

impl Repeats {
    /// Changed files start a workflow. Gives what is to be told about it.
    pub(crate) fn started(&mut self, now: Moment, workflow: &WorkflowName, files: &Files) -> Option<Notice> {
        let recent = self.recent.entry(workflow.clone()).or_default();
        if recent.starts.back().is_none_or(|last| now.since(*last) >= WITHIN) {
            *recent = Recent::default();
        }
        recent.starts.push_back(now);
        while recent.starts.front().is_some_and(|first| now.since(*first) >= WITHIN) || recent.starts.len() > STARTS + 1
        {
            recent.starts.pop_front();
        }
        if recent.is_told || recent.starts.len() <= STARTS {
            return None;
        }
        recent.is_told = true;
        let path = files.last()?.clone();
        Some(Notice::WorkflowRepeats { workflow: workflow.clone(), times: STARTS + 1, within: WITHIN, path })
    }
}
