//! When a process counts as ready and as well.

use super::{place, project};
use e2e::wait;
use std::net::TcpListener;

const WAIT: &str = r#"
[watch.go]
paths = ["go"]
[workflow.go]
steps = [
  { action = "start_process", process = "web" },
  { action = "wait_for_process", process = "web" },
  { action = "log", message = "the wait is over" },
]
"#;

/// A project whose workflow `go` starts the process `web` and waits for it; `web` is written behind.
fn waiting_for(web: &str) -> e2e::Project {
    project(&format!("{WAIT}{web}"))
}

/// The address of a free port.
fn free_address() -> String {
    format!("127.0.0.1:{}", wait::free_port())
}

// promise: process.ready.1, process.ready.4
#[test]
fn a_wait_goes_on_when_an_http_probe_has_a_good_answer() {
    let address = free_address();
    let project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "serve-after-file", "{address}", "open", "hang"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}/health" }}
"#
    ));
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for("started process web");
    assert_eq!(session.count("the wait is over"), 0);
    project.file("open", "");
    session.wait_for("the wait is over");
    let lines = session.stderr_lines();
    let healthy = place(&lines, &format!("process web is healthy at http://{address}/health"));
    assert!(healthy < place(&lines, "the wait is over"), "{lines:#?}");
}

// promise: process.ready.1, process.ready.4
#[test]
fn an_answer_that_is_not_2xx_is_no_success_and_the_wait_fails_in_its_time() {
    let address = free_address();
    let project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "serve-status", "{address}", "503", "busy", "hang"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}/", interval_ms = 20, timeout_ms = 2000 }}
"#
    ));
    let mut session = project.run_watching();
    project.file("go", "");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("process 'web' did not become ready within 2 s") && line.contains("503"), "{line}");
    assert!(session.stop().success());
    assert_eq!(session.count("the wait is over"), 0);
}

// promise: process.ready.4
#[test]
fn an_expected_body_is_compared_whole_and_without_the_white_space_around_it() {
    let address = free_address();
    let project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "serve", "{address}", "body", "hang"]
autostart = false
[process.web.readiness]
kind = "http"
url = "http://{address}/"
expect_body = "all is well"
interval_ms = 5
timeout_ms = 30000
"#
    ));
    project.file("body", "all is well so far");
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for("started process web");
    // Until the server has given the wrong body a few times.
    wait::until("the wrong body was served", || (wait::get(&address, "/")? == "all is well so far").then_some(()));
    assert_eq!(session.count("the wait is over"), 0, "{}", session.told());
    std::fs::write(project.path("body.new"), " \n all is well\r\n\t").unwrap();
    std::fs::rename(project.path("body.new"), project.path("body")).unwrap();
    session.wait_for("the wait is over");
}

// promise: process.ready.1
#[test]
fn p17_a_probe_that_is_never_answered_fails_the_wait_in_its_time() {
    let address = free_address();
    let project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "accept-and-say-nothing", "{address}"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}/", interval_ms = 20, timeout_ms = 300 }}
"#
    ));
    let session = project.run_watching();
    project.file("go", "");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("process 'web' did not become ready within 300 ms"), "{line}");
}

// promise: process.ready.2
#[test]
fn p16_a_process_that_dies_ends_its_wait_at_once_with_its_exit_status() {
    let project = waiting_for(
        r#"
[process.web]
command = ["PUPPET", "exit", "7"]
autostart = false
readiness = { kind = "output", pattern = "never printed", timeout_ms = 600000 }
"#,
    );
    let session = project.run_watching();
    project.file("go", "");
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(line.contains("process 'web' exited with exit status 7"), "{line}");
}

// promise: process.ready.3
#[test]
fn a_wait_for_a_process_that_is_stopped_or_between_two_lives_fails() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[watch.other]
paths = ["other"]
[process.between]
command = ["PUPPET", "exit", "1"]
restart = "always"
restart_delay_ms = 600000
restart_delay_max_ms = 600000
[process.stopped]
command = ["PUPPET", "hang"]
autostart = false
[workflow.go]
steps = [{ action = "wait_for_process", process = "stopped" }]
[workflow.other]
steps = [{ action = "wait_for_process", process = "between" }]
"#,
    );
    let session = project.run_watching();
    session.wait_for("process between exited with exit status 1");
    project.file("go", "");
    session.wait_for("process 'stopped' is not running");
    project.file("other", "");
    session.wait_for("process 'between' is not running");
}

