//! `devloop schema`: the JSON Schema of a `devloop.toml`.

use super::print;
use crate::adapters::json;
use crate::failure::Failure;

pub(super) fn main() -> Result<(), Failure> {
    print(&text())
}

/// The schema as a file has it.
pub fn text() -> String {
    json::pretty_value(&devloop_config::json_schema::json_schema())
}
