//! One life of a process after another: started, captures, exited, gone, in that order.

use crate::adapters::environment::Environment;
use crate::adapters::guardian::{Child, Contain, Control, Report, Stdin, StopSignal};
use crate::adapters::http::Grant;
use crate::adapters::launch::{Launched, Launcher, Manner, start_failure, status};
use crate::adapters::output::{BodyStyle, ChildStreams, Extract, Heard, Rule, StreamsId};
use crate::adapters::probe;
use crate::hands::FactSender;
use devloop_core::fact::{ExitStatus, Fact, Holder, ProbeRole, ProcessFact, StartFailure};
use devloop_core::names::{Incarnation, ProcessName, StateKey};
use devloop_core::notice::Who;
use devloop_core::plan::output::{BodyStyle as PlannedStyle, Extract as PlannedExtract, RulePlan};
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::process::{Contain as PlannedContain, ProcessPlan, StopSignal as PlannedSignal};
use devloop_core::plan::{Plan, output::OutputPlan};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// All processes that run or may still have something running.
pub struct Processes {
    plan: Arc<Plan>,
    launcher: Launcher,
    facts: FactSender,
    /// The newest life of each, and what it was started with.
    lives: BTreeMap<ProcessName, (Incarnation, Control, Arc<ProcessPlan>)>,
    tasks: JoinSet<()>,
}

/// Whose life it is; every fact about it says so.
#[derive(Clone)]
struct Life {
    process: ProcessName,
    incarnation: Incarnation,
    facts: FactSender,
    /// What was found in the output before the keeper's word of the start: the two come on different ways, and the
    /// engine is promised this order. Nothing once the start has been told.
    early: Arc<Mutex<Option<Vec<ProcessFact>>>>,
}

