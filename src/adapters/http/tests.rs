//! The pure parts: heads, bodies, JSON, hosts and origins, each against what RFC 9112 and SECURITY.md say of it.

use super::answer::Answer;
use super::body::{BODY_BYTES_MAX, Body};
use super::guard::{Hosts, no_page, reading_origin};
use super::head::{self, Framing, Head, Method};
use super::wire;

fn head(fields: &str) -> Result<Head, Answer> {
    head::read(format!("POST /events/e HTTP/1.1\r\n{fields}\r\n").as_bytes())
}

fn framing(fields: &str) -> Result<Framing, Answer> {
    head(&format!("Host: x\r\n{fields}")).map(|head| head.framing)
}

#[test]
fn a_plain_head_is_read() {
    let head = head("Host: localhost:1\r\nConnection: Close\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n").unwrap();
    assert_eq!((head.method, &*head.target, &*head.host), (Method::Post, "/events/e", "localhost:1"));
    assert_eq!((head.framing, head.keeps_alive, head.expects_continue), (Framing::Length(5), false, true));
}

#[test]
fn lengths_are_digits_and_agree() {
    assert_eq!(framing("Content-Length: 13\r\nContent-Length: 13\r\n"), Ok(Framing::Length(13)));
    assert_eq!(framing("Content-Length: 99999999999999999999999\r\n"), Ok(Framing::Length(u64::MAX)));
    assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    for bad in [
        "Content-Length: +13\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: 1 3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 13, 13\r\n",
        "Content-Length: 13\r\nContent-Length: 14\r\n",
        "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 13\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: a\rb\r\n",
        "X: a\nY: b\r\n",
        "X: a\0b\r\n",
        "X\0: a\r\n",
        ": a\r\n",
    ] {
        assert_eq!(framing(bad), Err(Answer::BadRequest), "{bad:?}");
    }
}

#[test]
fn versions_targets_and_hosts_that_are_not_served() {
    let read = |text: &str| head::read(text.as_bytes()).map(|_| ());
    assert_eq!(read("GET / HTTP/1.0\r\nHost: x\r\n\r\n"), Ok(()));
    for bad in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert_eq!(read(bad), Err(Answer::BadRequest), "{bad:?}");
    }
    assert_eq!(read(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(2048))), Err(Answer::UriTooLong));
    assert_eq!(read(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(64))), Err(Answer::HeadTooLarge));
}

/// Feeds a chunked body in pieces of every size, which must make no difference.
fn chunked(text: &str) -> Result<(Vec<u8>, bool, usize), Answer> {
    let mut results = Vec::new();
    for piece in [1, 2, 3, 7, text.len().max(1)] {
        let mut body = Body::new(Framing::Chunked).unwrap();
        let mut used = 0;
        let result = text.as_bytes().chunks(piece).try_for_each(|bytes| body.feed(bytes).map(|taken| used += taken));
        results.push(result.map(|()| (body.bytes.clone(), body.is_whole(), used)));
    }
    assert!(results.windows(2).all(|two| two[0] == two[1]), "{text:?}: {results:?}");
    results.pop().unwrap()
}

#[test]
fn chunks_are_put_together() {
    let text = "3;x=\"y\"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Trailer: ignored\r\n\r\nGET ";
    assert_eq!(chunked(text), Ok((b"abc0123456789".to_vec(), true, text.len() - 4)));
    assert_eq!(chunked("0\r\n\r\n"), Ok((Vec::new(), true, 5)));
    assert_eq!(chunked("3\r\nab"), Ok((b"ab".to_vec(), false, 5)));
}

