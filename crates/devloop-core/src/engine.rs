//! The engine: one fact in, effects out, always in the same four movements.
//!
//! *Absorb*: the room that owns the fact updates itself. *Expire*: every room acts on what is due, whatever the fact
//! was, so that a flood of facts cannot starve a deadline. *Advance*: every room goes as far as it can, again and
//! again until nothing stirs; looking once is not enough, because a later run may change what an earlier one awaits.
//! *Settle*: save what changed, end what is drained.
//!
//! Absent on purpose: clocks, randomness, and calls from one room into another that were not handed down from here.

mod batch;
mod changes;
mod drain;
mod hooks;
mod intake;
mod observers;
mod patience;
mod processes;
mod publishing;
mod reload;
mod repeats;
mod runs;
mod session;
mod turn;

pub use self::batch::PATHS_MAX;
pub use self::hooks::HOOK_GRACE;
pub use self::intake::REQUESTS_MAX;
pub use self::reload::{PLAN_QUIET, PLAN_QUIET_MAX};
pub use self::runs::{FEEDBACK_HOLD, FEEDBACK_RUNS, FEEDBACK_RUNS_LONG, LOOP_GAP, LOOP_RUNS_MAX, LOOP_WITHIN};

use self::changes::Changes;
use self::drain::Drain;
use self::hooks::Hooks;
use self::intake::{Intake, Posted};
use self::observers::Observers;
use self::patience::{Patience, Stop};
use self::processes::Processes;
use self::publishing::{Grip, Publishing};
use self::reload::Reload;
use self::repeats::Repeats;
use self::runs::{Lineage, Reach, Runs};
use self::session::Session;
use self::turn::Turn;
use crate::effect::{Effect, Ending, Values, Verdict};
use crate::fact::{Fact, Interrupt, LoadedPlan, Typed};
use crate::moment::Moment;
use crate::names::StateKey;
use crate::notice::{Follows, Notice};
use crate::plan::Plan;
use crate::value::Value;
use crate::view::{Phase, View};
use std::sync::Arc;
use std::time::Duration;

/// What thinks for one session.
///
/// The caller hands it every fact with the moment at which it came, moments never going back, and
/// [`Fact::DeadlineReached`] when [`Self::next_deadline`] has come; it performs the effects in their order.
/// [`Effect::EndSession`] is the last one, and facts after it change nothing.
pub struct Engine {
    plan: Arc<Plan>,
    phase: Phase,
    turn: Turn,
    processes: Processes,
    hooks: Hooks,
    publishing: Publishing,
    is_watching: bool,
    runs: Runs,
    intake: Intake,
    lineage: Lineage,
    changes: Changes,
    repeats: Repeats,
    observers: Observers,
    reload: Reload,
    patience: Patience,
    drain: Option<Drain>,
    interrupts: u32,
    /// Typed before anything could be started, in its order.
    typed_early: Vec<Typed>,
    is_guardian_lost: bool,
}

impl Engine {
    /// An engine for a session that begins with the `saved` values. `seed` feeds the jitter of restarts: the same
    /// seed and the same facts give the same effects.
    pub fn new(plan: Arc<Plan>, saved: Values, seed: u64) -> Self {
        Self {
            phase: Phase::Arming,
            turn: Turn::new(Session::new(saved)),
            processes: Processes::new(&plan, seed),
            hooks: Hooks::default(),
            publishing: Publishing::default(),
            is_watching: false,
            runs: Runs::default(),
            intake: Intake::default(),
            lineage: Lineage::default(),
            changes: Changes::new(plan.debounce),
            repeats: Repeats::default(),
            observers: Observers::new(&plan),
            reload: Reload::default(),
            patience: Patience::default(),
            drain: None,
            interrupts: 0,
            typed_early: Vec::new(),
            is_guardian_lost: false,
            plan,
        }
    }

