//! Posted values: each answered once and truthfully, in the file when accepted, gone when refused, and seen by a run.

use super::Step;
use crate::marks::{Mark, announced};
use crate::plans::says;
use devloop_core::effect::{Effect, Values, Verdict};
use devloop_core::fact::{Fact, Holder};
use devloop_core::names::{EventName, RequestId, StateKey, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::event::EventPlan;
use devloop_core::value::Value;
use devloop_core::view::{Phase, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) struct Events {
    plan: Arc<Plan>,
    open: BTreeMap<RequestId, Post>,
    /// What each event's key held before the first post.
    at_first: BTreeMap<StateKey, Option<Value>>,
    /// The newest accepted value of each key, and its request.
    accepted: BTreeMap<StateKey, (RequestId, Value)>,
    /// By which requests a value came, for all that were accepted.
    requests: BTreeMap<(StateKey, String), RequestId>,
    /// Events that a value was accepted for.
    known: BTreeSet<EventName>,
    /// Accepted values that no run has seen yet: the newest request of each workflow and key.
    unseen: BTreeMap<(WorkflowName, StateKey), RequestId>,
    /// Accepted values whose workflow does not say any more what it sees: it must run.
    unheard: BTreeMap<WorkflowName, RequestId>,
    /// What was refused because the session ends.
    refused: Vec<(RequestId, StateKey, Value)>,
    /// The last save failed, so that the file may be as it was for any length of time.
    is_failing: bool,
}

struct Post {
    event: EventName,
    /// What the event was when it was posted.
    plan: Option<Arc<EventPlan>>,
    value: String,
    is_granted: bool,
    /// Whether the key held something else.
    is_change: bool,
}

impl Events {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            open: BTreeMap::new(),
            at_first: BTreeMap::new(),
            accepted: BTreeMap::new(),
            requests: BTreeMap::new(),
            known: BTreeSet::new(),
            unseen: BTreeMap::new(),
            unheard: BTreeMap::new(),
            refused: Vec::new(),
            is_failing: false,
        }
    }

    pub(crate) fn step(&mut self, step: &Step<'_>) -> Result<(), String> {
        self.posted(step);
        match step.fact {
            Fact::StateSaved(_) => self.is_failing = false,
            Fact::StateSaveFailed { .. } => self.is_failing = true,
            _ => {}
        }
        for effect in step.effects {
            if let Effect::ApplyPlan(plan) = effect {
                self.renew(plan);
            }
        }
        // A run that begins in the step of an answer may be told of before it.
        for effect in step.effects {
            if let Effect::AnswerRequest { request, verdict, run } = effect {
                self.answered(step, *request, *verdict, run.is_some())?;
            }
        }
        self.nothing_refused_is_left(step)?;
        for effect in step.effects {
            match announced(effect) {
                Some((workflow, Mark::Saw, text)) => self.saw(workflow, text),
                Some((workflow, Mark::Began, _)) => {
                    self.unheard.remove(workflow);
                }
                _ => {}
            }
            if matches!(effect, Effect::EndSession(_)) {
                self.holds_what_was_accepted(step.after)?;
            }
        }
        Ok(())
    }

    /// A session that is killed in the next instant leaves nothing of what it refused.
    fn nothing_refused_is_left(&self, step: &Step<'_>) -> Result<(), String> {
        let Some(file) = step.file.filter(|_| !self.is_failing) else { return Ok(()) };
        let is_left = |(_, key, value): &&(RequestId, StateKey, Value)| {
            file.get(key) == Some(value) && step.after.values.get(key) != Some(value)
        };
        match self.refused.iter().find(is_left) {
            Some((request, key, value)) => Err(format!("{request} is refused, and the file holds {value} as {key}")),
            None => Ok(()),
        }
    }

    /// What waits to be seen by a workflow that is another by now, and silent, can only be seen to be run for.
    fn renew(&mut self, plan: &Arc<Plan>) {
        let mut workflows = self.plan.workflows.clone();
        workflows.extend(plan.workflows.iter().map(|(name, workflow)| (name.clone(), Arc::clone(workflow))));
        self.plan = Arc::new(Plan { workflows, ..Plan::clone(plan) });
        for ((workflow, key), request) in std::mem::take(&mut self.unseen) {
            if self.says(&workflow, &key) {
                self.unseen.insert((workflow, key), request);
            } else {
                self.unheard.insert(workflow, request);
            }
        }
    }

    fn says(&self, workflow: &WorkflowName, key: &StateKey) -> bool {
        self.plan.workflows.get(workflow).is_some_and(|workflow| workflow.steps.contains(&says(key.as_str())))
    }

    fn posted(&mut self, step: &Step<'_>) {
        let Fact::EventPosted { request, holder, event, value } = step.fact else { return };
        let list = match holder {
            Holder::Process(name, _) => self.plan.processes.get(name).map(|process| process.events.as_ref()),
            Holder::Hook(_, name) => self.plan.hooks.get(name).map(|hook| hook.events.as_ref()),
        };
        let is_granted = list.is_some_and(|list| self.plan.granted(list).contains(event));
        let mut is_change = false;
        if let Some(plan) = self.plan.events.get(event) {
            let before = step.before.values.get(&plan.state_key);
            self.at_first.entry(plan.state_key.clone()).or_insert_with(|| before.cloned());
            is_change = before != Some(&Value::from(value.as_str()));
        }
        let plan = self.plan.events.get(event).cloned();
        let post = Post { event: event.clone(), plan, value: value.clone(), is_granted, is_change };
        self.open.insert(*request, post);
    }

    fn answered(&mut self, step: &Step<'_>, request: RequestId, verdict: Verdict, has_run: bool) -> Result<(), String> {
        let post = self.open.remove(&request).ok_or_else(|| format!("{request} is answered, and is not open"))?;
        let plan = post.plan.clone();
        let is_ending = step.before.phase >= Phase::Draining || step.after.phase >= Phase::Draining;
        let is_true = match verdict {
            Verdict::ShuttingDown => is_ending,
            Verdict::NotGranted => !post.is_granted,
            Verdict::BadValue => post.is_granted && plan.as_ref().is_some_and(|plan| !plan.accepts(&post.value)),
            Verdict::NotSaved => matches!(step.fact, Fact::StateSaveFailed { .. }),
            Verdict::Busy => false,
            Verdict::Accepted => post.is_granted && plan.as_ref().is_some_and(|plan| plan.accepts(&post.value)),
        };
        if !is_true {
            return Err(format!("{request} posted {:?} to {} and is answered {verdict:?}", post.value, post.event));
        }
        if let (Some(plan), Verdict::ShuttingDown) = (&plan, verdict)
            && post.is_change
        {
            self.refused.push((request, plan.state_key.clone(), Value::from(post.value.as_str())));
        }
        match plan {
            Some(plan) if verdict != Verdict::Accepted && post.is_change => {
                self.inherit(request, &plan.state_key, &post.value);
                Ok(())
            }
            Some(plan) if verdict == Verdict::Accepted => {
                self.is_in_file(step, request, &plan.state_key, &post.value)?;
                let is_new = self.known.insert(post.event.clone()) || post.is_change;
                if is_new != has_run {
                    return Err(format!("{request} is new: {is_new}, and has a run: {has_run}"));
                }
                if is_new {
                    if self.says(&plan.workflow, &plan.state_key) {
                        self.unseen.insert((plan.workflow.clone(), plan.state_key.clone()), request);
                    } else {
                        self.unheard.insert(plan.workflow.clone(), request);
                    }
                }
                self.requests.insert((plan.state_key.clone(), post.value.clone()), request);
                self.accepted.insert(plan.state_key.clone(), (request, Value::from(post.value.as_str())));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A change was refused and is undone: from now on it is the change of whoever posted the same again and still waits.
    fn inherit(&mut self, refused: RequestId, key: &StateKey, value: &str) {
        let is_same_key = |post: &&mut Post| post.plan.as_ref().is_some_and(|plan| plan.state_key == *key);
        let next = self.open.range_mut(refused..).map(|(_, post)| post).find(is_same_key);
        if let Some(next) = next.filter(|next| next.value == value) {
            next.is_change = true;
        }
    }

    /// The file holds the value, or a later one.
    fn is_in_file(&self, step: &Step<'_>, request: RequestId, key: &StateKey, value: &str) -> Result<(), String> {
        let held = step.file.and_then(|file| file.get(key));
        let is_later = |(id, post): (&RequestId, &Post)| {
            let is_same_key = post.plan.as_ref().is_some_and(|plan| plan.state_key == *key);
            *id > request && is_same_key && held == Some(&Value::from(post.value.as_str()))
        };
        let is_later_accepted = self.accepted.get(key).is_some_and(|(id, value)| *id > request && held == Some(value));
        if held == Some(&Value::from(value)) || is_later_accepted || self.open.iter().any(is_later) {
            return Ok(());
        }
        Err(format!("{request} is accepted with {value:?}, and the file's '{key}' is {held:?}"))
    }

    /// A run of a workflow was told `key value`.
    fn saw(&mut self, workflow: &WorkflowName, text: &str) {
        let Some((key, value)) = text.split_once(' ') else { return };
        let (key, value) = (StateKey::from(key), value.to_owned());
        let Some(seen) = self.requests.get(&(key.clone(), value)) else { return };
        if self.unseen.get(&(workflow.clone(), key.clone())).is_some_and(|wanted| wanted <= seen) {
            self.unseen.remove(&(workflow.clone(), key));
        }
    }

    pub(crate) fn rest(&self, view: &View, file: Option<&Arc<Values>>) -> Result<(), String> {
        if let Some((request, post)) = self.open.first_key_value() {
            return Err(format!("at rest {request} to {} is not answered", post.event));
        }
        if let Some(((workflow, key), request)) = self.unseen.first_key_value() {
            return Err(format!("no run of {workflow} has seen what {request} wrote to '{key}'"));
        }
        if let Some((workflow, request)) = self.unheard.first_key_value() {
            return Err(format!("no run of {workflow} began after {request} was accepted"));
        }
        for key in self.at_first.keys() {
            if file.and_then(|file| file.get(key)) != view.values.get(key) {
                return Err(format!("at rest the file's '{key}' is not the session's"));
            }
        }
        self.holds_what_was_accepted(view)
    }

    fn holds_what_was_accepted(&self, view: &View) -> Result<(), String> {
        for (key, first) in &self.at_first {
            let expected = self.accepted.get(key).map(|(_, value)| value).or(first.as_ref());
            if view.values.get(key) != expected {
                return Err(format!("'{key}' is {:?}, the last accepted was {expected:?}", view.values.get(key)));
            }
        }
        Ok(())
    }
}
