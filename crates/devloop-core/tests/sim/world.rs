//! A world that answers every effect at random moments and misbehaves as its seed says.

use crate::dice::Dice;
use crate::edits;
use crate::faults::Faults;
use crate::store::Store;
use devloop_core::effect::{ArtifactOrder, Effect, Values};
use devloop_core::fact::{
    CaptureFailure, Captured, ExitStatus, Fact, Holder, HookOutcome, LoadedPlan, ProbeAnswer, ProbeRole, ProcessFact,
    StartFailure,
};
use devloop_core::moment::Moment;
use devloop_core::names::{
    ArtifactName, Generation, HookName, Incarnation, ProcessName, RequestId, StateKey, StateVersion, TaskId,
};
use devloop_core::plan::Plan;
use devloop_core::plan::artifact::ArtifactPlan;
use devloop_core::plan::hook::{Capture, HookPlan};
use devloop_core::plan::probe::ProbeKind;
use devloop_core::value::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Something that will happen, if it still can when its time has come.
#[derive(Clone, Debug)]
enum Happening {
    Fact(Fact),
    Launch(ProcessName, Incarnation),
    Capture(ProcessName, Incarnation, StateKey),
    Line(ProcessName, Incarnation, ProbeRole),
    Exit(ProcessName, Incarnation, ExitStatus),
    Gone(ProcessName, Incarnation),
    Stuck(ProcessName, Incarnation),
    HookEnd(TaskId),
    ProbeEnd(TaskId),
    SaveEnd,
    SyncEnd,
    FileWorkEnd(TaskId),
    /// Whoever runs then posts something.
    Post,
    /// Somebody does something to the config file.
    SaveConfig,
    LoadEnd,
}

/// What the config file holds.
#[derive(Clone, Debug, PartialEq)]
enum ConfigFile {
    Valid(Arc<Plan>),
    Broken,
    Gone,
}

/// The truth about the newest life of a process.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct Life {
    incarnation: Incarnation,
    /// What it is by now.
    pub(crate) stage: Stage,
    is_stopping: bool,
    is_killed: bool,
    is_deaf: bool,
    has_leftovers: bool,
    is_stuck: bool,
    ready_at: Option<Moment>,
    /// The generation of its artifact that it was told of.
    pub(crate) told: Option<Generation>,
    /// It answers with another one.
    is_wrong: bool,
    /// The generation that it has answered with.
    pub(crate) answered: Option<Generation>,
}

/// What a life is by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Requested,
    Running,
    Exited,
    Over,
}

#[derive(Clone, Debug)]
struct HookLife {
    hook: HookName,
    plan: Arc<HookPlan>,
    is_asked: bool,
    is_killed: bool,
    is_deaf: bool,
}

#[derive(Clone, Debug)]
struct Attempt {
    process: ProcessName,
    role: ProbeRole,
    expect_body: Option<String>,
    is_cancelled: bool,
}

/// The world.
pub(crate) struct World {
    /// The newest plan, and what only earlier ones name.
    plan: Arc<Plan>,
    config: ConfigFile,
    /// What was read of the config file last.
    config_read: ConfigFile,
    /// The last plan that stood in the config file.
    config_plan: Arc<Plan>,
    /// Chance of whoever edits the config.
    editor: Dice,
    dice: Dice,
    pub(crate) faults: Faults,
    queue: BTreeMap<(Moment, u64), Happening>,
    count: u64,
    pub(crate) lives: BTreeMap<ProcessName, Life>,
    hooks: BTreeMap<TaskId, HookLife>,
    attempts: BTreeMap<TaskId, Attempt>,
    save: Option<(StateVersion, Arc<Values>, bool)>,
    sync: Option<StateVersion>,
    /// Chance of clients, apart from that of the rest.
    clients: Dice,
    posts: u64,
    /// The newest value that was posted.
    posted: String,
    /// What the state file holds.
    pub(crate) file: Option<Arc<Values>>,
    is_watching: bool,
    is_calm: bool,
    is_guardian_lost: bool,
    /// Folders of artifacts.
    pub(crate) store: Store,
    /// What children are told of.
    served: BTreeMap<ArtifactName, Generation>,
    /// File work that was asked for, and when the last of it is done: one after the other.
    orders: BTreeMap<TaskId, (ArtifactName, ArtifactOrder)>,
    orders_until: Moment,
}

