//! Workflows that call and trigger each other, and what they write about themselves.

use crate::{project, teller, told};
use e2e::wait;

/// Workflows that append their own names, with what they trigger.
fn tellers(workflows: &[(&str, &str)]) -> String {
    let mut config = teller("t");
    for (name, rest) in workflows {
        config.push_str(&format!("[workflow.{name}]\n"));
        config.push_str(if rest.contains("steps") {
            ""
        } else {
            "steps = [{ action = \"run_hook\", hook = \"t\" }]\n"
        });
        config.push_str(rest);
        config.push('\n');
    }
    config
}

// promise: workflow.trigger.1
#[test]
fn triggers_run_depth_first_and_each_once() {
    let workflows = [
        ("a", "triggers = [\"b\", \"c\"]"),
        ("b", "triggers = [\"d\"]"),
        ("c", "triggers = [\"d\"]"),
        ("d", ""),
        ("last", ""),
    ];
    let project = project(&format!("startup_workflows = [\"a\", \"last\"]\n{}", tellers(&workflows)));
    let mut session = project.run();
    wait::file(&project.path("told"), |text| text.contains("t last"));
    assert_eq!(told(&project), ["t a", "t b", "t d", "t c", "t last"]);
    assert!(session.stop().success());
}

// promise: workflow.call.1
#[test]
fn a_called_workflow_runs_with_its_triggers_before_the_next_step_and_under_its_own_name() {
    let outer = "steps = [{ action = \"run_hook\", hook = \"t\" }, { action = \"run_workflow\", workflow = \"inner\" }, \
                 { action = \"run_hook\", hook = \"t\" }]\ntriggers = [\"after\"]";
    let workflows = [("outer", outer), ("inner", "triggers = [\"below\"]"), ("below", ""), ("after", ""), ("last", "")];
    let project = project(&format!("startup_workflows = [\"outer\", \"last\"]\n{}", tellers(&workflows)));
    let mut session = project.run();
    wait::file(&project.path("told"), |text| text.contains("t last"));
    assert_eq!(told(&project), ["t outer", "t inner", "t below", "t outer", "t after", "t last"]);
    assert!(session.stop().success());
}

// promise: workflow.state.1
#[test]
fn a_workflow_that_starts_or_is_triggered_writes_its_name_first_and_one_that_is_called_does_not() {
    let show = "[hook.show]\ncommand = [\"sh\", \"-c\", 'echo \"$DEVLOOP_WORKFLOW $(tr -d \"\\n \" < \"$DEVLOOP_STATE\")\" >> told']\n";
    let step = "{ action = \"run_hook\", hook = \"show\" }";
    let project = project(&format!(
        "{show}[watch.outer]\npaths = [\"src/\"]\n\
         [workflow.outer]\nsteps = [{step}, {{ action = \"run_workflow\", workflow = \"inner\" }}]\ntriggers = [\"after\"]\n\
         [workflow.inner]\nsteps = [{step}]\n[workflow.after]\nsteps = [{step}]\n",
    ));
    project.file("src/x", "");
    let mut session = project.run_watching();
    project.file("src/f", "1");
    let lines = wait::lines(&project.path("told"), 3);
    let seen: Vec<(String, String, String)> = lines
        .iter()
        .map(|line| {
            let (workflow, state) = line.split_once(' ').unwrap();
            let state: serde_json::Value = serde_json::from_str(state).unwrap();
            (workflow.to_owned(), state["last_workflow"].to_string(), state["last_changed_files"].to_string())
        })
        .collect();
    let line = |workflow: &str, last: &str| (workflow.to_owned(), format!("\"{last}\""), "[\"src/f\"]".to_owned());
    assert_eq!(seen, [line("outer", "outer"), line("inner", "outer"), line("after", "after")]);
    assert!(session.stop().success());
}

#[test]
fn hooks_of_triggered_and_called_workflows_are_told_the_changed_files() {
    let hook =
        "[hook.show]\ncommand = [\"sh\", \"-c\", 'echo \"$DEVLOOP_WORKFLOW $DEVLOOP_CHANGED_FILES_JSON\" >> told']\n";
    let step = "steps = [{ action = \"run_hook\", hook = \"show\" }";
    let project = project(&format!(
        "{hook}[watch.a]\npaths = [\"src/\"]\n[workflow.a]\n{step}, {{ action = \"run_workflow\", workflow = \"b\" }}]\ntriggers = [\"c\"]\n\
         [workflow.b]\n{step}]\n[workflow.c]\n{step}]\n",
    ));
    project.file("src/x", "");
    let mut session = project.run_watching();
    project.file("src/f", "1");
    assert_eq!(wait::lines(&project.path("told"), 3), ["a [\"src/f\"]", "b [\"src/f\"]", "c [\"src/f\"]"]);
    assert!(session.stop().success());
}
