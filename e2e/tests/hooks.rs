//! Hooks: how they run and end, what they capture, and how they are observed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, Session, Stray, wait};

/// A project whose workflow `go` runs the hook `tool` and then logs `the hook is over`; the hook is written behind.
fn project(hook: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(&format!(
        r#"
[watch.go]
paths = ["go"]
[workflow.go]
steps = [{{ action = "run_hook", hook = "tool" }}, {{ action = "log", message = "the hook is over" }}]
{hook}
"#
    ));
    project
}

/// Starts a session and its workflow `go`.
fn go(project: &Project) -> Session {
    let session = project.run_watching();
    project.file("go", "");
    session
}

const FAILED: &str = "workflow failed; continuing runtime in degraded mode";

// promise: hook.run.1
#[test]
fn a_hook_that_exits_with_0_lets_the_workflow_go_on() {
    let project = project("[hook.tool]\ncommand = [\"PUPPET\", \"print\", \"done\"]\n");
    let session = go(&project);
    session.wait_for("the hook is over");
    session.wait_for_stdout("[puppet tool] done");
    assert_eq!(session.count(FAILED), 0);
}

// promise: hook.run.1
#[test]
fn a_hook_that_fails_ends_the_workflow_with_its_status() {
    for (orders, status) in [("\"exit\", \"3\"", "exit status 3"), ("\"kill-self\", \"9\"", "signal 9 (SIGKILL)")] {
        let project = project(&format!("[hook.tool]\ncommand = [\"PUPPET\", {orders}]\n"));
        let mut session = go(&project);
        let line = session.wait_for(FAILED);
        assert!(line.contains("'go'") && line.contains("hook 'tool'") && line.contains(status), "{line}");
        assert!(session.stop().success());
        assert_eq!(session.count("the hook is over"), 0);
    }
}

// promise: hook.run.1
#[test]
fn a_hook_whose_program_is_missing_fails_with_its_name_and_the_reason() {
    let project = project("[hook.tool]\ncommand = [\"./bin/missing\"]\n");
    let session = go(&project);
    let line = session.wait_for(FAILED);
    assert!(line.contains("bin/missing") && line.contains("No such file or directory"), "{line}");
}

// promise: hook.run.2
#[test]
fn a_hook_that_takes_too_long_is_stopped_and_fails() {
    let project = project(
        "[hook.tool]\ncommand = [\"PUPPET\", \"on-term\", \"heard\", \"asked to end\", \"write-pid\", \"tool.pid\", \"hang\"]\n\
         timeout_ms = 2500\n",
    );
    let session = go(&project);
    let pid = wait::pid(&project.path("tool.pid"));
    let line = session.wait_for(FAILED);
    assert!(line.contains("hook 'tool' did not end within 2.5 s"), "{line}");
    assert!(!wait::is_alive(pid));
    assert_eq!(wait::lines(&project.path("heard"), 1), ["asked to end"]);
}

// promise: hook.run.2
#[test]
fn a_hook_that_takes_too_long_and_ignores_signals_is_killed() {
    let project = project(
        "[hook.tool]\ncommand = [\"PUPPET\", \"group-child\", \"child.pid\", \"ignore-term\", \"write-pid\", \"tool.pid\", \"hang\"]\n\
         timeout_ms = 2500\n",
    );
    let session = go(&project);
    session.wait_for(FAILED);
    wait::gone(wait::pid(&project.path("tool.pid")));
    wait::gone(wait::pid(&project.path("child.pid")));
}

// promise: hook.run.3
#[test]
fn a_hook_is_over_when_its_command_is_and_a_daemon_lives_on() {
    // The daemon holds the hook's output, the child in its group, too.
    let project = project(
        "[hook.tool]\ncommand = [\"PUPPET\", \"daemon\", \"daemon.pid\", \"double-fork\", \"forked.pid\", \"group-child\", \"child.pid\", \"print\", \"done\"]\n",
    );
    let mut session = go(&project);
    session.wait_for("the hook is over");
    let daemons = ["daemon.pid", "forked.pid"].map(|file| Stray::in_file(&project.path(file)));
    wait::gone(wait::pid(&project.path("child.pid")));
    assert!(daemons.iter().all(Stray::is_alive));
    assert!(session.stop().success());
    assert!(daemons.iter().all(Stray::is_alive));
}

#[test]
fn a_hook_shows_its_output_as_it_comes() {
    let project = project(
        "[hook.tool]\ncommand = [\"PUPPET\", \"print\", \"begun\", \"eprint\", \"careful\", \"await-file\", \"open\"]\n",
    );
    let session = go(&project);
    session.wait_for_stdout("[puppet tool] begun");
    session.wait_for("[puppet tool] careful");
    assert_eq!(session.count("the hook is over"), 0);
    project.file("open", "");
    session.wait_for("the hook is over");
}

