//! Attempts against real sockets, with servers that misbehave.

use super::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

/// Generous: only attempts that end before count.
const LONG: Duration = Duration::from_secs(60);
/// For attempts that must run out of time.
const SHORT: Duration = Duration::from_millis(150);

fn run<T>(attempt: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(attempt)
}

fn http(url: &str, expect_body: Option<&str>, within: Duration) -> ProbeAnswer {
    run(attempt_http(url, expect_body, within))
}

fn words(answer: ProbeAnswer) -> String {
    match answer {
        ProbeAnswer::Unwell(words) => words,
        other => panic!("{other:?}"),
    }
}

/// Answers each connection on a thread of its own; the heads of the requests are kept.
fn serve(answer: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> (SocketAddr, Receiver<String>) {
    serve_on("127.0.0.1:0", answer)
}

fn serve_on(address: &str, answer: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, requests) = channel();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, heard) = (Arc::clone(&answer), heard.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let request = head_of(&mut stream);
                let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let _ = heard.send(request);
                answer(&target, stream);
            });
        }
    });
    (address, requests)
}

fn head_of(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Sends the same bytes to everybody.
fn fixed(text: &'static str) -> SocketAddr {
    serve(move |_, mut stream| drop(stream.write_all(text.as_bytes()))).0
}

#[test]
fn any_2xx_is_well_and_the_request_is_a_plain_get() {
    let (address, requests) = serve(|_, mut stream| stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap());
    assert_eq!(http(&format!("http://user@{address}/health?x=1#y"), None, LONG), ProbeAnswer::Well);
    let head = requests.recv_timeout(LONG).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /health?x=1 http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {address}\r\n")) && head.contains("connection: close\r\n"), "{head}");
    let ok = fixed("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(http(&format!("http://{ok}"), None, LONG), ProbeAnswer::Well);
    let old = fixed("HTTP/1.0 200 OK\r\n\r\nok");
    assert_eq!(http(&format!("http://{old}"), Some("ok"), LONG), ProbeAnswer::Well);
}

#[test]
fn other_answers_are_unwell_in_words() {
    for (text, expected) in [
        ("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", "status 500 Internal Server Error"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "status 404 Not Found"),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", "status 304 Not Modified"),
        ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", "which does not say where to"),
        ("nonsense\r\n\r\n", "invalid HTTP version parsed"),
        ("", "connection closed before message completed"),
    ] {
        let found = words(http(&format!("http://{}", fixed(text)), None, LONG));
        assert!(found.contains(expected), "{found}");
    }
    assert!(words(http("ftp://localhost/", None, LONG)).contains("is not an http or https URL"));
}

#[test]
fn a_body_is_compared_without_white_space_around_it() {
    let url = format!("http://{}", fixed("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\n gen-1\t\r\n"));
    assert_eq!(http(&url, Some("gen-1"), LONG), ProbeAnswer::Well);
    assert_eq!(words(http(&url, Some("gen-2"), LONG)), "the body is 'gen-1', not 'gen-2'");
    assert!(words(http(&url, Some("gen"), LONG)).contains("not 'gen'"));
    assert!(words(http(&url, Some("gen-10"), LONG)).contains("not 'gen-10'"));
    let chunked = fixed("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ngen\r\n2\r\n-1\r\n0\r\n\r\n");
    assert_eq!(http(&format!("http://{chunked}"), Some("gen-1"), LONG), ProbeAnswer::Well);
    let cut = fixed("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ngen-1");
    assert!(matches!(http(&format!("http://{cut}"), Some("gen-1"), LONG), ProbeAnswer::Unwell(_)));
}

#[test]
fn nobody_there_is_refused() {
    // Sockets that have the port but do not listen keep everybody else from it.
    let held = std::iter::repeat_with(|| {
        let four = tokio::net::TcpSocket::new_v4().unwrap();
        four.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = four.local_addr().unwrap().port();
        let six = tokio::net::TcpSocket::new_v6().unwrap();
        six.bind(format!("[::1]:{port}").parse().unwrap()).map(|()| (port, four, six))
    });
    let (port, _four, _six) = held.flatten().next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        assert_eq!(http(&format!("http://{host}:{port}/"), None, LONG), ProbeAnswer::Refused);
        assert_eq!(run(attempt_tcp(&format!("{host}:{port}"), LONG)), ProbeAnswer::Refused);
    }
}

#[test]
fn localhost_is_both_loopback_addresses() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (address, _requests) =
            serve_on(address, |_, mut stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")));
        assert_eq!(http(&format!("http://localhost:{}/", address.port()), None, LONG), ProbeAnswer::Well);
        assert_eq!(run(attempt_tcp(&format!("localhost:{}", address.port()), LONG)), ProbeAnswer::Well);
    }
}

#[test]
fn an_address_that_accepts_is_well_and_what_is_no_address_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(run(attempt_tcp(&listener.local_addr().unwrap().to_string(), LONG)), ProbeAnswer::Well);
    assert_eq!(words(run(attempt_tcp("nonsense", LONG))), "'nonsense' is not `host:port`");
    assert!(words(run(attempt_tcp("no-such-host.invalid:1", LONG))).contains("cannot resolve 'no-such-host.invalid'"));
}