// promise: process.ready.5
#[test]
fn a_tcp_probe_succeeds_when_somebody_listens() {
    let address = free_address();
    let project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "serve-after-file", "{address}", "open", "hang"]
autostart = false
readiness = {{ kind = "tcp", address = "{address}" }}
"#
    ));
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for("started process web");
    assert_eq!(session.count("process web is ready"), 0);
    project.file("open", "");
    session.wait_for("process web is ready");
    session.wait_for("the wait is over");
}

// promise: process.ready.5
#[test]
fn an_exec_probe_succeeds_when_its_command_does() {
    let project = waiting_for(
        r#"
[process.web]
command = ["PUPPET", "hang"]
autostart = false
readiness = { kind = "exec", command = ["sh", "-c", "echo asked >> asked; test -e open"], interval_ms = 10 }
"#,
    );
    let session = project.run_watching();
    project.file("go", "");
    wait::lines(&project.path("asked"), 3);
    assert_eq!(session.count("the wait is over"), 0);
    project.file("open", "");
    session.wait_for("the wait is over");
}

// promise: process.ready.5
#[test]
fn an_output_probe_succeeds_with_the_line_wherever_and_however_it_is_printed() {
    let project = waiting_for(
        r#"
[process.web]
command = ["PUPPET", "print", "not listening yet", "await-file", "open", "eprint", "\u001b[32mlistening\u001b[0m on 8080", "hang"]
autostart = false
readiness = { kind = "output", pattern = "^listening on [0-9]+$" }
output = { inherit = false }
"#,
    );
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for("started process web");
    assert_eq!(session.count("the wait is over"), 0);
    project.file("open", "");
    session.wait_for("the wait is over");
}

// promise: process.ready.5
#[test]
fn a_state_key_probe_succeeds_when_the_key_holds_something() {
    let project = waiting_for(
        r#"
[process.web]
command = ["PUPPET", "print", "address: ", "await-file", "open", "print", "address: here", "hang"]
autostart = false
readiness = { kind = "state_key", key = "address" }
output = { rules = [{ state_key = "address", pattern = "^address: (.*)$" }] }
"#,
    );
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for_stdout("address: ");
    assert_eq!(session.count("the wait is over"), 0);
    project.file("open", "");
    session.wait_for("process web is ready via state key address");
    session.wait_for("the wait is over");
    wait::file(&project.state_file(), |text| text.contains("\"address\": \"here\""));
}

// promise: process.ready.5
#[test]
fn a_state_key_that_another_workflow_writes_wakes_the_wait() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[watch.write]
paths = ["write"]
[process.tunnel]
command = ["PUPPET", "hang"]
readiness = { kind = "state_key", key = "address", timeout_ms = 600000, interval_ms = 600000 }
[workflow.go]
steps = [{ action = "wait_for_process", process = "tunnel" }, { action = "log", message = "the wait is over" }]
[workflow.write]
steps = [{ action = "write_state", key = "address", value = "here" }]
"#,
    );
    let session = project.run_watching();
    session.wait_for("started process tunnel");
    project.file("go", "");
    session.wait_for("running workflow go");
    project.file("write", "");
    session.wait_for("process tunnel is ready via state key address");
    session.wait_for("the wait is over");
}

// promise: process.ready.6
#[test]
fn an_http_probe_uses_no_proxy() {
    let address = free_address();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let mut project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "serve", "{address}", "ok", "hang"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}/" }}
"#
    ));
    let url = format!("http://{}", proxy.local_addr().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        project.variable(name, &url);
    }
    let session = project.run_watching();
    project.file("go", "");
    session.wait_for("the wait is over");
    assert!(proxy.accept().is_err(), "somebody asked the proxy");
}

