//! `[workflow.NAME]` and its steps.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::graph::{Edge, Link};
use crate::keys::ACTIONS;
use crate::reader::{Item, Reader};
use crate::resolve::Sort;
use crate::words::quoted;
use devloop_core::names::{ArtifactName, HookName, ProcessName, WorkflowName};
use devloop_core::plan::workflow::{MessageStyle, OnBusy, Step, WorkflowPlan};
use std::collections::BTreeSet;

/// How deep `parallel` may be nested.
const DEPTH_MAX: usize = 8;

const POLICIES: [(&str, OnBusy); 3] = [("queue", OnBusy::Queue), ("restart", OnBusy::Restart), ("skip", OnBusy::Skip)];
const STYLES: [(&str, MessageStyle); 2] = [("plain", MessageStyle::Plain), ("boxed", MessageStyle::Boxed)];

/// The actions with the tables of their keys.
const TABLES: [(&str, &str); 12] = [
    ("start_process", "step.start_process"),
    ("stop_process", "step.stop_process"),
    ("restart_process", "step.restart_process"),
    ("wait_for_process", "step.wait_for_process"),
    ("run_hook", "step.run_hook"),
    ("run_workflow", "step.run_workflow"),
    ("sleep_ms", "step.sleep_ms"),
    ("write_state", "step.write_state"),
    ("log", "step.log"),
    ("notify_reload", "step.notify_reload"),
    ("publish_artifact", "step.publish_artifact"),
    ("parallel", "step.parallel"),
];

impl<'a> Lowering<'a> {
    pub(super) fn workflow(&self, name: &'a str, mut reader: Reader<'a>) -> Option<WorkflowPlan> {
        let steps = self.steps(name, &mut reader, 0);
        let triggers = self.triggers(name, &mut reader);
        let on_busy = reader.choice("on_busy", &POLICIES);
        reader.finish();
        Some(WorkflowPlan { steps, triggers, on_busy: on_busy? })
    }

    fn triggers(&self, name: &'a str, reader: &mut Reader<'a>) -> Vec<WorkflowName> {
        let mut seen = BTreeSet::new();
        let mut triggers = Vec::new();
        for text in reader.texts("triggers").into_iter().flat_map(|(_, texts)| texts) {
            let Some(to) = self.resolve(Sort::Workflow, &text) else { continue };
            if !seen.insert(to) {
                let message = format!("`{}`: '{}' is listed twice, and runs once", text.path, quoted(to));
                self.bag.add(Diagnostic::warning(text.span, message).saying("listed before").hint("remove it"));
                continue;
            }
            self.link(Edge { from: name, to, link: Link::Triggers, span: text.span });
            triggers.push(WorkflowName::from(to));
        }
        triggers
    }

    /// The steps of a workflow, or of a `parallel` step that is `depth` such steps deep.
    fn steps(&self, workflow: &'a str, reader: &mut Reader<'a>, depth: usize) -> Vec<Step> {
        let items = reader.tables("steps");
        items.iter().filter_map(|item| self.step(workflow, item, depth)).collect()
    }

    fn step(&self, workflow: &'a str, item: &Item<'a>, depth: usize) -> Option<Step> {
        let mut reader = Reader::of(self.bag, item, "step")?;
        debug_assert!(ACTIONS.iter().eq(TABLES.iter().map(|(action, _)| action)));
        let Some(table) = reader.choice("action", &TABLES) else {
            reader.finish_unsure(TABLES.map(|(_, table)| table));
            return None;
        };
        reader.allow(table);
        let step = match table {
            "step.run_hook" => {
                let hook = reader.text("hook").and_then(|hook| self.resolve(Sort::Hook, &hook));
                hook.map(|hook| Step::RunHook(HookName::from(hook)))
            }
            "step.run_workflow" => self.run_workflow(workflow, &mut reader),
            "step.sleep_ms" => reader.millis_if_any("duration_ms").map(Step::Sleep),
            "step.write_state" => {
                let key = reader.text("key").and_then(|key| self.written_key(&key));
                let value = reader.text("value").map(|value| self.template(&value));
                key.zip(value).map(|(key, value)| Step::WriteState { key, value })
            }
            "step.log" => {
                let message = reader.text("message").map(|message| self.template(&message));
                let style = reader.choice("style", &STYLES);
                message.zip(style).map(|(message, style)| Step::Log { message, style })
            }
            "step.notify_reload" => Some(Step::NotifyReload),
            "step.publish_artifact" => {
                let artifact = reader.text("artifact").and_then(|artifact| self.resolve(Sort::Artifact, &artifact));
                artifact.map(|artifact| Step::PublishArtifact(ArtifactName::from(artifact)))
            }
            "step.parallel" => self.parallel(workflow, &mut reader, depth + 1),
            _ => self.process_step(table, &mut reader),
        };
        reader.finish();
        step
    }

    fn process_step(&self, table: &str, reader: &mut Reader<'a>) -> Option<Step> {
        let text = reader.text("process")?;
        let name = self.resolve(Sort::Process, &text)?;
        let process = ProcessName::from(name);
        Some(match table {
            "step.start_process" => Step::StartProcess(process),
            "step.stop_process" => Step::StopProcess(process),
            "step.restart_process" => Step::RestartProcess(process),
            _ => {
                self.awaited.borrow_mut().push((name, text.span));
                Step::WaitForProcess(process)
            }
        })
    }

    fn run_workflow(&self, workflow: &'a str, reader: &mut Reader<'a>) -> Option<Step> {
        let text = reader.text("workflow")?;
        let to = self.resolve(Sort::Workflow, &text)?;
        self.link(Edge { from: workflow, to, link: Link::Runs, span: text.span });
        Some(Step::RunWorkflow(WorkflowName::from(to)))
    }

    fn parallel(&self, workflow: &'a str, reader: &mut Reader<'a>, depth: usize) -> Option<Step> {
        if depth > DEPTH_MAX {
            let message = format!("`{}`: parallel steps are nested more than {DEPTH_MAX} deep", reader.path());
            let deep = Diagnostic::error(reader.span(), message).saying("too deep");
            self.bag.add(deep.hint("move the inner steps to a workflow and run it with `run_workflow`"));
            reader.take("steps");
            return None;
        }
        Some(Step::Parallel(self.steps(workflow, reader, depth)))
    }
}
