//! What stands in a body: H20, H21, H27 to H33.

use e2e::programs;
use e2e::web::{Posting, Wire, ask};
use std::time::{Duration, Instant};

const HEAD: &str =
    "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n";

#[test]
fn h20_a_huge_body_is_413_before_it_is_sent() {
    let posting = Posting::start(programs!());
    let mut wire = Wire::open(&posting.address);
    let answer = wire
        .send(posting.fill(&format!("{HEAD}Content-Length: 10000000000\r\nExpect: 100-continue\r\n\r\n")).as_bytes())
        .answer();
    assert_eq!(answer.status, 413, "and no 100 before it");
    assert!(wire.is_closed());
    let answer = posting.ask(&format!("{HEAD}Content-Length: 99999999999999999999999999\r\n\r\n"));
    assert_eq!(answer.status, 413);
    let endless =
        format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{}", format!("1000\r\n{}\r\n", " ".repeat(4096)).repeat(40));
    assert_eq!(posting.ask(&endless).status, 413);
    let mut wire = Wire::open(&posting.address);
    wire.send(posting.fill(&format!("{HEAD}Content-Length: 13\r\nExpect: 100-continue\r\n\r\n")).as_bytes());
    assert_eq!(wire.answer().status, 100, "one that fits is asked for");
    assert_eq!(wire.send(b"{\"value\":\"a\"}").answer().status, 204);
}

#[test]
fn h21_compressed_bodies_are_415() {
    let posting = Posting::start(programs!());
    for coding in ["gzip", "deflate", "br", "zstd", "identity"] {
        let fields = format!("Content-Encoding: {coding}\r\n");
        let answer = ask(&posting.address, &posting.request("/events/slug", &fields, "{\"value\":\"a\"}"));
        assert_eq!(answer.status, 415, "{coding}");
    }
}

#[test]
fn h27_only_plain_json_in_utf_8_is_taken() {
    let posting = Posting::start(programs!());
    let ask = |kind: &str| {
        posting.ask(&format!(
            "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: {kind}\r\nContent-Length: 13\r\n\r\n{{\"value\":\"a\"}}"
        ))
    };
    for kind in [
        "application/vnd.x+json",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/jsonx",
        "application/json;x=y",
        "text/json",
        "json",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json\r\nContent-Type: application/json",
    ] {
        assert_eq!(ask(kind).status, 415, "{kind}");
    }
    for kind in ["application/json", "Application/JSON; Charset=UTF-8", "application/json;charset=\"utf-8\""] {
        assert_eq!(ask(kind).status, 204, "{kind}");
    }
}

#[test]
fn h28_what_is_no_json_in_utf_8_is_400() {
    let posting = Posting::start(programs!());
    let bodies: [&[u8]; 8] = [
        b"",
        b"{\"value\":\"\xff\"}",
        b"{\"value\":\"\\ud800\"}",
        b"\xef\xbb\xbf{\"value\":\"a\"}",
        b"{\"value\":\"a\"}x",
        b"{\"value\":\"a\"}{\"value\":\"b\"}",
        b"{\"value\":\"a\",}",
        b"{\"value\":\"\x01\"}",
    ];
    for body in bodies {
        let head = posting.fill(&format!("{HEAD}Content-Length: {}\r\n\r\n", body.len()));
        let answer = ask(&posting.address, &[head.as_bytes(), body].concat());
        assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(body));
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h29_a_bomb_of_brackets_is_refused_at_once() {
    let posting = Posting::start(programs!());
    posting.assert_alive();
    let bomb = "[".repeat(60_000);
    let closed = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    for body in
        [format!("{{\"value\":{bomb}"), format!("{{\"value\":\"a\",\"x\":{closed}}}"), closed, "{\"a\":".repeat(12_000)]
    {
        let began = Instant::now();
        let answer = posting.post_body(&body);
        assert!([400, 422].contains(&answer.status), "{answer:?}");
        // The limit is 10 ms of its own; a shared machine gets more.
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    posting.assert_alive();
}

#[test]
fn h30_a_key_that_comes_twice_is_422() {
    let posting = Posting::start(programs!());
    for body in [
        r#"{"value":"a","value":"b"}"#,
        r#"{"value":"a","value":"a"}"#,
        r#"{"value":"a","\u0076alue":"b"}"#,
        r#"{"\u0076alue":"b","value":"a"}"#,
    ] {
        assert_eq!(posting.post_body(body).status, 422, "{body}");
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h31_no_other_key_is_taken_and_none_has_an_effect() {
    let posting = Posting::start(programs!());
    for body in [
        r#"{"value":"x","workflow":"evil","state_key":"root"}"#,
        r#"{"value":"x","":""}"#,
        r#"{"state_key":"slug","value":"x"}"#,
        r#"{"Value":"x"}"#,
    ] {
        assert_eq!(posting.post_body(body).status, 422, "{body}");
    }
    assert_eq!(posting.state_of("slug"), None);
    assert_ne!(posting.state_of("root").as_deref(), Some("x"));
    assert_eq!(posting.session.count("running workflow"), 0);
}

#[test]
fn h32_a_list_is_no_object() {
    let posting = Posting::start(programs!());
    for body in [r#"["x"]"#, r#"[{"value":"x"}]"#, r#"[["value","x"]]"#] {
        assert_eq!(posting.post_body(body).status, 422, "{body}");
    }
}

#[test]
fn h33_only_text_is_a_value() {
    let posting = Posting::start(programs!());
    for body in [
        r#"{"value":1}"#,
        r#"{"value":null}"#,
        r#"{"value":true}"#,
        r#"{"value":{"a":"b"}}"#,
        r#"{"value":["a"]}"#,
        "null",
        r#""value""#,
        "1",
        "{}",
    ] {
        assert_eq!(posting.post_body(body).status, 422, "{body}");
    }
    assert_eq!(posting.state_of("slug"), None);
}
