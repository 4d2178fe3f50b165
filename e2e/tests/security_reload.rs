//! The reload stream: one test a row of SECURITY.md, named by it, and what a listener hears.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::programs;
use e2e::web::{Answer, Posting, Wire, ask, ends_within, eventually};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

const RELOADING: &str = r#"
[browser_reload_server]
bind = "127.0.0.1:0"
allow_origins = ["https://x.trycloudflare.com"]
[event.reload]
state_key = "reload"
workflow = "reload"
[workflow.reload]
steps = [{ action = "notify_reload" }]
[process.page]
command = ["PUPPET", "write-env", "DEVLOOP_BROWSER_EVENTS_URL", "ROOT/page.url", "write-pid", "ROOT/page.pid", "hang"]
"#;

struct Page {
    posting: Posting,
    address: String,
    reloads: std::cell::Cell<u32>,
}

impl Page {
    fn start() -> Self {
        let posting = Posting::with(programs!(), RELOADING);
        e2e::wait::pid(&posting.project.path("page.pid"));
        let url = std::fs::read_to_string(posting.project.path("page.url")).unwrap();
        let address = url.strip_prefix("http://").unwrap().strip_suffix("/browser-events").unwrap().to_owned();
        posting.session.wait_for(&format!("listening for browser reload events at {url}"));
        Self { posting, address, reloads: std::cell::Cell::new(0) }
    }

    fn request(&self, line: &str, fields: &str) -> Vec<u8> {
        format!("{line} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", self.address).into_bytes()
    }

    fn ask(&self, line: &str, fields: &str) -> Answer {
        ask(&self.address, &self.request(line, fields))
    }

    fn listen(&self, fields: &str) -> Wire {
        let mut wire = Wire::open(&self.address);
        wire.send(&self.request("GET /browser-events", fields));
        wire
    }

    /// A listener that has heard its first id, and that id.
    fn listening(&self, fields: &str) -> (Wire, String) {
        let mut wire = self.listen(fields);
        let answer = wire.answer();
        assert_eq!((answer.status, answer.field("content-type")), (200, Some("text/event-stream")), "{answer:?}");
        let first = wire.until("\n\n");
        assert!(!first.contains("data"), "who comes late is told nothing: {first}");
        let id = first.trim().strip_prefix("id: ").unwrap().to_owned();
        (wire, id)
    }

    fn reload(&self) {
        self.reloads.set(self.reloads.get() + 1);
        assert_eq!(self.posting.post("reload", &self.reloads.get().to_string()).status, 204);
    }
}

