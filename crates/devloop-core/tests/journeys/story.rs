//! The stage of a story: an engine, and a world that does what the script says and otherwise answers soon and well.

use crate::build::Planned;
use crate::trace;
use devloop_core::effect::{ArtifactOrder, Effect, Values};
use devloop_core::engine::Engine;
use devloop_core::fact::{
    ArtifactAnswer, Captured, ExitStatus, Fact, Holder, HookOutcome, Interrupt, LoadedPlan, ProbeAnswer, ProbeRole,
    ProcessFact, StartFailure, Touch, TouchKind,
};
use devloop_core::moment::Moment;
use devloop_core::names::{Generation, HookName, Incarnation, ProcessName, RequestId, TaskId};
use devloop_core::protocol::Protocol;
use devloop_core::view::View;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How the world plays its part. Times are milliseconds.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// Processes that listen only to SIGKILL.
    pub(crate) deaf: BTreeSet<&'static str>,
    /// Processes that cannot be started, so many times.
    pub(crate) start_failures: BTreeMap<&'static str, (u32, StartFailure)>,
    /// When a process answers its readiness probe, counted from its start.
    pub(crate) ready_after: BTreeMap<&'static str, u64>,
    /// Processes whose liveness fails from a moment on.
    pub(crate) unwell_from: BTreeMap<&'static str, u64>,
    /// How long hooks take; others take 10 ms. `u64::MAX` is for ever.
    pub(crate) hook_takes: BTreeMap<&'static str, u64>,
    /// What hooks end with, one after the other; the last one stays. Others exit with 0 and print nothing.
    pub(crate) hook_ends: BTreeMap<&'static str, Vec<HookOutcome>>,
    /// Hooks that listen only to SIGKILL.
    pub(crate) deaf_hooks: BTreeSet<&'static str>,
    /// Processes that survive SIGKILL.
    pub(crate) undying: BTreeSet<&'static str>,
    /// How many saves fail, after how many that work.
    pub(crate) saves_fail: (u32, u32),
    /// Processes that leave descendants in a session of their own when they exit.
    pub(crate) leftovers: BTreeSet<&'static str>,
    /// Hooks that post a value of their own to an event, 2 ms after their start.
    pub(crate) hook_posts: BTreeMap<&'static str, &'static str>,
    /// Hooks that write files 2 ms after their start, and the groups of paths that they write, one after the other; the
    /// last one stays.
    pub(crate) hook_writes: BTreeMap<&'static str, Vec<&'static str>>,
    /// Whether saves and probes are in the trace.
    pub(crate) shows_everything: bool,
}

/// A hook that exits.
pub(crate) fn exits(code: i32, captured: Captured) -> HookOutcome {
    HookOutcome::Exited { status: ExitStatus::Code(code), captured }
}

/// A story that is being told.
pub(crate) struct Story {
    engine: Engine,
    protocol: Protocol,
    script: Script,
    queue: BTreeMap<(Moment, u64), Fact>,
    count: u64,
    now: Moment,
    started: BTreeMap<ProcessName, Moment>,
    exited: BTreeSet<(ProcessName, Incarnation)>,
    hooks: BTreeMap<TaskId, HookName>,
    polls: BTreeMap<HookName, usize>,
    saves: u32,
    requests: u64,
    /// What the config file holds from when on.
    config: BTreeMap<Moment, LoadedPlan>,
    has_ended: bool,
    trace: Vec<String>,
}

impl Story {
    pub(crate) fn begins(plan: Planned, script: Script) -> Self {
        let engine = Engine::new(Arc::new(plan.0), Values::new(), 0);
        let mut story = Self {
            engine,
            protocol: Protocol::new(),
            script,
            queue: BTreeMap::new(),
            count: 0,
            now: Moment::ZERO,
            started: BTreeMap::new(),
            exited: BTreeSet::new(),
            hooks: BTreeMap::new(),
            polls: BTreeMap::new(),
            saves: 0,
            requests: 0,
            config: BTreeMap::new(),
            has_ended: false,
            trace: Vec::new(),
        };
        story.step(&Fact::SessionBegan);
        story
    }

