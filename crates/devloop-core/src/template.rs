//! `{{ key }}` in messages and state values: parsed once, rendered once, never scanned again.

use crate::names::StateKey;
use crate::value::Value;
use std::collections::BTreeSet;

/// The longest text that a template may render to, in bytes; beyond it the step fails.
pub const RENDERED_BYTES_MAX: usize = 64 * 1024;

/// A text with places for state values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Key(StateKey),
}

/// What a template became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text with all values in their places.
    pub text: String,
    /// Keys that the state does not hold; each rendered empty.
    pub missing: BTreeSet<StateKey>,
}

/// The rendered text would be longer than [`RENDERED_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Template {
    /// Reads a template. Braces that enclose no key of `[A-Za-z0-9_.-]+` stay text.
    pub fn parse(source: &str) -> Self {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some(open) = rest.find("{{") {
            let inner = &rest[open + 2..];
            let key = inner.find("}}").map(|close| (inner[..close].trim(), close));
            if let Some((key, close)) = key.filter(|(key, _)| is_key(key)) {
                text.push_str(&rest[..open]);
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Key(StateKey::from(key)));
                rest = &inner[close + 2..];
            } else {
                // One brace only: `{{{key}}` still holds a key after its first brace.
                text.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Self { source: source.to_owned(), parts }
    }

    /// The template as the user wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is one key and nothing else, so that it renders to exactly the value.
    pub fn is_only(&self, key: &StateKey) -> bool {
        matches!(&self.parts[..], [Part::Key(only)] if only == key)
    }

    /// The keys that it reads.
    pub fn keys(&self) -> impl Iterator<Item = &StateKey> {
        self.parts.iter().filter_map(|part| match part {
            Part::Key(key) => Some(key),
            Part::Text(_) => None,
        })
    }

    /// Puts values in place of keys. `lookup` finds a key whole; dotted keys that are not found whole are looked up
    /// as a path into nested objects, longest first name first.
    pub fn render<'v>(&self, lookup: impl Fn(&str) -> Option<&'v Value>) -> Result<Rendered, TooLong> {
        let mut text = String::new();
        let mut missing = BTreeSet::new();
        for part in &self.parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Key(key) => match find(key.as_str(), &lookup) {
                    Some(Value::String(value)) => text.push_str(value),
                    Some(value) => text.push_str(&value.to_string()),
                    None => {
                        missing.insert(key.clone());
                    }
                },
            }
            if text.len() > RENDERED_BYTES_MAX {
                return Err(TooLong);
            }
        }
        Ok(Rendered { text, missing })
    }
}

/// Whether a text may stand between the braces of a template.
pub fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Looks a key up whole, then as a path: `a.b.c` is `a.b` with field `c`, or `a` with fields `b`, `c`.
fn find<'v>(key: &str, lookup: &impl Fn(&str) -> Option<&'v Value>) -> Option<&'v Value> {
    lookup(key).or_else(|| {
        key.rmatch_indices('.').find_map(|(dot, _)| {
            let start = lookup(&key[..dot])?;
            key[dot + 1..].split('.').try_fold(start, |value, field| match value {
                Value::Object(fields) => fields.get(field),
                Value::Array(items) => items.get(field.parse::<usize>().ok()?),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn render(template: &str, values: &[(&str, Value)]) -> Rendered {
        let values: BTreeMap<&str, Value> = values.iter().cloned().collect();
        Template::parse(template).render(|key| values.get(key)).unwrap()
    }

    #[test]
    fn a_value_that_looks_like_a_template_stays_text() {
        assert_eq!(render("<{{ a }}>", &[("a", Value::from("{{b}}")), ("b", Value::from("no"))]).text, "<{{b}}>");
    }

    #[test]
    fn a_missing_key_renders_empty_and_is_named() {
        let rendered = render("x{{gone}}y", &[]);
        assert_eq!(rendered.text, "xy");
        assert_eq!(rendered.missing, BTreeSet::from([StateKey::from("gone")]));
    }

    #[test]
    fn a_dotted_key_is_found_whole_before_it_is_a_path() {
        let nested = Value::Object(BTreeMap::from([("b".to_owned(), Value::Number("7".to_owned()))]));
        assert_eq!(render("{{a.b}}", &[("a", nested.clone())]).text, "7");
        assert_eq!(render("{{a.b}}", &[("a", nested), ("a.b", Value::from("whole"))]).text, "whole");
    }

    #[test]
    fn braces_without_a_key_stay_text() {
        assert_eq!(render("{{}} {{ a b }} {{{k}}} }}", &[("k", Value::from("v"))]).text, "{{}} {{ a b }} {v} }}");
    }

    #[test]
    fn a_text_over_the_limit_is_refused() {
        let long = Value::String("x".repeat(RENDERED_BYTES_MAX));
        assert_eq!(Template::parse("{{a}}!").render(|_| Some(&long)), Err(TooLong));
    }
}
