//! The two listeners; both bind loopback addresses only.

use std::net::{Ipv4Addr, SocketAddr};

/// Where a listener binds that does not say: loopback, a port of the system's choice.
pub const BIND_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The `[event_server]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventServerPlan {
    /// A loopback address; port 0: one of the system's choice.
    pub bind: SocketAddr,
}

/// The `[browser_reload_server]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadServerPlan {
    /// A loopback address; port 0: one of the system's choice.
    pub bind: SocketAddr,
    /// Origins that may listen beside those of loopback hosts, as browsers write them: `https://host:port` in lower
    /// case, the port only where it is not the scheme's own. Sorted, unique.
    pub allow_origins: Vec<String>,
}
