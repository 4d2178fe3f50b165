//! Processes that are to listen where somebody listens already.

use super::project;
use e2e::wait;
use std::net::TcpListener;

/// Somebody else's server, and the text that names its address.
fn stranger() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

// promise: process.address.1, process.address.2
#[test]
fn a_taken_address_of_an_autostarted_process_ends_the_session_and_is_said_once() {
    let (_stranger, address) = stranger();
    let project = project(&format!(
        r#"
[process.other]
command = ["PUPPET", "write-pid", "other.pid", "hang"]
[process.server]
command = ["PUPPET", "append", "lives", "life", "hang"]
restart = "always"
readiness = {{ kind = "http", url = "http://{address}/" }}
"#
    ));
    let mut session = project.run();
    assert_eq!(session.wait().code(), Some(1), "{}", session.told());
    let said = format!("process 'server' cannot start: address {address} is already in use");
    assert_eq!(session.count(&said), 1, "{}", session.told());
    assert!(session.log().contains(&said));
    assert!(!project.path("lives").exists());
    wait::nothing_left(&project.root());
}

// promise: process.address.1
#[test]
fn a_taken_address_of_a_tcp_readiness_is_no_readiness_either() {
    let (_stranger, address) = stranger();
    let project = project(&format!(
        "[process.server]\ncommand = [\"PUPPET\", \"append\", \"lives\", \"life\", \"hang\"]\n\
         readiness = {{ kind = \"tcp\", address = \"{address}\" }}\n"
    ));
    let mut session = project.run();
    assert_eq!(session.wait().code(), Some(1), "{}", session.told());
    let said = format!("process 'server' cannot start: address {address} is already in use");
    assert_eq!(session.count(&said), 1, "{}", session.told());
    assert!(!project.path("lives").exists());
}

// promise: process.address.1, process.address.2
#[test]
fn a_taken_address_in_a_startup_workflow_ends_the_session_and_is_said_once() {
    let (_stranger, address) = stranger();
    let project = project(&format!(
        r#"
startup_workflows = ["startup"]
[process.server]
command = ["PUPPET", "append", "lives", "life", "hang"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}/" }}
[workflow.startup]
steps = [
  {{ action = "start_process", process = "server" }},
  {{ action = "wait_for_process", process = "server" }},
]
"#
    ));
    let mut session = project.run();
    assert_eq!(session.wait().code(), Some(1), "{}", session.told());
    let said = format!("process 'server' cannot start: address {address} is already in use");
    assert_eq!(session.count(&said), 1, "{}", session.told());
    assert!(!project.path("lives").exists());
}

// promise: process.address.1, process.address.2
#[test]
fn an_address_that_is_taken_later_fails_the_workflow_and_is_said_once() {
    let (stranger, address) = stranger();
    let project = project(&format!(
        r#"
[watch.go]
paths = ["go"]
[process.server]
command = ["PUPPET", "serve", "{address}", "ours", "hang"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}/" }}
[workflow.go]
steps = [
  {{ action = "start_process", process = "server" }},
  {{ action = "wait_for_process", process = "server" }},
  {{ action = "log", message = "the server is up" }},
]
"#
    ));
    let mut session = project.run_watching();
    project.file("go", "1");
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    drop(stranger);
    project.file("go", "2");
    session.wait_for("the server is up");
    assert_eq!(wait::get(&address, "/").unwrap(), "ours");
    assert!(session.stop().success());
    let said = format!("process 'server' cannot start: address {address} is already in use");
    assert_eq!(session.count(&said), 1, "{}", session.told());
}

#[test]
fn an_address_that_another_process_of_the_plan_owns_is_no_conflict() {
    let port = wait::free_port();
    let project = project(&format!(
        r#"
[watch.go]
paths = ["go"]
[process.proxy]
command = ["PUPPET", "serve", "127.0.0.1:{port}", "the proxy", "hang"]
readiness = {{ kind = "http", url = "http://127.0.0.1:{port}/proxy" }}
[process.site]
command = ["PUPPET", "hang"]
autostart = false
readiness = {{ kind = "http", url = "http://127.0.0.1:{port}/site" }}
[workflow.go]
steps = [
  {{ action = "start_process", process = "site" }},
  {{ action = "wait_for_process", process = "site" }},
  {{ action = "log", message = "the site is up" }},
]
"#
    ));
    let session = project.run_watching();
    session.wait_for("process proxy is healthy");
    project.file("go", "");
    session.wait_for("the site is up");
    assert_eq!(session.count("already in use"), 0, "{}", session.told());
}

// promise: process.stop.2
#[test]
fn a_server_is_restarted_on_its_own_port_again_and_again() {
    let address = format!("127.0.0.1:{}", wait::free_port());
    let project = project(&format!(
        r#"
debounce_ms = 0
[watch.go]
paths = ["go"]
[process.server]
command = ["PUPPET", "append", "lives", "life", "serve", "{address}", "ok", "hang"]
readiness = {{ kind = "http", url = "http://{address}/" }}
[workflow.go]
steps = [
  {{ action = "restart_process", process = "server" }},
  {{ action = "wait_for_process", process = "server" }},
  {{ action = "log", message = "up again" }},
]
"#
    ));
    let mut session = project.run_watching();
    session.wait_for("process server is healthy");
    for round in 1..=20 {
        project.file("go.part", &round.to_string());
        std::fs::rename(project.path("go.part"), project.path("go")).unwrap();
        session.wait_for_count("up again", round);
    }
    assert!(session.stop().success());
    assert_eq!(session.count("already in use"), 0, "{}", session.told());
    assert_eq!(session.count("workflow failed"), 0, "{}", session.told());
    assert_eq!(wait::lines(&project.path("lives"), 21).len(), 21);
}
