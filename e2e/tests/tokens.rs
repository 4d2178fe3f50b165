//! Tokens: one test a row of SECURITY.md, named by it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::web::{Posting, eventually};
use e2e::{Project, programs, wait};
use std::path::Path;
use std::time::{Duration, Instant};

const TOKEN_BYTES: usize = 52;

fn token(path: &Path) -> String {
    wait::file(path, |text| text.len() == TOKEN_BYTES || text == "(unset)")
}

fn posted(posting: &Posting, token: &str, event: &str, value: &str) -> u16 {
    let body = format!("{{\"value\":\"{value}\"}}");
    let request = format!(
        "POST /events/{event} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    posting.ask(&request).status
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn k1_a_token_is_in_no_argument_list() {
    let posting = Posting::with(
        programs!(),
        "\n[process.argued]\ncommand = [\"PUPPET\", \"write-pid\", \"ROOT/argued.pid\", \"append\", \"ROOT/argued\", \"$DEVLOOP_EVENTS_TOKEN\", \"hang\"]\n",
    );
    let pid = wait::pid(&posting.project.path("argued.pid"));
    for pid in [pid, posting.session.pid()] {
        let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(!arguments.contains("dlt_"), "{arguments}");
    }
    let argued = wait::file(&posting.project.path("argued"), |text| !text.is_empty());
    assert_eq!(argued, "$DEVLOOP_EVENTS_TOKEN\n", "a variable of devloop's stays as it is");
}

#[test]
fn k2_devloop_never_tells_a_token_at_any_level() {
    let mut project = Project::new(programs!());
    project.variable("RUST_LOG", "trace");
    project.config(e2e::web::CONFIG);
    let mut posting = Posting::run(project);
    let token = posting.token.clone();
    posting.post("slug", "a");
    posting.post("slug", "BAD");
    posting.ask("POST /events/slug?token=TOKEN HTTP/1.1\r\nHost: HOST\r\nCookie: TOKEN\r\n\r\n");
    posting.ask("POST /TOKEN HTTP/1.1\r\nHost: TOKEN\r\nAuthorization: Basic TOKEN\r\n\r\n");
    posting.session.stop();
    assert!(!posting.session.told().contains(&token));
    let mut found = Vec::new();
    files(&posting.project.path(".devloop"), &mut found);
    for (path, bytes) in found {
        assert!(!String::from_utf8_lossy(&bytes).contains("dlt_"), "{path}");
    }
}

#[test]
fn k3_a_token_that_a_child_prints_is_shown_logged_and_captured_as_stars() {
    let project = Project::new(programs!());
    project.config(
        r#"
startup_workflows = ["begin"]
[event.e]
state_key = "e"
workflow = "begin"
[workflow.begin]
steps = [
  { action = "run_hook", hook = "text" },
  { action = "run_hook", hook = "loud" },
  { action = "log", message = "captured {{text}} and {{rule}}." },
]
[hook.text]
command = ["PUPPET", "print-env", "DEVLOOP_EVENTS_TOKEN"]
capture = "text"
state_key = "text"
[hook.loud]
command = ["PUPPET", "print", "ready"]
[process.chatty]
command = ["PUPPET", "print-env", "DEVLOOP_EVENTS_TOKEN", "print-env", "DEVLOOP_EVENTS_BASE_URL", "hang"]
output = { rules = [{ state_key = "rule", pattern = "^(.+)$" }] }
"#,
    );
    let mut session = project.run();
    session.wait_for("captured *** and ");
    session.wait_for_stdout("puppet chatty] ***");
    session.wait_for_stdout("puppet text] ***");
    session.stop();
    assert!(!session.told().contains("dlt_"));
    let mut found = Vec::new();
    files(&project.path(".devloop"), &mut found);
    for (path, bytes) in found {
        assert!(!String::from_utf8_lossy(&bytes).contains("dlt_"), "{path}");
    }
}

#[test]
fn k4_another_user_cannot_read_a_childs_environment() {
    use std::os::unix::fs::PermissionsExt as _;
    let posting = Posting::start(programs!());
    let pid = wait::pid(&posting.project.path("client.pid"));
    let mode = std::fs::metadata(format!("/proc/{pid}/environ")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o400);
}

#[test]
fn k5_no_token_is_in_the_state_or_in_a_template() {
    let posting = Posting::with(
        programs!(),
        "\n[event.t]\nstate_key = \"t\"\nworkflow = \"t\"\n[workflow.t]\nsteps = [{ action = \"log\", message = \"token<{{DEVLOOP_EVENTS_TOKEN}}>\" }]\n",
    );
    assert_eq!(posting.post("t", "x").status, 204);
    posting.session.wait_for("token<>");
    // What a child posts is data like what it prints.
    assert_eq!(posting.post("t", &format!("mine is {}.", posting.token)).status, 204);
    let state = std::fs::read_to_string(posting.project.state_file()).unwrap();
    assert!(state.contains("mine is ***."), "{state}");
    assert!(!std::fs::read_to_string(posting.project.state_file()).unwrap().contains("dlt_"));
}

// promise: event.grant.1
#[test]
fn k6_a_child_may_post_what_it_was_granted_and_nothing_else() {
    let posting = Posting::with(
        programs!(),
        r#"
[process.narrow]
events = ["free"]
command = ["PUPPET", "write-env", "DEVLOOP_EVENT_SLUG_URL", "ROOT/narrow.slug", "write-env", "DEVLOOP_EVENT_FREE_URL", "ROOT/narrow.free", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/narrow.token", "hang"]
[process.none]
events = []
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_BASE_URL", "ROOT/none.url", "write-env", "DEVLOOP_EVENT_FREE_URL", "ROOT/none.free", "write-env", "NO_PROXY", "ROOT/none.proxy", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/none.token", "hang"]
"#,
    );
    let path = |name: &str| posting.project.path(name);
    let narrow = token(&path("narrow.token"));
    assert_eq!(posted(&posting, &narrow, "free", "x"), 204);
    assert_eq!(posted(&posting, &narrow, "slug", "x"), 404, "as for a name that does not exist");
    assert_eq!(posted(&posting, &narrow, "unknown", "x"), 404);
    assert_eq!(std::fs::read_to_string(path("narrow.slug")).unwrap(), "(unset)");
    assert_eq!(
        std::fs::read_to_string(path("narrow.free")).unwrap(),
        format!("http://{}/events/free", posting.address)
    );
    assert_eq!(token(&path("none.token")), "(unset)");
    for name in ["none.url", "none.free", "none.proxy"] {
        assert_eq!(std::fs::read_to_string(path(name)).unwrap(), "(unset)", "{name}");
    }
}

#[test]
fn k7_a_token_dies_with_its_child_and_the_next_start_has_another() {
    let posting = Posting::with(
        programs!(),
        r#"
[process.brief]
restart = "always"
restart_delay_ms = 50
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/brief.token", "await-file", "ROOT/go", "exit", "0"]
[event.hooked]
state_key = "hooked"
workflow = "hooked"
[workflow.hooked]
steps = [{ action = "run_hook", hook = "once" }]
[hook.once]
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/once.token"]
"#,
    );
    let first = token(&posting.project.path("brief.token"));
    assert_eq!(posted(&posting, &first, "free", "1"), 204);
    posting.project.file("go", "");
    posting.session.wait_for("process brief exited with");
    assert_eq!(posted(&posting, &first, "free", "2"), 401);
    let second = wait::file(&posting.project.path("brief.token"), |text| text.len() == TOKEN_BYTES && text != first);
    assert_ne!(first, second);
    assert_eq!(posting.post("hooked", "x").status, 204);
    let hook = token(&posting.project.path("once.token"));
    let began = Instant::now();
    eventually("the hook's token is dead", || posted(&posting, &hook, "free", "3") == 401);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn k8_what_an_outer_devloop_gave_is_not_handed_on() {
    let mut project = Project::new(programs!());
    for name in
        ["DEVLOOP_EVENTS_TOKEN", "DEVLOOP_EVENTS_BASE_URL", "DEVLOOP_EVENT_FREE_URL", "DEVLOOP_BROWSER_EVENTS_URL"]
    {
        project.variable(name, "outer");
    }
    project.config(
        r#"
[process.inner]
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/a", "write-env", "DEVLOOP_EVENTS_BASE_URL", "ROOT/b", "write-env", "DEVLOOP_EVENT_FREE_URL", "ROOT/c", "write-env", "DEVLOOP_BROWSER_EVENTS_URL", "ROOT/d", "write-pid", "ROOT/pid", "hang"]
"#,
    );
    let _session = project.run();
    wait::pid(&project.path("pid"));
    for name in ["a", "b", "c", "d"] {
        assert_eq!(std::fs::read_to_string(project.path(name)).unwrap(), "(unset)");
    }
}

#[test]
fn k9_no_token_is_used_again() {
    let mut posting = Posting::start(programs!());
    let mut tokens = vec![posting.token.clone()];
    for _ in 0..2 {
        posting.session.stop();
        posting = Posting::run(posting.project);
        for old in &tokens {
            assert_eq!(posted(&posting, old, "free", "x"), 401);
        }
        tokens.push(posting.token.clone());
    }
}

#[test]
fn k10_tokens_have_at_least_128_bits() {
    let posting = Posting::start(programs!());
    let digits = posting.token.strip_prefix("dlt_").unwrap();
    assert!(digits.len() * 4 >= 128 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digits}");
    let distinct: std::collections::BTreeSet<u8> = digits.bytes().collect();
    assert!(distinct.len() > 4, "{digits}");
}

#[test]
fn k11_nothing_is_ever_redirected() {
    let posting = Posting::start(programs!());
    for target in ["/", "/events", "/events/slug/", "/events/..", "//x", "/index.html"] {
        for authorization in ["", "Authorization: Bearer TOKEN\r\n"] {
            let answer = posting.ask(&format!("GET {target} HTTP/1.1\r\nHost: HOST\r\n{authorization}\r\n"));
            assert!((400..500).contains(&answer.status) && answer.field("location").is_none(), "{answer:?}");
        }
    }
}

#[test]
fn k12_what_a_child_starts_inherits_its_token_and_the_docs_say_so() {
    let posting = Posting::with(
        programs!(),
        "\n[process.parent]\nevents = [\"free\"]\ncommand = [\"sh\", \"-c\", \"'PUPPET' write-env DEVLOOP_EVENTS_TOKEN ROOT/grandchild.token; env -u DEVLOOP_EVENTS_TOKEN 'PUPPET' write-env DEVLOOP_EVENTS_TOKEN ROOT/without.token; exec 'PUPPET' hang\"]\n",
    );
    let inherited = token(&posting.project.path("grandchild.token"));
    assert_eq!(posted(&posting, &inherited, "free", "x"), 204);
    assert_eq!(posted(&posting, &inherited, "slug", "x"), 404, "it is worth what its parent was granted");
    assert_eq!(token(&posting.project.path("without.token")), "(unset)", "the docs' way to keep it back");
    let docs = posting.project.call(&["docs", "security"]);
    let docs = String::from_utf8(docs.stdout).unwrap();
    for words in ["Descendants inherit", "sudo -E", "docker run -e", "SendEnv", "env -u DEVLOOP_EVENTS_TOKEN"] {
        assert!(docs.contains(words), "{words} is not in\n{docs}");
    }
}

#[test]
fn k13_events_that_would_share_a_variable_are_refused() {
    for (one, two) in [("a-b", "a_b"), ("Ab", "aB")] {
        let project = Project::new(programs!());
        let event = |name: &str, key: &str| format!("[event.{name}]\nstate_key = \"{key}\"\nworkflow = \"w\"\n");
        project.config(&format!("{}{}[workflow.w]\nsteps = []\n", event(one, "1"), event(two, "2")));
        let output = project.call(&["validate"]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("have the same variable DEVLOOP_EVENT_A"), "{told}");
    }
}

#[test]
fn the_audit_log_names_who_posted_and_not_what() {
    use std::os::unix::fs::PermissionsExt as _;
    let posting = Posting::start(programs!());
    assert_eq!(posting.post("slug", "some-thing").status, 204);
    assert_eq!(posting.post("slug", "REFUSED").status, 400);
    eventually("both are in the audit log", || posting.audit().len() == 2);
    let lines = posting.audit();
    let pid = wait::pid(&posting.project.path("client.pid"));
    assert_eq!(lines[0]["verdict"], "accepted");
    assert_eq!(lines[0]["event"], "slug");
    assert_eq!(lines[0]["who"], "process client #1");
    assert_eq!(lines[0]["pid"], pid);
    assert_eq!(lines[0]["length"], 10);
    assert_eq!(lines[0]["sha256"], "5c676de3508ea29f64b6647af45b270a24ec611c6ecb5c0cc98d97b297548cf9");
    assert!(lines[0]["run"].is_string() && lines[0]["time"].is_string());
    assert_eq!((&lines[1]["verdict"], &lines[1]["status"]), (&"refused".into(), &400.into()));
    let path = posting.project.path(".devloop/events.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("some-thing") && !text.contains("REFUSED") && !text.contains("dlt_"));
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
