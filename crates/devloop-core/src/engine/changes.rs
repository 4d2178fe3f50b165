//! Changed paths become batches: the first save after calm at once, a burst when it is over.
//!
//! One clock for the whole tree. It runs from the first matching change to the release of all that is pending, and
//! holds nothing that a late timer could contradict.

use super::batch::{Batch, Files, PATHS_MAX, merge_files};
use crate::fact::{Touch, TouchKind};
use crate::moment::Moment;
use crate::names::{WatchName, WorkflowName};
use crate::plan::Plan;
use crate::plan::watch::WatchPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long nothing may move before the first save after calm is released.
const STILL: Duration = Duration::from_millis(2);

/// How long the first save after calm waits at most, counted from the first touch that settled.
const LEADING_MAX: Duration = Duration::from_millis(4);

/// The shortest quiet that ends a burst.
const QUIET_MIN: Duration = Duration::from_millis(20);

/// The shortest wait for a writer that has not closed its file.
const OPEN_MIN: Duration = Duration::from_millis(20);

/// A burst is over when the tree has been quiet for this many times its longest pause.
const QUIET_PAUSES: u32 = 4;

/// How many times `debounce` a burst may take.
const BURST_MAX: u32 = 10;

/// A burst of this many files of one group is a storm: a checkout, an installation. What a run finds in the midst of it
/// is half a tree, so it is waited for longer. Who writes the same few files again and again never gets there.
const STORM: usize = 500;

/// How many times `debounce` a storm may take.
const STORM_MAX: u32 = 100;

/// To whom something matters.
pub(crate) type Workflows<'p> = BTreeSet<&'p WorkflowName>;

/// What changed and was not released yet.
pub(crate) struct Changes {
    debounce: Duration,
    pending: BTreeMap<WatchName, Files>,
    /// Pending paths that somebody is still writing.
    open: Files,
    /// Pending paths of leading groups that may be half of a save.
    halves: Files,
    clock: Option<Clock>,
    last_release: Option<Moment>,
}

struct Clock {
    first: Moment,
    last: Moment,
    longest_pause: Duration,
    /// The first touch that settled a path of a leading group; none within a burst.
    leading_since: Option<Moment>,
    is_burst: bool,
}

impl Changes {
    /// Nothing has changed.
    pub(crate) fn new(debounce: Duration) -> Self {
        let (pending, open, halves) = (BTreeMap::new(), Files::new(), Files::new());
        Self { debounce, pending, open, halves, clock: None, last_release: None }
    }

