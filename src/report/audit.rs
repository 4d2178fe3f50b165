//! What `devloop audit` says: the reach of every input, and what was found, as a page for people or as JSON.
//!
//! Everything that comes from the config or the system is shown as one line with its control characters escaped.

mod json;
mod page;
mod words;

pub use json::json;
pub use page::page;

use devloop_core::names::{HookName, ProcessName};
use devloop_core::plan::Plan;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::reach::{Audit, Because, Reached};
use std::path::PathBuf;

/// What a program's name stands for on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// This file is executed.
    Found(PathBuf),
    /// No such file is there now; this is the one that would be executed, if it is one place.
    Missing(Option<PathBuf>),
    /// Its name has a variable that is not set.
    Unset(String),
}

/// All that the words are made of.
pub struct Audited<'a> {
    /// The config's path, as it was named or found.
    pub config: String,
    /// The plan.
    pub plan: &'a Plan,
    /// What was worked out.
    pub audit: &'a Audit,
    /// The config's warnings, without their frames.
    pub warnings: &'a [String],
    /// Looks a program up, without executing it.
    pub look_up: &'a dyn Fn(&CommandPlan) -> Program,
}

/// Whose command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner<'a> {
    Hook(&'a HookName),
    Process(&'a ProcessName),
    /// The readiness or liveness of a process.
    Probe(&'a ProcessName, &'static str),
}

/// The commands of what is reached, hooks first.
fn commands<'a>(plan: &'a Plan, reached: &'a Reached) -> Vec<(Owner<'a>, &'a Because, &'a CommandPlan)> {
    let hooks = reached.hooks.iter();
    let mut all: Vec<_> = hooks
        .filter_map(|(name, because)| Some((Owner::Hook(name), because, &plan.hooks.get(name)?.command)))
        .collect();
    for (name, because) in &reached.processes {
        let Some(process) = plan.processes.get(name) else { continue };
        all.push((Owner::Process(name), because, &process.command));
        for (role, probe) in [("readiness", &process.readiness), ("liveness", &process.liveness)] {
            if let Some(ProbePlan { kind: ProbeKind::Exec { command }, .. }) = probe {
                all.push((Owner::Probe(name, role), because, command));
            }
        }
    }
    all
}
