//! Where to connect, and connecting: never through a proxy, never waiting for a resolver on the loop's thread.

use super::{Miss, with_causes};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In lower case, an IPv6 address without brackets.
    pub(super) host: String,
    port: u16,
}

impl Place {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        Self { host: bare.trim_end_matches('.').to_ascii_lowercase(), port }
    }

    /// Reads `host:port`, `[ipv6]:port`.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.trim().rsplit_once(':')?;
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty() && (is_bracketed || !host.contains([':', '/', '[', ']', ' ', '@']));
        is_host.then_some(Self::new(host, port.parse().ok()?))
    }

    pub(super) fn is_same_host(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Whether it can only be this machine, decided on the name alone: `localhost` and below (RFC 6761), a loopback
    /// address, or the unspecified address, which connects to loopback.
    pub(super) fn is_loopback(&self) -> bool {
        match self.literal() {
            Some(ip) => is_loopback(ip) || ip.is_unspecified(),
            None => self.is_localhost(),
        }
    }

    fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn is_localhost(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }

    /// Both loopback addresses for `localhost`, a literal itself; none for a name that must be resolved.
    fn known_addresses(&self) -> Vec<SocketAddr> {
        let with_port = |ip: IpAddr| SocketAddr::new(ip, self.port);
        match self.literal() {
            Some(ip) => vec![with_port(ip)],
            None if self.is_localhost() => {
                vec![with_port(Ipv4Addr::LOCALHOST.into()), with_port(Ipv6Addr::LOCALHOST.into())]
            }
            None => Vec::new(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `127.0.0.0/8`, `::1`, and the former written as an IPv6 address.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A connection to a place.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Whether the other end is on this machine.
    pub(super) is_loopback: bool,
}

impl Connection {
    /// Connects to the first address of a place that accepts.
    pub(super) async fn open(place: &Place) -> Result<Self, Miss> {
        let mut addresses = place.known_addresses();
        if addresses.is_empty() {
            let found = tokio::net::lookup_host((place.host.as_str(), place.port)).await;
            let found =
                found.map_err(|e| Miss::Unwell(format!("cannot resolve '{}': {}", place.host, with_causes(&e))))?;
            addresses.extend(found);
        }
        let mut is_refused = false;
        let mut failure = None;
        for address in addresses {
            match connect(address).await {
                Ok(stream) => {
                    return Ok(Self {
                        stream,
                        is_loopback: is_loopback(address.ip()) || address.ip().is_unspecified(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => is_refused = true,
                // A machine without IPv6 still has the name.
                Err(error) if place.is_localhost() && is_missing_family(&error) => {}
                Err(error) => failure = Some(format!("cannot connect to {address}: {}", with_causes(&error))),
            }
        }
        Err(match failure {
            Some(words) => Miss::Unwell(words),
            None if is_refused => Miss::Refused,
            None => Miss::Unwell(format!("'{}' has no address", place.host)),
        })
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    unless_itself(TcpStream::connect(address).await?)
}

/// A connect to a free port of the ephemeral range can be given that very port as its own and then meet itself (RFC
/// 9293, simultaneous open), which would look like a server, and keep the port from the one that is about to start.
pub(super) fn unless_itself(stream: TcpStream) -> io::Result<TcpStream> {
    if stream.local_addr()? == stream.peer_addr()? {
        // Closing it with a reset leaves no TIME_WAIT on the port.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

fn is_missing_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let missing = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::NETUNREACH, Errno::PROTONOSUPPORT];
    Errno::from_io_error(error).is_some_and(|errno| missing.contains(&errno))
}

/// The loopback address that a URL (`http`, `https`) or `host:port` names, when somebody listens there; none for other
/// hosts, and for what cannot be told. Never waits for longer than 10 ms, and only where a bind has failed.
///
/// A `bind` with `SO_REUSEADDR` succeeds on Linux except where another socket listens, or holds the address without
/// that option (`socket(7)`); the latter (a connection that ends, a client's own port) refuses a connection.
pub fn address_in_use(url_or_address: &str) -> Option<String> {
    let addresses = loopback_addresses(url_or_address);
    addresses.into_iter().find(|&address| is_listened_on(address).unwrap_or(false)).map(|address| address.to_string())
}

/// The loopback addresses that a URL or `host:port` names; none for other hosts, port 0, and names that need a resolver.
pub fn loopback_addresses(url_or_address: &str) -> Vec<SocketAddr> {
    let place = if url_or_address.contains("://") {
        super::Url::parse(url_or_address).ok().map(|url| url.place)
    } else {
        Place::parse(url_or_address)
    };
    let mut addresses = place.map_or(Vec::new(), |place| place.known_addresses());
    addresses.retain(|address| is_loopback(address.ip()) && address.port() != 0);
    addresses
}

fn is_listened_on(address: SocketAddr) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::net::{bind, connect, sockopt};
    /// Loopback refuses in microseconds, but not always before `connect(2)` returns.
    const REFUSAL_MAX: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    let binding = stream_socket(address)?;
    sockopt::set_socket_reuseaddr(&binding, true)?;
    match bind(&binding, &address) {
        Err(Errno::ADDRINUSE) => {}
        Ok(()) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    }
    let connecting = stream_socket(address)?;
    sockopt::set_socket_linger(&connecting, Some(Duration::ZERO))?;
    let connected = match connect(&connecting, &address) {
        Err(Errno::INPROGRESS) => {
            let mut waiting = [PollFd::new(&connecting, PollFlags::OUT)];
            poll(&mut waiting, Some(&REFUSAL_MAX))?;
            sockopt::socket_error(&connecting)?
        }
        other => other,
    };
    // One that is not refused meets a listener, if only one whose queue is full.
    Ok(connected != Err(Errno::CONNREFUSED))
}

/// A socket that never waits and that no child inherits.
fn stream_socket(address: SocketAddr) -> io::Result<rustix::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, socket};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream as StdStream};

    #[test]
    fn an_address_is_a_host_and_a_port() {
        assert_eq!(Place::parse("LOCALHOST:80"), Some(Place::new("localhost", 80)));
        assert_eq!(Place::parse("[::1]:80"), Some(Place::new("::1", 80)));
        for wrong in ["", "host", "host:", ":80", "::1:80", "h:99999", "http://h:80", "a b:80", "[::1]"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn loopback_is_told_by_name() {
        for host in
            ["localhost", "app.localhost", "localhost.", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0"]
        {
            assert!(Place::new(host, 1).is_loopback(), "{host}");
        }
        for host in ["localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "::2", "notlocalhost", "128.0.0.1"] {
            assert!(!Place::new(host, 1).is_loopback(), "{host}");
        }
    }

    #[test]
    fn an_address_is_in_use_while_somebody_listens_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let port = listener.local_addr().unwrap().port();
        for name in [address.clone(), format!("http://{address}/health"), format!("https://localhost:{port}")] {
            assert_eq!(address_in_use(&name), Some(address.clone()), "{name}");
        }
        drop(listener);
        assert_eq!(address_in_use(&address), None);
    }

    #[test]
    fn a_listener_on_all_addresses_counts_and_so_does_ipv6() {
        let all = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = format!("127.0.0.1:{}", all.local_addr().unwrap().port());
        assert_eq!(address_in_use(&address), Some(address));
        let six = TcpListener::bind("[::1]:0").unwrap();
        let address = six.local_addr().unwrap();
        assert_eq!(address_in_use(&format!("localhost:{}", address.port())), Some(address.to_string()));
    }

    #[test]
    fn connections_that_ended_on_an_address_do_not_keep_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = StdStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        drop(server);
        drop(client);
        drop(listener);
        assert_eq!(address_in_use(&address.to_string()), None);
    }

    #[test]
    fn a_client_that_happens_to_have_the_port_is_no_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(address_in_use(&client.local_addr().unwrap().to_string()), None);
    }

    #[test]
    fn other_hosts_and_what_is_no_address_are_not_tried() {
        let all = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = all.local_addr().unwrap().port();
        for name in
            [format!("example.com:{port}"), format!("0.0.0.0:{port}"), "nonsense".to_owned(), "http://".to_owned()]
        {
            assert_eq!(address_in_use(&name), None, "{name}");
        }
    }
}
