//! Posted values: judged, written, and accepted when the file holds them; undone when it could not be written.
//!
//! A value is in memory from the moment at which it is posted, so that later posts are compared with it, but no run is
//! told of it before it is accepted. Values count in the order in which they were posted.

use super::turn::Turn;
use crate::effect::{Effect, Verdict};
use crate::fact::Holder;
use crate::names::{EventName, RequestId, StateKey, StateVersion, WorkflowName};
use crate::plan::Plan;
use crate::plan::event::EventPlan;
use crate::value::Value;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// How many posted values wait for the file at most; a listener has fewer connections than that.
pub const REQUESTS_MAX: usize = 256;

/// All posted values that are not answered.
#[derive(Default)]
pub(crate) struct Intake {
    /// In the order in which they were posted.
    waiting: VecDeque<Waiting>,
    /// Events that a value was accepted for in this session.
    known: BTreeSet<EventName>,
    /// Refused because the session ends, and not told yet: the file may hold their values until it has this version.
    leaving: Vec<(RequestId, StateVersion)>,
}

/// A value that came.
pub(crate) struct Posted {
    pub(crate) request: RequestId,
    pub(crate) holder: Holder,
    pub(crate) event: EventName,
    pub(crate) value: String,
}

struct Waiting {
    request: RequestId,
    holder: Holder,
    event: EventName,
    key: StateKey,
    value: Value,
    /// What runs for it if it is new, by the plan that it was posted under.
    workflow: WorkflowName,
    plan: Arc<Plan>,
    /// The version that must be in the file.
    needs: StateVersion,
    replaced: Replaced,
}

/// What a key held before a value was posted.
#[derive(PartialEq, Eq)]
enum Replaced {
    /// The same value.
    Nothing,
    /// Another one, or none.
    Before(Option<Value>),
}

/// A value that is in memory and in the file.
pub(crate) struct Accepted {
    pub(crate) request: RequestId,
    pub(crate) holder: Holder,
    pub(crate) event: EventName,
    /// What must run for it; none when nothing changed.
    pub(crate) workflow: Option<WorkflowName>,
    /// What it was posted under.
    pub(crate) plan: Arc<Plan>,
}

impl Intake {
    /// A value was posted.
    pub(crate) fn posted(&mut self, turn: &mut Turn, plan: &Arc<Plan>, posted: Posted) {
        let Some(event) = plan.events.get(&posted.event).filter(|_| is_granted(plan, &posted)) else {
            return answer(turn, posted.request, Verdict::NotGranted);
        };
        if !event.accepts(&posted.value) {
            answer(turn, posted.request, Verdict::BadValue);
        } else if self.waiting.len() == REQUESTS_MAX {
            answer(turn, posted.request, Verdict::Busy);
        } else {
            self.write(turn, (event, plan), posted);
        }
    }

    fn write(&mut self, turn: &mut Turn, (event, plan): (&EventPlan, &Arc<Plan>), posted: Posted) {
        let (key, value) = (event.state_key.clone(), Value::String(posted.value));
        let before = turn.session.value(key.as_str()).cloned();
        let is_changed = turn.write(&key, &value);
        let is_on_disk = !is_changed && turn.session.is_on_disk(key.as_str(), &value);
        self.waiting.push_back(Waiting {
            request: posted.request,
            holder: posted.holder,
            event: posted.event,
            key,
            value,
            workflow: event.workflow.clone(),
            plan: Arc::clone(plan),
            needs: if is_on_disk { StateVersion::default() } else { turn.session.version() },
            replaced: if is_changed { Replaced::Before(before) } else { Replaced::Nothing },
        });
    }

    /// Takes the values that the file holds by now, in the order in which they were posted.
    pub(crate) fn advance(&mut self, turn: &mut Turn) -> Vec<Accepted> {
        let mut accepted = Vec::new();
        self.waiting.retain(|post| {
            if !turn.session.is_saved(post.needs) {
                return true;
            }
            let is_first = self.known.insert(post.event.clone());
            let is_new = is_first || post.replaced != Replaced::Nothing;
            accepted.push(Accepted {
                request: post.request,
                holder: post.holder.clone(),
                event: post.event.clone(),
                workflow: is_new.then(|| post.workflow.clone()),
                plan: Arc::clone(&post.plan),
            });
            false
        });
        if !accepted.is_empty() {
            turn.stir();
        }
        accepted
    }

