//! Values found in lines.

use super::project;
use e2e::{Stray, wait};
use serde_json::Value;

/// Waits until the state of a project has this value.
fn wait_for_state(project: &e2e::Project, key: &str, value: &str) {
    wait::file(&project.state_file(), |text| {
        serde_json::from_str::<Value>(text).is_ok_and(|state| state[key] == value)
    });
}

// promise: output.rule.1
#[test]
fn a_rule_writes_what_it_finds_in_any_line_into_the_state() {
    let project = project(
        r#"
[process.shown]
command = ["PUPPET", "print", "see \u001b[1mport\u001b[0m 8080 here", "hang"]
output = { rules = [{ state_key = "shown", pattern = "port ([0-9]+)" }] }
[process.hidden]
command = ["PUPPET", "eprint", "port 8081", "hang"]
output = { inherit = false, rules = [{ state_key = "hidden", extract = "regex", pattern = "^port ([0-9])([0-9]+)$", capture_group = 2 }] }
[process.whole]
command = ["PUPPET", "print", "port 1", "print", "port 8082", "hang"]
output = { rules = [{ state_key = "whole", pattern = "port [0-9]+", capture_group = 0 }] }
"#,
    );
    let session = project.run();
    wait_for_state(&project, "shown", "8080");
    wait_for_state(&project, "hidden", "081");
    wait_for_state(&project, "whole", "port 8082");
    drop(session);
}

// promise: output.rule.1
#[test]
fn a_rule_looks_at_the_last_line_though_it_has_no_end() {
    // The key is emptied with the end of the process: that it had a value shows in the readiness alone.
    let project = project(
        r#"
[process.server]
command = ["PUPPET", "partial", "port 8083"]
readiness = { kind = "state_key", key = "port" }
output = { rules = [{ state_key = "port", pattern = "port ([0-9]+)" }] }
"#,
    );
    let session = project.run();
    session.wait_for("process server exited with exit status 0");
    assert_eq!(session.count("process server is ready via state key port"), 1, "{}", session.told());
    wait_for_state(&project, "port", "");
}

// promise: output.rule.2
#[test]
fn a_tunnel_address_is_found_by_its_host() {
    let project = project(
        r#"
[process.tunnel]
command = ["PUPPET", "print", "https://api.trycloudflare.com/tunnel https://trycloudflare.com https://evil.example/x.trycloudflare.com http://plain.trycloudflare.com https://a.trycloudflare.com.evil.example/", "print", "|  https://two-words.trycloudflare.com  |", "hang"]
output = { rules = [{ state_key = "url", extract = "url_token" }] }
"#,
    );
    let session = project.run();
    session.wait_for_stdout("two-words");
    wait_for_state(&project, "url", "https://two-words.trycloudflare.com");
}

// promise: output.rule.3
#[test]
fn the_key_of_a_rule_is_empty_before_each_start_and_after_each_end() {
    let project = project(
        r#"
[process.server]
command = ["sh", "-c", '''
cp "$DEVLOOP_STATE" "seen.$$$$"
echo "seen.$$$$" >> lives
echo port 8080
while [ ! -e "end.$(wc -l < lives)" ]; do sleep 0.01; done
''']
restart = "never"
output = { rules = [{ state_key = "port", pattern = "port ([0-9]+)" }] }
[watch.again]
paths = ["again"]
[workflow.again]
steps = [{ action = "start_process", process = "server" }]
"#,
    );
    project.file(".devloop/state.json", "{\"port\": \"of yesterday\"}");
    let session = project.run_watching();
    for life in 1..=2 {
        let seen = &wait::lines(&project.path("lives"), life)[life - 1];
        let seen: Value = serde_json::from_str(&wait::file(&project.path(seen), |text| !text.is_empty())).unwrap();
        assert_eq!(seen["port"], "", "life {life}");
        wait_for_state(&project, "port", "8080");
        project.file(&format!("end.{life}"), "");
        session.wait_for_count("process server exited with exit status 0", life);
        wait_for_state(&project, "port", "");
        project.file("again", &life.to_string());
    }
}

// promise: output.rule.3
#[test]
fn late_output_of_an_earlier_life_changes_nothing() {
    let project = project(
        r#"
[watch.go]
paths = ["go"]
[process.server]
command = ["sh", "-c", '''
if [ -e first ]; then
  echo port 2
  while [ ! -e finish ]; do sleep 0.01; done
  echo mark set
  exec sleep 1000
fi
touch first
exec PUPPET late-daemon daemon.pid late "port 1" hang
''']
contain = "group"
output = { rules = [{ state_key = "port", pattern = "port ([0-9]+)" }, { state_key = "mark", pattern = "mark (set)" }] }
[workflow.go]
steps = [{ action = "restart_process", process = "server" }]
"#,
    );
    let session = project.run_watching();
    let daemon = Stray::in_file(&project.path("daemon.pid"));
    project.file("go", "");
    wait_for_state(&project, "port", "2");
    project.file("late", "");
    wait::gone(daemon.pid());
    project.file("finish", "");
    wait_for_state(&project, "mark", "set");
    assert_eq!(project.state()["port"], "2", "{}", session.told());
}
