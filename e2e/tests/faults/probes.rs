//! Servers that answer a probe badly.

use crate::{memory_kib, project};
use e2e::wait;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A session that waits for a process whose address is served by `answer`; gives the words of the failed wait, how long
/// it took, and devloop's memory.
fn waits_for(answer: fn(&mut TcpStream)) -> (String, Duration, u64) {
    let port = wait::free_port();
    let project = project(&format!(
        r#"
[watch.go]
paths = ["go"]
[process.web]
command = ["PUPPET", "hang"]
readiness = {{ kind = "http", url = "http://127.0.0.1:{port}/", expect_body = "well", interval_ms = 50, timeout_ms = 1000 }}
[workflow.go]
steps = [{{ action = "restart_process", process = "web" }}, {{ action = "log", message = "it waits" }}, {{ action = "wait_for_process", process = "web" }}]
"#
    ));
    let session = project.run_watching();
    session.wait_for("started process web");
    project.file("go", "");
    session.wait_for("it waits");
    let began = Instant::now();
    // Before it listened the address would have been a stranger's.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                answer(&mut stream);
            });
        }
    });
    let line = session.wait_for("workflow failed; continuing runtime in degraded mode");
    (line, began.elapsed(), memory_kib(session.pid()))
}

fn is_bounded(fault: &str, answer: fn(&mut TcpStream)) {
    let (line, took, memory) = waits_for(answer);
    eprintln!("P17: {fault}: the wait of 1 s failed after {took:.1?}, with {memory} KiB");
    assert!(line.contains("process 'web' did not become ready within 1 s"), "{line}");
    assert!(memory < 64 * 1024, "{memory} KiB");
}

#[test]
fn p17_a_server_that_never_answers_is_bounded() {
    is_bounded("no answer", |stream| {
        let _ = stream.read(&mut [0; 1]);
    });
}

#[test]
fn p17_a_server_that_drips_is_bounded() {
    is_bounded("a byte a second", |stream| {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell" {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    });
}

#[test]
fn p17_a_body_of_ten_gigabytes_is_bounded() {
    is_bounded("10 GB", |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
}

#[test]
fn p17_a_circle_of_redirects_is_bounded() {
    is_bounded("redirects in a circle", |stream| {
        let _ =
            stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
}
