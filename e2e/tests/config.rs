//! What the front door does with a config: finds it, checks it, says what is wrong.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, Session, programs};
use std::process::Output;

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Files below a folder, so that a test can tell that nothing was made.
fn files(project: &Project) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(project.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// promise: session.config.2
#[test]
fn validate_is_silent_for_a_right_config_and_makes_nothing() {
    let project = Project::new(programs!());
    project.config("[process.server]\ncommand = [\"touch\", \"ROOT/started\"]\n");
    let output = project.call(&["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((stderr(&output).as_str(), output.stdout.len()), ("", 0));
    assert_eq!(files(&project), ["devloop.toml"]);
}

// promise: session.config.1, session.config.4
#[test]
fn ten_mistakes_are_shown_in_one_go_each_with_its_place_line_and_hint() {
    let project = Project::new(programs!());
    project.file(
        "devloop.toml",
        r#"root = "."
debounce = 5
[watch.src]
paths = ["src/"]
workflow = "bild"
[process.server]
comand = ["x"]
restart = "sometimes"
[process.server.readiness]
kind = "http"
[hook.slug]
command = ["slug"]
capture = "text"
[workflow.build]
steps = [
  { action = "run_hook", hook = "slog" },
  { action = "restart_proces", process = "server" },
  { action = "wait_for_process", process = "sever" },
  { action = "write_state", key = "root", value = "x" },
]
triggers = ["nope"]
"#,
    );
    let output = project.call(&["validate"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.matches("error: ").count() >= 10, "{told}");
    for place in
        ["devloop.toml:2:1", "devloop.toml:5:12", "devloop.toml:7:1", "devloop.toml:8:11", "devloop.toml:16:33"]
    {
        assert!(told.contains(place), "{place} is missing:\n{told}");
    }
    for line in ["comand = [\"x\"]", "workflow = \"bild\""] {
        assert!(told.contains(line), "{line} is missing:\n{told}");
    }
    for word in ["command", "build", "restart_process", "'server'", "slug"] {
        assert!(told.contains(word), "{word} is not suggested:\n{told}");
    }
    assert_eq!(files(&project), ["devloop.toml"]);
}

#[test]
fn a_config_that_is_no_toml_is_one_clear_error() {
    let project = Project::new(programs!());
    project.file("devloop.toml", "root = \".\"\nthis is no toml\n");
    for command in ["validate", "run"] {
        let output = project.call(&[command]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("devloop.toml:2:"), "{}", stderr(&output));
    }
    assert_eq!(files(&project), ["devloop.toml"]);
}

#[test]
fn a_config_of_ten_megabytes_is_refused_at_once() {
    let project = Project::new(programs!());
    project.file("devloop.toml", &"# x\n".repeat(2_500_000));
    let output = project.call(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("devloop run failed: cannot read the config devloop.toml: it is 10000000 bytes long")
    );
}

#[test]
fn a_root_that_is_not_there_is_named() {
    let project = Project::new(programs!());
    project.config("root = \"nowhere\"\n");
    let output = project.call(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("devloop run failed") && told.contains("/nowhere"), "{told}");
    assert!(told.contains("No such file or directory"), "{told}");
}

// promise: session.config.3
#[test]
fn the_config_is_found_here_or_in_the_nearest_folder_above_or_where_it_is_named() {
    let project = Project::new(programs!());
    project.config("").file("a/b/c/file", "");
    let from = |folder: &str, arguments: &[&str]| {
        let output = project.command(arguments).current_dir(project.path(folder)).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    assert_eq!(from("a/b/c", &["validate"]), (Some(0), String::new()));
    project.file("a/b/devloop.toml", "root = 7\n");
    let (code, told) = from("a/b/c", &["validate"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("a/b/devloop.toml:1:8"), "{told}");
    assert_eq!(from("a/b/c", &["validate", "--config", "../../../devloop.toml"]), (Some(0), String::new()));
    assert_eq!(
        from("a", &["validate", "-c", project.path("devloop.toml").to_str().unwrap()]),
        (Some(0), String::new())
    );
}

#[test]
fn no_config_at_all_says_what_was_looked_for() {
    let project = Project::new(programs!());
    let output = project.call(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no devloop.toml in "), "{}", stderr(&output));
    let output = project.call(&["validate", "--config", "gone.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read the config gone.toml: No such file or directory"));
}

// promise: session.exit.1
#[test]
fn a_wrong_command_line_exits_with_two() {
    let project = Project::new(programs!());
    for arguments in [&["rnu"][..], &["run", "--confg", "x"], &[]] {
        let output = project.call(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(project.call(&["--version"]).status.code(), Some(0));
    assert_eq!(project.call(&["--help"]).status.code(), Some(0));
}

#[test]
fn docs_prints_an_index_a_topic_and_the_nearest_one_for_a_slip() {
    let project = Project::new(programs!());
    let index = String::from_utf8(project.call(&["docs"]).stdout).unwrap();
    assert_eq!(index.lines().next(), Some("DEVLOOP DOCUMENTATION"));
    for topic in ["config", "behavior", "security", "development", "artifacts"] {
        assert!(index.contains(topic), "{index}");
        let page = project.call(&["docs", topic]);
        assert_eq!(page.status.code(), Some(0));
        assert!(page.stdout.len() > 200 && !page.stdout.contains(&0x1b));
    }
    let output = project.call(&["docs", "confg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did you mean 'config'?"), "{}", stderr(&output));
}

#[test]
fn a_variable_that_is_not_set_is_a_warning_of_run_and_not_of_validate() {
    let project = Project::new(programs!());
    project.config("[hook.h]\ncommand = [\"echo\", \"$DEVLOOP_E2E_NOT_SET_X\", \"$E2E_NOT_SET\"]\n");
    assert_eq!(stderr(&project.call(&["validate"])), "");
    let mut session = project.run_watching();
    let told = session.told();
    assert!(told.contains("E2E_NOT_SET") && told.contains("$$E2E_NOT_SET"), "{told}");
    assert_eq!(told.matches("warning: ").count(), 1, "{told}");
    assert!(session.stop().success());
}

#[test]
fn the_docs_say_what_docker_compose_needs() {
    let project = Project::new(programs!());
    let page = String::from_utf8(project.call(&["docs", "config"]).stdout).unwrap();
    let (_, behind) = page.split_once("\"docker\", \"compose\", \"up\"").unwrap();
    assert_eq!(behind.lines().nth(1).map(str::trim), Some("stop_timeout_ms = 15000"), "{page}");
}

#[test]
fn a_run_with_a_relative_config_works_as_with_an_absolute_one() {
    let project = Project::new(programs!());
    project.file("deep/root/x", "").file("else/where/x", "");
    project.file(
        "deep/my.toml",
        "root = \"root\"\nstate_file = \"kept/state.json\"\nstartup_workflows = [\"w\"]\n[watch.w]\npaths = [\"src/\"]\n\
         [hook.h]\ncommand = [\"pwd\"]\n[workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"h\" }, \
         { action = \"log\", message = \"root {{root}}\" }]\n",
    );
    let root = project.path("deep/root").to_str().unwrap().to_owned();
    let absolute = project.path("deep/my.toml");
    for config in ["../../deep/my.toml", "./../../deep/./my.toml", absolute.to_str().unwrap()] {
        let mut command = project.command(&["run", "--config", config]);
        command.current_dir(project.path("else/where"));
        let mut session = Session::start(command);
        session.wait_for(&format!("root {root}"));
        session.wait_for_stdout(&format!("[pwd h] {root}"));
        session.wait_for(&format!("watching {root}"));
        assert!(session.stop().success());
        assert!(project.path("deep/kept/state.json").is_file());
        assert_eq!(std::fs::read_dir(project.path("else/where")).unwrap().count(), 1);
        std::fs::remove_dir_all(project.path("deep/kept")).unwrap();
    }
}
