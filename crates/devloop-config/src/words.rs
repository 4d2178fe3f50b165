//! The wording of problems that more than one room finds.

use crate::VariableUse;
use crate::diagnostic::Diagnostic;
use crate::keys::{self, Key, Kind, PROBE_KINDS};
use crate::reader::Item;
use crate::span::{self, Span};
use crate::{CONFIG_BYTES_MAX, suggest};
use toml::de::DeValue;

/// How many characters of the user's own words a message repeats.
const QUOTED_MAX: usize = 80;

/// The user's own words for a message: one line, control characters escaped, cut when long.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(QUOTED_MAX) {
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(QUOTED_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Known words as a list: `a`, `b` or `c`.
pub(crate) fn listed(words: &[&str]) -> String {
    let ticked: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match ticked.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

pub(crate) fn too_long(bytes: usize) -> Diagnostic {
    let megabytes = CONFIG_BYTES_MAX / (1024 * 1024);
    Diagnostic::error(0..0, format!("the config has {bytes} bytes, at most {megabytes} MiB are read"))
        .hint("make it smaller")
}

pub(crate) fn syntax(text: &str, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(text.len()..text.len());
    let message = error.message();
    let hints = [
        ("duplicate", "keep one of them"),
        ("recurs", "nest less deeply"),
        ("unclosed", "close it"),
        ("must be quoted", "put the value in quotes, or repair what stands before it"),
        ("carriage return", "end each line with a newline, or a carriage return and a newline"),
    ];
    let known = hints.iter().find(|(words, _)| message.contains(words)).map(|(_, hint)| *hint);
    Diagnostic::error(span::clamped(text, &span), message)
        .hint(known.unwrap_or("write it as TOML: `key = \"value\"`, one a line, below a `[table]`"))
}

pub(crate) fn unset_variable(used: &VariableUse) -> Diagnostic {
    let VariableUse { key, name, span } = used;
    Diagnostic::warning(span.clone(), format!("`{key}` uses ${name}, which devloop's environment does not set"))
        .saying("not set")
        .hint(format!("set {name} before devloop is started, or write $${name} to mean a shell's own variable"))
}

/// `meant` is the known key that is nearest.
pub(crate) fn unknown_key(
    span: Span,
    tables: &[&str],
    title: &str,
    name: &str,
    meant: Option<&'static str>,
) -> Diagnostic {
    let unknown = Diagnostic::error(span, format!("unknown key `{}` in {title}", quoted(name))).saying("unknown key");
    if let Some(meant) = meant {
        return unknown.hint(format!("did you mean `{meant}`?"));
    }
    let elsewhere: Vec<&str> = keys::KEYS
        .iter()
        .filter(|key| key.name == name && key.table.contains('.'))
        .filter(|key| tables.iter().any(|table| table.split('.').next() == key.table.split('.').next()))
        .filter_map(|key| key.table.split_once('.').map(|(_, variant)| variant))
        .collect();
    let selector = if elsewhere.iter().any(|variant| PROBE_KINDS.contains(variant)) { "kind" } else { "action" };
    if let Some(variant) = elsewhere.first() {
        return unknown.hint(format!("`{name}` belongs to {selector} = \"{variant}\""));
    }
    let known: Vec<&str> = keys::names_of(tables).collect();
    unknown.hint(format!("use one of {}, or remove it", listed(&known)))
}

pub(crate) fn missing_key(span: Span, title: &str, key: &Key) -> Diagnostic {
    let name = key.name;
    let shape = match key.kind {
        Kind::Text if name == "root" => "\".\"",
        Kind::Text | Kind::Word(_) => "\"…\"",
        Kind::Texts | Kind::Tables => "[…]",
        Kind::Switch => "true",
        Kind::Millis { .. } | Kind::Small { .. } => "100",
        Kind::Table => "{…}",
    };
    Diagnostic::error(span, format!("{title} has no `{name}`"))
        .saying(format!("`{name}` is missing"))
        .hint(format!("add `{name} = {shape}`"))
}

/// `expected` with its article: `a string`.
pub(crate) fn wrong_type(item: &Item<'_>, expected: &str) -> Diagnostic {
    let found = type_name(item.value);
    let wrong = Diagnostic::error(item.span.clone(), format!("`{}`: expected {expected}, found {found}", item.path))
        .saying(found);
    match (expected, item.value) {
        ("a list of strings", DeValue::String(text)) => {
            let words: Vec<String> = text.split_whitespace().map(|word| format!("\"{}\"", quoted(word))).collect();
            wrong.hint(format!("write it as a list: [{}]", words.join(", ")))
        }
        ("a string", DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_)) => {
            wrong.hint("put it in quotes")
        }
        ("an integer", DeValue::String(_) | DeValue::Float(_)) => wrong.hint("write a whole number without quotes"),
        ("true or false", DeValue::String(_)) => wrong.hint("write it without quotes"),
        ("a table", _) => wrong.hint(table_hint(&item.path)),
        ("a list of tables", DeValue::Table(_)) => wrong.hint("put it in [ and ]"),
        _ => wrong.hint(format!("write {expected}")),
    }
}

/// How to write the table that `path` must be.
fn table_hint(path: &str) -> String {
    let (section, name) = path.split_once('.').unwrap_or((path, ""));
    if !["watch", "process", "hook", "artifact", "event", "workflow"].contains(&section) {
        format!("write `[{path}]`")
    } else if name.is_empty() {
        format!("write `[{section}.NAME]`")
    } else if keys::find(&[section], name).is_some() {
        format!("give the {section} a name: put `{name}` below `[{section}.NAME]`")
    } else if path.ends_with(']') {
        "write a table in braces, as in `{ action = \"log\", message = \"hello\" }`".to_owned()
    } else {
        format!("write `[{path}]`")
    }
}

/// A value's type with its article.
fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(crate) fn out_of_range(item: &Item<'_>, least: i64, most: i64) -> Diagnostic {
    Diagnostic::error(item.span.clone(), format!("`{}` must be from {least} to {most}", item.path))
        .saying("out of range")
        .hint(format!("write a number from {least} to {most}"))
}

pub(crate) fn unknown_word(item: &Item<'_>, word: &str, words: &[&str]) -> Diagnostic {
    let unknown = Diagnostic::error(item.span.clone(), format!("`{}`: unknown word \"{}\"", item.path, quoted(word)))
        .saying("unknown word");
    match suggest::nearest(word, words.iter().copied()) {
        Some(meant) => unknown.hint(format!("did you mean \"{meant}\"?")),
        None => unknown.hint(format!("use one of {}", listed(words))),
    }
}
