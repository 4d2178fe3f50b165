//! One process, one hook, one workflow: every order of up to a few facts, then a world in which everything works, a
//! rest that must be right, and an interrupt that must end the session. Small worlds have no lucky seeds.

#![expect(clippy::unwrap_used, reason = "what a test builds by hand is right, or the test is wrong")]
#![expect(dead_code, reason = "stories build more kinds of plans than this world needs")]

#[path = "stage/build.rs"]
mod build;
#[path = "stage/trace.rs"]
mod trace;

use build::{Planned, hook, restart, stop, wait};
use devloop_core::effect::{Effect, Ending, Values};
use devloop_core::engine::Engine;
use devloop_core::fact::{
    Captured, ExitStatus, Fact, HookOutcome, Interrupt, ProcessFact, StartFailure, Touch, TouchKind,
};
use devloop_core::moment::Moment;
use devloop_core::names::{Incarnation, ProcessName, StateVersion, TaskId};
use devloop_core::plan::process::RestartPolicy;
use devloop_core::plan::workflow::{OnBusy, Step};
use devloop_core::protocol::Protocol;
use devloop_core::view::{Condition, Phase};
use std::sync::Arc;
use std::time::Duration;

/// Facts of each order, after the two that begin every session.
const FACTS: usize = 7;

/// Runs through all choices: an odometer whose digits are as many, and as big, as the session asks for (the idea of
/// `TigerBeetle`'s exhaustigen).
#[derive(Default)]
struct Odometer {
    digits: Vec<(usize, usize)>,
    at: usize,
}

impl Odometer {
    /// Chooses a number below `end`.
    fn choose(&mut self, end: usize) -> usize {
        if self.at == self.digits.len() {
            self.digits.push((0, end));
        }
        let (digit, _) = self.digits[self.at];
        self.at += 1;
        digit
    }

    /// Goes on to the next choices; false when there are none.
    fn turn(&mut self) -> bool {
        self.at = 0;
        while let Some((digit, end)) = self.digits.pop() {
            if digit + 1 < end {
                self.digits.push((digit + 1, end));
                return true;
            }
        }
        false
    }
}

/// What of the process is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    None,
    Requested,
    Running,
    Exited,
}

/// A session in a world that can do little.
struct Small {
    engine: Engine,
    protocol: Protocol,
    now: Moment,
    life: Life,
    incarnation: Incarnation,
    hook: Option<TaskId>,
    save: Option<(StateVersion, Arc<Values>)>,
    sync: Option<StateVersion>,
    file: Option<Arc<Values>>,
    touches: usize,
    interrupts: usize,
    /// Changed files that no hook was told of since they changed.
    untold: bool,
    has_ended: bool,
    is_abandoned: bool,
    trace: Vec<String>,
}

fn server() -> ProcessName {
    ProcessName::from("server")
}

impl Small {
    fn begin(plan: &Planned) -> Self {
        let mut small = Self {
            engine: Engine::new(Arc::new(plan.0.clone()), Values::new(), 1),
            protocol: Protocol::new(),
            now: Moment::ZERO,
            life: Life::None,
            incarnation: Incarnation(0),
            hook: None,
            save: None,
            sync: None,
            file: None,
            touches: 0,
            interrupts: 0,
            untold: false,
            has_ended: false,
            is_abandoned: false,
            trace: Vec::new(),
        };
        small.step(&Fact::SessionBegan);
        small.step(&Fact::WatchingBegan);
        small
    }

    fn about_server(&self, fact: ProcessFact) -> Fact {
        Fact::Process(server(), self.incarnation, fact)
    }

