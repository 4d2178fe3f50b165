//! The config that is saved while a session lasts: what it says by now, and the diagnostics of `validate` when it is wrong.

use super::config_file::{self, Checked, Judged};
use super::watched_paths;
use crate::adapters::plan_file::ReadPlan;
use crate::report::Reporter;
use devloop_core::fact::LoadedPlan;
use devloop_core::names::ProcessName;
use devloop_core::plan::Plan;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads the config of a session again.
pub(super) struct SavedConfig {
    /// As the user named it, for messages.
    shown: PathBuf,
    absolute: PathBuf,
    reporter: Arc<Reporter>,
    /// The processes of `--only`; none: all.
    only: Vec<ProcessName>,
    known: Mutex<Known>,
}

/// What is known of the file.
struct Known {
    /// What it held when it was read last, or why it could not be read.
    held: Result<String, String>,
    /// The last plan that was right; its root is the session's.
    plan: Arc<Plan>,
    /// The warnings that the user was shown last.
    warned: Vec<String>,
}

impl SavedConfig {
    /// The config that a session began with; `only` holds for each that is saved, too.
    pub(super) fn new(checked: Checked, plan: Arc<Plan>, reporter: Arc<Reporter>, only: Vec<ProcessName>) -> Self {
        let Checked { path, absolute, text, warned, .. } = checked;
        Self { shown: path, absolute, reporter, only, known: Mutex::new(Known { held: Ok(text), plan, warned }) }
    }

    fn judge(&self, text: &str, known: &mut Known) -> LoadedPlan {
        let (place, root) = (config_file::place_of(&self.absolute), known.plan.root.clone());
        let mut judged = config_file::judge(devloop_config::load(text, &place));
        let named = judged.plan.as_ref().map(|plan| plan.root.clone()).filter(|named| *named != root);
        if named.is_some() {
            // The rest of the text is taken as it would be with the root that stays.
            judged = config_file::judge(devloop_config::load_below(text, &place, &root));
        }
        let Judged { plan, errors, warnings } = judged;
        let shown = self.shown.to_string_lossy();
        let Some(plan) = plan.filter(|_| errors.is_empty()) else {
            self.reporter.diagnostics(&errors, &shown, text);
            return LoadedPlan::Broken { errors: errors.len() };
        };
        let warned: Vec<String> = warnings.iter().map(|warning| warning.message.clone()).collect();
        if warned != known.warned {
            self.reporter.diagnostics(&warnings, &shown, text);
            known.warned = warned;
        }
        watched_paths::tell(&plan, Some(&known.plan), &self.reporter);
        known.plan = Arc::new(if self.only.is_empty() { plan } else { plan.only(&self.only) });
        LoadedPlan::Valid { plan: Arc::clone(&known.plan), other_root: named }
    }
}

impl ReadPlan for SavedConfig {
    fn load(&self) -> LoadedPlan {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let held = config_file::read(&self.absolute);
        if held == known.held {
            return LoadedPlan::Same;
        }
        known.held.clone_from(&held);
        match held {
            Ok(text) => self.judge(&text, &mut known),
            Err(error) => LoadedPlan::Unreadable { error: format!("'{}': {error}", self.shown.display()) },
        }
    }

    fn is_other(&self) -> bool {
        config_file::read(&self.absolute) != self.known.lock().unwrap_or_else(PoisonError::into_inner).held
    }
}
