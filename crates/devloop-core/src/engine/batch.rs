//! Changed files on their way to runs, bounded.

use crate::names::WorkflowName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many paths of one group, or of one run, are kept by name. Beyond it the workflow still runs; its list of
/// changed files ends there.
pub const PATHS_MAX: usize = 100_000;

/// Paths relative to root: sorted, unique.
pub(crate) type Files = BTreeSet<Arc<str>>;

/// Which workflows are wanted for which files, in name order.
pub(crate) type Batch = BTreeMap<WorkflowName, Files>;

/// Adds files to a list, up to [`PATHS_MAX`].
pub(crate) fn merge_files(into: &mut Files, from: Files) {
    if into.is_empty() {
        *into = from;
        return;
    }
    let room = PATHS_MAX.saturating_sub(into.len());
    into.extend(from.into_iter().take(room));
}
