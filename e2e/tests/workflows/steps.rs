//! Steps one by one, in order, at the same time, and when one fails.

use crate::{gate, project, saved_runs, teller, told, wait_for_told};
use e2e::wait;
use std::time::{Duration, Instant};

// promise: workflow.step.1
#[test]
fn all_kinds_of_steps_run_in_order() {
    let project = project(&format!(
        "startup_workflows = [\"all\"]\n{}{}\
         [hook.slug]\ncommand = [\"echo\", \"a-slug\"]\ncapture = \"text\"\nstate_key = \"slug\"\n\
         [process.server]\ncommand = [\"PUPPET\", \"print\", \"up\", \"hang\"]\nautostart = false\n\
         readiness = {{ kind = \"output\", pattern = \"^up\" }}\n\
         [workflow.all]\nsteps = [\n\
           {{ action = \"run_hook\", hook = \"one\" }},\n\
           {{ action = \"start_process\", process = \"server\" }},\n\
           {{ action = \"wait_for_process\", process = \"server\" }},\n\
           {{ action = \"run_hook\", hook = \"slug\" }},\n\
           {{ action = \"write_state\", key = \"url\", value = \"/posts/{{{{slug}}}}\" }},\n\
           {{ action = \"log\", message = \"url: {{{{url}}}}\" }},\n\
           {{ action = \"run_workflow\", workflow = \"inner\" }},\n\
           {{ action = \"sleep_ms\", duration_ms = 20 }},\n\
           {{ action = \"restart_process\", process = \"server\" }},\n\
           {{ action = \"stop_process\", process = \"server\" }},\n\
           {{ action = \"log\", message = \"the end\" }},\n]\n\
         [workflow.inner]\nsteps = [{{ action = \"run_hook\", hook = \"two\" }}, {{ action = \"log\", message = \"inner\" }}]\n",
        teller("one"),
        teller("two"),
    ));
    let mut session = project.run();
    session.wait_for("the end");
    let lines = session.stderr_lines();
    let expected = [
        "running workflow all",
        "started process server",
        "process server is ready",
        "url: /posts/a-slug",
        "inner",
        "stopped process server",
        "started process server",
        "stopped process server",
        "the end",
    ];
    let mut rest = lines.iter();
    for fragment in expected {
        assert!(
            rest.any(|line| line.contains(fragment)),
            "'{fragment}' is missing or out of order:\n{}",
            session.told()
        );
    }
    assert_eq!(told(&project), ["one all", "two inner"]);
    assert_eq!(project.state()["url"], "/posts/a-slug");
    assert!(session.stop().success());
}

// promise: workflow.step.2
#[test]
fn a_failing_step_ends_the_run_with_what_it_was_to_trigger_and_devloop_goes_on() {
    let project = project(&format!(
        "{}{}{}[hook.bad]\ncommand = [\"PUPPET\", \"exit\", \"3\"]\n\
         [watch.outer]\npaths = [\"outer\"]\n\
         [workflow.outer]\nsteps = [{{ action = \"run_hook\", hook = \"one\" }}, {{ action = \"run_workflow\", workflow = \"inner\" }}, \
         {{ action = \"run_hook\", hook = \"two\" }}]\ntriggers = [\"after\"]\n\
         [workflow.inner]\nsteps = [{{ action = \"log\", message = \"x\" }}, {{ action = \"run_hook\", hook = \"bad\" }}]\n\
         [workflow.after]\nsteps = [{{ action = \"run_hook\", hook = \"two\" }}]\n",
        teller("one"),
        teller("two"),
        saved_runs("next", "one"),
    ));
    let mut session = project.run_watching();
    project.file("outer", "1");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    for cause in ["workflow 'outer', step 2 (run_workflow)", "workflow 'inner', step 2 (run_hook)", "hook 'bad'", "3"] {
        assert!(line.contains(cause), "'{cause}' is missing: {line}");
    }
    project.file("next", "1");
    wait_for_told(&project, &["one outer", "one next"]);
    assert!(session.stop().success());
}

// promise: workflow.step.3
#[test]
fn parallel_steps_run_at_the_same_time() {
    let project = project(
        "startup_workflows = [\"w\"]\n\
         [hook.a]\ncommand = [\"PUPPET\", \"append\", \"a\", \"\", \"await-file\", \"b\"]\n\
         [hook.b]\ncommand = [\"PUPPET\", \"append\", \"b\", \"\", \"await-file\", \"a\"]\n\
         [workflow.w]\nsteps = [{ action = \"parallel\", steps = [{ action = \"run_hook\", hook = \"a\" }, \
         { action = \"run_hook\", hook = \"b\" }] }, { action = \"log\", message = \"both met\" }]\n",
    );
    let mut session = project.run();
    session.wait_for("both met");
    assert!(session.stop().success());
}