#[test]
fn ss1_only_pages_of_this_machine_and_listed_ones_may_listen() {
    let page = Page::start();
    for origin in ["http://evil.example", "null", "http://localhost.evil.example", "https://y.trycloudflare.com", ""] {
        let answer = page.ask("GET /browser-events", &format!("Origin: {origin}\r\n"));
        assert_eq!(answer.status, 403, "{origin}");
        assert!(!answer.head.to_lowercase().contains("access-control"), "{answer:?}");
    }
    assert_eq!(
        page.ask("GET /browser-events", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n").status,
        403
    );
    let warning = page.posting.session.wait_for("http://evil.example");
    assert!(warning.contains("allow_origins") && warning.contains("WARN"), "{warning}");
    for origin in [
        "http://localhost:3000",
        "http://blog.localhost",
        "http://127.0.0.1:8",
        "http://[::1]:1",
        "https://x.trycloudflare.com",
    ] {
        let mut wire = page.listen(&format!("Origin: {origin}\r\nSec-Fetch-Site: cross-site\r\n"));
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.field("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.field("vary"), Some("Origin"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    let answer = page.listen("").answer();
    assert_eq!((answer.status, answer.field("access-control-allow-origin")), (200, None));
}

#[test]
fn ss2_a_rebound_name_is_403() {
    let page = Page::start();
    let port = page.address.rsplit(':').next().unwrap();
    for host in ["evil.example", "localhost.evil.example", "0.0.0.0"] {
        let request = format!("GET /browser-events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        assert_eq!(ask(&page.address, request.as_bytes()).status, 403, "{host}");
    }
    let request = "GET /browser-events HTTP/1.1\r\nHost: localhost:1\r\n\r\n";
    assert_eq!(ask(&page.address, request.as_bytes()).status, 403);
}

#[test]
fn ss3_there_is_one_path_and_host_and_origin_come_before_it() {
    let page = Page::start();
    for path in ["/", "/browser-events/", "/browser-events?x", "/BROWSER-EVENTS", "//browser-events", "/events/slug"] {
        assert_eq!(page.ask(&format!("GET {path}"), "").status, 404, "{path}");
        assert_eq!(page.ask(&format!("GET {path}"), "Origin: http://evil.example\r\n").status, 403, "{path}");
    }
}

// promise: reload.step.1
#[test]
fn ss4_the_stream_says_reload_and_nothing_else() {
    let page = Page::start();
    let (mut wire, first) = page.listening("");
    page.reload();
    let heard = wire.until("data");
    let (id, data) = heard.trim().split_once('\n').unwrap();
    assert_eq!(data, "data: reload", "{heard}");
    assert_ne!(id, format!("id: {first}"));
    assert!(id.strip_prefix("id: ").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
}

#[test]
fn ss5_the_65th_listener_is_503_and_the_event_server_does_not_care() {
    let page = Page::start();
    page.posting.assert_alive();
    let base = page.posting.descriptors();
    let mut heard: Vec<Wire> = (0..64).map(|_| page.listening("").0).collect();
    assert_eq!(page.listen("").answer().status, 503);
    let _more: Vec<TcpStream> = (0..300).filter_map(|_| TcpStream::connect(&page.address).ok()).collect();
    eventually("descriptors are bounded", || page.posting.descriptors() <= base + 64 + 16 + 10);
    page.posting.assert_alive();
    page.reload();
    for wire in &mut heard {
        wire.until("data: reload\n\n");
    }
    heard.pop();
    eventually("a place that is free is given away", || page.listen("").answer().status == 200);
}

#[test]
fn ss6_a_listener_that_never_reads_holds_nobody_up_and_reloads_are_one() {
    let page = Page::start();
    let mut stream = TcpStream::connect(&page.address).unwrap();
    stream.write_all(&page.request("GET /browser-events", "")).unwrap();
    let (mut other, _) = page.listening("");
    for _ in 0..100 {
        page.reload();
        other.until("data: reload\n\n");
    }
    drop(stream);
    page.posting.assert_alive();
}

#[test]
fn ss7_other_methods_long_ids_and_bodies() {
    let page = Page::start();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "HEAD"] {
        let answer = page.ask(&format!("{method} /browser-events"), "");
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET")), "{method}");
    }
    let long = format!("Last-Event-ID: {}\r\n", "x".repeat(64 * 1024));
    assert_eq!(page.ask("GET /browser-events", &long).status, 431);
    assert_eq!(page.ask("GET /browser-events", "Content-Length: 5\r\n").status, 400);
}

#[test]
fn ss8_slow_heads_http_2_and_smuggling_are_refused_here_too() {
    let page = Page::start();
    assert_eq!(ask(&page.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 400);
    for fields in
        ["Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "X: a\r\n folded\r\n", "X : a\r\n", "X: a\nY: b\r\n"]
    {
        assert_eq!(page.ask("GET /browser-events", fields).status, 400, "{fields:?}");
    }
    assert_eq!(ask(&page.address, b"GET /browser-events HTTP/1.1\r\n\r\n").status, 400);
    let mut half = TcpStream::connect(&page.address).unwrap();
    half.write_all(b"GET /browser-events HT").unwrap();
    assert!(ends_within(&mut half, Duration::from_secs(10)));
    let _held: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(&page.address).ok()).collect();
    page.listening("");
}

#[test]
fn ss9_the_docs_say_what_a_browser_asks_about_a_public_page_and_what_else_can_be_done() {
    let docs = e2e::Project::new(programs!()).call(&["docs", "security"]);
    let words: Vec<String> = String::from_utf8(docs.stdout).unwrap().split_whitespace().map(str::to_owned).collect();
    let docs = words.join(" ");
    for words in ["public address (a tunnel)", "Chrome", "pass the stream on from the page's own origin"] {
        assert!(docs.contains(words), "{words} is not in\n{docs}");
    }
    // The page that was let in by its listed address is one of those.
    let page = Page::start();
    assert_eq!(page.listen("Origin: https://x.trycloudflare.com\r\n").answer().status, 200);
}

#[test]
fn a_listener_that_lost_its_connection_learns_that_it_missed_a_reload() {
    let page = Page::start();
    let (wire, id) = page.listening("");
    drop(wire);
    let (_same, unchanged) = page.listening(&format!("Last-Event-ID: {id}\r\n"));
    assert_eq!(id, unchanged);
    let (mut other, _) = page.listening("");
    page.reload();
    other.until("data: reload\n\n");
    let mut late = page.listen(&format!("Last-Event-ID: {id}\r\n"));
    assert_eq!(late.answer().status, 200);
    late.until("data: reload\n\n");
}
