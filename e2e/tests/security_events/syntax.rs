//! What is not the HTTP that we read: H8, H16 to H19, H22, H26, H34.

use e2e::programs;
use e2e::web::{Posting, Wire, ask};

#[test]
fn h8_exactly_one_host() {
    let posting = Posting::start(programs!());
    for head in [
        "POST /events/slug HTTP/1.1\r\n",
        "POST /events/slug HTTP/1.0\r\n",
        "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n",
        "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nhost: evil.example\r\n",
    ] {
        let answer = posting.ask(&format!("{head}Authorization: Bearer TOKEN\r\n\r\n"));
        assert_eq!(answer.status, 400, "{head}");
    }
    let old = "POST /events/slug HTTP/1.0\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"value\":\"a\"}";
    let mut wire = Wire::open(&posting.address);
    assert_eq!(wire.send(posting.fill(old).as_bytes()).answer().status, 204);
    assert!(wire.is_closed(), "a 1.0 client that does not ask for more is done");
}

#[test]
fn h16_http_2_with_prior_knowledge_is_not_served() {
    let posting = Posting::start(programs!());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut wire = Wire::open(&posting.address);
    let answer = wire.send(preface).answer();
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.head.starts_with("HTTP/1.1 400"));
    assert!(wire.is_closed());
    posting.assert_alive();
}

#[test]
fn h17_an_offer_of_h2c_is_ignored() {
    let posting = Posting::start(programs!());
    let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let answer = ask(&posting.address, &posting.request("/events/slug", fields, "{\"value\":\"a\"}"));
    assert_eq!(answer.status, 204);
    assert_eq!(answer.field("upgrade"), None);
}

#[test]
fn h18_smuggling_attempts_are_400_and_the_connection_is_closed() {
    let posting = Posting::start(programs!());
    let attempts = [
        "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 13\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Content-Length: 13\r\nContent-Length: 14\r\n",
        "Content-Length: +13\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 13 14\r\n",
        "Content-Length: 13\r\nX: a\r\n folded\r\n",
        "Content-Length : 13\r\n",
        " Content-Length: 13\r\n",
        "X: a\rContent-Length: 13\r\n",
        "X: a\nContent-Length: 13\r\n",
        "X: a\0b\r\nContent-Length: 13\r\n",
        "X\0: ab\r\nContent-Length: 13\r\n",
    ];
    for fields in attempts {
        let request = format!(
            "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n{fields}\r\n{{\"value\":\"a\"}}"
        );
        let second = posting.posting("slug", "smuggled");
        let mut wire = Wire::open(&posting.address);
        let answer = wire.send(&[posting.fill(&request).into_bytes(), second].concat()).answer();
        assert_eq!((answer.status, answer.field("connection")), (400, Some("close")), "{fields:?}");
        assert!(wire.is_closed(), "{fields:?}");
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h19_broken_chunks_are_refused_and_good_ones_are_fine() {
    let posting = Posting::start(programs!());
    let head = "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let ask = |body: &str| {
        let mut wire = Wire::open(&posting.address);
        wire.send(posting.fill(head).as_bytes()).send(body.as_bytes()).answer().status
    };
    for bad in ["z\r\n", "-1\r\n", "0x5\r\n", "5\r\nabcdefgh", " 5\r\n", "1\n{\n", "0\r\nno field\r\n\r\n"] {
        assert_eq!(ask(bad), 400, "{bad:?}");
    }
    assert_eq!(ask("ffffffffffffffffff\r\n"), 400);
    assert_eq!(ask("fffffffffffffff\r\n"), 413);
    assert!([400, 413].contains(&ask(&format!("1;{}", "x".repeat(100_000)))));
    assert!([400, 413].contains(&ask(&format!("0\r\n{}", "x: y\r\n".repeat(20_000)))));
    assert_eq!(posting.state_of("slug"), None);
    let single: String =
        "{\"value\":\"a\"}".chars().flat_map(|c| ["1\r\n".to_owned(), c.to_string(), "\r\n".to_owned()]).collect();
    assert_eq!(ask(&format!("{single}0\r\n\r\n")), 204);
}

#[test]
fn h22_floods_of_fields_are_431_and_long_targets_414() {
    let posting = Posting::start(programs!());
    let many: String = "X-Flood: y\r\n".repeat(200);
    let long = format!("X: {}\r\n", "y".repeat(1_000_000));
    for fields in [many, long] {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\n{fields}\r\n"));
        assert_eq!(answer.status, 431);
    }
    for length in [3_000, 100_000] {
        let answer = posting.ask(&format!("POST /{} HTTP/1.1\r\nHost: HOST\r\n\r\n", "a".repeat(length)));
        assert_eq!(answer.status, 414, "{length}");
    }
    posting.assert_alive();
}

#[test]
fn h26_no_trick_makes_another_path_an_event() {
    let posting = Posting::start(programs!());
    let deep = "/a".repeat(900);
    let tricks = [
        "/events/%2e%2e",
        "/events/..",
        "/events/../events/slug",
        "//events/slug",
        "/events//slug",
        "/events/slug/",
        "/events%2fslug",
        "/events/slug%00",
        "/events/slug%ff",
        "/events/slug%zz",
        "/events/slug;x",
        "/events/slug#x",
        "/events\\slug",
        "/EVENTS/slug",
        "/events/SLUG",
        "/events/slu%67",
        "/events/slug?",
        "/events/slug?x=y",
        "/events/slug%20",
        "/events",
        "/events/",
        "/",
        "*",
        "/./events/slug",
        &deep,
    ];
    for target in tricks {
        let answer = ask(&posting.address, &posting.request(target, "", "{\"value\":\"a\"}"));
        assert!([400, 404].contains(&answer.status), "{target}: {answer:?}");
    }
    let answer = ask(&posting.address, &posting.request("/events/slug\u{e9}", "", "{\"value\":\"a\"}"));
    assert_eq!(answer.status, 400);
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h34_a_refusal_that_leaves_doubt_closes_and_any_other_keeps_the_connection() {
    let posting = Posting::start(programs!());
    let good = posting.posting("slug", "good");
    let closing = [
        (400, "POST /events/slug HTTP/1.1\r\n\r\n".to_owned()),
        (401, "POST /events/slug HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned()),
        (400, String::from_utf8(posting.request("/events/slug", "", "no json")).unwrap()),
        (413, "POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: 70000\r\n\r\n".to_owned()),
    ];
    for (status, bad) in closing {
        let mut wire = Wire::open(&posting.address);
        wire.send(&[posting.fill(&bad).into_bytes(), good.clone()].concat());
        assert_eq!(wire.answer().status, status);
        assert!(wire.is_closed(), "{status}: the second request never runs");
    }
    assert_eq!(posting.state_of("slug"), None);
    let mut wire = Wire::open(&posting.address);
    let unknown = posting.fill("GET /unknown HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n");
    let shapeless = posting.request("/events/slug", "", "{}");
    wire.send(&[unknown.into_bytes(), shapeless, good.clone(), good].concat());
    let statuses: Vec<u16> = (0..4).map(|_| wire.answer().status).collect();
    assert_eq!(statuses, [404, 422, 204, 204]);
}
