//! One connection: bytes in with a time limit on each part, answers out, and an end that lets the last answer arrive.

use super::accept::{Slot, Standing};
use super::answer::Answer;
use super::body::Body;
use super::head::{self, Head};
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// A head must be complete this long after its first byte, and the first one after the connection.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// A request must be whole, and its answer taken, this long after its first byte.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// After an answer to a request that was not read: how long, and how much more of it is thrown away, so that the answer
/// is not lost to a reset (RFC 9112, section 9.6).
const LINGER_MAX: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1024 * 1024;

const READ_BYTES: usize = 4 * 1024;
/// What a connection keeps of its buffer between requests.
const KEPT_BYTES: usize = 16 * 1024;

/// Why there is nothing more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client has left, or was silent for too long: nobody waits for an answer.
    Gone,
    /// The client gets this answer and no other.
    Refused(Answer),
}

impl From<Answer> for End {
    fn from(answer: Answer) -> Self {
        Self::Refused(answer)
    }
}

/// A client.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    out: Vec<u8>,
    slot: Slot,
    /// When the request that is being read must be over.
    deadline: Instant,
    is_first: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, slot: Slot) -> Self {
        // Without it a small answer may wait for an acknowledgement; where it fails, answers are only slower.
        let _ = stream.set_nodelay(true);
        let deadline = Instant::now() + HEAD_MAX;
        Self { stream, buffer: Vec::new(), out: Vec::new(), slot, deadline, is_first: true }
    }

    /// Waits for the next head.
    pub(super) async fn head(&mut self) -> Result<Head, End> {
        self.slot.stands(if self.is_first { Standing::Stranger } else { Standing::Idle });
        let now = Instant::now();
        // A connection without a byte is not kept as long as one that has proved itself.
        let mut head_by = if self.is_first { now + HEAD_MAX } else { now + IDLE_MAX };
        self.is_first = false;
        let mut is_begun = false;
        let mut seen = 0;
        loop {
            self.skip_empty_line();
            if !self.buffer.is_empty() && !is_begun {
                is_begun = true;
                let began = Instant::now();
                head_by = head_by.min(began + HEAD_MAX);
                self.deadline = began + REQUEST_MAX;
                self.slot.stands(Standing::Stranger);
            }
            if let Some(end) = head::end(&self.buffer, seen) {
                let head = head::read(&self.buffer[..end])?;
                self.buffer.drain(..end);
                self.slot.stands(Standing::Asking);
                return Ok(head);
            }
            if let Some(answer) = head::too_long(&self.buffer) {
                return Err(answer.into());
            }
            seen = self.buffer.len();
            match self.fill(head_by).await {
                Ok(0) => return Err(End::Gone),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut && is_begun => return Err(Answer::TooSlow.into()),
                Err(_) => return Err(End::Gone),
            }
        }
    }

    /// RFC 9112, section 2.2: an empty line before a request is overlooked.
    fn skip_empty_line(&mut self) {
        if self.buffer.starts_with(b"\r\n") {
            self.buffer.drain(..2);
        }
    }

    /// Reads the body that belongs to a head.
    pub(super) async fn body(&mut self, head: &Head) -> Result<Vec<u8>, End> {
        let mut body = Body::new(head.framing)?;
        if head.expects_continue && !body.is_whole() && self.buffer.is_empty() {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| End::Gone)?;
        }
        while !body.is_whole() {
            if self.buffer.is_empty() {
                match self.fill(self.deadline).await {
                    Ok(0) => return Err(End::Gone),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Answer::TooSlow.into()),
                    Err(_) => return Err(End::Gone),
                }
            }
            let taken = body.feed(&self.buffer)?;
            self.buffer.drain(..taken);
        }
        Ok(body.bytes)
    }

    /// Answers, and keeps the connection.
    pub(super) async fn answer(&mut self, answer: Answer, is_head: bool) -> io::Result<()> {
        self.out.clear();
        answer.write(is_head, false, &mut self.out);
        self.send().await?;
        if self.buffer.capacity() > KEPT_BYTES {
            self.buffer.shrink_to(KEPT_BYTES);
        }
        Ok(())
    }

    /// Answers for the last time.
    pub(super) async fn answer_and_close(mut self, answer: Answer, is_head: bool) {
        self.out.clear();
        answer.write(is_head, true, &mut self.out);
        self.deadline = self.deadline.max(Instant::now() + LINGER_MAX);
        if self.send().await.is_ok() {
            self.linger().await;
        }
    }

    /// Lets the last answer arrive: says that nothing more comes, and throws away what still does.
    async fn linger(mut self) {
        self.slot.stands(Standing::Leaving);
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let by = Instant::now() + LINGER_MAX;
        let mut thrown = 0;
        while thrown < LINGER_BYTES_MAX {
            self.buffer.clear();
            match self.fill(by).await {
                Ok(count) if count > 0 => thrown += count,
                _ => return,
            }
        }
    }

    async fn send(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        let sent = self.write(&out).await;
        self.out = out;
        sent
    }

    /// Writes all, by the deadline of the request.
    async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        write_by(&self.stream, bytes, self.deadline).await
    }

    /// Reads some bytes; none at the client's end.
    async fn fill(&mut self, by: Instant) -> io::Result<usize> {
        loop {
            self.buffer.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeout_at(by, self.stream.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
                }
                // A drip that is always just in time is no reason to stay.
                Ok(count) if count > 0 && Instant::now() > by => return Err(io::ErrorKind::TimedOut.into()),
                done => return done,
            }
        }
    }

    /// The rest of a connection that becomes a stream.
    pub(super) fn into_stream(self) -> (TcpStream, Slot) {
        (self.stream, self.slot)
    }
}

/// Writes all, by a deadline.
pub(super) async fn write_by(stream: &TcpStream, mut bytes: &[u8], by: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout_at(by, stream.writable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
