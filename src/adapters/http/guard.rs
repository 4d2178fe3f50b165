//! Who asks: our own name in `Host`, and no web page that is not allowed to.

use super::answer::Answer;
use super::head::{Head, Once};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A server's own names, as a `Host` has them.
#[derive(Debug)]
pub(super) struct Hosts {
    port: u16,
    names: Vec<String>,
}

impl Hosts {
    /// The loopback names, and the address that is bound.
    pub(super) fn new(bound: SocketAddr) -> Self {
        let literal = match bound.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self { port: bound.port(), names: vec!["127.0.0.1".into(), "localhost".into(), "[::1]".into(), literal] }
    }

    /// A page whose name somebody lets point here comes with its own `Host` (DNS rebinding).
    pub(super) fn check(&self, host: &str) -> Result<(), Answer> {
        let (name, port) = match host.rsplit_once(':') {
            // The last colon of an address without a port is inside the brackets.
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        let is_our_port = match port {
            Some(port) => port == self.port.to_string(),
            None => self.port == 80,
        };
        let is_our_name = self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        if is_our_port && is_our_name { Ok(()) } else { Err(Answer::ForeignHost) }
    }
}

/// No page posts events: a request that a browser made for one is refused, whatever token it has.
pub(super) fn no_page(head: &Head) -> Result<(), Answer> {
    let is_page = head.origin != Once::Absent || head.fetch_site.as_deref().is_some_and(|site| site != b"none");
    if is_page { Err(Answer::ForeignOrigin) } else { Ok(()) }
}

/// Which origin may read the reload stream, to be echoed; nothing when no origin was named. The refused one comes back,
/// for a warning.
pub(super) fn reading_origin(head: &Head, allowed: &[String]) -> Result<Option<String>, (Answer, String)> {
    if head.origin == Once::Absent {
        let sites = head.fetch_site.as_deref().unwrap_or_default().to_ascii_lowercase();
        let is_foreign = sites.split(|&byte| byte == b',').any(|site| site.trim_ascii() == b"cross-site");
        return if is_foreign { Err((Answer::ForeignOrigin, "another site".to_owned())) } else { Ok(None) };
    }
    let origin = head.origin.text().unwrap_or_default();
    if may_read(origin, allowed) {
        return Ok(Some(origin.to_owned()));
    }
    Err((Answer::ForeignOrigin, format!("'{origin}'")))
}

/// Whether a page of this origin may read the reload stream.
pub(super) fn may_read(origin: &str, allowed: &[String]) -> bool {
    is_loopback_origin(origin) || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// `http://localhost:3000`, `https://a.localhost`, `http://[::1]`: the scheme, a loopback host, a port, nothing else.
fn is_loopback_origin(origin: &str) -> bool {
    let Some(rest) = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) else { return false };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (rest, "0"),
    };
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err() {
        return false;
    }
    let host = host.to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host == "[::1]"
        || host == "localhost"
        || host.strip_suffix(".localhost").is_some_and(|labels| labels.split('.').all(is_label))
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}
