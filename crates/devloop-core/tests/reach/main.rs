//! Whatever an input starts is in its reach. Each seed lives one session twice, in a calm world: once with an input and
//! once without it. What is started only where the input is must be in the report. `REACH_SEED=n` shows one seed.

#![expect(clippy::unwrap_used, reason = "what a test builds by hand is right, or the test is wrong")]

#[path = "../sim/dice.rs"]
mod dice;
#[path = "../sim/edits.rs"]
mod edits;
#[path = "../sim/faults.rs"]
#[expect(dead_code, reason = "the simulation asks for more")]
mod faults;
#[path = "../sim/marks.rs"]
#[expect(dead_code, reason = "the simulation asks for more")]
mod marks;
#[path = "../sim/plans.rs"]
mod plans;
#[path = "../sim/store.rs"]
#[expect(dead_code, reason = "the simulation asks for more")]
mod store;
#[path = "../sim/world.rs"]
#[expect(dead_code, reason = "the simulation asks for more")]
mod world;

use devloop_core::effect::{Effect, Values};
use devloop_core::engine::Engine;
use devloop_core::fact::{Captured, Fact, Holder, HookOutcome, ProcessFact, Touch, TouchKind};
use devloop_core::moment::Moment;
use devloop_core::names::{EventName, HookName, Incarnation, ProcessName, RequestId, TaskId, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::event::EventPlan;
use devloop_core::plan::workflow::OnBusy;
use devloop_core::reach::{Audit, Reach, Reached, Source};
use dice::Dice;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use world::World;

/// Plans in every `cargo test`.
const SEEDS: u64 = 10_000;
/// When the input comes.
const INPUT_AT: Duration = Duration::from_secs(1);
/// How long what follows from it is looked at.
const LOOKED_AT: Duration = Duration::from_secs(2);

/// Something that was started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    /// A hook, as a step of a workflow.
    Hook(HookName, WorkflowName),
    /// A poll.
    Poll(HookName),
    Process(ProcessName),
}

/// How one life of a session goes.
struct Life<'p> {
    plan: &'p Arc<Plan>,
    seed: u64,
    /// The input that is looked at, and whether it is there in this life.
    source: &'p Source,
    is_there: bool,
    /// Which hook each task is.
    tasks: BTreeMap<TaskId, HookName>,
    started: BTreeSet<Start>,
}