    /// Something happens at a millisecond.
    pub(crate) fn at(mut self, millis: u64, fact: Fact) -> Self {
        self.schedule(Moment::from_millis(millis), fact);
        self
    }

    /// The first life of the process `client` posts a value.
    pub(crate) fn posts(mut self, millis: u64, event: &str, value: &str) -> Self {
        let fact = self.post(Holder::Process(ProcessName::from("client"), Incarnation(1)), event, value);
        self.at(millis, fact)
    }

    fn post(&mut self, holder: Holder, event: &str, value: &str) -> Fact {
        self.requests += 1;
        let request = RequestId(self.requests);
        Fact::EventPosted { request, holder, event: event.into(), value: value.to_owned() }
    }

    /// The config is saved.
    pub(crate) fn config(self, millis: u64, plan: Planned) -> Self {
        self.config_holds(millis, LoadedPlan::Valid { plan: Arc::new(plan.0), other_root: None })
    }

    pub(crate) fn config_holds(mut self, millis: u64, loaded: LoadedPlan) -> Self {
        self.config.insert(Moment::from_millis(millis), loaded);
        self.at(millis, Fact::PlanTouched)
    }

    /// A file is saved.
    pub(crate) fn saves(self, millis: u64, path: &str) -> Self {
        self.touches(millis, path, TouchKind::Settled)
    }

    pub(crate) fn touches(self, millis: u64, path: &str, kind: TouchKind) -> Self {
        self.at(millis, Fact::PathsTouched(vec![Touch { path: path.into(), kind }]))
    }

    pub(crate) fn interrupted(self, millis: u64) -> Self {
        self.at(millis, Fact::InterruptRequested(Interrupt::Int))
    }

    /// The newest life of a process exits by itself.
    pub(crate) fn exits(mut self, millis: u64, process: &str, incarnation: u32, code: i32) -> Self {
        let name = ProcessName::from(process);
        let at = Moment::from_millis(millis);
        self.exit(at, &name, Incarnation(incarnation), ExitStatus::Code(code));
        self
    }

    /// Goes on up to a millisecond; the trace of what happened since the last call.
    pub(crate) fn until(&mut self, millis: u64) -> String {
        let end = Moment::from_millis(millis);
        while !self.has_ended {
            let planned = self.queue.first_key_value().map(|((at, _), _)| *at);
            let deadline = self.engine.next_deadline();
            let Some(next) = [planned, deadline].into_iter().flatten().min().filter(|at| *at <= end) else { break };
            assert!(next >= self.now, "the next deadline, {next}, is in the past at {}", self.now);
            self.now = next;
            if planned == Some(next) {
                let Some((_, fact)) = self.queue.pop_first() else { break };
                if self.is_possible(&fact) {
                    self.step(&fact);
                }
            } else {
                self.step(&Fact::DeadlineReached);
            }
        }
        self.trace.drain(..).map(|line| line + "\n").collect()
    }

    /// A picture of the session.
    pub(crate) fn view(&self) -> View {
        self.engine.view()
    }

