//! `[hook.NAME]`.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::reader::Reader;
use crate::resolve::Sort;
use devloop_core::names::WorkflowName;
use devloop_core::plan::hook::{Capture, HookPlan, ObservePlan};
use devloop_core::plan::output::BodyStyle;

#[derive(Clone, Copy, PartialEq, Eq)]
enum CaptureKind {
    Ignore,
    Text,
    Json,
}

const CAPTURES: [(&str, CaptureKind); 3] =
    [("ignore", CaptureKind::Ignore), ("text", CaptureKind::Text), ("json", CaptureKind::Json)];

impl<'a> Lowering<'a> {
    pub(super) fn hook(&self, _name: &'a str, mut reader: Reader<'a>) -> Option<HookPlan> {
        let command = self.command(&mut reader);
        let output = self.output(&mut reader, BodyStyle::Dim);
        if let Some(rule) = reader.place("output").filter(|_| !output.rules.is_empty()) {
            let message = format!("`{}`: a hook's output has no rules", reader.path());
            let refused = Diagnostic::error(rule, message).saying("`rules` in here");
            self.bag.add(
                refused
                    .hint("capture the hook's stdout: `capture = \"text\"` with `state_key`, or `capture = \"json\"`"),
            );
        }
        let capture = self.capture(&mut reader);
        let observe = self.observe(&mut reader, capture.as_ref());
        let timeout = reader.millis_if_any("timeout_ms");
        let locks = self.locks(&mut reader);
        reader.finish();
        Some(HookPlan { command: command?, output, capture: capture?, observe, timeout, locks })
    }

    fn capture(&self, reader: &mut Reader<'a>) -> Option<Capture> {
        let kind = reader.choice("capture", &CAPTURES);
        let key = reader.text("state_key");
        let title = reader.path();
        match (kind?, key) {
            (CaptureKind::Text, Some(key)) => Some(Capture::Text { state_key: self.written_key(&key)? }),
            (CaptureKind::Text, None) => {
                let span = reader.place("capture").unwrap_or_else(|| reader.span());
                let message = format!("`{title}`: capture = \"text\" needs a `state_key`");
                let keyless = Diagnostic::error(span, message).saying("where does the text go?");
                self.bag.add_missing(keyless.hint("add `state_key = \"…\"`"));
                None
            }
            (kind, key) => {
                if let Some(key) = key {
                    let message = format!("`{}` is used by capture = \"text\" only", key.path);
                    let unused = Diagnostic::warning(key.span, message).saying("not used");
                    self.bag.add(unused.hint("add `capture = \"text\"`, or remove `state_key`"));
                }
                Some(if kind == CaptureKind::Json { Capture::Json } else { Capture::Ignore })
            }
        }
    }

    fn observe(&self, reader: &mut Reader<'a>, capture: Option<&Capture>) -> Option<ObservePlan> {
        let mut observe = reader.table("observe", "observe")?;
        if capture == Some(&Capture::Ignore) {
            let message = format!("`{}`: the hook captures nothing, so its workflow can never run", observe.path());
            let pointless = Diagnostic::warning(observe.span(), message).saying("nothing to observe");
            self.bag.add(pointless.hint("add `capture = \"text\"` with `state_key`, or `capture = \"json\"`"));
        }
        let workflow = observe.text("workflow").and_then(|workflow| self.resolve(Sort::Workflow, &workflow));
        let interval = observe.millis("interval_ms");
        observe.finish();
        Some(ObservePlan { workflow: WorkflowName::from(workflow?), interval })
    }
}
