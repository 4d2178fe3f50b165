//! The session of a config, seen from outside: its files, and whether it lives. For `status`, `state` and `logs`.

use super::config_file;
use crate::adapters::json;
use crate::adapters::status_file;
use crate::failure::Failure;
use devloop_core::plan::Plan;
use devloop_core::value::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where a session of this config keeps its files.
pub(super) struct Place {
    /// The state file.
    pub(super) state_file: PathBuf,
    /// What the config says, unless it is broken at the moment.
    pub(super) plan: Option<Plan>,
}

/// The place of the config that is named or found. One that is broken at the moment has its place all the same.
pub(super) fn place(config: Option<&PathBuf>) -> Result<Place, Failure> {
    let (state_file, plan) = config_file::state_file(config)?;
    Ok(Place { state_file, plan })
}

impl Place {
    /// What a living session says of itself; none when none lives.
    pub(super) fn status(&self) -> Result<Option<BTreeMap<String, Value>>, Failure> {
        let unreadable = |error: &dyn std::fmt::Display| {
            let path = status_file::path_of(&self.state_file);
            Failure::cannot_begin(format!("cannot read {}: {error}", path.display()))
        };
        let Some(text) = status_file::read(&self.state_file).map_err(|error| unreadable(&error))? else {
            return Ok(None);
        };
        let fields = json::object(&text).map_err(|error| unreadable(&error))?;
        let fields: BTreeMap<String, Value> =
            fields.into_iter().map(|(key, value)| (key.as_str().to_owned(), value)).collect();
        Ok(Some(fields).filter(lives))
    }
}

/// Whether the process that wrote a status is still the one with its pid.
fn lives(status: &BTreeMap<String, Value>) -> bool {
    let Some(Value::Object(session)) = status.get("session") else { return false };
    let number = |key: &str| match session.get(key) {
        Some(Value::Number(number)) => number.parse::<u64>().ok(),
        _ => None,
    };
    let Some(pid) = number("pid").and_then(|pid| u32::try_from(pid).ok()) else { return false };
    status_file::lives(pid, number("pid_began"))
}
