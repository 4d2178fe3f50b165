//! Values that local clients may post, and how far each is held.

use crate::names::{EventName, StateKey, WorkflowName};
use regex::{Regex, RegexBuilder};

/// The longest value that is taken, in bytes of UTF-8.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// The environment variable that holds the URL of an event: `DEVLOOP_EVENT_<NAME>_URL`, the name in upper case and `_`
/// for all that is no letter or digit. No two events of a plan have the same.
pub fn url_variable(event: &EventName) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("DEVLOOP_EVENT_{}_URL", event.as_str().chars().map(upper).collect::<String>())
}

/// A `[event.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPlan {
    /// The key that an accepted value is written to; never one of devloop's own.
    pub state_key: StateKey,
    /// What runs when the value has changed; its `on_busy` is not `skip`.
    pub workflow: WorkflowName,
    /// What a value must match; none: any text up to [`VALUE_BYTES_MAX`].
    pub pattern: Option<ValuePattern>,
}

impl EventPlan {
    /// Whether a value may be posted: not too long, and as the pattern says.
    pub fn accepts(&self, value: &str) -> bool {
        value.len() <= VALUE_BYTES_MAX && self.pattern.as_ref().is_none_or(|pattern| pattern.accepts(value))
    }
}

/// A regular expression that values are held against; compares by its source.
#[derive(Clone, Debug)]
pub struct ValuePattern {
    source: String,
    is_search: bool,
    regex: Regex,
}

impl ValuePattern {
    /// Compiles a pattern within a limit of bytes. With `is_search` a match may be anywhere in the value; else the
    /// whole value must match, whatever `^` and `$` mean in the pattern's own mode.
    pub fn new(source: &str, is_search: bool, compiled_bytes_max: usize) -> Result<Self, regex::Error> {
        let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(compiled_bytes_max).build();
        // By itself first: what is put around it must not repair a parenthesis that is missing.
        let own = build(source)?;
        let regex = if is_search {
            own
        } else {
            // A comment of the verbose mode runs to the end of its line, and would swallow the closing parenthesis.
            build(&format!(r"\A(?:{source})\z")).or_else(|_| build(&format!("\\A(?:{source}\n)\\z")))?
        };
        Ok(Self { source: source.to_owned(), is_search, regex })
    }

    /// The pattern as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the event says `match = "search"`.
    pub fn is_search(&self) -> bool {
        self.is_search
    }

    /// What is searched for in a value; between `\A` and `\z` unless [`Self::is_search`].
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Whether a value matches; linear in its length.
    pub fn accepts(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.is_search) == (&other.source, other.is_search)
    }
}

impl Eq for ValuePattern {}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(source: &str) -> ValuePattern {
        ValuePattern::new(source, false, 1 << 20).unwrap()
    }

    #[test]
    fn the_whole_value_must_match() {
        let slug = whole("^[a-z]+$");
        assert!(slug.accepts("abc"));
        for bad in ["", "abc\n", "\nabc", "a b", "$(x);abc", "abc\0"] {
            assert!(!slug.accepts(bad), "{bad:?}");
        }
    }

    #[test]
    fn modes_of_the_pattern_do_not_loosen_it() {
        for source in ["(?m)^[a-z]+$", "(?s)^[a-z]+$", "(?R)(?m)^[a-z]+$", "(?x) ^ [a-z]+ $ # a word", "^a|bc$"] {
            let pattern = whole(source);
            assert!(
                !pattern.accepts("abc\n;rm") && !pattern.accepts("x;\nabc") && !pattern.accepts("abc\n"),
                "{source}"
            );
        }
        assert!(whole("(?x) ^ [a-z]+ $ # a word").accepts("word"));
    }

    #[test]
    fn every_alternative_may_be_the_whole_value() {
        let pattern = whole("^a|ab|abc$");
        assert!(pattern.accepts("a") && pattern.accepts("ab") && pattern.accepts("abc"));
        assert!(!pattern.accepts("abcd"));
    }

    #[test]
    fn a_search_may_match_anywhere() {
        let pattern = ValuePattern::new("posts/[a-z]+", true, 1 << 20).unwrap();
        assert!(pattern.accepts("see posts/a;") && !pattern.accepts("posts/"));
    }

    #[test]
    fn parentheses_must_be_balanced_in_the_pattern_itself() {
        assert!(ValuePattern::new("a)|(?:b", false, 1 << 20).is_err());
    }

    #[test]
    fn values_are_bounded_in_bytes() {
        let event = EventPlan { state_key: "k".into(), workflow: "w".into(), pattern: None };
        assert!(event.accepts(&"ä".repeat(VALUE_BYTES_MAX / 2)));
        assert!(!event.accepts(&"a".repeat(VALUE_BYTES_MAX + 1)));
    }
}