    /// Paths changed. Gives the workflows to which they matter.
    pub(crate) fn touched<'p>(&mut self, now: Moment, plan: &'p Plan, touches: Vec<Touch>) -> Workflows<'p> {
        let mut workflows = Workflows::new();
        for touch in touches {
            let is_settled = matches!(touch.kind, TouchKind::Settled | TouchKind::Found);
            let (mut is_match, mut is_leading) = (false, false);
            for (name, watch) in plan.watches.iter().filter(|(_, watch)| watch.matches(&touch.path)) {
                is_match = true;
                is_leading |= watch.leading;
                workflows.insert(&watch.workflow);
                self.keep(name, &touch.path);
            }
            if is_match {
                self.tick(now, is_leading && is_settled);
                mark(&mut self.halves, &touch.path, is_leading && touch.kind == TouchKind::Half);
                mark(&mut self.open, &touch.path, touch.kind == TouchKind::Writing);
            }
        }
        workflows
    }

    fn keep(&mut self, watch: &WatchName, path: &Arc<str>) {
        let paths = match self.pending.get_mut(watch) {
            Some(paths) => paths,
            None => self.pending.entry(watch.clone()).or_default(),
        };
        if paths.len() < PATHS_MAX {
            paths.insert(Arc::clone(path));
        }
    }

    /// Something moved; `is_leading`: it could be the end of a first save.
    fn tick(&mut self, now: Moment, is_leading: bool) {
        let is_burst = self.last_release.is_some_and(|released| now < released + self.debounce);
        let clock = self.clock.get_or_insert(Clock {
            first: now,
            last: now,
            longest_pause: Duration::ZERO,
            leading_since: None,
            is_burst,
        });
        clock.longest_pause = clock.longest_pause.max(now.since(clock.last));
        clock.last = now;
        if is_leading && !clock.is_burst {
            clock.leading_since.get_or_insert(now);
        }
    }

    /// Gives what is due.
    pub(crate) fn release(&mut self, now: Moment, plan: &Plan) -> Option<Batch> {
        let clock = self.clock.as_ref()?;
        let is_over = self.quiet_at(clock) <= now;
        if !is_over && self.leading_at(clock).is_none_or(|at| at > now) {
            return None;
        }
        let mut batch = Batch::new();
        for (name, watch) in &plan.watches {
            let paths = if is_over { self.pending.remove(name) } else { self.take_leading(name, watch) };
            if let Some(paths) = paths {
                merge_files(batch.entry(watch.workflow.clone()).or_default(), paths);
            }
        }
        if batch.is_empty() {
            // All that had settled is being written again: this is still the first save.
            if let Some(clock) = &mut self.clock {
                clock.leading_since = None;
            }
            return None;
        }
        if self.pending.is_empty() {
            self.clock = None;
            self.open.clear();
            self.halves.clear();
        } else if let Some(clock) = &mut self.clock {
            clock.is_burst = true;
            clock.leading_since = None;
        }
        self.last_release = Some(now);
        Some(batch)
    }

    /// Takes what a leading group releases at once: all but what somebody is still writing.
    fn take_leading(&mut self, name: &WatchName, watch: &WatchPlan) -> Option<Files> {
        if !watch.leading {
            return None;
        }
        let paths = self.pending.remove(name)?;
        let (open, settled): (Files, Files) = paths.into_iter().partition(|path| self.open.contains(path));
        if !open.is_empty() {
            self.pending.insert(name.clone(), open);
        }
        Some(settled).filter(|settled| !settled.is_empty())
    }

    /// When a first save is released. What may be half of it is waited for until the tree is quiet: a clock cannot tell
    /// a save that a busy machine has interrupted from one that is over.
    fn leading_at(&self, clock: &Clock) -> Option<Moment> {
        let since = clock.leading_since.filter(|_| !clock.is_burst && self.halves.is_empty())?;
        Some((clock.last + STILL).min(since + LEADING_MAX))
    }

    /// When the tree counts as quiet. What is still being written has no pause to learn from: it gets the longest, also
    /// without debounce, where half a file would otherwise be released before its end.
    fn quiet_at(&self, clock: &Clock) -> Moment {
        let (quiet, longest) = if self.open.is_empty() {
            ((clock.longest_pause * QUIET_PAUSES).max(QUIET_MIN).min(self.debounce), self.debounce)
        } else {
            let longest = self.debounce.max(OPEN_MIN);
            (longest, longest)
        };
        let is_storm = self.pending.values().any(|paths| paths.len() >= STORM);
        (clock.last + quiet).min(clock.first + longest * if is_storm { STORM_MAX } else { BURST_MAX })
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
        self.open.clear();
        self.halves.clear();
        self.clock = None;
    }

    /// Another plan holds from now on. Gives what changed for groups that it does not name any more, or that run
    /// something else by it: no change is lost. What waits for other groups goes on waiting.
    pub(crate) fn renew(&mut self, old: &Plan, new: &Plan) -> Batch {
        self.debounce = new.debounce;
        let mut batch = Batch::new();
        for (name, watch) in &old.watches {
            let is_same = new.watches.get(name).is_some_and(|other| other.workflow == watch.workflow);
            if let Some(paths) = if is_same { None } else { self.pending.remove(name) } {
                merge_files(batch.entry(watch.workflow.clone()).or_default(), paths);
            }
        }
        if self.pending.is_empty() {
            self.clear();
        }
        batch
    }

    /// When something is due.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let clock = self.clock.as_ref()?;
        let quiet_at = self.quiet_at(clock);
        Some(self.leading_at(clock).map_or(quiet_at, |at| at.min(quiet_at)))
    }
}

/// Adds a path to a bounded set, or takes it away.
fn mark(set: &mut Files, path: &Arc<str>, is_in: bool) {
    if !is_in {
        set.remove(path);
    } else if set.len() < PATHS_MAX {
        set.insert(Arc::clone(path));
    }
}
