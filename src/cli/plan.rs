//! `devloop plan PATH…`: what a change of these paths would run. Starts nothing, watches nothing, creates nothing.

use super::config_file::{self, Checked};
use super::{page_width, print, stdout_colors};
use crate::adapters::watcher::{Fate, OwnFiles, fate};
use crate::failure::Failure;
use crate::report::forecast::{self, Asked};
use devloop_core::names::WatchName;
use devloop_core::plan::Plan;
use std::path::{Path, PathBuf};

pub(super) fn main(config: Option<&PathBuf>, paths: &[PathBuf]) -> Result<(), Failure> {
    let Checked { plan, .. } = config_file::check(config)?;
    let here = config_file::working_folder()?;
    let asked: Vec<Asked> = paths.iter().map(|path| ask(&plan, &here, path)).collect();
    print(&forecast::page(&plan, &asked, page_width(), stdout_colors()))
}

fn ask(plan: &Plan, here: &Path, path: &Path) -> Asked {
    let fate = fate(plan, OwnFiles::of_state_file(&plan.state_file), &here.join(path));
    let answer = answer(plan, &fate);
    let runs = match fate {
        Fate::Counts { path, groups } => {
            let workflows = groups.iter().filter_map(|name| plan.watches.get(name)).map(|group| group.workflow.clone());
            Some((path, workflows.collect()))
        }
        Fate::Outside | Fate::Own | Fate::Skipped { .. } | Fate::Unmatched { .. } | Fate::Excluded { .. } => None,
    };
    Asked { path: path.to_string_lossy().into_owned(), answer, runs }
}

fn answer(plan: &Plan, fate: &Fate) -> String {
    match fate {
        Fate::Outside => format!("does not count: it is not below root ({})", plan.root.display()),
        Fate::Own => "does not count: it is devloop's own".to_owned(),
        Fate::Skipped { folder, why } => {
            format!("does not count: the folder '{folder}' is skipped, since {why}; name it in a pattern to watch it")
        }
        Fate::Unmatched { .. } => "does not count: no watch group's `paths` match it".to_owned(),
        Fate::Excluded { groups } => format!("does not count: {} ignores it", named(groups)),
        Fate::Counts { groups, .. } => format!("counts for {}", named(groups)),
    }
}

fn named(groups: &[WatchName]) -> String {
    let names: Vec<String> = groups.iter().map(|name| format!("'{name}'")).collect();
    format!("watch group{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}
