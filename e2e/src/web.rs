//! Requests byte by byte: an HTTP client would tidy an attack away. And a project with events, whose child gives its own
//! token to the test.

use crate::project::{Programs, Project};
use crate::session::Session;
use crate::wait;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the status; 0 when the connection ended without an answer.
    pub status: u16,
    /// Status line and fields.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of a field, if there is exactly one.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        values.next().filter(|_| values.next().is_none())
    }
}

/// A connection, for more than one request.
pub struct Wire {
    /// The socket, for whoever wants to misbehave.
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        stream.set_write_timeout(Some(wait::DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes. A server that has closed already takes none, which is no failure of the test.
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        let _ = self.stream.write_all(bytes);
        self
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if !self.more() {
                return Answer { status: 0, head: String::new(), body: String::new() };
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length = answer.field("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length && self.more() {}
        let length = length.min(self.read.len());
        answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        answer
    }

    /// Reads until the bytes so far hold a text, and takes them.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            let so_far = String::from_utf8_lossy(&self.read).into_owned();
            if so_far.contains(text) {
                self.read.clear();
                return so_far;
            }
            assert!(self.more(), "'{text}' did not come: {so_far}");
        }
    }

    /// Whether the server has ended the connection, without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) => {
                let is_silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!is_silent, "the server neither answers nor closes");
                false
            }
        }
    }
}

/// Sends a request and reads its answer.
pub fn ask(address: &str, request: &[u8]) -> Answer {
    Wire::open(address).send(request).answer()
}

/// A running project with two events, and a child that has given its token away.
pub struct Posting {
    /// The session.
    pub session: Session,
    /// Its project.
    pub project: Project,
    /// Host and port of the event server.
    pub address: String,
    /// The token of process `client`, good for all events.
    pub token: String,
}

/// Event `slug` has a pattern and logs, event `free` takes anything.
pub const CONFIG: &str = r#"
[event_server]
bind = "127.0.0.1:0"
[event.slug]
state_key = "slug"
workflow = "note"
pattern = "^[a-z0-9/-]+$"
[event.free]
state_key = "free"
workflow = "quiet"
[workflow.note]
steps = [{ action = "log", message = "slug is {{slug}}" }]
[workflow.quiet]
steps = []
[process.client]
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/client.token", "write-env", "DEVLOOP_EVENTS_BASE_URL", "ROOT/client.url", "write-pid", "ROOT/client.pid", "hang"]
"#;

impl Posting {
    /// Starts the project of [`CONFIG`].
    pub fn start(programs: Programs) -> Self {
        Self::with(programs, "")
    }

    /// Starts it with more in its config.
    pub fn with(programs: Programs, more: &str) -> Self {
        let project = Project::new(programs);
        project.config(&format!("{CONFIG}{more}"));
        Self::run(project)
    }

    /// Starts a project that has the process of [`CONFIG`].
    pub fn run(project: Project) -> Self {
        let _ = std::fs::remove_file(project.path("client.pid"));
        let session = project.run();
        session.wait_for("watching ");
        wait::pid(&project.path("client.pid"));
        Self::of(session, project)
    }

    /// A session of such a project that runs already, whose process has left its token.
    pub fn of(session: Session, project: Project) -> Self {
        let read = |name: &str| std::fs::read_to_string(project.path(name)).unwrap();
        let address = read("client.url").strip_prefix("http://").unwrap().to_owned();
        Self { address, token: read("client.token"), session, project }
    }

    /// A well-formed request with these lines more in its head.
    pub fn request(&self, target: &str, fields: &str, body: &str) -> Vec<u8> {
        let Self { address, token, .. } = self;
        let length = body.len();
        format!(
            "POST {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
        )
        .into_bytes()
    }

    /// A well-formed post.
    pub fn posting(&self, event: &str, value: &str) -> Vec<u8> {
        let body = serde_json::json!({ "value": value }).to_string();
        self.request(&format!("/events/{event}"), "", &body)
    }

    /// Posts a value.
    pub fn post(&self, event: &str, value: &str) -> Answer {
        ask(&self.address, &self.posting(event, value))
    }

    /// Posts a body of one's own to event `slug`.
    pub fn post_body(&self, body: &str) -> Answer {
        ask(&self.address, &self.request("/events/slug", "", body))
    }

    /// Sends a head of one's own, as a post with a token of event `slug`, with `{"value":"a"}` behind it. `HOST` and
    /// `TOKEN` stand for the right ones.
    pub fn ask(&self, request: &str) -> Answer {
        ask(&self.address, self.fill(request).as_bytes())
    }

    /// `HOST` and `TOKEN` replaced.
    pub fn fill(&self, request: &str) -> String {
        request.replace("HOST", &self.address).replace("TOKEN", &self.token)
    }

    /// What the state has for a key.
    pub fn state_of(&self, key: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.project.state_file()).ok()?;
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        state.get(key)?.as_str().map(str::to_owned)
    }

    /// Lines of the audit log, as JSON.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.project.path(".devloop/events.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Open descriptors of devloop.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.session.pid())).unwrap().count()
    }

    /// Resident memory of devloop, in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.session.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Asserts that a good post still works.
    pub fn assert_alive(&self) {
        assert_eq!(self.post("slug", "alive").status, 204);
    }
}

/// Waits until a condition holds.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    wait::until(what, || holds().then_some(()));
}

/// Reads a socket to its end, at most for a time; answers whether the end came.
pub fn ends_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let began = std::time::Instant::now();
    let mut bytes = [0; 4096];
    loop {
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            return false;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
