//! Fuzz targets `request_head` and `json_body`: everything that reads bytes of a client. No panic, no limit broken, and
//! nothing that could be read in two ways.

use super::answer::Answer;
use super::body::{BODY_BYTES_MAX, Body};
use super::head::{self, Framing, HEAD_BYTES_MAX, Head, Method, Once};
use super::wire;
use crate::adapters::json;
use crate::fuzz;
use std::fmt::Write as _;

const HEAD_DICTIONARY: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    ":",
    " ",
    "\t",
    ",",
    ";",
    "x",
    "chunked",
    "identity",
    "Content-Length: 5\r\n",
    "Content-Length: 6\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: x\r\n",
    "Origin: null\r\n",
    "Authorization: Bearer x\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Sec-Fetch-Site: cross-site\r\n",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "http://",
    "0\r\n\r\n",
    "ffffffffffffffff",
    "\u{e9}",
    "+",
    "-",
];

const JSON_DICTIONARY: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\\u0000",
    "\u{e9}",
    "\u{1f600}",
    "\u{feff}",
    ",",
    ":",
    " ",
    "\n",
    "\u{b}",
    "\0",
    "-",
    "+",
    ".",
    "0",
    "1e9",
    "1e999",
    "true",
    "null",
    "\"value\":",
    "\"\\u0076alue\":",
    "{\"value\":\"x\"}",
];

/// The same head, in our own words.
fn written(head: &Head) -> String {
    let method = match head.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Other => "BREW",
    };
    let mut text = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", head.target, head.host);
    let mut field = |name: &str, value: &[u8]| write!(text, "{name}: {}\r\n", str::from_utf8(value).unwrap()).unwrap();
    match head.framing {
        Framing::Empty => {}
        Framing::Length(length) => field("content-length", length.to_string().as_bytes()),
        Framing::Chunked => field("transfer-encoding", b"chunked"),
    }
    let fields = [
        ("origin", &head.origin),
        ("authorization", &head.authorization),
        ("content-type", &head.content_type),
        ("last-event-id", &head.last_event_id),
    ];
    for (name, once) in fields {
        match once {
            Once::Absent => {}
            Once::Is(value) => field(name, value),
            Once::Repeated => {
                field(name, b"one");
                field(name, b"two");
            }
        }
    }
    if let Some(site) = &head.fetch_site {
        field("sec-fetch-site", site);
    }
    for (is_there, name, value) in [
        (!head.keeps_alive, "connection", "close"),
        (head.expects_continue, "expect", "100-continue"),
        (head.has_content_encoding, "content-encoding", "gzip"),
    ] {
        if is_there {
            field(name, value.as_bytes());
        }
    }
    text + "\r\n"
}

/// What a second reader, as simple as can be, finds in the bytes of an accepted head.
fn check_head(bytes: &[u8], head: &Head) {
    assert!(bytes.len() < HEAD_BYTES_MAX && !bytes.contains(&0));
    assert!(head.target.bytes().all(|byte| byte.is_ascii_graphic()) && head.target.starts_with(['/', '*']));
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.strip_suffix("\r\n\r\n").unwrap().split("\r\n").collect();
    assert!(lines.iter().all(|line| !line.contains(['\r', '\n']) && !line.starts_with([' ', '\t'])));
    assert!(lines[0].ends_with(" HTTP/1.1") || lines[0].ends_with(" HTTP/1.0"));
    let of = |wanted: &str| {
        let fields = lines[1..].iter().map(|line| line.split_once(':').unwrap());
        fields.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).collect::<Vec<_>>()
    };
    assert_eq!(of("host"), [&head.host]);
    let (lengths, codings) = (of("content-length"), of("transfer-encoding"));
    assert!(lengths.is_empty() || codings.is_empty(), "two ways to say how long a body is");
    match head.framing {
        Framing::Empty => assert!(codings.is_empty() && lengths.iter().all(|length| length.bytes().all(|b| b == b'0'))),
        Framing::Length(told) => assert!(
            !lengths.is_empty() && lengths.iter().all(|length| length.parse().unwrap_or(u64::MAX) == told),
            "{lengths:?}"
        ),
        Framing::Chunked => assert!(codings.len() == 1 && codings[0].eq_ignore_ascii_case("chunked"), "{codings:?}"),
    }
    let is_text = [&head.origin, &head.authorization, &head.content_type, &head.last_event_id]
        .iter()
        .all(|once| **once == Once::Repeated || **once == Once::Absent || once.text().is_some())
        && head.fetch_site.as_ref().is_none_or(|site| str::from_utf8(site).is_ok());
    if is_text && bytes.len() < HEAD_BYTES_MAX - 1024 {
        assert_eq!(head::read(written(head).as_bytes()).as_ref(), Ok(head));
    }
}

/// However a body is cut, it is the same body.
fn check_body(framing: Framing, bytes: &[u8]) {
    let mut whole = None;
    for piece in [1, 5, bytes.len().max(1)] {
        let Ok(mut body) = Body::new(framing) else { return };
        let result = bytes.chunks(piece).try_for_each(|part| body.feed(part).map(drop));
        assert!(body.bytes.len() <= BODY_BYTES_MAX);
        let found = (result.map(|()| body.is_whole()), body.bytes);
        let first = whole.get_or_insert_with(|| found.clone());
        assert_eq!(first.0, found.0);
        if found.0 == Ok(true) {
            assert_eq!(first.1, found.1);
        }
    }
}

#[test]
fn mutated_heads_are_read_in_one_way_or_not_at_all() {
    fuzz::target("request_head", HEAD_DICTIONARY, |mut bytes| {
        // As a connection does.
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            bytes = rest;
        }
        let Some(end) = head::end(bytes, 0) else {
            head::too_long(bytes);
            return;
        };
        if let Ok(head) = head::read(&bytes[..end]) {
            check_head(&bytes[..end], &head);
            check_body(head.framing, &bytes[end..]);
        }
    });
}

/// How many keys with a value there are in JSON: colons outside of its strings.
fn pairs(json: &[u8]) -> usize {
    let (mut count, mut is_string, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_string = !is_string,
            b':' if !is_string => count += 1,
            _ => {}
        }
    }
    count
}

/// Whether the library may refuse a number that has the right form: one that fits no double.
fn has_large_number(bytes: &[u8]) -> bool {
    let is_exponent = |two: &[u8]| two[0].is_ascii_digit() && matches!(two[1], b'e' | b'E');
    bytes.windows(2).any(is_exponent) || bytes.iter().filter(|byte| byte.is_ascii_digit()).count() > 250
}

#[test]
fn mutated_bodies_mean_what_a_strict_reader_says() {
    fuzz::target("json_body", JSON_DICTIONARY, |bytes| {
        let ours = wire::value(bytes);
        // The library counts depth in another way.
        if bytes.iter().filter(|byte| b"[{".contains(byte)).count() > 120 {
            return;
        }
        let theirs = json::text_of_value(bytes);
        match ours {
            Ok(value) => assert_eq!((theirs, pairs(bytes)), (Ok(Some(value)), 1)),
            Err(Answer::WrongShape) => {
                let is_seen = match theirs {
                    Ok(None) => true,
                    // The library keeps the last of two.
                    Ok(Some(_)) => pairs(bytes) > 1,
                    Err(_) => has_large_number(bytes),
                };
                assert!(is_seen, "theirs: {theirs:?}");
            }
            Err(answer) => assert!(answer == Answer::NotJson && theirs.is_err(), "{answer:?}, theirs: {theirs:?}"),
        }
    });
}