// promise: hook.capture.1
#[test]
fn captured_text_is_trimmed_and_becomes_the_value_of_its_key() {
    let project = project(
        r#"
[hook.tool]
command = ["PUPPET", "partial", " \n  two\nlines \t", "eprint", "not this", "print", "\n"]
capture = "text"
state_key = "answer"
[hook.look]
command = ["sh", "-c", "cat \"$DEVLOOP_STATE\" > seen.json"]
[workflow.look]
steps = [{ action = "run_hook", hook = "look" }, { action = "log", message = "seen: {{answer}}" }]
[watch.look]
paths = ["look"]
"#,
    );
    let session = go(&project);
    session.wait_for("the hook is over");
    project.file("look", "");
    session.wait_for("seen: two\\nlines");
    let seen: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(project.path("seen.json")).unwrap()).unwrap();
    assert_eq!(seen["answer"], "two\nlines");
}

// promise: hook.capture.2
#[test]
fn a_captured_object_is_merged_into_the_state() {
    let project = project(
        r#"
[hook.tool]
command = ["PUPPET", "cat", "answer.json"]
capture = "json"
[hook.look]
command = ["sh", "-c", "cat \"$DEVLOOP_STATE\" > seen.json"]
[workflow.look]
steps = [{ action = "run_hook", hook = "look" }, { action = "log", message = "seen: {{server.port}} {{list}}" }]
[watch.look]
paths = ["look"]
"#,
    );
    project.file(".devloop/state.json", r#"{"kept": 1, "replaced": "old"}"#);
    project.file("answer.json", " {\"replaced\": null, \"server\": {\"port\": 8080}, \"list\": [1, \"é\"]}\n");
    let session = go(&project);
    session.wait_for("the hook is over");
    project.file("look", "");
    session.wait_for("seen: 8080 [1,\"é\"]");
    let seen: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(project.path("seen.json")).unwrap()).unwrap();
    assert_eq!(seen["kept"], 1);
    assert_eq!(seen["replaced"], serde_json::Value::Null);
    assert_eq!(seen["server"]["port"], 8080);
    assert_eq!(seen["list"][1], "é");
}

/// A hook that prints this captures nothing, and its workflow fails for this reason.
fn capturing_fails(capture: &str, command: &str, reason: &str) {
    let project = project(&format!("[hook.tool]\ncommand = {command}\n{capture}\n"));
    project.file(".devloop/state.json", "{\"answer\": \"before\"}");
    let mut session = go(&project);
    let line = session.wait_for(FAILED);
    assert!(line.contains("hook 'tool'") && line.contains(reason), "{command}: {line}");
    assert!(session.stop().success());
    assert_eq!(project.state()["answer"], "before", "{command}");
}

// promise: hook.capture.2
#[test]
fn captured_output_that_is_no_json_object_fails_the_step() {
    for text in ["[1]", "12", "", "{\"answer\": }", "{\"answer\": 1} {}"] {
        let text = text.replace('"', "\\\"");
        capturing_fails("capture = \"json\"", &format!("[\"PUPPET\", \"partial\", \"{text}\"]"), "JSON object");
    }
}

