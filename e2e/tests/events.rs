//! External events from the client's side: what a 204 means, and what happens when clients race, leave, or come late.

use e2e::faults::{figures, rounds};
use e2e::programs;
use e2e::web::{CONFIG, Posting, Wire, eventually};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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
    // The client may be heard of before the line that says so.
    posting.session.wait_for("started process client");
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
    let posts = rounds(3200, 100_000) / CONNECTIONS;
    // Everything else has work, too: a loud process, one that dies again and again, files that change.
    let posting = Posting::with(
        programs!(),
        r#"
[watch.busy]
paths = ["busy"]
workflow = "busy"
[workflow.busy]
steps = [{ action = "run_hook", hook = "busy" }]
[hook.busy]
command = ["PUPPET", "print", "busy"]
output = { inherit = false }
[process.loud]
command = ["PUPPET", "spew-slowly", "300", "ROOT/progress"]
output = { inherit = false }
[process.dying]
command = ["PUPPET", "exit", "1"]
restart = "always"
output = { inherit = false }
"#,
    );
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let posting = &posting;
                scope.spawn(move || {
                    let mut wire = Wire::open(&posting.address);
                    let mut times = Vec::with_capacity(posts);
                    for number in 0..posts {
                        let (value, asked) = (format!("{connection}-{number}"), Instant::now());
                        assert_eq!(wire.send(&posting.posting("free", &value)).answer().status, 204);
                        times.push(asked.elapsed());
                    }
                    times
                })
            })
            .collect();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                posting.project.file("busy", "");
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let mut times: Vec<Duration> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        is_over.store(true, Ordering::Relaxed);
        println!("E1: {} posts in {:.1?}, {}", times.len(), began.elapsed(), figures(&mut times));
    });
    eventually("every post is in the audit log", || posting.audit().len() == CONNECTIONS * posts);
    let audit = posting.audit();
    assert!(audit.iter().all(|line| line["status"] == 204));
    let last = posting.state_of("free").unwrap();
    assert!(last.ends_with(&format!("-{}", posts - 1)), "the last committed value is of a client's last post: {last}");
    assert!(posting.memory_kib() < 64 * 1024, "{} KiB", posting.memory_kib());
}

