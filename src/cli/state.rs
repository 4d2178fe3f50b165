//! `devloop state [KEY]`: the session state, or one value of it, as the file has it. Also when no session runs.

use super::living;
use super::{print, watching};
use crate::adapters::json;
use crate::adapters::own_files::read_text;
use crate::adapters::session_file::STATE_BYTES_MAX;
use crate::failure::Failure;
use crate::report::escape::one_line;
use devloop_config::nearest;
use devloop_core::value::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the command line asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) key: Option<&'a str>,
    pub(super) is_json: bool,
    pub(super) watches: bool,
}

pub(super) fn main(config: Option<&PathBuf>, asked: Asked<'_>) -> Result<(), Failure> {
    let place = living::place(config)?;
    if asked.watches {
        // A key that is not there yet may come.
        return watching::show_again(|| Ok(shown(&read(&place.state_file)?, asked).unwrap_or_default()));
    }
    let state = read(&place.state_file)?;
    if let Some(text) = shown(&state, asked) {
        return print(&text);
    }
    let key = asked.key.unwrap_or_default();
    let nearest = nearest(key, state.keys().map(String::as_str)).map(one_line);
    Err(Failure::UnknownKey { key: one_line(key), nearest })
}

fn read(state_file: &Path) -> Result<BTreeMap<String, Value>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::cannot_begin(format!("cannot read the state file {}: {error}", state_file.display()))
    };
    let Some(text) = read_text(state_file, STATE_BYTES_MAX).map_err(|error| failed(&error))? else {
        return Ok(BTreeMap::new());
    };
    if text.trim_ascii().is_empty() {
        return Ok(BTreeMap::new());
    }
    let fields = json::object(&text).map_err(|error| failed(&error))?;
    Ok(fields.into_iter().map(|(key, value)| (key.as_str().to_owned(), value)).collect())
}

/// The whole state, or the value of a key as templates find it: the whole key first, then a path into nested values.
fn shown(state: &BTreeMap<String, Value>, asked: Asked<'_>) -> Option<String> {
    let Some(key) = asked.key else {
        return Some(json::pretty_value(&Value::Object(state.clone())));
    };
    let value = find(state, key)?;
    Some(match value {
        Value::String(text) if !asked.is_json => format!("{text}\n"),
        value => json::pretty_value(value),
    })
}

fn find<'a>(fields: &'a BTreeMap<String, Value>, key: &str) -> Option<&'a Value> {
    if let Some(value) = fields.get(key) {
        return Some(value);
    }
    key.match_indices('.').find_map(|(dot, _)| match fields.get(&key[..dot]) {
        Some(Value::Object(inner)) => find(inner, &key[dot + 1..]),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_looked_up_whole_and_then_as_a_path() {
        let state = parsed(r#"{"a.b": 1, "a": {"b": 2, "c": {"d": "x"}}, "n": null}"#);
        let shown = |key, is_json| shown(&state, Asked { key: Some(key), is_json, watches: false });
        assert_eq!(shown("a.b", false).as_deref(), Some("1\n"));
        assert_eq!(shown("a.c.d", false).as_deref(), Some("x\n"));
        assert_eq!(shown("a.c.d", true).as_deref(), Some("\"x\"\n"));
        assert_eq!(shown("n", false).as_deref(), Some("null\n"));
        assert_eq!(shown("a.x", false), None);
    }

    fn parsed(text: &str) -> BTreeMap<String, Value> {
        json::object(text).unwrap().into_iter().map(|(key, value)| (key.as_str().to_owned(), value)).collect()
    }
}
