//! One request and its answer (HTTP/1.1, RFC 9110, RFC 9112), read as far as it matters.

use super::connect::Connection;
use super::tls;
use super::url::Url;
use super::{Miss, with_causes};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How much of a body a message shows, in characters.
const SHOWN_MAX: usize = 60;

/// How many bytes are read from a connection at once.
const READ_BYTES: usize = 8 * 1024;

/// What an answer means, when nothing is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Well,
    Redirect { status: u16, location: String },
}

/// Connects, asks, and judges the answer.
pub(super) async fn get(url: &Url, expect_body: Option<&str>) -> Result<Reply, Miss> {
    let Connection { stream, is_loopback } = Connection::open(&url.place).await?;
    if url.is_https {
        let stream = tls::wrap(stream, &url.place.host, is_loopback).await.map_err(Miss::Unwell)?;
        converse(stream, url, expect_body).await
    } else {
        converse(stream, url, expect_body).await
    }
}

async fn converse<S>(stream: S, url: &Url, expect_body: Option<&str>) -> Result<Reply, Miss>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let unwell = |error: hyper::Error| Miss::Unwell(with_causes(&error));
    let (mut sender, connection) = http1::handshake(Io(stream)).await.map_err(unwell)?;
    let request = Request::get(url.target.as_str())
        .header(header::HOST, url.authority.as_str())
        .header(header::USER_AGENT, concat!("devloop/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Miss::Unwell(with_causes(&error)))?;
    let mut conversation = pin!(async move {
        let response = sender.send_request(request).await.map_err(unwell)?;
        judge(response, expect_body).await
    });
    // The connection moves the bytes of the conversation; when it ends first, what it has received is still to be read.
    tokio::select! {
        biased;
        reply = &mut conversation => return reply,
        _ = connection => {}
    }
    conversation.await
}

async fn judge(response: Response<Incoming>, expect_body: Option<&str>) -> Result<Reply, Miss> {
    let status = response.status();
    if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        let location = response.headers().get(header::LOCATION).and_then(|value| str::from_utf8(value.as_bytes()).ok());
        return match location {
            Some(location) => Ok(Reply::Redirect { status: status.as_u16(), location: location.to_owned() }),
            None => Err(Miss::Unwell(format!("status {status}, which does not say where to"))),
        };
    }
    if !status.is_success() {
        return Err(Miss::Unwell(format!("status {status}")));
    }
    match expect_body {
        Some(expected) => compare(response.into_body(), expected.trim_ascii()).await.map(|()| Reply::Well),
        None => Ok(Reply::Well),
    }
}

/// Reads a body until it is whole, or cannot become what it should be any more.
async fn compare(mut body: Incoming, expected: &str) -> Result<(), Miss> {
    let mut read = Vec::new();
    let mut is_whole = false;
    while !is_whole && read.len() <= BODY_BYTES_MAX && could_become(&read, expected.as_bytes()) {
        match body.frame().await {
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(error)) => return Err(Miss::Unwell(with_causes(&error))),
            None => is_whole = true,
        }
    }
    let found = read.trim_ascii();
    if is_whole && found == expected.as_bytes() {
        return Ok(());
    }
    if !is_whole && could_become(&read, expected.as_bytes()) {
        return Err(Miss::Unwell(format!(
            "a body of more than {BODY_BYTES_MAX} bytes, not '{}'",
            shown(expected.as_bytes())
        )));
    }
    Err(Miss::Unwell(format!("the body is '{}', not '{}'", shown(found), shown(expected.as_bytes()))))
}

/// Whether a body that begins like this may still be the expected one and white space.
fn could_become(read: &[u8], expected: &[u8]) -> bool {
    let begun = read.trim_ascii_start();
    match begun.strip_prefix(expected) {
        Some(rest) => rest.trim_ascii().is_empty(),
        None => expected.starts_with(begun),
    }
}

/// The beginning of a text in one line.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN_MAX)]).into_owned();
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// A stream of the runtime as hyper wants it.
struct Io<S>(S);

impl<S: AsyncRead + Unpin> hyper::rt::Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut wanted: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut bytes = [0; READ_BYTES];
        let length = wanted.remaining().min(READ_BYTES);
        let mut read = ReadBuf::new(&mut bytes[..length]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        wanted.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Io<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
