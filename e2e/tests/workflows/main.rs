//! What a workflow does: its steps, what it calls and triggers, what it writes, and when it runs beside others.
#![expect(clippy::unwrap_used, clippy::format_push_string, reason = "a test may panic, and need not save memory")]

mod busy;
mod calls;
mod order;
mod refused;
mod steps;
mod templates;

use e2e::{Project, programs};

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(programs!());
    project.config(config);
    project
}

/// A hook that appends its workflow's name and a word to the file `told`.
fn teller(name: &str) -> String {
    format!("[hook.{name}]\ncommand = [\"sh\", \"-c\", 'echo \"{name} $DEVLOOP_WORKFLOW\" >> told']\n")
}

/// A hook that tells when it begins, waits for the file `go-NAME`, and tells when it ends.
fn gate(name: &str) -> String {
    format!(
        "[hook.{name}]\ncommand = [\"PUPPET\", \"append\", \"told\", \"{name} begins\", \"await-file\", \"go-{name}\", \
         \"append\", \"told\", \"{name} ends\"]\n"
    )
}

/// A watch group of one file, and the workflow of the same name with one hook.
fn saved_runs(name: &str, hook: &str) -> String {
    format!(
        "[watch.{name}]\npaths = [\"{name}\"]\n[workflow.{name}]\nsteps = [{{ action = \"run_hook\", hook = \"{hook}\" }}]\n"
    )
}

/// The lines of the file `told`.
fn told(project: &Project) -> Vec<String> {
    std::fs::read_to_string(project.path("told")).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Waits until the file `told` has as many lines, and checks them.
fn wait_for_told(project: &Project, lines: &[&str]) {
    assert_eq!(e2e::wait::lines(&project.path("told"), lines.len()), lines);
}
