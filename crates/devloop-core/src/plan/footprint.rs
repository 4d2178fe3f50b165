//! What a workflow touches, so that runs which do not meet may run at the same time.

use super::Plan;
use super::artifact::ArtifactKey;
use super::hook::Capture;
use super::probe::{ProbeKind, ProbePlan};
use super::workflow::Step;
use crate::names::{ArtifactName, HookName, LockName, ProcessName, StateKey, WorkflowName};
use crate::template::Template;
use std::collections::BTreeSet;

/// Something that two runs could meet at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A process: started, stopped or restarted is a write; awaited or depended on is a read.
    Process(ProcessName),
    /// A hook: running it is a write, so that one hook never runs twice at once.
    Hook(HookName),
    /// A workflow: running it is a write, so that one workflow never overlaps itself.
    Workflow(WorkflowName),
    /// A state key.
    Key(StateKey),
    /// An artifact: publishing it is a write.
    Artifact(ArtifactName),
    /// A declared lock; always a write.
    Lock(LockName),
}

/// All that a workflow can touch, through `run_workflow` and `triggers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// What is only looked at.
    pub reads: BTreeSet<Resource>,
    /// What is changed.
    pub writes: BTreeSet<Resource>,
    /// Whether any state key may be written (a `json` capture).
    pub writes_every_key: bool,
}

impl Footprint {
    /// The footprint of a workflow of a plan.
    pub fn of(plan: &Plan, workflow: &WorkflowName) -> Self {
        let mut footprint = Self::default();
        footprint.add_workflow(plan, workflow);
        footprint
    }

    /// Whether one changes what the other changes or looks at.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.disturbs(other) || other.disturbs(self)
    }

    fn disturbs(&self, other: &Self) -> bool {
        let is_shared = |resource: &Resource| other.reads.contains(resource) || other.writes.contains(resource);
        self.writes.iter().any(is_shared) || (self.writes_every_key && other.touches_keys())
    }

    fn touches_keys(&self) -> bool {
        let is_key = |resource: &Resource| matches!(resource, Resource::Key(_));
        self.writes_every_key || self.reads.iter().any(is_key) || self.writes.iter().any(is_key)
    }

    fn add_workflow(&mut self, plan: &Plan, name: &WorkflowName) {
        let Some(workflow) = plan.workflows.get(name) else { return };
        if !self.writes.insert(Resource::Workflow(name.clone())) {
            return;
        }
        self.add_steps(plan, &workflow.steps);
        for target in &workflow.triggers {
            self.add_workflow(plan, target);
        }
    }

    fn add_steps(&mut self, plan: &Plan, steps: &[Step]) {
        for step in steps {
            match step {
                Step::StartProcess(name) | Step::RestartProcess(name) => self.add_started_process(plan, name),
                Step::StopProcess(name) => self.add_changed_process(plan, name),
                Step::WaitForProcess(name) => {
                    self.reads.insert(Resource::Process(name.clone()));
                    self.add_readiness(plan, name);
                }
                Step::RunHook(name) => self.add_hook(plan, name),
                Step::PublishArtifact(name) => self.add_artifact(plan, name),
                Step::RunWorkflow(name) => self.add_workflow(plan, name),
                Step::WriteState { key, value } => {
                    self.writes.insert(Resource::Key(key.clone()));
                    self.add_template(value);
                }
                Step::Log { message, .. } => self.add_template(message),
                Step::Sleep(_) | Step::NotifyReload => {}
                Step::Parallel(steps) => self.add_steps(plan, steps),
            }
        }
    }

    fn add_started_process(&mut self, plan: &Plan, name: &ProcessName) {
        self.add_changed_process(plan, name);
        self.add_readiness(plan, name);
        self.add_dependencies(plan, name);
    }

    fn add_artifact(&mut self, plan: &Plan, name: &ArtifactName) {
        self.writes.insert(Resource::Artifact(name.clone()));
        self.writes.extend(ArtifactKey::ALL.map(|key| Resource::Key(key.of(name))));
        let Some(artifact) = plan.artifacts.get(name) else { return };
        self.add_hook(plan, &artifact.build_hook);
        for consumer in &artifact.consumers {
            self.add_started_process(plan, consumer);
        }
    }

    fn add_changed_process(&mut self, plan: &Plan, name: &ProcessName) {
        self.writes.insert(Resource::Process(name.clone()));
        self.writes.extend(plan.rule_keys(name).map(|key| Resource::Key(key.clone())));
        if let Some(process) = plan.processes.get(name) {
            self.writes.extend(process.locks.iter().map(|lock| Resource::Lock(lock.clone())));
        }
    }

    fn add_dependencies(&mut self, plan: &Plan, name: &ProcessName) {
        let Some(process) = plan.processes.get(name) else { return };
        for dependency in &process.depends_on {
            if self.reads.insert(Resource::Process(dependency.clone())) {
                self.add_readiness(plan, dependency);
                self.add_dependencies(plan, dependency);
            }
        }
    }

    fn add_readiness(&mut self, plan: &Plan, name: &ProcessName) {
        let readiness = plan.processes.get(name).and_then(|process| process.readiness.as_ref());
        match readiness.map(|ProbePlan { kind, .. }| kind) {
            Some(ProbeKind::Http { expect_body: Some(body), .. }) => self.add_template(body),
            // The key of a `state_key` readiness is no read: the run that writes it must not wait for the one that waits.
            Some(
                ProbeKind::StateKey { .. }
                | ProbeKind::Http { expect_body: None, .. }
                | ProbeKind::Tcp { .. }
                | ProbeKind::Exec { .. }
                | ProbeKind::Output { .. },
            )
            | None => {}
        }
    }

    fn add_hook(&mut self, plan: &Plan, name: &HookName) {
        self.writes.insert(Resource::Hook(name.clone()));
        let Some(hook) = plan.hooks.get(name) else { return };
        self.writes.extend(hook.locks.iter().map(|lock| Resource::Lock(lock.clone())));
        match &hook.capture {
            Capture::Ignore => {}
            Capture::Text { state_key } => {
                self.writes.insert(Resource::Key(state_key.clone()));
            }
            Capture::Json => self.writes_every_key = true,
        }
    }

    /// A dotted key may also be a path into the value of a shorter one.
    fn add_template(&mut self, template: &Template) {
        for key in template.keys() {
            self.add_read_key(key);
            for (dot, _) in key.as_str().match_indices('.') {
                self.add_read_key(&StateKey::from(&key.as_str()[..dot]));
            }
        }
    }

    /// What every run is told of its own is nothing that runs could meet at.
    fn add_read_key(&mut self, key: &StateKey) {
        if !matches!(key.as_str(), "last_workflow" | "last_changed_files") {
            self.reads.insert(Resource::Key(key.clone()));
        }
    }
}
