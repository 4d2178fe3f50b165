//! `devloop status`: what the running session of this config is doing. Reads a file that the session writes.

use super::living::{self, Place};
use super::watching;
use super::{page_width, print, stdout_colors};
use crate::adapters::json;
use crate::failure::Failure;
use crate::report::status;
use devloop_core::value::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

/// What the command line asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_json: bool,
    pub(super) watches: bool,
}

pub(super) fn main(config: Option<&PathBuf>, asked: Asked) -> Result<(), Failure> {
    let place = living::place(config)?;
    if !asked.watches {
        let status = place.status()?.ok_or(Failure::NoSession { state_file: place.state_file.clone() })?;
        return print(&shown(status, asked.is_json));
    }
    watching::show_again(|| {
        Ok(match place.status()? {
            Some(status) => shown(status, asked.is_json),
            None => absent(&place, asked.is_json),
        })
    })
}

fn shown(status: BTreeMap<String, Value>, is_json: bool) -> String {
    if is_json {
        return json::pretty_value(&Value::Object(status));
    }
    status::page(&status, SystemTime::now(), page_width(), stdout_colors())
}

fn absent(place: &Place, is_json: bool) -> String {
    if is_json {
        "null\n".to_owned()
    } else {
        format!("{}\n", Failure::NoSession { state_file: place.state_file.clone() })
    }
}
