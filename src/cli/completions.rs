//! `devloop completions SHELL`, and what the shell asks for then: words of the command line, and names of the config.
//!
//! Completing reads the config that a command would read, and nothing else. It never shows an error, since what is
//! being typed is not a command yet.

use super::{config_file, logs, print};
use crate::env_vars;
use crate::failure::Failure;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use devloop_core::plan::Plan;
use std::ffi::OsString;

/// The shells, by the names of their programs.
pub(super) const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

pub(super) fn main(shell: &str) -> Result<(), Failure> {
    let builtins = Shells::builtins();
    let Some(completer) = builtins.completer(shell) else { return Err(Failure::Usage) };
    let mut script = Vec::new();
    completer
        .write_registration(env_vars::COMPLETE, "devloop", "devloop", "devloop", &mut script)
        .map_err(Failure::CannotWrite)?;
    print(&String::from_utf8_lossy(&script))
}

/// Answers a shell that asks for completions, as the script of [`main`] makes it ask. `true`: that was all.
pub(super) fn answer(args: &[OsString]) -> bool {
    if std::env::var_os(env_vars::COMPLETE).is_none() {
        return false;
    }
    let here = std::env::current_dir().ok();
    let completing = CompleteEnv::with_factory(super::command).var(env_vars::COMPLETE);
    completing.try_complete(args.iter().cloned(), here.as_deref()).unwrap_or(true)
}

/// The events of the config.
pub(super) fn events() -> Vec<CompletionCandidate> {
    names(|plan| plan.events.keys().map(ToString::to_string).collect())
}

/// The processes of the config.
pub(super) fn processes() -> Vec<CompletionCandidate> {
    names(|plan| plan.processes.keys().map(ToString::to_string).collect())
}

/// Whose lines a log holds.
pub(super) fn speakers() -> Vec<CompletionCandidate> {
    names(logs::names_of)
}

/// The sessions that have left a log, with the time at which each began.
pub(super) fn sessions() -> Vec<CompletionCandidate> {
    let known = config_file::quietly().map(|plan| logs::known(&plan.state_file)).unwrap_or_default();
    known.into_iter().map(|(id, began)| CompletionCandidate::new(id).help(Some(began.into()))).collect()
}

/// Keys that the config's items write.
pub(super) fn state_keys() -> Vec<CompletionCandidate> {
    names(|plan| {
        let events = plan.events.values().map(|event| event.state_key.to_string());
        let rules =
            plan.processes.values().flat_map(|it| it.output.rules.iter().map(|rule| rule.state_key.to_string()));
        let own = devloop_core::plan::RESERVED_KEYS.iter().map(|&key| key.to_owned());
        events.chain(rules).chain(own).collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    })
}

/// Names of the config that is found from the working folder; none where there is none, or where it is wrong.
fn names(of: impl Fn(&Plan) -> Vec<String>) -> Vec<CompletionCandidate> {
    let plan = config_file::quietly();
    plan.iter().flat_map(of).map(CompletionCandidate::new).collect()
}
