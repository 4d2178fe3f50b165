//! `devloop run` as a person sees it: its first screen, its options, what it says of failures, what is typed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod colours;
mod digests;
mod keys;
mod only;
mod options;
mod screens;

use e2e::Project;

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(config);
    project
}
