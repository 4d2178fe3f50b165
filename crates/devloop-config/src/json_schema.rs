//! `keys.rs` → a JSON Schema (draft 7) of a `devloop.toml`, for editors that complete and check TOML.
//!
//! What it says of a key is what the table says. Absent on purpose: names that refer to each other, patterns that can be
//! compiled, cycles. A schema cannot say them, and `devloop validate` does.

use crate::keys::{ACTIONS, Fallback, KEYS, Key, Kind, MILLIS_MAX, PROBE_KINDS};
use devloop_core::value::Value;
use std::collections::BTreeMap;

/// What stands below a key whose value is a table or a list of tables.
#[derive(Clone, Copy)]
enum Shape {
    /// One table of that kind.
    One(&'static str),
    /// A table for each name.
    Named(&'static str),
    /// Strings by name.
    Strings,
    /// A list of tables of that kind.
    List(&'static str),
}

/// The shape of each key that holds a table; a test sees that none is missing.
const SHAPES: &[(&str, &str, Shape)] = &[
    ("top", "watcher", Shape::One("watcher")),
    ("top", "watch", Shape::Named("watch")),
    ("top", "process", Shape::Named("process")),
    ("top", "hook", Shape::Named("hook")),
    ("top", "artifact", Shape::Named("artifact")),
    ("top", "event_server", Shape::One("event_server")),
    ("top", "event", Shape::Named("event")),
    ("top", "browser_reload_server", Shape::One("browser_reload_server")),
    ("top", "workflow", Shape::Named("workflow")),
    ("process", "env", Shape::Strings),
    ("process", "readiness", Shape::One("probe")),
    ("process", "liveness", Shape::One("probe")),
    ("process", "output", Shape::One("output")),
    ("hook", "env", Shape::Strings),
    ("hook", "output", Shape::One("output")),
    ("hook", "observe", Shape::One("observe")),
    ("output", "rules", Shape::List("rule")),
    ("workflow", "steps", Shape::List("step")),
    ("step.parallel", "steps", Shape::List("step")),
];

/// Kinds of tables that are one of several, told apart by a word: the kind, the key with the word, the words.
const CHOICES: &[(&str, &str, &[&str])] = &[("probe", "kind", PROBE_KINDS), ("step", "action", ACTIONS)];

/// The schema of a whole config.
pub fn json_schema() -> Value {
    let mut definitions = BTreeMap::new();
    for key in KEYS.iter().filter(|key| key.table != "top" && !key.table.contains('.')) {
        definitions.entry(key.table.to_owned()).or_insert_with(|| definition(key.table));
    }
    let Value::Object(mut schema) = table(&["top"], None) else { return Value::Null };
    schema.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".to_owned(), "devloop.toml".into());
    schema.insert("definitions".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

fn definition(kind: &'static str) -> Value {
    let Some((_, word, words)) = CHOICES.iter().find(|(choice, ..)| *choice == kind) else {
        return table(&[kind], None);
    };
    let own: Vec<(String, &str)> = words.iter().map(|it| (format!("{kind}.{it}"), *it)).collect();
    object([("oneOf", Value::Array(own.iter().map(|(own, it)| table(&[kind, own], Some((word, it)))).collect()))])
}

/// A table with the keys of some kinds; `choice` is the key whose word is known, and the word.
fn table(kinds: &[&str], choice: Option<(&str, &str)>) -> Value {
    let keys = || KEYS.iter().filter(|key| kinds.contains(&key.table));
    let properties = keys().map(|key| {
        let word = choice.filter(|(name, _)| *name == key.name).map(|(_, word)| word);
        (key.name.to_owned(), property(key, word))
    });
    let required = keys().filter(|key| key.fallback == Fallback::Required).map(|key| key.name.into());
    object([
        ("type", "object".into()),
        ("additionalProperties", Value::Bool(false)),
        ("properties", Value::Object(properties.collect())),
        ("required", Value::Array(required.collect())),
    ])
}

fn property(key: &Key, word: Option<&str>) -> Value {
    let mut property = match kind_of(key) {
        Value::Object(property) => property,
        other => return other,
    };
    if let Some(word) = word {
        property.insert("enum".to_owned(), Value::Array(vec![word.into()]));
    }
    let mut doc = key.doc.to_owned();
    match key.fallback {
        Fallback::Required | Fallback::Prose("–") => {}
        Fallback::Prose(prose) => doc = format!("{doc} Default: {prose}."),
        Fallback::Value(value) => {
            property.insert("default".to_owned(), default_of(key.kind, value));
        }
    }
    property.insert("description".to_owned(), Value::String(doc));
    Value::Object(property)
}

fn kind_of(key: &Key) -> Value {
    let integer = |least: i64, most: i64| {
        let bound = |bound: i64| Value::Number(bound.to_string());
        object([("type", "integer".into()), ("minimum", bound(least)), ("maximum", bound(most))])
    };
    match key.kind {
        Kind::Text => string(),
        Kind::Texts => list(string()),
        Kind::Switch => object([("type", "boolean".into())]),
        Kind::Millis { least } => integer(least, MILLIS_MAX),
        Kind::Small { least } => integer(least, 255),
        Kind::Word(words) => object([("enum", Value::Array(words.iter().map(|&word| word.into()).collect()))]),
        Kind::Table | Kind::Tables => {
            let shape = SHAPES.iter().find(|(table, name, _)| (*table, *name) == (key.table, key.name));
            match shape.map(|(.., shape)| *shape) {
                // In a list of its own, so that a description may stand beside it.
                Some(Shape::One(kind)) => object([("allOf", Value::Array(vec![reference(kind)]))]),
                Some(Shape::Named(kind)) => named(reference(kind)),
                Some(Shape::Strings) => named(string()),
                Some(Shape::List(kind)) => list(reference(kind)),
                None => object([]),
            }
        }
    }
}

fn default_of(kind: Kind, value: &str) -> Value {
    match kind {
        Kind::Switch => Value::Bool(value == "true"),
        Kind::Millis { .. } | Kind::Small { .. } => Value::Number(value.to_owned()),
        Kind::Texts | Kind::Tables => Value::Array(Vec::new()),
        Kind::Text | Kind::Word(_) | Kind::Table => value.into(),
    }
}

fn string() -> Value {
    object([("type", "string".into())])
}

fn list(of: Value) -> Value {
    object([("type", "array".into()), ("items", of)])
}

fn named(of: Value) -> Value {
    object([("type", "object".into()), ("additionalProperties", of)])
}

fn reference(kind: &str) -> Value {
    object([("$ref", Value::String(format!("#/definitions/{kind}")))])
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_holds_tables_has_a_shape_and_every_shape_a_key() {
        let holds_tables = |key: &&Key| matches!(key.kind, Kind::Table | Kind::Tables);
        let keys: Vec<_> = KEYS.iter().filter(holds_tables).map(|key| (key.table, key.name)).collect();
        let shapes: Vec<_> = SHAPES.iter().map(|(table, name, _)| (*table, *name)).collect();
        for key in &keys {
            assert!(shapes.contains(key), "{key:?} has no shape");
        }
        for (table, name, shape) in SHAPES {
            assert!(keys.contains(&(table, name)), "{table}.{name} holds no table");
            if let Shape::One(kind) | Shape::Named(kind) | Shape::List(kind) = shape {
                assert!(KEYS.iter().any(|key| key.table == *kind), "there is no table {kind}");
            }
        }
    }

    #[test]
    fn every_line_of_documentation_is_in_the_schema() {
        let schema = json_schema().to_string();
        for key in KEYS {
            let doc = Value::from(key.doc).to_string();
            assert!(schema.contains(doc.trim_matches('"')), "{key:?}");
        }
    }
}
