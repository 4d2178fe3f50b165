//! What a session says of itself when it begins: what is watched, what runs, where its log is, how to stop it.

use super::argv::argv;
use super::escape::one_line;
use super::human::count;
use super::page::Page;
use devloop_core::plan::Plan;
use devloop_core::plan::watch::PathPattern;
use std::path::Path;

/// Columns of the labels.
const LABEL: usize = 11;

/// Names of one kind that are shown; of more, how many there are.
const SHOWN_MAX: usize = 8;

/// What the plan does not know of a session.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// The config file.
    pub config: &'a Path,
    /// The session log; none where it could not be made.
    pub log: Option<&'a Path>,
    /// Processes that `--only` leaves out.
    pub left_out: &'a [String],
    /// Whether somebody can type `h`.
    pub has_keys: bool,
}

/// A label and its text.
pub type Row = (&'static str, String);

/// All that is said, a row a topic.
pub fn rows(plan: &Plan, beginning: &Beginning<'_>) -> Vec<Row> {
    let mut rows = vec![("config", path(plan, beginning.config))];
    let watches = plan.watches.iter().map(|(name, watch)| {
        let patterns: Vec<String> = watch.patterns.iter().map(PathPattern::source).map(one_line).collect();
        let arrow =
            if watch.workflow.as_str() == name.as_str() { String::new() } else { format!(" → {}", watch.workflow) };
        format!("{name}{arrow} ({})", listed(patterns, "pattern", "patterns"))
    });
    rows.push(("watches", listed(watches.collect(), "group", "groups")));
    let (own, later): (Vec<_>, Vec<_>) = plan.processes.iter().partition(|(_, process)| process.autostart);
    let names = |of: Vec<(&_, _)>| {
        of.into_iter().map(|(name, _): (&devloop_core::names::ProcessName, _)| name.to_string()).collect()
    };
    add(&mut rows, "processes", names(own), ("process", "processes"));
    add(&mut rows, "on demand", names(later), ("process", "processes"));
    let startup = plan.startup_workflows.iter().map(ToString::to_string).collect();
    add(&mut rows, "at startup", startup, ("workflow", "workflows"));
    let observed = plan.hooks.iter().filter_map(|(name, hook)| {
        hook.observe.as_ref().map(|_| format!("{name} ({})", argv(&hook.command, &plan.root)))
    });
    add(&mut rows, "polls", observed.collect(), ("hook", "hooks"));
    add(&mut rows, "left out", beginning.left_out.to_vec(), ("process", "processes"));
    if let Some(log) = beginning.log {
        rows.push(("log", path(plan, log)));
    }
    let keys = if beginning.has_keys { "; h and Enter lists keys" } else { "" };
    rows.push(("stop", format!("ctrl-c stops everything in order, a second one kills{keys}")));
    rows
}

/// The rows as a compact page for a terminal.
pub fn page(version: &str, rows: &[Row], width: usize, colors: bool) -> String {
    let mut page = Page::new(width, LABEL, colors);
    page.title(&format!("devloop {version}"));
    for (label, text) in rows {
        page.wrapped(2, label, text);
    }
    page.into_text()
}

fn add(rows: &mut Vec<Row>, label: &'static str, names: Vec<String>, (one, many): (&str, &str)) {
    if !names.is_empty() {
        rows.push((label, listed(names, one, many)));
    }
}

/// `a, b, c`, and how many more there are.
fn listed(mut names: Vec<String>, one: &str, many: &str) -> String {
    let more = names.len().saturating_sub(SHOWN_MAX);
    if more == 0 {
        return names.join(", ");
    }
    names.truncate(SHOWN_MAX);
    format!("{} and {}", names.join(", "), count(more, &format!("more {one}"), &format!("more {many}")))
}

/// A path as it is read most easily: from the root on, where it is below it.
fn path(plan: &Plan, path: &Path) -> String {
    one_line(&path.strip_prefix(&plan.root).unwrap_or(path).to_string_lossy())
}
