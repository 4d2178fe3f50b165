//! The shape of the file, version 1. Fields may be added; a change of what is there gets a new version.

use super::chronicle::{Chronicle, LastRun, ProcessPast, WorkflowPast};
use crate::report::time_stamp_of;
use devloop_core::plan::Plan;
use devloop_core::value::Value;
use devloop_core::view::{Condition, Phase, ProcessView, RunView, View};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// What stays the same as long as a session lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The process id of devloop.
    pub pid: u32,
    /// When that process began, in ticks since the machine did.
    pub began_ticks: Option<u64>,
    /// When the session began.
    pub began: Option<SystemTime>,
    /// The config file.
    pub config: String,
    /// The session log.
    pub log: Option<String>,
    /// Where values are posted.
    pub events_url: Option<String>,
    /// Where browsers listen.
    pub reload_url: Option<String>,
}

/// All that one file says.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What stays the same.
    pub session: Arc<Session>,
    /// What is wanted.
    pub plan: Arc<Plan>,
    /// What is going on.
    pub view: View,
    /// What has happened.
    pub chronicle: Chronicle,
}

impl Snapshot {
    /// The file's content.
    pub fn into_value(self) -> Value {
        let Self { session, plan, view, chronicle } = &self;
        let processes = plan.processes.keys().map(|name| {
            let past = chronicle.processes.get(name);
            (name.to_string(), process(view.processes.get(name), past))
        });
        let workflows = plan.workflows.keys().map(|name| {
            let is_of = |run: &&RunView| run.workflow == *name;
            let running = view.runs.iter().find(is_of);
            let waits = view.waiting.iter().any(|run| run.workflow == *name);
            (name.to_string(), workflow(running, waits, chronicle.workflows.get(name)))
        });
        let observers = plan.hooks.iter().filter_map(|(name, hook)| {
            let observe = hook.observe.as_ref()?;
            let failing = chronicle.failing.get(name).map(String::as_str);
            let fields = [("workflow", observe.workflow.as_str().into()), ("failing", text(failing))];
            Some((name.to_string(), object(fields)))
        });
        let events = plan.events.iter().map(|(name, event)| {
            let fields = [("workflow", event.workflow.as_str().into()), ("state_key", event.state_key.as_str().into())];
            (name.to_string(), object(fields))
        });
        object([
            ("version", number(1)),
            ("session", self::session(session, plan, view.phase)),
            ("processes", Value::Object(processes.collect())),
            ("workflows", Value::Object(workflows.collect())),
            ("observers", Value::Object(observers.collect())),
            ("events", Value::Object(events.collect())),
        ])
    }
}

fn session(session: &Session, plan: &Plan, phase: Phase) -> Value {
    let phase = match phase {
        Phase::Arming | Phase::Startup => "starting",
        Phase::Running => "running",
        Phase::Draining | Phase::Killing | Phase::Ended => "ending",
    };
    object([
        ("pid", number(session.pid.into())),
        ("pid_began", session.began_ticks.map_or(Value::Null, number)),
        ("began", time(session.began)),
        ("phase", phase.into()),
        ("config", Value::String(session.config.clone())),
        ("root", Value::String(plan.root.to_string_lossy().into_owned())),
        ("state_file", Value::String(plan.state_file.to_string_lossy().into_owned())),
        ("log", text(session.log.as_deref())),
        ("events_url", text(session.events_url.as_deref())),
        ("reload_url", text(session.reload_url.as_deref())),
    ])
}

fn process(view: Option<&ProcessView>, past: Option<&ProcessPast>) -> Value {
    let condition = view.map_or(Condition::Down, |view| view.condition);
    let past = past.cloned().unwrap_or_default();
    let (last_end, ended) = past.last_end.map_or((None, None), |(how, when)| (Some(how), Some(when)));
    object([
        ("state", state(condition).into()),
        ("ready", Value::Bool(condition == Condition::Ready)),
        ("wanted", Value::Bool(view.is_some_and(|view| view.is_wanted))),
        ("pid", view.and_then(|view| view.pid).map_or(Value::Null, |pid| number(pid.into()))),
        ("since", time(past.since)),
        ("restarts", number(past.starts.saturating_sub(1))),
        ("last_exit", text(last_end.as_deref())),
        ("last_exit_at", time(ended)),
        ("trouble", text(past.trouble.as_deref())),
    ])
}

fn state(condition: Condition) -> &'static str {
    match condition {
        Condition::Down | Condition::Lingering => "stopped",
        Condition::Waiting => "waiting",
        Condition::Starting => "starting",
        Condition::Running => "running",
        Condition::Ready => "ready",
        Condition::Stopping => "stopping",
        Condition::BackingOff => "backing off",
    }
}

fn workflow(running: Option<&RunView>, waits: bool, past: Option<&WorkflowPast>) -> Value {
    let past = past.cloned().unwrap_or_default();
    let state = match (running, waits) {
        (Some(_), _) => "running",
        (None, true) => "waiting",
        (None, false) => "idle",
    };
    let events = running.into_iter().flat_map(|run| &run.events).map(|name| name.as_str().into()).collect();
    let files = past.changed_files.iter().map(|file| (&**file).into()).collect();
    object([
        ("state", state.into()),
        ("waiting", Value::Bool(waits)),
        ("runs", number(past.runs)),
        ("began", time(past.began)),
        ("changed_files", Value::Array(files)),
        ("changed_files_left_out", number(past.files_left_out as u64)),
        ("events", Value::Array(events)),
        ("last", past.last.as_ref().map_or(Value::Null, last)),
    ])
}

fn last(run: &LastRun) -> Value {
    let took = run.took.map_or(Value::Null, |took| number(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
    object([
        ("result", run.result.into()),
        ("why", text(run.why.as_deref())),
        ("ended", time(Some(run.ended))),
        ("took_ms", took),
    ])
}

fn text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}

fn number(number: u64) -> Value {
    Value::Number(number.to_string())
}

fn time(time: Option<SystemTime>) -> Value {
    time.map_or(Value::Null, |time| Value::String(time_stamp_of(time)))
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect::<BTreeMap<_, _>>())
}
