//! What a run touches, worked out from its plan alone. `sure` is what SPEC says in so many words; `wide` adds
//! what an engine may reasonably count as well. Two runs must not overlap when they surely conflict, and must not wait
//! for each other when they do not even widely.

use devloop_core::names::{HookName, ProcessName, StateKey, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::hook::Capture;
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::workflow::Step;
use devloop_core::template::Template;
use std::collections::BTreeSet;

/// A thing that is read (`false`) or written (`true`), by a name with its kind in front.
type Touched = BTreeSet<(String, bool)>;

/// The footprint of a run of a workflow.
pub(crate) struct Footprint {
    workflow: WorkflowName,
    sure: Touched,
    wide: Touched,
}

impl Footprint {
    pub(crate) fn of(plan: &Plan, workflow: &WorkflowName) -> Self {
        let touched = |is_wide| {
            let mut walk = Walk { plan, is_wide, touched: BTreeSet::new() };
            walk.workflow(workflow);
            walk.touched
        };
        Self { workflow: workflow.clone(), sure: touched(false), wide: touched(true) }
    }

    pub(crate) fn surely_conflicts(&self, other: &Self) -> bool {
        self.workflow == other.workflow || overlap(&self.sure, &other.sure)
    }

    pub(crate) fn may_conflict(&self, other: &Self) -> bool {
        self.workflow == other.workflow || overlap(&self.wide, &other.wide)
    }
}

fn overlap(one: &Touched, other: &Touched) -> bool {
    one.iter().any(|(left, left_writes)| {
        other.iter().any(|(right, right_writes)| (*left_writes || *right_writes) && is_same(left, right))
    })
}

/// A `json` capture writes `key:*`; a template's `key:a.b` may look into `key:a`.
fn is_same(left: &str, right: &str) -> bool {
    let is_any_key = |one: &str, other: &str| one == "key:*" && other.starts_with("key:");
    left == right || is_any_key(left, right) || is_any_key(right, left)
}

struct Walk<'p> {
    plan: &'p Plan,
    is_wide: bool,
    touched: Touched,
}

impl Walk<'_> {
    fn reads(&mut self, what: String) {
        self.touched.insert((what, false));
    }

    fn writes(&mut self, what: String) {
        self.touched.insert((what, true));
    }

    fn workflow(&mut self, name: &WorkflowName) {
        let workflow = &self.plan.workflows[name];
        if self.is_wide {
            self.writes(format!("workflow:{name}"));
        }
        self.steps(&workflow.steps);
        for target in &workflow.triggers {
            self.workflow(target);
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::StartProcess(name) | Step::RestartProcess(name) => self.starts(name),
                Step::StopProcess(name) => {
                    self.writes(format!("process:{name}"));
                    if self.is_wide {
                        self.starts(name);
                    }
                }
                Step::WaitForProcess(name) => {
                    self.reads(format!("process:{name}"));
                    if self.is_wide {
                        self.around(name);
                    }
                }
                Step::RunHook(name) => self.hook(name),
                Step::PublishArtifact(name) => {
                    let artifact = &self.plan.artifacts[name];
                    self.writes(format!("artifact:{name}"));
                    for field in ["generation", "path", "switching_generation", "rollback_generation", "rollback_path"]
                    {
                        self.writes(format!("key:artifact.{name}.{field}"));
                    }
                    self.hook(&artifact.build_hook);
                    artifact.consumers.iter().for_each(|consumer| self.starts(consumer));
                }
                Step::RunWorkflow(name) => self.workflow(name),
                Step::WriteState { key, value } => {
                    self.writes(format!("key:{key}"));
                    self.template(value);
                }
                Step::Log { message, .. } => self.template(message),
                Step::Parallel(steps) => self.steps(steps),
                Step::Sleep(_) | Step::NotifyReload => {}
            }
        }
    }

    fn hook(&mut self, name: &HookName) {
        let hook = &self.plan.hooks[name];
        self.writes(format!("hook:{name}"));
        match &hook.capture {
            Capture::Ignore => {}
            Capture::Text { state_key } => self.writes(format!("key:{state_key}")),
            Capture::Json => self.writes("key:*".to_owned()),
        }
        for lock in &hook.locks {
            self.writes(format!("lock:{lock}"));
        }
    }

    fn starts(&mut self, name: &ProcessName) {
        self.writes(format!("process:{name}"));
        for lock in &self.plan.processes[name].locks {
            self.writes(format!("lock:{lock}"));
        }
        if self.is_wide {
            self.around(name);
        }
    }

    /// What comes with a process: its dependencies, its rules' keys, the keys that its probes read.
    fn around(&mut self, name: &ProcessName) {
        let process = &self.plan.processes[name];
        self.reads(format!("process:{name}"));
        for lock in &process.locks {
            self.writes(format!("lock:{lock}"));
        }
        for rule in &process.output.rules {
            self.writes(format!("key:{}", rule.state_key));
        }
        for probe in [&process.readiness, &process.liveness].into_iter().flatten() {
            self.probe(probe);
        }
        for other in &process.depends_on {
            self.writes(format!("process:{other}"));
            self.around(other);
        }
    }

    fn probe(&mut self, probe: &ProbePlan) {
        match &probe.kind {
            ProbeKind::Http { expect_body: Some(template), .. } => self.template(template),
            // A wait for a state key must not hold up the run that writes it.
            ProbeKind::StateKey { .. }
            | ProbeKind::Http { .. }
            | ProbeKind::Tcp { .. }
            | ProbeKind::Exec { .. }
            | ProbeKind::Output { .. } => {}
        }
    }

    fn template(&mut self, template: &Template) {
        for key in template.keys().map(StateKey::as_str) {
            if key == "last_workflow" || key == "last_changed_files" {
                continue;
            }
            self.reads(format!("key:{key}"));
            for (dot, _) in key.match_indices('.') {
                self.reads(format!("key:{}", &key[..dot]));
            }
        }
    }
}
