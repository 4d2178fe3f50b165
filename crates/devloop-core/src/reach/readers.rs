//! Who reads a value: templates and probes, of the key itself and of what templates made of it.

use super::Keys;
use crate::names::{ProcessName, StateKey, WorkflowName};
use crate::plan::Plan;
use crate::plan::probe::{ProbeKind, ProbePlan};
use crate::plan::workflow::Step;
use crate::template::Template;

/// A place that reads a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// A template of a step.
    Step {
        /// Whose step.
        workflow: WorkflowName,
        /// Its place, counted from 0; more than one number inside `parallel`.
        at: Vec<usize>,
        /// The step's action.
        action: &'static str,
        /// The template as the user wrote it.
        template: String,
        /// The key that is written with what the template renders to.
        writes: Option<StateKey>,
    },
    /// A readiness or liveness.
    Probe {
        /// Whose probe.
        process: ProcessName,
        /// `readiness` or `liveness`.
        role: &'static str,
        /// What it reads: a state key, or a template that the answer must equal.
        what: ProbeReads,
    },
}

/// What of the state a probe reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeReads {
    /// A key that must be there.
    Key(StateKey),
    /// `expect_body`, as the user wrote it.
    Body(String),
}

/// All readers of what is written, in the order of the config's names.
pub(super) fn of(plan: &Plan, writes: &Keys) -> Vec<Reader> {
    let mut keys = writes.clone();
    loop {
        let mut found = Vec::new();
        for (name, workflow) in &plan.workflows {
            look_at_steps(name, &workflow.steps, &mut Vec::new(), &keys, &mut found);
        }
        let before = keys.named.len();
        for reader in &found {
            if let Reader::Step { writes: Some(key), .. } = reader {
                keys.named.insert(key.clone());
            }
        }
        if keys.named.len() == before {
            for (name, process) in &plan.processes {
                look_at_probe(name, "readiness", process.readiness.as_ref(), &keys, &mut found);
                look_at_probe(name, "liveness", process.liveness.as_ref(), &keys, &mut found);
            }
            return found;
        }
    }
}

fn look_at_steps(workflow: &WorkflowName, steps: &[Step], at: &mut Vec<usize>, keys: &Keys, found: &mut Vec<Reader>) {
    let is_read = |template: &Template| template.keys().any(|key| keys.feed(key));
    for (index, step) in steps.iter().enumerate() {
        at.push(index);
        let (template, writes) = match step {
            Step::Log { message, .. } => (Some(message), None),
            Step::WriteState { key, value } => (Some(value), Some(key.clone())),
            Step::Parallel(steps) => {
                look_at_steps(workflow, steps, at, keys, found);
                (None, None)
            }
            Step::StartProcess(_)
            | Step::StopProcess(_)
            | Step::RestartProcess(_)
            | Step::WaitForProcess(_)
            | Step::RunHook(_)
            | Step::RunWorkflow(_)
            | Step::Sleep(_)
            | Step::NotifyReload
            | Step::PublishArtifact(_) => (None, None),
        };
        if let Some(template) = template.filter(|template| is_read(template)) {
            found.push(Reader::Step {
                workflow: workflow.clone(),
                at: at.clone(),
                action: step.action(),
                template: template.source().to_owned(),
                writes,
            });
        }
        at.pop();
    }
}

fn look_at_probe(
    process: &ProcessName,
    role: &'static str,
    probe: Option<&ProbePlan>,
    keys: &Keys,
    found: &mut Vec<Reader>,
) {
    let what = probe.and_then(|probe| match &probe.kind {
        ProbeKind::StateKey { key } => keys.feed(key).then(|| ProbeReads::Key(key.clone())),
        ProbeKind::Http { expect_body: Some(body), .. } => {
            body.keys().any(|key| keys.feed(key)).then(|| ProbeReads::Body(body.source().to_owned()))
        }
        ProbeKind::Http { expect_body: None, .. }
        | ProbeKind::Tcp { .. }
        | ProbeKind::Exec { .. }
        | ProbeKind::Output { .. } => None,
    });
    found.extend(what.map(|what| Reader::Probe { process: process.clone(), role, what }));
}
