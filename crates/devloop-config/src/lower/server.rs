//! `[event_server]` and `[browser_reload_server]`.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::reader::{Reader, Text};
use crate::span::Span;
use crate::words::quoted;
use devloop_core::plan::Plan;
use devloop_core::plan::server::{BIND_DEFAULT, EventServerPlan, ReloadServerPlan};
use devloop_core::plan::workflow::Step;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// The listeners as the text says, with the places of their tables.
pub(super) struct Servers {
    events: Option<(SocketAddr, Span)>,
    reload: Option<(ReloadServerPlan, Span)>,
}

impl<'a> Lowering<'a> {
    /// Reads both tables.
    pub(super) fn servers(&self, top: &mut Reader<'a>) -> Servers {
        let events = top.table("event_server", "event_server").map(|mut reader| {
            let (bind, span) = (self.bind(&mut reader), reader.span());
            reader.finish();
            (bind, span)
        });
        let reload = top.table("browser_reload_server", "browser_reload_server").map(|mut reader| {
            let (bind, span) = (self.bind(&mut reader), reader.span());
            let allow_origins = self.origins(&mut reader);
            reader.finish();
            (ReloadServerPlan { bind, allow_origins }, span)
        });
        Servers { events, reload }
    }

    /// Puts the listeners into a plan that has everything else.
    pub(super) fn place_servers(&self, plan: &mut Plan, servers: Servers) {
        let Servers { events, reload } = servers;
        if let (Some((bind, _)), Some((server, span))) = (&events, &reload)
            && bind.port() != 0
            && *bind == server.bind
        {
            let same =
                Diagnostic::error(span.clone(), format!("both listeners bind {bind}")).saying("the same address");
            self.bag.add(same.hint("give each a port of its own; port 0 is any that is free"));
        }
        if events.is_some() || !plan.events.is_empty() {
            let bind = events.map_or(BIND_DEFAULT, |(bind, _)| bind);
            plan.event_server = Some(EventServerPlan { bind });
        }
        if plan.workflows.values().any(|workflow| has_reload(&workflow.steps)) {
            let default = || ReloadServerPlan { bind: BIND_DEFAULT, allow_origins: Vec::new() };
            plan.reload_server = Some(reload.map_or_else(default, |(server, _)| server));
        } else if let Some((_, span)) = reload {
            let message = "no workflow has a step `notify_reload`, so browsers are never told and nothing listens";
            let unused = Diagnostic::warning(span, message).saying("not used");
            self.bag.add(unused.hint("add `{ action = \"notify_reload\" }` to a workflow, or remove the table"));
        }
    }

    /// A loopback address.
    fn bind(&self, reader: &mut Reader<'a>) -> SocketAddr {
        let Some(text) = reader.text("bind") else { return BIND_DEFAULT };
        match text.value.parse::<SocketAddr>() {
            Ok(bind) if is_loopback(&bind) => return bind,
            Ok(bind) => self.bag.add(not_loopback(&text, bind.ip())),
            Err(_) => self.bag.add(no_address(&text)),
        }
        BIND_DEFAULT
    }

    /// Origins as browsers write them.
    fn origins(&self, reader: &mut Reader<'a>) -> Vec<String> {
        let texts = reader.texts("allow_origins").into_iter().flat_map(|(_, texts)| texts);
        let mut origins = BTreeSet::new();
        for text in texts {
            match origin(text.value) {
                Some(origin) => {
                    origins.insert(origin);
                }
                None => self.bag.add(no_origin(&text)),
            }
        }
        origins.into_iter().collect()
    }
}

fn has_reload(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::NotifyReload => true,
        Step::Parallel(steps) => has_reload(steps),
        _ => false,
    })
}

/// Whether an address is in 127.0.0.0/8, or is `::1` without a zone (RFC 1122, RFC 4291).
fn is_loopback(address: &SocketAddr) -> bool {
    match address {
        SocketAddr::V4(address) => address.ip().is_loopback(),
        SocketAddr::V6(address) => address.ip().is_loopback() && address.scope_id() == 0,
    }
}

const BIND_HINT: &str = "write \"127.0.0.1:0\" or \"[::1]:0\"; port 0 is any that is free";

fn not_loopback(text: &Text<'_>, address: IpAddr) -> Diagnostic {
    let message =
        format!("`{}`: {address} is no loopback address, and devloop listens to this machine only", text.path);
    Diagnostic::error(text.span.clone(), message).saying("not a loopback address").hint(BIND_HINT)
}

fn no_address(text: &Text<'_>) -> Diagnostic {
    let message = format!("`{}`: '{}' is no IP address with a port", text.path, quoted(text.value));
    let saying = if text.value.parse::<IpAddr>().is_ok() { "no port" } else { "host names are not looked up" };
    Diagnostic::error(text.span.clone(), message).saying(saying).hint(BIND_HINT)
}

fn no_origin(text: &Text<'_>) -> Diagnostic {
    let message = format!("`{}`: '{}' is no origin", text.path, quoted(text.value));
    Diagnostic::error(text.span.clone(), message).saying("not an origin").hint(
        "write scheme and host of one site, a port only if it is not the usual one, and nothing after it: \
         \"https://dev.example.com\"",
    )
}

/// An origin as browsers write it (RFC 6454): lower case, no port where it is the scheme's own.
fn origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let end = if rest.starts_with('[') { rest.find(']')? + 1 } else { rest.find(':').unwrap_or(rest.len()) };
    let (host, port) = rest.split_at(end);
    if !is_host(host) {
        return None;
    }
    let Some(digits) = port.strip_prefix(':') else { return port.is_empty().then(|| format!("{scheme}://{host}")) };
    let port: u16 = digits.parse().ok().filter(|&port| port > 0 && digits.bytes().all(|b| b.is_ascii_digit()))?;
    Some(if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") })
}

fn is_host(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return literal.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (written, sent) in [
            ("https://Dev.Example.com", "https://dev.example.com"),
            ("https://a:443", "https://a"),
            ("http://a:80", "http://a"),
            ("http://a:443", "http://a:443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(written).as_deref(), Some(sent));
        }
        for bad in [
            "",
            "*",
            "null",
            "a",
            "a.com",
            "ftp://a",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://*.a",
            "https://u@a",
            "https://a:",
            "https://a:0",
            "https://a:+1",
            "https://a:65536",
            "https://[::1",
            "https://ä",
            "https://a b",
            "https://a.",
            "https://a:1:2",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_loopback_addresses_of_this_machine_count() {
        let is = |text: &str| text.parse().is_ok_and(|address: SocketAddr| is_loopback(&address));
        for good in ["127.0.0.1:0", "127.255.0.3:80", "[::1]:8080"] {
            assert!(is(good), "{good}");
        }
        for bad in
            ["0.0.0.0:0", "[::]:0", "192.168.0.1:0", "[::ffff:127.0.0.1]:0", "[::1%1]:0", "localhost:0", "127.1:0"]
        {
            assert!(!is(bad), "{bad}");
        }
    }
}
