//! One simulated session: a plan, a world and an engine from one seed; a fault phase, a calm phase that demands rest,
//! and an interrupt that must end it.

use crate::checkers::artifacts::Served;
use crate::checkers::{Checkers, Step};
use crate::dice::Dice;
use crate::plans;
use crate::told;
use crate::trace;
use crate::world::World;
use devloop_core::effect::{Effect, Values};
use devloop_core::engine::Engine;
use devloop_core::fact::{Fact, Interrupt, Touch, TouchKind, Typed};
use devloop_core::moment::Moment;
use devloop_core::plan::Plan;
use devloop_core::protocol::Protocol;
use devloop_core::value::Value;
use devloop_core::view::{Condition, View};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A session that needs more steps than this goes round in circles.
const STEPS_MAX: u64 = 60_000;
/// How long a calm world may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(120);
/// How long whatever can become well has become well in a calm world.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long a session may take to end.
const END_MAX: Duration = Duration::from_secs(120);

/// How far the simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Faults { until: Moment },
    Calm { since: Moment },
    Ending { since: Moment },
}

/// A session.
pub(crate) struct Session {
    engine: Engine,
    world: World,
    protocol: Protocol,
    checkers: Checkers,
    view: View,
    act: Act,
    now: Moment,
    seed: u64,
    /// Steps so far.
    pub(crate) steps: u64,
    /// One line a step, when it is kept.
    pub(crate) trace: Option<Vec<String>>,
    is_over: bool,
    /// The step after which devloop is killed.
    killed_at: Option<u64>,
    /// How often something rare was lived through: a simulation that never gets there proves nothing.
    pub(crate) tally: BTreeMap<&'static str, u64>,
}

impl Session {
    pub(crate) fn new(seed: u64, is_traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Arc::new(plans::draw(&mut dice));
        let mut world = World::new(Arc::clone(&plan), Dice::new(dice.roll()));
        let until = Moment::ZERO + dice.millis(500, 15_000);
        plant(&mut world, &mut dice, until);
        plant_posts(&mut world, &mut dice.clone(), until, &plan);
        plant_saves(&mut world, &mut Dice::new(!seed), until);
        plant_typed(&mut world, &mut Dice::new(seed ^ 0x7e9d), until, &plan);
        let mut saved = Values::new();
        if dice.percent(30) {
            saved.insert("k0".into(), Value::from("old"));
            saved.insert("r0".into(), Value::from("old"));
        }
        // A session with artifacts may be killed in the middle, and another one goes on from what is on disk.
        let kill = Dice::new(seed ^ 0xdead).percent(50) && !plan.artifacts.is_empty();
        let killed_at = kill.then(|| 1 + Dice::new(seed ^ 0xbeef).roll() % 400);
        let engine = Engine::new(Arc::clone(&plan), saved.clone(), seed);
        let trace = is_traced.then(|| told::plan(&plan));
        let late = world.faults.late_deadline;
        Self {
            view: engine.view(),
            engine,
            world,
            protocol: Protocol::new(),
            checkers: Checkers::new(&plan, late, &saved),
            killed_at,
            tally: BTreeMap::new(),
            act: Act::Faults { until },
            now: Moment::ZERO,
            seed,
            steps: 0,
            trace,
            is_over: false,
        }
    }

    /// Lives it through. The error says which promise was broken.
    pub(crate) fn live(&mut self) -> Result<(), String> {
        self.step(&Fact::SessionBegan)?;
        while !self.is_over {
            if self.killed_at.is_some_and(|at| at <= self.steps) {
                self.begin_again()?;
            }
            let fact = self.next_fact()?;
            if let Some(fact) = fact {
                self.step(&fact)?;
            }
        }
        Ok(())
    }

    /// Devloop is killed, and started again: all that it has is what is on disk.
    fn begin_again(&mut self) -> Result<(), String> {
        self.killed_at = None;
        self.note("— killed —");
        let mut dice = Dice::new(self.seed ^ 0xcafe);
        let plan = self.world.newest_plan();
        let world = World::new(Arc::clone(&plan), dice.clone());
        self.world = std::mem::replace(&mut self.world, world).after_crash(Dice::new(dice.roll()));
        let until = Moment::ZERO + dice.millis(500, 15_000);
        plant(&mut self.world, &mut dice, until);
        plant_saves(&mut self.world, &mut Dice::new(!self.seed ^ 0xcafe), until);
        plant_typed(&mut self.world, &mut Dice::new(self.seed ^ 0x7e9e), until, &plan);
        let saved = self.world.file.as_ref().map_or_else(Values::new, |file| Values::clone(file));
        self.engine = Engine::new(Arc::clone(&plan), saved.clone(), dice.roll());
        self.protocol = Protocol::new();
        self.checkers = Checkers::new(&plan, self.world.faults.late_deadline, &saved);
        self.view = self.engine.view();
        (self.act, self.now) = (Act::Faults { until }, Moment::ZERO);
        self.step(&Fact::SessionBegan)
    }

