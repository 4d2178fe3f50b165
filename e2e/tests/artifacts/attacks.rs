//! The state file and the artifact's folder as somebody else may have left them.

use crate::Site;
use e2e::{Session, wait};
use serde_json::json;
use std::os::unix::fs::symlink;

/// A site that was published once, and a folder that must stay as it is.
fn published() -> (Site, tempfile::TempDir, String) {
    let site = Site::new();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    assert!(session.stop().success(), "{}", session.told());
    let victim = tempfile::tempdir().unwrap();
    std::fs::create_dir(victim.path().join("1763800000123-00c0ffee")).unwrap();
    std::fs::write(victim.path().join("precious"), "kept").unwrap();
    let served = site.served();
    (site, victim, served)
}

fn edit(site: &Site, values: &[(&str, serde_json::Value)]) {
    let mut state = site.project.state();
    for (field, value) in values {
        state[format!("artifact.site.{field}")] = value.clone();
    }
    std::fs::write(site.project.state_file(), serde_json::to_string_pretty(&state).unwrap()).unwrap();
}

/// Runs a session that asks what a child is told, without publishing.
fn asked(site: &Site) -> (Session, String) {
    site.configure(
        r#"
[hook.later]
command = ["PUPPET", "write-env", "DEVLOOP_ARTIFACT_SITE_DIR", "told"]
[workflow.ask]
steps = [{ action = "run_hook", hook = "later" }, { action = "log", message = "asked" }]
"#,
        "startup_workflows = [\"ask\"]",
    );
    let session = site.project.run();
    session.wait_for("asked");
    let told = std::fs::read_to_string(site.project.path("told")).unwrap();
    (session, told)
}

/// What a page has room for of a claim.
fn shown(claim: &str) -> String {
    if claim.len() <= 60 { claim.to_owned() } else { format!("{}…", &claim[..59]) }
}

fn is_untouched(victim: &tempfile::TempDir) {
    assert_eq!(std::fs::read_to_string(victim.path().join("precious")).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(victim.path()).unwrap().count(), 2);
}

// promise: artifact.trust.1
#[test]
fn a_generation_that_is_none_is_not_served_and_removes_nothing() {
    for claim in ["../../etc", "/etc", "..", ".", "", "1763800000123-00c0ffee/..", "1763800000123-00c0ffee"] {
        let (site, victim, served) = published();
        let absolute = victim.path().join("1763800000123-00c0ffee");
        let claim = if claim == "/etc" { absolute.to_str().unwrap() } else { claim };
        edit(&site, &[("generation", json!(claim)), ("path", json!(victim.path()))]);
        let (mut session, told) = asked(&site);
        assert_eq!(told, "(unset)", "{claim}");
        session.wait_for(&format!("that the state file names ('{}') is not there", shown(claim)));
        assert_eq!((site.key("generation"), site.key("path")), (None, None), "{claim}");
        assert!(session.stop().success(), "{}", session.told());
        assert_eq!(site.entries(), [served], "{claim}");
        is_untouched(&victim);
    }
}

// promise: artifact.trust.1
#[test]
fn a_path_of_the_state_is_never_followed() {
    for path in [json!("/"), json!("../../etc"), json!(7), json!(null), json!({ "deep": "/etc" })] {
        let (site, victim, served) = published();
        edit(&site, &[("path", path.clone())]);
        let (mut session, told) = asked(&site);
        assert_eq!(told, site.own().join(&served).to_str().unwrap(), "{path}");
        assert_eq!(site.served(), served);
        assert!(session.stop().success(), "{}", session.told());
        is_untouched(&victim);
    }
}

// promise: artifact.trust.1
#[test]
fn a_rollback_that_is_none_is_not_served_and_removes_nothing() {
    let (site, victim, served) = published();
    let outside = victim.path().join("1763800000123-00c0ffee");
    edit(
        &site,
        &[
            ("switching_generation", json!("../../..")),
            ("rollback_generation", json!(outside)),
            ("rollback_path", json!(outside)),
        ],
    );
    let (mut session, told) = asked(&site);
    assert_eq!(told, "(unset)");
    session.wait_for("') is not there: none is served until it is published");
    // What it is switched to is not verified, says the state.
    wait::until("it is gone", || site.entries().is_empty().then_some(()));
    assert!(!site.own().join(&served).exists());
    assert!(session.stop().success(), "{}", session.told());
    is_untouched(&victim);
}