    /// A save failed: what it should have held is refused and undone.
    pub(crate) fn save_failed(&mut self, turn: &mut Turn, version: StateVersion) {
        let count = self.waiting.iter().take_while(|post| post.needs <= version).count();
        self.refuse(turn, count, Verdict::NotSaved);
    }

    /// The session ends: what waits is undone, and refused as soon as no file holds it, whoever kills devloop then.
    pub(crate) fn drain(&mut self, turn: &mut Turn) {
        let refused = self.undo_first(turn, self.waiting.len());
        let until = turn.session.version();
        self.leaving = refused.into_iter().map(|post| (post.request, until)).collect();
        self.answer_leaving(turn);
    }

    /// Tells those whose values are in no file any more, or when nobody waits for the file any more.
    pub(crate) fn answer_leaving(&mut self, turn: &mut Turn) {
        let is_late = turn.session.is_over();
        let leaving = std::mem::take(&mut self.leaving);
        let (gone, left) = leaving.into_iter().partition(|(_, until)| is_late || turn.session.is_settled(*until));
        self.leaving = left;
        for (request, _) in gone {
            answer(turn, request, Verdict::ShuttingDown);
        }
    }

    /// Refuses the first values that wait.
    fn refuse(&mut self, turn: &mut Turn, count: usize, verdict: Verdict) {
        for post in self.undo_first(turn, count) {
            answer(turn, post.request, verdict);
        }
    }

    /// Takes the first values that wait back, from the last to the first.
    fn undo_first(&mut self, turn: &mut Turn, count: usize) -> Vec<Waiting> {
        let undone: Vec<Waiting> = self.waiting.drain(..count).collect();
        for post in undone.iter().rev() {
            self.undo(turn, post);
        }
        undone
    }

    /// Takes a value back where it still is: from the key itself, or from what a later post would go back to.
    fn undo(&mut self, turn: &mut Turn, post: &Waiting) {
        let Replaced::Before(before) = &post.replaced else { return };
        let mut later = self.waiting.iter_mut().filter(|later| later.key == post.key).peekable();
        if let Some(same) = later.next_if(|next| next.replaced == Replaced::Nothing && next.value == post.value) {
            // Whoever posted the same again still waits for it: from now on it is their change.
            same.replaced = Replaced::Before(before.clone());
            return;
        }
        let later = later.find_map(|later| match &mut later.replaced {
            Replaced::Before(value) => Some(value),
            Replaced::Nothing => None,
        });
        if let Some(replaced) = later {
            if replaced.as_ref() == Some(&post.value) {
                replaced.clone_from(before);
            }
        } else if turn.session.value(post.key.as_str()) == Some(&post.value) {
            turn.session.restore(&post.key, before.clone());
            turn.stir();
        }
    }

    /// What a key holds without the values that are not accepted yet.
    pub(crate) fn accepted_value(&self, turn: &Turn, key: &StateKey) -> Option<Value> {
        let mut value = turn.session.value(key.as_str());
        for post in self.waiting.iter().rev().filter(|post| post.key == *key) {
            if let Replaced::Before(before) = &post.replaced
                && value == Some(&post.value)
            {
                value = before.as_ref();
            }
        }
        value.cloned()
    }
}

fn is_granted(plan: &Plan, posted: &Posted) -> bool {
    let list = match &posted.holder {
        Holder::Process(process, _) => plan.processes.get(process).map(|process| process.events.as_ref()),
        Holder::Hook(_, hook) => plan.hooks.get(hook).map(Arc::as_ref).map(|hook| hook.events.as_ref()),
    };
    list.is_some_and(|list| list.is_none_or(|list| list.contains(&posted.event)))
}

fn answer(turn: &mut Turn, request: RequestId, verdict: Verdict) {
    turn.ask(Effect::AnswerRequest { request, verdict, run: None });
}