    /// Takes a fact and says what the world shall do. Never fails, never waits.
    pub fn step(&mut self, now: Moment, fact: Fact) -> Vec<Effect> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        self.turn.now = self.turn.now.max(now);
        self.absorb(fact);
        self.expire();
        self.advance();
        self.end_if_over();
        self.turn.take_effects()
    }

    fn absorb(&mut self, fact: Fact) {
        match fact {
            Fact::SessionBegan => self.session_began(),
            Fact::DeadlineReached => {}
            Fact::InterruptRequested(interrupt) => self.interrupted(interrupt),
            Fact::Typed(typed) => self.typed(typed),
            Fact::SuspendRequested => self.turn.ask(Effect::Suspend),
            Fact::Slept(span) => {
                self.turn.report(Notice::Slept { span });
                self.processes.slept(&mut self.turn);
            }
            Fact::GuardianLost => self.guardian_lost(),
            Fact::WatchingBegan => {
                self.is_watching = true;
                self.begin_startup();
            }
            Fact::ArtifactAnswered { task, answer } => {
                self.publishing.answered(&mut self.turn, task, answer);
                self.begin_startup();
            }
            Fact::PathsTouched(touches) => {
                if !self.is_draining() {
                    self.turn.session.files_changed(self.turn.now);
                    let workflows = self.changes.touched(self.turn.now, &self.plan, touches);
                    self.runs.files_changed(self.turn.now, &workflows);
                }
            }
            Fact::Process(name, incarnation, fact) => {
                let is_fatal = self.processes.absorb(&mut self.turn, &name, incarnation, fact);
                if is_fatal && !self.is_draining() {
                    self.begin_drain(Ending::Failed);
                }
            }
            Fact::HookFinished { task, outcome } => self.hooks.finished(&mut self.turn, task, outcome),
            Fact::ProbeAnswered { task, answer } => self.processes.probe_answered(&mut self.turn, task, &answer),
            Fact::EventPosted { request, holder, event, value } => {
                self.posted(Posted { request, holder, event, value });
            }
            Fact::StateSaved(version) => {
                let notice = self.turn.session.saved(version, self.turn.now);
                self.session_answered(notice);
            }
            Fact::StateSaveFailed { version, error, is_replaced } => {
                let notice = self.turn.session.save_failed(version, (error, is_replaced), self.turn.now);
                self.intake.save_failed(&mut self.turn, version);
                self.session_answered(notice);
            }
            Fact::StateSynced(version) => self.turn.session.synced(version, true, self.turn.now),
            Fact::StateSyncFailed(version) => self.turn.session.synced(version, false, self.turn.now),
            Fact::PlanTouched => self.reload.touched(self.turn.now),
            Fact::PlanLoaded(loaded) => self.plan_loaded(loaded),
        }
    }

    fn session_began(&mut self) {
        self.turn.session.begin(self.turn.now);
        let root = self.plan.root.to_string_lossy().into_owned();
        self.turn.write(&StateKey::from("root"), &Value::String(root));
        self.turn.ask(Effect::WatchPaths);
        self.publishing.recover(&mut self.turn, &self.plan);
    }

    /// When watches are live and every switch that an earlier session left is undone.
    fn begin_startup(&mut self) {
        if self.phase == Phase::Arming && self.is_watching && self.publishing.is_recovered() {
            self.phase = Phase::Startup;
            self.processes.want_autostart(&mut self.turn);
            self.observers.begin(self.turn.now);
            let (runs, mut reach) = self.reach();
            runs.want_startup(&mut reach);
            for typed in std::mem::take(&mut self.typed_early) {
                self.typed(typed);
            }
        }
    }

    fn typed(&mut self, typed: Typed) {
        match (&typed, self.phase) {
            (_, Phase::Arming) => self.typed_early.push(typed),
            (_, Phase::Draining | Phase::Killing | Phase::Ended) => {}
            (Typed::Restart(name), _) if self.plan.processes.contains_key(name) => {
                self.processes.want_restart(&mut self.turn, name);
            }
            (Typed::Run(name), _) if self.plan.workflows.contains_key(name) => {
                let (runs, mut reach) = self.reach();
                runs.want_typed(name, &mut reach);
            }
            (Typed::Restart(_) | Typed::Run(_), _) => self.turn.report(Notice::TypedInVain(typed)),
        }
    }

    /// A config that was saved while the session ends is nobody's.
    fn plan_loaded(&mut self, loaded: LoadedPlan) {
        if self.is_draining() {
            return;
        }
        if let Some(plan) = self.reload.loaded(&mut self.turn, &self.plan, loaded) {
            self.apply(plan);
        }
    }

    /// Another plan holds from now on. What runs keeps the plan that it began with; what waits takes the new one.
    fn apply(&mut self, plan: Arc<Plan>) {
        let old = std::mem::replace(&mut self.plan, plan);
        self.turn.ask(Effect::ApplyPlan(Arc::clone(&self.plan)));
        let follows = self.processes.renew(&mut self.turn, &self.plan);
        for mut change in reload::difference(&old, &self.plan) {
            if let ("process", Some(name)) = (change.section, &change.name) {
                change.follows = follows.get(&**name).copied().unwrap_or(Follows::Nothing);
            }
            self.turn.report(Notice::PlanChanged(change));
        }
        self.publishing.recover(&mut self.turn, &self.plan);
        self.observers.renew(&mut self.turn, &mut self.hooks, &self.plan);
        self.runs.renew(&self.plan);
        let batch = self.changes.renew(&old, &self.plan);
        let (runs, mut reach) = self.reach();
        runs.want_batch(batch, Some(&old), &mut reach);
        self.turn.stir();
    }

    fn posted(&mut self, posted: Posted) {
        if self.is_draining() {
            let (request, verdict) = (posted.request, Verdict::ShuttingDown);
            self.turn.ask(Effect::AnswerRequest { request, verdict, run: None });
        } else {
            self.intake.posted(&mut self.turn, &self.plan, posted);
        }
    }

    /// Admits runs for the values that the file holds by now, and only then says so.
    fn accept_posts(&mut self) {
        self.intake.answer_leaving(&mut self.turn);
        for mut accepted in self.intake.advance(&mut self.turn) {
            let (request, workflow) = (accepted.request, accepted.workflow.take());
            let (runs, mut reach) = self.reach();
            let run = workflow.and_then(|workflow| runs.want_posted(&workflow, accepted, &mut reach));
            self.turn.ask(Effect::AnswerRequest { request, verdict: Verdict::Accepted, run });
        }
    }

    fn session_answered(&mut self, notice: Option<Notice>) {
        self.turn.stir();
        if let Some(notice) = notice {
            self.turn.report(notice);
        }
    }

    fn interrupted(&mut self, interrupt: Interrupt) {
        self.interrupts += 1;
        if self.interrupts == 1 {
            self.turn.report(Notice::InterruptReceived { interrupt });
            if !self.is_draining() {
                self.begin_drain(Ending::AsAsked);
            }
        } else if self.phase == Phase::Draining {
            self.phase = Phase::Killing;
            self.turn.report(Notice::KillRequested);
            self.hooks.kill_all(&mut self.turn);
            self.processes.kill_all(&mut self.turn);
            self.publishing.kill_all(&mut self.turn);
        }
    }

    fn guardian_lost(&mut self) {
        if std::mem::replace(&mut self.is_guardian_lost, true) {
            return;
        }
        self.turn.report(Notice::GuardianLost);
        match &mut self.drain {
            Some(drain) => drain.fail(),
            None => self.begin_drain(Ending::Failed),
        }
    }

    fn begin_drain(&mut self, ending: Ending) {
        self.phase = Phase::Draining;
        self.drain = Some(Drain::new(ending));
        self.changes.clear();
        self.turn.session.begin_to_end();
        self.intake.drain(&mut self.turn);
        self.observers.stop(&mut self.turn, &mut self.hooks);
        self.publishing.drain(&mut self.turn);
        self.runs.drain(&mut self.turn, &mut self.hooks, &mut self.publishing);
        self.processes.drain(&mut self.turn);
    }

    fn expire(&mut self) {
        let now = self.turn.now;
        self.processes.expire(&mut self.turn);
        self.hooks.expire(&mut self.turn);
        self.observers.expire(&mut self.turn, &mut self.hooks);
        if self.is_releasing() {
            self.reload.expire(&mut self.turn);
        }
        if self.is_releasing()
            && let Some(batch) = self.changes.release(now, &self.plan)
        {
            for (workflow, files) in &batch {
                if let Some(notice) = self.repeats.started(now, workflow, files) {
                    self.turn.report(notice);
                }
            }
            let (runs, mut reach) = self.reach();
            runs.want_batch(batch, None, &mut reach);
        }
        let (stops, is_ending) = (self.stops(), self.is_draining());
        self.patience.expire(&mut self.turn, &stops, (is_ending, self.phase == Phase::Draining));
        if let Some(notice) = self.turn.session.expire(now) {
            self.turn.report(notice);
        }
    }

    /// Lets every room go on until nothing stirs. Bounded: what stirs has come from a fact, a deadline, or a step of
    /// a run, and the graph of steps has no cycle.
    fn advance(&mut self) {
        loop {
            let stirs = self.turn.stirs();
            // First: what it takes back, no child that starts in this step may be told of.
            self.publishing.advance(&mut Grip {
                turn: &mut self.turn,
                processes: &mut self.processes,
                hooks: &mut self.hooks,
                lineage: &mut self.lineage,
            });
            self.processes.advance(&mut self.turn);
            self.hooks.advance(&mut self.turn);
            self.accept_posts();
            let wanted = self.observers.advance(&mut self.turn, &mut self.hooks);
            let (runs, mut reach) = self.reach();
            for workflow in wanted {
                runs.want_observed(&workflow, &mut reach);
            }
            runs.advance(&mut reach);
            if self.phase == Phase::Startup && self.runs.are_startup_over() {
                self.phase = Phase::Running;
                self.processes.end_startup();
            }
            if self.turn.stirs() == stirs {
                let now = self.turn.now;
                if self.is_draining() && self.are_all_over(now) {
                    self.turn.session.want_last_save(now);
                }
                self.turn.settle_session();
            }
            if self.turn.stirs() == stirs {
                return;
            }
        }
    }

    fn are_all_over(&self, now: Moment) -> bool {
        self.processes.are_over(now) && self.hooks.are_over(now) && self.publishing.are_over(&self.turn)
    }

    fn end_if_over(&mut self) {
        if let Some(drain) = self.drain.as_ref().filter(|_| self.turn.session.is_over()) {
            self.intake.answer_leaving(&mut self.turn);
            let ending = drain.ending(self.turn.now, &self.processes, &self.hooks);
            let is_lost = ending == Ending::AsAsked && !self.turn.session.is_whole_on_disk();
            let ending = if is_lost { Ending::Unsaved } else { ending };
            self.phase = Phase::Ended;
            self.turn.ask(Effect::EndSession(ending));
        }
    }

    /// When [`Fact::DeadlineReached`] is due; always later than the last moment of [`Self::step`].
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.phase == Phase::Ended {
            return None;
        }
        let now = self.turn.now;
        let rooms = [
            self.processes.next_deadline(now),
            self.hooks.next_deadline(now),
            self.runs.next_deadline(now, &self.processes),
            self.publishing.next_deadline(now, &self.processes),
            self.observers.next_deadline(),
            self.changes.next_deadline().filter(|_| self.is_releasing()),
            self.reload.next_deadline().filter(|_| self.is_releasing()),
            self.turn.session.next_deadline(),
            self.patience.next_deadline(&self.stops(), self.is_draining()),
        ];
        // What fell due while this step advanced is due in the next instant.
        rooms.into_iter().flatten().min().map(|deadline| deadline.max(now + Duration::from_micros(1)))
    }

    /// A picture of the session.
    pub fn view(&self) -> View {
        let (runs, waiting) = self.runs.view();
        View {
            phase: self.phase,
            processes: self.processes.view(self.turn.now),
            runs,
            waiting,
            values: Arc::clone(self.turn.session.values()),
        }
    }

    /// Everybody who was asked to end and is still there.
    fn stops(&self) -> Vec<Stop> {
        self.processes.stops().chain(self.hooks.stops()).collect()
    }

    fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Changes are kept until watches are live, and dropped once the session ends.
    fn is_releasing(&self) -> bool {
        matches!(self.phase, Phase::Startup | Phase::Running)
    }

    fn reach(&mut self) -> (&mut Runs, Reach<'_>) {
        let reach = Reach {
            plan: &self.plan,
            turn: &mut self.turn,
            processes: &mut self.processes,
            hooks: &mut self.hooks,
            publishing: &mut self.publishing,
            intake: &self.intake,
            lineage: &mut self.lineage,
        };
        (&mut self.runs, reach)
    }
}
