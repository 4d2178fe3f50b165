//! What a child is given: variables, folder, standard input, descriptors, signals.

use super::project;
use e2e::{Session, wait};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Variables in a file that `env` has written.
fn variables(path: &Path) -> BTreeMap<String, String> {
    let text = wait::file(path, |text| !text.is_empty());
    let variables = text.lines().filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

// promise: process.env.1
#[test]
fn a_child_has_the_environment_of_devloop_then_its_own_then_ours() {
    let mut project = project(
        r#"
[watch.go]
paths = ["go"]
[process.tool]
command = ["sh", "-c", "env > process.part && mv process.part process.env"]
env = { OWN = "of the process", PLAIN = "replaced" }
[hook.tool]
command = ["sh", "-c", "env > hook.part && mv hook.part hook.env"]
[workflow.go]
steps = [{ action = "run_hook", hook = "tool" }]
"#,
    );
    project.variable("DEVLOOP_INHERITED", "1").variable("DEVLOOP_WORKFLOW", "outer");
    project.variable("PLAIN", "as it was").variable("KEPT", "kept");
    let session = project.run_watching();
    let root = project.root().to_str().unwrap().to_owned();
    let state = project.state_file().to_str().unwrap().to_owned();

    let process = variables(&project.path("process.env"));
    let ours: Vec<(&str, &str)> = process
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| name.starts_with("DEVLOOP_") && *name != "DEVLOOP_LIFE")
        .collect();
    assert_eq!(
        ours,
        [
            ("DEVLOOP_CHANGED_FILES_JSON", "[]"),
            ("DEVLOOP_ROOT", root.as_str()),
            ("DEVLOOP_STATE", state.as_str()),
            ("DEVLOOP_WORKFLOW", "startup"),
        ]
    );
    assert!(process["DEVLOOP_LIFE"].contains("tool"), "the mark of this life: {process:?}");
    assert_eq!(process["OWN"], "of the process");
    assert_eq!(process["PLAIN"], "replaced");
    assert_eq!(process["KEPT"], "kept");

    project.file("go", "");
    let hook = variables(&project.path("hook.env"));
    assert_eq!(hook["DEVLOOP_WORKFLOW"], "go");
    assert_eq!(hook["DEVLOOP_CHANGED_FILES_JSON"], r#"["go"]"#);
    assert_eq!(hook["DEVLOOP_ROOT"], root);
    assert_eq!(hook["PLAIN"], "as it was");
    assert!(!hook.contains_key("OWN") && !hook.contains_key("DEVLOOP_INHERITED"));
    assert!(!hook.contains_key("DEVLOOP_CHANGED_FILES_TRUNCATED") && !hook.contains_key("DEVLOOP_CHANGED_FILES_PATH"));
    drop(session);
}

// promise: process.env.2
#[test]
fn a_list_of_changed_files_that_is_too_long_is_cut_marked_and_whole_in_a_file() {
    const FILES: usize = 1500;
    let project = project(
        r#"
debounce_ms = 400
[watch.go]
paths = ["many/"]
leading = false
[hook.look]
command = ["sh", "-c", '''
printf %s "$$DEVLOOP_CHANGED_FILES_JSON" > variable.json
stat -c %a "$DEVLOOP_CHANGED_FILES_PATH" > mode
cat "$DEVLOOP_CHANGED_FILES_PATH" > list.json
printf %s "$DEVLOOP_CHANGED_FILES_TRUNCATED" > truncated
''']
[workflow.go]
steps = [{ action = "run_hook", hook = "look" }, { action = "log", message = "looked" }]
"#,
    );
    for number in 0..FILES {
        project.file(&format!("elsewhere/a-file-with-a-rather-long-name-{number:05}.txt"), "");
    }
    std::fs::create_dir(project.path("many")).unwrap();
    let session = project.run_watching();
    std::fs::rename(project.path("elsewhere"), project.path("many/here")).unwrap();
    session.wait_for("looked");
    let read = |file: &str| std::fs::read_to_string(project.path(file)).unwrap();
    assert_eq!(read("truncated"), "1");
    assert_eq!(read("mode").trim(), "600");
    assert!(read("variable.json").len() <= 32 * 1024);
    let list = |text: &str| -> Vec<String> { serde_json::from_str(text).unwrap() };
    let (cut, whole) = (list(&read("variable.json")), list(&read("list.json")));
    let files = whole.iter().filter(|path| path.contains("a-file-with-a-rather-long-name-")).count();
    assert_eq!(files, FILES, "{} paths", whole.len());
    assert!(whole.is_sorted());
    assert!(cut.len() > 100 && cut.len() < whole.len(), "{} of {}", cut.len(), whole.len());
    assert!(cut.iter().all(|path| whole.contains(path)));
}

// promise: process.env.3
#[test]
fn variables_in_commands_and_env_come_from_devloop_once_and_without_a_shell() {
    let mut project = project(
        r#"
[process.words]
command = ["PUPPET", "append", "words", "$GREETING ${GREETING}! $$GREETING $1 $? $(x) $5.00 $NESTED", "print", "${EMPTY}"]
[process.own]
command = ["PUPPET", "write-env", "MADE", "own"]
env = { MADE = "<${GREETING}>$$" }
[process.script]
command = ["sh", "-c", "f=shell; echo \"$GREETING $MINE $$f $0 $#\" > script.part; mv script.part script"]
env = { MINE = "mine" }
[process.place]
command = ["sh", "-c", "printf %s \"$DEVLOOP_WORKFLOW\" > workflow"]
"#,
    );
    project.variable("GREETING", "hello world").variable("NESTED", "$GREETING").variable("EMPTY", "");
    let _session = project.run();
    let words = wait::lines(&project.path("words"), 1);
    assert_eq!(words, ["hello world hello world! $GREETING $1 $? $(x) $5.00 $GREETING"]);
    assert_eq!(wait::file(&project.path("own"), |text| !text.is_empty()), "<hello world>$");
    assert_eq!(wait::file(&project.path("script"), |text| !text.is_empty()), "hello world mine shell sh 0\n");
    assert_eq!(wait::file(&project.path("workflow"), |text| !text.is_empty()), "startup");
}

// promise: process.env.3
#[test]
fn variables_of_hooks_come_from_devloop_too() {
    let mut project = project(
        r#"
startup_workflows = ["go"]
[hook.tool]
command = ["sh", "-c", "f=shell; echo \"$GREETING ${GREETING}! $OWN $PLAIN $$f $0\" > told.part; mv told.part told"]
env = { OWN = "<${GREETING}>", PLAIN = "$$GREETING" }
[workflow.go]
steps = [{ action = "run_hook", hook = "tool" }]
"#,
    );
    project.variable("GREETING", "hello");
    let _session = project.run();
    let told = wait::file(&project.path("told"), |text| !text.is_empty());
    assert_eq!(told, "hello hello! <hello> $GREETING shell sh\n");
}

// promise: process.env.3
#[test]
fn variables_in_the_address_of_a_probe_come_from_devloop() {
    let mut project = project(
        r#"
[process.web]
command = ["PUPPET", "serve", "127.0.0.1:$PORT", "ok", "hang"]
readiness = { kind = "http", url = "http://127.0.0.1:${PORT}/$$health" }
"#,
    );
    let port = wait::free_port().to_string();
    project.variable("PORT", &port);
    let session = project.run();
    session.wait_for(&format!("process web is healthy at http://127.0.0.1:{port}/$health"));
}

// promise: process.env.4
#[test]
fn a_variable_of_a_probe_that_is_not_set_is_named_by_the_wait() {
    let project = project(
        r#"
startup_workflows = ["go"]
[process.web]
command = ["PUPPET", "hang"]
readiness = { kind = "http", url = "http://127.0.0.1:$NOT_SET_PORT/", timeout_ms = 300 }
[workflow.go]
steps = [{ action = "wait_for_process", process = "web" }]
"#,
    );
    let mut session = project.run();
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("readiness.url") && line.contains("NOT_SET_PORT"), "{line}");
    assert!(session.told().contains("warning: `process.web.readiness.url` uses $NOT_SET_PORT"), "{}", session.told());
    assert!(session.stop().success());
}

