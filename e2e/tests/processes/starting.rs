//! What starts when, and what cannot start.

use super::{parent, place, project, stat};
use e2e::wait;
use std::os::unix::fs::PermissionsExt as _;

// promise: process.start.1
#[test]
fn processes_start_on_their_own_and_no_startup_workflow_waits_for_them() {
    let project = project(
        r#"
startup_workflows = ["hello"]
[process.charlie]
command = ["PUPPET", "hang"]
readiness = { kind = "exec", command = ["false"] }
[process.alpha]
command = ["PUPPET", "hang"]
[process.bravo]
command = ["PUPPET", "hang"]
[process.sleeper]
command = ["PUPPET", "hang"]
autostart = false
[workflow.hello]
steps = [{ action = "log", message = "the startup workflow ran" }]
"#,
    );
    let mut session = project.run();
    session.wait_for("the startup workflow ran");
    for name in ["alpha", "bravo", "charlie"] {
        session.wait_for(&format!("started process {name}"));
    }
    assert!(session.stop().success(), "{}", session.told());
    let lines = session.stderr_lines();
    assert!(place(&lines, "running workflow hello") < place(&lines, "the startup workflow ran"));
    assert_eq!(session.count("process sleeper"), 0, "{}", session.told());
    assert_eq!(session.count("is ready"), 0, "{}", session.told());
}

// promise: process.start.1
#[test]
fn processes_start_in_the_order_of_their_names() {
    let project = project(
        r#"
[process.charlie]
command = ["PUPPET", "write-pid", "charlie.pid", "hang"]
[process.alpha]
command = ["PUPPET", "write-pid", "alpha.pid", "hang"]
[process.bravo]
command = ["PUPPET", "write-pid", "bravo.pid", "hang"]
"#,
    );
    let _session = project.run();
    // Each has a keeper of its own, and the keepers are made one after the other: their start times are the order.
    let keepers = ["alpha.pid", "bravo.pid", "charlie.pid"].map(|file| parent(wait::pid(&project.path(file))));
    assert!(keepers.is_sorted_by_key(|keeper| start_time(*keeper)), "{keepers:?}");
}

/// In clock ticks since the system started.
fn start_time(pid: u32) -> u64 {
    stat(pid, 22)
}

// promise: process.start.2
#[test]
fn a_command_is_never_given_to_a_shell() {
    let project = project(
        r#"
[process.literal]
command = ["PUPPET", "append", "out", "a | b > c; touch oops & $(touch oops) `touch oops` * ~ \"q\" 'r' \\"]
"#,
    );
    let mut session = project.run();
    session.wait_for("process literal exited with exit status 0");
    assert!(session.stop().success());
    let line = "a | b > c; touch oops & $(touch oops) `touch oops` * ~ \"q\" 'r' \\\n";
    assert_eq!(std::fs::read_to_string(project.path("out")).unwrap(), line);
    assert!(!project.path("oops").exists());
}

// promise: process.start.3
#[test]
fn starting_a_process_that_runs_does_nothing_and_restarting_one_that_does_not_starts_it() {
    let project = project(
        r#"
[watch.begin]
paths = ["begin"]
[watch.again]
paths = ["again"]
[process.tool]
command = ["PUPPET", "append-pid", "pids", "hang"]
autostart = false
[workflow.begin]
steps = [
  { action = "restart_process", process = "tool" },
  { action = "start_process", process = "tool" },
  { action = "start_process", process = "tool" },
  { action = "log", message = "begun" },
]
[workflow.again]
steps = [{ action = "restart_process", process = "tool" }, { action = "log", message = "begun again" }]
"#,
    );
    let mut session = project.run_watching();
    project.file("begin", "");
    session.wait_for("begun");
    let first = wait::lines(&project.path("pids"), 1);
    assert_eq!(session.count("started process tool"), 1, "{}", session.told());
    assert_eq!(session.count("stopped process tool"), 0, "{}", session.told());
    project.file("again", "");
    session.wait_for("begun again");
    let both = wait::lines(&project.path("pids"), 2);
    assert_eq!(both[0], first[0]);
    assert_ne!(both[1], first[0]);
    assert!(!wait::is_alive(first[0].parse().unwrap()), "the first life is over before the second begins");
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("pids"), 2).len(), 2);
}

