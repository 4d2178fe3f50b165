//! Refused requests, told: each in the audit log, and at most one warning a second with a count.

use super::answer::Answer;
use super::tokens::Who;
use crate::adapters::audit_log::AuditLog;
use crate::report::{self, Reporter};
use devloop_core::effect::Verdict;
use devloop_core::fact::Holder;
use devloop_core::names::RunId;
use devloop_core::notice::Level;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

const WARNING_GAP: Duration = Duration::from_secs(1);

/// So many bad tokens in this time, and the next ones are answered shortly.
const BAD_TOKENS_MAX: usize = 100;
const BAD_TOKENS_WINDOW: Duration = Duration::from_secs(10);

/// A value as far as the audit log may know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprint {
    length: usize,
    hash: ring::digest::Digest,
}

impl Fingerprint {
    pub(super) fn of(value: &str) -> Self {
        Self { length: value.len(), hash: ring::digest::digest(&ring::digest::SHA256, value.as_bytes()) }
    }
}

/// What a line of the audit log says of who and what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct About<'a> {
    pub(super) who: Option<&'a Who>,
    pub(super) event: Option<&'a str>,
    pub(super) value: Option<Fingerprint>,
}

/// Where the event server tells what it took and what it refused.
#[derive(Debug)]
pub(super) struct Records {
    audit: Option<AuditLog>,
    bad_tokens: RefCell<VecDeque<Instant>>,
    is_flooded: Cell<bool>,
    warnings: Rc<Warnings>,
}

impl Records {
    pub(super) fn new(audit: Option<AuditLog>, warnings: Rc<Warnings>) -> Self {
        Self { audit, bad_tokens: RefCell::default(), is_flooded: Cell::new(false), warnings }
    }

    /// The answer to a bad token: 401, and 429 while there are too many of them. A live token is never asked about here.
    pub(super) fn bad_token(&self) -> Answer {
        let now = Instant::now();
        let mut recent = self.bad_tokens.borrow_mut();
        while recent.front().is_some_and(|&at| now.duration_since(at) >= BAD_TOKENS_WINDOW) {
            recent.pop_front();
        }
        let is_flooded = recent.len() >= BAD_TOKENS_MAX;
        if is_flooded {
            recent.pop_front();
        }
        recent.push_back(now);
        if is_flooded {
            let answer = Answer::TooManyBadTokens;
            if !self.is_flooded.replace(true) {
                self.refused(answer, About::default());
            }
            return answer;
        }
        self.is_flooded.set(false);
        Answer::Unauthorized
    }

    /// A request was refused.
    pub(super) fn refused(&self, answer: Answer, about: About<'_>) {
        self.line(about, |out| {
            let _ = write!(
                out,
                ",\"verdict\":\"refused\",\"status\":{},\"reason\":\"{}\"",
                answer.status(),
                answer.reason()
            );
        });
        self.warnings.add(format!("{} ({})", answer.reason(), answer.status()));
    }

    /// The engine has decided.
    pub(super) fn decided(&self, verdict: Verdict, run: Option<RunId>, about: About<'_>) {
        match answer_of(verdict) {
            Answer::Accepted => self.line(about, |out| {
                out.extend_from_slice(b",\"verdict\":\"accepted\",\"status\":204");
                match run {
                    Some(run) => drop(write!(out, ",\"run\":\"{run}\"")),
                    None => out.extend_from_slice(b",\"run\":null"),
                }
            }),
            refusal => self.refused(refusal, about),
        }
    }

    /// One JSON object. Names of events and items have no character that JSON would escape.
    fn line(&self, about: About<'_>, verdict: impl FnOnce(&mut Vec<u8>)) {
        let Some(audit) = &self.audit else { return };
        let time = report::time_stamp();
        audit.add(|out| {
            // Writing into a vector cannot fail.
            let _ = write!(out, "{{\"time\":\"{time}\"");
            if let Some(event) = about.event {
                let _ = write!(out, ",\"event\":\"{event}\"");
            }
            verdict(out);
            match about.who.map(|who| (&who.holder, who.pid())) {
                Some((holder, pid)) => {
                    let _ = match holder {
                        Holder::Process(process, life) => write!(out, ",\"who\":\"process {process} {life}\""),
                        Holder::Hook(task, hook) => write!(out, ",\"who\":\"hook {hook} {task}\""),
                    };
                    if let Some(pid) = pid {
                        let _ = write!(out, ",\"pid\":{pid}");
                    }
                }
                None => out.extend_from_slice(b",\"who\":null"),
            }
            if let Some(value) = about.value {
                let _ = write!(out, ",\"length\":{},\"sha256\":\"", value.length);
                for byte in value.hash.as_ref() {
                    let _ = write!(out, "{byte:02x}");
                }
                out.push(b'"');
            }
            out.push(b'}');
        });
    }
}

/// The status of a verdict.
pub(super) fn answer_of(verdict: Verdict) -> Answer {
    match verdict {
        Verdict::Accepted => Answer::Accepted,
        Verdict::BadValue => Answer::ValueRefused,
        Verdict::NotSaved => Answer::NotSaved,
        Verdict::ShuttingDown => Answer::Ending,
        Verdict::NotGranted => Answer::NotFound,
        Verdict::Busy => Answer::Busy,
    }
}

/// Warnings of one server: the first at once, later ones at most once a second.
pub(super) struct Warnings {
    part: &'static str,
    refused_by: &'static str,
    reporter: Arc<Reporter>,
    count: Cell<u64>,
    latest: RefCell<String>,
    something: Notify,
}

impl std::fmt::Debug for Warnings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warnings").field("part", &self.part).field("count", &self.count).finish_non_exhaustive()
    }
}

impl Warnings {
    pub(super) fn new(part: &'static str, refused_by: &'static str, reporter: Arc<Reporter>) -> Self {
        Self { part, refused_by, reporter, count: Cell::new(0), latest: RefCell::default(), something: Notify::new() }
    }

    /// Something was refused, for this reason.
    pub(super) fn add(&self, reason: String) {
        self.count.set(self.count.get() + 1);
        *self.latest.borrow_mut() = reason;
        self.something.notify_one();
    }

    /// Tells; never ends.
    pub(super) async fn tell(self: Rc<Self>) {
        loop {
            self.something.notified().await;
            self.tell_now();
            tokio::time::sleep(WARNING_GAP).await;
        }
    }

    fn tell_now(&self) {
        let latest = self.latest.take();
        let message = match self.count.take() {
            0 => return,
            1 => format!("{} refused a request: {latest}", self.refused_by),
            count => format!("{} refused {count} requests, the latest: {latest}", self.refused_by),
        };
        self.reporter.line(self.part, Level::Warn, &report::escape::one_line(&message));
    }
}

impl Drop for Warnings {
    fn drop(&mut self) {
        self.tell_now();
    }
}