#[test]
fn chunks_that_are_none_are_refused() {
    let bad = [
        "g\r\n",
        "\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        "1 \r\na\r\n",
        "1\na\n",
        "1\r\nab\r\n",
        "1\r\na\n\r",
        "11111111111111111\r\n",
        "1;\0\r\n",
        "0\r\nno field\r\n\r\n",
        "0\r\n folded\r\n\r\n",
        "1\r\r\na",
    ];
    for text in bad {
        assert_eq!(chunked(text), Err(Answer::BadRequest), "{text:?}");
    }
    assert_eq!(chunked(&format!("1;{}", "x".repeat(300))), Err(Answer::BadRequest));
    assert_eq!(chunked(&format!("0\r\n{}", "x: y\r\n".repeat(2000))), Err(Answer::BadRequest));
    assert_eq!(chunked("ffffffffffffffff\r\n"), Err(Answer::BodyTooLarge));
    assert_eq!(chunked("10001\r\n"), Err(Answer::BodyTooLarge));
}

#[test]
fn a_body_is_never_longer_than_it_may_be() {
    assert_eq!(Body::new(Framing::Length(BODY_BYTES_MAX as u64 + 1)).unwrap_err(), Answer::BodyTooLarge);
    let mut body = Body::new(Framing::Chunked).unwrap();
    let mut fed = 0;
    let refused = loop {
        match body.feed(b"1\r\nx\r\n") {
            Ok(_) => fed += 1,
            Err(answer) => break answer,
        }
    };
    assert_eq!((refused, fed, body.bytes.len()), (Answer::BodyTooLarge, BODY_BYTES_MAX, BODY_BYTES_MAX));
}