#[test]
fn a_process_that_has_just_died_counts_as_not_running() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.brief]
command = ["PUPPET", "append", "lives", "one"]
[workflow.go]
steps = [{ action = "start_process", process = "brief" }]
"#,
    );
    let session = project.run_watching();
    session.wait_for("process brief exited with exit status 0");
    project.file("go", "");
    session.wait_for_count("process brief exited with exit status 0", 2);
    assert_eq!(wait::lines(&project.path("lives"), 2).len(), 2);
}

// promise: process.start.4
#[test]
fn a_program_that_cannot_be_started_is_named_with_the_reason_and_the_session_goes_on() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.absent]
command = ["./bin/absent"]
[process.bare]
command = ["no-program-has-this-name"]
[process.closed]
command = ["./bin/closed"]
[process.homeless]
command = ["PUPPET", "hang"]
cwd = "no/such/folder"
[process.orphaned]
command = ["./bin/orphaned"]
[workflow.go]
steps = [{ action = "start_process", process = "absent" }, { action = "log", message = "not reached" }]
"#,
    );
    project.file("bin/closed", "#!/bin/sh\n").file("bin/orphaned", "#!/no/such/interpreter\n");
    permit(&project.path("bin/orphaned"), 0o755);
    let mut session = project.run_watching();
    for (process, names, reason) in [
        ("absent", "bin/absent", "No such file or directory"),
        ("bare", "no-program-has-this-name", "No such file or directory"),
        ("closed", "bin/closed' cannot be executed (`chmod +x` makes", "Permission denied"),
        ("homeless", "no/such/folder", "No such file or directory"),
        ("orphaned", "bin/orphaned", "No such file or directory"),
    ] {
        let line = session.wait_for(&format!("guardian failed to start process '{process}'"));
        assert!(line.contains(names) && line.contains(reason), "{line}");
    }
    project.file("go", "");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("'absent'") && line.contains("No such file or directory"), "{line}");
    assert!(session.stop().success());
    assert_eq!(session.count("not reached"), 0);
}

// promise: process.restart.3
#[test]
fn p14_a_program_that_appears_later_is_started_then() {
    let project = project(
        r#"
[process.tool]
command = ["bin/tool"]
restart = "on_failure"
restart_delay_ms = 5
restart_delay_max_ms = 40
"#,
    );
    let session = project.run();
    session.wait_for_count("guardian failed to start process 'tool'", 6);
    project.file("bin/tool.new", "#!/bin/sh\necho it is here\nexec sleep 1000\n");
    permit(&project.path("bin/tool.new"), 0o755);
    std::fs::rename(project.path("bin/tool.new"), project.path("bin/tool")).unwrap();
    session.wait_for("started process tool");
    session.wait_for_stdout("[tool tool] it is here");
}

// promise: process.restart.3
#[test]
fn p14_a_program_that_somebody_is_writing_is_started_once_it_is_whole() {
    let project = project(
        r#"
[process.tool]
command = ["bin/tool", "print", "it is whole", "hang"]
restart = "always"
restart_delay_ms = 5
restart_delay_max_ms = 40
"#,
    );
    project.file("bin/tool", "");
    std::fs::copy(e2e::programs!().puppet, project.path("bin/tool")).unwrap();
    permit(&project.path("bin/tool"), 0o755);
    let writer = std::fs::OpenOptions::new().append(true).open(project.path("bin/tool")).unwrap();
    let session = project.run();
    let line = session.wait_for_count("guardian failed to start process 'tool'", 2);
    assert!(line.contains("Text file busy"), "{line}");
    drop(writer);
    session.wait_for_stdout("it is whole");
}

#[test]
fn a_restart_whose_program_is_gone_fails_the_workflow_and_the_next_one_works() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.tool]
command = ["bin/tool"]
[workflow.go]
steps = [{ action = "restart_process", process = "tool" }, { action = "log", message = "restarted" }]
"#,
    );
    project.file("bin/tool", "#!/bin/sh\necho up\nexec sleep 1000\n");
    permit(&project.path("bin/tool"), 0o755);
    let mut session = project.run_watching();
    session.wait_for_stdout("[tool tool] up");
    std::fs::rename(project.path("bin/tool"), project.path("bin/away")).unwrap();
    project.file("go", "1");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("'tool'") && line.contains("No such file or directory"), "{line}");
    std::fs::rename(project.path("bin/away"), project.path("bin/tool")).unwrap();
    project.file("go", "2");
    session.wait_for("restarted");
    session.wait_for_count("started process tool", 2);
    assert!(session.stop().success());
}

fn permit(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
