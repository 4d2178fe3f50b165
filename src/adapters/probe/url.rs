//! The part of a URL that a probe needs (RFC 3986), and where a redirect leads.

use super::connect::Place;
use hyper::Uri;

/// An `http` or `https` URL, without fragment and user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) is_https: bool,
    pub(super) place: Place,
    /// The host and the port as they were written, for the `Host` field.
    pub(super) authority: String,
    /// Path and query, as a request names them; begins with `/`.
    pub(super) target: String,
}

impl Url {
    /// Reads an absolute URL; the error is in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = without_fragment(text);
        let wrong = |why: &str| format!("'{text}' is not an http or https URL: {why}");
        let uri = text.parse::<Uri>().map_err(|error| wrong(&error.to_string()))?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it does not begin with http:// or https://")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        let port = uri.port_u16();
        if port.is_none() && uri.authority().is_some_and(|authority| !authority.as_str().ends_with(host)) {
            return Err(wrong("its port is not a number up to 65535"));
        }
        let authority = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let place = Place::new(host, port.unwrap_or(if is_https { 443 } else { 80 }));
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { is_https, place, authority, target })
    }

    /// The URL that a `Location` field of an answer from here means.
    pub(super) fn join(&self, location: &str) -> Result<Self, String> {
        let location = without_fragment(location.trim());
        let scheme = if self.is_https { "https" } else { "http" };
        if has_scheme(location) {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let path = self.target.split('?').next().unwrap_or("/");
        let folder = &path[..=path.rfind('/').unwrap_or(0)];
        let target = match location.bytes().next() {
            None => self.target.clone(),
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            Some(_) => format!("{folder}{location}"),
        };
        Self::parse(&format!("{scheme}://{}{}", self.authority, without_dots(&target)))
    }
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or(text)
}

/// Whether a reference begins with `scheme:`.
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// Takes `.` and `..` out of a path (RFC 3986, 5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.find('?').map_or((target, ""), |at| target.split_at(at));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("http://user:pw@LocalHost:8080/a?b=c#d").unwrap();
        assert_eq!((url.authority.as_str(), url.target.as_str()), ("LocalHost:8080", "/a?b=c"));
        assert_eq!(url.place, Place::new("localhost", 8080));
        assert_eq!(Url::parse("https://[::1]").unwrap().place, Place::new("::1", 443));
        assert_eq!(Url::parse("http://h?x").unwrap().target, "/?x");
    }

    #[test]
    fn what_is_no_url_is_refused_in_words() {
        for text in ["", "localhost:80", "/x", "ftp://h/", "http://", "http://h:99999/", "http://h:x/", "http://a b/"] {
            assert!(Url::parse(text).unwrap_err().contains("is not an http or https URL"), "{text}");
        }
    }

    #[test]
    fn a_location_is_meant_from_where_the_answer_came() {
        let from = Url::parse("https://h:1/a/b?q").unwrap();
        for (location, expected) in [
            ("/x", "https://h:1/x"),
            ("x?y#z", "https://h:1/a/x?y"),
            ("?y", "https://h:1/a/b?y"),
            ("", "https://h:1/a/b?q"),
            ("//k/x", "https://k/x"),
            ("http://k:2", "http://k:2/"),
            ("../../../c/./d/..", "https://h:1/c/"),
        ] {
            assert_eq!(from.join(location), Url::parse(expected), "{location}");
        }
        assert!(from.join("javascript:alert(1)").is_err());
    }
}
