//! `[artifact.NAME]`, and what it asks of its consumers.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::reader::Reader;
use crate::resolve::{self, Sort};
use crate::span::Span;
use crate::words::quoted;
use devloop_core::names::{ArtifactName, HookName, ProcessName};
use devloop_core::plan::Plan;
use devloop_core::plan::artifact::{ArtifactKey, ArtifactPlan};
use devloop_core::plan::probe::ProbeKind;
use devloop_core::plan::process::ProcessPlan;
use devloop_core::plan::workflow::Step;
use std::collections::BTreeSet;

/// Where an artifact says what.
pub(super) struct ArtifactPlaces<'a> {
    name: &'a str,
    span: Span,
    build_hook: Option<Span>,
    consumers: Vec<(&'a str, Span)>,
}

impl<'a> Lowering<'a> {
    pub(super) fn artifact(&self, name: &'a str, mut reader: Reader<'a>) -> Option<ArtifactPlan> {
        let hook = reader.text("build_hook");
        let build_hook = hook.as_ref().map(|hook| hook.span.clone());
        let hook = hook.and_then(|hook| self.resolve(Sort::Hook, &hook));
        let consumers = self.consumers(&mut reader);
        let retain = reader.small("retain");
        let names = consumers.iter().flatten().map(|(name, _)| ProcessName::from(*name)).collect();
        let (span, listed) = (reader.span(), consumers.unwrap_or_default());
        reader.finish();
        self.artifacts.borrow_mut().push(ArtifactPlaces { name, span, build_hook, consumers: listed });
        Some(ArtifactPlan { build_hook: HookName::from(hook?), consumers: names, retain })
    }

    fn consumers(&self, reader: &mut Reader<'a>) -> Option<Vec<(&'a str, Span)>> {
        let (item, texts) = reader.texts("consumers")?;
        if texts.is_empty() {
            let message = format!("`{}` is empty, so nobody says whether a new generation works", item.path);
            let blind = Diagnostic::warning(item.span.clone(), message).saying("nothing is verified");
            self.bag.add(blind.hint("name the processes that serve the artifact"));
        }
        let mut seen = BTreeSet::new();
        let mut consumers = Vec::new();
        for text in texts {
            let Some(process) = self.resolve(Sort::Process, &text) else { continue };
            if seen.insert(process) {
                consumers.push((process, text.span));
            } else {
                let message = format!("`{}`: '{}' is listed twice", text.path, quoted(process));
                self.bag.add(Diagnostic::warning(text.span, message).saying("listed before").hint("remove it"));
            }
        }
        Some(consumers)
    }

    /// Checks what only the hooks, processes and workflows show.
    pub(super) fn check_artifacts(&self, plan: &Plan) {
        for places in self.artifacts.borrow().iter() {
            let artifact = ArtifactName::from(places.name);
            let hook = plan.artifacts.get(&artifact).and_then(|own| plan.hooks.get(&own.build_hook));
            if let (Some(span), Some(_)) = (&places.build_hook, hook.and_then(|hook| hook.observe.as_ref())) {
                let message =
                    format!("`artifact.{artifact}.build_hook`: the hook is polled, and a poll has no folder to fill");
                let polled = Diagnostic::error(span.clone(), message).saying("has `observe`");
                self.bag.add(polled.hint("name a hook without `observe`"));
            }
            for (name, span) in &places.consumers {
                if let Some(process) = plan.processes.get(*name) {
                    self.check_consumer(&artifact, (name, process), span);
                }
            }
            if !plan.workflows.values().any(|workflow| publishes(&workflow.steps, &artifact)) {
                let message = format!("no workflow publishes artifact '{artifact}'");
                let unused = Diagnostic::warning(places.span.clone(), message).saying("not used");
                let step = format!("{{ action = \"publish_artifact\", artifact = \"{artifact}\" }}");
                self.bag.add(unused.hint(format!("add `{step}` to a workflow, or remove the table")));
            }
        }
    }

    fn check_consumer(&self, artifact: &ArtifactName, (name, process): (&str, &ProcessPlan), span: &Span) {
        let table = resolve::as_key(name);
        if process.autostart {
            let message = format!("process '{name}' serves artifact '{artifact}' and would start without a generation");
            let early = Diagnostic::error(span.clone(), message).saying("starts by itself");
            self.bag.add(early.hint(format!("add `autostart = false` to `[process.{table}]`; publishing starts it")));
        }
        let key = ArtifactKey::Generation.of(artifact);
        let is_exact = process.readiness.as_ref().is_some_and(|probe| match &probe.kind {
            ProbeKind::Http { expect_body: Some(body), .. } => body.is_only(&key),
            ProbeKind::Http { expect_body: None, .. }
            | ProbeKind::StateKey { .. }
            | ProbeKind::Tcp { .. }
            | ProbeKind::Exec { .. }
            | ProbeKind::Output { .. } => false,
        });
        if !is_exact {
            let message = format!("process '{name}' serves artifact '{artifact}' and does not say which generation");
            let vague = Diagnostic::error(span.clone(), message).saying("not verified by its readiness");
            self.bag.add(vague.hint(format!(
                "give `[process.{table}.readiness]` kind = \"http\", a `url` that answers with the generation, and \
                 expect_body = \"{{{{ {key} }}}}\""
            )));
        }
    }
}

fn publishes(steps: &[Step], artifact: &ArtifactName) -> bool {
    steps.iter().any(|step| match step {
        Step::PublishArtifact(name) => name == artifact,
        Step::Parallel(steps) => publishes(steps, artifact),
        _ => false,
    })
}
