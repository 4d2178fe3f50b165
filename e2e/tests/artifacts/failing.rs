//! What is left of a publish that fails, is rejected or is cancelled: nothing.

use crate::Site;
use e2e::wait;

const FAILED: &str = "workflow failed; continuing runtime in degraded mode";

/// A build that takes the time that the test gives it, as long as there is a file `slow`.
const PATIENT: &str = r#"
[hook.build]
command = ["sh", "-c", "PUPPET build-artifact 12; if [ -e slow ]; then echo > building; PUPPET await-file go; fi"]
"#;

// promise: artifact.fail.1
#[test]
fn a_build_that_fails_leaves_everything_as_it_was() {
    let site = Site::with(
        "[hook.build]\ncommand = [\"sh\", \"-c\", \"PUPPET build-artifact 12; test ! -e broken\"]\n",
        "startup_workflows = [\"content\"]",
    );
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let (served, state) = (site.served(), site.project.state());
    site.project.file("broken", "");
    site.publish_again(&session);
    let line = session.wait_for(FAILED);
    assert!(line.contains("artifact 'site' is not published: hook 'build' ended with exit status 1"), "{line}");
    assert_eq!((site.served(), site.asks()), (served.clone(), Some(served.clone())));
    assert_eq!(site.entries(), [served]);
    assert_eq!(session.count("started process server"), 1);
    assert_eq!((session.count("triggered with "), session.count("the step is done")), (1, 1));
    for field in ["generation", "path"] {
        let key = format!("artifact.site.{field}");
        assert_eq!(site.project.state()[&key], state[&key]);
    }
    site.is_settled();
    std::fs::remove_file(site.project.path("broken")).unwrap();
    site.publish_again(&session);
    session.wait_for_count("triggered with ", 2);
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.fail.2
#[test]
fn a_generation_that_a_consumer_does_not_answer_with_is_taken_back() {
    let site = Site::new().impatient();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let served = site.served();
    // What the consumer answers with from now on is the old generation.
    site.project.file("lie", &served);
    site.publish_again(&session);
    let line = session.wait_for(FAILED);
    assert!(line.contains("is rejected: process 'server' did not become ready within 4 s"), "{line}");
    assert!(line.contains(&format!("generation {served} is restored and served")), "{line}");
    assert_eq!((site.served(), site.asks()), (served.clone(), Some(served.clone())));
    assert_eq!(site.entries(), std::slice::from_ref(&served));
    assert_eq!(session.count("started process server"), 3);
    assert_eq!((session.count("triggered with "), session.count("the step is done")), (1, 1));
    site.is_settled();

    // Nor with the old one: said, and the old one is served all the same.
    site.project.file("lie", "something else");
    site.publish_again(&session);
    let line = session.wait_for_count(FAILED, 2);
    assert!(line.contains(&format!("generation {served} is restored, and not well either")), "{line}");
    assert_eq!(site.served(), served);
    site.is_settled();

    std::fs::remove_file(site.project.path("lie")).unwrap();
    site.publish_again(&session);
    session.wait_for_count("triggered with ", 2);
    assert!(site.served() > served);
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.fail.3
#[test]
fn a_first_generation_that_is_rejected_leaves_no_consumer_and_no_key() {
    let site = Site::new().impatient();
    site.project.file("lie", "nobody knows");
    let mut session = site.project.run();
    let line = session.wait_for(FAILED);
    assert!(line.contains("there is no earlier generation, and its consumers are stopped"), "{line}");
    assert_eq!((site.asks(), site.key("generation"), site.key("path")), (None, None, None));
    assert_eq!(site.entries(), Vec::<String>::new());
    site.is_settled();
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.fail.4
#[test]
fn a_build_that_is_cancelled_by_ctrl_c_leaves_nothing() {
    let site = Site::with(PATIENT, "startup_workflows = [\"content\"]");
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let served = site.served();
    site.project.file("slow", "");
    site.publish_again(&session);
    wait::until("the build fills its folder", || site.project.path("building").exists().then_some(()));
    assert_eq!(site.entries().len(), 2);
    assert!(session.stop().success(), "{}", session.told());
    assert_eq!(site.entries(), std::slice::from_ref(&served));
    assert_eq!(site.served(), served);
    site.is_settled();
}

// promise: artifact.fail.4
#[test]
fn a_build_that_takes_too_long_leaves_nothing() {
    let site = Site::with(&format!("{PATIENT}timeout_ms = 700\n"), "startup_workflows = [\"content\"]");
    site.project.file("slow", "");
    let mut session = site.project.run();
    let line = session.wait_for(FAILED);
    assert!(line.contains("hook 'build' did not end within 700 ms and was stopped"), "{line}");
    assert_eq!(site.entries(), Vec::<String>::new());
    assert_eq!(site.key("generation"), None);
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.fail.4
#[test]
fn a_publish_that_is_wanted_again_leaves_nothing_of_the_first() {
    let site = Site::with(PATIENT, "startup_workflows = [\"content\"]");
    let text = std::fs::read_to_string(site.project.path("devloop.toml")).unwrap();
    site.project
        .file("devloop.toml", &text.replace("[workflow.content]\n", "[workflow.content]\non_busy = \"restart\"\n"));
    site.project.file("slow", "");
    let mut session = site.project.run();
    wait::until("the build fills its folder", || site.project.path("building").exists().then_some(()));
    let first = site.entries();
    std::fs::remove_file(site.project.path("slow")).unwrap();
    site.publish_again(&session);
    session.wait_for("cancelled workflow content");
    session.wait_for("triggered with ");
    assert_eq!(site.entries(), [site.served()]);
    assert!(!first.contains(&format!(".candidate-{}", site.served())), "{first:?}");
    assert_eq!(session.count(FAILED), 0);
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.fail.4
#[test]
fn a_switch_that_is_cancelled_by_ctrl_c_is_taken_back() {
    let site = Site::new();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let served = site.served();
    site.project.file("lie", "not yet");
    site.publish_again(&session);
    wait::until("the state is switched", || site.key("switching_generation"));
    session.wait_for_count("started process server", 2);
    assert!(session.stop().success(), "{}", session.told());
    assert_eq!(site.served(), served);
    assert_eq!(site.entries(), [served]);
    site.is_settled();
}

// promise: artifact.fail.5
#[test]
fn a_state_file_that_cannot_be_written_fails_the_publish_before_any_consumer_restarts() {
    let site = Site::with(PATIENT, "startup_workflows = [\"content\"]");
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let served = site.served();
    site.project.file("slow", "");
    site.publish_again(&session);
    wait::until("the build fills its folder", || site.project.path("building").exists().then_some(()));
    // A folder cannot be replaced by a file.
    let (file, aside) = (site.project.state_file(), site.project.path("aside"));
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    site.project.file("go", "");
    let line = session.wait_for(FAILED);
    assert!(line.contains("artifact 'site' is not published: the state file cannot be written"), "{line}");
    assert_eq!(site.asks(), Some(served.clone()));
    assert_eq!(session.count("started process server"), 1);
    // Also as long as nothing can be written: what was built may be what fills the disk.
    assert_eq!(site.entries(), std::slice::from_ref(&served));
    std::fs::remove_dir_all(&file).unwrap();
    session.wait_for("the state file can be written again");
    assert_eq!(site.served(), served);
    assert!(session.stop().success(), "{}", session.told());
}

// promise: saved.runs.1
#[test]
fn a_publish_ends_as_it_began_when_the_config_is_replaced_meanwhile() {
    let site = Site::with(PATIENT, "startup_workflows = [\"content\"]");
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let first = site.served();
    site.project.file("slow", "");
    site.publish_again(&session);
    wait::until("the build fills its folder", || site.project.path("building").exists().then_some(()));
    let text = std::fs::read_to_string(site.project.path("devloop.toml")).unwrap();
    let replaced = text
        .replace("the step is done", "the new step is done")
        .replace("build-artifact 12; if", "build-artifact 12; echo built anew; if");
    site.project.file("devloop.toml", &replaced);
    session.wait_for("applied: workflow 'content' changed");
    session.wait_for("applied: hook 'build' changed");
    assert_eq!((site.served(), session.count("the step is done")), (first.clone(), 1));
    site.project.file("go", "");
    session.wait_for_count("the step is done", 2);
    session.wait_for_count("triggered with ", 2);
    let second = site.served();
    assert!(second != first && site.asks() == Some(second.clone()), "{}", session.told());
    site.is_settled();
    std::fs::remove_file(site.project.path("slow")).unwrap();
    site.publish_again(&session);
    session.wait_for("the new step is done");
    session.wait_for_stdout("built anew");
    session.wait_for_count("triggered with ", 3);
    assert!(site.served() != second, "{}", session.told());
    assert_eq!(session.count("the step is done"), 2);
    site.is_settled();
    assert!(session.stop().success(), "{}", session.told());
}
