//! The config is saved while a session lasts: what is applied, what is left alone, what is told, and which kinds of saves
//! are seen.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod applied;
mod broken;
mod files;
mod servers;

use e2e::{Project, programs};

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(programs!());
    project.config(config);
    project
}

/// A process that writes its pid to a file of its name, as often as it lives, and hangs.
fn living(name: &str, more: &str) -> String {
    format!("[process.{name}]\ncommand = [\"PUPPET\", \"append-pid\", \"ROOT/{name}\", \"hang\"]\n{more}\n")
}
