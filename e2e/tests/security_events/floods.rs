//! Too many and too slow: H23 to H25, H36.

use e2e::programs;
use e2e::web::{Posting, Wire, ends_within, eventually};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The contract's seconds, and what a shared machine may add.
const SLACK: Duration = Duration::from_secs(4);

fn opened(address: &str, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let open = |_| {
        let mut stream = TcpStream::connect(address).ok()?;
        let _ = stream.write_all(bytes);
        Some(stream)
    };
    (0..count).filter_map(open).collect()
}

#[test]
fn h23_half_open_requests_keep_nobody_out_and_are_gone_soon() {
    let posting = Posting::start(programs!());
    posting.assert_alive();
    let base = posting.descriptors();
    let began = Instant::now();
    let held = opened(&posting.address, 300, b"POST /events/slug HTTP/1.1\r\nHo");
    for number in 0..10 {
        let asked = Instant::now();
        assert_eq!(posting.post("slug", &format!("during-{number}")).status, 204);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert!(posting.descriptors() <= base + 80, "{} descriptors", posting.descriptors());
    }
    for mut stream in held {
        assert!(ends_within(&mut stream, (Duration::from_secs(6) + SLACK).saturating_sub(began.elapsed())));
    }
    eventually("all descriptors are free again", || posting.descriptors() <= base + 2);
}

#[test]
fn h24_slow_bodies_slow_readers_and_idle_connections_are_closed() {
    let posting = Posting::start(programs!());
    // A body that never comes.
    let request = posting.posting("slug", "slow");
    let mut body = Wire::open(&posting.address);
    body.send(&request[..request.len() - 3]);
    // Many answers that are never read.
    let mut reader = TcpStream::connect(&posting.address).unwrap();
    let unread = posting.fill("GET /x HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n").repeat(200);
    reader.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    while reader.write_all(unread.as_bytes()).is_ok() {}
    // A connection that had its answer.
    let mut idle = Wire::open(&posting.address);
    assert_eq!(idle.send(&posting.posting("slug", "idle")).answer().status, 204);
    let idle_since = Instant::now();
    assert_eq!(body.answer().status, 408);
    assert!(idle_since.elapsed() < Duration::from_secs(10) + SLACK);
    let base = posting.descriptors();
    assert!(ends_within(&mut idle.stream, Duration::from_secs(30) + SLACK), "idle for more than 30 s");
    assert!(idle_since.elapsed() > Duration::from_secs(10), "an idle connection is kept for a while");
    assert!(posting.descriptors() < base, "the reader that never reads is gone, too");
    posting.assert_alive();
}

#[test]
fn h25_a_flood_of_connections_is_held_at_the_cap() {
    let posting = Posting::with(
        programs!(),
        "\n[event.go]\nstate_key = \"go\"\nworkflow = \"go\"\n[workflow.go]\nsteps = [{ action = \"run_hook\", hook = \"go\" }]\n[hook.go]\ncommand = [\"PUPPET\", \"append\", \"ROOT/went\", \"went\"]\n",
    );
    posting.assert_alive();
    let base = posting.descriptors();
    for round in 0..5 {
        let held = opened(&posting.address, 400, b"");
        assert!(posting.descriptors() <= base + 80, "{} descriptors, {base} before", posting.descriptors());
        assert_eq!(posting.post("go", &round.to_string()).status, 204);
        drop(held);
    }
    eventually("the hook of the last post ran", || {
        std::fs::read_to_string(posting.project.path("went")).is_ok_and(|text| text.lines().count() >= 1)
    });
    assert_eq!(posting.session.count("workflow failed"), 0);
    // Complete heads that wait for their bodies are not pushed aside: the next one is told that there is no place.
    let request = posting.posting("slug", "held");
    let mut held = Vec::new();
    e2e::wait::until("there is no place", || {
        let mut wire = Wire::open(&posting.address);
        wire.send(&request[..request.len() - 1]);
        held.push(wire);
        (posting.post("slug", "late").status == 503).then_some(())
    });
    assert!(held.len() >= 64, "{} are held", held.len());
    let is_taken = held.iter_mut().any(|wire| wire.send(b"}").answer().status == 204);
    assert!(is_taken, "who has a place keeps it");
}

// promise: event.flood.1
#[test]
fn h36_a_flood_of_values_grows_no_memory_and_does_not_delay_the_end() {
    let mut posting = Posting::start(programs!());
    posting.assert_alive();
    let flood = |from: usize, count: usize| {
        let mut wire = Wire::open(&posting.address);
        for number in from..from + count {
            assert_eq!(
                wire.send(&posting.posting("free", &format!("{number}{}", "x".repeat(1000)))).answer().status,
                204
            );
        }
    };
    flood(0, 500);
    let before = posting.memory_kib();
    flood(500, 2000);
    let grown = posting.memory_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");
    let (address, request) = (posting.address.clone(), posting.posting("free", "on and on"));
    let flooding = std::thread::spawn(move || {
        let Ok(mut stream) = TcpStream::connect(&address) else { return };
        while stream.write_all(&request).is_ok() {}
    });
    let began = Instant::now();
    let status = posting.session.stop();
    assert!(status.success() && began.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", began.elapsed());
    flooding.join().unwrap();
}
