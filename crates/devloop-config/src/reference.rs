//! `keys.rs` → the key tables of `docs/config.md`, between markers.

use crate::keys::{Fallback, KEYS, Key, Kind};
use std::fmt::Write as _;

/// A marker that names no kind of table, or has no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadMarker {
    /// What stands between `<!-- keys: ` and ` -->`.
    pub table: String,
}

const OPEN: &str = "<!-- keys: ";
const OPEN_END: &str = " -->";
const CLOSE: &str = "<!-- /keys -->";

/// A document with all that stands between `<!-- keys: TABLE -->` and `<!-- /keys -->` drawn anew from the table.
/// `TABLE` is a kind of table of [`KEYS`], or several with spaces between them.
pub fn refreshed(document: &str) -> Result<String, BadMarker> {
    let mut fresh = String::new();
    let mut rest = document;
    while let Some(open) = rest.find(OPEN) {
        let after = &rest[open + OPEN.len()..];
        let Some((tables, inside)) = after.split_once(OPEN_END) else { break };
        let bad = || BadMarker { table: tables.to_owned() };
        let drawn = drawn(tables).ok_or_else(bad)?;
        let close = inside.find(CLOSE).ok_or_else(bad)?;
        fresh.push_str(&rest[..open]);
        // Writing to a string cannot fail.
        let _ = write!(fresh, "{OPEN}{tables}{OPEN_END}\n{drawn}{CLOSE}");
        rest = &inside[close + CLOSE.len()..];
    }
    fresh.push_str(rest);
    Ok(fresh)
}

/// The Markdown table of some kinds of tables; none if there is no such kind.
fn drawn(tables: &str) -> Option<String> {
    let mut drawn = String::from("| key | type | default | |\n| --- | --- | --- | --- |\n");
    for table in tables.split(' ') {
        let mut keys = KEYS.iter().filter(|key| key.table == table).peekable();
        keys.peek()?;
        for key in keys {
            let _ = writeln!(drawn, "| `{}` | {} | {} | {} |", key.name, kind_of(key), default_of(key), key.doc);
        }
    }
    Some(drawn)
}

fn kind_of(key: &Key) -> String {
    match key.kind {
        Kind::Text => "string".to_owned(),
        Kind::Texts => "list of strings".to_owned(),
        Kind::Switch => "boolean".to_owned(),
        Kind::Millis { least } => format!("milliseconds, from {least}"),
        Kind::Small { least: 0 } => "integer".to_owned(),
        Kind::Small { least } => format!("integer, from {least}"),
        Kind::Word(words) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            quoted.join(", ")
        }
        Kind::Table => "table".to_owned(),
        Kind::Tables => "list of tables".to_owned(),
    }
}

fn default_of(key: &Key) -> String {
    match (key.fallback, key.kind) {
        (Fallback::Required, _) => "required".to_owned(),
        (Fallback::Value(word), Kind::Word(_)) => format!("`\"{word}\"`"),
        (Fallback::Value(value), _) => format!("`{value}`"),
        (Fallback::Prose(prose), _) => prose.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_text_between_markers_is_drawn_anew_and_the_rest_stays() {
        let document = "before\n<!-- keys: observe -->\nold\n<!-- /keys -->\nafter\n";
        let fresh = refreshed(document).unwrap_or_default();
        expect![[r"
            before
            <!-- keys: observe -->
            | key | type | default | |
            | --- | --- | --- | --- |
            | `workflow` | string | required | The workflow that runs. |
            | `interval_ms` | milliseconds, from 1 | `1000` | The time from the end of one poll to the next. |
            <!-- /keys -->
            after
        "]]
        .assert_eq(&fresh);
        assert_eq!(refreshed(&fresh).as_deref(), Ok(fresh.as_str()));
    }

    #[test]
    fn every_kind_of_table_can_be_drawn() {
        for key in KEYS {
            assert!(drawn(key.table).is_some_and(|drawn| drawn.contains(key.doc)));
        }
    }

    #[test]
    fn a_marker_for_no_table_is_refused() {
        let bad = BadMarker { table: "nope".to_owned() };
        assert_eq!(refreshed("<!-- keys: nope --><!-- /keys -->"), Err(bad));
    }
}
