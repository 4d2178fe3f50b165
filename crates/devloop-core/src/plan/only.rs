//! A plan with some of its processes alone, for `devloop run --only`.

use super::Plan;
use super::artifact::ArtifactPlan;
use super::workflow::{Step, WorkflowPlan};
use crate::names::ProcessName;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Plan {
    /// The plan with these processes and all that they depend on. Nobody knows of the others: a step about one of them
    /// is over as soon as it begins, and keeps its number; an artifact is not served by one. Names that the plan does
    /// not have add nothing.
    #[must_use]
    pub fn only(&self, wanted: &[ProcessName]) -> Self {
        let mut kept = BTreeSet::new();
        for name in wanted {
            self.keep(name, &mut kept);
        }
        let artifact = |artifact: &Arc<ArtifactPlan>| {
            let mut artifact = ArtifactPlan::clone(artifact);
            artifact.consumers.retain(|name| kept.contains(name));
            Arc::new(artifact)
        };
        let workflow = |workflow: &Arc<WorkflowPlan>| {
            let steps = workflow.steps.iter().map(|step| left(step, &kept)).collect();
            Arc::new(WorkflowPlan { steps, ..WorkflowPlan::clone(workflow) })
        };
        let mut plan = self.clone();
        plan.processes.retain(|name, _| kept.contains(name));
        for it in plan.artifacts.values_mut() {
            *it = artifact(it);
        }
        for it in plan.workflows.values_mut() {
            *it = workflow(it);
        }
        plan
    }

    fn keep(&self, name: &ProcessName, kept: &mut BTreeSet<ProcessName>) {
        if let Some(process) = self.processes.get(name)
            && kept.insert(name.clone())
        {
            for dependency in &process.depends_on {
                self.keep(dependency, kept);
            }
        }
    }
}

/// What is left of a step when only these processes are.
fn left(step: &Step, kept: &BTreeSet<ProcessName>) -> Step {
    match step {
        Step::StartProcess(name)
        | Step::StopProcess(name)
        | Step::RestartProcess(name)
        | Step::WaitForProcess(name) => {
            if kept.contains(name) {
                step.clone()
            } else {
                Step::Parallel(Vec::new())
            }
        }
        Step::Parallel(steps) => Step::Parallel(steps.iter().map(|step| left(step, kept)).collect()),
        Step::RunHook(_)
        | Step::RunWorkflow(_)
        | Step::Sleep(_)
        | Step::WriteState { .. }
        | Step::Log { .. }
        | Step::NotifyReload
        | Step::PublishArtifact(_) => step.clone(),
    }
}
