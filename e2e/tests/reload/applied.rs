//! The difference is applied, and nothing else.

use super::{living, project};
use e2e::{Project, programs, wait};

fn pids(project: &Project, name: &str, count: usize) -> Vec<u32> {
    wait::lines(&project.path(name), count).iter().map(|line| line.trim().parse().unwrap()).collect()
}

// promise: saved.processes.1, saved.told.1
#[test]
fn unchanged_processes_keep_their_pid_changed_ones_restart_new_ones_start_and_removed_ones_stop() {
    let project = project(&[living("same", ""), living("other", ""), living("gone", "")].concat());
    let mut session = project.run();
    let first = ["same", "other", "gone"].map(|name| pids(&project, name, 1)[0]);
    project.config(
        &[
            living("same", ""),
            living("other", "env = { COLOUR = \"blue\" }"),
            living("fresh", ""),
            living("quiet", "autostart = false"),
        ]
        .concat(),
    );
    for told in [
        "applied: process 'fresh' added: starting it",
        "applied: process 'gone' removed: stopping it",
        "applied: process 'other' changed: restarting it",
        "applied: process 'quiet' added",
    ] {
        session.wait_for(told);
    }
    let other = pids(&project, "other", 2);
    pids(&project, "fresh", 1);
    wait::gone(first[2]);
    wait::gone(first[1]);
    assert!(wait::is_alive(first[0]) && wait::is_alive(other[1]), "{}", session.told());
    assert_eq!(session.count("applied: "), 4, "{}", session.told());
    assert_eq!(pids(&project, "same", 1).len(), 1);
    assert!(!project.path("quiet").exists());
    assert_eq!(session.stop().code(), Some(0));
}

// promise: saved.processes.2
#[test]
fn a_process_under_a_new_name_takes_over_the_address_of_the_old_one() {
    let port = wait::free_port();
    let serving = |name: &str| {
        format!(
            "[process.{name}]\ncommand = [\"PUPPET\", \"serve\", \"127.0.0.1:{port}\", \"{name}\", \"hang\"]\n\
             [process.{name}.readiness]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/\"\n"
        )
    };
    let project = project(&serving("server"));
    let session = project.run();
    session.wait_for("process server is healthy at");
    project.config(&serving("web"));
    session.wait_for("process web is healthy at");
    assert_eq!(session.count("already in use"), 0, "{}", session.told());
}

// promise: saved.processes.3
#[test]
fn a_process_whose_command_was_wrong_is_tried_again_when_it_is_right() {
    let project = project("[process.server]\ncommand = [\"ROOT/not-there\"]\n");
    let session = project.run();
    session.wait_for("guardian failed to start process 'server'");
    project.config(&living("server", ""));
    pids(&project, "server", 1);
}

const RECORDING: &str = "[hook.say]\ncommand = [\"PUPPET\", \"append\", \"ROOT/said\", \"WORD\"]\n\
                         [workflow.say]\nsteps = [{ action = \"run_hook\", hook = \"say\" }]\n";

fn saying(word: &str, folder: &str) -> String {
    format!("{}[watch.say]\npaths = [\"{folder}/\"]\n", RECORDING.replace("WORD", word))
}

// promise: saved.follows.1
#[test]
fn watches_hooks_and_workflows_follow() {
    let project = project(&saying("old", "src"));
    project.file("src/a", "").file("lib/a", "");
    let session = project.run_watching();
    project.file("src/a", "1");
    wait::lines(&project.path("said"), 1);
    project.config(&saying("new", "lib"));
    session.wait_for(&format!("watching {}", project.path("lib").display()));
    session.wait_for("applied: watch 'say' changed");
    project.file("src/a", "2");
    project.file("lib/a", "1");
    assert_eq!(wait::lines(&project.path("said"), 2), ["old", "new"]);
    project.file("lib/a", "2");
    assert_eq!(wait::lines(&project.path("said"), 3), ["old", "new", "new"]);
}

// promise: saved.follows.2
#[test]
fn observers_follow() {
    let observed = |word: &str| {
        format!(
            "[hook.branch]\ncommand = [\"PUPPET\", \"print\", \"{word}\"]\ncapture = \"text\"\nstate_key = \"branch\"\n\
             observe = {{ workflow = \"told\", interval_ms = 20 }}\n\
             [workflow.told]\nsteps = [{{ action = \"log\", message = \"branch is {{{{branch}}}}\" }}]\n"
        )
    };
    let project = project(&observed("main"));
    let session = project.run();
    session.wait_for("branch is main");
    project.config(&observed("topic"));
    session.wait_for("branch is topic");
    project.config("");
    session.wait_for("applied: hook 'branch' removed");
}

