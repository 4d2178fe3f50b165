//! `devloop post NAME VALUE`: posts a value to an event of the session that started the calling process or hook.
//!
//! Where to, and the token, come from the environment alone: an argument can be read by every user of the machine.

use crate::adapters::poster::{PostError, Target};
use crate::env_vars;
use crate::failure::Failure;
use crate::report::escape::one_line;
use devloop_core::names::EventName;
use devloop_core::plan::event::VALUE_BYTES_MAX;
use devloop_core::plan::event::url_variable;
use std::io::Read as _;
use std::time::{Duration, Instant};

/// How long a session that says "not now" is asked again.
const RETRY_MAX: Duration = Duration::from_secs(3);
/// The first wait before it is asked again; doubles from there.
const RETRY_DELAY: Duration = Duration::from_millis(50);

pub(super) fn main(event: &str, value: &str) -> Result<(), Failure> {
    let refused = |(why, hint)| Failure::NotPosted { event: one_line(event), why, hint };
    let failed = |why: String| refused((why, None));
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if event.is_empty() || !event.chars().all(is_name) {
        return Err(failed("names of events have letters, digits, `_` and `-` only".to_owned()));
    }
    let value = if value == "-" { from_stdin().map_err(failed)? } else { value.to_owned() };
    if value.len() > VALUE_BYTES_MAX {
        return Err(failed(format!("the value is {} bytes long; at most {VALUE_BYTES_MAX} are taken", value.len())));
    }
    let Some(whereto) = whereto(event) else { return Err(Failure::NoToken) };
    let (url, token) = whereto.map_err(failed)?;
    let target = Target::parse(&url).map_err(|_| {
        failed("the address in the environment is none of this machine, so no token is sent there".to_owned())
    })?;
    let began = Instant::now();
    let mut delay = RETRY_DELAY;
    loop {
        match target.post(&token, &value) {
            Ok(204) => return Ok(()),
            Ok(503) if began.elapsed() + delay < RETRY_MAX => {
                std::thread::sleep(delay);
                delay *= 2;
            }
            Ok(status) => return Err(refused(refusal(status))),
            Err(PostError::Refused) => {
                return Err(failed("the session has ended: nobody listens at its address any more".to_owned()));
            }
            Err(error) => return Err(failed(format!("the session cannot be reached: {error}"))),
        }
    }
}

/// The address of an event, and the token; none where the environment has no such thing.
fn whereto(event: &str) -> Option<Result<(String, String), String>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = variable(&url_variable(&EventName::from(event)))
        .or_else(|| Some(format!("{}/events/{event}", variable(env_vars::EVENTS_BASE_URL)?.trim_end_matches('/'))))?;
    let token = variable(env_vars::EVENTS_TOKEN)?;
    let is_token = token.bytes().all(|byte| byte.is_ascii_graphic());
    Some(if is_token {
        Ok((address, token))
    } else {
        Err(format!("{} holds no token of devloop", env_vars::EVENTS_TOKEN))
    })
}

/// All of stdin, without the line end that `echo` puts behind it.
fn from_stdin() -> Result<String, String> {
    let mut bytes = Vec::new();
    // A line end more than the longest value, and a byte more to see that it is longer.
    let most = VALUE_BYTES_MAX as u64 + 2;
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|error| format!("stdin: {error}"))?;
    let mut text = String::from_utf8(bytes).map_err(|_| "what comes from stdin is not UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.len() > VALUE_BYTES_MAX {
        return Err(format!("the value is longer than {VALUE_BYTES_MAX} bytes, which is the most that is taken"));
    }
    Ok(text)
}

/// Why the session did not take the value, and what to do.
fn refusal(status: u16) -> (String, Option<&'static str>) {
    let (why, hint) = match status {
        400 => ("the value does not match the event's `pattern`", None),
        401 => (
            "the token is not valid (401)",
            Some("a token dies with the child that it was made for, and with its session; start that child again"),
        ),
        403 => ("the session refuses the address that it was called by (403)", None),
        404 => (
            "there is no such event, or this process or hook may not post to it (404)",
            Some("name it in the `events` list of the process or hook; `devloop audit` shows who may post what"),
        ),
        413 => ("the value is too long (413)", None),
        429 => ("too many wrong tokens were tried of late (429)", Some("wait some seconds")),
        500 => (
            "the session cannot write its state file (500)",
            Some("nothing was changed; what the session says tells why, and posting again later works"),
        ),
        503 => ("the session is ending, or has too much to do (503)", None),
        status => return (format!("the session answered with status {status}"), None),
    };
    (why.to_owned(), hint)
}