    /// Whether the session is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn schedule(&mut self, at: Moment, fact: Fact) {
        self.count += 1;
        self.queue.insert((at, self.count), fact);
    }

    fn in_micros(&mut self, micros: u64, fact: Fact) {
        self.schedule(self.now + Duration::from_micros(micros), fact);
    }

    /// What was over before its time came does not happen.
    fn is_possible(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::HookFinished { task, .. } => self.hooks.remove(task).is_some(),
            Fact::Process(name, incarnation, ProcessFact::Exited(_)) => {
                self.exited.insert((name.clone(), *incarnation))
            }
            Fact::Process(..) | Fact::ProbeAnswered { .. } => self.protocol.clone().fact(fact).is_ok(),
            _ => true,
        }
    }

    fn step(&mut self, fact: &Fact) {
        self.protocol.fact(fact).unwrap();
        let effects = self.engine.step(self.now, fact.clone());
        for effect in &effects {
            self.protocol.effect(effect).unwrap();
            self.perform(effect);
        }
        self.tell(fact, &effects);
    }

    /// Adds a line to the trace; saves and probes are noise, unless the story is about them.
    fn tell(&mut self, fact: &Fact, effects: &[Effect]) {
        if self.script.shows_everything {
            self.trace.push(trace::line(self.now, fact, effects));
            return;
        }
        let is_noise = |effect: &Effect| {
            matches!(
                effect,
                Effect::SaveState { .. } | Effect::SyncState(_) | Effect::StartProbe { .. } | Effect::CancelProbe(_)
            )
        };
        let shown: Vec<Effect> = effects.iter().filter(|effect| !is_noise(effect)).cloned().collect();
        let is_quiet = matches!(
            fact,
            Fact::StateSaved(_)
                | Fact::StateSynced(_)
                | Fact::ProbeAnswered { .. }
                | Fact::DeadlineReached
                | Fact::Process(_, _, ProcessFact::Gone)
        );
        if !(is_quiet && shown.is_empty()) {
            self.trace.push(trace::line(self.now, fact, &shown));
        }
    }

    fn perform(&mut self, effect: &Effect) {
        match effect {
            Effect::WatchPaths => self.in_micros(1000, Fact::WatchingBegan),
            Effect::StartProcess(name, incarnation) => self.start(name, *incarnation),
            Effect::StopProcess(name, incarnation) => {
                if !self.script.deaf.contains(name.as_str()) {
                    self.exit(self.now + Duration::from_millis(5), name, *incarnation, ExitStatus::Signal(15));
                }
            }
            Effect::KillProcess(name, incarnation) if self.script.undying.contains(name.as_str()) => {
                let stuck = ProcessFact::Stuck { pid: 7 };
                self.in_micros(500_000, Fact::Process(name.clone(), *incarnation, stuck));
            }
            Effect::KillProcess(name, incarnation) => {
                self.exit(self.now + Duration::from_millis(1), name, *incarnation, ExitStatus::Signal(9));
            }
            Effect::Suspend => self.in_micros(0, Fact::Slept(Duration::from_secs(60))),
            Effect::StartHook { task, hook, .. } => self.start_hook(*task, hook),
            Effect::StopHook(task) => {
                let is_deaf = self.hooks.get(task).is_some_and(|hook| self.script.deaf_hooks.contains(hook.as_str()));
                if !is_deaf {
                    self.end_hook(*task, 15);
                }
            }
            Effect::KillHook(task) => self.end_hook(*task, 9),
            Effect::StartProbe { task, process, role, .. } => self.probe(*task, process, *role),
            Effect::SaveState { version, .. } => {
                self.saves += 1;
                let (fails, after) = self.script.saves_fail;
                let fact = if self.saves > after && self.saves <= after + fails {
                    Fact::StateSaveFailed {
                        version: *version,
                        error: "no space left on device".to_owned(),
                        is_replaced: false,
                    }
                } else {
                    Fact::StateSaved(*version)
                };
                self.in_micros(1000, fact);
            }
            Effect::SyncState(version) => self.in_micros(1000, Fact::StateSynced(*version)),
            Effect::LoadPlan => {
                let (_, loaded) = self.config.range(..=self.now).next_back().unwrap();
                self.in_micros(1000, Fact::PlanLoaded(loaded.clone()));
            }
            Effect::Artifact(task, _, order) => {
                let answer = match order {
                    ArtifactOrder::Find => ArtifactAnswer::Found(Vec::new()),
                    ArtifactOrder::Prepare => ArtifactAnswer::Prepared(Generation::new(self.now.as_micros(), 0xa)),
                    ArtifactOrder::Install(generation) => ArtifactAnswer::Installed(vec![*generation]),
                    ArtifactOrder::Remove(_) => ArtifactAnswer::Removed,
                };
                self.in_micros(500, Fact::ArtifactAnswered { task: *task, answer });
            }
            Effect::ApplyPlan(_)
            | Effect::CancelProbe(_)
            | Effect::AnswerRequest { .. }
            | Effect::ServeArtifact(..)
            | Effect::BroadcastReload
            | Effect::Report(_) => {}
            Effect::EndSession(_) => self.has_ended = true,
        }
    }

    fn start(&mut self, name: &ProcessName, incarnation: Incarnation) {
        let fact = match self.script.start_failures.get_mut(name.as_str()) {
            Some((times, failure)) if *times > 0 => {
                *times -= 1;
                ProcessFact::StartFailed(failure.clone())
            }
            _ => {
                self.started.insert(name.clone(), self.now);
                ProcessFact::Started { pid: 7 }
            }
        };
        self.in_micros(2000, Fact::Process(name.clone(), incarnation, fact));
    }

    fn exit(&mut self, at: Moment, name: &ProcessName, incarnation: Incarnation, status: ExitStatus) {
        self.schedule(at, Fact::Process(name.clone(), incarnation, ProcessFact::Exited(status)));
        let is_by_itself = matches!(status, ExitStatus::Code(_));
        if !(is_by_itself && self.script.leftovers.contains(name.as_str())) {
            let gone = at + Duration::from_millis(1);
            self.schedule(gone, Fact::Process(name.clone(), incarnation, ProcessFact::Gone));
        }
    }

    fn start_hook(&mut self, task: TaskId, hook: &HookName) {
        self.hooks.insert(task, hook.clone());
        if let Some(event) = self.script.hook_posts.get(hook.as_str()) {
            let post = self.post(Holder::Hook(task, hook.clone()), event, &format!("{hook}-{}", task.0));
            self.in_micros(2000, post);
        }
        let poll = self.polls.entry(hook.clone()).or_default();
        let turn = *poll;
        let outcome = match self.script.hook_ends.get(hook.as_str()) {
            Some(outcomes) => outcomes[(*poll).min(outcomes.len() - 1)].clone(),
            None => exits(0, Captured::Nothing),
        };
        *poll += 1;
        if let Some(paths) = self.script.hook_writes.get(hook.as_str()) {
            let path = paths[turn.min(paths.len() - 1)];
            let touch = Touch { path: path.into(), kind: TouchKind::Settled };
            self.in_micros(2000, Fact::PathsTouched(vec![touch]));
        }
        let takes = self.script.hook_takes.get(hook.as_str()).copied().unwrap_or(10);
        if takes < u64::MAX {
            self.in_micros(takes * 1000, Fact::HookFinished { task, outcome });
        }
    }

    fn end_hook(&mut self, task: TaskId, signal: i32) {
        let outcome = HookOutcome::Exited { status: ExitStatus::Signal(signal), captured: Captured::Nothing };
        self.in_micros(2000, Fact::HookFinished { task, outcome });
    }

    fn probe(&mut self, task: TaskId, process: &ProcessName, role: ProbeRole) {
        let started = self.started.get(process).copied().unwrap_or(self.now);
        let ready_after = self.script.ready_after.get(process.as_str()).copied().unwrap_or(0);
        let unwell_from = self.script.unwell_from.get(process.as_str()).copied().unwrap_or(u64::MAX / 1000);
        let answer = match role {
            ProbeRole::Readiness if self.now.since(started) < Duration::from_millis(ready_after) => {
                ProbeAnswer::Refused
            }
            ProbeRole::Liveness if self.now >= Moment::from_millis(unwell_from) => {
                ProbeAnswer::Unwell("status 500".to_owned())
            }
            ProbeRole::Readiness | ProbeRole::Liveness => ProbeAnswer::Well,
        };
        self.in_micros(500, Fact::ProbeAnswered { task, answer });
    }
}
