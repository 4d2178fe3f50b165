//! A client of the event server of a running session: one value, one POST, one status.
//!
//! Absent on purpose: redirects, proxies, TLS, names that must be resolved. It talks to this machine and to nobody else,
//! whatever the address it is given says, so that a token never leaves it.

use devloop_core::value::Value;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a connection on this machine may take.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long the session may take to answer; it writes its state file before it does.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that are looked at; its first line is all that counts.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// Where values are posted: an `http` address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    addresses: Vec<SocketAddr>,
    host: String,
    path: String,
}

/// An address that is none of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLocal;

/// Why there is no status.
#[derive(Debug)]
pub enum PostError {
    /// Nobody listens there.
    Refused,
    /// The connection failed in another way.
    Broken(io::Error),
    /// What answered does not speak HTTP.
    NoStatus,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("nobody listens there any more"),
            Self::Broken(error) => write!(f, "{error}"),
            Self::NoStatus => f.write_str("what answers there does not speak HTTP"),
        }
    }
}

impl Target {
    /// Reads `http://HOST:PORT/PATH`, where the host is a loopback address or `localhost`.
    pub fn parse(url: &str) -> Result<Self, NotLocal> {
        let rest = url.strip_prefix("http://").ok_or(NotLocal)?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        // What could end a line of the request, or name a user, is in no address that devloop hands out.
        if rest.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b'@') {
            return Err(NotLocal);
        }
        let (name, port) = host.rsplit_once(':').ok_or(NotLocal)?;
        let port: u16 = port.parse().map_err(|_| NotLocal)?;
        let addresses: Vec<IpAddr> = if name == "localhost" {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        } else {
            let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
            vec![literal.parse().map_err(|_| NotLocal)?]
        };
        if !addresses.iter().all(IpAddr::is_loopback) {
            return Err(NotLocal);
        }
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Ok(Self { addresses, host: host.to_owned(), path: path.to_owned() })
    }

    /// Posts a value and gives the status of the answer.
    pub fn post(&self, token: &str, value: &str) -> Result<u16, PostError> {
        let mut stream = self.connect()?;
        let body = format!("{{\"value\":{}}}", Value::from(value));
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            self.host,
            body.len()
        );
        // An answer that comes before all was sent (a refusal) is an answer all the same.
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        let mut answer = Vec::new();
        let end = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
        match (status_of(&answer), sent.and(end.map(drop))) {
            (Some(status), _) => Ok(status),
            (None, Err(error)) => Err(PostError::Broken(error)),
            (None, Ok(())) => Err(PostError::NoStatus),
        }
    }

    fn connect(&self) -> Result<TcpStream, PostError> {
        let mut last = io::Error::from(io::ErrorKind::ConnectionRefused);
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, CONNECT_MAX) {
                Ok(stream) => {
                    let limits = stream.set_read_timeout(Some(ANSWER_MAX));
                    let limits = limits.and_then(|()| stream.set_write_timeout(Some(ANSWER_MAX)));
                    return limits.map(|()| stream).map_err(PostError::Broken);
                }
                Err(error) => last = error,
            }
        }
        Err(if last.kind() == io::ErrorKind::ConnectionRefused { PostError::Refused } else { PostError::Broken(last) })
    }
}

/// The status of an answer's first line (RFC 9112, section 4).
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|&byte| byte == b'\n').next()?;
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let digits = rest.split(' ').nth(1)?.trim_end();
    (digits.len() == 3).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_addresses_of_this_machine_are_targets() {
        for good in ["http://127.0.0.1:80/events/a", "http://[::1]:8080/x", "http://localhost:1", "http://127.9.9.9:2/"]
        {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://127.0.0.1:80/",
            "http://127.0.0.1/",
            "http://192.168.1.4:80/",
            "http://example.com:80/",
            "http://localhost.evil.example:80/",
            "http://127.0.0.1:80@evil.example:80/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:80/a\r\nX: y",
            "",
        ] {
            assert_eq!(Target::parse(bad), Err(NotLocal), "{bad}");
        }
    }

    #[test]
    fn a_value_is_sent_as_json_and_the_status_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}/events/a", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"}") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            String::from_utf8(request).unwrap()
        });
        assert_eq!(target.post("secret", "a\"\nb\u{1}").unwrap(), 204);
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /events/a HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        assert!(request.contains("\r\nAuthorization: Bearer secret\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"value\":\"a\\\"\\nb\\u0001\"}"), "{request}");
    }

    #[test]
    fn nobody_who_listens_is_told_from_somebody_who_does_not_speak_http() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 mail\r\n").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        });
        assert!(matches!(target.post("t", "v"), Err(PostError::NoStatus)));
        server.join().unwrap();
        assert!(matches!(target.post("t", "v"), Err(PostError::Refused)));
    }
}
