//! What a publish does when all is well.

use crate::Site;
use e2e::wait;
use std::os::unix::fs::MetadataExt as _;

// promise: artifact.publish.1, artifact.publish.2, artifact.publish.4
#[test]
fn a_publish_builds_switches_restarts_and_triggers() {
    let site = Site::new();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let first = site.served();
    assert_eq!(site.asks().as_ref(), Some(&first));
    assert_eq!(session.count("started process server"), 1);
    site.is_settled();
    for folder in [".devloop/artifacts", ".devloop/artifacts/site"] {
        assert_eq!(std::fs::metadata(site.project.path(folder)).unwrap().mode() & 0o777, 0o700, "{folder}");
    }

    site.publish_again(&session);
    session.wait_for_count("triggered with ", 2);
    let second = site.served();
    assert!(second > first, "{second} {first}");
    assert_eq!(site.asks().as_ref(), Some(&second));
    assert_eq!(site.entries(), [first.clone(), second.clone()]);
    let place = |fragment: &str| session.stderr_lines().iter().rposition(|line| line.contains(fragment)).unwrap();
    assert!(place("published artifact site") < place("the step is done"));
    assert!(place("the step is done") < place("triggered with "));

    site.publish_again(&session);
    session.wait_for_count("triggered with ", 3);
    let third = site.served();
    wait::until("the oldest is gone", || (site.entries() == [second.clone(), third.clone()]).then_some(()));
    assert!(session.stop().success(), "{}", session.told());
    assert_eq!(site.served(), third);
    site.is_settled();
}

// promise: artifact.env.1, artifact.env.2
#[test]
fn the_build_and_every_later_child_are_told() {
    let site = Site::with(
        r#"
[hook.build]
command = ["PUPPET", "build-artifact", "12", "write-env", "DEVLOOP_ARTIFACT", "b-name",
  "write-env", "DEVLOOP_ARTIFACT_GENERATION", "b-generation", "write-env", "DEVLOOP_ARTIFACT_CANDIDATE", "b-candidate",
  "write-env", "DEVLOOP_ARTIFACT_SITE_DIR", "b-dir", "write-env", "DEVLOOP_ARTIFACT_SITE_GENERATION", "b-own"]
[hook.later]
command = ["PUPPET", "append-env", "DEVLOOP_ARTIFACT_SITE_DIR", "l-dir", "append-env", "DEVLOOP_ARTIFACT_SITE_GENERATION",
  "l-generation", "append-env", "DEVLOOP_ARTIFACT_CANDIDATE", "l-candidate", "append-env", "DEVLOOP_ARTIFACT", "l-name"]
[workflow.ask]
steps = [{ action = "run_hook", hook = "later" }, { action = "log", message = "asked" }]
[watch.ask]
paths = ["ask"]
"#,
        "startup_workflows = [\"ask\", \"content\"]",
    );
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    site.project.file("ask", "");
    session.wait_for_count("asked", 2);
    let generation = site.served();
    let read = |name: &str| std::fs::read_to_string(site.project.path(name)).unwrap();
    let folder = site.own().join(&generation).to_str().unwrap().to_owned();
    let candidate = site.own().join(format!(".candidate-{generation}")).to_str().unwrap().to_owned();
    assert_eq!([read("b-name"), read("b-generation"), read("b-candidate")], ["site", &generation, &candidate]);
    assert_eq!([read("b-dir"), read("b-own")], [candidate, generation.clone()]);
    let lines = |first: &str, then: &str| format!("{first}\n{then}\n");
    assert_eq!(read("l-dir"), lines("(unset)", &folder));
    assert_eq!(read("l-generation"), lines("(unset)", &generation));
    assert_eq!([read("l-candidate"), read("l-name")], [lines("(unset)", "(unset)"), lines("(unset)", "(unset)")]);
    assert!(session.stop().success(), "{}", session.told());

    // The next session goes on with it, before anything is published.
    std::fs::remove_file(site.project.path("l-dir")).unwrap();
    let text = std::fs::read_to_string(site.project.path("devloop.toml")).unwrap();
    site.project.file(
        "devloop.toml",
        &text.replace("startup_workflows = [\"ask\", \"content\"]", "startup_workflows = [\"ask\"]"),
    );
    let mut session = site.project.run();
    session.wait_for("asked");
    assert_eq!(read("l-dir"), format!("{folder}\n"));
    assert_eq!(session.count("artifact site"), 0, "{}", session.told());
    assert!(session.stop().success(), "{}", session.told());
}

// promise: artifact.publish.3
#[test]
fn consumers_restart_at_the_same_time() {
    let site = Site::new();
    let other = format!("127.0.0.1:{}", wait::free_port());
    let text = std::fs::read_to_string(site.project.path("devloop.toml")).unwrap();
    // Each of the two ends only when the other was asked to end as well.
    let begin = text.find("[process.server]").unwrap();
    let end = text.find("[artifact.site]").unwrap();
    let process = &text[begin..end];
    let meets = |name: &str, mine: &str, theirs: &str, address: &str| {
        process
            .replace("[process.server", &format!("[process.{name}"))
            .replace(&site.address, address)
            .replace("\"serve-artifact\"", &format!("\"meet-on-term\", \"{mine}\", \"{theirs}\", \"serve-artifact\""))
    };
    let both = meets("server", "a-stops", "b-stops", &site.address) + &meets("twin", "b-stops", "a-stops", &other);
    let text = text.replace(process, &both).replace("consumers = [\"server\"]", "consumers = [\"server\", \"twin\"]");
    site.project.file("devloop.toml", &text);
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    site.publish_again(&session);
    session.wait_for_count("triggered with ", 2);
    assert_eq!(session.count("did not end within"), 0, "{}", session.told());
    let served = site.served();
    assert_eq!((site.asks(), wait::get(&other, "/generation")), (Some(served.clone()), Some(served)));
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn audit_shows_that_a_file_reaches_the_build_and_its_consumers() {
    let site = Site::new();
    let output = site.project.call(&["audit"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    let input = told.split("\n\n").find(|part| part.contains("content")).unwrap_or(&told);
    for name in ["build", "server", "after"] {
        assert!(input.contains(name), "'{name}' is missing:\n{told}");
    }
}