    /// Jumps to what happens next; none when it turned out to be nothing.
    fn next_fact(&mut self) -> Result<Option<Fact>, String> {
        let deadline = self.engine.next_deadline().map(|at| at + self.lateness(at));
        let happens = self.world.next_at();
        let next = [deadline, happens].into_iter().flatten().min();
        if let Some(fact) = self.next_act(next)? {
            return Ok(Some(fact));
        }
        let next = match (next, self.act) {
            (Some(next), _) => next,
            // Nothing at all is going on: the rest of the act is silence.
            (None, Act::Faults { until }) => {
                self.now = until;
                return Ok(None);
            }
            (None, Act::Calm { .. }) => return Ok(None),
            (None, Act::Ending { .. }) => return Err("nothing will happen any more, and it has not ended".to_owned()),
        };
        self.now = self.now.max(next);
        if happens == Some(next) { Ok(self.world.happen()) } else { Ok(Some(Fact::DeadlineReached)) }
    }

    /// Goes on to the next act when this one is over; its first fact, if it has one.
    fn next_act(&mut self, next: Option<Moment>) -> Result<Option<Fact>, String> {
        match self.act {
            Act::Faults { until } if next.is_none_or(|at| at > until) => {
                self.now = self.now.max(until);
                self.world.calm_down(self.now);
                self.note("— calm —");
                self.act = Act::Calm { since: self.now };
                Ok(None)
            }
            Act::Calm { since } => {
                let waited = self.now.since(since);
                let is_resting = next.is_none() || self.is_resting(waited);
                if !is_resting && waited < REST_MAX {
                    return Ok(None);
                }
                self.checkers.rest(&self.view, self.world.file.as_ref(), &self.world.store)?;
                self.checkers.follows_config(self.world.config())?;
                if !is_resting {
                    return Err(format!("no rest: {:?}", self.view));
                }
                self.note("— end —");
                self.act = Act::Ending { since: self.now };
                Ok(Some(Fact::InterruptRequested(Interrupt::Int)))
            }
            Act::Ending { since } if self.now.since(since) > END_MAX => {
                Err(format!("it was asked to end at {since} and has not: {:?}", self.view))
            }
            Act::Faults { .. } | Act::Ending { .. } => Ok(None),
        }
    }

    /// Whether nothing is going on. What waits for something that may never come has its time first.
    fn is_resting(&self, waited: Duration) -> bool {
        let view = &self.view;
        let is_patient = waited > PATIENCE;
        let is_settled = |condition| match condition {
            Condition::Down | Condition::Lingering | Condition::Ready => true,
            Condition::Running | Condition::Waiting | Condition::BackingOff => is_patient,
            Condition::Starting | Condition::Stopping => false,
        };
        waited > Duration::from_secs(2)
            && view.runs.is_empty()
            && view.waiting.is_empty()
            && self.checkers.is_quiet()
            && self.world.is_idle()
            && view.processes.values().all(|process| is_settled(process.condition))
    }

    /// How late a deadline is told: always the same for one deadline.
    fn lateness(&self, at: Moment) -> Duration {
        let most = u64::try_from(self.world.faults.late_deadline.as_micros()).unwrap_or(0);
        Duration::from_micros(Dice::new(self.seed ^ at.as_micros()).roll() % (most + 1))
    }

    fn step(&mut self, fact: &Fact) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err("too many steps".to_owned());
        }
        let file = self.world.file.clone();
        let effects = self.engine.step(self.now, fact.clone());
        if let Some(trace) = &mut self.trace {
            trace.push(trace::line(self.now, fact, &effects));
        }
        self.protocol.fact(fact).map_err(|error| format!("the simulated world: {error}"))?;
        for effect in &effects {
            self.protocol.effect(effect)?;
            self.world.perform(self.now, effect);
            self.is_over |= matches!(effect, Effect::EndSession(_));
            if let (Effect::ApplyPlan(plan), Some(trace)) = (effect, &mut self.trace) {
                trace.extend(told::plan(plan).into_iter().map(|line| format!("    {line}")));
            }
            if let Some(rare) = told::rare(effect) {
                *self.tally.entry(rare).or_default() += 1;
            }
        }
        let after = self.engine.view();
        let step = Step {
            number: self.steps,
            now: self.now,
            fact,
            effects: &effects,
            before: &self.view,
            after: &after,
            file: file.as_ref(),
        };
        let World { store, lives, file, .. } = &self.world;
        self.checkers.step(&step, &Served { store, lives, file: file.as_ref() })?;
        if let Some(at) = self.engine.next_deadline().filter(|at| *at <= self.now)
            && !self.is_over
        {
            return Err(format!("the next deadline, {at}, is not later than now"));
        }
        self.view = after;
        let ends = matches!(fact, Fact::InterruptRequested(_) | Fact::GuardianLost)
            || self.view.phase >= devloop_core::view::Phase::Draining;
        if ends && !matches!(self.act, Act::Ending { .. }) {
            self.act = Act::Ending { since: self.now };
        }
        Ok(())
    }

    fn note(&mut self, text: &str) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{} {text}", self.now));
        }
    }
}

