//! The JSON Schema accepts what the program accepts, and refuses the mistakes that a schema can see.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder with that ending.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

fn json_of(text: &str) -> Value {
    table(DeTable::parse(text).unwrap().get_ref())
}

fn table(table: &DeTable<'_>) -> Value {
    let fields = table.iter().map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref())));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).unwrap().into(),
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap().into(),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(fields) => table(fields),
    }
}

/// What the schema says of a config; empty: nothing.
fn problems(text: &str) -> String {
    let schema = serde_json::from_str(&devloop_config::json_schema::json_schema().to_string()).unwrap();
    let mut compiler = boon::Compiler::new();
    compiler.set_default_draft(boon::Draft::V7);
    compiler.add_resource("devloop.json", schema).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("devloop.json", &mut schemas).unwrap();
    schemas.validate(&json_of(text), index).err().map_or(String::new(), |error| error.to_string())
}

#[test]
fn every_config_that_is_accepted_fits_the_schema() {
    let mut all = files(&here().join("tests/accepts"));
    for example in fs::read_dir(here().join("../../examples")).unwrap() {
        all.push(example.unwrap().path().join("devloop.toml"));
    }
    assert!(all.len() > 15);
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(problems(&text), "", "{}", path.display());
    }
}

#[test]
fn mistakes_that_a_schema_can_see_are_refused() {
    let sound = "root = \".\"\n[watch.a]\npaths = [\"src/\"]\n[workflow.a]\nsteps = []\n";
    assert_eq!(problems(sound), "");
    for wrong in [
        "debounce = 5",
        "debounce_ms = -1",
        "debounce_ms = \"fast\"",
        "startup_workflows = \"a\"",
        "[process.p]\ncomand = [\"x\"]",
        "[process.p]\ncommand = [\"x\"]\nrestart = \"sometimes\"",
        "[process.p]\ncommand = [\"x\"]\nenv = { PORT = 80 }",
        "[process.p]\ncommand = [\"x\"]\nreadiness = { kind = \"http\" }",
        "[process.p]\ncommand = [\"x\"]\nreadiness = { kind = \"tcp\", url = \"http://x\" }",
        "[workflow.b]\nsteps = [{ action = \"run_hook\", process = \"p\" }]",
        "[workflow.b]\nsteps = [{ action = \"explode\" }]",
    ] {
        let text = if wrong.starts_with('[') { format!("{sound}{wrong}") } else { format!("{wrong}\n{sound}") };
        assert_ne!(problems(&text), "", "{wrong}");
    }
}
