//! `[event.NAME]`, the `events` lists of children, and what only all of them together show.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::reader::{Reader, Text};
use crate::resolve::Sort;
use crate::span::Span;
use crate::words::quoted;
use devloop_core::names::{EventName, StateKey, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::event::{EventPlan, ValuePattern, url_variable};
use devloop_core::plan::hook::Capture;
use devloop_core::plan::workflow::OnBusy;
use regex_syntax::hir::Look;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Whole,
    Search,
}

const MATCHES: [(&str, Match); 2] = [("whole", Match::Whole), ("search", Match::Search)];

/// Where an event says what, for what only the whole shows.
pub(super) struct EventPlaces {
    name: EventName,
    span: Span,
    state_key: Span,
    workflow: Span,
}

/// A pattern that cannot be used; that is reported already.
struct Wrong;

impl<'a> Lowering<'a> {
    pub(super) fn event(&self, name: &'a str, mut reader: Reader<'a>) -> Option<EventPlan> {
        let span = reader.span();
        let key = reader.text("state_key");
        let workflow = reader.text("workflow");
        let pattern = self.value_pattern(&mut reader);
        reader.finish();
        let (key, workflow) = (key?, workflow?);
        let state_key = self.written_key(&key)?;
        let target = self.resolve(Sort::Workflow, &workflow)?;
        let (state_key_span, workflow_span) = (key.span, workflow.span);
        self.events.borrow_mut().push(EventPlaces {
            name: EventName::from(name),
            span,
            state_key: state_key_span,
            workflow: workflow_span,
        });
        Some(EventPlan { state_key, workflow: WorkflowName::from(target), pattern: pattern.ok()? })
    }

    /// The pattern of an event, which may have none.
    fn value_pattern(&self, reader: &mut Reader<'a>) -> Result<Option<ValuePattern>, Wrong> {
        let is_there = reader.place("pattern").is_some();
        let text = reader.text("pattern");
        let how = reader.choice("match", &MATCHES);
        if let Some(span) = reader.place("match").filter(|_| !is_there) {
            let message = format!("`{}` has a `match` and no `pattern`", reader.path());
            let alone = Diagnostic::error(span, message).saying("what is matched?");
            self.bag.add_missing(alone.hint("add `pattern = '^…$'`, or remove `match`"));
            return Err(Wrong);
        }
        if !is_there {
            return Ok(None);
        }
        let (text, is_search) = (text.ok_or(Wrong)?, how.ok_or(Wrong)? == Match::Search);
        let pattern = self.compiled_value(&text, is_search).ok_or(Wrong)?;
        if !is_search && !is_anchored(text.value) {
            self.bag.add(unanchored(&text));
            return Err(Wrong);
        }
        Ok(Some(pattern))
    }

    /// The `events` of a process or a hook.
    pub(super) fn granted(&self, reader: &mut Reader<'a>) -> Option<BTreeSet<EventName>> {
        let (_, texts) = reader.texts("events")?;
        let known = texts.iter().filter_map(|text| self.resolve(Sort::Event, text));
        Some(known.map(EventName::from).collect())
    }

    /// Checks what only all events, and what writes beside them, show.
    pub(super) fn check_events(&self, plan: &Plan) {
        let events = self.events.borrow();
        let mut variables: BTreeMap<String, &EventPlaces> = BTreeMap::new();
        let mut keys: BTreeMap<&StateKey, &EventPlaces> = BTreeMap::new();
        let writers = writers(plan);
        for places in events.iter() {
            let variable = url_variable(&places.name);
            if let Some(first) = variables.get(&variable) {
                self.bag.add(same_variable(first, places, &variable));
            } else {
                variables.insert(variable, places);
            }
            let Some(event) = plan.events.get(&places.name) else { continue };
            if let Some(workflow) = plan.workflows.get(&event.workflow)
                && workflow.on_busy == OnBusy::Skip
            {
                self.bag.add(skipped(places, &event.workflow));
            }
            let other = keys.insert(&event.state_key, places).map(|other| format!("event '{}'", other.name));
            if let Some(writer) = other.as_ref().or_else(|| writers.get(&event.state_key)) {
                self.bag.add(shared(places, &event.state_key, writer));
            }
        }
    }
}

/// Whether every match begins at the start of the text and ends at its end, in the pattern's own words. `^` and `$` of
/// the multi-line mode look at lines, and do not count.
fn is_anchored(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|hir| {
        let properties = hir.properties();
        properties.look_set_prefix().contains(Look::Start) && properties.look_set_suffix().contains(Look::End)
    })
}

fn unanchored(text: &Text<'_>) -> Diagnostic {
    let message = format!("`{}`: the pattern does not say where a value begins and ends", text.path);
    let loose = Diagnostic::error(text.span.clone(), message).saying("not anchored");
    loose.hint(
        "write '^(…)$' around all of it, without the mode (?m), or add `match = \"search\"` to take any value that \
         holds a match",
    )
}

fn same_variable(first: &EventPlaces, second: &EventPlaces, variable: &str) -> Diagnostic {
    let message = format!("events '{}' and '{}' have the same variable {variable}", first.name, second.name);
    let same = Diagnostic::error(second.span.clone(), message).saying("the same variable");
    same.label(first.span.clone(), "as here").hint("give one of them another name")
}

fn skipped(places: &EventPlaces, workflow: &WorkflowName) -> Diagnostic {
    let message = format!("event '{}' runs workflow '{workflow}', whose `on_busy` is \"skip\"", places.name);
    let lost = Diagnostic::error(places.workflow.clone(), message).saying("an accepted value would be lost");
    lost.hint(format!(
        "write `on_busy = \"queue\"` or \"restart\" in `[workflow.{}]`",
        crate::resolve::as_key(workflow.as_str())
    ))
}

fn shared(places: &EventPlaces, key: &StateKey, writer: &str) -> Diagnostic {
    let message = format!("event '{}' and {writer} write the same state key '{}'", places.name, quoted(key.as_str()));
    let shared = Diagnostic::warning(places.state_key.clone(), message).saying("written by both");
    shared.hint("give each a key of its own, so that none takes the other's values for granted")
}

/// Who writes which key, output rules and text captures, in words.
fn writers(plan: &Plan) -> BTreeMap<&StateKey, String> {
    let hooks = plan.hooks.iter().filter_map(|(name, hook)| match &hook.capture {
        Capture::Text { state_key } => Some((state_key, format!("hook '{name}'"))),
        Capture::Ignore | Capture::Json => None,
    });
    let rules = plan.processes.iter().flat_map(|(name, process)| {
        process.output.rules.iter().map(move |rule| (&rule.state_key, format!("an output rule of process '{name}'")))
    });
    hooks.chain(rules).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_anchored_when_every_match_is_from_end_to_end() {
        for anchored in [
            "^[a-z]+$",
            r"\A[a-z]+\z",
            "^(a|b)$",
            "^a$|^b$",
            "(^a|^b)$",
            "(?i)^a$",
            "(?x) ^ a $ # a",
            "(?:^)a(?:$)",
            "^$",
            "(?m)\\Aa\\z",
        ] {
            assert!(is_anchored(anchored), "{anchored}");
        }
        for loose in [
            "posts/[a-z]+",
            "^a",
            "a$",
            "^a|b$",
            "^a$|b",
            "(?m)^a$",
            "(^a)?b$",
            "^a(b$)*",
            "a^b$",
            "^a$b",
            "",
            ".*",
            "^*a$",
            r"^a\b",
        ] {
            assert!(!is_anchored(loose), "{loose}");
        }
    }
}
