//! Runs with different causes: which wait for each other, and which do not.

use crate::{gate, project, saved_runs, teller, told, wait_for_told};
use e2e::{Project, Session, wait};

/// Two workflows `a` and `b` of one file each with these steps, and an independent one that tells what was heard.
fn two(top: &str, hooks: &str, steps: [&str; 2]) -> (Project, Session) {
    let mut config = format!("debounce_ms = 30\n{top}\n{hooks}");
    // Its name comes first, so that it waits for nobody in a batch that it shares.
    config.push_str("[hook.heard]\ncommand = [\"PUPPET\", \"append\", \"heard\", \"x\"]\n");
    config.push_str(&saved_runs("aa", "heard"));
    for (name, steps) in ["a", "b"].iter().zip(steps) {
        config.push_str(&format!(
            "[watch.{name}]\npaths = [\"{name}\"]\n[workflow.{name}]\n\
             steps = [{steps}, {{ action = \"log\", message = \"workflow {name} is over\" }}]\n"
        ));
    }
    let project = project(&config);
    let session = project.run_watching();
    (project, session)
}

fn run_hook(name: &str) -> String {
    format!("{{ action = \"run_hook\", hook = \"{name}\" }}")
}

/// `a` runs and waits at its gate while `b` is wanted; then the gates open: `b` ran after `a`, and not beside it.
fn check_one_after_the_other(project: &Project, session: &mut Session) {
    project.file("a", "1");
    wait_for_told(project, &["a begins"]);
    project.file("b", "1").file("go-b", "");
    // What shares nothing with them runs meanwhile: the save of `b` was heard before it.
    project.file("aa", "1");
    wait::lines(&project.path("heard"), 1);
    assert_eq!(told(project), ["a begins"]);
    project.file("go-a", "");
    wait_for_told(project, &["a begins", "a ends", "b begins", "b ends"]);
    session.wait_for("workflow b is over");
    assert!(session.stop().success());
}

// promise: workflow.order.4
#[test]
fn runs_that_touch_different_things_run_at_the_same_time() {
    let hooks = "[hook.a]\ncommand = [\"PUPPET\", \"append\", \"met-a\", \"\", \"await-file\", \"met-b\"]\n\
                 [hook.b]\ncommand = [\"PUPPET\", \"append\", \"met-b\", \"\", \"await-file\", \"met-a\"]\n";
    let after = |hook: &str| format!("{}, {{ action = \"log\", message = \"{hook} met the other\" }}", run_hook(hook));
    let (project, mut session) = two("", hooks, [&after("a"), &after("b")]);
    project.file("a", "1");
    wait::file(&project.path("met-a"), |_| true);
    project.file("b", "1");
    session.wait_for("a met the other");
    session.wait_for("b met the other");
    assert!(session.stop().success());
}

// promise: workflow.order.3
#[test]
fn runs_that_write_the_same_key_run_one_after_the_other() {
    let steps =
        |hook: &str| format!("{}, {{ action = \"write_state\", key = \"k\", value = \"{hook}\" }}", run_hook(hook));
    let (project, mut session) = two("", &(gate("a") + &gate("b")), [&steps("a"), &steps("b")]);
    check_one_after_the_other(&project, &mut session);
    assert_eq!(project.state()["k"], "b", "the state is saved at the end");
}

#[test]
fn a_run_that_reads_a_key_waits_for_one_that_writes_it() {
    let write = format!("{}, {{ action = \"write_state\", key = \"k\", value = \"new\" }}", run_hook("a"));
    let read = format!("{}, {{ action = \"log\", message = \"read {{{{k}}}}\" }}", run_hook("b"));
    let (project, mut session) = two("", &(gate("a") + &gate("b")), [&write, &read]);
    check_one_after_the_other(&project, &mut session);
    assert_eq!(session.count("read new"), 1);
}

#[test]
fn runs_of_one_hook_or_of_one_process_do_not_overlap() {
    let process = "[process.p]\ncommand = [\"PUPPET\", \"hang\"]\nautostart = false\n";
    let steps = |hook: &str| format!("{}, {{ action = \"restart_process\", process = \"p\" }}", run_hook(hook));
    let (project, mut session) = two("", &(gate("a") + &gate("b") + process), [&steps("a"), &steps("b")]);
    check_one_after_the_other(&project, &mut session);
}

// promise: workflow.order.6
#[test]
fn runs_that_hold_one_lock_do_not_overlap() {
    let hooks = (gate("a") + "locks = [\"dist\"]\n") + &gate("b") + "locks = [\"dist\"]\n";
    let (project, mut session) = two("", &hooks, [&run_hook("a"), &run_hook("b")]);
    check_one_after_the_other(&project, &mut session);
}

#[test]
fn a_lock_counts_through_calls_and_triggers() {
    let hooks = (gate("a") + "locks = [\"dist\"]\n")
        + &gate("b")
        + "locks = [\"dist\"]\n"
        + &format!("[workflow.inner]\nsteps = [{}]\n", run_hook("b"));
    let (project, mut session) =
        two("", &hooks, [&run_hook("a"), "{ action = \"run_workflow\", workflow = \"inner\" }"]);
    check_one_after_the_other(&project, &mut session);
}

// promise: workflow.order.5
#[test]
fn without_concurrency_one_workflow_runs_at_a_time() {
    let (project, mut session) = two("concurrent = false", &(gate("a") + &gate("b")), [&run_hook("a"), &run_hook("b")]);
    project.file("a", "1");
    wait_for_told(&project, &["a begins"]);
    project.file("b", "1").file("go-b", "");
    project.file("aa", "1");
    project.file("go-a", "");
    wait::lines(&project.path("told"), 4);
    wait::lines(&project.path("heard"), 1);
    assert_eq!(told(&project), ["a begins", "a ends", "b begins", "b ends"]);
    assert!(session.stop().success());
}

#[test]
fn conflicting_runs_keep_the_order_in_which_they_were_wanted() {
    let mut config = String::from("debounce_ms = 30\n") + &gate("first") + &teller("t");
    config.push_str("locks = [\"l\"]\n[watch.a]\npaths = [\"a\"]\n[workflow.a]\nsteps = [{ action = \"run_hook\", hook = \"first\" }, \
                     { action = \"run_hook\", hook = \"t\" }]\n");
    let names = ["z", "c", "y", "b"];
    for name in names {
        config.push_str(&saved_runs(name, "t"));
    }
    config.push_str("[hook.heard]\ncommand = [\"PUPPET\", \"append\", \"heard\", \"x\"]\n");
    config.push_str(&saved_runs("aa", "heard"));
    let project = project(&config);
    let mut session = project.run_watching();
    project.file("a", "1");
    wait_for_told(&project, &["first begins"]);
    for (number, name) in names.iter().enumerate() {
        project.file(name, "1").file("aa", &number.to_string());
        // Each is wanted in a batch of its own, which the independent run shows to have been heard.
        wait::lines(&project.path("heard"), number + 1);
    }
    project.file("go-first", "");
    wait_for_told(&project, &["first begins", "first ends", "t a", "t z", "t c", "t y", "t b"]);
    assert!(session.stop().success());
}
