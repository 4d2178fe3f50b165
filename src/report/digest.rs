//! What is said once more when something failed: where, why, which command, and its last lines.

use super::argv::argv;
use super::failures::{place, step};
use super::page::Page;
use devloop_core::fact::ExitStatus;
use devloop_core::names::ProcessName;
use devloop_core::notice::{PublishFailure, StepFailure, StepPlace, Who};
use devloop_core::plan::Plan;

/// Columns of the labels.
const LABEL: usize = 9;

/// A digest that lacks its last lines, which the output knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Whose last lines belong to it.
    pub who: Who,
    title: String,
    place: Option<String>,
    why: String,
    command: Option<String>,
}

impl Digest {
    /// Of a workflow that failed; none where no child is to blame, since the failure says it all then.
    pub fn of_workflow(path: &[StepPlace], failure: &StepFailure, plan: &Plan) -> Option<Self> {
        let who = culprit(failure)?;
        let outermost = path.first().map_or(String::new(), |place| format!(" {}", place.workflow));
        let (command, place, why) = (command(&who, plan), Some(place(path)), step(failure));
        Some(Self { who, title: format!("workflow{outermost} failed"), place, why, command })
    }

    /// Of a process that ended by itself and badly.
    pub fn of_process(process: &ProcessName, status: ExitStatus, plan: &Plan) -> Self {
        let who = Who::Process(process.clone());
        let (title, why) = (format!("process {process} failed"), format!("it exited with {status}"));
        Self { title, place: None, why, command: command(&who, plan), who }
    }

    /// All of it, ready for a terminal of so many columns.
    pub fn page(&self, lines: &[String], width: usize, colors: bool) -> String {
        let mut page = Page::new(width, LABEL, colors);
        let title = page.painted("1;31", &self.title);
        page.line(0, &title);
        for (label, text) in
            [("step", self.place.as_deref()), ("why", Some(&*self.why)), ("command", self.command.as_deref())]
        {
            if let Some(text) = text {
                page.wrapped(2, label, text);
            }
        }
        let name = match &self.who {
            Who::Process(name) => name.as_str(),
            Who::Hook(name) => name.as_str(),
        };
        if lines.is_empty() {
            page.wrapped(2, "output", &format!("{name} printed nothing"));
        } else {
            page.wrapped(2, "output", &format!("the last lines of {name}:"));
        }
        for line in lines {
            let bar = page.painted("31", "│");
            page.line(2, format!("{bar} {line}").trim_end());
        }
        page.into_text()
    }
}

/// Whose output says more about a failure; none where nobody's does.
fn culprit(failure: &StepFailure) -> Option<Who> {
    match failure {
        StepFailure::HookFailed { hook, .. }
        | StepFailure::HookTimedOut { hook, .. }
        | StepFailure::CaptureUnusable { hook, .. }
        | StepFailure::ReservedKey { hook, .. } => Some(Who::Hook(hook.clone())),
        StepFailure::ProcessExited { process, .. } | StepFailure::ProcessNotReady { process, .. } => {
            Some(Who::Process(process.clone()))
        }
        // Once a generation is rejected, its consumers have been started anew and say something else by now.
        StepFailure::DependencyFailed { cause, .. }
        | StepFailure::NotPublished { failure: PublishFailure::NotBuilt(cause), .. } => culprit(cause),
        StepFailure::NotPublished { .. }
        | StepFailure::ProcessNotRunning { .. }
        | StepFailure::ProcessStopped { .. }
        | StepFailure::ProcessRemoved { .. }
        | StepFailure::ProcessStartFailed { .. }
        | StepFailure::HookStartFailed { .. }
        | StepFailure::TooLong { .. } => None,
    }
}

fn command(who: &Who, plan: &Plan) -> Option<String> {
    match who {
        Who::Process(name) => plan.processes.get(name).map(|process| argv(&process.command, &plan.root)),
        Who::Hook(name) => plan.hooks.get(name).map(|hook| argv(&hook.command, &plan.root)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_digest_says_where_why_which_command_and_its_last_lines() {
        let path = [StepPlace { workflow: "build".into(), number: vec![2], action: "run_hook" }];
        let failure = StepFailure::HookFailed { hook: "compile".into(), status: ExitStatus::Code(101) };
        let plan = Plan::empty("/project".into());
        let mut digest = Digest::of_workflow(&path, &failure, &plan).unwrap();
        digest.command = Some("cargo build".to_owned());
        let lines = ["error[E0308]: mismatched types".to_owned(), String::new()];
        expect![[r"
            workflow build failed
              step     workflow 'build', step 2 (run_hook)
              why      hook 'compile' ended with exit status 101
              command  cargo build
              output   the last lines of compile:
              │ error[E0308]: mismatched types
              │
        "]]
        .assert_eq(&digest.page(&lines, 80, false));
        assert!(digest.page(&[], 80, false).contains("compile printed nothing"));
    }
}