// promise: hook.capture.3
#[test]
fn captured_output_that_is_too_long_or_no_utf_8_fails_the_step() {
    let text = "capture = \"text\"\nstate_key = \"answer\"";
    capturing_fails(text, r#"["PUPPET", "spew", "16385", "63"]"#, "longer than 1 MiB");
    // One that would go on for hours is ended.
    capturing_fails(text, r#"["PUPPET", "spew", "4000000000", "99"]"#, "longer than 1 MiB");
    for capture in [text, "capture = \"json\""] {
        capturing_fails(capture, r#"["printf", '{"answer": "\377"}']"#, "not UTF-8");
    }
}

// promise: hook.capture.3
#[test]
fn output_of_exactly_one_mebibyte_is_captured_and_what_is_not_captured_may_be_anything() {
    let project = project(
        r#"
[hook.tool]
command = ["PUPPET", "spew", "16384", "63"]
capture = "text"
state_key = "answer"
[hook.loud]
command = ["sh", "-c", "printf '\\377\\n'; exec PUPPET spew 20000 63"]
[workflow.loud]
steps = [{ action = "run_hook", hook = "loud" }, { action = "log", message = "the loud one is over" }]
[watch.loud]
paths = ["loud"]
"#,
    );
    let mut session = go(&project);
    session.wait_for("the hook is over");
    project.file("loud", "");
    session.wait_for("the loud one is over");
    assert!(session.stop().success());
    assert_eq!(project.state()["answer"].as_str().unwrap().len(), 1024 * 1024 - 1);
}

// promise: hook.capture.1
#[test]
fn a_hook_that_fails_captures_nothing() {
    capturing_fails(
        "capture = \"text\"\nstate_key = \"answer\"",
        r#"["PUPPET", "print", "after", "exit", "2"]"#,
        "exit status 2",
    );
}

// promise: hook.capture.4
#[test]
fn a_hook_that_captures_a_reserved_key_fails() {
    for key in ["root", "last_workflow", "last_changed_files", "artifact.page.path"] {
        let object = format!("{{\\\"answer\\\": \\\"after\\\", \\\"{key}\\\": \\\"mine\\\"}}");
        capturing_fails("capture = \"json\"", &format!("[\"PUPPET\", \"print\", \"{object}\"]"), &format!("'{key}'"));
    }
}

// promise: hook.capture.4
#[test]
fn a_config_that_would_write_a_reserved_key_is_refused() {
    let configs = [
        "[hook.tool]\ncommand = [\"PUPPET\"]\ncapture = \"text\"\nstate_key = \"last_workflow\"\n",
        "[hook.tool]\ncommand = [\"PUPPET\"]\n[process.web]\ncommand = [\"PUPPET\"]\noutput = { rules = [{ state_key = \"root\", pattern = \"(.)\" }] }\n",
        "[hook.tool]\ncommand = [\"PUPPET\"]\n[workflow.other]\nsteps = [{ action = \"write_state\", key = \"artifact.page.path\", value = \"x\" }]\n",
    ];
    for (config, key) in configs.iter().zip(["last_workflow", "root", "artifact.page.path"]) {
        let output = project(config).call(&["validate"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(key), "{told}");
    }
}

/// A project with an observed hook and its workflow `seen`; what the hook is comes behind.
fn observing(hook: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(&format!(
        "[workflow.seen]\nsteps = [{{ action = \"log\", message = \"seen: {{{{branch}}}}\" }}]\n{hook}\n"
    ));
    project
}

/// Replaces a file at once, so that no reader sees half of it.
fn replace(project: &Project, file: &str, text: &str) {
    project.file("part", text);
    std::fs::rename(project.path("part"), project.path(file)).unwrap();
}

// promise: hook.observe.1
#[test]
fn an_observed_hook_runs_its_workflow_only_when_what_it_captures_changed() {
    let project = observing(
        r#"
[hook.branch]
command = ["PUPPET", "append-env", "DEVLOOP_WORKFLOW", "polls", "cat", "branch"]
capture = "text"
state_key = "branch"
observe = { workflow = "seen", interval_ms = 10 }
output = { inherit = false }
[hook.noise]
command = ["sh", "-c", "echo \"{\\\"noise\\\": $$(wc -l < polls)}\""]
capture = "json"
observe = { workflow = "noisy", interval_ms = 10 }
output = { inherit = false }
[workflow.noisy]
steps = []
"#,
    );
    project.file("branch", "main\n").file("polls", "");
    let mut session = project.run();
    session.wait_for("seen: main");
    let polls = wait::lines(&project.path("polls"), 1).len();
    wait::lines(&project.path("polls"), polls + 10);
    session.wait_for("running workflow noisy");
    assert_eq!(session.count("running workflow seen"), 1, "{}", session.told());
    replace(&project, "branch", "other\n");
    session.wait_for("seen: other");
    let polls = wait::lines(&project.path("polls"), 1).len();
    wait::lines(&project.path("polls"), polls + 10);
    assert_eq!(session.count("running workflow seen"), 2, "{}", session.told());
    assert!(session.stop().success());
    assert!(wait::lines(&project.path("polls"), 1).iter().all(|workflow| workflow == "observe"));
}

// promise: hook.observe.1
#[test]
fn an_observed_hook_is_never_asked_twice_at_once() {
    let project = observing(
        r#"
[hook.slow]
command = ["sh", "-c", "mkdir asked || echo twice >> twice; echo poll >> polls; sleep 0.1; rmdir asked"]
observe = { workflow = "seen", interval_ms = 1 }
"#,
    );
    let _session = project.run();
    wait::lines(&project.path("polls"), 6);
    assert!(!project.path("twice").exists());
}

// promise: hook.observe.2
#[test]
fn a_poll_that_fails_is_told_once_until_it_fails_differently_and_the_session_goes_on() {
    let project = observing(
        r#"
[hook.branch]
command = ["sh", "-c", "echo poll >> polls; status=$(cat status); [ $$status = 0 ] || exit $$status; cat branch"]
capture = "text"
state_key = "branch"
observe = { workflow = "seen", interval_ms = 10 }
"#,
    );
    project.file("branch", "main").file("status", "3");
    let mut session = project.run();
    session.wait_for("exit status 3");
    let more = |count: usize| {
        let polls = wait::lines(&project.path("polls"), 1).len();
        wait::lines(&project.path("polls"), polls + count)
    };
    more(6);
    assert_eq!(session.count("exit status 3"), 1, "{}", session.told());
    replace(&project, "status", "4");
    session.wait_for("exit status 4");
    more(6);
    assert_eq!(session.count("exit status 4"), 1, "{}", session.told());
    replace(&project, "status", "0");
    session.wait_for("seen: main");
    assert!(session.stop().success());
    assert_eq!(session.count("observed hook 'branch' failed"), 2, "{}", session.told());
    assert_eq!(session.count(FAILED), 0, "{}", session.told());
}
