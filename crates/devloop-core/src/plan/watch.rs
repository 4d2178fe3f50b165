//! Which files matter, and to whom.

use crate::names::WorkflowName;
use globset::{GlobBuilder, GlobSet};
use std::time::Duration;

/// Where changes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherKind {
    /// The system tells.
    Native,
    /// The tree is compared at intervals.
    Poll,
}

/// The `[watcher]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatcherPlan {
    /// Where changes come from.
    pub kind: WatcherKind,
    /// The time between two comparisons when polling.
    pub poll_interval: Duration,
    /// Whether what git ignores is skipped.
    pub gitignore: bool,
}

impl Default for WatcherPlan {
    fn default() -> Self {
        Self { kind: WatcherKind::Native, poll_interval: Duration::from_millis(250), gitignore: true }
    }
}

/// A `[watch.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchPlan {
    /// What counts.
    pub patterns: Vec<PathPattern>,
    /// What does not count although a pattern matches it.
    pub ignore: Vec<PathPattern>,
    /// What runs.
    pub workflow: WorkflowName,
    /// Whether the first change after calm is released at once; else it waits for the quiet.
    pub leading: bool,
}

impl WatchPlan {
    /// Whether a path relative to root, `/`-joined, counts for this group.
    pub fn matches(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(path))
            && !self.ignore.iter().any(|pattern| pattern.matches(path))
    }
}

/// A glob relative to root, as SPEC section 3 reads it: `*` and `?` also match `/`; `dir/` is all below a folder.
#[derive(Clone, Debug)]
pub struct PathPattern {
    source: String,
    /// Leading segments without glob characters: the folders (and the file name, when all are literal).
    literal: Vec<String>,
    /// Whether the whole pattern is literal, so that it names one file.
    is_file: bool,
    /// What every path that matches begins with. For a literal pattern it decides alone: a file is equal to it, what
    /// is in a folder is longer.
    prefix: String,
    /// None for a literal pattern. A set of one: unlike a single matcher it says when it cannot be compiled.
    matcher: Option<GlobSet>,
}

impl PathPattern {
    /// Reads a pattern. `normal` is `source` relative to root, `/`-joined, without `.` segments; it may end with `/`.
    pub fn new(source: &str, normal: &str) -> Result<Self, globset::Error> {
        let is_folder = normal.is_empty() || normal.ends_with('/');
        let segments: Vec<&str> = normal.split('/').filter(|segment| !segment.is_empty()).collect();
        let literal: Vec<String> =
            segments.iter().take_while(|segment| !has_glob(segment)).map(|&segment| segment.to_owned()).collect();
        let is_literal = literal.len() == segments.len();
        let is_file = !is_folder && is_literal;
        let mut prefix = literal.join("/");
        if !is_file && !prefix.is_empty() {
            prefix.push('/');
        }
        let glob = if is_folder { format!("{normal}**") } else { normal.to_owned() };
        let glob = GlobBuilder::new(&glob).literal_separator(false).backslash_escape(true).build()?;
        let matcher = if is_literal { None } else { Some(GlobSet::builder().add(glob).build()?) };
        Ok(Self { source: source.to_owned(), literal, is_file, prefix, matcher })
    }

    /// The pattern as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it names one file and nothing else.
    pub fn is_file(&self) -> bool {
        self.is_file
    }

    /// The folder, as segments below root, that holds everything which can match.
    pub fn base(&self) -> &[String] {
        if self.is_file { &self.literal[..self.literal.len() - 1] } else { &self.literal }
    }

    /// Leading segments without glob characters, the file name of a literal pattern included. A folder that one of
    /// them names is watched even if git ignores it or it is a symlink.
    pub fn literal(&self) -> &[String] {
        &self.literal
    }

    /// Whether a path relative to root, `/`-joined, matches.
    pub fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(&self.prefix) else { return false };
        match &self.matcher {
            Some(matcher) => matcher.is_match(path),
            None => rest.is_empty() == self.is_file,
        }
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for PathPattern {}

fn has_glob(segment: &str) -> bool {
    segment.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::new(text, text).unwrap()
    }

    #[test]
    fn a_folder_pattern_matches_everything_below_and_nothing_beside() {
        let src = pattern("src/");
        assert!(src.matches("src/a.rs") && src.matches("src/deep/b.rs"));
        assert!(!src.matches("src") && !src.matches("srcx/a"));
        assert_eq!(src.base(), ["src"]);
    }

    #[test]
    fn stars_and_question_marks_match_slashes() {
        assert!(pattern("src/*.rs").matches("src/deep/a.rs"));
        assert!(pattern("a?c").matches("a/c"));
    }

    #[test]
    fn a_literal_pattern_is_a_file_in_its_folder() {
        let file = pattern("config/app.yml");
        assert!(file.is_file());
        assert_eq!(file.base(), ["config"]);
        assert_eq!(file.literal(), ["config", "app.yml"]);
    }

    #[test]
    fn a_pattern_without_a_folder_matches_everywhere() {
        assert!(pattern("**/*.css").matches("a.css") && pattern("**/*.css").matches("deep/a.css"));
        assert!(pattern("").matches("any/file") && !pattern("a").matches("ab"));
        assert!(pattern("a/{b,c}/*.rs").matches("a/c/x.rs") && !pattern("a/{b,c}/*.rs").matches("ab/c/x.rs"));
    }

    #[test]
    fn a_pattern_that_is_too_deep_to_compile_is_an_error() {
        let deep = format!("{}a{}", "{".repeat(1000), "}".repeat(1000));
        assert!(PathPattern::new(&deep, &deep).is_err());
    }

    #[test]
    fn the_base_ends_before_the_first_glob() {
        assert_eq!(pattern("templates/**/*.html").base(), ["templates"]);
        assert!(pattern("**/*.css").base().is_empty());
    }
}