// promise: process.env.4
#[test]
fn a_variable_that_is_not_set_is_a_warning_first_and_an_error_when_the_item_starts() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.early]
command = ["PUPPET", "print", "$NOT_SET_EARLY", "hang"]
[process.fine]
command = ["PUPPET", "hang"]
[process.late]
command = ["PUPPET", "hang"]
env = { PLACE = "a/${NOT_SET_LATE}" }
autostart = false
[hook.tool]
command = ["PUPPET", "print", "${NOT_SET_HOOK}"]
[workflow.go]
steps = [{ action = "start_process", process = "late" }]
[watch.hook]
paths = ["hook"]
[workflow.hook]
steps = [{ action = "run_hook", hook = "tool" }]
"#,
    );
    let mut session = project.run_watching();
    let line = session.wait_for("guardian failed to start process 'early'");
    assert!(
        line.contains("command[2]") && line.contains("NOT_SET_EARLY") && line.contains("$$NOT_SET_EARLY"),
        "{line}"
    );
    session.wait_for("started process fine");
    // The warnings of the start named them all, wherever they stand.
    let warned = session.stderr_lines().join("\n");
    for name in ["NOT_SET_EARLY", "NOT_SET_LATE", "NOT_SET_HOOK"] {
        assert!(warned.contains(name), "{name}: {warned}");
    }
    project.file("go", "");
    let line = session.wait_for("guardian failed to start process 'late'");
    assert!(line.contains("PLACE") && line.contains("NOT_SET_LATE"), "{line}");
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    project.file("hook", "");
    let line = session.wait_for("hook 'tool' cannot start");
    assert!(line.contains("command[2]") && line.contains("NOT_SET_HOOK"), "{line}");
    assert!(session.stop().success());
}

