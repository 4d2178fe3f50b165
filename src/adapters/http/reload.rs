//! The reload stream: Server-Sent Events that say `reload` and nothing else.
//!
//! Each event carries the number of reloads so far, and each listener hears the latest number when it comes. A browser
//! that lost its connection sends the number that it had, and is told at once when it missed one (HTML Living Standard,
//! section 9.2). Absent on purpose: what changed, who saved, and any answer to a page that is not allowed to listen.

use super::answer::Answer;
use super::connection::{Connection, End, write_by};
use super::guard::{self, Hosts};
use super::head::{Framing, Head, Method};
use super::random;
use super::refusals::Warnings;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// The only path.
pub(super) const PATH: &str = "/browser-events";

/// The most listeners at a time.
pub(super) const LISTENERS_MAX: usize = 64;
/// How long a listener may take nothing.
const BLOCKED_MAX: Duration = Duration::from_secs(10);
/// How often a comment keeps the connection known to everything in between.
const COMMENT_GAP: Duration = Duration::from_secs(15);

/// What all listeners share.
#[derive(Debug)]
pub(super) struct Reloads {
    hosts: Hosts,
    allow_origins: RefCell<Vec<String>>,
    pub(super) warnings: Rc<Warnings>,
    /// Tells this session's numbers from those of an earlier one on the same port.
    session: String,
    count: watch::Sender<u64>,
    listeners: Cell<usize>,
    /// How long a listener may take nothing.
    blocked_max: Duration,
}

/// A listener's place.
struct Listening(Rc<Reloads>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listeners.set(self.0.listeners.get() - 1);
    }
}

impl Reloads {
    pub(super) fn new(hosts: Hosts, allow_origins: Vec<String>, warnings: Rc<Warnings>) -> io::Result<Self> {
        let mut bytes = [0; 8];
        random::fill(&mut bytes)?;
        let session = format!("{:016x}", u64::from_ne_bytes(bytes));
        let (count, listeners) = (watch::Sender::new(0), Cell::new(0));
        let allow_origins = RefCell::new(allow_origins);
        Ok(Self { hosts, allow_origins, warnings, session, count, listeners, blocked_max: BLOCKED_MAX })
    }

    /// From now on these origins may listen beside those of this machine; who may not any more hears nothing further.
    pub(super) fn allow(&self, origins: &[String]) {
        *self.allow_origins.borrow_mut() = origins.to_vec();
    }

    /// Tells everyone who listens. What a slow listener has not read yet becomes one.
    pub(super) fn broadcast(&self) {
        self.count.send_modify(|count| *count += 1);
    }

    /// Serves one connection to its end.
    pub(super) async fn serve(self: Rc<Self>, mut connection: Connection) {
        let head = match connection.head().await {
            Ok(head) => head,
            Err(End::Gone) => return,
            Err(End::Refused(answer)) => {
                self.warnings.add(format!("{} ({})", answer.reason(), answer.status()));
                return connection.answer_and_close(answer, false).await;
            }
        };
        let origin = match self.admit(&head) {
            Ok(origin) => origin,
            Err((answer, why)) => {
                self.warnings.add(why);
                return connection.answer_and_close(answer, head.method == Method::Head).await;
            }
        };
        self.listeners.set(self.listeners.get() + 1);
        let place = Listening(Rc::clone(&self));
        let (stream, _slot) = connection.into_stream();
        // Its end is the client's: it left, or took nothing for too long.
        let _ = self.listen(&stream, origin.as_deref(), head.last_event_id.text()).await;
        drop(place);
    }

    /// The origin to be echoed, or the answer and the words of a warning.
    fn admit(&self, head: &Head) -> Result<Option<String>, (Answer, String)> {
        let plain = |answer: Answer| (answer, format!("{} ({})", answer.reason(), answer.status()));
        self.hosts.check(&head.host).map_err(plain)?;
        let origin = guard::reading_origin(head, &self.allow_origins.borrow()).map_err(|(answer, origin)| {
            let advice = "a page that may listen is named in `allow_origins` of [browser_reload_server]";
            (answer, format!("{origin} is no origin of this machine (403); {advice}"))
        })?;
        if head.target != PATH {
            return Err(plain(Answer::NotFound));
        }
        if head.method != Method::Get {
            return Err(plain(Answer::NotGet));
        }
        if head.framing != Framing::Empty {
            return Err(plain(Answer::BadRequest));
        }
        if self.listeners.get() >= LISTENERS_MAX {
            return Err(plain(Answer::Busy));
        }
        Ok(origin)
    }

    async fn listen(&self, stream: &TcpStream, origin: Option<&str>, last_id: Option<&str>) -> io::Result<()> {
        let mut count = self.count.subscribe();
        let mut out = String::from(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nVary: Origin\r\nConnection: close\r\n",
        );
        if let Some(origin) = origin {
            out.push_str("Access-Control-Allow-Origin: ");
            out.push_str(origin);
            out.push_str("\r\n");
        }
        out.push_str("\r\n");
        let id = self.id(*count.borrow_and_update());
        let has_missed = last_id.is_some_and(|last| !last.is_empty() && last != id);
        out.push_str(&event(&id, has_missed));
        loop {
            write_by(stream, out.as_bytes(), Instant::now() + self.blocked_max).await?;
            out.clear();
            tokio::select! {
                biased;
                changed = count.changed() => {
                    // The sender is gone with the session.
                    let Ok(()) = changed else { return Ok(()) };
                    if origin.is_some_and(|origin| !guard::may_read(origin, &self.allow_origins.borrow())) {
                        return Ok(());
                    }
                    out.push_str(&event(&self.id(*count.borrow_and_update()), true));
                }
                left = left(stream) => return left,
                () = tokio::time::sleep(COMMENT_GAP) => out.push_str(": still here\n\n"),
            }
        }
    }

    fn id(&self, count: u64) -> String {
        format!("{}-{count}", self.session)
    }
}

/// An event without data sets a browser's last number and is not heard by the page.
fn event(id: &str, is_reload: bool) -> String {
    if is_reload { format!("id: {id}\ndata: reload\n\n") } else { format!("id: {id}\n\n") }
}

/// Waits until the client is gone. What it still says is not listened to, and not at any speed.
async fn left(stream: &TcpStream) -> io::Result<()> {
    let mut thrown = [0; 512];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut thrown) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
