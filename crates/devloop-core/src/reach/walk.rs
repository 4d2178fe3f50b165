//! From an input to all that can run for it: along steps, triggers, dependencies, keys and waits.

use super::{Because, Keys, Reached, Source, captured};
use crate::names::{ArtifactName, HookName, ProcessName, StateKey, WorkflowName};
use crate::plan::artifact::ArtifactKey;
use crate::plan::probe::{ProbeKind, ProbePlan};
use crate::plan::workflow::Step;
use crate::plan::{Plan, is_reserved};
use std::collections::BTreeSet;

/// A walk through a plan.
pub(super) struct Walk<'p> {
    plan: &'p Plan,
    /// Whether it also follows what only waited for something.
    is_wide: bool,
    reached: Reached,
    touched: Keys,
    /// Workflows that may have waited in the middle.
    awakened: BTreeSet<WorkflowName>,
}

impl<'p> Walk<'p> {
    pub(super) fn new(plan: &'p Plan, is_wide: bool) -> Self {
        Self { plan, is_wide, reached: Reached::default(), touched: Keys::default(), awakened: BTreeSet::new() }
    }

    /// Follows what the input does by itself.
    pub(super) fn begin(&mut self, source: &Source, writes: &Keys) {
        let workflow = match source {
            Source::Event(name) => self.plan.events.get(name).map(|event| &event.workflow),
            Source::Observed(name) => {
                let observe = self.plan.hooks.get(name).and_then(|hook| hook.observe.as_ref());
                observe.map(|observe| &observe.workflow)
            }
            Source::Watch(name) => self.plan.watches.get(name).map(|watch| &watch.workflow),
            Source::Rule(..) | Source::Capture(_) => None,
        };
        if let Some(workflow) = workflow {
            self.workflow(workflow, Because::Named);
        }
        self.touch(writes);
    }

    pub(super) fn finish(self) -> Reached {
        self.reached
    }

    fn workflow(&mut self, name: &WorkflowName, because: Because) {
        let Some(workflow) = self.plan.workflows.get(name) else { return };
        if self.reached.workflows.contains_key(name) {
            return;
        }
        self.reached.workflows.insert(name.clone(), because);
        for key in ["last_workflow", "last_changed_files"] {
            self.touch_one(&StateKey::from(key));
        }
        self.steps(name, &workflow.steps);
        for target in &workflow.triggers {
            self.workflow(target, Because::Trigger(name.clone()));
        }
    }

    fn steps(&mut self, workflow: &WorkflowName, steps: &[Step]) {
        for step in steps {
            match step {
                Step::StartProcess(name) | Step::RestartProcess(name) => {
                    self.process(name, Because::Step(workflow.clone()));
                }
                Step::StopProcess(name) => self.stopped(name),
                Step::RunHook(name) => self.hook(name, Because::Step(workflow.clone())),
                Step::PublishArtifact(name) => self.artifact(name, workflow),
                Step::RunWorkflow(name) => self.workflow(name, Because::Step(workflow.clone())),
                Step::WriteState { key, .. } => self.touch_one(key),
                Step::Parallel(steps) => self.steps(workflow, steps),
                Step::WaitForProcess(_) | Step::Sleep(_) | Step::Log { .. } | Step::NotifyReload => {}
            }
        }
    }

    /// Its hook builds, its keys are written, its consumers start.
    fn artifact(&mut self, name: &ArtifactName, workflow: &WorkflowName) {
        let Some(artifact) = self.plan.artifacts.get(name) else { return };
        self.hook(&artifact.build_hook, Because::Step(workflow.clone()));
        for key in ArtifactKey::ALL {
            self.touch_one(&key.of(name));
        }
        for consumer in &artifact.consumers {
            self.process(consumer, Because::Step(workflow.clone()));
        }
    }

    fn process(&mut self, name: &ProcessName, because: Because) {
        let Some(process) = self.plan.processes.get(name) else { return };
        if self.reached.processes.contains_key(name) {
            return;
        }
        self.reached.processes.insert(name.clone(), because);
        for dependency in &process.depends_on {
            self.process(dependency, Because::Dependency(name.clone()));
        }
        self.stopped(name);
    }

    /// Each life ends and begins with rules that write an empty value; a dependant that waits goes on, or tries again.
    fn stopped(&mut self, name: &ProcessName) {
        for key in self.plan.rule_keys(name) {
            self.touch_one(key);
        }
        self.moved(name);
    }

