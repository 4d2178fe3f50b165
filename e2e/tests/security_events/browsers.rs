//! Web pages: H7, H9 to H12, H15.

use e2e::programs;
use e2e::web::Posting;

const TAIL: &str =
    "Authorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"value\":\"a\"}";

#[test]
fn h7_a_rebound_name_is_403() {
    let posting = Posting::start(programs!());
    let port = posting.address.rsplit(':').next().unwrap().to_owned();
    let foreign = [
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.0.0.2:{port}"),
        format!("localhost.:{port}"),
        "localhost:1".to_owned(),
        "localhost".to_owned(),
        format!("localhost:0{port}"),
        format!("user@localhost:{port}"),
        String::new(),
    ];
    for host in foreign {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: {host}\r\n{TAIL}"));
        assert_eq!(answer.status, 403, "{host}");
    }
    assert_eq!(posting.state_of("slug"), None);
    for host in
        [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("LocalHost:{port}")]
    {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: {host}\r\n{TAIL}"));
        assert_eq!(answer.status, 204, "{host}");
    }
}

#[test]
fn h9_an_absolute_target_is_refused() {
    let posting = Posting::start(programs!());
    for target in ["http://evil.example/events/slug", "http://HOST/events/slug", "HOST", "events/slug"] {
        let answer = posting.ask(&format!("POST {target} HTTP/1.1\r\nHost: HOST\r\n{TAIL}"));
        assert!([400, 403].contains(&answer.status), "{target}: {answer:?}");
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h10_a_preflight_is_403_and_no_cors_field_is_ever_sent() {
    let posting = Posting::start(programs!());
    let answer = posting.ask(
        "OPTIONS /events/slug HTTP/1.1\r\nHost: HOST\r\nOrigin: http://localhost:3000\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n",
    );
    assert_eq!(answer.status, 403);
    assert!(!answer.head.to_lowercase().contains("access-control"), "{answer:?}");
    let good = posting.post("slug", "a");
    assert!(!good.head.to_lowercase().contains("access-control"), "{good:?}");
}

#[test]
fn h11_simple_requests_are_403_with_an_origin_and_415_without() {
    let posting = Posting::start(programs!());
    let types = [
        "Content-Type: text/plain\r\n",
        "Content-Type: text/plain;charset=UTF-8\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: \r\n",
        "",
    ];
    for kind in types {
        for (origin, status) in [("Origin: http://evil.example\r\n", 403), ("", 415)] {
            let answer = posting.ask(&format!(
                "POST /events/slug HTTP/1.1\r\nHost: HOST\r\n{origin}{kind}Authorization: Bearer TOKEN\r\nContent-Length: 13\r\n\r\n{{\"value\":\"a\"}}"
            ));
            assert_eq!(answer.status, status, "{kind}{origin}");
        }
    }
    assert_eq!(posting.state_of("slug"), None);
}

#[test]
fn h12_no_page_posts_even_with_a_stolen_token() {
    let posting = Posting::start(programs!());
    let pages = [
        "Origin: http://evil.example",
        "Origin: http://127.0.0.1:9",
        "Origin: http://HOST",
        "Origin: null",
        "Origin:",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site",
    ];
    for page in pages {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\n{page}\r\n{TAIL}"));
        assert_eq!(answer.status, 403, "{page}");
    }
    assert_eq!(posting.state_of("slug"), None);
    for fine in ["Sec-Fetch-Mode: cors", "Sec-Fetch-Site: none"] {
        let answer = posting.ask(&format!("POST /events/slug HTTP/1.1\r\nHost: HOST\r\n{fine}\r\n{TAIL}"));
        assert_eq!(answer.status, 204, "{fine}");
    }
}

#[test]
fn h15_no_upgrade_to_a_websocket() {
    let posting = Posting::start(programs!());
    let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (more, status) in [("Origin: http://localhost\r\n", 403), ("Authorization: Bearer TOKEN\r\n", 405)] {
        let answer = posting.ask(&format!("GET /events/slug HTTP/1.1\r\nHost: HOST\r\n{socket}{more}\r\n"));
        assert_eq!(answer.status, status, "{more}");
    }
}
