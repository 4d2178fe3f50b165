//! The files of a project that say what it is, read with bounds: what they hold is anybody's.

use crate::adapters::json;
use devloop_core::value::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The longest file that is looked into, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The folder that `devloop init` looks at.
pub(super) struct Project {
    root: PathBuf,
}

impl Project {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder's own name.
    pub(super) fn name(&self) -> String {
        self.root.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
    }

    /// Whether a file or folder is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The first of some paths that is there.
    pub(super) fn first<'a>(&self, paths: &[&'a str]) -> Option<&'a str> {
        paths.iter().copied().find(|path| self.has(path))
    }

    /// Those of some paths that are there.
    pub(super) fn those(&self, paths: &[&str]) -> Vec<String> {
        paths.iter().filter(|path| self.has(path.trim_end_matches('/'))).map(|&path| path.to_owned()).collect()
    }

    /// Names of folders in a folder, sorted.
    pub(super) fn folders(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// A text file; none if it is not there, no regular file, too long, or not UTF-8.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let path = self.root.join(path);
        if !is_small_file(&path) {
            return None;
        }
        let mut text = String::new();
        fs::File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// A JSON object.
    pub(super) fn json(&self, path: &str) -> Option<BTreeMap<String, Value>> {
        let fields = json::object(&self.text(path)?).ok()?;
        Some(fields.into_iter().map(|(key, value)| (key.as_str().to_owned(), value)).collect())
    }

    /// A TOML table.
    pub(super) fn toml(&self, path: &str) -> Option<BTreeMap<String, Value>> {
        match value(&DeValue::Table(DeTable::parse(&self.text(path)?).ok()?.into_inner())) {
            Value::Object(fields) => Some(fields),
            _ => None,
        }
    }
}

fn is_small_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= FILE_BYTES_MAX)
}

fn value(from: &DeValue<'_>) -> Value {
    match from {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(number) => Value::Number(number.to_string()),
        DeValue::Float(number) => Value::Number(number.to_string()),
        DeValue::Datetime(moment) => Value::String(moment.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| value(item.get_ref())).collect()),
        DeValue::Table(fields) => Value::Object(
            fields.iter().map(|(key, field)| (key.get_ref().to_string(), value(field.get_ref()))).collect(),
        ),
    }
}

/// What stands at a path of keys.
pub(super) fn at<'a>(fields: &'a BTreeMap<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (last, folders) = path.split_last()?;
    let mut here = fields;
    for key in folders {
        let Some(Value::Object(inner)) = here.get(*key) else { return None };
        here = inner;
    }
    here.get(*last)
}

/// The text that stands at a path of keys.
pub(super) fn text_at<'a>(fields: &'a BTreeMap<String, Value>, path: &[&str]) -> Option<&'a str> {
    match at(fields, path) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