impl World {
    pub(crate) fn new(plan: Arc<Plan>, mut dice: Dice) -> Self {
        let faults = Faults::draw(&mut dice);
        let clients = Dice::new(dice.clone().roll());
        let config = ConfigFile::Valid(Arc::clone(&plan));
        Self {
            config_read: config.clone(),
            config,
            config_plan: Arc::clone(&plan),
            editor: Dice::new(!clients.clone().roll()),
            plan,
            dice,
            faults,
            queue: BTreeMap::new(),
            count: 0,
            lives: BTreeMap::new(),
            hooks: BTreeMap::new(),
            attempts: BTreeMap::new(),
            save: None,
            sync: None,
            clients,
            posts: 0,
            posted: "0".to_owned(),
            file: None,
            is_watching: false,
            is_calm: false,
            is_guardian_lost: false,
            store: Store::default(),
            served: BTreeMap::new(),
            orders: BTreeMap::new(),
            orders_until: Moment::ZERO,
        }
    }

    /// The same disk after a crash: what was under way is done, or is not.
    pub(crate) fn after_crash(mut self, dice: Dice) -> Self {
        if let Some((_, values, _)) = self.save.take().filter(|_| self.dice.percent(50)) {
            self.file = Some(values);
        }
        self.sync = None;
        for (artifact, order) in std::mem::take(&mut self.orders).into_values() {
            if self.dice.percent(50) {
                break;
            }
            self.store.work(&artifact, &order, false);
        }
        // The next session begins with what the config says by then.
        Self { file: self.file, store: self.store, ..Self::new(self.config_plan, dice) }
    }

    /// Makes a fact happen later, whatever is then.
    pub(crate) fn plant(&mut self, at: Moment, fact: Fact) {
        self.schedule(at, Happening::Fact(fact));
    }

    /// Lets whoever runs then post something.
    pub(crate) fn plant_post(&mut self, at: Moment) {
        self.schedule(at, Happening::Post);
    }

    /// Lets somebody save the config.
    pub(crate) fn plant_save(&mut self, at: Moment) {
        self.schedule(at, Happening::SaveConfig);
    }

    /// The last plan that stood in the config file.
    pub(crate) fn newest_plan(&self) -> Arc<Plan> {
        Arc::clone(&self.config_plan)
    }

    /// The plan in the config file, if there is one.
    pub(crate) fn config(&self) -> Option<&Arc<Plan>> {
        match &self.config {
            ConfigFile::Valid(plan) => Some(plan),
            ConfigFile::Broken | ConfigFile::Gone => None,
        }
    }

    /// Mostly an edit, now and then a mistake, a repair, or nothing at all.
    fn save_config(&mut self) -> Fact {
        match self.editor.below(10) {
            0 => self.config = ConfigFile::Broken,
            1 => self.config = ConfigFile::Gone,
            2 => self.config = ConfigFile::Valid(Arc::clone(&self.config_plan)),
            3 => {}
            _ => {
                self.config_plan = Arc::new(edits::edited(&self.config_plan, &mut self.editor));
                self.config = ConfigFile::Valid(Arc::clone(&self.config_plan));
            }
        }
        Fact::PlanTouched
    }

    fn load_config(&mut self) -> Fact {
        let was_read = std::mem::replace(&mut self.config_read, self.config.clone());
        Fact::PlanLoaded(match &self.config {
            same if *same == was_read => LoadedPlan::Same,
            ConfigFile::Valid(plan) => LoadedPlan::Valid { plan: Arc::clone(plan), other_root: None },
            ConfigFile::Broken => LoadedPlan::Broken { errors: 1 },
            ConfigFile::Gone => LoadedPlan::Unreadable { error: "no such file or directory".to_owned() },
        })
    }

