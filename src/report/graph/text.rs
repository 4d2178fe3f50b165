//! The graph as indented text.

use super::Graph;
use crate::report::escape::one_line;
use crate::report::outline::{self, Depth};
use crate::report::page::Page;
use devloop_core::plan::Plan;

/// Columns of the names of inputs.
const LABEL: usize = 10;

/// The graph as a page of at most `width` columns, where words allow it.
pub fn text(plan: &Plan, graph: &Graph, width: usize, colors: bool) -> String {
    let mut page = Page::new(width, LABEL, colors);
    page.title("inputs");
    inputs(&mut page, plan);
    for name in plan.workflows.keys() {
        page.blank();
        page.title(&format!("workflow {name}"));
        for (indent, line) in outline::of(plan, name, Depth::Own) {
            page.hanging(2 + 2 * indent, &line);
        }
    }
    if plan.processes.values().any(|process| !process.depends_on.is_empty()) {
        page.blank();
        page.title("processes that need others");
        for (name, process) in plan.processes.iter().filter(|(_, process)| !process.depends_on.is_empty()) {
            let needed: Vec<&str> = process.depends_on.iter().map(devloop_core::names::ProcessName::as_str).collect();
            page.hanging(2, &format!("{name}: {}", needed.join(", ")));
        }
    }
    if !graph.conflicts.is_empty() {
        page.blank();
        page.title("never at the same time");
        for conflict in &graph.conflicts {
            let (one, other) = &conflict.between;
            page.hanging(2, &format!("{one} and {other}: {}", one_line(&conflict.over.join(", "))));
        }
    }
    page.into_text()
}

fn inputs(page: &mut Page, plan: &Plan) {
    if !plan.startup_workflows.is_empty() {
        let names: Vec<&str> = plan.startup_workflows.iter().map(devloop_core::names::WorkflowName::as_str).collect();
        page.wrapped(2, "startup", &format!("-> {}", names.join(", then ")));
    }
    for (name, watch) in &plan.watches {
        let paths: Vec<String> = watch.patterns.iter().map(|pattern| one_line(pattern.source())).collect();
        page.wrapped(2, "watch", &format!("{name} ({}) -> {}", paths.join(", "), watch.workflow));
    }
    for (name, event) in &plan.events {
        let held = event.pattern.as_ref().map_or("any text".to_owned(), |pattern| one_line(pattern.source()));
        page.wrapped(2, "event", &format!("{name} ({held}) -> {}", event.workflow));
    }
    for (name, hook) in &plan.hooks {
        if let Some(observe) = &hook.observe {
            let often = crate::report::failures::span(observe.interval);
            page.wrapped(2, "observe", &format!("{name} (every {often}) -> {}", observe.workflow));
        }
    }
}
