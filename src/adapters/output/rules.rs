//! What is looked for in a child's lines: values for state keys, and the pattern of a readiness or liveness.
//!
//! Pure. What is found is kept until it is taken, the last value of each key winning, so a child that prints a match a
//! hundred thousand times a second costs its listener a few hundred words. Lines are input from outside: a value is at
//! most [`VALUE_MAX`] bytes (what is longer is cut between characters) and has no control characters (a tab becomes a
//! space; all others were removed from the line).

use regex::Regex;

use super::filter;
use super::{Heard, Line};

/// Bytes of a captured value; the rest is cut off.
pub(super) const VALUE_MAX: usize = 8 * 1024;

const TUNNEL_SUFFIX: &str = ".trycloudflare.com";
const TUNNEL_API: &str = "api.trycloudflare.com";

/// One output rule: where in a line a state key's value stands.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Comes back in [`Heard::Captured`].
    pub state_key: String,
    /// How the value is found.
    pub extract: Extract,
}

/// How a value is found in a line.
#[derive(Debug, Clone)]
pub enum Extract {
    /// The pattern is searched anywhere in the line.
    Regex {
        /// What to search.
        pattern: Regex,
        /// Which group is the value; 0 is the whole match. A group that took no part in the match gives no value.
        group: usize,
    },
    /// The first `https` URL whose host ends in `.trycloudflare.com` and is not that domain's API.
    UrlToken,
}

impl Extract {
    /// The value in a line without colours, if there is one.
    fn value<'a>(&self, words: &'a str) -> Option<&'a str> {
        match self {
            Self::Regex { pattern, group: 0 } => pattern.find(words).map(|found| found.as_str()),
            Self::Regex { pattern, group } => pattern.captures(words)?.get(*group).map(|found| found.as_str()),
            Self::UrlToken => tunnel_url(words),
        }
    }
}

/// All that is looked for in one child, and what was found since it was last taken.
#[derive(Debug)]
pub(super) struct Search {
    rules: Vec<Rule>,
    patterns: Vec<Regex>,
    found: Vec<(usize, String)>,
    /// One for each pattern.
    matched: Vec<bool>,
}

impl Search {
    pub(super) fn new(rules: Vec<Rule>, patterns: Vec<Regex>) -> Self {
        Self { rules, matched: vec![false; patterns.len()], patterns, found: Vec::new() }
    }

    /// Looks at one line, all of it, whatever part was shown before.
    pub(super) fn look(&mut self, line: Line<'_>) {
        if self.rules.is_empty() && self.patterns.is_empty() {
            return;
        }
        let words = filter::words(line.whole);
        for (pattern, matched) in self.patterns.iter().zip(&mut self.matched) {
            *matched = *matched || pattern.is_match(&words);
        }
        for rule in 0..self.rules.len() {
            if let Some(value) = self.rules[rule].extract.value(&words) {
                let value = tidy(value);
                // Two rules may write one key: the later match wins, whichever rule it came from.
                self.found.retain(|(other, _)| self.rules[*other].state_key != self.rules[rule].state_key);
                self.found.push((rule, value));
            }
        }
    }

    pub(super) fn has_found(&self) -> bool {
        self.matched.contains(&true) || !self.found.is_empty()
    }

    /// What was found since the last time, values before the patterns.
    pub(super) fn take(&mut self, heard: &dyn Fn(Heard)) {
        for (rule, value) in self.found.drain(..) {
            heard(Heard::Captured { state_key: self.rules[rule].state_key.clone(), value });
        }
        for (index, matched) in self.matched.iter_mut().enumerate() {
            if std::mem::take(matched) {
                heard(Heard::PatternMatched(index));
            }
        }
    }
}

fn tidy(value: &str) -> String {
    value[..value.floor_char_boundary_of(VALUE_MAX)].replace('\t', " ")
}

