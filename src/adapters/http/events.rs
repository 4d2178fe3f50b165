//! The event server: a token, a name and a value in, one verdict out. The order of checks is the contract of SECURITY.md.
//!
//! Absent on purpose: choosing a state key or a workflow, reading state, listing names, and a second way in.

use super::answer::Answer;
use super::connection::{Connection, End};
use super::guard::{self, Hosts};
use super::head::{Framing, Head, Method, Once};
use super::refusals::{About, Fingerprint, Records, answer_of};
use super::tokens::{Tokens, Who};
use super::wire;
use crate::hands::FactSender;
use devloop_core::effect::Verdict;
use devloop_core::fact::Fact;
use devloop_core::names::{EventName, RequestId, RunId};
use devloop_core::plan::event::VALUE_BYTES_MAX;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::oneshot;

/// The path of an event, before its name.
pub(super) const PATH: &str = "/events/";

/// What all connections of the server share.
#[derive(Debug)]
pub(super) struct Events {
    hosts: Hosts,
    tokens: Rc<Tokens>,
    facts: FactSender,
    pub(super) records: Records,
    /// The newest number; one that comes after this server goes on from there.
    newest: Rc<Cell<RequestId>>,
    waiting: RefCell<BTreeMap<RequestId, Waiting>>,
}

/// A posted value that waits for its verdict.
#[derive(Debug)]
struct Waiting {
    who: Rc<Who>,
    event: EventName,
    value: Fingerprint,
    verdict: oneshot::Sender<Verdict>,
}

/// A refusal, and as much as is known about who asked for what.
struct Refused {
    end: End,
    who: Option<Rc<Who>>,
    event: Option<EventName>,
    value: Option<Fingerprint>,
}

impl<E: Into<End>> From<E> for Refused {
    fn from(end: E) -> Self {
        Self { end: end.into(), who: None, event: None, value: None }
    }
}

impl Refused {
    fn of(end: impl Into<End>, who: &Rc<Who>, event: Option<&EventName>) -> Self {
        Self { end: end.into(), who: Some(Rc::clone(who)), event: event.cloned(), value: None }
    }
}

impl Events {
    pub(super) fn new(
        hosts: Hosts,
        tokens: Rc<Tokens>,
        facts: FactSender,
        records: Records,
        newest: Rc<Cell<RequestId>>,
    ) -> Self {
        Self { hosts, tokens, facts, records, newest, waiting: RefCell::default() }
    }

    /// Whether no value waits for its verdict.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// The engine's verdict on a request.
    pub(super) fn decided(&self, request: RequestId, verdict: Verdict, run: Option<RunId>) {
        let Some(waiting) = self.waiting.borrow_mut().remove(&request) else { return };
        let about = About { who: Some(&waiting.who), event: Some(waiting.event.as_str()), value: Some(waiting.value) };
        self.records.decided(verdict, run, about);
        // The client may have left meanwhile; what was accepted stays accepted.
        let _ = waiting.verdict.send(verdict);
    }

    /// Serves one connection to its end.
    pub(super) async fn serve(self: Rc<Self>, mut connection: Connection) {
        loop {
            tokio::task::coop::consume_budget().await;
            let head = match connection.head().await {
                Ok(head) => head,
                Err(End::Gone) => return,
                Err(End::Refused(answer)) => {
                    self.records.refused(answer, About::default());
                    return connection.answer_and_close(answer, false).await;
                }
            };
            let is_head = head.method == Method::Head;
            let mut is_whole = false;
            let answer = match self.take(&head, &mut connection, &mut is_whole).await {
                Ok(verdict) => answer_of(verdict),
                Err(refused) => {
                    let End::Refused(answer) = refused.end else { return };
                    self.told(answer, &refused);
                    answer
                }
            };
            let nothing_left = is_whole || head.framing == Framing::Empty;
            if !head.keeps_alive || !nothing_left || !answer.may_keep_alive() {
                return connection.answer_and_close(answer, is_head).await;
            }
            if connection.answer(answer, is_head).await.is_err() {
                return;
            }
        }
    }

    fn told(&self, answer: Answer, refused: &Refused) {
        if answer == Answer::TooManyBadTokens {
            // Told when they became too many.
            return;
        }
        let event = refused.event.as_ref().map(EventName::as_str);
        self.records.refused(answer, About { who: refused.who.as_deref(), event, value: refused.value });
    }

    /// Steps 2 to 8. `is_whole` becomes true when the body has been read to its end.
    async fn take(&self, head: &Head, connection: &mut Connection, is_whole: &mut bool) -> Result<Verdict, Refused> {
        self.hosts.check(&head.host)?;
        guard::no_page(head)?;
        let who = self.authorized(head)?;
        let event = event_of(head, &who).map_err(|answer| Refused::of(answer, &who, None))?;
        let refused = |end: End| Refused::of(end, &who, Some(&event));
        check_entity(head).map_err(|answer| refused(answer.into()))?;
        let body = connection.body(head).await.map_err(refused)?;
        *is_whole = true;
        let value = self.tokens.mask(wire::value(&body).map_err(|answer| refused(answer.into()))?);
        let fingerprint = Fingerprint::of(&value);
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refused { value: Some(fingerprint), ..refused(Answer::ValueTooLong.into()) });
        }
        // The child may have ended while its body was on the way.
        self.authorized(head)?;
        let verdict = self.post(who, event, value, fingerprint);
        // Without a verdict the session is over, and so is this task.
        verdict.await.map_err(|_| Answer::Ending.into())
    }

    /// Step 3: exactly one `Authorization`, `Bearer`, and a token that is alive.
    fn authorized(&self, head: &Head) -> Result<Rc<Who>, Answer> {
        let Some((scheme, token)) = head.authorization.text().and_then(|text| text.split_once(' ')) else {
            return Err(Answer::Unauthorized);
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Answer::Unauthorized);
        }
        self.tokens.find(token.trim_start_matches(' ')).ok_or_else(|| self.records.bad_token())
    }

    /// Step 8. The number is given and the fact sent in one go: values count in the order of their numbers.
    fn post(&self, who: Rc<Who>, event: EventName, value: String, print: Fingerprint) -> oneshot::Receiver<Verdict> {
        let request = self.newest.get().next();
        self.newest.set(request);
        let (sender, verdict) = oneshot::channel();
        let holder = who.holder.clone();
        let waiting = Waiting { who, event: event.clone(), value: print, verdict: sender };
        self.waiting.borrow_mut().insert(request, waiting);
        self.facts.send(Fact::EventPosted { request, holder, event, value });
        verdict
    }
}

/// Step 4: the exact path of an event that this client was granted, and `POST`.
fn event_of(head: &Head, who: &Who) -> Result<EventName, Answer> {
    let name = head.target.strip_prefix(PATH).ok_or(Answer::NotFound)?;
    let event = who.granted(name).ok_or(Answer::NotFound)?;
    if head.method == Method::Post { Ok(event) } else { Err(Answer::NotPost) }
}

/// Step 5, as far as the head tells.
fn check_entity(head: &Head) -> Result<(), Answer> {
    if head.has_content_encoding || !is_json(&head.content_type) {
        return Err(Answer::NotJsonType);
    }
    Ok(())
}

/// `application/json`, with `charset=utf-8` at most.
fn is_json(content_type: &Once) -> bool {
    let Some(text) = content_type.text() else { return false };
    let mut parts = text.split(';').map(str::trim_ascii);
    let is_type = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.next().is_none_or(|parameter| {
        parameter.eq_ignore_ascii_case("charset=utf-8") || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
    });
    is_type && is_utf8 && parts.next().is_none()
}
