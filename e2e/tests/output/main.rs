//! What children write: where it goes, how it looks, what is found in it, and what happens when nobody takes it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod inputs;
mod lines;
mod looks;
mod readers;
mod rules;

use e2e::Project;

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(config);
    project
}

/// The text behind a label, of each line that has it.
fn behind<'a>(lines: &'a [String], label: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(label)).collect()
}