fn redirect(stream: &mut TcpStream, location: &str) {
    let _ = write!(stream, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
}

/// `/N` leads to `/N-1`, and `/0` is there.
fn countdown() -> SocketAddr {
    let (address, _) = serve(|target, mut stream| match target.trim_start_matches('/').parse::<u32>() {
        Ok(0) => drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")),
        Ok(left) => redirect(&mut stream, &(left - 1).to_string()),
        Err(_) => redirect(&mut stream, target),
    });
    address
}

#[test]
fn ten_redirects_are_followed_and_no_more() {
    let address = countdown();
    assert_eq!(http(&format!("http://{address}/10"), None, LONG), ProbeAnswer::Well);
    assert_eq!(words(http(&format!("http://{address}/11"), None, LONG)), "more than 10 redirects");
    assert_eq!(words(http(&format!("http://{address}/loop"), None, LONG)), "more than 10 redirects");
}

#[test]
fn redirects_lead_to_loopback_but_to_no_other_host() {
    let end = countdown();
    let (address, _) = serve(move |target, mut stream| match target {
        "/near" => redirect(&mut stream, &format!("http://localhost:{}/0", end.port())),
        "/far" => redirect(&mut stream, "//example.com/0"),
        _ => redirect(&mut stream, "file:///etc/passwd"),
    });
    assert_eq!(http(&format!("http://{address}/near"), None, LONG), ProbeAnswer::Well);
    let found = words(http(&format!("http://{address}/far"), None, LONG));
    assert_eq!(found, "status 302: a redirect to another host, 'example.com:80', is not followed");
    assert!(words(http(&format!("http://{address}/odd"), None, LONG)).contains("is not an http or https URL"));
}

#[test]
fn a_server_that_never_answers_or_drips_is_bounded() {
    let (silent, _) = serve(|_, stream| {
        let _ = { stream }.read(&mut [0]);
    });
    assert_eq!(words(http(&format!("http://{silent}/"), None, SHORT)), "no answer within 150 ms");
    let (dripping, _) = serve(|_, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(words(http(&format!("http://{dripping}/"), Some("x"), SHORT)), "no answer within 150 ms");
}

#[test]
fn a_huge_body_is_read_no_further_than_it_matters() {
    let (address, _) = serve(|target, mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n");
        let piece = if target == "/blank" { [b' '; 4096] } else { [b'x'; 4096] };
        while stream.write_all(&piece).is_ok() {}
    });
    let began = Instant::now();
    assert_eq!(http(&format!("http://{address}/"), None, LONG), ProbeAnswer::Well);
    assert!(words(http(&format!("http://{address}/"), Some("xxx"), LONG)).ends_with("…', not 'xxx'"));
    assert_eq!(
        words(http(&format!("http://{address}/blank"), Some("x"), LONG)),
        "a body of more than 1048576 bytes, not 'x'"
    );
    assert!(began.elapsed() < LONG);
}

#[test]
fn dropping_an_attempt_closes_its_connection() {
    let (closed, is_closed) = channel();
    let (address, requests) = serve(move |_, mut stream| {
        let _ = closed.send(stream.read(&mut [0]).unwrap_or(0));
    });
    run(async {
        let url = format!("http://{address}/");
        let attempt = attempt_http(&url, None, LONG);
        let arrived = tokio::task::spawn_blocking(move || requests.recv_timeout(LONG).unwrap());
        tokio::select! {
            answer = attempt => panic!("{answer:?}"),
            head = arrived => assert!(head.unwrap().starts_with("GET ")),
        }
    });
    assert_eq!(is_closed.recv_timeout(LONG).unwrap(), 0);
}

#[test]
fn a_connection_that_met_itself_is_refused_and_leaves_the_port_free() {
    run(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let stream = socket.connect(address).await.unwrap();
        assert_eq!(connect::unless_itself(stream).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
        TcpListener::bind(address).unwrap();
    });
}

static CERTIFICATE: &str = include_str!("../../../tests/fixtures/self-signed.pem");
static KEY: &str = include_str!("../../../tests/fixtures/self-signed.key.pem");

/// A server whose certificate nobody vouches for and that names another host.
static SERVER: LazyLock<Arc<rustls::ServerConfig>> = LazyLock::new(|| {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
});

fn serve_tls() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(Arc::clone(&SERVER)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream.unwrap());
            head_of(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").and_then(|()| stream.flush());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

#[test]
fn the_certificate_of_a_loopback_server_is_not_verified() {
    let address = serve_tls();
    assert_eq!(http(&format!("https://{address}/"), Some("ok"), LONG), ProbeAnswer::Well);
    assert_eq!(http(&format!("https://localhost:{}/", address.port()), Some("ok"), LONG), ProbeAnswer::Well);
    assert!(matches!(http(&format!("http://{address}/"), None, LONG), ProbeAnswer::Unwell(_)));
}

#[test]
fn the_certificate_of_any_other_server_is_verified() {
    let address = serve_tls();
    let answer = run(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        tls::wrap(stream, "example.com", false).await.map(drop).unwrap_err()
    });
    let is_distrusted = answer.contains("invalid peer certificate");
    assert!(is_distrusted || answer.contains("the system has no root certificates"), "{answer}");
}

#[test]
fn a_server_without_tls_is_unwell_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    });
    let found = words(http(&format!("https://{address}/"), None, LONG));
    assert!(found.starts_with("no TLS connection: "), "{found}");
}