impl Life {
    fn new(process: ProcessName, incarnation: Incarnation, facts: FactSender) -> Self {
        Self { process, incarnation, facts, early: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    fn tell(&self, fact: ProcessFact) {
        self.facts.send(Fact::Process(self.process.clone(), self.incarnation, fact));
    }

    /// Tells the start, and what was found before it.
    fn tell_started(&self, pid: u32) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(ProcessFact::Started { pid });
        early.take().into_iter().flatten().for_each(|fact| self.tell(fact));
    }

    /// Tells what was found in the output, on the output's thread.
    fn tell_found(&self, fact: ProcessFact) {
        let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
        match early.as_mut() {
            Some(early) => early.push(fact),
            None => self.tell(fact),
        }
    }
}

impl Processes {
    /// Nothing runs yet.
    pub fn new(plan: Arc<Plan>, launcher: Launcher, facts: FactSender) -> Self {
        Self { plan, launcher, facts, lives: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// From now on lives are started as this plan says.
    pub fn renew(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Starts a life. What becomes of it comes as facts.
    pub fn start(&mut self, process: ProcessName, incarnation: Incarnation) {
        while self.tasks.try_join_next().is_some() {}
        let life = Life::new(process, incarnation, self.facts.clone());
        let Some(plan) = self.plan.processes.get(&life.process).cloned() else { return };
        match self.launch(&plan, &life) {
            Ok(launched) => {
                self.lives.insert(life.process.clone(), (incarnation, launched.child.control(), Arc::clone(&plan)));
                self.tasks.spawn_local(follow(launched, life, plan, self.launcher.clone()));
            }
            Err(failure) => life.tell(ProcessFact::StartFailed(failure)),
        }
    }

    /// Asks a life to end.
    pub fn stop(&self, process: &ProcessName, incarnation: Incarnation) {
        if let Some((control, plan)) = self.life(process, incarnation) {
            control.stop(signal(plan.stop_signal));
        }
    }

    /// Ends a life.
    pub fn kill(&self, process: &ProcessName, incarnation: Incarnation) {
        if let Some((control, _)) = self.life(process, incarnation) {
            control.kill();
        }
    }

    fn life(&self, process: &ProcessName, incarnation: Incarnation) -> Option<(&Control, &ProcessPlan)> {
        let (newest, control, plan) = self.lives.get(process)?;
        (*newest == incarnation).then_some((control, &**plan))
    }

    fn launch(&self, plan: &ProcessPlan, life: &Life) -> Result<Launched, StartFailure> {
        if let Some(address) = self.address_of_a_stranger(&life.process) {
            return Err(StartFailure::AddressInUse { address });
        }
        // Without a mark nobody takes what a group leaves behind for a part of it.
        let mark = || format!("{}.{}.{}", std::process::id(), life.process, life.incarnation.0);
        let manner = Manner {
            errand: &Environment::startup_errand(),
            grant: Some(Grant {
                holder: Holder::Process(life.process.clone(), life.incarnation),
                events: self.plan.granted(plan.events.as_ref()),
            }),
            life: (plan.contain == PlannedContain::Tree).then(mark),
            key_prefix: "",
            stdin: Stdin::Open,
            contain: match plan.contain {
                PlannedContain::Tree => Contain::Tree,
                PlannedContain::Group => Contain::Group,
            },
        };
        let label = format!("{} {}", plan.command.program_name(), life.process);
        let roles = output_probes(plan);
        let patterns = roles.iter().map(|(_, pattern)| pattern.clone()).collect();
        let roles: Vec<ProbeRole> = roles.into_iter().map(|(role, _)| role).collect();
        let heard = heard(life.clone(), roles);
        self.launcher.launch(&plan.command, &manner, |stdout, stderr| {
            streams(&plan.output, (label, &life.process), (stdout, stderr), patterns, heard)
        })
    }

    /// The address of a loopback http or tcp readiness, if something listens there that is not of this plan.
    fn address_of_a_stranger(&self, process: &ProcessName) -> Option<String> {
        let place = self.readiness_place(process)?;
        let addresses = probe::loopback_addresses(&place);
        let is_ours = self.plan.processes.keys().filter(|&other| other != process).any(|other| {
            let theirs = self.readiness_place(other).map_or(Vec::new(), |place| probe::loopback_addresses(&place));
            theirs.iter().any(|address| addresses.contains(address))
        });
        if is_ours { None } else { probe::address_in_use(&place) }
    }

    /// The URL or `host:port` of a readiness.
    fn readiness_place(&self, process: &ProcessName) -> Option<String> {
        let environment = self.launcher.environment();
        match &self.plan.processes.get(process)?.readiness.as_ref()?.kind {
            ProbeKind::Http { url, .. } => environment.resolve_words(url, "readiness.url").ok(),
            ProbeKind::Tcp { address } => environment.resolve_words(address, "readiness.address").ok(),
            ProbeKind::StateKey { .. } | ProbeKind::Exec { .. } | ProbeKind::Output { .. } => None,
        }
    }
}

/// Tells one life's story to its end.
async fn follow(launched: Launched, life: Life, plan: Arc<ProcessPlan>, tools: Launcher) {
    let Launched { mut child, streams, changed_files: _, pass } = launched;
    let mut is_started = false;
    let mut is_exited = false;
    while let Some(report) = child.next_report().await {
        match report {
            Report::Started { pid } => {
                is_started = true;
                if let Some(pass) = &pass {
                    pass.started(pid);
                }
                life.tell_started(pid);
                tools.prepare_next();
            }
            Report::StartFailed { step, errno } => {
                tools.drain(streams).await;
                return life.tell(ProcessFact::StartFailed(start_failure(&plan.command, step, errno)));
            }
            Report::Exited(how) => {
                // Before its output is drained, which may take a moment; its token stays masked until it is gone.
                if let Some(pass) = &pass {
                    pass.revoke();
                }
                tools.drain(streams).await;
                is_exited = true;
                life.tell(ProcessFact::Exited(status(how)));
            }
            Report::Gone => return life.tell(ProcessFact::Gone),
            Report::Stuck { pid } => life.tell(ProcessFact::Stuck { pid }),
        }
    }
    keeper_lost(&child, streams, &life, &tools, (is_started, is_exited)).await;
}

/// Somebody killed the keeper: its child died with it, and the guardian sweeps what is left.
async fn keeper_lost(child: &Child, streams: StreamsId, life: &Life, tools: &Launcher, was: (bool, bool)) {
    child.kill();
    tools.drain(streams).await;
    let (is_started, is_exited) = was;
    if !is_started {
        let what = "its keeper was killed before it ran".to_owned();
        let error = "nothing is known of it".to_owned();
        return life.tell(ProcessFact::StartFailed(StartFailure::Refused { what, error }));
    }
    if !is_exited {
        life.tell(ProcessFact::Exited(ExitStatus::Unknown));
    }
    life.tell(ProcessFact::Gone);
}

/// The output probes of a process, in the order of their patterns.
fn output_probes(plan: &ProcessPlan) -> Vec<(ProbeRole, regex::Regex)> {
    let of = |role: ProbeRole, probe: &Option<ProbePlan>| match probe.as_ref().map(|probe| &probe.kind) {
        Some(ProbeKind::Output { pattern }) => Some((role, pattern.regex().clone())),
        _ => None,
    };
    [of(ProbeRole::Readiness, &plan.readiness), of(ProbeRole::Liveness, &plan.liveness)].into_iter().flatten().collect()
}

/// Called on the output's thread: only puts words into the loop's channel.
fn heard(life: Life, roles: Vec<ProbeRole>) -> Box<dyn Fn(Heard) + Send> {
    Box::new(move |heard| match heard {
        Heard::Captured { state_key, value } => {
            life.tell_found(ProcessFact::Captured { key: StateKey::new(state_key), value });
        }
        // Nothing of a process is captured whole.
        Heard::CaptureOverflowed => {}
        Heard::PatternMatched(index) => {
            if let Some(role) = roles.get(index) {
                life.tell_found(ProcessFact::LineMatched(*role));
            }
        }
    })
}

/// The output's options for a process.
fn streams(
    plan: &OutputPlan,
    (label, process): (String, &ProcessName),
    (stdout, stderr): (OwnedFd, OwnedFd),
    patterns: Vec<regex::Regex>,
    heard: Box<dyn Fn(Heard) + Send>,
) -> ChildStreams {
    ChildStreams {
        label,
        who: Some(Who::Process(process.clone())),
        stdout,
        stderr,
        inherit: plan.inherit,
        style: style(plan.body_style),
        raw: plan.raw,
        rules: plan.rules.iter().map(rule).collect(),
        patterns,
        capture: false,
        heard,
    }
}

/// The style in the output's words.
pub(super) fn style(style: PlannedStyle) -> BodyStyle {
    match style {
        PlannedStyle::Plain => BodyStyle::Plain,
        PlannedStyle::Dim => BodyStyle::Dim,
    }
}

fn rule(plan: &RulePlan) -> Rule {
    let extract = match &plan.extract {
        PlannedExtract::Regex { pattern, capture_group } => {
            Extract::Regex { pattern: pattern.regex().clone(), group: *capture_group }
        }
        PlannedExtract::UrlToken => Extract::UrlToken,
    };
    Rule { state_key: plan.state_key.as_str().to_owned(), extract }
}

fn signal(signal: PlannedSignal) -> StopSignal {
    match signal {
        PlannedSignal::Term => StopSignal::Term,
        PlannedSignal::Int => StopSignal::Int,
        PlannedSignal::Quit => StopSignal::Quit,
        PlannedSignal::Hup => StopSignal::Hup,
        PlannedSignal::Usr1 => StopSignal::Usr1,
        PlannedSignal::Usr2 => StopSignal::Usr2,
        PlannedSignal::Kill => StopSignal::Kill,
    }
}
