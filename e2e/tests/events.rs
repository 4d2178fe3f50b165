//! External events from the client's side: what a 204 means, and what happens when clients race, leave, or come late.

use e2e::programs;
use e2e::web::{Posting, Wire, eventually};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

// promise: event.commit.1, event.run.1
#[test]
fn a_204_means_that_the_file_has_the_value_and_the_workflow_runs() {
    let posting = Posting::start(programs!());
    for number in 0..50 {
        let value = format!("posts/{number}");
        assert_eq!(posting.post("slug", &value).status, 204);
        assert_eq!(posting.state_of("slug"), Some(value));
    }
    posting.session.wait_for("slug is posts/49");
}

#[test]
fn the_session_tells_where_it_listens_before_it_watches() {
    let posting = Posting::start(programs!());
    let lines = posting.session.stderr_lines();
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    let told = at(&format!("listening for external events at http://{}", posting.address));
    assert!(told < at("watching ") && told < at("started process client"));
}

#[test]
fn an_address_that_is_taken_ends_the_start_and_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let project = e2e::Project::new(programs!());
    project.config(&format!("[event_server]\nbind = \"{address}\"\n[event.e]\nstate_key = \"e\"\nworkflow = \"w\"\n[workflow.w]\nsteps = []\n[process.p]\ncommand = [\"PUPPET\", \"append\", \"ROOT/ran\", \"x\"]\n"));
    let output = project.call(&["run"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("devloop run failed") && told.contains(&address) && told.contains("event_server"), "{told}");
    assert!(!project.path("ran").exists());
}

#[test]
fn e1_of_many_posts_over_16_connections_none_is_lost() {
    const CONNECTIONS: usize = 16;
    const POSTS: usize = 200;
    let posting = Posting::start(programs!());
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let posting = &posting;
            scope.spawn(move || {
                let mut wire = Wire::open(&posting.address);
                for number in 0..POSTS {
                    let value = format!("{connection}-{number}");
                    assert_eq!(wire.send(&posting.posting("free", &value)).answer().status, 204);
                }
            });
        }
    });
    eventually("every post is in the audit log", || posting.audit().len() == CONNECTIONS * POSTS);
    let audit = posting.audit();
    assert!(audit.iter().all(|line| line["status"] == 204));
    let last = posting.state_of("free").unwrap();
    assert!(last.ends_with(&format!("-{}", POSTS - 1)), "the last committed value is of a client's last post: {last}");
    assert!(posting.memory_kib() < 64 * 1024, "{} KiB", posting.memory_kib());
}

// promise: event.run.2
#[test]
fn e2_posts_to_a_slow_workflow_are_few_runs_and_the_last_sees_the_last_value() {
    const HOOK: Duration = Duration::from_millis(300);
    let posting = Posting::with(
        programs!(),
        r#"
[event.slow]
state_key = "slow"
workflow = "slow"
[workflow.slow]
steps = [{ action = "run_hook", hook = "slow" }, { action = "log", message = "saw {{slow}}." }]
[hook.slow]
command = ["PUPPET", "sleep", "300"]
"#,
    );
    let began = std::time::Instant::now();
    for number in 0..200 {
        assert_eq!(posting.post("slow", &number.to_string()).status, 204);
        std::thread::sleep(Duration::from_millis(5));
    }
    let lasted = began.elapsed();
    posting.session.wait_for("saw 199.");
    let runs = posting.session.count("saw ");
    let most = usize::try_from(lasted.as_millis() / HOOK.as_millis()).unwrap() + 2;
    assert!(runs <= most, "{runs} runs in {lasted:?}");
    let lines = posting.session.stderr_lines();
    assert!(lines.iter().rfind(|line| line.contains("saw ")).unwrap().ends_with("saw 199."));
}