impl Life<'_> {
    /// What was started after the moment of the input, or after the beginning where it may come at any time.
    fn live(mut self) -> BTreeSet<Start> {
        let mut world = World::new(Arc::clone(self.plan), Dice::new(self.seed));
        world.calm_down(Moment::ZERO);
        if let (Some(fact), true) = (self.fact(), self.is_there) {
            world.plant(Moment::ZERO + INPUT_AT, fact);
        }
        let until = Moment::ZERO + INPUT_AT + LOOKED_AT;
        let mut engine = Engine::new(Arc::clone(self.plan), Values::new(), self.seed);
        let mut now = Moment::ZERO;
        let mut next = Some(Fact::SessionBegan);
        while now < until {
            if let Some(fact) = next.take().and_then(|fact| self.bent(now, fact)) {
                for effect in engine.step(now, fact) {
                    self.note(now, &effect);
                    world.perform(now, &effect);
                }
            }
            let happens = world.next_at();
            let Some(at) = engine.next_deadline().into_iter().chain(happens).min() else { break };
            now = now.max(at);
            next = if happens == Some(at) { world.happen() } else { Some(Fact::DeadlineReached) };
        }
        self.started
    }

    /// The fact by which the input comes, where it is one of its own.
    fn fact(&self) -> Option<Fact> {
        match self.source {
            Source::Event(event) => Some(Fact::EventPosted {
                request: RequestId(1),
                holder: self.holder()?,
                event: event.clone(),
                value: "posted".to_owned(),
            }),
            Source::Watch(_) => {
                let path = changed_path(self.plan, self.source)?.as_str().into();
                Some(Fact::PathsTouched(vec![Touch { path, kind: TouchKind::Settled }]))
            }
            Source::Rule(..) | Source::Observed(_) | Source::Capture(_) => None,
        }
    }

    /// Somebody of the plan who may post.
    fn holder(&self) -> Option<Holder> {
        let process = self.plan.processes.keys().next().cloned();
        let hook = self.plan.hooks.keys().next().cloned();
        let process = process.map(|name| Holder::Process(name, Incarnation(1)));
        process.or_else(|| hook.map(|name| Holder::Hook(TaskId(u64::MAX), name)))
    }

    /// What comes in with the other facts is there, or is not.
    fn bent(&self, now: Moment, fact: Fact) -> Option<Fact> {
        match (&fact, self.source) {
            (Fact::Process(name, _, ProcessFact::Captured { key, .. }), source) => {
                let Source::Rule(process, index) = source else { return Some(fact) };
                let is_it = name == process && self.plan.processes[process].output.rules[*index].state_key == *key;
                (self.is_there || !is_it).then_some(fact)
            }
            (Fact::HookFinished { task, .. }, Source::Observed(hook) | Source::Capture(hook))
                if self.tasks.get(task) == Some(hook) =>
            {
                let Fact::HookFinished { task, outcome } = fact else { return None };
                let is_observed = matches!(self.source, Source::Observed(_));
                let is_new = self.is_there && (!is_observed || now >= Moment::ZERO + INPUT_AT);
                Some(Fact::HookFinished { task, outcome: captured(outcome, is_new) })
            }
            _ => Some(fact),
        }
    }

    fn note(&mut self, now: Moment, effect: &Effect) {
        let is_counted = now >= Moment::ZERO + INPUT_AT || matches!(self.source, Source::Rule(..) | Source::Capture(_));
        let start = match effect {
            Effect::StartHook { task, hook, errand, .. } => {
                self.tasks.insert(*task, hook.clone());
                match &*errand.workflow {
                    "observe" => Start::Poll(hook.clone()),
                    workflow => Start::Hook(hook.clone(), WorkflowName::from(workflow)),
                }
            }
            Effect::StartProcess(name, _) => Start::Process(name.clone()),
            _ => return,
        };
        if is_counted {
            self.started.insert(start);
        }
    }
}

/// The file that changes for a watch group.
fn changed_path(plan: &Plan, source: &Source) -> Option<String> {
    let Source::Watch(name) = source else { return None };
    let base = plan.watches[name].patterns.first()?.base().join("/");
    Some(format!("{base}/x.rs"))
}

/// The reach of an input, and of the other groups that watch the same file.
fn reaches<'a>(plan: &Plan, audit: &'a Audit, reach: &'a Reach) -> Vec<&'a Reach> {
    let Some(path) = changed_path(plan, &reach.source) else { return vec![reach] };
    let is_it = |other: &&Reach| matches!(&other.source, Source::Watch(name) if plan.watches[name].matches(&path));
    audit.inputs.iter().filter(is_it).collect()
}

/// The outcome of a hook with something in its text, or nothing.
fn captured(outcome: HookOutcome, is_new: bool) -> HookOutcome {
    let HookOutcome::Exited { status, captured } = outcome else { return outcome };
    let text = if is_new { "new" } else { "" };
    let captured = match captured {
        Captured::Text(_) => Captured::Text(text.to_owned()),
        Captured::Object(fields) if is_new => Captured::Object(fields),
        Captured::Object(_) => Captured::Object(BTreeMap::new()),
        other => other,
    };
    HookOutcome::Exited { status, captured }
}

