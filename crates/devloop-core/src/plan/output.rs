//! What happens with the lines that a child writes.

use crate::names::StateKey;
use regex::Regex;

/// How the text after the label is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyStyle {
    /// As it is.
    Plain,
    /// Dimmed.
    Dim,
}

/// What happens with a child's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputPlan {
    /// Whether lines are shown on devloop's own streams; the session log has them in any case.
    pub inherit: bool,
    /// How the text is shown.
    pub body_style: BodyStyle,
    /// What is read out of lines into state; empty for hooks.
    pub rules: Vec<RulePlan>,
    /// Whether escape sequences pass unfiltered.
    pub raw: bool,
}

/// One rule: what matches a line goes into a state key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePlan {
    /// The key that is written; reset to `""` before each start and when the process ends.
    pub state_key: StateKey,
    /// How the value is found.
    pub extract: Extract,
}

/// How a value is found in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extract {
    /// A search with a capture group.
    Regex {
        /// The pattern; a match may begin anywhere in the line.
        pattern: Pattern,
        /// The number of the group that is the value; exists in the pattern.
        capture_group: usize,
    },
    /// The first `https://` URL of a quick tunnel.
    UrlToken,
}

/// A compiled regular expression that compares by its source.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Takes a compiled pattern.
    pub fn new(regex: Regex) -> Self {
        Self(regex)
    }

    /// The compiled pattern.
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}