#[test]
fn the_first_failure_of_parallel_steps_cancels_the_others_with_their_children() {
    let project = project(
        "startup_workflows = [\"w\"]\n\
         [hook.long]\ncommand = [\"PUPPET\", \"group-child\", \"grandchild\", \"write-pid\", \"long\", \"hang\"]\n\
         [hook.bad]\ncommand = [\"PUPPET\", \"await-file\", \"long\", \"exit\", \"1\"]\n\
         [workflow.w]\nsteps = [{ action = \"parallel\", steps = [{ action = \"run_hook\", hook = \"long\" }, \
         { action = \"run_hook\", hook = \"bad\" }] }, { action = \"log\", message = \"never said\" }]\n",
    );
    let mut session = project.run();
    let (hook, grandchild) = (wait::pid(&project.path("long")), wait::pid(&project.path("grandchild")));
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    wait::gone(hook);
    wait::gone(grandchild);
    assert_eq!(session.count("never said"), 0);
    assert!(session.stop().success());
}

// promise: workflow.step.4
#[test]
fn sleep_waits_that_long_and_holds_up_nothing_else() {
    let project = project(&format!(
        "[watch.slow]\npaths = [\"slow\"]\n[workflow.slow]\nsteps = [{{ action = \"log\", message = \"sleep begins\" }}, \
         {{ action = \"sleep_ms\", duration_ms = 600 }}, {{ action = \"log\", message = \"sleep ends\" }}]\n{}{}",
        teller("one"),
        saved_runs("quick", "one"),
    ));
    let mut session = project.run_watching();
    let began = Instant::now();
    project.file("slow", "1");
    session.wait_for("sleep begins");
    project.file("quick", "1");
    wait_for_told(&project, &["one quick"]);
    let was_asleep = session.count("sleep ends") == 0;
    session.wait_for("sleep ends");
    assert!(began.elapsed() >= Duration::from_millis(600));
    assert!(was_asleep, "the other workflow waited: {}", session.told());
    project.file("slow", "2");
    session.wait_for_count("sleep begins", 2);
    let began = Instant::now();
    assert!(session.stop().success());
    assert!(began.elapsed() < Duration::from_millis(550), "the end waited for the sleep");
}

// promise: workflow.order.1
#[test]
fn startup_workflows_run_in_the_order_of_their_list_also_after_one_that_fails() {
    let project = project(&format!(
        "startup_workflows = [\"z\", \"bad\", \"a\", \"m\"]\n{}[hook.bad]\ncommand = [\"PUPPET\", \"exit\", \"1\"]\n\
         [hook.slow]\ncommand = [\"sh\", \"-c\", 'sleep 0.1; echo \"slow $DEVLOOP_WORKFLOW\" >> told']\n\
         [workflow.z]\nsteps = [{{ action = \"run_hook\", hook = \"slow\" }}]\n\
         [workflow.bad]\nsteps = [{{ action = \"run_hook\", hook = \"bad\" }}, {{ action = \"run_hook\", hook = \"one\" }}]\n\
         [workflow.a]\nsteps = [{{ action = \"sleep_ms\", duration_ms = 50 }}, {{ action = \"write_state\", key = \"a\", value = \"1\" }}, \
         {{ action = \"log\", message = \"a is over\" }}]\n\
         [workflow.m]\nsteps = [{{ action = \"run_hook\", hook = \"one\" }}]\n",
        teller("one"),
    ));
    let mut session = project.run();
    session.wait_for("running workflow m");
    wait_for_told(&project, &["slow z", "one m"]);
    let lines = session.stderr_lines();
    let at = |fragment: &str| lines.iter().position(|line| line.contains(fragment)).unwrap();
    let order = [
        "running workflow z",
        "running workflow bad",
        "workflow failed; continuing runtime in degraded mode",
        "running workflow a",
        "a is over",
        "running workflow m",
    ]
    .map(at);
    assert!(order.is_sorted(), "{}", session.told());
    assert!(session.stop().success());
}

// promise: workflow.order.2
#[test]
fn the_workflows_of_one_batch_run_one_after_the_other_in_the_order_of_their_names() {
    let mut config = String::from("debounce_ms = 100\n");
    for name in ["c", "a", "b"] {
        config.push_str(&gate(name));
        config.push_str(&saved_runs(name, name).replace("paths = [", "leading = false\npaths = [\"dir/\", "));
    }
    let project = project(&config);
    project.file("new/x", "");
    let mut session = project.run_watching();
    std::fs::rename(project.path("new"), project.path("dir")).unwrap();
    wait_for_told(&project, &["a begins"]);
    project.file("go-c", "").file("go-b", "").file("go-a", "");
    wait_for_told(&project, &["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
    assert!(session.stop().success());
}
