//! The state file: what it looks like, when it is written, who may have it, and what happens when it cannot be written.
#![expect(clippy::unwrap_used, clippy::format_push_string, reason = "a test may panic, and need not save memory")]

use e2e::faults::rounds;
use e2e::{Project, Session, programs, wait};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A project whose workflow `put` writes what the file `value` holds under the key `k`, and then says so.
fn putting(top: &str) -> Project {
    let project = Project::new(programs!());
    project.file("value", "first").config(&format!(
        "{top}\ndebounce_ms = 20\n[watch.put]\npaths = [\"value\"]\n\
         [hook.read]\ncommand = [\"cat\", \"value\"]\ncapture = \"text\"\nstate_key = \"k\"\noutput = {{ inherit = false }}\n\
         [workflow.put]\nsteps = [{{ action = \"run_hook\", hook = \"read\" }}, {{ action = \"log\", message = \"put {{{{k}}}}.\" }}]\n"
    ));
    project
}

/// Saves a value and waits until the state in memory has it.
fn put(project: &Project, session: &Session, value: &str) {
    project.file("value", value);
    session.wait_for(&format!("put {value}."));
}

fn wait_for_value(project: &Project, value: &str) {
    let text = format!("\"k\": \"{value}\"");
    wait::file(&project.state_file(), |state| state.contains(&text));
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn mode(project: &Project, path: &str) -> u32 {
    fs::metadata(project.path(path)).unwrap().permissions().mode() & 0o777
}

// promise: state.file.3
#[test]
fn keys_of_an_earlier_session_stay_and_root_is_written_before_anything_starts() {
    let project = Project::new(programs!());
    project.config(
        "startup_workflows = [\"w\"]\n\
         [hook.copy]\ncommand = [\"sh\", \"-c\", 'cp \"$DEVLOOP_STATE\" seen']\n\
         [workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"copy\" }, { action = \"write_state\", key = \"new\", value = \"1\" }]\n",
    );
    project.file(".devloop/state.json", r#"{"kept": {"deep": [1, 2]}, "root": "/somewhere/else", "new": "old"}"#);
    let mut session = project.run();
    let seen: Value =
        serde_json::from_str(&wait::file(&project.path("seen"), |text| text.ends_with('\n') || text.ends_with('}')))
            .unwrap();
    assert_eq!(seen["root"], project.root().to_str().unwrap());
    assert_eq!(seen["kept"], json!({"deep": [1, 2]}));
    wait::until("the key is written", || (project.state()["new"] == "1").then_some(()));
    assert!(session.stop().success());
    // A second session begins with what the first left.
    let mut session = project.run_watching();
    wait::until("the session has begun", || (project.state()["kept"] == json!({"deep": [1, 2]})).then_some(()));
    assert!(session.stop().success());
    assert_eq!(project.state()["kept"], json!({"deep": [1, 2]}));
}

// promise: state.file.1
#[test]
fn the_file_is_one_flat_object_with_sorted_keys_and_two_spaces() {
    let project = Project::new(programs!());
    project.config(
        "startup_workflows = [\"w\"]\n\
         [hook.json]\ncommand = [\"cat\", \"in.json\"]\ncapture = \"json\"\noutput = { inherit = false }\n\
         [workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"json\" }]\n",
    );
    project.file("in.json", r#"{"zebra":"é\n","apple":{"y":[1,2.5],"x":null},"Map.key":true,"empty":{},"none":[]}"#);
    let mut session = project.run();
    let text = wait::file(&project.state_file(), |text| text.contains("zebra"));
    assert!(session.stop().success());
    let keys: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("  \"")?.split_once('"')).map(|(key, _)| key).collect();
    assert_eq!(keys, ["Map.key", "apple", "empty", "last_changed_files", "last_workflow", "none", "root", "zebra"]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["apple"], json!({"y": [1, 2.5], "x": null}));
    assert_eq!(value["zebra"], "é\n");
    assert!(text.starts_with("{\n  \"Map.key\": true,\n"), "{text}");
    assert!(text.trim_end().ends_with("\n}"), "{text}");
}

// promise: state.file.2
#[test]
fn what_a_child_could_read_is_in_the_file_before_it_starts() {
    let mut steps = String::new();
    for number in 0..30 {
        steps.push_str(&format!("{{ action = \"write_state\", key = \"k\", value = \"{number}\" }}, {{ action = \"run_hook\", hook = \"show\" }},\n"));
    }
    let project = Project::new(programs!());
    project.config(&format!(
        "startup_workflows = [\"w\"]\n\
         [hook.show]\ncommand = [\"sh\", \"-c\", 'grep \"\\\"k\\\"\" \"$DEVLOOP_STATE\" >> seen']\n\
         [process.p]\ncommand = [\"sh\", \"-c\", 'cp \"$DEVLOOP_STATE\" process-saw; exec sleep 1000']\nautostart = false\n\
         [workflow.w]\nsteps = [{steps} {{ action = \"write_state\", key = \"k\", value = \"for the process\" }}, \
         {{ action = \"start_process\", process = \"p\" }}]\n"
    ));
    let mut session = project.run();
    let seen = wait::lines(&project.path("seen"), 30);
    let expected: Vec<String> = (0..30).map(|number| format!("\"k\": \"{number}\",")).collect();
    assert_eq!(seen.iter().map(|line| line.trim()).collect::<Vec<_>>(), expected);
    wait::file(&project.path("process-saw"), |text| text.contains("\"k\": \"for the process\""));
    assert!(session.stop().success());
}

#[test]
fn st2_the_file_is_never_torn_while_it_is_written_and_read_all_the_time() {
    let mut steps = String::new();
    for number in 0..40 {
        let value = "x".repeat(if number % 2 == 0 { 3000 } else { 10 });
        steps.push_str(&format!("{{ action = \"write_state\", key = \"k{}\", value = \"{value}\" }}, {{ action = \"sleep_ms\", duration_ms = 1 }},\n", number % 5));
    }
    let project = Project::new(programs!());
    project.config(&format!("debounce_ms = 0\n[watch.w]\npaths = [\"src/\"]\n[workflow.w]\nsteps = [{steps}]\n"));
    project.file("src/x", "");
    let mut session = project.run_watching();
    wait::file(&project.state_file(), |_| true);
    let is_over = Arc::new(AtomicBool::new(false));
    let storm = {
        let (path, is_over) = (project.path("src/x"), Arc::clone(&is_over));
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                fs::write(&path, "").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        })
    };
    let mut versions = std::collections::BTreeSet::new();
    for number in 0..rounds(20_000, 100_000) {
        let file = fs::File::open(project.state_file()).unwrap();
        versions.insert(file.metadata().unwrap().ino());
        let text = std::io::read_to_string(file).unwrap();
        let value: Result<Value, _> = serde_json::from_str(&text);
        assert!(value.as_ref().is_ok_and(Value::is_object), "read {number}: {value:?}\n{text}");
        assert_eq!(value.unwrap()["root"], project.root().to_str().unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    storm.join().unwrap();
    assert!(versions.len() > 1, "nothing was written meanwhile");
    assert!(session.stop().success());
}

/// A run whose state file holds these bytes fails, says so, and leaves them.
fn check_refused(bytes: &[u8]) {
    let project = Project::new(programs!());
    project.config("").file(".devloop/x", "");
    fs::write(project.state_file(), bytes).unwrap();
    let output = project.call(&["run"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("devloop run failed") && told.contains("failed to parse state file"), "{told}");
    assert!(told.contains("state.json'") && told.contains("repair") && told.contains("remove"), "no hint: {told}");
    assert_eq!(fs::read(project.state_file()).unwrap(), bytes);
}

// promise: state.file.4
#[test]
fn st6_a_state_file_without_a_json_object_is_refused_and_untouched_and_an_empty_one_counts_as_none() {
    let deep = "[".repeat(100_000);
    let texts = ["[1, 2]", "{\"a\": 1", "null", "\"text\"", "{\"a\": 1} x", "no json", "{\"a\": \0}", deep.as_str()];
    for text in texts {
        check_refused(text.as_bytes());
    }
    check_refused(b"{\"a\": \"\xff\"}");
    for text in ["", " \n"] {
        let project = Project::new(programs!());
        project.config("").file(".devloop/state.json", text);
        let mut session = project.run_watching();
        wait::file(&project.state_file(), |text| text.contains("\"root\""));
        assert!(session.stop().success());
    }
}

#[test]
fn a_state_file_that_is_no_regular_file_is_refused_without_a_wait() {
    for kind in ["pipe", "folder"] {
        let project = Project::new(programs!());
        project.config("").file(".devloop/x", "");
        if kind == "pipe" {
            assert!(std::process::Command::new("mkfifo").arg(project.state_file()).status().unwrap().success());
        } else {
            fs::create_dir(project.state_file()).unwrap();
        }
        let output = project.call(&["run"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("failed to parse state file"), "{}", stderr(&output));
    }
}

#[test]
fn a_state_file_that_is_a_link_is_replaced_and_what_it_led_to_is_untouched() {
    let project = putting("");
    let victim = r#"{"k": "of the victim"}"#;
    project.file("victim.json", victim).file(".devloop/x", "");
    symlink("../victim.json", project.state_file()).unwrap();
    let mut session = project.run_watching();
    put(&project, &session, "new");
    wait_for_value(&project, "new");
    assert_eq!(fs::read_to_string(project.path("victim.json")).unwrap(), victim);
    assert!(!fs::symlink_metadata(project.state_file()).unwrap().is_symlink());
    assert!(session.stop().success());
}

// promise: state.lock.1, state.lock.2
#[test]
fn st8_a_second_session_is_refused_with_the_pid_of_the_first_and_a_killed_one_is_no_obstacle() {
    let project = putting("");
    let mut first = project.run_watching();
    put(&project, &first, "kept");
    wait_for_value(&project, "kept");
    let output = project.call(&["run"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("devloop run failed") && told.contains(&format!("pid {}", first.pid())), "{told}");
    first.signal(Signal::KILL);
    first.wait();
    let mut second = project.run_watching();
    // All that the killed one had acknowledged is there.
    assert_eq!(project.state()["k"], "kept");
    put(&project, &second, "new");
    assert!(second.stop().success());
    assert_eq!(project.state()["k"], "new");
    assert_eq!(mode(&project, ".devloop/state.json"), 0o600);
}

// promise: state.lock.3
#[test]
fn st8_a_session_whose_lock_file_was_removed_keeps_its_processes_and_is_named() {
    let project = Project::new(programs!());
    project.config("[process.web]\ncommand = [\"PUPPET\", \"print\", \"web is up\", \"hang\"]\n");
    let mut first = project.run();
    first.wait_for_stdout("web is up");
    fs::remove_file(project.path(".devloop/state.json.lock")).unwrap();
    let mut second = project.run();
    let warned = second.wait_for(&format!("another session (pid {}) with this state file still runs", first.pid()));
    assert!(warned.contains("WARN") && warned.contains("removed its lock file"), "{warned}");
    second.wait_for_stdout("web is up");
    assert_eq!(first.count("process web exited"), 0, "{}", first.told());
    assert_eq!(second.count("killed what an earlier session had left"), 0, "{}", second.told());
    second.stop();
    first.stop();
    wait::nothing_left(&project.root());
}

#[test]
fn everything_that_a_hook_could_read_survives_a_kill_at_any_moment() {
    let mut steps = String::new();
    for number in 0..200 {
        steps.push_str(&format!("{{ action = \"write_state\", key = \"k\", value = \"{number}\" }}, {{ action = \"run_hook\", hook = \"ack\" }},\n"));
    }
    for kill_after in [1, 7, 20, 33] {
        let project = Project::new(programs!());
        project.config(&format!(
            "startup_workflows = [\"w\"]\n\
             [hook.ack]\ncommand = [\"sh\", \"-c\", 'grep -o \"\\\"k\\\": \\\"[0-9]*\" \"$DEVLOOP_STATE\" | tr -dc \"0-9\\n\" >> acknowledged']\n\
             [workflow.w]\nsteps = [{steps}]\n"
        ));
        let mut session = project.run();
        wait::lines(&project.path("acknowledged"), kill_after);
        session.signal(Signal::KILL);
        session.wait();
        let acknowledged: u32 = wait::lines(&project.path("acknowledged"), 1).last().unwrap().parse().unwrap();
        let state: u32 = project.state()["k"].as_str().unwrap().parse().unwrap();
        assert!(state >= acknowledged, "{state} is older than {acknowledged}");
        // Besides what is always there at most what was being written: the state, and the status.
        let known = [".gitignore", "state.json", "state.json.lock", "state.json.status", "logs", "log-index"];
        let entries = fs::read_dir(project.path(".devloop")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = entries.filter(|name| !known.iter().any(|known| name == known)).collect();
        let of = |begin: &[u8]| left.iter().filter(|name| name.as_encoded_bytes().starts_with(begin)).count();
        let of_status = of(b".state.json.status.");
        assert!(
            of_status <= 1 && of(b".state.json.") - of_status <= 1 && of(b".state.json.") == left.len(),
            "{left:?}"
        );
    }
}

// promise: state.file.5
#[test]
fn what_devloop_makes_is_for_its_owner_alone_and_hidden_from_git() {
    let project = putting("");
    let mut command = project.command(&["run"]);
    // The most generous mask of all.
    let script = format!("umask 0; exec {} run", command.get_program().to_str().unwrap());
    command = {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).current_dir(project.root());
        shell
    };
    let mut session = Session::start(command);
    session.wait_for("watching ");
    put(&project, &session, "x");
    wait_for_value(&project, "x");
    assert_eq!(mode(&project, ".devloop"), 0o700);
    assert_eq!(mode(&project, ".devloop/state.json"), 0o600);
    assert_eq!(fs::read_to_string(project.path(".devloop/.gitignore")).unwrap(), "*\n");
    for entry in fs::read_dir(project.path(".devloop/logs")).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
    assert!(session.stop().success());
}

#[test]
fn a_folder_that_was_there_is_left_as_it_is() {
    let project = putting("state_file = \"own/s.json\"");
    project.file("own/x", "");
    fs::set_permissions(project.path("own"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut session = project.run_watching();
    put(&project, &session, "x");
    assert!(session.stop().success());
    assert_eq!(mode(&project, "own"), 0o755);
    assert!(!project.path("own/.gitignore").exists());
    assert_eq!(mode(&project, "own/s.json"), 0o600);
    assert!(!project.path(".devloop").exists());
}

// promise: state.file.6
#[test]
fn st4_a_folder_that_is_replaced_by_a_file_is_reported_and_the_next_write_makes_up_for_it() {
    let project = putting("");
    let mut session = project.run_watching();
    put(&project, &session, "before");
    wait_for_value(&project, "before");
    fs::rename(project.path(".devloop"), project.path("away")).unwrap();
    project.file(".devloop", "in the way");
    project.file("value", "during");
    session.wait_for("the state file cannot be written");
    assert_eq!(fs::read_to_string(project.path(".devloop")).unwrap(), "in the way");
    fs::remove_file(project.path(".devloop")).unwrap();
    project.file("value", "after");
    session.wait_for("put after.");
    wait_for_value(&project, "after");
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn st4_a_folder_that_is_removed_is_made_again() {
    let project = putting("");
    let mut session = project.run_watching();
    put(&project, &session, "before");
    wait_for_value(&project, "before");
    // A file that is just being written there can come between the look and the removal.
    wait::until("the folder is removed", || fs::remove_dir_all(project.path(".devloop")).ok());
    put(&project, &session, "after");
    wait_for_value(&project, "after");
    assert_eq!(mode(&project, ".devloop"), 0o700);
    // It is this session's still.
    let output = project.call(&["run"]);
    assert!(stderr(&output).contains(&format!("pid {}", session.pid())), "{}", stderr(&output));
    assert!(session.stop().success());
}

#[test]
fn st7_temporary_files_of_killed_sessions_are_removed_and_those_of_others_stay() {
    let project = putting("");
    for number in 0..200 {
        project.file(&format!(".devloop/.state.json.{number:016x}.tmp"), "{");
    }
    project.file(".devloop/.other.json.0123456789abcdef.tmp", "{");
    let mut session = project.run_watching();
    put(&project, &session, "x");
    assert!(session.stop().success());
    let left = fs::read_dir(project.path(".devloop")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.as_encoded_bytes().ends_with(b".tmp")).collect();
    assert_eq!(left, [".other.json.0123456789abcdef.tmp"]);
}

#[test]
fn edits_from_outside_are_not_merged() {
    let project = putting("");
    let mut session = project.run_watching();
    put(&project, &session, "mine");
    wait_for_value(&project, "mine");
    fs::write(project.state_file(), "{\"k\": \"edited\", \"added\": 1}").unwrap();
    put(&project, &session, "again");
    wait_for_value(&project, "again");
    assert_eq!(project.state()["added"], Value::Null);
    assert!(session.stop().success());
}

#[test]
fn a_root_that_is_removed_is_not_brought_back_by_a_save_and_the_state_is_written_once_it_is_back() {
    let project = Project::new(programs!());
    project.file("tree/x", "").config(
        "root = \"tree\"\nstartup_workflows = [\"w\"]\n\
         [hook.gate]\ncommand = [\"PUPPET\", \"append\", \"began\", \"\", \"await-file\", \"go\"]\ncwd = \"ROOT\"\n\
         [workflow.w]\nsteps = [{ action = \"run_hook\", hook = \"gate\" }, { action = \"write_state\", key = \"k\", value = \"1\" }, \
         { action = \"log\", message = \"written\" }]\n",
    );
    let mut session = project.run();
    wait::lines(&project.path("began"), 1);
    fs::remove_dir_all(project.path("tree")).unwrap();
    project.file("go", "");
    session.wait_for("the state file cannot be written");
    assert!(!project.path("tree").exists());
    fs::create_dir(project.path("tree")).unwrap();
    assert!(session.stop().success(), "{}", session.told());
    let state: Value =
        serde_json::from_str(&fs::read_to_string(project.path("tree/.devloop/state.json")).unwrap()).unwrap();
    assert_eq!(state["k"], "1");
}

#[test]
fn a_state_folder_that_others_can_write_to_costs_one_warning() {
    let project = putting("");
    project.file(".devloop/x", "");
    fs::set_permissions(project.path(".devloop"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut session = project.run_watching();
    put(&project, &session, "x");
    assert!(session.stop().success());
    let warnings: Vec<String> = session.stderr_lines().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(".devloop"), "{warnings:?}");
    assert_eq!(mode(&project, ".devloop/state.json"), 0o600);
}