// promise: artifact.trust.2
#[test]
fn a_folder_that_became_a_link_is_neither_served_nor_followed() {
    let (site, victim, served) = published();
    std::fs::remove_dir_all(site.own().join(&served)).unwrap();
    symlink(victim.path(), site.own().join(&served)).unwrap();
    let (mut session, told) = asked(&site);
    assert_eq!(told, "(unset)");
    assert!(session.stop().success(), "{}", session.told());
    is_untouched(&victim);

    // The artifact's own folder.
    std::fs::remove_dir_all(site.own()).unwrap();
    std::fs::create_dir(victim.path().join("1763800000123-00c0ffee/inner")).unwrap();
    symlink(victim.path(), site.own()).unwrap();
    edit(&site, &[("generation", json!("1763800000123-00c0ffee"))]);
    let (mut session, told) = asked(&site);
    assert_eq!(told, "(unset)");
    session.wait_for("files of artifact site make trouble: cannot open the folder");
    site.project.file("content/page", "again");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("there is no folder to build in: cannot open the folder"), "{line}");
    assert!(session.stop().success(), "{}", session.told());
    is_untouched(&victim);
}

// promise: artifact.trust.2
#[test]
fn a_generation_that_became_a_link_while_it_was_served_is_nothing_to_go_back_to() {
    let site = Site::new().impatient();
    let victim = tempfile::tempdir().unwrap();
    std::fs::write(victim.path().join("generation"), "secret").unwrap();
    let mut session = site.project.run();
    session.wait_for("triggered with ");
    let served = site.served();
    std::fs::remove_dir_all(site.own().join(&served)).unwrap();
    symlink(victim.path(), site.own().join(&served)).unwrap();
    site.project.file("lie", "nobody knows");
    site.publish_again(&session);
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("there is no earlier generation, and its consumers are stopped"), "{line}");
    session.wait_for(&format!("the generation of artifact site that the state file names ('{served}') is not there"));
    assert_eq!((site.asks(), site.key("generation")), (None, None));
    assert!(session.stop().success(), "{}", session.told());
    assert_eq!(std::fs::read_to_string(victim.path().join("generation")).unwrap(), "secret");
}

// promise: artifact.trust.2
#[test]
fn a_build_that_puts_a_link_in_the_place_of_its_folder_is_not_served() {
    let (site, victim, served) = published();
    let exchange = format!(
        "rmdir \\\"$$DEVLOOP_ARTIFACT_CANDIDATE\\\"; ln -s '{}' \\\"$$DEVLOOP_ARTIFACT_CANDIDATE\\\"",
        victim.path().display()
    );
    site.configure(
        &format!("[hook.build]\ncommand = [\"sh\", \"-c\", \"{exchange}\"]\n"),
        "startup_workflows = [\"content\"]",
    );
    let mut session = site.project.run();
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("the build hook left no folder of its own where it was told to build"), "{line}");
    assert_eq!((site.served(), site.entries()), (served.clone(), vec![served]));
    assert!(session.stop().success(), "{}", session.told());
    is_untouched(&victim);
}

// promise: artifact.trust.2
#[test]
fn links_inside_a_generation_are_removed_and_not_followed() {
    let (site, victim, _) = published();
    let link = format!(
        "PUPPET build-artifact 12; ln -s '{}' \\\"$$DEVLOOP_ARTIFACT_CANDIDATE/out\\\"",
        victim.path().display()
    );
    site.configure(
        &format!("[hook.build]\ncommand = [\"sh\", \"-c\", \"{link}\"]\n"),
        "startup_workflows = [\"content\"]",
    );
    let mut session = site.project.run();
    for count in 1..=3 {
        session.wait_for_count("triggered with ", count);
        if count < 3 {
            site.publish_again(&session);
        }
    }
    wait::until("two are kept", || (site.entries().len() == 2).then_some(()));
    assert!(session.stop().success(), "{}", session.told());
    is_untouched(&victim);
}