/// Plants posts, some of them in bursts; few enough that no workflow is taken for one that runs itself.
fn plant_posts(world: &mut World, dice: &mut Dice, until: Moment, plan: &Plan) {
    if plan.events.is_empty() {
        return;
    }
    let span = until.as_micros();
    for _ in 0..=dice.below(4) {
        let mut at = Moment::from_micros(dice.roll() % span + 10_000);
        let pause = *dice.pick(&[1, 500, 20_000, 500_000]);
        for _ in 0..=dice.below(4) {
            world.plant_post(at);
            at = at + Duration::from_micros(dice.roll() % pause);
        }
    }
}

/// Plants what somebody types in a third of the sessions, now and then before anything is watched, and now and then with
/// a name that the config may not have.
fn plant_typed(world: &mut World, dice: &mut Dice, until: Moment, plan: &Plan) {
    if dice.percent(66) {
        return;
    }
    let span = until.as_micros();
    for _ in 0..=dice.below(5) {
        let at = if dice.percent(10) { Moment::ZERO } else { Moment::from_micros(dice.roll() % span) };
        let processes: Vec<_> = plan.processes.keys().cloned().chain(["nobody".into()]).collect();
        let workflows: Vec<_> = plan.workflows.keys().cloned().chain(["nothing".into()]).collect();
        let typed = if dice.percent(60) {
            Typed::Restart(dice.pick(&processes).clone())
        } else {
            Typed::Run(dice.pick(&workflows).clone())
        };
        world.plant(at, Fact::Typed(typed));
    }
}

/// Plants saves of the config in half of the sessions, some of them right after each other.
fn plant_saves(world: &mut World, dice: &mut Dice, until: Moment) {
    if dice.percent(50) {
        return;
    }
    let span = until.as_micros();
    for _ in 0..=dice.below(5) {
        let mut at = Moment::from_micros(dice.roll() % span);
        let pause = *dice.pick(&[1, 20_000, 80_000]);
        for _ in 0..=dice.below(3) {
            world.plant_save(at);
            at = at + Duration::from_micros(dice.roll() % pause);
        }
    }
}

/// Plants what comes from outside: bursts of changes, and now and then an early end.
fn plant(world: &mut World, dice: &mut Dice, until: Moment) {
    let span = until.as_micros();
    let moment = |dice: &mut Dice| Moment::from_micros(dice.roll() % span + 10_000);
    for _ in 0..dice.below(9) {
        let mut at = moment(dice);
        let path = format!("{}/{}", dice.pick(&plans::FOLDERS), dice.pick(&["x.rs", "y.css", "z.tmp"]));
        // Now and then somebody writes and writes, with no pause that would end the burst.
        let (touches, pause) = if dice.percent(10) {
            (60, 30_000)
        } else {
            (dice.below(*dice.clone().pick(&[1, 2, 12])), *dice.pick(&[1, 3000, 60_000, 400_000]))
        };
        for _ in 0..=touches {
            let other = format!("{}/{}", dice.pick(&plans::FOLDERS), dice.pick(&["u.rs", "v.css", "w.tmp"]));
            let path: Arc<str> = if dice.percent(70) { path.as_str().into() } else { other.into() };
            let kinds = [TouchKind::Settled, TouchKind::Settled, TouchKind::Writing, TouchKind::Found, TouchKind::Half];
            let touch = |kind| Fact::PathsTouched(vec![Touch { path: Arc::clone(&path), kind }]);
            world.plant(at, touch(*dice.pick(&kinds)));
            at = at + Duration::from_micros(dice.roll() % pause);
        }
    }
    if dice.percent(20) {
        let at = moment(dice);
        let signals = [Interrupt::Int, Interrupt::Term, Interrupt::Hup, Interrupt::Typed];
        world.plant(at, Fact::InterruptRequested(*dice.pick(&signals)));
        if dice.percent(40) {
            let again = at + dice.millis(0, 3000);
            world.plant(again, Fact::InterruptRequested(*dice.pick(&signals)));
        }
    }
    for _ in 0..dice.below(4) {
        let at = moment(dice);
        let is_asked = dice.percent(50);
        world.plant(at, if is_asked { Fact::SuspendRequested } else { Fact::Slept(Duration::from_secs(3600)) });
    }
    if dice.percent(4) {
        let at = moment(dice);
        world.plant(at, Fact::GuardianLost);
    }
}
