//! A session on a bench: facts by hand, saves answered at once unless told otherwise, effects as short lines.

use devloop_core::effect::{Effect, Values};
use devloop_core::engine::Engine;
use devloop_core::fact::{
    Captured, ExitStatus, Fact, HookOutcome, ProbeAnswer, ProcessFact, StartFailure, Touch, TouchKind,
};
use devloop_core::moment::Moment;
use devloop_core::names::{Incarnation, TaskId, WorkflowName};
use devloop_core::notice::Notice;
use devloop_core::plan::Plan;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::hook::{Capture, HookPlan};
use devloop_core::plan::output::{BodyStyle, Extract, OutputPlan, RulePlan};
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::process::{Contain, ProcessPlan, RestartPolicy, StopSignal};
use devloop_core::plan::watch::{PathPattern, WatchPlan};
use devloop_core::plan::words::Words;
use devloop_core::plan::workflow::{OnBusy, Step, WorkflowPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A session on a bench.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) now: Moment,
    pub(crate) answers_saves: bool,
}

impl Bench {
    /// Before the first fact.
    pub(crate) fn new(plan: Plan) -> Self {
        Self { engine: Engine::new(Arc::new(plan), Values::new(), 7), now: Moment::ZERO, answers_saves: true }
    }

    /// A session whose watches are live; what began it is forgotten.
    pub(crate) fn begun(plan: Plan) -> Self {
        let mut bench = Self::new(plan);
        bench.give(Fact::SessionBegan);
        bench.give(Fact::WatchingBegan);
        bench
    }

    /// One fact, and all answers to the saves that it caused.
    pub(crate) fn give(&mut self, fact: Fact) -> Vec<String> {
        let mut lines = Vec::new();
        let mut facts = vec![fact];
        while let Some(fact) = facts.pop() {
            for effect in self.engine.step(self.now, fact) {
                if let (Effect::SaveState { version, .. }, true) = (&effect, self.answers_saves) {
                    facts.push(Fact::StateSaved(*version));
                }
                if let (Effect::SyncState(version), true) = (&effect, self.answers_saves) {
                    facts.push(Fact::StateSynced(*version));
                }
                lines.extend(line(&effect));
            }
            assert!(self.engine.next_deadline().is_none_or(|at| at > self.now), "a deadline in the past");
        }
        lines
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn wait(&mut self, span: Duration) -> Vec<String> {
        let end = self.now + span;
        let mut lines = Vec::new();
        while let Some(at) = self.engine.next_deadline().filter(|&at| at <= end) {
            self.now = at;
            lines.extend(self.give(Fact::DeadlineReached));
        }
        self.now = end;
        lines
    }

    pub(crate) fn wait_ms(&mut self, millis: u64) -> Vec<String> {
        self.wait(Duration::from_millis(millis))
    }

    pub(crate) fn process(&mut self, name: &str, life: u32, fact: ProcessFact) -> Vec<String> {
        self.give(Fact::Process(name.into(), Incarnation(life), fact))
    }

    pub(crate) fn started(&mut self, name: &str, life: u32) -> Vec<String> {
        self.process(name, life, ProcessFact::Started { pid: 1000 + life })
    }

    pub(crate) fn taken(&mut self, name: &str, life: u32) -> Vec<String> {
        let address = "127.0.0.1:80".to_owned();
        self.process(name, life, ProcessFact::StartFailed(StartFailure::AddressInUse { address }))
    }

    pub(crate) fn exited(&mut self, name: &str, life: u32, code: i32) -> Vec<String> {
        self.process(name, life, ProcessFact::Exited(ExitStatus::Code(code)))
    }

    pub(crate) fn gone(&mut self, name: &str, life: u32) -> Vec<String> {
        self.process(name, life, ProcessFact::Gone)
    }

    pub(crate) fn hook_ends(&mut self, task: u64, code: i32, captured: Captured) -> Vec<String> {
        let outcome = HookOutcome::Exited { status: ExitStatus::Code(code), captured };
        self.give(Fact::HookFinished { task: TaskId(task), outcome })
    }

    pub(crate) fn probed(&mut self, task: u64, answer: ProbeAnswer) -> Vec<String> {
        self.give(Fact::ProbeAnswered { task: TaskId(task), answer })
    }

    /// Paths whose writers have closed them.
    pub(crate) fn saves(&mut self, paths: &[&str]) -> Vec<String> {
        self.touches(paths, TouchKind::Settled)
    }

    pub(crate) fn touches(&mut self, paths: &[&str], kind: TouchKind) -> Vec<String> {
        let touches = paths.iter().map(|&path| Touch { path: path.into(), kind }).collect();
        self.give(Fact::PathsTouched(touches))
    }

    /// Paths whose writers have closed them, and all that happens until they are released.
    pub(crate) fn saves_and_waits(&mut self, paths: &[&str]) -> Vec<String> {
        let mut lines = self.saves(paths);
        lines.extend(self.wait_ms(300));
        lines
    }
}

/// An effect as a short line; saves and what only says that something goes on have none.
fn line(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::WatchPaths => "watch".to_owned(),
        Effect::StartProcess(name, life) => format!("start {name}{life}"),
        Effect::StopProcess(name, life) => format!("stop {name}{life}"),
        Effect::KillProcess(name, life) => format!("kill {name}{life}"),
        Effect::StartHook { task, hook, errand, .. } => {
            format!("hook {hook} {task} for {} {:?}", errand.workflow, errand.changed_files)
        }
        Effect::Suspend => "suspend".to_owned(),
        Effect::StopHook(task) => format!("stop {task}"),
        Effect::KillHook(task) => format!("kill {task}"),
        Effect::StartProbe { task, process, .. } => format!("probe {process} {task}"),
        Effect::CancelProbe(task) => format!("cancel {task}"),
        Effect::SaveState { durable: true, .. } => "last save".to_owned(),
        Effect::SaveState { .. } | Effect::SyncState(_) => return None,
        Effect::AnswerRequest { request, verdict, .. } => format!("answer {request} {verdict:?}"),
        Effect::LoadPlan => "load".to_owned(),
        Effect::ApplyPlan(_) => "apply".to_owned(),
        Effect::Artifact(task, artifact, _) => format!("files {artifact} {task}"),
        Effect::ServeArtifact(artifact, _) => format!("serve {artifact}"),
        Effect::BroadcastReload => "reload".to_owned(),
        Effect::EndSession(ending) => format!("end {ending:?}"),
        Effect::Report(notice) => return said(notice),
    })
}