#[test]
fn only_the_one_shape_is_a_value() {
    let value = |text: &str| wire::value(text.as_bytes());
    assert_eq!(value(" {\t\"value\" :\n\"a\\u0041\\n\\ud83d\\ude00\\/é\" }\r\n"), Ok("aA\n😀/é".to_owned()));
    assert_eq!(value(r#"{"\u0076alue":""}"#), Ok(String::new()));
    for shape in [
        "{}",
        "[]",
        "null",
        "\"x\"",
        "1",
        "true",
        r#"["x"]"#,
        r#"{"value":1}"#,
        r#"{"value":null}"#,
        r#"{"value":["x"]}"#,
        r#"{"value":{"value":"x"}}"#,
        r#"{"value":"a","value":"a"}"#,
        r#"{"value":"a","\u0076alue":"b"}"#,
        r#"{"value":"a","x":1}"#,
        r#"{"x":1,"value":"a"}"#,
        r#"{"Value":"a"}"#,
        r#"{"value":"a","workflow":"w","state_key":"root"}"#,
    ] {
        assert_eq!(value(shape), Err(Answer::WrongShape), "{shape}");
    }
    for text in [
        "",
        " ",
        "{",
        "{\"value\"",
        "{\"value\":}",
        "{\"value\":\"a\"",
        "{\"value\":\"a\"} x",
        "{\"value\":\"a\"}{}",
        "\u{feff}{\"value\":\"a\"}",
        "{\"value\":\"\\ud800\"}",
        "{\"value\":\"\\ud800\\u0041\"}",
        "{\"value\":\"\\udc00\"}",
        "{\"value\":\"\\x\"}",
        "{\"value\":\"a\nb\"}",
        "{\"value\":\"a\",}",
        "{,}",
        "{value:\"a\"}",
        "{'value':'a'}",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "NaN",
        "tru",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "\"\\u00g0\"",
        "\"\\u+123\"",
        "/**/{}",
    ] {
        assert_eq!(value(text), Err(Answer::NotJson), "{text}");
    }
    assert_eq!(wire::value(b"{\"value\":\"\xff\"}"), Err(Answer::NotJson));
}

#[test]
fn hosts_are_ours_with_our_port() {
    let hosts = Hosts::new("127.0.0.2:7".parse().unwrap());
    for ours in ["127.0.0.1:7", "LocalHost:7", "[::1]:7", "127.0.0.2:7"] {
        assert_eq!(hosts.check(ours), Ok(()), "{ours}");
    }
    for foreign in [
        "evil.example:7",
        "localhost.evil.example:7",
        "127.0.0.1.evil.example:7",
        "127.0.0.1:8",
        "127.0.0.1",
        "localhost",
        "0.0.0.0:7",
        "[::1]",
        "::1:7",
        "",
        ":7",
        "localhost:07",
        "localhost:7:7",
        "user@localhost:7",
        "localhost.:7",
        "127.1:7",
    ] {
        assert_eq!(hosts.check(foreign), Err(Answer::ForeignHost), "{foreign}");
    }
    assert_eq!(Hosts::new("127.0.0.1:80".parse().unwrap()).check("localhost"), Ok(()));
}

#[test]
fn origins_of_this_machine_may_listen_and_listed_ones() {
    let allowed = ["https://x.trycloudflare.com".to_owned()];
    let read = |fields: &str| {
        reading_origin(&head(&format!("Host: x\r\n{fields}")).unwrap(), &allowed).map_err(|(answer, _)| answer)
    };
    assert_eq!(read(""), Ok(None));
    assert_eq!(read("Sec-Fetch-Site: same-site\r\n"), Ok(None));
    for ours in [
        "http://localhost",
        "http://localhost:3000",
        "https://a.b.localhost:1",
        "http://127.0.0.1",
        "http://127.9.8.7:1",
        "http://[::1]:3000",
        "http://[::1]",
        "https://x.trycloudflare.com",
    ] {
        assert_eq!(read(&format!("Origin: {ours}\r\n")), Ok(Some(ours.to_owned())), "{ours}");
    }
    for foreign in [
        "null",
        "",
        "http://evil.example",
        "http://localhost.evil.example",
        "http://evillocalhost",
        "http://.localhost",
        "localhost",
        "file://localhost",
        "http://localhost:",
        "http://localhost:99999",
        "http://localhost:1:2",
        "http://localhost/x",
        "http://user@localhost",
        "http://localhost evil",
        "http://2130706433",
        "http://127.0.0.1.evil.example",
        "http://128.0.0.1",
        "https://x.trycloudflare.com:444",
        "https://y.trycloudflare.com",
        "http://x.trycloudflare.com",
        "http://[::2]",
    ] {
        assert_eq!(read(&format!("Origin: {foreign}\r\n")), Err(Answer::ForeignOrigin), "{foreign}");
    }
    assert_eq!(read("Sec-Fetch-Site: cross-site\r\n"), Err(Answer::ForeignOrigin));
    assert_eq!(read("Sec-Fetch-Site: none\r\nSec-Fetch-Site: Cross-Site\r\n"), Err(Answer::ForeignOrigin));
    assert_eq!(read("Origin: http://localhost\r\nOrigin: http://localhost\r\n"), Err(Answer::ForeignOrigin));
}

#[test]
fn no_page_posts_events() {
    let check = |fields: &str| no_page(&head(&format!("Host: x\r\n{fields}")).unwrap());
    assert_eq!(check("Sec-Fetch-Mode: cors\r\n"), Ok(()));
    assert_eq!(check("Sec-Fetch-Site: none\r\n"), Ok(()));
    for page in
        ["Origin: null", "Origin:", "Origin: http://localhost", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site:"]
    {
        assert_eq!(check(&format!("{page}\r\n")), Err(Answer::ForeignOrigin), "{page}");
    }
}

#[test]
fn answers_are_fixed_and_tell_nothing_of_the_program() {
    for answer in
        [Answer::Unauthorized, Answer::NotFound, Answer::NotPost, Answer::NotJson, Answer::NotSaved, Answer::Busy]
    {
        let mut out = Vec::new();
        answer.write(false, true, &mut out);
        let text = String::from_utf8(out).unwrap();
        let lower = text.to_lowercase();
        for word in ["access-control", "devloop", "server:", "serde", "location"] {
            assert!(!lower.contains(word), "{text}");
        }
        assert!(text.contains("\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{text}");
    }
}
