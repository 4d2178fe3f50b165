//! What `devloop plan` shows: for each path whether its change would count, then the workflows that would run.

use super::argv::quoted;
use super::escape::one_line;
use super::outline::{self, Depth};
use super::page::Page;
use devloop_core::names::WorkflowName;
use devloop_core::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// One path of the question, and what becomes of its change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The path as the user wrote it.
    pub path: String,
    /// What is said of it, as in `counts for watch group 'src'`.
    pub answer: String,
    /// The path as workflows are told of it, and the groups' workflows; none: nothing runs.
    pub runs: Option<(String, BTreeSet<WorkflowName>)>,
}

/// The page; ends with a line end.
pub fn page(plan: &Plan, asked: &[Asked], width: usize, colors: bool) -> String {
    let mut page = Page::new(width, 0, colors);
    let mut causes: BTreeMap<&WorkflowName, BTreeSet<&str>> = BTreeMap::new();
    for Asked { path, answer, runs } in asked {
        page.hanging(0, &format!("{}: {}", quoted(path), one_line(answer)));
        if let Some((told, workflows)) = runs {
            for workflow in workflows {
                causes.entry(workflow).or_default().insert(told);
            }
        }
    }
    page.blank();
    page.title(match causes.len() {
        0 => "nothing would run",
        1 => "would run",
        _ => "would run, one after the other",
    });
    for (workflow, files) in causes {
        let files: Vec<String> = files.into_iter().map(one_line).collect();
        page.hanging(2, &format!("workflow {workflow} ({})", files.join(", ")));
        for (indent, line) in outline::of(plan, workflow, Depth::Whole) {
            page.hanging(4 + 2 * indent, &line);
        }
    }
    page.into_text()
}
