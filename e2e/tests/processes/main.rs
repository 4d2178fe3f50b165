//! Processes of a session: how they start, what they are given, how they end, and when they are ready.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod addresses;
mod depending;
mod environment;
mod readiness;
mod restarting;
mod starting;
mod stopping;

use e2e::Project;

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(config);
    project
}

/// Where a fragment first stands in the lines.
fn place(lines: &[String], fragment: &str) -> usize {
    lines.iter().position(|line| line.contains(fragment)).unwrap_or_else(|| panic!("no '{fragment}' in {lines:#?}"))
}