trait FloorCharBoundary {
    fn floor_char_boundary_of(&self, at: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_of(&self, at: usize) -> usize {
        if at >= self.len() {
            return self.len();
        }
        (0..=at).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// The first tunnel URL in the text. A URL inside another one's path or query is a part of that one, not found.
fn tunnel_url(text: &str) -> Option<&str> {
    const SCHEME: &str = "https://";
    let mut from = 0;
    while let Some(at) = text[from..].find(SCHEME).map(|at| from + at) {
        let rest = &text[at..];
        let url = &rest[..rest.find(|letter| !is_url_letter(letter)).unwrap_or(rest.len())];
        let is_whole = !text[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
        from = at + url.len();
        let url = url.trim_end_matches(|letter| ".,;:!?'*([])".contains(letter));
        if is_whole && url.strip_prefix(SCHEME).and_then(host).is_some_and(is_tunnel) {
            return Some(url);
        }
    }
    None
}

/// RFC 3986, section 2: unreserved, reserved, percent.
fn is_url_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(letter)
}

/// The host in what stands behind the scheme: no user, no port (RFC 3986, section 3.2).
fn host(behind_scheme: &str) -> Option<&str> {
    let authority = behind_scheme.split(['/', '?', '#']).next()?;
    let place = authority.rsplit('@').next()?;
    match place.split_once(':') {
        Some((host, port)) => port.bytes().all(|byte| byte.is_ascii_digit()).then_some(host),
        None => Some(place),
    }
}

fn is_tunnel(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.strip_suffix(TUNNEL_SUFFIX).is_some_and(|name| {
        name.split('.').all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    }) && host != TUNNEL_API
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn regex(key: &str, pattern: &str, group: usize) -> Rule {
        Rule { state_key: key.to_owned(), extract: Extract::Regex { pattern: Regex::new(pattern).unwrap(), group } }
    }

    fn heard(rules: Vec<Rule>, pattern: Option<&str>, lines: &[&[u8]]) -> Vec<Heard> {
        let mut search = Search::new(rules, pattern.map(|pattern| Regex::new(pattern).unwrap()).into_iter().collect());
        for line in lines {
            search.look(Line { whole: line, shown: 0, broken: false });
        }
        let heard = RefCell::new(Vec::new());
        search.take(&|word| heard.borrow_mut().push(word));
        assert!(!search.has_found());
        heard.into_inner()
    }

    fn captured(key: &str, value: &str) -> Heard {
        Heard::Captured { state_key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_rule_searches_the_line_without_its_colours() {
        let rules = vec![regex("port", "^port ([0-9]+)$", 1), regex("all", "p.rt", 0)];
        let heard = heard(rules, None, &[b"\x1b[32mport\x1b[0m 80\x1b[1m80\x1b[0m"]);
        assert_eq!(heard, [captured("port", "8080"), captured("all", "port")]);
    }

    #[test]
    fn of_many_matches_the_last_value_of_each_key_is_told_once() {
        let rules = vec![regex("a", "a=(.*)", 1), regex("b", "b=(.*)", 1), regex("a", "again=(.*)", 1)];
        let heard = heard(rules, Some("="), &[b"a=1", b"b=1", b"a=2", b"again=3", b"b=4"]);
        assert_eq!(heard, [captured("a", "3"), captured("b", "4"), Heard::PatternMatched(0)]);
    }

    #[test]
    fn a_group_that_took_no_part_gives_no_value() {
        assert_eq!(heard(vec![regex("x", "a|(b)", 1)], None, &[b"a"]), []);
        assert_eq!(heard(vec![regex("x", "a|(b)", 1)], Some("c"), &[b"b"]), [captured("x", "b")]);
    }

    #[test]
    fn values_are_cut_between_characters_and_have_no_controls() {
        let long = "é".repeat(VALUE_MAX);
        assert_eq!(
            heard(vec![regex("x", "x(.*)", 1)], None, &[format!("x{long}").as_bytes()]),
            [captured("x", &"é".repeat(VALUE_MAX / 2))]
        );
        assert_eq!(heard(vec![regex("x", "x(.*)", 1)], None, &[b"xa\tb\x07c\x1b]0;t\x07d"]), [captured("x", "a bcd")]);
    }

    #[test]
    fn a_tunnel_url_is_known_by_its_host_alone() {
        let found = [
            ("|  https://a-b.trycloudflare.com  |", "https://a-b.trycloudflare.com"),
            ("see https://x.trycloudflare.com/p?q#f.", "https://x.trycloudflare.com/p?q#f"),
            ("<https://X.TryCloudflare.com:443/>", "https://X.TryCloudflare.com:443/"),
            ("https://api.trycloudflare.com https://y.trycloudflare.com", "https://y.trycloudflare.com"),
            ("https://user@x.trycloudflare.com", "https://user@x.trycloudflare.com"),
            ("\"url\":\"https://x.trycloudflare.com\"}", "https://x.trycloudflare.com"),
        ];
        for (text, url) in found {
            assert_eq!(tunnel_url(text), Some(url), "{text}");
        }
        let refused = [
            "https://api.trycloudflare.com/tunnel",
            "https://API.trycloudflare.com",
            "https://evil.com/.trycloudflare.com",
            "https://evil.com?.trycloudflare.com",
            "https://evil.com#x.trycloudflare.com",
            "https://x.trycloudflare.com.evil.com",
            "https://x.trycloudflare.com@evil.com/",
            "https://evil.com\\.trycloudflare.com",
            "https://evil.com:80.trycloudflare.com",
            "https://eviltrycloudflare.com",
            "https://.trycloudflare.com",
            "https://a..trycloudflare.com",
            "https://trycloudflare.com",
            "http://x.trycloudflare.com",
            "xhttps://x.trycloudflare.com",
            "https://evil.com/?u=https://x.trycloudflare.com",
            "https://evil.com%2f.trycloudflare.com",
            "https://",
        ];
        for text in refused {
            assert_eq!(tunnel_url(text), None, "{text}");
        }
    }
}
