//! A config that cannot be used, and what cannot change.

use super::{living, project};
use e2e::wait;

// promise: saved.broken.1
#[test]
fn a_broken_config_shows_what_validate_shows_the_old_plan_goes_on_and_the_next_good_save_applies() {
    let project = project(&living("server", ""));
    let mut session = project.run();
    let server = wait::pid(&project.path("server"));
    project.config(&living("server", "restart = \"sometimes\"\n[process.other]\ncomand = [\"true\"]"));
    session.wait_for("the saved config has 2 errors, which are shown above");
    let shown = String::from_utf8(project.call(&["validate"]).stderr).unwrap();
    let frames: Vec<&str> = shown.lines().take_while(|line| !line.starts_with("devloop ")).collect();
    let told = session.stderr_lines().join("\n");
    for line in frames.iter().filter(|line| !line.trim().is_empty()) {
        assert!(told.contains(line), "{line}\n--- was not shown, but:\n{told}");
    }
    assert!(frames.len() > 6 && session.log().contains("comand"), "{shown}");
    assert!(wait::is_alive(server));
    project.config(&[living("server", ""), living("other", "")].concat());
    session.wait_for("applied: process 'other' added: starting it");
    wait::pid(&project.path("other"));
    assert!(wait::is_alive(server), "{}", session.told());
    assert_eq!(session.stop().code(), Some(0));
}

// promise: saved.broken.2
#[test]
fn a_config_that_is_repaired_to_what_it_was_is_told_to_be_right_again() {
    let project = project(&living("server", ""));
    let session = project.run();
    let server = wait::pid(&project.path("server"));
    project.config("[process");
    session.wait_for("the saved config has");
    project.config(&living("server", ""));
    session.wait_for("the config is right again");
    assert!(wait::is_alive(server));
    assert_eq!(session.count("applied: "), 0, "{}", session.told());
}

// promise: saved.fixed.1
#[test]
fn root_and_state_file_stay_the_rest_is_applied_and_the_user_is_told_once() {
    let project = project(&living("server", ""));
    project.file("elsewhere/x", "");
    let session = project.run();
    let server = wait::pid(&project.path("server"));
    let config = format!("root = \"elsewhere\"\nstate_file = \"other.json\"\n{}", living("server", ""));
    project.config(&format!("{config}{}", living("more", "")));
    session.wait_for(&format!("`root` cannot change while devloop runs: '{}' stays", project.root().display()));
    session.wait_for("`state_file` cannot change while devloop runs");
    session.wait_for("applied: process 'more' added: starting it");
    wait::pid(&project.path("more"));
    project.config(&format!("{config}{}{}", living("more", ""), living("third", "")));
    session.wait_for("applied: process 'third' added: starting it");
    wait::pid(&project.path("third"));
    assert_eq!(session.count("cannot change while devloop runs"), 2, "{}", session.told());
    assert_eq!(session.count("applied: "), 2, "{}", session.told());
    assert!(wait::is_alive(server) && !project.path("other.json").exists());
    assert!(project.state_file().exists());
}

// promise: saved.step.1
#[test]
fn a_step_that_names_a_process_that_is_gone_says_so() {
    let project = project(&format!(
        "{}[hook.gate]\ncommand = [\"PUPPET\", \"append\", \"ROOT/at\", \"x\", \"await-file\", \"ROOT/open\"]\n\
         [watch.rust]\npaths = [\"src/\"]\n[workflow.rust]\nsteps = [{{ action = \"run_hook\", hook = \"gate\" }}, \
         {{ action = \"restart_process\", process = \"server\" }}]\n",
        living("server", "")
    ));
    project.file("src/a", "");
    let session = project.run_watching();
    project.file("src/a", "1");
    wait::lines(&project.path("at"), 1);
    project.config("");
    session.wait_for("stopped process server");
    project.file("open", "");
    session.wait_for("process 'server' is gone: the config does not name it any more");
}
