//! A value of the session state. The core has no serialisation library; adapters translate.

use std::collections::BTreeMap;
use std::fmt;

/// Anything that JSON can say. Numbers keep the text they were written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in the words of its JSON text.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// An object with sorted keys.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Whether a `state_key` probe counts this as there: a non-blank string, or anything else but null.
    pub fn is_present(&self) -> bool {
        match self {
            Self::Null => false,
            Self::String(text) => !text.trim().is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => true,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// Compact JSON (RFC 8259).
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(text) => f.write_str(text),
            Self::String(text) => write_string(f, text),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(fields) => {
                f.write_str("{")?;
                for (index, (key, item)) in fields.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    write_string(f, key)?;
                    write!(f, ":{item}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_value_is_shown_as_compact_json_with_escapes() {
        let value = Value::Object(BTreeMap::from([
            ("a\"b".to_owned(), Value::Array(vec![Value::Null, Value::Bool(true), Value::Number("1.50".to_owned())])),
            ("c".to_owned(), Value::from("line\n\u{1}")),
        ]));
        assert_eq!(value.to_string(), r#"{"a\"b":[null,true,1.50],"c":"line\n\u0001"}"#);
    }

    #[test]
    fn blank_strings_and_null_are_not_present() {
        assert!(!Value::Null.is_present());
        assert!(!Value::from(" \t").is_present());
        assert!(Value::Bool(false).is_present());
    }
}
