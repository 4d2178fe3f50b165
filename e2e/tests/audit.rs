//! What `devloop audit` shows, and that it does nothing else.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, programs};
use serde_json::Value;
use std::process::Output;

const CONFIG: &str = r#"
[event.publish]
state_key = "slug"
workflow = "publish"
pattern = "^[a-z-]{1,64}$"

[event.note]
state_key = "slug"
workflow = "note"

[process.server]
command = ["sh", "-c", "touch ROOT/started; echo 'a b'\u001b[2J"]
events = []
output = { rules = [{ state_key = "port", pattern = "port ([0-9]{1,5})$" }] }

[process.server.readiness]
kind = "exec"
command = ["touch", "ROOT/probed"]

[hook.announce]
command = ["bin/announce", "--all"]
events = ["publish"]

[workflow.publish]
steps = [
  { action = "write_state", key = "url", value = "http://x/{{slug}}" },
  { action = "run_workflow", workflow = "tell" },
]
triggers = ["serve"]

[workflow.tell]
steps = [{ action = "run_hook", hook = "announce" }, { action = "log", message = "see {{url}}" }]

[workflow.serve]
steps = [{ action = "restart_process", process = "server" }]

[workflow.note]
steps = []
"#;

fn project() -> Project {
    let project = Project::new(programs!());
    project.config(CONFIG);
    project
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(project: &Project) -> Value {
    serde_json::from_str(&text(&project.call(&["audit", "--json"]))).unwrap()
}

/// The texts of a field, for each object of a list.
fn all<'v>(list: &'v Value, field: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

#[test]
fn the_page_names_what_an_input_starts_and_who_reads_its_value() {
    let project = project();
    let output = project.call(&["audit"]);
    assert_eq!(output.status.code(), Some(0));
    let page = text(&output);
    let event = page.split("event 'publish'\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let words = event.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "writes slug",
        "held by ^[a-z-]{1,64}$, for the whole value",
        "lets in a leading `-`",
        "posted by hook 'announce'",
        "workflow 'tell': a step of workflow 'publish'",
        "workflow 'serve': triggered after workflow 'publish'",
        "hook 'announce': a step of workflow 'tell'",
        "bin/announce --all",
        "process 'server': a step of workflow 'serve'",
        "readiness of process 'server'",
        "workflow 'publish', step 1: write_state of key 'url': http://x/{{slug}}",
        "workflow 'tell', step 2: log: see {{url}}",
    ] {
        assert!(words.contains(part), "{part} is not in\n{page}");
    }
    assert!(page.contains(r"\u{1b}[2J") && !page.contains('\u{1b}'), "{page}");
}

#[test]
fn programs_are_shown_as_the_files_that_would_be_executed() {
    let report = json(&project());
    let event = &report["inputs"][1];
    assert_eq!((&event["source"]["kind"], &event["source"]["name"]), (&"event".into(), &"publish".into()));
    let commands = event["starts"]["commands"].as_array().unwrap();
    let of = |kind: &str| commands.iter().find(|command| command["kind"] == kind).unwrap();
    assert!(of("hook")["program"].as_str().unwrap().ends_with("/bin/announce"));
    assert_eq!(of("hook")["is_there"], false);
    assert!(of("process")["program"].as_str().unwrap().ends_with("/sh"));
    assert_eq!(of("process")["is_there"], true);
    assert_eq!(of("readiness")["argv"][0], "touch");
}

#[test]
fn nothing_is_started_and_nothing_is_made() {
    let project = project();
    for arguments in [&["audit"][..], &["audit", "--json"], &["audit", "--deny", "leading-dash"]] {
        project.call(arguments);
    }
    let names: Vec<_> = std::fs::read_dir(project.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["devloop.toml"]);
}

#[test]
fn the_warnings_of_the_config_are_shown_on_stderr_and_are_in_the_json() {
    let project = Project::new(programs!());
    project.config("[hook.h]\ncommand = [\"echo\", \"$E2E_NOT_SET\"]\n");
    let output = project.call(&["audit"]);
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(told.contains("warning: ") && told.contains("E2E_NOT_SET") && told.contains("devloop.toml:3:"), "{told}");
    assert!(!text(&output).contains("E2E_NOT_SET is not set") && output.status.success());
    let warnings = json(&project)["warnings"].as_array().unwrap().clone();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("$E2E_NOT_SET"), "{warnings:?}");
}

#[test]
fn the_json_has_a_version_and_is_the_same_each_time() {
    let project = project();
    let report = json(&project);
    assert_eq!(report["version"], 1);
    assert_eq!(report, json(&project));
    let kinds = all(&report["findings"], "kind");
    for kind in ["unconstrained-input", "leading-dash", "shared-key", "self-post"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    for kind in ["search-pattern", "white-space", "every-event", "outside-root"] {
        assert!(!kinds.contains(&kind), "{kind} is in {kinds:?}");
    }
    for field in ["what", "why", "do"] {
        assert!(all(&report["findings"], field).iter().all(|text| !text.is_empty()));
    }
}

#[test]
fn denied_kinds_fail_and_are_named_and_unknown_ones_are_a_usage_error() {
    let project = project();
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    let output = project.call(&["audit", "--deny", "white-space,search-pattern", "--deny", "outside-root"]);
    assert_eq!(output.status.code(), Some(1), "an event without a pattern takes white space");
    assert!(said(&output).contains("--deny found 1 white-space"), "{}", said(&output));
    let output = project.call(&["audit", "--deny", "search-pattern,outside-root"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = project.call(&["audit", "--deny", "leading-dsh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("leading-dash"), "{}", said(&output));
}
