//! Which folders can hold a match: pure, from the patterns alone.
//!
//! A folder is covered in one of three ways. `Way` leads to a base and is watched only for what appears and goes;
//! `Here` holds files that literal patterns name; `Deep` holds matches at any depth.

use devloop_core::plan::Plan;
use devloop_core::plan::watch::PathPattern;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How a folder matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cover {
    /// It leads to a folder that can hold a match.
    Way,
    /// Matches are directly in it.
    Here,
    /// Matches are anywhere below it.
    Deep,
}

/// The folders that the patterns of a plan name, as paths relative to root.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    /// Base folders, and whether matches may be deeper.
    bases: BTreeMap<Vec<u8>, Cover>,
    /// All folders on the way to a base.
    ways: BTreeSet<Vec<u8>>,
    /// Folder names that stand literally behind a glob (`dist` in `packages/*/dist/*.js`), with the pattern's base.
    inner: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Targets {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut targets = Self::default();
        for pattern in plan.watches.values().flat_map(|group| &group.patterns) {
            targets.add(pattern);
        }
        targets
    }

    fn add(&mut self, pattern: &PathPattern) {
        let segments = pattern.base();
        for count in 0..segments.len() {
            self.ways.insert(segments[..count].join("/").into_bytes());
        }
        let base = segments.join("/").into_bytes();
        let cover = if pattern.is_file() { Cover::Here } else { Cover::Deep };
        for name in names_behind_globs(pattern.source()) {
            self.inner.push((base.clone(), name.into_bytes()));
        }
        let known = self.bases.entry(base).or_insert(cover);
        *known = cover.max(*known);
    }

    /// How root matters.
    pub(super) fn root(&self) -> Cover {
        self.bases.get(&b""[..]).copied().unwrap_or(Cover::Way)
    }

    /// Whether a pattern begins with this folder, so that a symlink is followed here.
    pub(super) fn leads(&self, path: &[u8]) -> bool {
        self.bases.contains_key(path) || self.ways.contains(path)
    }

    fn names_inside(&self, path: &[u8]) -> bool {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        self.inner.iter().any(|(base, inner)| inner == name && is_below(path, base))
    }

    /// How a folder matters, from how its parent does. `hidden`: it is ignored, or a symlink. `None`: not at all.
    pub(super) fn cover(&self, path: &[u8], parent: Cover, hidden: bool) -> Option<Cover> {
        let own = self.bases.get(path).copied();
        if own == Some(Cover::Deep) || (parent == Cover::Deep && (!hidden || self.names_inside(path))) {
            return Some(Cover::Deep);
        }
        own.or_else(|| self.ways.contains(path).then_some(Cover::Way))
    }

    /// The registered targets in order: absolute path, and whether everything below is watched.
    pub(super) fn lines(&self, root: &Path) -> Vec<(String, bool)> {
        let line = |(base, cover): (&Vec<u8>, &Cover)| {
            let base = String::from_utf8_lossy(base);
            let path = if base.is_empty() { root.to_owned() } else { root.join(base.as_ref()) };
            (path.display().to_string(), *cover == Cover::Deep)
        };
        self.bases.iter().map(line).collect()
    }
}

/// Whether a path is a base or below it.
pub(super) fn is_below(path: &[u8], base: &[u8]) -> bool {
    base.is_empty() || path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Folder names without glob characters that come after the first segment with one.
fn names_behind_globs(source: &str) -> Vec<String> {
    let has_glob = |segment: &str| segment.contains(['*', '?', '[', ']', '{', '}', '\\']);
    let Some((folders, _)) = source.rsplit_once('/') else { return Vec::new() };
    let behind = folders.split('/').skip_while(|segment| !has_glob(segment));
    behind.filter(|segment| !segment.is_empty() && !has_glob(segment)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(patterns: &[&str]) -> Targets {
        let mut targets = Targets::default();
        for text in patterns {
            targets.add(&PathPattern::new(text, text).unwrap());
        }
        targets
    }

    #[test]
    fn only_folders_that_can_hold_a_match_are_covered() {
        let targets = targets(&["a/b/c/", "a/x.toml"]);
        assert_eq!(targets.root(), Cover::Way);
        assert_eq!(targets.cover(b"a", Cover::Way, false), Some(Cover::Here));
        assert_eq!(targets.cover(b"a/b", Cover::Here, false), Some(Cover::Way));
        assert_eq!(targets.cover(b"a/b/c", Cover::Way, false), Some(Cover::Deep));
        assert_eq!(targets.cover(b"a/b/c/d", Cover::Deep, false), Some(Cover::Deep));
        assert_eq!(targets.cover(b"a/d", Cover::Here, false), None);
        assert_eq!(targets.cover(b"b", Cover::Way, false), None);
    }

    #[test]
    fn hidden_folders_are_covered_only_where_a_pattern_names_them() {
        let targets = targets(&["**/*.css", "target/doc/*.html", "packages/*/dist/*.js"]);
        assert_eq!(targets.cover(b"node_modules", Cover::Deep, true), None);
        assert_eq!(targets.cover(b"target", Cover::Deep, true), Some(Cover::Way));
        assert_eq!(targets.cover(b"target/debug", Cover::Way, false), None);
        assert_eq!(targets.cover(b"target/doc", Cover::Way, true), Some(Cover::Deep));
        assert_eq!(targets.cover(b"packages/one/dist", Cover::Deep, true), Some(Cover::Deep));
        assert_eq!(targets.cover(b"dist", Cover::Deep, true), None);
    }

    #[test]
    fn one_line_names_each_base_once() {
        let targets = targets(&["src/", "src/**/*.rs", "app.toml", "conf/a.yml", "conf/b.yml"]);
        let lines = targets.lines(Path::new("/p"));
        let expected = [("/p", false), ("/p/conf", false), ("/p/src", true)];
        assert_eq!(lines, expected.map(|(path, deep)| (path.to_owned(), deep)));
    }
}