fn said(notice: &Notice) -> Option<String> {
    match notice {
        Notice::ProcessStarted { .. } | Notice::WorkflowBegan { .. } => None,
        Notice::Message { text, .. } => Some(format!("log {text}")),
        Notice::WorkflowFinished { workflow, .. } => Some(format!("finished {workflow}")),
        Notice::WorkflowFailed { workflow, path, failure } => {
            let place = |place: &devloop_core::notice::StepPlace| {
                format!("{}.{:?} {}", place.workflow, place.number, place.action)
            };
            let path: Vec<String> = path.iter().map(place).collect();
            Some(format!("failed {workflow}: {}: {}", path.join(" > "), word(&format!("{failure:?}"))))
        }
        other => Some(word(&format!("{other:?}"))),
    }
}

/// The first word of a debug text.
fn word(text: &str) -> String {
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A plan that watches `src/`, for the workflow `main`, and holds these steps.
pub(crate) fn plan(steps: Vec<Step>) -> Plan {
    let mut plan = Plan::empty(PathBuf::from("/project"));
    add_workflow(&mut plan, "main", steps, &[]);
    add_watch(&mut plan, "main", "src/");
    plan
}

pub(crate) fn add_workflow(plan: &mut Plan, name: &str, steps: Vec<Step>, triggers: &[&str]) {
    let triggers = triggers.iter().map(|&target| WorkflowName::from(target)).collect();
    plan.workflows.insert(name.into(), Arc::new(WorkflowPlan { steps, triggers, on_busy: OnBusy::Queue }));
}

pub(crate) fn set_on_busy(plan: &mut Plan, name: &str, on_busy: OnBusy) {
    Arc::make_mut(plan.workflows.get_mut(name).unwrap()).on_busy = on_busy;
}

pub(crate) fn add_watch(plan: &mut Plan, workflow: &str, pattern: &str) {
    let patterns = vec![PathPattern::new(pattern, pattern).unwrap()];
    let watch = WatchPlan { patterns, ignore: Vec::new(), workflow: workflow.into(), leading: true };
    plan.watches.insert(workflow.into(), watch);
}

pub(crate) fn command() -> CommandPlan {
    CommandPlan { argv: vec![Words::command("true")], env: BTreeMap::new(), cwd: PathBuf::from("/project") }
}

fn output(keys: &[&str]) -> OutputPlan {
    let rules = keys.iter().map(|&key| RulePlan { state_key: key.into(), extract: Extract::UrlToken }).collect();
    OutputPlan { inherit: true, body_style: BodyStyle::Plain, rules, raw: false }
}

pub(crate) fn process() -> ProcessPlan {
    ProcessPlan {
        command: command(),
        autostart: true,
        restart: RestartPolicy::Never,
        readiness: None,
        liveness: None,
        output: output(&[]),
        depends_on: BTreeSet::new(),
        contain: Contain::Tree,
        locks: BTreeSet::new(),
        events: None,
        stop_signal: StopSignal::Term,
        stop_timeout: ms(5000),
        restart_delay: ms(250),
        restart_delay_max: ms(30_000),
    }
}

pub(crate) fn process_with_rule(key: &str) -> ProcessPlan {
    ProcessPlan { output: output(&[key]), ..process() }
}

pub(crate) fn tcp() -> ProbePlan {
    let kind = ProbeKind::Tcp { address: Words::strict("127.0.0.1:80").unwrap() };
    ProbePlan { kind, interval: ms(500), timeout: ms(15_000) }
}

pub(crate) fn add_process(plan: &mut Plan, name: &str, process: ProcessPlan) {
    plan.processes.insert(name.into(), Arc::new(process));
}

pub(crate) fn hook() -> HookPlan {
    HookPlan {
        command: command(),
        output: output(&[]),
        capture: Capture::Ignore,
        observe: None,
        timeout: None,
        locks: BTreeSet::new(),
        events: None,
    }
}

pub(crate) fn add_hook(plan: &mut Plan, name: &str, hook: HookPlan) {
    plan.hooks.insert(name.into(), Arc::new(hook));
}

pub(crate) fn run_hook(name: &str) -> Step {
    Step::RunHook(name.into())
}