/// A plan with events, and keys that more than one thing looks at.
fn draw(dice: &mut Dice) -> Plan {
    let mut plan = plans::draw(dice);
    // Two startup workflows or more wait for each other, and so do runs that meet; that is order, not cause.
    plan.startup_workflows.truncate(1 + dice.below(2));
    let workflows: Vec<WorkflowName> = plan.workflows.keys().cloned().collect();
    for number in 0..dice.below(3) {
        let workflow = dice.pick(&workflows).clone();
        let mut changed = devloop_core::plan::workflow::WorkflowPlan::clone(&plan.workflows[&workflow]);
        if changed.on_busy == OnBusy::Skip {
            changed.on_busy = OnBusy::Queue;
            plan.workflows.insert(workflow.clone(), Arc::new(changed));
        }
        let keys = ["k0", "k1", "r0", "shared", "o0"];
        let state_key = (*dice.pick(&keys)).into();
        plan.events
            .insert(EventName::new(format!("e{number}")), Arc::new(EventPlan { state_key, workflow, pattern: None }));
    }
    plan
}

/// Whether a start is in the reach of one of the inputs.
fn is_in(reaches: &[&Reach], start: &Start) -> bool {
    let all: Vec<&Reached> = reaches.iter().flat_map(|reach| [&reach.starts, &reach.releases]).collect();
    all.iter().any(|reached| match start {
        Start::Hook(hook, workflow) => {
            reached.hooks.contains_key(hook) && all.iter().any(|reached| reached.workflows.contains_key(workflow))
        }
        Start::Process(name) => reached.processes.contains_key(name),
        // Polls go on whatever comes in.
        Start::Poll(_) => true,
    })
}

/// What a seed started that its report does not have, and how much was started at all.
fn missed(seed: u64) -> (Vec<String>, usize) {
    let mut dice = Dice::new(seed);
    let plan = Arc::new(draw(&mut dice));
    let audit = Audit::of(&plan, Path::new("/project"));
    if audit.inputs.is_empty() {
        return (Vec::new(), 0);
    }
    let reach = dice.pick(&audit.inputs);
    let life_seed = dice.roll();
    let live = |is_there| {
        let life = Life {
            plan: &plan,
            seed: life_seed,
            source: &reach.source,
            is_there,
            tasks: BTreeMap::new(),
            started: BTreeSet::new(),
        };
        life.live()
    };
    let (with, without) = (live(true), live(false));
    let caused: Vec<&Start> = with.difference(&without).collect();
    let reaches = reaches(&plan, &audit, reach);
    let missed = caused.iter().filter(|start| !is_in(&reaches, start));
    let missed = missed.map(|start| format!("REACH_SEED={seed}: {start:?} is not in the reach of {:?}", reach.source));
    (missed.collect(), caused.len())
}

#[expect(clippy::disallowed_methods, reason = "the test is told by its environment; the core is not")]
fn seeds() -> std::ops::Range<u64> {
    match std::env::var("REACH_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..SEEDS,
    }
}

#[test]
fn every_command_that_an_input_starts_is_in_its_reach() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = |first: usize| {
        let mut sum = (Vec::new(), 0);
        for seed in seeds().skip(first).step_by(threads) {
            let (missed, count) = missed(seed);
            sum.0.extend(missed);
            sum.1 += count;
        }
        sum
    };
    let parts: Vec<(Vec<String>, usize)> = std::thread::scope(|scope| {
        let part = &part;
        let all: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let caused: usize = parts.iter().map(|(_, count)| count).sum();
    let all: Vec<String> = parts.into_iter().flat_map(|(missed, _)| missed).collect();
    assert!(all.is_empty(), "{} missed, {caused} caused:\n{}", all.len(), all[..all.len().min(20)].join("\n"));
    assert!(caused > 4_000 || seeds().end - seeds().start == 1, "only {caused} starts were caused by inputs");
}

#[test]
fn a_report_is_not_all_of_the_plan() {
    // An input that reached everything would be in order with the test above, and of no use.
    let (mut starts, mut all) = (0, 0);
    for seed in 0..1_000 {
        let plan = draw(&mut Dice::new(seed));
        for reach in Audit::of(&plan, Path::new("/project")).inputs {
            starts += reach.starts.hooks.len() + reach.starts.processes.len();
            all += plan.hooks.len() + plan.processes.len();
        }
    }
    assert!(starts * 2 < all, "{starts} of {all}");
}
