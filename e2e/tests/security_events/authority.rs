//! Who may post: H1 to H6, H13, H14, H37, H38.

use e2e::web::{Posting, Wire, ask, eventually};
use e2e::{programs, wait};
use std::io::Write as _;

const JSON: &str = "Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"value\":\"a\"}";

#[test]
fn h1_without_the_right_bearer_token_everything_is_401() {
    let posting = Posting::start(programs!());
    let wrong = posting.token.replace(|c: char| c.is_ascii_digit(), "0");
    let no_token = [
        String::new(),
        format!("Authorization: Bearer {wrong}\r\n"),
        "Authorization: Bearer \r\n".to_owned(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: \r\n".to_owned(),
        "Authorization: Basic TOKEN\r\n".to_owned(),
        "Authorization: TOKEN\r\n".to_owned(),
        "Authorization: Bearer TOKENx\r\n".to_owned(),
        "Authorization: Bearer TOKEN TOKEN\r\n".to_owned(),
        "Authorization: Bearer xTOKEN\r\n".to_owned(),
        "Cookie: token=TOKEN\r\n".to_owned(),
        "X-Authorization: Bearer TOKEN\r\n".to_owned(),
    ];
    for fields in no_token {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\n{fields}{JSON}"));
        assert_eq!(answer.status, 401, "{fields}: {answer:?}");
        assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
    }
    let answer = posting.ask(&format!("POST /events/slug?token=TOKEN HTTP/1.1\r\nHost: HOST\r\n{JSON}"));
    assert_eq!(answer.status, 401);
    assert_eq!(posting.state_of("slug"), None);
    let answer =
        posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: bEARER TOKEN\r\n{JSON}"));
    assert_eq!(answer.status, 204, "the scheme has no case (RFC 9110, section 11.1)");
}

#[test]
fn h2_names_cannot_be_found_out_without_a_token() {
    let posting = Posting::start(programs!());
    let answers: Vec<_> = ["/events/slug", "/events/unknown", "/", "/events/", "*", "/admin?x=y"]
        .iter()
        .flat_map(|path| ["POST", "GET", "DELETE", "OPTIONS"].map(|method| format!("{method} {path}")))
        .map(|line| posting.ask(&format!("{line} HTTP/1.1\r\nHost: HOST\r\n\r\n")))
        .collect();
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(answers[0].status, 401);
}

#[test]
fn h3_no_body_is_read_before_the_token_is_checked() {
    let posting = Posting::start(programs!());
    posting.assert_alive();
    let before = posting.memory_kib();
    for _ in 0..20 {
        let mut wire = Wire::open(&posting.address);
        let head = posting.fill("POST /events/slug HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1900000\r\n\r\n");
        wire.send(head.as_bytes());
        // Answered before a byte of the body was sent.
        assert_eq!(wire.answer().status, 401);
        let _ = wire.stream.write_all(&vec![b'{'; 1_900_000]);
    }
    let grown = posting.memory_kib().saturating_sub(before);
    assert!(grown < 1900, "{grown} KiB more");
    assert_eq!(posting.ask("POST /events/slug HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\n\r\n{").status, 401);
    posting.assert_alive();
}

#[test]
fn h4_two_authorizations_are_none() {
    let posting = Posting::start(programs!());
    let (good, bad) = ("Authorization: Bearer TOKEN\r\n", "Authorization: Bearer x\r\n");
    for two in [[good, bad], [bad, good], [good, good]] {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\n{}{}{JSON}", two[0], two[1]));
        assert_eq!(answer.status, 401, "{two:?}");
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h5_a_token_that_is_nearly_right_is_as_wrong_as_any() {
    let posting = Posting::start(programs!());
    let length = posting.token.len();
    let changed = |at: usize| {
        let mut bytes = posting.token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(bytes).unwrap()
    };
    for token in [changed(4), changed(length / 2), changed(length - 1), posting.token[..length - 1].to_owned()] {
        let answer = posting
            .ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\n{JSON}"));
        assert_eq!(answer.status, 401);
    }
}

#[test]
fn h6_a_hundred_bad_tokens_are_answered_with_429_and_a_live_one_never_is() {
    let posting = Posting::start(programs!());
    let guess =
        posting.fill(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer guess\r\n{JSON}"));
    let statuses: Vec<u16> = (0..130).map(|_| ask(&posting.address, guess.as_bytes()).status).collect();
    assert_eq!(&statuses[..100], [401; 100]);
    assert!(statuses.contains(&429), "{statuses:?}");
    posting.assert_alive();
    let flooded = || posting.audit().iter().filter(|line| line["status"] == 429).count();
    eventually("the audit log has the flood", || flooded() > 0);
    assert_eq!(flooded(), 1, "told once");
}

#[test]
fn h13_other_methods_are_405_after_the_token_and_echo_nothing() {
    let posting = Posting::start(programs!());
    for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "OPTIONS", "CONNECT", "post", "BREW"] {
        let answer = posting.ask(&format!(
            "{method} /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nX-Secret: echo-me\r\n\r\n"
        ));
        assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")), "{method}");
        assert!(!format!("{answer:?}").contains("echo-me"), "{method}");
    }
    let answer = posting.ask("CONNECT HOST HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n");
    assert_eq!(answer.status, 400);
}

#[test]
fn h14_a_method_cannot_be_smuggled_in_a_field() {
    let posting = Posting::start(programs!());
    for target in ["/events/slug", "/events/slug?_method=POST"] {
        let answer = posting.ask(&format!(
            "GET {target} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nX-HTTP-Method-Override: POST\r\n{JSON}"
        ));
        assert!([404, 405].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h37_refusals_are_fixed_words_without_versions_paths_or_values() {
    let posting = Posting::start(programs!());
    let with = "Host: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n";
    let requests = [
        "POST /events/slug HTTP/1.1\r\nHost: HOST\r\n\r\n".to_owned(),
        "POST /events/slug HTTP/1.1\r\nHost: sec-ret\r\n\r\n".to_owned(),
        format!("POST /events/sec-ret HTTP/1.1\r\n{with}\r\n"),
        format!("POST /events/slug HTTP/1.1\r\n{with}Content-Length: 7\r\n\r\nsec-ret"),
        format!("POST /events/slug HTTP/1.1\r\n{with}Content-Length: 19\r\n\r\n{{\"value\":\"SEC-RET\"}}"),
        format!("POST /events/slug HTTP/1.1\r\n{with}Content-Length: 13\r\n\r\n{{\"sec-ret\":1}}"),
    ];
    for request in requests {
        let answer = posting.ask(&request);
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        let text = format!("{}{}", answer.head, answer.body).to_lowercase();
        for word in [
            "sec-ret",
            "devloop",
            "/events",
            "serde",
            "line ",
            "column",
            "server:",
            "access-control",
            "location",
            ".rs",
        ] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        assert!(answer.body.len() < 64 && !answer.body.contains(&posting.token));
    }
}

#[test]
fn h38_after_the_end_nobody_answers_and_the_next_session_has_new_tokens() {
    let mut posting = Posting::start(programs!());
    let (address, token) = (posting.address.clone(), posting.token.clone());
    posting.session.stop();
    let refused = std::net::TcpStream::connect(&address).is_err();
    assert!(refused, "nobody listens any more");
    let again = Posting::run(posting.project);
    assert_ne!(again.token, token);
    let old = format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\n{JSON}");
    assert_eq!(again.ask(&old).status, 401);
    again.assert_alive();
    wait::until("the new state is there", || again.state_of("slug"));
}
