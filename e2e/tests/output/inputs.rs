//! What children read: nothing, and never the terminal's input.

use super::project;
use e2e::{Session, wait};
use std::process::Command;

#[test]
fn l8_in_the_background_of_a_terminal_nobody_reads_its_input_and_nothing_is_stopped() {
    let project = project(
        r#"
startup_workflows = ["ask"]
[process.asking]
command = ["PUPPET", "write-stdin", "ROOT/process", "write-pid", "ROOT/asking.pid", "read-stdin-to-end"]
[hook.asking]
command = ["PUPPET", "write-stdin", "ROOT/hook", "read-stdin-to-end", "append", "ROOT/read", "to its end"]
[workflow.ask]
steps = [{ action = "run_hook", hook = "asking" }]
"#,
    );
    let devloop = project.command(&["run"]);
    let (_keyboard, terminal) = e2e::terminal::open();
    // A shell with a terminal and job control: what it starts with `&` may not read that terminal (SIGTTIN).
    let mut command = Command::new("setsid");
    command.args(["--ctty", "sh", "-c", "set -m; \"$0\" run & echo $! >devloop.pid; wait $!"]);
    command.arg(devloop.get_program()).current_dir(project.root()).stdin(terminal);
    let mut shell = Session::start(command);
    assert_eq!(wait::file(&project.path("hook"), |text| !text.is_empty()), "at its end");
    assert_eq!(wait::file(&project.path("process"), |text| !text.is_empty()), "open and empty");
    wait::lines(&project.path("read"), 1);
    let asking = wait::pid(&project.path("asking.pid"));
    shell.wait_for("watching ");
    let devloop = wait::pid(&project.path("devloop.pid"));
    for pid in [devloop, asking] {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let state = stat.rsplit(')').next().unwrap().trim_start().chars().next();
        assert!(matches!(state, Some('S' | 'R')), "{stat}");
    }
    e2e::stray::signal(devloop, rustix::process::Signal::INT).unwrap();
    assert!(shell.wait().success(), "{}", shell.told());
    wait::nothing_left(&project.root());
}
