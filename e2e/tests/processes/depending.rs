//! Processes that need each other.

use super::{place, project};
use e2e::wait;

// promise: process.depends.1
#[test]
fn a_process_starts_once_what_it_depends_on_is_ready() {
    let project = project(
        r#"
[process.app]
command = ["PUPPET", "hang"]
depends_on = ["zoo"]
[process.zoo]
command = ["PUPPET", "await-file", "open", "print", "the zoo is open", "hang"]
readiness = { kind = "output", pattern = "is open$" }
[process.other]
command = ["PUPPET", "hang"]
"#,
    );
    let session = project.run();
    session.wait_for("started process zoo");
    session.wait_for("started process other");
    assert_eq!(session.count("started process app"), 0, "{}", session.told());
    project.file("open", "");
    session.wait_for("started process app");
    let lines = session.stderr_lines();
    assert!(place(&lines, "process zoo is ready") < place(&lines, "started process app"), "{lines:#?}");
}

// promise: process.depends.1
#[test]
fn without_a_readiness_a_start_is_enough_and_what_is_independent_starts_together() {
    // Each database is ready only when it has seen the other run; the app needs both.
    let project = project(
        r#"
[process.app]
command = ["PUPPET", "hang"]
depends_on = ["db1", "db2", "simple"]
[process.db1]
command = ["PUPPET", "write-pid", "db1.pid", "await-file", "db2.pid", "print", "ready", "hang"]
readiness = { kind = "output", pattern = "ready" }
[process.db2]
command = ["PUPPET", "write-pid", "db2.pid", "await-file", "db1.pid", "print", "ready", "hang"]
readiness = { kind = "output", pattern = "ready" }
[process.simple]
command = ["PUPPET", "hang"]
"#,
    );
    let session = project.run();
    session.wait_for("started process app");
    let lines = session.stderr_lines();
    for before in ["process db1 is ready", "process db2 is ready", "started process simple"] {
        assert!(place(&lines, before) < place(&lines, "started process app"), "{before}: {lines:#?}");
    }
}

// promise: process.depends.1
#[test]
fn a_workflow_that_starts_a_process_starts_what_it_depends_on() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.app]
command = ["PUPPET", "hang"]
depends_on = ["middle"]
autostart = false
[process.middle]
command = ["PUPPET", "hang"]
depends_on = ["base"]
autostart = false
[process.base]
command = ["PUPPET", "print", "base is up", "hang"]
readiness = { kind = "output", pattern = "base is up" }
autostart = false
[workflow.go]
steps = [{ action = "start_process", process = "app" }, { action = "log", message = "all are up" }]
"#,
    );
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for("all are up");
    let lines = session.stderr_lines();
    let places = ["process base is ready", "started process middle", "started process app"]
        .map(|fragment| place(&lines, fragment));
    assert!(places.is_sorted(), "{lines:#?}");
}

// promise: process.depends.2
#[test]
fn a_restart_leaves_those_who_depend_on_the_process_alone() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.app]
command = ["PUPPET", "append-pid", "app.pids", "hang"]
depends_on = ["db"]
[process.db]
command = ["PUPPET", "append-pid", "db.pids", "hang"]
[workflow.go]
steps = [{ action = "restart_process", process = "db" }, { action = "log", message = "restarted" }]
"#,
    );
    let mut session = project.run_watching();
    let app = wait::lines(&project.path("app.pids"), 1);
    project.file("go", "");
    session.wait_for("restarted");
    wait::lines(&project.path("db.pids"), 2);
    assert!(wait::is_alive(app[0].parse().unwrap()));
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("app.pids"), 1), app);
}

// promise: process.depends.3
#[test]
fn a_cycle_of_dependencies_is_refused() {
    let project = project(
        r#"
[process.a]
command = ["PUPPET", "hang"]
depends_on = ["b"]
[process.b]
command = ["PUPPET", "hang"]
depends_on = ["a"]
"#,
    );
    for command in ["validate", "run"] {
        let output = project.call(&[command]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("a -> b -> a"), "{told}");
    }
    assert!(!project.path(".devloop").exists());
}

#[test]
fn a_process_does_not_start_without_what_it_depends_on() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.app]
command = ["PUPPET", "write-pid", "app.pid", "hang"]
depends_on = ["db"]
autostart = false
[process.db]
command = ["PUPPET", "exit", "4"]
autostart = false
readiness = { kind = "output", pattern = "ready" }
[workflow.go]
steps = [{ action = "start_process", process = "app" }]
"#,
    );
    let mut session = project.run_watching();
    project.file("go", "");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("process 'app'") && line.contains("process 'db' exited with exit status 4"), "{line}");
    assert!(session.stop().success());
    assert!(!project.path("app.pid").exists());
}
