//! Attempts of probes that are under way, and how they end.

use crate::adapters::environment::Environment;
use crate::adapters::guardian::{Contain, Report, Stdin};
use crate::adapters::launch::{Launcher, Manner, ended, start_failure, status};
use crate::adapters::probe;
use crate::hands::FactSender;
use devloop_core::fact::{Fact, ProbeAnswer, ProbeRole, StartFailure};
use devloop_core::names::{ProcessName, TaskId};
use devloop_core::plan::Plan;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::probe::ProbeKind;
use devloop_core::plan::words::Words;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};

/// All attempts that are under way.
pub struct Prober {
    plan: Arc<Plan>,
    launcher: Launcher,
    facts: FactSender,
    attempts: BTreeMap<TaskId, AbortHandle>,
    tasks: JoinSet<TaskId>,
}

/// What an attempt asks for.
pub struct Asked {
    /// What the body must be.
    pub expect_body: Option<String>,
    /// After how long the attempt is over in any case.
    pub within: Duration,
}

impl Prober {
    /// Nothing is under way yet.
    pub fn new(plan: Arc<Plan>, launcher: Launcher, facts: FactSender) -> Self {
        Self { plan, launcher, facts, attempts: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// From now on processes are asked as this plan says.
    pub fn renew(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Begins an attempt of a probe. Its answer comes as a fact.
    pub fn start(&mut self, task: TaskId, (process, role): (&ProcessName, ProbeRole), asked: Asked) {
        while let Some(over) = self.tasks.try_join_next() {
            if let Ok(over) = over {
                self.attempts.remove(&over);
            }
        }
        let Some(plan) = self.plan.processes.get(process).cloned() else { return };
        let (launcher, facts) = (self.launcher.clone(), self.facts.clone());
        let attempt = self.tasks.spawn_local(async move {
            let (probe, prefix) = match role {
                ProbeRole::Readiness => (plan.readiness.as_ref(), "readiness."),
                ProbeRole::Liveness => (plan.liveness.as_ref(), "liveness."),
            };
            if let Some(probe) = probe {
                let answer = attempt(&probe.kind, prefix, &asked, &launcher).await;
                facts.send(Fact::ProbeAnswered { task, answer });
            }
            task
        });
        self.attempts.insert(task, attempt);
    }

    /// Drops an attempt.
    pub fn cancel(&mut self, task: TaskId) {
        if let Some(attempt) = self.attempts.remove(&task) {
            attempt.abort();
        }
    }
}

async fn attempt(kind: &ProbeKind, prefix: &'static str, asked: &Asked, launcher: &Launcher) -> ProbeAnswer {
    let within = asked.within;
    match kind {
        ProbeKind::Http { url, .. } => match resolved(url, &format!("{prefix}url"), launcher.environment()) {
            Ok(url) => probe::attempt_http(&url, asked.expect_body.as_deref(), within).await,
            Err(answer) => answer,
        },
        ProbeKind::Tcp { address } => match resolved(address, &format!("{prefix}address"), launcher.environment()) {
            Ok(address) => probe::attempt_tcp(&address, within).await,
            Err(answer) => answer,
        },
        ProbeKind::Exec { command } => attempt_exec(command, prefix, within, launcher).await,
        // The engine answers these itself.
        ProbeKind::StateKey { .. } | ProbeKind::Output { .. } => ProbeAnswer::Well,
    }
}

fn resolved(text: &Words, key: &str, environment: &Environment) -> Result<String, ProbeAnswer> {
    environment.resolve_words(text, key).map_err(|failure| ProbeAnswer::Unwell(words(&failure)))
}

/// The command's output is not shown: it says the same every few hundred milliseconds.
async fn attempt_exec(
    command: &CommandPlan,
    key_prefix: &'static str,
    within: Duration,
    launcher: &Launcher,
) -> ProbeAnswer {
    let errand = Environment::startup_errand();
    let stdin = Stdin::Null;
    let manner = Manner { errand: &errand, life: None, grant: None, key_prefix, stdin, contain: Contain::Group };
    let mut child = match launcher.launch_unheard(command, &manner) {
        Ok(child) => child,
        Err(failure) => return ProbeAnswer::Unwell(words(&failure)),
    };
    // Dropping the child, here or with the attempt, ends it.
    match tokio::time::timeout(within, ended(&mut child, |_| launcher.prepare_next())).await {
        Ok(Some(Report::Exited(how))) if status(how).is_success() => ProbeAnswer::Well,
        Ok(Some(Report::Exited(how))) => {
            ProbeAnswer::Unwell(format!("{} ended with {}", command.program_name(), status(how)))
        }
        Ok(Some(Report::StartFailed { step, errno })) => {
            ProbeAnswer::Unwell(words(&start_failure(command, step, errno)))
        }
        Ok(Some(Report::Started { .. } | Report::Stuck { .. } | Report::Gone) | None) => {
            ProbeAnswer::Unwell(format!("{} was killed by somebody", command.program_name()))
        }
        Err(_) => ProbeAnswer::Unwell(format!("{} did not end in time", command.program_name())),
    }
}

fn words(failure: &StartFailure) -> String {
    match failure {
        StartFailure::AddressInUse { address } => format!("address {address} is already in use"),
        StartFailure::UnsetVariable { key, variable } => format!("`{key}` names {variable}, which is not set"),
        StartFailure::Refused { what, error } => format!("{what}: {error}"),
    }
}