    fn hook(&mut self, name: &HookName, because: Because) {
        let Some(hook) = self.plan.hooks.get(name) else { return };
        if self.reached.hooks.contains_key(name) {
            return;
        }
        self.reached.hooks.insert(name.clone(), because);
        self.touch(&captured(&hook.capture));
    }

    fn touch_one(&mut self, key: &StateKey) {
        self.touch(&Keys { named: [key.clone()].into(), is_any: false });
    }

    /// Keys are written: who looks at them acts.
    fn touch(&mut self, keys: &Keys) {
        let new = Keys {
            named: keys.named.difference(&self.touched.named).cloned().collect(),
            is_any: keys.is_any && !self.touched.is_any,
        };
        if new == Keys::default() {
            return;
        }
        self.touched.named.extend(new.named.iter().cloned());
        self.touched.is_any |= new.is_any;
        for (name, process) in &self.plan.processes {
            if looks_at(process.liveness.as_ref(), &new) {
                self.process(name, Because::Liveness);
            }
            if looks_at(process.readiness.as_ref(), &new) {
                self.moved(name);
            }
        }
        for (name, hook) in &self.plan.hooks {
            let Some(observe) = &hook.observe else { continue };
            let own = captured(&hook.capture);
            let is_shared = own.named.iter().any(|key| new.is_any || new.named.contains(key))
                || (own.is_any && (new.is_any || new.named.iter().any(|key| !is_reserved(key.as_str()))));
            if is_shared {
                self.workflow(&observe.workflow, Because::Poll(name.clone()));
            }
        }
    }

    /// A process may have become ready, or have stopped being so: who waited for it goes on.
    fn moved(&mut self, name: &ProcessName) {
        if !self.is_wide {
            return;
        }
        for (other, process) in &self.plan.processes {
            if process.depends_on.contains(name) {
                self.process(other, Because::Dependant(name.clone()));
            }
        }
        for (workflow, plan) in &self.plan.workflows {
            if waits_for(self.plan, &plan.steps, name) {
                self.goes_on(workflow, Because::Wait(name.clone()));
            }
        }
    }

    /// A run goes on, and with it whoever waits for its end.
    fn goes_on(&mut self, name: &WorkflowName, because: Because) {
        if !self.awakened.insert(name.clone()) {
            return;
        }
        self.workflow(name, because);
        for (caller, plan) in &self.plan.workflows {
            if plan.triggers.contains(name) || runs(&plan.steps, name) {
                self.goes_on(caller, Because::Caller(name.clone()));
            }
        }
        let startup = &self.plan.startup_workflows;
        if let Some(at) = startup.iter().position(|startup| startup == name) {
            for next in &startup[at + 1..] {
                self.workflow(next, Because::NextAtStartup(name.clone()));
            }
        }
    }
}

fn looks_at(probe: Option<&ProbePlan>, keys: &Keys) -> bool {
    probe.is_some_and(|probe| match &probe.kind {
        ProbeKind::StateKey { key } => keys.feed(key),
        ProbeKind::Http { expect_body: Some(body), .. } => body.keys().any(|key| keys.feed(key)),
        ProbeKind::Http { expect_body: None, .. }
        | ProbeKind::Tcp { .. }
        | ProbeKind::Exec { .. }
        | ProbeKind::Output { .. } => false,
    })
}

/// Whether a step waits until a process is started or ready.
fn waits_for(plan: &Plan, steps: &[Step], process: &ProcessName) -> bool {
    steps.iter().any(|step| match step {
        Step::WaitForProcess(name) | Step::StartProcess(name) | Step::RestartProcess(name) => name == process,
        Step::Parallel(steps) => waits_for(plan, steps, process),
        Step::PublishArtifact(name) => plan.consumers(name).any(|consumer| consumer == process),
        Step::StopProcess(_)
        | Step::RunHook(_)
        | Step::RunWorkflow(_)
        | Step::Sleep(_)
        | Step::WriteState { .. }
        | Step::Log { .. }
        | Step::NotifyReload => false,
    })
}

fn runs(steps: &[Step], workflow: &WorkflowName) -> bool {
    steps.iter().any(|step| match step {
        Step::RunWorkflow(name) => name == workflow,
        Step::Parallel(steps) => runs(steps, workflow),
        Step::StartProcess(_)
        | Step::StopProcess(_)
        | Step::RestartProcess(_)
        | Step::WaitForProcess(_)
        | Step::RunHook(_)
        | Step::Sleep(_)
        | Step::WriteState { .. }
        | Step::Log { .. }
        | Step::NotifyReload
        | Step::PublishArtifact(_) => false,
    })
}
