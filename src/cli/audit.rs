//! `devloop audit`: what each input from outside can start. Starts nothing, connects to nothing, creates nothing.

use super::config_file::{self, Checked};
use super::{complain, page_width, print, stdout_colors};
use crate::adapters::guardian;
use crate::adapters::json;
use crate::env_vars;
use crate::failure::Failure;
use crate::report::audit::{self, Audited, Program};
use devloop_core::plan::Plan;
use devloop_core::plan::command::CommandPlan;
use devloop_core::reach::{Audit, Kind};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the command line asks for.
pub(super) struct Asked {
    pub(super) is_json: bool,
    pub(super) denied: Vec<Kind>,
}

pub(super) fn main(config: Option<&PathBuf>, asked: &Asked) -> Result<(), Failure> {
    let Checked { plan, path, folder, warned, warnings, .. } = config_file::check(config)?;
    let audit = Audit::of(&plan, &folder);
    let audited = Audited {
        config: path.to_string_lossy().into_owned(),
        plan: &plan,
        audit: &audit,
        warnings: &warned,
        look_up: &|command| look_up(&plan, command),
    };
    if asked.is_json {
        print(&json::pretty(&audit::json(&audited)))?;
    } else {
        complain(&warnings);
        print(&audit::page(&audited, page_width(), stdout_colors()))?;
    }
    let denied: Vec<(&'static str, usize)> = asked
        .denied
        .iter()
        .map(|kind| (kind.name(), audit.findings.iter().filter(|finding| finding.is_denied_by(*kind)).count()))
        .filter(|(_, count)| *count > 0)
        .collect();
    if denied.is_empty() { Ok(()) } else { Err(Failure::Denied(denied)) }
}

/// The file that a command's program stands for, looked for as it is when the command is started.
fn look_up(plan: &Plan, command: &CommandPlan) -> Program {
    let ambient = |name: &str| std::env::var(name).ok();
    let Some(first) = command.argv.first() else { return Program::Missing(None) };
    let program = match first.resolve(ambient, |name| command.env.contains_key(name)) {
        Ok(program) => program,
        Err(unset) => return Program::Unset(unset.name),
    };
    let own = command.env.get(env_vars::PATH).and_then(|words| words.resolve(ambient, |_| false).ok());
    let path = own.map(OsString::from).or_else(|| std::env::var_os(env_vars::PATH));
    let candidates = guardian::candidates(OsStr::new(&program), path.as_deref(), &plan.root, &command.cwd);
    match candidates.iter().find(|path| is_program(path)) {
        Some(found) => Program::Found(clean(found)),
        None if candidates.len() == 1 => Program::Missing(candidates.first().map(|path| clean(path))),
        None => Program::Missing(None),
    }
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Without `.` and `..`, for reading; links are left as they are, since the link is what is executed.
fn clean(path: &Path) -> PathBuf {
    devloop_config::place::cleaned(Path::new("/"), path)
}
