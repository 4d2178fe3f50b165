//! `readiness` and `liveness`.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::reader::{Reader, Text};
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::words::Words;
use std::collections::BTreeMap;

/// The kinds with the tables of their keys.
const KINDS: [(&str, &str); 5] = [
    ("http", "probe.http"),
    ("state_key", "probe.state_key"),
    ("tcp", "probe.tcp"),
    ("exec", "probe.exec"),
    ("output", "probe.output"),
];

impl<'a> Lowering<'a> {
    /// A probe of a process. `of` is what the process executes: an `exec` probe shares its folder and environment.
    pub(super) fn probe(
        &self,
        process: &mut Reader<'a>,
        key: &'static str,
        of: Option<&CommandPlan>,
    ) -> Option<ProbePlan> {
        let mut reader = process.table(key, "probe")?;
        let interval = reader.millis("interval_ms");
        let timeout = reader.millis("timeout_ms");
        let Some(table) = reader.choice("kind", &KINDS) else {
            reader.finish_unsure(KINDS.map(|(_, table)| table));
            return None;
        };
        reader.allow(table);
        let kind = match table {
            "probe.http" => self.http(&mut reader),
            "probe.state_key" => {
                reader.text("key").and_then(|key| self.read_key(&key)).map(|key| ProbeKind::StateKey { key })
            }
            "probe.tcp" => reader.text("address").and_then(|address| self.tcp(&address)),
            "probe.exec" => self.exec(&mut reader, of),
            _ => reader
                .text("pattern")
                .and_then(|pattern| self.pattern(&pattern))
                .map(|pattern| ProbeKind::Output { pattern }),
        };
        reader.finish();
        Some(ProbePlan { kind: kind?, interval, timeout })
    }

    fn http(&self, reader: &mut Reader<'a>) -> Option<ProbeKind> {
        let url = reader.text("url").and_then(|url| self.url(&url));
        let expect_body = reader.text("expect_body").map(|body| self.template(&body));
        Some(ProbeKind::Http { url: url?, expect_body })
    }

    fn url(&self, text: &Text<'a>) -> Option<Words> {
        if let Some(problem) = url_problem(text.value) {
            let bad = Diagnostic::error(text.span.clone(), format!("`{}`: {problem}", text.path)).saying("bad URL");
            self.bag.add(bad.hint("write it like \"http://127.0.0.1:8080/health\""));
            return None;
        }
        self.strict_words(text)
    }

    fn tcp(&self, text: &Text<'a>) -> Option<ProbeKind> {
        if !text.value.starts_with('$') && !is_address(text.value, true) {
            let message = format!("`{}`: an address is `host:port`", text.path);
            let bad = Diagnostic::error(text.span.clone(), message).saying("no `host:port`");
            self.bag.add(bad.hint("write it like \"127.0.0.1:5432\""));
            return None;
        }
        self.strict_words(text).map(|address| ProbeKind::Tcp { address })
    }

    fn exec(&self, reader: &mut Reader<'a>, of: Option<&CommandPlan>) -> Option<ProbeKind> {
        let none = BTreeMap::new();
        let argv = self.argv(reader, of.map_or(&none, |of| &of.env))?;
        let of = of?;
        Some(ProbeKind::Exec { command: CommandPlan { argv, env: of.env.clone(), cwd: of.cwd.clone() } })
    }
}

/// What is wrong with an http URL. Variables may stand for any part.
fn url_problem(url: &str) -> Option<&'static str> {
    if url.starts_with('$') {
        return None;
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("a URL has no spaces and only ASCII characters; others are written like %20");
    }
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| {
        let head = url.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    });
    let Some(rest) = rest else { return Some("a URL begins with http:// or https://") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("a URL with a user is not supported");
    }
    if is_address(authority, false) { None } else { Some("the URL has no host, or its port is no port") }
}

/// Whether a text is `host:port`, or a host alone where no port is needed. Variables may stand for either.
fn is_address(text: &str, needs_port: bool) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of a bracketed IPv6 address are no port's.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.contains('$') || port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let is_host = is_bracketed || !host.is_empty() && !host.contains(|c: char| ":/[]".contains(c) || c.is_whitespace());
    is_host && port.map_or(!needs_port, is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_need_a_scheme_a_host_and_a_port_that_is_one() {
        for good in ["http://a", "https://a:1/x?y", "HTTP://[::1]:80/", "http://127.0.0.1:$PORT", "$URL", "http://$H/"]
        {
            assert_eq!(url_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "a",
            "ftp://a",
            "http://",
            "http:///x",
            "http://:80",
            "http://a:0",
            "http://a:99999",
            "http://a b",
            "http://ä/",
        ] {
            assert!(url_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_host_and_port() {
        for good in ["localhost:1", "[::1]:65535", "$HOST:80", "db:$PORT"] {
            assert!(is_address(good, true), "{good}");
        }
        for bad in ["", "localhost", ":80", "a:", "a:0", "a:65536", "::1:80", "a b:1", "http://a:1"] {
            assert!(!is_address(bad, true), "{bad}");
        }
    }
}
