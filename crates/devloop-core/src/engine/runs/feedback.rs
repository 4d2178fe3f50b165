//! Workflows that start themselves: what they are run for changes while they run, and only then.
//!
//! Nobody can ask the system who wrote a file. A run whose files all changed during the run before is *its own doing,
//! perhaps*. After a few of those in a row the next one is held back for a while, and the one after it for longer, which
//! is also the test: a person goes on saving meanwhile, and a workflow that feeds itself cannot.
//!
//! Absent on purpose: loops through two workflows. Whoever saves one file after the other looks the same.

use crate::moment::Moment;
use crate::names::WorkflowName;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many runs in a row may be a workflow's own doing before the next one is held back.
pub const FEEDBACK_RUNS: u32 = 5;

/// The same for runs that take a second or more: during those a person saves, too.
pub const FEEDBACK_RUNS_LONG: u32 = 10;

/// The same for runs that are cancelled by what changes: a person who saves during a long build does nothing else.
const FEEDBACK_RUNS_CANCELLED: u32 = 30;

/// From then on a run is a long one.
const LONG: Duration = Duration::from_secs(1);

/// How long such a run is held back at last, after the one before it: as long as that one took, within these bounds. The
/// first hold is an eighth of it, and each is twice the one before.
pub const FEEDBACK_HOLD: (Duration, Duration) = (LONG, Duration::from_secs(10));

/// So many holds must have passed in silence before a workflow is told to feed itself.
const SILENT_HOLDS: u32 = 3;

/// A change that is told so soon after a run came from it, unless another run has begun since: files and exits are told
/// by different parts of the system.
const TAIL: Duration = Duration::from_millis(20);

/// A run that is held back begins so soon after somebody else's change, together with that.
pub(super) const HURRY: Duration = Duration::from_millis(25);

/// What is known of the workflows that changed files start.
#[derive(Default)]
pub(crate) struct Feedback {
    known: BTreeMap<WorkflowName, Known>,
    /// When a run last began, of whatever workflow.
    began: Moment,
}

#[derive(Default)]
struct Known {
    /// Whether some file changed that is not released yet.
    has_changes: bool,
    /// Whether some of them changed when no run of this workflow was under way.
    has_foreign: bool,
    /// Whether all that was released for its next run was its own doing; none before anything was.
    is_fed: Option<bool>,
    /// How many runs in a row were its own doing.
    in_a_row: u32,
    /// How long its newest run took; none when it was cancelled.
    took: Option<Duration>,
    /// When it was over.
    over: Option<Moment>,
    is_told: bool,
}

impl Known {
    /// For which time in a row the next run would be held back, counted from 0.
    fn holds(&self) -> Option<u32> {
        let most = match self.took {
            Some(took) if took < LONG => FEEDBACK_RUNS,
            Some(_) => FEEDBACK_RUNS_LONG,
            None => FEEDBACK_RUNS_CANCELLED,
        };
        self.in_a_row.checked_sub(most)
    }

    fn is_innocent(&mut self) {
        self.in_a_row = 0;
        self.is_told = false;
    }
}

impl Feedback {
    /// A file changed that matters to a workflow; `is_going`: a run of it is under way. Says whether the change is
    /// somebody else's.
    pub(super) fn changed(&mut self, now: Moment, workflow: &WorkflowName, is_going: bool) -> bool {
        let known = self.known.entry(workflow.clone()).or_default();
        let is_tail = known.over.is_some_and(|over| self.began < over && now.since(over) <= TAIL);
        let is_foreign = !is_going && !is_tail;
        known.has_changes = true;
        known.has_foreign |= is_foreign;
        if is_foreign {
            known.is_innocent();
        }
        is_foreign
    }

    /// The changes of a workflow are released. Says whether its run would be its own doing, perhaps.
    pub(super) fn released(&mut self, workflow: &WorkflowName) -> bool {
        let Some(known) = self.known.get_mut(workflow) else { return false };
        let is_own_doing = std::mem::take(&mut known.has_changes) && !std::mem::take(&mut known.has_foreign);
        known.is_fed = Some(is_own_doing && known.is_fed.unwrap_or(true));
        is_own_doing
    }

    /// Until when the next run that is a workflow's own doing is held back, after one that ends now.
    pub(super) fn not_before(&self, workflow: &WorkflowName, now: Moment) -> Option<Moment> {
        let known = self.known.get(workflow)?;
        let (least, most) = FEEDBACK_HOLD;
        let hold = known.took.unwrap_or(least).clamp(least, most);
        Some(now + hold / (1 << SILENT_HOLDS.saturating_sub(known.holds()?)))
    }

    /// A run begins. Says how many in a row have been its workflow's own doing, if that is to be told.
    pub(super) fn began(&mut self, now: Moment, workflow: &WorkflowName) -> Option<u32> {
        self.began = now;
        let known = self.known.get_mut(workflow)?;
        if !known.is_fed.take()? {
            known.is_innocent();
            return None;
        }
        let is_found_out = known.holds().is_some_and(|holds| holds + 1 >= SILENT_HOLDS);
        known.in_a_row = known.in_a_row.saturating_add(1);
        (is_found_out && !std::mem::replace(&mut known.is_told, true)).then_some(known.in_a_row)
    }

    /// A run is over, and took this long unless it was cancelled.
    pub(super) fn ended(&mut self, now: Moment, workflow: &WorkflowName, took: Option<Duration>) {
        if let Some(known) = self.known.get_mut(workflow) {
            known.took = took;
            known.over = Some(now);
        }
    }
}