// promise: event.run.2
#[test]
fn e2_posts_to_a_slow_workflow_are_few_runs_and_the_last_sees_the_last_value() {
    let hook = Duration::from_millis(rounds(300, 1000) as u64);
    let posting = Posting::with(
        programs!(),
        &r#"
[event.slow]
state_key = "slow"
workflow = "slow"
[workflow.slow]
steps = [{ action = "run_hook", hook = "slow" }, { action = "log", message = "saw {{slow}}." }]
[hook.slow]
command = ["PUPPET", "sleep", "TIME"]
"#
        .replace("TIME", &hook.as_millis().to_string()),
    );
    let began = Instant::now();
    let posts = rounds(200, 2000);
    for number in 0..posts {
        assert_eq!(posting.post("slow", &number.to_string()).status, 204);
        std::thread::sleep(Duration::from_millis(5));
    }
    let lasted = began.elapsed();
    let last = format!("saw {}.", posts - 1);
    posting.session.wait_for(&last);
    let runs = posting.session.count("saw ");
    println!(
        "E2: {posts} posts in {lasted:.1?}, {runs} runs, at rest {:.1?} after the last",
        began.elapsed().saturating_sub(lasted)
    );
    let most = usize::try_from(lasted.as_millis() / hook.as_millis()).unwrap() + 2;
    assert!(runs <= most, "{runs} runs in {lasted:?}");
    let lines = posting.session.stderr_lines();
    assert!(lines.iter().rfind(|line| line.contains("saw ")).unwrap().ends_with(&last));
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

/// A process whose token is in `own.token` while it runs, beside the client.
const OWN: &str = r#"
startup_workflows = ["begin"]
[watch.again]
paths = ["again"]
workflow = "again"
[workflow.again]
steps = [{ action = "restart_process", process = "own" }]
[workflow.begin]
steps = [{ action = "run_hook", hook = "wait" }]
[hook.wait]
command = ["PUPPET", "append", "ROOT/waits", "", "await-file", "ROOT/begin"]
[process.own]
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/own.token", "append", "ROOT/starts", "", "hang"]
"#;

// promise: event.commit.1
#[test]
fn e3_a_post_during_the_startup_or_a_restart_of_its_own_process_is_204_with_effect_or_refused() {
    let project = e2e::Project::new(programs!());
    project.config(&format!("{OWN}{CONFIG}"));
    let session = project.run();
    e2e::wait::lines(&project.path("waits"), 1);
    e2e::wait::pid(&project.path("client.pid"));
    e2e::wait::lines(&project.path("starts"), 1);
    let mut posting = Posting::of(session, project);
    // The startup workflow is still running.
    let early = posting.post("slug", "early").status;
    assert!([204, 503].contains(&early), "{early}");
    assert_eq!(posting.state_of("slug").is_some(), early == 204);
    posting.project.file("begin", "");
    posting.session.wait_for("watching ");
    if early == 204 {
        posting.session.wait_for("slug is early");
    }
    let (mut last, mut taken, mut refused) = (None, 0, 0);
    for restart in 1..=rounds(5, 50) {
        posting.project.file("again", &restart.to_string());
        e2e::wait::until("it has started again", || {
            posting.token = std::fs::read_to_string(posting.project.path("own.token")).unwrap();
            let value = format!("{restart}-{}", taken + refused);
            match posting.post("free", &value).status {
                204 => (last, taken) = (Some(value), taken + 1),
                401 | 429 | 503 => refused += 1,
                other => panic!("{other}"),
            }
            let starts = std::fs::read_to_string(posting.project.path("starts")).unwrap();
            (starts.lines().count() > restart).then_some(())
        });
        assert_eq!(posting.state_of("free"), last, "never a 204 without effect");
    }
    println!("E3: {taken} posts were taken and {refused} refused around restarts");
    assert!(taken > 0);
    assert!(posting.session.stop().success());
}

#[test]
fn e4_clients_that_race_with_one_value_give_one_run() {
    let posting = Posting::start(programs!());
    posting.assert_alive();
    let races = rounds(30, 1000);
    for round in 0..races {
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
    let lines = posting.session.stderr_lines();
    for round in 0..races {
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
    let began = Instant::now();
    posting.assert_alive();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

/// What is put into requests.
const PIECES: [&[u8]; 8] =
    [b"\r\n", b"\0", b":", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n", b"{}", b"Content-Length: 9\r\n", b"\xff"];

/// Bytes of a good post, but for its token, with something done to them.
fn mutated(good: &[u8], dice: &mut u64) -> Vec<u8> {
    let mut next = |bound: usize| {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*dice >> 33).unwrap_or_default() % bound.max(1)
    };
    let mut bytes = good.to_vec();
    for _ in 0..=next(4) {
        let at = next(bytes.len() + 1);
        match next(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << next(8),
            1 => drop(bytes.drain(at..(at + next(20)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, PIECES[next(PIECES.len())].iter().copied())),
            3 => {
                let copy = bytes[at..(at + next(60)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

#[test]
fn e7_no_mutated_request_without_a_live_token_is_answered_with_5xx_or_changes_the_state() {
    use std::io::Read as _;
    let posting = Posting::start(programs!());
    posting.assert_alive();
    let stranger = format!("dlt_{}", "5".repeat(48));
    let good = String::from_utf8(posting.posting("slug", "changed")).unwrap().replace(&posting.token, &stranger);
    let (seed, count) = (u64::from(std::process::id()), rounds(2000, 1_000_000));
    let (mut dice, mut answers) = (seed, std::collections::BTreeMap::<u16, usize>::new());
    for round in 0..count {
        let request = mutated(good.as_bytes(), &mut dice);
        let mut stream = TcpStream::connect(&posting.address).unwrap();
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let statuses = answer.match_indices("HTTP/1.1 ").map(|(at, _)| answer[at + 9..at + 12].parse::<u16>().unwrap());
        for status in statuses {
            assert!(!(200..300).contains(&status) && (status < 500 || status == 501), "seed {seed}, {round}: {status}");
            *answers.entry(status).or_default() += 1;
        }
    }
    println!("E7: seed {seed}, {count} requests, answers {answers:?}");
    assert_eq!((posting.state_of("slug").as_deref(), posting.state_of("free")), (Some("alive"), None));
    eventually("a good post is taken", || posting.post("slug", "still/alive").status == 204);
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