// promise: process.stdin.1
#[test]
fn a_process_has_an_open_and_empty_standard_input_and_a_hook_has_none() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.reader]
command = ["PUPPET", "ignore-term", "write-stdin", "process", "write-pid", "reader.pid", "read-stdin-to-end", "append", "ended", "the input ended"]
[hook.reader]
command = ["PUPPET", "write-stdin", "hook", "read-stdin-to-end"]
[workflow.go]
steps = [{ action = "run_hook", hook = "reader" }, { action = "log", message = "the hook is over" }]
"#,
    );
    let mut session = project.run_watching();
    let pid = wait::pid(&project.path("reader.pid"));
    project.file("go", "");
    session.wait_for("the hook is over");
    assert_eq!(std::fs::read_to_string(project.path("process")).unwrap(), "open and empty");
    assert_eq!(std::fs::read_to_string(project.path("hook")).unwrap(), "at its end");
    assert!(wait::is_alive(pid) && !project.path("ended").exists());
    assert!(session.stop().success());
    wait::gone(pid);
}

// promise: process.clean.1
#[test]
fn p18_a_child_has_default_signals_and_three_descriptors_whatever_devloop_was_started_with() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.plain]
command = ["PUPPET", "write-fds", "process.fds", "hang"]
[process.signals]
command = ["cat", "/proc/self/status"]
[hook.plain]
command = ["PUPPET", "write-fds", "hook.fds"]
[hook.signals]
command = ["cat", "/proc/self/status"]
[workflow.go]
steps = [
  { action = "run_hook", hook = "plain" },
  { action = "run_hook", hook = "signals" },
  { action = "log", message = "looked" },
]
"#,
    );
    let devloop = project.command(&["run"]);
    let mut command = std::process::Command::new("sh");
    // An outer shell that ignores signals and leaks descriptors.
    command.args(["-c", "trap '' USR1 QUIT PIPE CHLD TSTP; exec 7</dev/null 8>leaked; exec \"$0\" run"]);
    command.arg(devloop.get_program()).current_dir(project.root()).stdin(std::process::Stdio::null());
    let mut session = Session::start(command);
    session.wait_for("watching ");
    wait::file(&project.path("process.fds"), |text| !text.is_empty());
    project.file("go", "");
    session.wait_for("looked");
    // The fourth is the one that the puppet reads the list with.
    assert_eq!(std::fs::read_to_string(project.path("process.fds")).unwrap(), "0 1 2 3");
    assert_eq!(std::fs::read_to_string(project.path("hook.fds")).unwrap(), "0 1 2 3");
    let is_of_signals = |line: &&String| {
        ["SigBlk:", "SigIgn:", "SigCgt:"].iter().any(|name| line.starts_with(&format!("[cat signals] {name}")))
    };
    session.wait_for("process signals exited with");
    assert!(session.stop().success());
    let lines = session.stdout_lines();
    let signals: Vec<&String> = lines.iter().filter(|line| is_of_signals(line)).collect();
    assert_eq!(signals.len(), 6, "{lines:?}");
    assert!(signals.iter().all(|line| line.ends_with("0000000000000000")), "{signals:#?}");
}

#[test]
fn a_child_works_in_its_folder_and_its_program_is_looked_for_from_the_root() {
    let project = project(
        r#"
[process.here]
command = ["PUPPET", "write-cwd", "here"]
[process.below]
command = ["PUPPET", "write-cwd", "below"]
cwd = "deep/below"
[process.slash]
command = ["bin/tool"]
cwd = "deep"
[process.bare]
command = ["a-tool-of-the-project"]
env = { PATH = "ROOT/tools:/usr/bin:/bin" }
"#,
    );
    project.file("deep/below/.keep", "");
    for tool in ["bin/tool", "tools/a-tool-of-the-project"] {
        project.file(tool, "#!/bin/sh\necho \"$0 in $(pwd)\"\n");
        std::fs::set_permissions(project.path(tool), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let session = project.run();
    let root = project.root().to_str().unwrap().to_owned();
    assert_eq!(wait::file(&project.path("here"), |text| !text.is_empty()), root);
    assert_eq!(wait::file(&project.path("deep/below/below"), |text| !text.is_empty()), format!("{root}/deep/below"));
    session.wait_for_stdout(&format!("[tool slash] {root}/bin/tool in {root}/deep"));
    session.wait_for_stdout(&format!("[a-tool-of-the-project bare] {root}/tools/a-tool-of-the-project in {root}"));
}