    /// All that may happen next; good news first.
    fn possible(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if let Some((version, _)) = &self.save {
            facts.push(Fact::StateSaved(*version));
            let (version, error) = (*version, "disk full".to_owned());
            facts.push(Fact::StateSaveFailed { version, error, is_replaced: false });
        }
        if let Some(version) = self.sync {
            facts.extend([Fact::StateSynced(version), Fact::StateSyncFailed(version)]);
        }
        match self.life {
            Life::None => {}
            Life::Requested => {
                facts.push(self.about_server(ProcessFact::Started { pid: 1 }));
                let failure = StartFailure::Refused { what: "spawn".to_owned(), error: "no".to_owned() };
                facts.push(self.about_server(ProcessFact::StartFailed(failure)));
            }
            Life::Running => facts.push(self.about_server(ProcessFact::Exited(ExitStatus::Code(1)))),
            Life::Exited => facts.push(self.about_server(ProcessFact::Gone)),
        }
        if let Some(task) = self.hook {
            let outcome = |code| HookOutcome::Exited { status: ExitStatus::Code(code), captured: Captured::Nothing };
            facts.push(Fact::HookFinished { task, outcome: outcome(0) });
            facts.push(Fact::HookFinished { task, outcome: outcome(1) });
        }
        if self.engine.next_deadline().is_some() {
            facts.push(Fact::DeadlineReached);
        }
        if self.touches < 2 && self.interrupts == 0 {
            let path = if self.touches == 0 { "src/a" } else { "src/b" };
            facts.push(Fact::PathsTouched(vec![Touch { path: path.into(), kind: TouchKind::Settled }]));
        }
        if self.interrupts < 2 {
            facts.push(Fact::InterruptRequested(Interrupt::Int));
        }
        facts
    }

    /// What happens next in a world where everything works; none when nothing does.
    fn next_good(&self) -> Option<Fact> {
        let is_asked = self.engine.view().processes[&server()].condition == Condition::Stopping;
        self.possible().into_iter().find(|fact| match fact {
            Fact::StateSaved(_) | Fact::StateSynced(_) | Fact::DeadlineReached => true,
            Fact::HookFinished { outcome, .. } => {
                matches!(outcome, HookOutcome::Exited { status, .. } if status.is_success())
            }
            Fact::Process(_, _, ProcessFact::Exited(_)) => is_asked,
            Fact::Process(_, _, fact) => matches!(fact, ProcessFact::Started { .. } | ProcessFact::Gone),
            _ => false,
        })
    }

    fn step(&mut self, fact: &Fact) {
        self.now = match (fact, self.engine.next_deadline()) {
            (Fact::DeadlineReached, Some(at)) => at,
            _ => self.now + Duration::from_micros(100),
        };
        self.happen(fact);
        self.protocol.fact(fact).unwrap();
        let effects = self.engine.step(self.now, fact.clone());
        self.trace.push(trace::line(self.now, fact, &effects));
        for effect in &effects {
            self.protocol.effect(effect).unwrap();
            self.perform(effect);
        }
        if let Some(at) = self.engine.next_deadline() {
            assert!(at > self.now, "the next deadline, {at}, is not later than now");
        }
    }

    fn happen(&mut self, fact: &Fact) {
        match fact {
            Fact::StateSaved(_) => self.file = self.save.take().map(|(_, values)| values),
            Fact::StateSaveFailed { .. } => self.save = None,
            Fact::StateSynced(_) | Fact::StateSyncFailed(_) => self.sync = None,
            Fact::Process(_, _, ProcessFact::Started { .. }) => self.life = Life::Running,
            Fact::Process(_, _, ProcessFact::Exited(_)) => self.life = Life::Exited,
            Fact::Process(_, _, ProcessFact::Gone | ProcessFact::StartFailed(_)) => self.life = Life::None,
            Fact::HookFinished { .. } => self.hook = None,
            Fact::PathsTouched(_) => {
                self.touches += 1;
                self.untold = true;
            }
            Fact::InterruptRequested(_) => {
                self.interrupts += 1;
            }
            _ => {}
        }
    }

    fn perform(&mut self, effect: &Effect) {
        match effect {
            Effect::StartProcess(_, incarnation) => {
                assert_eq!(self.interrupts, 0, "a process starts after an interrupt");
                (self.life, self.incarnation) = (Life::Requested, *incarnation);
            }
            Effect::StartHook { task, errand, .. } => {
                assert_eq!(self.interrupts, 0, "a hook starts after an interrupt");
                assert_eq!(self.hook, None, "a hook runs twice at once");
                let newest = if self.touches > 1 { "src/b" } else { "src/a" };
                self.untold &= !errand.changed_files.iter().any(|path| &**path == newest);
                self.hook = Some(*task);
            }
            Effect::SaveState { version, values, .. } => self.save = Some((*version, Arc::clone(values))),
            Effect::SyncState(version) => self.sync = Some(*version),
            Effect::EndSession(ending) => {
                self.has_ended = true;
                self.is_abandoned = matches!(ending, Ending::Abandoned { .. });
            }
            _ => {}
        }
    }