// promise: event.drain.1
#[test]
fn e3_a_post_during_the_end_is_204_with_effect_or_503_or_cut_off() {
    let mut posting = Posting::with(
        programs!(),
        "\n[process.slow]\nstop_timeout_ms = 700\ncommand = [\"PUPPET\", \"ignore-term\", \"write-env\", \"DEVLOOP_EVENTS_TOKEN\", \"ROOT/slow.token\", \"write-pid\", \"ROOT/slow.pid\", \"hang\"]\n",
    );
    e2e::wait::pid(&posting.project.path("slow.pid"));
    // The token of a child that is there to the end: it takes its time to stop.
    posting.token = std::fs::read_to_string(posting.project.path("slow.token")).unwrap();
    posting.assert_alive();
    let (address, requests): (String, Vec<Vec<u8>>) =
        (posting.address.clone(), (0..20_000).map(|number| posting.posting("free", &number.to_string())).collect());
    let client = std::thread::spawn(move || {
        let mut accepted = None;
        let mut statuses = std::collections::BTreeSet::new();
        for (number, request) in requests.iter().enumerate() {
            let Ok(stream) = TcpStream::connect(&address) else { break };
            drop(stream);
            let status = e2e::web::ask(&address, request).status;
            statuses.insert(status);
            if status == 204 {
                accepted = Some(number);
            }
            std::thread::sleep(Duration::from_millis(1));
            if status == 0 {
                break;
            }
        }
        (accepted, statuses)
    });
    eventually("posts are being accepted", || posting.state_of("free").is_some());
    let status = posting.session.stop();
    assert!(status.success());
    let (accepted, statuses) = client.join().unwrap();
    assert!(statuses.contains(&503), "{statuses:?}");
    // When the child is gone at last, so is its token.
    assert!(statuses.iter().all(|status| [0, 204, 401, 429, 503].contains(status)), "{statuses:?}");
    assert_eq!(posting.state_of("free"), accepted.map(|number| number.to_string()), "never a 204 without effect");
}

#[test]
fn e4_clients_that_race_with_one_value_give_one_run() {
    let posting = Posting::start(programs!());
    posting.assert_alive();
    for round in 0..30 {
        let value = format!("race/{round}");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(posting.post("slug", &value).status, 204));
            }
        });
        let shown = format!("slug is {value}");
        posting.session.wait_for(&shown);
    }
    assert_eq!(posting.post("slug", "end").status, 204);
    posting.session.wait_for("slug is end");
    for round in 0..30 {
        let lines = posting.session.stderr_lines();
        let shown = format!("slug is race/{round}");
        assert_eq!(lines.iter().filter(|line| line.ends_with(&shown)).count(), 1, "{shown}");
    }
}

#[test]
fn e5_a_client_that_leaves_is_not_half_accepted() {
    let posting = Posting::start(programs!());
    let request = posting.posting("free", "partial-value");
    for cut in (1..request.len()).step_by(7) {
        let mut stream = TcpStream::connect(&posting.address).unwrap();
        stream.write_all(&request[..cut]).unwrap();
    }
    posting.assert_alive();
    assert_eq!(posting.state_of("free"), None);
    // Before the response: accepted, and in the audit log.
    let mut stream = TcpStream::connect(&posting.address).unwrap();
    stream.write_all(&request).unwrap();
    drop(stream);
    eventually("it is accepted", || posting.state_of("free").as_deref() == Some("partial-value"));
    eventually("and logged", || posting.audit().iter().any(|line| line["event"] == "free" && line["status"] == 204));
}

#[test]
fn e6_half_open_sockets_delay_nobody() {
    let posting = Posting::start(programs!());
    let _held: Vec<TcpStream> = (0..500).filter_map(|_| TcpStream::connect(&posting.address).ok()).collect();
    let began = std::time::Instant::now();
    posting.assert_alive();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_hook_posts_with_its_own_token_and_is_named() {
    let posting = Posting::with(
        programs!(),
        r#"
[event.ask]
state_key = "ask"
workflow = "ask"
[workflow.ask]
steps = [{ action = "run_hook", hook = "teller" }]
[hook.teller]
events = ["slug"]
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/teller.token", "write-pid", "ROOT/teller.pid", "await-file", "ROOT/told"]
"#,
    );
    assert_eq!(posting.post("ask", "now").status, 204);
    let pid = e2e::wait::pid(&posting.project.path("teller.pid"));
    let token = std::fs::read_to_string(posting.project.path("teller.token")).unwrap();
    let request = String::from_utf8(posting.posting("slug", "by-a-hook")).unwrap().replace(&posting.token, &token);
    assert_eq!(posting.ask(&request).status, 204);
    posting.project.file("told", "");
    eventually("the hook is named", || {
        posting.audit().iter().any(|line| {
            line["event"] == "slug" && line["pid"] == pid && line["who"].as_str().unwrap().starts_with("hook teller ")
        })
    });
}

#[test]
fn refusals_are_warned_of_at_most_once_a_second_with_a_count() {
    let posting = Posting::start(programs!());
    for _ in 0..50 {
        assert_eq!(posting.ask("POST /events/slug HTTP/1.1\r\nHost: HOST\r\n\r\n").status, 401);
    }
    posting.session.wait_for("the event server refused a request: no live token (401)");
    posting.session.wait_for("requests, the latest: no live token (401)");
    assert!(posting.session.count("the event server refused") < 10);
    eventually("each is in the audit log", || posting.audit().len() == 50);
}