// promise: saved.runs.1
#[test]
fn a_running_workflow_finishes_with_the_plan_that_it_began_with() {
    let config = |message: &str, hook: &str| {
        format!(
            "[hook.gate]\ncommand = [\"PUPPET\", \"append\", \"ROOT/{hook}\", \"x\", \"await-file\", \"ROOT/open\"]\n\
             [hook.last]\ncommand = [\"PUPPET\", \"append\", \"ROOT/last\", \"{message}\"]\n\
             [watch.slow]\npaths = [\"src/\"]\n[workflow.slow]\nsteps = [{{ action = \"run_hook\", hook = \"gate\" }}, \
             {{ action = \"log\", message = \"{message}\" }}, {{ action = \"run_hook\", hook = \"last\" }}]\n"
        )
    };
    let project = project(&config("the old plan", "first"));
    project.file("src/a", "");
    let session = project.run_watching();
    project.file("src/a", "1");
    wait::lines(&project.path("first"), 1);
    project.config(&config("the new plan", "second"));
    session.wait_for("applied: workflow 'slow' changed");
    project.file("open", "");
    session.wait_for("the old plan");
    project.file("src/a", "2");
    session.wait_for("the new plan");
    assert_eq!(wait::lines(&project.path("last"), 2), ["the old plan", "the new plan"]);
}

// promise: saved.runs.2
#[test]
fn startup_workflows_do_not_run_again() {
    let config = |word: &str| {
        format!(
            "startup_workflows = [\"hello\"]\n[workflow.hello]\nsteps = [{{ action = \"log\", message = \"hello {word}\" }}]\n{}",
            living("other", &format!("env = {{ WORD = \"{word}\" }}"))
        )
    };
    let project = project(&config("first"));
    let mut session = project.run();
    session.wait_for("hello first");
    pids(&project, "other", 1);
    project.config(&config("second"));
    session.wait_for("applied: workflow 'hello' changed");
    pids(&project, "other", 2);
    assert_eq!(session.stop().code(), Some(0));
    assert_eq!((session.count("hello first"), session.count("hello second")), (1, 0), "{}", session.told());
}

// promise: saved.same.1
#[test]
fn a_save_that_changes_nothing_does_nothing() {
    let project = project(&living("server", ""));
    let mut session = project.run_watching();
    let server = pids(&project, "server", 1)[0];
    session.wait_for("started process server");
    let lines = session.stderr_lines();
    let text = std::fs::read_to_string(project.path("devloop.toml")).unwrap();
    project.file("devloop.toml", &text);
    project.file("devloop.toml", &format!("# a comment\n{text}\n"));
    // What comes after it is applied, so it was looked at.
    project.file("devloop.toml", &format!("{text}\n[process.more]\ncommand = [\"true\"]\n"));
    session.wait_for("applied: process 'more' added: starting it");
    let told = session.stderr_lines();
    let applied = told.iter().position(|line| line.contains("applied: ")).unwrap();
    assert_eq!(told[..applied], lines, "{}", session.told());
    assert!(wait::is_alive(server));
    assert_eq!(session.count("applied: "), 1, "{}", session.told());
    assert_eq!(session.stop().code(), Some(0));
}

// promise: saved.lost.1
#[test]
fn no_change_is_lost_while_watches_are_changed() {
    let config = |number: usize| {
        format!(
            "[watch.more{number}]\npaths = [\"more{number}/\"]\nworkflow = \"src\"\n[watch.src]\npaths = [\"src/\"]\n"
        )
    };
    for kind in ["native", "poll"] {
        let watcher = format!("[watcher]\nkind = \"{kind}\"\npoll_interval_ms = 50\n");
        let project = Project::new(programs!());
        project.file("src/file", "old");
        project.record(&["src"], &format!("{watcher}{}", config(0)));
        let session = project.run_watching();
        let mut names = Vec::new();
        for save in 1..6 {
            project.record(&["src"], &format!("{watcher}{}", config(save)));
            // From before the save is read until the new watches are live.
            wait::until("the watches are changed", || {
                names.push(format!("src/f{}", names.len()));
                project.file(names.last().unwrap(), "x");
                (session.count("watching ") > 2 + save).then_some(())
            });
        }
        // A workflow whose files change while it runs may be held back for a while.
        wait::until("every change is told", || {
            let told = e2e::recording::files_of(&project.runs());
            names.iter().all(|name| told.contains(name)).then_some(())
        });
    }
}
