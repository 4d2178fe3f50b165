//! One attempt of an http or tcp probe: is a process ready, is it still well.
//!
//! An attempt is bounded by the time it is given, uses no proxy, reads no more than it must, and ends when its future
//! is dropped. Absent on purpose: when to try again (the engine's), and probes of other kinds (nobody has to be asked).

mod connect;
mod exchange;
#[cfg(test)]
mod tests;
mod tls;
mod url;

use connect::{Connection, Place};
use devloop_core::fact::ProbeAnswer;
use exchange::Reply;
use std::error::Error;
use std::time::Duration;
use url::Url;

pub use connect::{address_in_use, loopback_addresses};

/// How many redirects are followed.
pub const REDIRECTS_MAX: usize = 10;

/// How much of a body is read, in bytes.
pub const BODY_BYTES_MAX: usize = exchange::BODY_BYTES_MAX;

/// Why an attempt did not find what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Miss {
    /// Nobody listens.
    Refused,
    /// In words, with all causes.
    Unwell(String),
}

/// Gets a URL. Well is a 2xx answer whose body, white space at both ends aside, is `expect_body` (any where there is
/// none). Redirects are followed to the same host or to loopback. Whatever has not been decided `within` is unwell.
pub async fn attempt_http(url: &str, expect_body: Option<&str>, within: Duration) -> ProbeAnswer {
    bounded(get(url, expect_body), within, "answer").await
}

/// Connects to `host:port`. Well is a connection.
pub async fn attempt_tcp(address: &str, within: Duration) -> ProbeAnswer {
    let attempt = async {
        let place = Place::parse(address).ok_or_else(|| Miss::Unwell(format!("'{address}' is not `host:port`")))?;
        Connection::open(&place).await.map(drop)
    };
    bounded(attempt, within, "connection").await
}

async fn bounded(attempt: impl Future<Output = Result<(), Miss>>, within: Duration, what: &str) -> ProbeAnswer {
    match tokio::time::timeout(within, attempt).await {
        Ok(Ok(())) => ProbeAnswer::Well,
        Ok(Err(Miss::Refused)) => ProbeAnswer::Refused,
        Ok(Err(Miss::Unwell(words))) => ProbeAnswer::Unwell(words),
        Err(_) => ProbeAnswer::Unwell(format!("no {what} within {} ms", within.as_millis())),
    }
}

async fn get(text: &str, expect_body: Option<&str>) -> Result<(), Miss> {
    let first = Url::parse(text).map_err(Miss::Unwell)?;
    let mut url = first.clone();
    for _ in 0..=REDIRECTS_MAX {
        match exchange::get(&url, expect_body).await? {
            Reply::Well => return Ok(()),
            Reply::Redirect { status, location } => {
                let next = url.join(&location).map_err(|words| Miss::Unwell(format!("status {status}: {words}")))?;
                if !next.place.is_loopback() && !next.place.is_same_host(&first.place) {
                    return Err(Miss::Unwell(format!(
                        "status {status}: a redirect to another host, '{}', is not followed",
                        next.place
                    )));
                }
                url = next;
            }
        }
    }
    Err(Miss::Unwell(format!("more than {REDIRECTS_MAX} redirects")))
}

/// An error and all its causes in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}
