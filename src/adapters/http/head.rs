//! The head of a request: bytes to the few things that the servers look at (RFC 9112, the strict reading).
//!
//! Absent on purpose: anything but HTTP/1.0 and HTTP/1.1, obsolete line folding, bare line ends, more than one way to
//! say how long a body is.

use super::answer::Answer;

/// The longest head, in bytes, its empty line included.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The longest target, in bytes.
const TARGET_BYTES_MAX: usize = 2 * 1024;
/// Room for the method, spaces and version around a target.
const REQUEST_LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + 64;
/// The most fields.
const FIELDS_MAX: usize = 64;

/// How a request is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: answers to it have no body.
    Head,
    /// `POST`.
    Post,
    /// Any other.
    Other,
}

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// A field that may come once, never, or too often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Once {
    /// It did not come.
    #[default]
    Absent,
    /// It came once.
    Is(Vec<u8>),
    /// It came more than once.
    Repeated,
}

impl Once {
    fn add(&mut self, value: &[u8]) {
        *self = match self {
            Self::Absent => Self::Is(value.to_vec()),
            Self::Is(_) | Self::Repeated => Self::Repeated,
        };
    }

    /// The value, if there is exactly one and it is text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Is(value) => str::from_utf8(value).ok(),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// What the servers look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: Method,
    /// Begins with `/`, or is `*`.
    pub(super) target: String,
    pub(super) framing: Framing,
    /// Whether the connection may be used again.
    pub(super) keeps_alive: bool,
    pub(super) expects_continue: bool,
    pub(super) host: String,
    pub(super) origin: Once,
    pub(super) authorization: Once,
    pub(super) content_type: Once,
    pub(super) last_event_id: Once,
    pub(super) has_content_encoding: bool,
    /// `Sec-Fetch-Site`; two of them are one with a comma.
    pub(super) fetch_site: Option<Vec<u8>>,
}

/// Where a head ends in `bytes`, if it is complete. `seen` bytes were looked at before.
pub(super) fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    bytes.get(from..)?.windows(4).position(|four| four == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Whether an incomplete head has broken a limit already.
pub(super) fn too_long(bytes: &[u8]) -> Option<Answer> {
    let line_end = bytes.iter().take(REQUEST_LINE_BYTES_MAX).position(|&byte| byte == b'\n');
    if line_end.is_none() && bytes.len() >= REQUEST_LINE_BYTES_MAX {
        return Some(Answer::UriTooLong);
    }
    (bytes.len() >= HEAD_BYTES_MAX).then_some(Answer::HeadTooLarge)
}

/// Reads a complete head, its empty line included.
pub(super) fn read(bytes: &[u8]) -> Result<Head, Answer> {
    if let Some(answer) = too_long(bytes) {
        return Err(answer);
    }
    if !has_whole_line_ends(bytes) {
        return Err(Answer::BadRequest);
    }
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Answer::HeadTooLarge),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Answer::BadRequest),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Answer::BadRequest);
    };
    if target.len() > TARGET_BYTES_MAX {
        return Err(Answer::UriTooLong);
    }
    let is_origin_form = target.starts_with('/') || target == "*";
    if !is_origin_form || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Answer::BadRequest);
    }
    let mut found = Found::default();
    for field in request.headers.iter() {
        found.take(field.name, field.value)?;
    }
    found.into_head(method_of(method), target, minor)
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => Method::Other,
    }
}

/// RFC 9112 section 2.2 lets a recipient take a lone LF for a line end; whoever sends one means to be read differently
/// by somebody else.
fn has_whole_line_ends(bytes: &[u8]) -> bool {
    let mut before = 0;
    for &byte in bytes {
        if (byte == b'\n') != (before == b'\r') {
            return false;
        }
        before = byte;
    }
    before == b'\n'
}

/// Fields as they come.
#[derive(Default)]
struct Found {
    host: Once,
    length: Option<u64>,
    codings: Once,
    /// Options of `Connection`: close, keep-alive.
    options: (bool, bool),
    expects_continue: bool,
    origin: Once,
    authorization: Once,
    content_type: Once,
    last_event_id: Once,
    has_content_encoding: bool,
    fetch_site: Option<Vec<u8>>,
}

impl Found {
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), Answer> {
        // Only names of these lengths matter.
        match name.len() {
            4 if is(name, "host") => self.host.add(value),
            6 if is(name, "origin") => self.origin.add(value),
            6 if is(name, "expect") => self.expects_continue = value.eq_ignore_ascii_case(b"100-continue"),
            10 if is(name, "connection") => self.connection(value),
            12 if is(name, "content-type") => self.content_type.add(value),
            13 if is(name, "authorization") => self.authorization.add(value),
            13 if is(name, "last-event-id") => self.last_event_id.add(value),
            14 if is(name, "content-length") => self.content_length(value)?,
            14 if is(name, "sec-fetch-site") => {
                let site = self.fetch_site.get_or_insert_default();
                if !site.is_empty() {
                    site.push(b',');
                }
                site.extend_from_slice(value);
            }
            16 if is(name, "content-encoding") => self.has_content_encoding = true,
            17 if is(name, "transfer-encoding") => self.codings.add(value),
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.options.0 |= option.eq_ignore_ascii_case(b"close");
            self.options.1 |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Digits only; the same length twice is no contradiction (RFC 9112, section 6.3).
    fn content_length(&mut self, value: &[u8]) -> Result<(), Answer> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Answer::BadRequest);
        }
        let length =
            value.iter().fold(0_u64, |length, digit| length.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        if self.length.is_some_and(|earlier| earlier != length) {
            return Err(Answer::BadRequest);
        }
        self.length = Some(length);
        Ok(())
    }

    fn into_head(self, method: Method, target: &str, minor: u8) -> Result<Head, Answer> {
        let host = self.host.text().ok_or(Answer::BadRequest)?.to_owned();
        let framing = match (&self.codings, self.length) {
            (Once::Absent, None | Some(0)) => Framing::Empty,
            (Once::Absent, Some(length)) => Framing::Length(length),
            (Once::Is(coding), None) if minor == 1 && coding.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
            _ => return Err(Answer::BadRequest),
        };
        Ok(Head {
            method,
            target: target.to_owned(),
            framing,
            keeps_alive: !self.options.0 && (minor == 1 || self.options.1),
            // RFC 9110, section 10.1.1: a 1.0 client cannot mean it.
            expects_continue: self.expects_continue && minor == 1,
            host,
            origin: self.origin,
            authorization: self.authorization,
            content_type: self.content_type,
            last_event_id: self.last_event_id,
            has_content_encoding: self.has_content_encoding,
            fetch_site: self.fetch_site,
        })
    }
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}
