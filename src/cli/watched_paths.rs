//! Watch patterns that name something else than their writer most likely meant: allowed, and told at the start.

use crate::report::Reporter;
use devloop_core::names::WatchName;
use devloop_core::notice::Level;
use devloop_core::plan::Plan;
use devloop_core::plan::watch::{PathPattern, WatchPlan};
use std::path::Path;

/// Tells of each pattern that cannot match as things are now. It may match later: what it names can still be made.
/// What `before` had already was told then.
pub(super) fn tell(plan: &Plan, before: Option<&Plan>, reporter: &Reporter) {
    let is_new = |name: &WatchName, watch: &WatchPlan| {
        before.and_then(|before| before.watches.get(name)).is_none_or(|before| before.patterns != watch.patterns)
    };
    for (name, watch) in plan.watches.iter().filter(|(name, watch)| is_new(name, watch)) {
        for pattern in &watch.patterns {
            if let Some((level, oddity)) = oddity(&plan.root, pattern) {
                reporter.line("watcher", level, &format!("watch group '{name}': {oddity}"));
            }
        }
    }
}

/// What is odd about a pattern, if anything is.
fn oddity(root: &Path, pattern: &PathPattern) -> Option<(Level, String)> {
    let named = pattern.literal().iter().fold(root.to_path_buf(), |path, segment| path.join(segment));
    let source = pattern.source();
    if !named.exists() {
        return Some((Level::Info, format!("there is nothing yet at '{source}'")));
    }
    let is_wrong = pattern.is_file() && named.is_dir();
    is_wrong.then(|| {
        (Level::Warn, format!("'{source}' is a folder and counts as a file; write '{source}/' for all below it"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_its_slash_and_a_path_that_is_missing_are_told() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("css")).unwrap();
        std::fs::write(root.path().join("style.css"), "").unwrap();
        let told = |pattern: &str| {
            let pattern = PathPattern::new(pattern, pattern).unwrap();
            oddity(root.path(), &pattern).map(|(_, told)| told)
        };
        assert_eq!(told("css").unwrap(), "'css' is a folder and counts as a file; write 'css/' for all below it");
        assert_eq!(told("scc/").unwrap(), "there is nothing yet at 'scc/'");
        assert_eq!(told("src/**/*.rs").unwrap(), "there is nothing yet at 'src/**/*.rs'");
        for right in ["css/", "css/*.css", "style.css", "*.css", ""] {
            assert_eq!(told(right), None, "{right}");
        }
    }
}
