//! The paths of one message: each once, in the order in which they were seen, with what was last seen of them.

use super::own::Own;
use devloop_core::fact::{Touch, TouchKind};
use devloop_core::plan::Plan;
use devloop_core::plan::watch::WatchPlan;
use std::collections::HashMap;
use std::sync::Arc;

/// Collects touches, leaving out what no group matches and what never counts.
pub(super) struct Batch {
    groups: Vec<WatchPlan>,
    own: Own,
    touches: Vec<Touch>,
    /// Where each path stands in `touches`.
    places: HashMap<Arc<str>, usize>,
}

impl Batch {
    pub(super) fn new(plan: &Plan, own: Own) -> Self {
        let groups = plan.watches.values().cloned().collect();
        Self { groups, own, touches: Vec::new(), places: HashMap::new() }
    }

    /// Whether some group wants to hear about this path, relative to root.
    pub(super) fn matters(&self, path: &[u8]) -> bool {
        let text = String::from_utf8_lossy(path);
        self.groups.iter().any(|group| group.matches(&text)) && !self.own.holds(path)
    }

    /// Takes a path if it matters; says whether it does.
    pub(super) fn touch(&mut self, path: &[u8], kind: TouchKind) -> bool {
        let text = String::from_utf8_lossy(path);
        if let Some(&place) = self.places.get(text.as_ref()) {
            self.touches[place].kind = kind;
            return true;
        }
        if !self.groups.iter().any(|group| group.matches(&text)) || self.own.holds(path) {
            return false;
        }
        let path: Arc<str> = Arc::from(text.as_ref());
        self.places.insert(Arc::clone(&path), self.touches.len());
        self.touches.push(Touch { path, kind });
        true
    }

    /// Empties the batch.
    pub(super) fn take(&mut self) -> Vec<Touch> {
        self.places.clear();
        self.places.shrink_to(1024);
        std::mem::take(&mut self.touches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use devloop_core::plan::watch::PathPattern;

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
}