    /// A child that runs posts: mostly a new value, or the newest once more, or one that no event takes.
    fn post(&mut self) -> Option<Fact> {
        let lives = self.lives.iter().filter(|(_, life)| life.stage == Stage::Running);
        let mut holders: Vec<Holder> =
            lives.map(|(name, life)| Holder::Process(name.clone(), life.incarnation)).collect();
        holders.extend(self.hooks.iter().map(|(task, hook)| Holder::Hook(*task, hook.hook.clone())));
        if holders.is_empty() {
            return None;
        }
        self.posts += 1;
        let value = match self.clients.below(10) {
            0 => "no number".to_owned(),
            1 => "7".repeat(9000),
            2..=4 => self.posted.clone(),
            _ => self.posts.to_string(),
        };
        if value.len() < 9 {
            self.posted.clone_from(&value);
        }
        let event = format!("post{}", self.clients.below(4)).as_str().into();
        let holder = self.clients.pick(&holders).clone();
        Some(Fact::EventPosted { request: RequestId(self.posts), holder, event, value })
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether nothing is about to happen by itself but probes.
    pub(crate) fn is_idle(&self) -> bool {
        self.save.is_none() && self.queue.values().all(|happening| matches!(happening, Happening::ProbeEnd(_)))
    }

    /// Lets the next thing happen; none when it can no longer.
    pub(crate) fn happen(&mut self) -> Option<Fact> {
        let ((now, _), happening) = self.queue.pop_first()?;
        match happening {
            Happening::Fact(fact) => {
                match &fact {
                    Fact::GuardianLost => self.lose_guardian(now),
                    Fact::WatchingBegan => self.is_watching = true,
                    _ => {}
                }
                // What changes before the watches are live is nobody's.
                (self.is_watching || !matches!(fact, Fact::PathsTouched(_))).then_some(fact)
            }
            Happening::Launch(name, incarnation) => self.launch(now, &name, incarnation),
            Happening::Capture(name, incarnation, key) => {
                self.life(&name, incarnation, Stage::Running)?;
                let value = self.dice.pick(&["8080", "9090", "", "{{k0}}"]).to_string();
                let value = if self.is_calm { "calm".to_owned() } else { value };
                Some(Fact::Process(name, incarnation, ProcessFact::Captured { key, value }))
            }
            Happening::Line(name, incarnation, role) => {
                self.life(&name, incarnation, Stage::Running)?;
                Some(Fact::Process(name, incarnation, ProcessFact::LineMatched(role)))
            }
            Happening::Exit(name, incarnation, status) => {
                self.life(&name, incarnation, Stage::Running)?.stage = Stage::Exited;
                self.after_exit(now, &name, incarnation);
                Some(Fact::Process(name, incarnation, ProcessFact::Exited(status)))
            }
            Happening::Gone(name, incarnation) => {
                self.life(&name, incarnation, Stage::Exited)?.stage = Stage::Over;
                Some(Fact::Process(name, incarnation, ProcessFact::Gone))
            }
            Happening::Stuck(name, incarnation) => {
                let life = self.lives.get(&name).filter(|life| life.incarnation == incarnation)?;
                matches!(life.stage, Stage::Running | Stage::Exited).then_some(Fact::Process(
                    name,
                    incarnation,
                    ProcessFact::Stuck { pid: 4242 },
                ))
            }
            Happening::HookEnd(task) => self.end_hook(task),
            Happening::ProbeEnd(task) => self.end_probe(now, task),
            Happening::SaveEnd => self.end_save(),
            Happening::SyncEnd => self.end_sync(),
            Happening::FileWorkEnd(task) => {
                let (artifact, order) = self.orders.remove(&task)?;
                let fails = self.dice.percent(self.faults.file_work_fails);
                Some(Fact::ArtifactAnswered { task, answer: self.store.work(&artifact, &order, fails) })
            }
            Happening::Post => self.post(),
            Happening::SaveConfig => Some(self.save_config()),
            Happening::LoadEnd => Some(self.load_config()),
        }
    }

    /// Carries out an effect.
    pub(crate) fn perform(&mut self, now: Moment, effect: &Effect) {
        match effect {
            Effect::WatchPaths => {
                let at = now + self.latency();
                self.plant(at, Fact::WatchingBegan);
            }
            Effect::StartProcess(name, incarnation) => self.start(now, name, *incarnation),
            Effect::StopProcess(name, incarnation) => self.stop(now, name, *incarnation),
            Effect::KillProcess(name, incarnation) => self.kill(now, name, *incarnation),
            Effect::Suspend => self.plant(now, Fact::Slept(Duration::from_secs(60))),
            Effect::StartHook { task, hook, plan, .. } => {
                let life = HookLife {
                    hook: hook.clone(),
                    plan: Arc::clone(plan),
                    is_asked: false,
                    is_killed: false,
                    is_deaf: self.dice.percent(self.faults.hook_deaf),
                };
                self.hooks.insert(*task, life);
                if self.is_calm || !self.dice.percent(self.faults.hook_hangs) {
                    let at = now + self.latency() + self.dice.millis(0, if self.is_calm { 5 } else { 900 });
                    self.schedule(at, Happening::HookEnd(*task));
                }
            }
            Effect::StopHook(task) | Effect::KillHook(task) => {
                let is_kill = matches!(effect, Effect::KillHook(_));
                let Some(hook) = self.hooks.get_mut(task) else { return };
                hook.is_asked = true;
                hook.is_killed |= is_kill;
                if is_kill || !hook.is_deaf || self.is_calm {
                    let at = now + self.latency();
                    self.schedule(at, Happening::HookEnd(*task));
                }
            }
            Effect::StartProbe { task, process, role, expect_body, within } => {
                let (process, role, expect_body) = (process.clone(), *role, expect_body.clone());
                let attempt = Attempt { process, role, expect_body, is_cancelled: false };
                self.attempts.insert(*task, attempt);
                let at = now + self.latency().min(*within) + Duration::from_micros(150);
                self.schedule(at, Happening::ProbeEnd(*task));
            }
            Effect::CancelProbe(task) => {
                if let Some(attempt) = self.attempts.get_mut(task) {
                    attempt.is_cancelled = true;
                }
            }
            Effect::SaveState { version, values, durable } => {
                self.save = Some((*version, Arc::clone(values), *durable));
                let at = now + self.latency() + Duration::from_micros(100);
                self.schedule(at, Happening::SaveEnd);
            }
            Effect::SyncState(version) => self.begin_sync(now, *version),
            Effect::LoadPlan => {
                let at = now + self.latency();
                self.schedule(at, Happening::LoadEnd);
            }
            Effect::ApplyPlan(plan) => self.plan = edits::with_gone(&self.plan, plan),
            Effect::Artifact(task, artifact, order) => {
                self.orders.insert(*task, (artifact.clone(), order.clone()));
                let at = self.orders_until.max(now + self.latency());
                self.orders_until = at;
                self.schedule(at, Happening::FileWorkEnd(*task));
            }
            Effect::ServeArtifact(artifact, generation) => {
                self.served.remove(artifact);
                self.served.extend(generation.map(|generation| (artifact.clone(), generation)));
            }
            Effect::AnswerRequest { .. } | Effect::BroadcastReload | Effect::Report(_) | Effect::EndSession(_) => {}
        }
    }

    /// From now on everything works, and what hung is over.
    pub(crate) fn calm_down(&mut self, now: Moment) {
        self.is_calm = true;
        self.faults = Faults::none();
        self.queue.retain(|_, happening| !matches!(happening, Happening::Exit(..)));
        for task in self.hooks.keys().copied().collect::<Vec<_>>() {
            self.schedule(now + Duration::from_millis(3), Happening::HookEnd(task));
        }
        for (name, life) in self.lives.clone() {
            let soon = now + Duration::from_millis(5);
            let incarnation = life.incarnation;
            if let Some(life) = self.lives.get_mut(&name) {
                life.ready_at = Some(life.ready_at.map_or(soon, |at| at.min(soon)));
                life.is_stuck = false;
                life.is_wrong = false;
                life.is_deaf = false;
            }
            if life.is_stopping || life.is_killed {
                self.schedule(soon, Happening::Exit(name.clone(), incarnation, ExitStatus::Signal(15)));
                self.schedule(soon + Duration::from_millis(2), Happening::Gone(name.clone(), incarnation));
            } else {
                self.speak(&name, incarnation, soon);
            }
        }
    }

    fn schedule(&mut self, at: Moment, happening: Happening) {
        self.count += 1;
        self.queue.insert((at, self.count), happening);
    }

    /// How long the next answer takes.
    fn latency(&mut self) -> Duration {
        if self.is_calm {
            return Duration::from_micros(self.dice.roll() % 2000);
        }
        if self.dice.percent(self.faults.slow) {
            let slowest = self.faults.slowest.as_micros().try_into().unwrap_or(u64::MAX);
            return Duration::from_micros(self.dice.roll() % (slowest + 1));
        }
        Duration::from_micros(*self.dice.pick(&[0, 0, 40, 300, 1000, 7000]))
    }

    fn life(&mut self, name: &ProcessName, incarnation: Incarnation, stage: Stage) -> Option<&mut Life> {
        self.lives.get_mut(name).filter(|life| life.incarnation == incarnation && life.stage == stage)
    }

    fn start(&mut self, now: Moment, name: &ProcessName, incarnation: Incarnation) {
        let life = Life {
            incarnation,
            stage: Stage::Requested,
            is_stopping: false,
            is_killed: false,
            is_deaf: self.dice.percent(self.faults.ignores_stop),
            has_leftovers: self.dice.percent(self.faults.leftovers),
            is_stuck: self.dice.percent(self.faults.stuck),
            ready_at: None,
            told: self.artifact_of(name).and_then(|artifact| self.served.get(&artifact).copied()),
            is_wrong: self.dice.percent(self.faults.wrong_generation),
            answered: None,
        };
        self.lives.insert(name.clone(), life);
        let at = now + self.latency();
        self.schedule(at, Happening::Launch(name.clone(), incarnation));
    }

    /// What a process serves.
    fn artifact_of(&self, process: &ProcessName) -> Option<ArtifactName> {
        let is_served = |(_, plan): &(&ArtifactName, &Arc<ArtifactPlan>)| plan.consumers.contains(process);
        self.plan.artifacts.iter().find(is_served).map(|(name, _)| name.clone())
    }

    fn launch(&mut self, now: Moment, name: &ProcessName, incarnation: Incarnation) -> Option<Fact> {
        let failure = self.start_failure(name);
        let ready_at = (!self.dice.percent(self.faults.never_ready))
            .then(|| now + self.dice.millis(0, if self.is_calm { 20 } else { 1500 }));
        let life = self.life(name, incarnation, Stage::Requested)?;
        if let Some(failure) = failure {
            life.stage = Stage::Over;
            return Some(Fact::Process(name.clone(), incarnation, ProcessFact::StartFailed(failure)));
        }
        life.stage = Stage::Running;
        life.ready_at = ready_at;
        let must_end = life.is_killed || life.is_stopping && !life.is_deaf;
        if must_end {
            let at = now + self.latency();
            self.schedule(at, Happening::Exit(name.clone(), incarnation, ExitStatus::Signal(15)));
        }
        if self.dice.percent(self.faults.crashes) {
            let at = now + self.dice.millis(0, 6000);
            let code = i32::from(!self.dice.percent(self.faults.exits_well));
            let status = if self.dice.percent(20) { ExitStatus::Signal(11) } else { ExitStatus::Code(code) };
            self.schedule(at, Happening::Exit(name.clone(), incarnation, status));
        }
        if let Some(at) = ready_at {
            self.speak(name, incarnation, at);
        }
        Some(Fact::Process(name.clone(), incarnation, ProcessFact::Started { pid: 100 + incarnation.0 }))
    }

    fn start_failure(&mut self, name: &ProcessName) -> Option<StartFailure> {
        let has_address = self.plan.processes[name]
            .readiness
            .as_ref()
            .is_some_and(|readiness| matches!(readiness.kind, ProbeKind::Http { .. }));
        let refused =
            |what: &str| Some(StartFailure::Refused { what: what.to_owned(), error: "it cannot be".to_owned() });
        if self.is_guardian_lost {
            return refused("the guardian is gone");
        }
        if has_address && self.dice.percent(self.faults.address_taken) {
            return Some(StartFailure::AddressInUse { address: "127.0.0.1:8080".to_owned() });
        }
        if self.dice.percent(self.faults.start_fails) { refused("spawn") } else { None }
    }

    /// What a life prints when it is ready, and a little before.
    fn speak(&mut self, name: &ProcessName, incarnation: Incarnation, at: Moment) {
        let plan = Arc::clone(&self.plan.processes[name]);
        for rule in &plan.output.rules {
            let early = Duration::from_micros(self.dice.roll() % 3000);
            self.schedule(at + early, Happening::Capture(name.clone(), incarnation, rule.state_key.clone()));
        }
        for (role, probe) in [(ProbeRole::Readiness, &plan.readiness), (ProbeRole::Liveness, &plan.liveness)] {
            if probe.as_ref().is_some_and(|probe| matches!(probe.kind, ProbeKind::Output { .. })) {
                self.schedule(at, Happening::Line(name.clone(), incarnation, role));
            }
        }
    }

    fn after_exit(&mut self, now: Moment, name: &ProcessName, incarnation: Incarnation) {
        let at = now + self.latency();
        let Some(life) = self.lives.get(name) else { return };
        let (is_stuck, is_asked) = (life.is_stuck, life.is_stopping || life.is_killed);
        if is_stuck && life.is_killed {
            self.stick(now, name, incarnation);
        } else if !life.has_leftovers || (is_asked && !life.is_deaf) || life.is_killed {
            self.schedule(at, Happening::Gone(name.clone(), incarnation));
        }
    }

    fn stop(&mut self, now: Moment, name: &ProcessName, incarnation: Incarnation) {
        let at = now + self.latency();
        let Some(life) = self.lives.get_mut(name) else { return };
        life.is_stopping = true;
        match life.stage {
            Stage::Running if !life.is_deaf => {
                self.schedule(at, Happening::Exit(name.clone(), incarnation, ExitStatus::Signal(15)));
            }
            Stage::Exited if !life.is_deaf => self.schedule(at, Happening::Gone(name.clone(), incarnation)),
            Stage::Requested | Stage::Running | Stage::Exited | Stage::Over => {}
        }
    }

    fn kill(&mut self, now: Moment, name: &ProcessName, incarnation: Incarnation) {
        let at = now + self.latency();
        let Some(life) = self.lives.get_mut(name) else { return };
        life.is_killed = true;
        match life.stage {
            Stage::Running => self.schedule(at, Happening::Exit(name.clone(), incarnation, ExitStatus::Signal(9))),
            Stage::Exited if life.is_stuck => self.stick(now, name, incarnation),
            Stage::Exited => self.schedule(at, Happening::Gone(name.clone(), incarnation)),
            Stage::Requested | Stage::Over => {}
        }
    }

    /// SIGKILL does not help: said once or twice, and over after long or never.
    fn stick(&mut self, now: Moment, name: &ProcessName, incarnation: Incarnation) {
        let said = now + self.dice.millis(0, 1500);
        self.schedule(said, Happening::Stuck(name.clone(), incarnation));
        if self.dice.percent(50) {
            let at = now + self.dice.millis(0, 20_000);
            self.schedule(at, Happening::Gone(name.clone(), incarnation));
        }
    }

    fn end_hook(&mut self, task: TaskId) -> Option<Fact> {
        let life = self.hooks.remove(&task)?;
        let outcome = if life.is_asked || life.is_killed {
            let status = ExitStatus::Signal(if life.is_killed { 9 } else { 15 });
            HookOutcome::Exited { status, captured: Captured::Nothing }
        } else if self.is_guardian_lost {
            HookOutcome::Exited { status: ExitStatus::Unknown, captured: Captured::Nothing }
        } else if self.dice.percent(self.faults.hook_fails) {
            if self.dice.percent(30) {
                let failure = StartFailure::UnsetVariable { key: "command[1]".to_owned(), variable: "X".to_owned() };
                HookOutcome::StartFailed(failure)
            } else {
                let captured = self.captured(&life.plan);
                HookOutcome::Exited { status: ExitStatus::Code(2), captured }
            }
        } else {
            HookOutcome::Exited { status: ExitStatus::Code(0), captured: self.captured(&life.plan) }
        };
        Some(Fact::HookFinished { task, outcome })
    }

    fn captured(&mut self, hook: &HookPlan) -> Captured {
        let is_junk = self.dice.percent(self.faults.junk);
        let value = if self.is_calm { "calm" } else { *self.dice.pick(&["1", "2", "", "{{ k1 }}"]) };
        match &hook.capture {
            Capture::Ignore => Captured::Nothing,
            Capture::Text { .. } if is_junk => Captured::Unusable(CaptureFailure::NotUtf8),
            Capture::Text { .. } => Captured::Text(value.to_owned()),
            Capture::Json if is_junk && self.dice.percent(50) => {
                Captured::Unusable(CaptureFailure::NotJsonObject { error: "expected value".to_owned() })
            }
            Capture::Json => {
                let key = if is_junk { *self.dice.pick(&["root", "artifact.x", "last_workflow"]) } else { "k2" };
                let value = Value::Array(vec![Value::from(value), Value::Null]);
                Captured::Object([(StateKey::from(key), value), ("k1".into(), Value::from("json"))].into())
            }
        }
    }

    fn end_probe(&mut self, now: Moment, task: TaskId) -> Option<Fact> {
        let attempt = self.attempts.remove(&task)?;
        if attempt.is_cancelled && !self.dice.percent(self.faults.late_answers) {
            return None;
        }
        let is_consumer = self.artifact_of(&attempt.process).is_some() && attempt.role == ProbeRole::Readiness;
        let life = self.lives.get(&attempt.process)?;
        let told = life.told.map_or(String::new(), |told| told.to_string());
        let is_exact = !is_consumer || (attempt.expect_body == Some(told) && !life.is_wrong);
        let is_up = life.stage == Stage::Running;
        let is_ready = is_up && life.ready_at.is_some_and(|at| at <= now);
        let is_wrong = self.dice.percent(match attempt.role {
            ProbeRole::Readiness => self.faults.unwell,
            ProbeRole::Liveness => self.faults.unwell / 3,
        });
        let answer = match (is_ready, is_wrong) {
            (true, false) if !is_exact => ProbeAnswer::Unwell("another body".to_owned()),
            (true, false) => {
                if let Some(life) = self.lives.get_mut(&attempt.process).filter(|_| !attempt.is_cancelled) {
                    life.answered = life.told;
                }
                ProbeAnswer::Well
            }
            (true, true) => ProbeAnswer::Unwell("status 500".to_owned()),
            (false, _) if is_up && self.dice.percent(30) => ProbeAnswer::Unwell("status 503".to_owned()),
            (false, _) => ProbeAnswer::Refused,
        };
        Some(Fact::ProbeAnswered { task, answer })
    }

    fn end_save(&mut self) -> Option<Fact> {
        let (version, values, is_durable) = self.save.take()?;
        if self.dice.percent(self.faults.save_fails) {
            // The folder could not be synced, after the rename.
            let is_replaced = is_durable && self.dice.percent(30);
            if is_replaced {
                self.file = Some(values);
            }
            return Some(Fact::StateSaveFailed { version, error: "no space left on device".to_owned(), is_replaced });
        }
        self.file = Some(values);
        Some(Fact::StateSaved(version))
    }

    fn begin_sync(&mut self, now: Moment, version: StateVersion) {
        self.sync = Some(version);
        // A disk that has much else to write takes longer than saves.
        let slowness = if self.dice.percent(20) { Duration::from_millis(1500) } else { Duration::ZERO };
        let at = now + self.latency() + slowness + Duration::from_micros(100);
        self.schedule(at, Happening::SyncEnd);
    }

    fn end_sync(&mut self) -> Option<Fact> {
        let version = self.sync.take()?;
        let is_failed = self.dice.percent(self.faults.save_fails);
        Some(if is_failed { Fact::StateSyncFailed(version) } else { Fact::StateSynced(version) })
    }

    /// The guardian's children die with it.
    fn lose_guardian(&mut self, now: Moment) {
        self.is_guardian_lost = true;
        for (name, life) in self.lives.clone() {
            let at = now + self.latency();
            self.schedule(at, Happening::Exit(name.clone(), life.incarnation, ExitStatus::Unknown));
            self.schedule(at + Duration::from_micros(1), Happening::Gone(name, life.incarnation));
        }
        for task in self.hooks.keys().copied().collect::<Vec<_>>() {
            let at = now + self.latency();
            self.schedule(at, Happening::HookEnd(task));
        }
    }
}
