//! The paths of one message: each once, in the order in which they were seen, with what was last seen of them.

use super::own::Own;
use devloop_core::fact::{Touch, TouchKind};
use devloop_core::plan::Plan;
use devloop_core::plan::watch::{PathPattern, WatchPlan};
use std::collections::HashMap;
use std::sync::Arc;

/// Collects touches, leaving out what no group matches and what never counts.
pub(super) struct Batch {
    groups: Vec<WatchPlan>,
    /// Folders of which some group wants all that is below: the common case, decided without a pattern.
    whole: Vec<Vec<u8>>,
    own: Own,
    touches: Vec<Touch>,
    /// Where each path stands in `touches`.
    places: HashMap<Arc<str>, usize>,
}

impl Batch {
    pub(super) fn new(plan: &Plan, own: Own) -> Self {
        let groups: Vec<WatchPlan> = plan.watches.values().cloned().collect();
        let whole = groups.iter().filter(|group| group.ignore.is_empty()).flat_map(|group| &group.patterns);
        let whole = whole.filter(|pattern| is_whole_folder(pattern)).map(prefix_of).collect();
        Self { groups, whole, own, touches: Vec::new(), places: HashMap::new() }
    }

    /// Whether some group wants to hear about this path, relative to root.
    pub(super) fn matters(&self, path: &[u8]) -> bool {
        self.is_wanted(path) && !self.own.holds(path)
    }

    fn is_wanted(&self, path: &[u8]) -> bool {
        if self.whole.iter().any(|prefix| path.starts_with(prefix)) {
            return true;
        }
        let text = String::from_utf8_lossy(path);
        self.groups.iter().any(|group| group.matches(&text))
    }

    /// Takes a path if it matters; says whether it does.
    pub(super) fn touch(&mut self, path: &[u8], kind: TouchKind) -> bool {
        let text = String::from_utf8_lossy(path);
        if let Some(&place) = self.places.get(text.as_ref()) {
            self.touches[place].kind = kind;
            return true;
        }
        if !self.matters(path) {
            return false;
        }
        let path: Arc<str> = Arc::from(text.as_ref());
        self.places.insert(Arc::clone(&path), self.touches.len());
        self.touches.push(Touch { path, kind });
        true
    }

    /// Takes a folder that came or went, if what is in it would matter, too: `ignore = ["out/"]` is meant for both.
    pub(super) fn touch_folder(&mut self, path: &[u8], kind: TouchKind) -> bool {
        self.matters(&[path, b"/_"].concat()) && self.touch(path, kind)
    }

    /// Empties the batch.
    pub(super) fn take(&mut self) -> Vec<Touch> {
        self.places.clear();
        self.places.shrink_to(1024);
        std::mem::take(&mut self.touches)
    }
}

/// Whether a pattern is all below a folder without glob characters (`src/`).
fn is_whole_folder(pattern: &PathPattern) -> bool {
    let source = pattern.source();
    source.ends_with('/') && !source.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// What all paths that such a pattern matches begin with.
fn prefix_of(pattern: &PathPattern) -> Vec<u8> {
    pattern.base().iter().flat_map(|segment| [segment.as_bytes(), b"/"].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_once_with_what_was_last_seen_of_it() {
        let mut plan = Plan::empty("/p".into());
        let patterns = vec![PathPattern::new("src/", "src/").unwrap()];
        let group = WatchPlan { patterns, ignore: Vec::new(), workflow: "w".into(), leading: true };
        plan.watches.insert("g".into(), group);
        let mut batch = Batch::new(&plan, Own::default());
        assert!(batch.touch(b"src/b", TouchKind::Writing));
        assert!(batch.touch(b"src/a", TouchKind::Settled));
        assert!(batch.touch(b"src/b", TouchKind::Settled));
        assert!(!batch.touch(b"other", TouchKind::Settled));
        let said: Vec<_> = batch.take().iter().map(|touch| (touch.path.to_string(), touch.kind)).collect();
        assert_eq!(said, [("src/b".to_owned(), TouchKind::Settled), ("src/a".to_owned(), TouchKind::Settled)]);
        assert_eq!(batch.take(), []);
    }

    #[test]
    fn a_folder_counts_where_what_is_in_it_would_count() {
        let mut plan = Plan::empty("/p".into());
        let patterns = vec![PathPattern::new("src/", "src/").unwrap(), PathPattern::new("file", "file").unwrap()];
        let ignore = vec![PathPattern::new("src/out/", "src/out/").unwrap()];
        let group = WatchPlan { patterns, ignore, workflow: "w".into(), leading: true };
        plan.watches.insert("g".into(), group);
        let mut batch = Batch::new(&plan, Own::default());
        assert!(batch.touch_folder(b"src/new", TouchKind::Settled));
        for folder in ["src/out", "file", "src", "other"] {
            assert!(!batch.touch_folder(folder.as_bytes(), TouchKind::Settled), "{folder}");
        }
    }
}
