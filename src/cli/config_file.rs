//! Finds, reads and checks the config file.

use super::{complain, stderr_colors};
use crate::failure::Failure;
use crate::report::diagnostics;
use devloop_config::place::cleaned;
use devloop_config::{Diagnostic, Loaded, Place, Severity};
use devloop_core::plan::Plan;
use std::path::{Path, PathBuf};

/// The name that is looked for.
pub(super) const FILE_NAME: &str = "devloop.toml";

/// A config that was read and is right.
pub(super) struct Checked {
    pub(super) plan: Plan,
    /// The file, as it was named or found.
    pub(super) path: PathBuf,
    /// Its absolute path; links are not followed.
    pub(super) absolute: PathBuf,
    /// What it held.
    pub(super) text: String,
    /// The absolute folder that it lies in.
    pub(super) folder: PathBuf,
    /// What the warnings say, without their frames.
    pub(super) warned: Vec<String>,
    /// Warnings, rendered.
    pub(super) warnings: String,
}

/// The folder in which the command was called.
pub(super) fn working_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::cannot_begin_but(format!("the working folder cannot be read: {error}"), "change into one that exists")
    })
}

/// Reads and checks the config: `--config PATH`, else `devloop.toml` here or in the nearest folder above.
/// Errors are shown on stderr.
pub(super) fn check(named: Option<&PathBuf>) -> Result<Checked, Failure> {
    let here = working_folder()?;
    let path = match named {
        Some(path) => path.clone(),
        None => find(&here).ok_or(Failure::NoConfig { folder: here.clone() })?,
    };
    let text = read(&path).map_err(|error| Failure::UnreadableConfig { path: path.clone(), error })?;
    let absolute = here.join(&path);
    let place = place_of(&absolute);
    let Judged { plan, errors, warnings } = judge(devloop_config::load(&text, &place));
    let shown = |all: &[Diagnostic]| diagnostics::render(all, &path.to_string_lossy(), &text, stderr_colors());
    complain(&shown(&errors));
    match plan {
        Some(plan) if errors.is_empty() => {
            let warned = warnings.iter().map(|diagnostic| diagnostic.message.clone()).collect();
            let warnings = shown(&warnings);
            let folder = cleaned(&here, &place.folder);
            Ok(Checked { plan, path, absolute, text, folder, warned, warnings })
        }
        Some(_) | None => Err(Failure::Rejected { path, errors: errors.len() }),
    }
}

/// What a text says, and what is wrong with it; variables that devloop's environment lacks are warnings.
pub(super) struct Judged {
    pub(super) plan: Option<Plan>,
    pub(super) errors: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// Sorts what was found in a text.
pub(super) fn judge(loaded: Loaded) -> Judged {
    let unset = loaded.unset_variables(|name| std::env::var_os(name).is_some());
    let all = loaded.diagnostics.into_iter().chain(unset);
    let (errors, warnings) = all.partition(|diagnostic| diagnostic.severity == Severity::Error);
    Judged { plan: loaded.plan, errors, warnings }
}

/// Where the config at an absolute path lies.
pub(super) fn place_of(absolute: &Path) -> Place {
    Place { folder: absolute.parent().unwrap_or(Path::new("/")).to_path_buf() }
}

/// The state file of the config that is named or found, and what the config says. A config that is broken at the moment, as while it is edited
/// beside a running session, counts as one that does not name any.
pub(super) fn state_file(named: Option<&PathBuf>) -> Result<(PathBuf, Option<Plan>), Failure> {
    let here = working_folder()?;
    let path = match named {
        Some(path) => path.clone(),
        None => find(&here).ok_or(Failure::NoConfig { folder: here.clone() })?,
    };
    let text = read(&path).map_err(|error| Failure::UnreadableConfig { path: path.clone(), error })?;
    let absolute = here.join(&path);
    let folder = absolute.parent().unwrap_or(Path::new("/")).to_path_buf();
    let plan = devloop_config::load(&text, &Place { folder: folder.clone() }).plan;
    let state_file = plan.as_ref().map_or_else(|| folder.join(".devloop/state.json"), |plan| plan.state_file.clone());
    Ok((state_file, plan))
}

/// The plan of the config that is found from the working folder, if it is right. Says nothing.
pub(super) fn quietly() -> Option<Plan> {
    let path = std::env::current_dir().ok()?.join(find(&std::env::current_dir().ok()?)?);
    let place = Place { folder: path.parent()?.to_path_buf() };
    devloop_config::load(&read(&path).ok()?, &place).plan
}

/// The config of a folder, or of the nearest folder above it; messages show the first by its name alone.
fn find(folder: &Path) -> Option<PathBuf> {
    if folder.join(FILE_NAME).is_file() {
        return Some(PathBuf::from(FILE_NAME));
    }
    folder.ancestors().skip(1).map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file())
}

/// Reads a text file; a FIFO or a device is refused, since reading one may never end.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if kind.is_dir() {
        return Err("it is a folder; name the file in it".to_owned());
    }
    if !kind.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if kind.len() > devloop_config::CONFIG_BYTES_MAX as u64 {
        let max = devloop_config::CONFIG_BYTES_MAX;
        return Err(format!("it is {} bytes long; a config has at most {max}", kind.len()));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error: std::string::FromUtf8Error| {
        format!("it is not UTF-8: the first bad byte is at offset {}", error.utf8_error().valid_up_to())
    })
}