    /// Lets everything work until nothing happens any more.
    fn calm(&mut self) {
        for _ in 0..200 {
            if self.has_ended {
                return;
            }
            let Some(fact) = self.next_good() else { return };
            self.step(&fact);
        }
        panic!("no rest");
    }
}

/// Lives through all orders of facts; how many there were.
fn exhaust(plan: &Planned, rest: impl Fn(&Small)) -> usize {
    let mut odometer = Odometer::default();
    let mut orders = 0;
    loop {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| live(plan, &mut odometer, &rest)));
        if let Err(broken) = outcome {
            let mut small = Small::begin(plan);
            odometer.at = 0;
            for _ in 0..odometer.digits.len() {
                let mut facts = small.possible();
                let chosen = odometer.choose(facts.len());
                small.trace.push(format!("({})", trace::fact(&facts[chosen])));
                let fact = facts.swap_remove(chosen);
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| small.step(&fact)));
            }
            panic!("{broken:?}\n{}", small.trace.join("\n"));
        }
        orders += 1;
        if !odometer.turn() {
            return orders;
        }
    }
}

fn live(plan: &Planned, odometer: &mut Odometer, rest: &impl Fn(&Small)) {
    let mut small = Small::begin(plan);
    for _ in 0..FACTS {
        if small.has_ended {
            break;
        }
        let mut facts = small.possible();
        let chosen = odometer.choose(facts.len());
        small.step(&facts.swap_remove(chosen));
    }
    small.calm();
    if !small.has_ended {
        assert_eq!(small.interrupts, 0, "an interrupt did not end the session");
        let view = small.engine.view();
        assert!(view.runs.is_empty() && view.waiting.is_empty(), "runs at rest: {view:?}");
        assert_eq!(small.file.as_ref(), Some(&view.values), "the file is not the session");
        rest(&small);
        small.step(&Fact::InterruptRequested(Interrupt::Int));
        small.calm();
    }
    assert!(small.has_ended, "the session has not ended: {:?}", small.engine.view());
    assert_eq!(small.engine.view().phase, Phase::Ended);
    assert!(small.is_abandoned || small.life == Life::None, "the session left its process behind");
    let patience = Moment::from_millis(10_000);
    assert!(!small.is_abandoned || small.now > patience, "something was abandoned at {}", small.now);
}

fn plan(on_busy: OnBusy, steps: &[Step]) -> Planned {
    Planned::new()
        .process("server", |server| server.restart = RestartPolicy::OnFailure)
        .hook("build", |_| {})
        .workflow_with("w", steps, |w| w.on_busy = on_busy)
        .watch("w", "src/")
        .debounce(0)
}

fn is_up(small: &Small) {
    assert!(small.life == Life::Running, "at rest the server does not run");
}

#[test]
fn every_order_around_a_queued_workflow_ends_well() {
    let orders = exhaust(&plan(OnBusy::Queue, &[hook("build"), restart("server"), wait("server")]), |small| {
        is_up(small);
        assert!(!small.untold, "a change was lost");
    });
    assert!(orders > 10_000, "only {orders} orders");
}

#[test]
fn every_order_around_a_restarted_workflow_ends_well() {
    let orders = exhaust(&plan(OnBusy::Restart, &[restart("server"), hook("build")]), |small| {
        is_up(small);
        // A failed restart ends its run before the hook is told.
    });
    assert!(orders > 10_000, "only {orders} orders");
}

#[test]
fn every_order_around_a_stop_ends_well() {
    let steps = [stop("server"), hook("build")];
    let orders = exhaust(&plan(OnBusy::Restart, &steps), |small| {
        assert!(!small.untold, "a change was lost");
        let is_right = if small.touches == 0 { small.life == Life::Running } else { small.life == Life::None };
        assert!(is_right, "at rest the server is not as it was wanted last");
    });
    assert!(orders > 10_000, "only {orders} orders");
}
