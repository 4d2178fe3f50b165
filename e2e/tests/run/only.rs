//! `--only`: some processes, and what they depend on.

use super::project;

const THREE: &str = r#"
startup_workflows = ["startup"]
[process.db]
command = ["PUPPET", "print", "db is up", "hang"]
autostart = false
[process.web]
command = ["PUPPET", "print", "web is up", "hang"]
depends_on = ["db"]
[process.worker]
command = ["PUPPET", "print", "worker is up", "hang"]
[workflow.startup]
steps = [
  { action = "restart_process", process = "worker" },
  { action = "wait_for_process", process = "worker" },
  { action = "stop_process", process = "worker" },
  { action = "log", message = "startup went through" },
]
[workflow.late]
steps = [{ action = "start_process", process = "worker" }, { action = "run_hook", hook = "bad" }]
[hook.bad]
command = ["PUPPET", "exit", "3"]
[watch.late]
paths = ["late/"]
"#;

// promise: run.only.1
#[test]
fn only_named_processes_and_what_they_depend_on_run_and_steps_about_others_do_nothing() {
    let mut project = project(THREE);
    project.argument("--only").argument("web");
    let mut session = project.run();
    session.wait_for_stdout("db is up");
    session.wait_for_stdout("web is up");
    session.wait_for("startup went through");
    session.wait_for("left out: worker");
    project.file("late/x", "");
    // Steps keep their numbers.
    session.wait_for("workflow 'late', step 2 (run_hook)");
    // What is saved meanwhile does not bring it back.
    project.config(&THREE.replace("worker is up", "worker is another"));
    project.config(&THREE.replace("web is up", "web is another"));
    session.wait_for_stdout("web is another");
    assert!(session.stop().success(), "{}", session.told());
    assert_eq!(session.count("process worker"), 0, "{}", session.told());
    assert!(!session.stdout_lines().iter().any(|line| line.contains("worker")), "{}", session.told());
}

#[test]
fn a_process_that_is_not_in_the_config_is_named_with_the_nearest() {
    let output = project(THREE).call(&["run", "--only", "db,worcer"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains(
            "`--only` names the process 'worcer', which the config does not have\nhint: did you mean 'worker'?"
        ),
        "{told}"
    );
}