/// What the wait for a server that redirects says: the server itself is at the address, `/N` has N redirects before it.
fn redirected(path: &str, away: &str) -> (String, bool) {
    let address = free_address();
    let project = waiting_for(&format!(
        r#"
[process.web]
command = ["PUPPET", "redirect", "{address}", "{away}"]
autostart = false
readiness = {{ kind = "http", url = "http://{address}{path}", interval_ms = 20, timeout_ms = 3000 }}
"#
    ));
    let session = project.run_watching();
    project.file("go", "");
    let over = wait::until("the wait has an end", || {
        if session.count("the wait is over") > 0 {
            Some(true)
        } else {
            (session.count("workflow failed") > 0).then_some(false)
        }
    });
    (session.told(), over)
}

// promise: process.ready.6
#[test]
fn an_http_probe_follows_ten_redirects_and_no_more() {
    let (told, is_ready) = redirected("/10", "/0");
    assert!(is_ready, "{told}");
    let (told, is_ready) = redirected("/11", "/0");
    assert!(!is_ready, "{told}");
    assert!(told.contains("redirect"), "{told}");
}

// promise: process.ready.6
#[test]
fn an_http_probe_is_redirected_to_this_machine_only() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let answering = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            use std::io::{Read as _, Write as _};
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    let (told, is_ready) = redirected("/away", &format!("http://{answering}/somewhere"));
    assert!(is_ready, "{told}");
    // TEST-NET-1 (RFC 5737): nobody is there, and nobody may be asked.
    let (told, is_ready) = redirected("/away", "http://192.0.2.1/");
    assert!(!is_ready, "{told}");
    assert!(told.contains("192.0.2.1"), "{told}");
}

// promise: process.live.1
#[test]
fn a_process_that_is_no_longer_well_is_restarted_unless_its_policy_is_never() {
    let project = project(
        r#"
[process.kept]
command = ["PUPPET", "append", "kept", "life", "print", "kept is up", "hang"]
restart = "never"
readiness = { kind = "output", pattern = "kept is up" }
liveness = { kind = "exec", command = ["test", "-e", "well"], interval_ms = 10, timeout_ms = 1500 }
[process.renewed]
command = ["PUPPET", "append", "renewed", "life", "print", "renewed is up", "hang"]
restart = "on_failure"
restart_delay_ms = 1
readiness = { kind = "output", pattern = "renewed is up" }
liveness = { kind = "exec", command = ["test", "-e", "well"], interval_ms = 10, timeout_ms = 1500 }
"#,
    );
    project.file("well", "");
    let mut session = project.run();
    session.wait_for("process kept is ready");
    session.wait_for("process renewed is ready");
    assert_eq!(session.count("is not well"), 0, "{}", session.told());
    std::fs::remove_file(project.path("well")).unwrap();
    session.wait_for("process kept is not well");
    session.wait_for("process renewed is not well");
    session.wait_for_count("started process renewed", 2);
    wait::lines(&project.path("renewed"), 2);
    assert!(session.stop().success());
    assert_eq!(wait::lines(&project.path("kept"), 1).len(), 1);
}

// promise: process.live.1
#[test]
fn liveness_is_asked_only_once_a_process_is_ready() {
    let project = project(
        r#"
[process.slow]
command = ["PUPPET", "append", "lives", "life", "await-file", "open", "print", "up", "hang"]
restart = "always"
readiness = { kind = "output", pattern = "up" }
liveness = { kind = "exec", command = ["sh", "-c", "echo asked >> asked; test -e open"], interval_ms = 5, timeout_ms = 5000 }
[process.beat]
command = ["PUPPET", "hang"]
readiness = { kind = "exec", command = ["sh", "-c", "echo asked >> beat; false"], interval_ms = 5 }
"#,
    );
    let session = project.run();
    session.wait_for("started process slow");
    // Others are asked meanwhile, so time does pass.
    wait::lines(&project.path("beat"), 20);
    assert!(!project.path("asked").exists());
    project.file("open", "");
    session.wait_for("process slow is ready");
    wait::lines(&project.path("asked"), 3);
    assert_eq!(session.count("is not well"), 0, "{}", session.told());
    assert_eq!(wait::lines(&project.path("lives"), 1).len(), 1);
}
