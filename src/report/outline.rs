//! A workflow as an outline: its steps, what they run inline, what it triggers. For `devloop graph` and `devloop plan`.

use super::argv::{argv, quoted};
use super::escape::one_line;
use devloop_core::names::WorkflowName;
use devloop_core::plan::Plan;
use devloop_core::plan::workflow::Step;

/// One line of an outline: how deep it stands, and its text.
pub type OutlineLine = (usize, String);

/// How much of a workflow is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Its own steps; other workflows by name.
    Own,
    /// Workflows that it runs or triggers too, each where it runs.
    Whole,
}

/// The outline of a workflow, without a title. A workflow without steps and triggers has none.
pub fn of(plan: &Plan, workflow: &WorkflowName, depth: Depth) -> Vec<OutlineLine> {
    let mut outline = Outline { plan, depth, lines: Vec::new(), triggered: vec![workflow.clone()] };
    outline.workflow(workflow, 0);
    outline.lines
}

struct Outline<'a> {
    plan: &'a Plan,
    depth: Depth,
    lines: Vec<OutlineLine>,
    /// Each target of a trigger runs once in a run.
    triggered: Vec<WorkflowName>,
}

impl Outline<'_> {
    fn workflow(&mut self, name: &WorkflowName, indent: usize) {
        let Some(workflow) = self.plan.workflows.get(name) else { return };
        self.steps(&workflow.steps, "", indent);
        for target in &workflow.triggers {
            let is_again = self.depth == Depth::Whole && self.triggered.contains(target);
            let again = if is_again { " (has run already)" } else { "" };
            self.lines.push((indent, format!("then {target}{again}")));
            if self.depth == Depth::Whole && !is_again {
                self.triggered.push(target.clone());
                self.workflow(target, indent + 1);
            }
        }
    }

    fn steps(&mut self, steps: &[Step], above: &str, indent: usize) {
        for (index, step) in steps.iter().enumerate() {
            let number = format!("{above}{}", index + 1);
            self.lines.push((indent, format!("{number} {}", self.words(step))));
            match step {
                Step::Parallel(steps) => self.steps(steps, &format!("{number}."), indent + 1),
                Step::RunWorkflow(name) if self.depth == Depth::Whole => self.workflow(name, indent + 1),
                _ => {}
            }
        }
    }

    fn words(&self, step: &Step) -> String {
        let action = step.action();
        match step {
            Step::StartProcess(name) | Step::RestartProcess(name) => {
                let command = self.plan.processes.get(name).map(|process| argv(&process.command, &self.plan.root));
                format!("{action} {name}: {}", command.unwrap_or_default())
            }
            Step::StopProcess(name) | Step::WaitForProcess(name) => format!("{action} {name}"),
            Step::RunHook(name) => {
                let command = self.plan.hooks.get(name).map(|hook| argv(&hook.command, &self.plan.root));
                format!("{action} {name}: {}", command.unwrap_or_default())
            }
            Step::RunWorkflow(name) => format!("{action} {name}"),
            Step::PublishArtifact(name) => {
                let hook = self.plan.artifacts.get(name).and_then(|own| self.plan.hooks.get(&own.build_hook));
                format!(
                    "{action} {name}: {}",
                    hook.map(|hook| argv(&hook.command, &self.plan.root)).unwrap_or_default()
                )
            }
            Step::Sleep(time) => format!("{action} {}", time.as_millis()),
            Step::WriteState { key, value } => {
                format!("{action} {}: {}", one_line(key.as_str()), quoted(value.source()))
            }
            Step::Log { message, .. } => format!("{action} {}", quoted(message.source())),
            Step::NotifyReload => action.to_owned(),
            Step::Parallel(_) => "at the same time:".to_owned(),
        }
    }
}
