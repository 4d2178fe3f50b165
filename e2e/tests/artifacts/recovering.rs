//! What the next session makes of a crash.

use crate::Site;
use e2e::wait;
use rustix::process::Signal;

fn is_free(address: &str) -> bool {
    std::net::TcpListener::bind(address).is_ok()
}

// promise: artifact.crash.1
#[test]
fn a_switch_that_nobody_verified_is_undone_before_any_consumer_starts() {
    let site = Site::new();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let served = site.served();
    site.project.file("lie", "not yet");
    site.publish_again(&session);
    session.wait_for_count("started process server", 2);
    let switched = site.key("switching_generation").unwrap();
    assert_eq!(
        (site.key("generation"), site.key("rollback_generation")),
        (Some(switched.clone()), Some(served.clone()))
    );
    assert_eq!(site.entries(), [served.clone(), switched.clone()]);
    session.signal(Signal::KILL);
    session.wait();
    wait::until("the consumer died with devloop", || is_free(&site.address).then_some(()));
    std::fs::remove_file(site.project.path("lie")).unwrap();

    let text = std::fs::read_to_string(site.project.path("devloop.toml")).unwrap();
    let start =
        "steps = [{ action = \"start_process\", process = \"server\" }, { action = \"log\", message = \"served\" }]";
    let text = text.replace("[workflow.after]", &format!("[workflow.only_start]\n{start}\n[workflow.after]"));
    site.project.file(
        "devloop.toml",
        &text.replace("startup_workflows = [\"content\"]", "startup_workflows = [\"only_start\"]"),
    );
    let mut session = site.project.run();
    session.wait_for("served");
    let lines = session.stderr_lines();
    let place = |fragment: &str| lines.iter().position(|line| line.contains(fragment)).unwrap();
    assert!(place(&format!("generation {served} is restored")) < place("started process server"));
    session.wait_for("process server is healthy");
    assert_eq!((site.served(), site.asks()), (served.clone(), Some(served.clone())));
    wait::until("the other is gone", || (site.entries() == [served.clone()]).then_some(()));
    site.is_settled();
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.crash.2
#[test]
fn what_a_crash_left_of_a_build_is_removed() {
    let site = Site::with(
        "[hook.build]\ncommand = [\"PUPPET\", \"build-artifact\", \"12\", \"write-pid\", \"building\", \"hang\"]\n",
        "startup_workflows = [\"content\"]",
    );
    let mut session = site.project.run();
    wait::pid(&site.project.path("building"));
    session.signal(Signal::KILL);
    session.wait();
    assert_eq!(site.entries().len(), 1);
    // Whole and in its place, but the state never named it.
    site.configure("", "");
    let mut session = site.project.run_watching();
    wait::until("nothing is left", || site.entries().is_empty().then_some(()));
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.crash.2
#[test]
fn a_generation_that_the_state_never_named_is_removed() {
    let site = Site::new();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    assert!(session.stop().success(), "{}", session.told());
    let served = site.served();
    std::fs::create_dir(site.own().join("9000000000000-0123abcd")).unwrap();
    std::fs::create_dir(site.own().join("1000000000000-0123abcd")).unwrap();
    site.configure("", "");
    let mut session = site.project.run_watching();
    let older = "1000000000000-0123abcd".to_owned();
    wait::until("the newer one is gone", || (site.entries() == [older.clone(), served.clone()]).then_some(()));
    assert!(session.stop().success(), "{}", session.told());
}
