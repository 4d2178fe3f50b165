//! Everything that touches the world. Each room owns one part of it; here each effect is handed to its room.
//!
//! Rooms do not know each other, tools excepted: `guardian`, `output`, `environment`, `launch`, `json`, and what
//! `http` makes for a child that starts: its token.
//! Absent on purpose: decisions. What is done was asked for, and what came of it is a fact.

pub mod artifact_store;
pub mod audit_log;
pub mod digests;
pub mod environment;
pub mod guardian;
pub mod hook;
pub mod http;
pub mod interrupts;
pub mod json;
pub mod keyboard;
pub mod launch;
pub mod leftovers;
pub mod log_index;
pub mod output;
pub mod own_files;
pub mod plan_file;
pub mod poster;
pub mod probe;
pub mod prober;
pub mod process;
pub mod session_file;
pub mod session_log;
pub mod status_file;
pub mod watcher;

use crate::hands::{ChangeSender, FactSender, Hands};
use crate::report::{Reporter, human};
use artifact_store::ArtifactStore;
use devloop_core::effect::{Effect, Ending};
use devloop_core::fact::{Fact, TouchKind};
use devloop_core::notice::{Level, Notice};
use devloop_core::plan::Plan;
use devloop_core::view::View;
use digests::Digests;
use hook::Hooks;
use http::{Listeners, Servers};
use interrupts::Interrupts;
use keyboard::{Desk, Keyboard};
use launch::Launcher;
use leftovers::{Sweep, Swept};
use plan_file::{PlanFile, ReadPlan};
use prober::{Asked, Prober};
use process::Processes;
use session_file::SessionFile;
use status_file::{Chronicle, Snapshot, StatusFile};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::task::JoinSet;
use watcher::{OwnFiles, Watcher};

/// All rooms that touch the world, for one session.
pub struct Adapters {
    plan: Arc<Plan>,
    reporter: Arc<Reporter>,
    digests: Digests,
    /// While somebody may type.
    keyboard: Option<Keyboard>,
    facts: FactSender,
    changes: ChangeSender,
    processes: Processes,
    hooks: Hooks,
    prober: Prober,
    /// Gone before the state file is free for another session.
    status: Status,
    session_file: SessionFile,
    artifact_store: ArtifactStore,
    launcher: Launcher,
    servers: Servers,
    own_files: OwnFiles,
    /// Until the first watches are armed.
    sweep: Option<Sweep>,
    watcher: Option<Watcher>,
    /// The lines that told what it watches.
    watched: Arc<Mutex<BTreeSet<String>>>,
    plan_file: PlanFile,
    /// Where the config file lies, and who watches that.
    config_places: Vec<PathBuf>,
    config_watchers: Vec<Watcher>,
    /// Listens for the guardian's end; ends with the session.
    _tasks: JoinSet<()>,
}

/// What the rooms are made of.
pub struct Parts {
    /// What the user wants.
    pub plan: Arc<Plan>,
    /// Where rooms tell what happened to them.
    pub reporter: Arc<Reporter>,
    /// Starts children.
    pub launcher: Launcher,
    /// The state file, locked.
    pub session_file: SessionFile,
    /// Files that never count as changed.
    pub own_files: OwnFiles,
    /// The two listeners, bound.
    pub listeners: Listeners,
    /// The config file's absolute path, and what reads it.
    pub config: (PathBuf, Arc<dyn ReadPlan>),
    /// What `devloop status` says of the session itself.
    pub session: status_file::Session,
    /// What earlier sessions left is being killed. It ends before the watches are told to be live, and so before the first
    /// child: it could not tell that one from those of the dead.
    pub sweep: Sweep,
}

/// What is shown of the session to other processes.
struct Status {
    session: Arc<status_file::Session>,
    chronicle: Chronicle,
    /// None where the system gave no thread or file for it.
    file: Option<StatusFile>,
    is_stale: bool,
}

impl Adapters {
    /// The rooms of one session. `tasks` are ended with it.
    pub fn new(parts: Parts, facts: FactSender, changes: ChangeSender, mut tasks: JoinSet<()>) -> Self {
        let Parts { plan, reporter, launcher, session_file, own_files, listeners, config, session, sweep } = parts;
        let (config, read_plan) = config;
        // What a session undoes of artifacts at its begin must not be in the hands of a hook that should be dead.
        let sweep = if plan.artifacts.is_empty() {
            Some(sweep)
        } else {
            tell_swept(&reporter, &sweep.end());
            None
        };
        let file = StatusFile::start(&plan.state_file)
            .inspect_err(|error| {
                reporter.line(
                    "status",
                    Level::Warn,
                    &format!("`devloop status` will not know of this session: {error}"),
                );
            })
            .ok();
        let status = Status { session: Arc::new(session), chronicle: Chronicle::default(), file, is_stale: true };
        let (guardian, told) = (launcher.clone(), facts.clone());
        tasks.spawn_local(async move {
            guardian.guardian_lost().await;
            told.send(Fact::GuardianLost);
        });
        let answered = facts.clone();
        let heard = move |task, answer| answered.send(Fact::ArtifactAnswered { task, answer });
        Self {
            artifact_store: ArtifactStore::new(&plan.state_file, Arc::new(heard)),
            processes: Processes::new(Arc::clone(&plan), launcher.clone(), facts.clone()),
            hooks: Hooks::new(Arc::clone(&plan), launcher.clone(), facts.clone()),
            servers: Servers::start(listeners, &plan, &reporter, facts.clone()),
            prober: Prober::new(Arc::clone(&plan), launcher.clone(), facts.clone()),
            launcher,
            plan,
            reporter,
            digests: Digests::default(),
            keyboard: None,
            changes,
            session_file,
            own_files,
            sweep,
            watcher: None,
            watched: Arc::default(),
            plan_file: PlanFile::new(config, read_plan, facts.clone()),
            config_places: Vec::new(),
            config_watchers: Vec::new(),
            facts,
            status,
            _tasks: tasks,
        }
    }

    /// Listens to what is typed, until the session is asked to end. `can_clear`: the terminal can be cleared.
    pub fn listen_to_keys(&mut self, can_clear: bool) {
        let desk = Desk {
            facts: self.facts.clone(),
            output: self.launcher.output().clone(),
            reporter: Arc::clone(&self.reporter),
            last_digest: self.digests.last(),
            state_file: self.plan.state_file.clone(),
            can_clear,
        };
        match Keyboard::listen(desk) {
            Ok(keyboard) => self.keyboard = Some(keyboard),
            Err(error) => self.reporter.line("keys", Level::Warn, &format!("what is typed is not heard: {error}")),
        }
    }

    /// Lets the last verdicts reach those who wait for them, before everything is dropped.
    pub async fn let_answers_go(&self) {
        // One turn to hear the verdict, one to write it.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }

    /// Arms the watches; a system that gives none is told, and the session goes on without changes.
    fn watch(&mut self) {
        let (sweep, reporter) = (Mutex::new(self.sweep.take()), Arc::clone(&self.reporter));
        let swept =
            Arc::new(move || lock(&sweep).take().into_iter().for_each(|sweep| tell_swept(&reporter, &sweep.end())));
        // In the lane of the changes: none of them may be heard before it.
        let (changes, before) = (self.changes.clone(), Arc::clone(&swept));
        let began = move || {
            before();
            changes.send_from_thread(Fact::WatchingBegan);
        };
        if let Err(error) = self.arm(began) {
            self.reporter.line("watcher", Level::Error, &format!("no file can be watched: {error}"));
            self.begin_without_watches(swept);
        }
        self.launcher.prepare(self.plan.processes.values().filter(|process| process.autostart).count());
        self.watch_config();
    }

    /// Nobody watches, so somebody else waits for the sweep: the loop does not. Without a thread for that there was none
    /// for the sweep either, and it is over.
    fn begin_without_watches(&self, swept: Arc<impl Fn() + Send + Sync + 'static>) {
        let facts = self.facts.clone();
        let begin = Arc::new(move || {
            swept();
            facts.send(Fact::WatchingBegan);
        });
        let elsewhere = Arc::clone(&begin);
        let thread = std::thread::Builder::new().name("devloop-swept".to_owned());
        if thread.spawn(move || elsewhere()).is_err() {
            begin();
        }
    }

    /// Starts a watcher for the plan. Targets are told that were not told of the one before, which looks once more and
    /// ends when `began` was called, so that nothing is lost in between.
    fn arm(&mut self, began: impl Fn() + Send + 'static) -> io::Result<()> {
        let (reporter, changes) = (Arc::clone(&self.reporter), self.changes.clone());
        let before = std::mem::take(&mut self.watched);
        let (told, old) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(Mutex::new(self.watcher.take())));
        let (telling, retiring) = (Arc::clone(&told), Arc::clone(&old));
        let heard = Box::new(move |heard| match heard {
            // Fixed: `watching PATH`, and ` (recursive)`.
            watcher::Heard::Watching { target, recursive } => {
                let suffix = if recursive { " (recursive)" } else { "" };
                let line = format!("watching {target}{suffix}");
                if !lock(&before).contains(&line) {
                    reporter.line("watcher", Level::Info, &line);
                }
                lock(&telling).insert(line);
            }
            watcher::Heard::Began => {
                began();
                lock(&retiring).take().into_iter().for_each(Watcher::retire);
            }
            watcher::Heard::Touched(touches) => changes.send_from_thread(Fact::PathsTouched(touches)),
            watcher::Heard::Trouble(trouble) => tell_trouble(&reporter, &trouble),
        });
        let started = Watcher::start(Arc::clone(&self.plan), self.own_files.clone(), heard);
        self.watched = told;
        match started {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                self.watcher = lock(&old).take();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Watches the config file, and every link on the way to it. Whoever saved it before that is heard, too.
    fn watch_config(&mut self) {
        let places = self.plan_file.places();
        if places == self.config_places {
            return;
        }
        let mut watchers = Vec::new();
        for plan in places.iter().filter_map(|place| plan_file::watch_of(place, self.plan.watcher)) {
            let (touched, maybe_touched) = (self.plan_file.touched(), self.plan_file.maybe_touched());
            let heard = Box::new(move |heard| match heard {
                watcher::Heard::Touched(paths) if paths.iter().any(|path| path.kind != TouchKind::Writing) => {
                    touched();
                }
                watcher::Heard::Began => maybe_touched(),
                // The room of all watches tells what is wrong with folders and limits.
                watcher::Heard::Touched(_) | watcher::Heard::Watching { .. } | watcher::Heard::Trouble(_) => {}
            });
            match Watcher::start(Arc::new(plan), OwnFiles::default(), heard) {
                Ok(watcher) => watchers.push(watcher),
                Err(error) => {
                    let told =
                        format!("the folder of the config cannot be watched, so saving it changes nothing: {error}");
                    return self.reporter.line("config", Level::Warn, &told);
                }
            }
        }
        (self.config_places, self.config_watchers) = (places, watchers);
    }

    /// From now on every room goes by this plan.
    fn apply(&mut self, plan: &Arc<Plan>) {
        let old = std::mem::replace(&mut self.plan, Arc::clone(plan));
        self.reporter.renew(Arc::clone(plan));
        self.processes.renew(Arc::clone(plan));
        self.hooks.renew(Arc::clone(plan));
        self.prober.renew(Arc::clone(plan));
        self.servers.renew(plan);
        let shown = Arc::make_mut(&mut self.status.session);
        (shown.events_url, shown.reload_url) = self.servers.urls();
        self.status.is_stale = true;
        let is_other = (&old.watcher, &old.watches) != (&plan.watcher, &plan.watches);
        if is_other && let Err(error) = self.arm(|| {}) {
            let told = format!("what the config names since cannot be watched: {error}");
            self.reporter.line("watcher", Level::Error, &told);
        }
    }
}

fn tell_swept(reporter: &Reporter, swept: &Swept) {
    if !swept.killed.is_empty() {
        let killed = human::count(swept.killed.len(), "process", "processes");
        reporter.line("engine", Level::Warn, &format!("killed what an earlier session had left behind: {killed}"));
    }
    for session in &swept.living {
        let told = format!(
            "another session (pid {session}) with this state file still runs: somebody removed its lock file; end one of \
             the two"
        );
        reporter.line("engine", Level::Warn, &told);
    }
}

fn tell_trouble(reporter: &Reporter, trouble: &watcher::WatcherTrouble) {
    let hint = trouble.hint().map_or(String::new(), |hint| format!("; {hint}"));
    reporter.line("watcher", Level::Warn, &format!("{trouble}{hint}"));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hands for Adapters {
    fn stepped(&mut self, look: &dyn Fn() -> View) {
        self.launcher.output().release();
        let Status { session, chronicle, file: Some(file), is_stale } = &mut self.status else { return };
        if std::mem::take(is_stale) {
            let (session, plan) = (Arc::clone(session), Arc::clone(&self.plan));
            file.show(Snapshot { session, plan, view: look(), chronicle: chronicle.clone() });
        }
    }

    fn perform(&mut self, effect: Effect) {
        // Lines are shown when the children of this step are on their way, and before devloop stands still.
        if matches!(effect, Effect::Suspend) {
            self.launcher.output().release();
        } else {
            self.launcher.output().hold();
        }
        // Nobody sees from outside that a value is saved or a probe is under way.
        self.status.is_stale |= !matches!(
            effect,
            Effect::SaveState { .. }
                | Effect::SyncState(_)
                | Effect::StartProbe { .. }
                | Effect::CancelProbe(_)
                | Effect::AnswerRequest { .. }
                | Effect::BroadcastReload
        );
        match effect {
            Effect::WatchPaths => self.watch(),
            Effect::StartProcess(process, incarnation) => self.processes.start(process, incarnation),
            Effect::StopProcess(process, incarnation) => self.processes.stop(&process, incarnation),
            Effect::KillProcess(process, incarnation) => self.processes.kill(&process, incarnation),
            Effect::Suspend => {
                self.launcher.suspend_all();
                Interrupts::stop_here();
                self.launcher.resume_all();
            }
            Effect::StartHook { task, hook, plan, errand } => self.hooks.start(task, &hook, plan, &errand),
            Effect::StopHook(task) => self.hooks.stop(task),
            Effect::KillHook(task) => self.hooks.kill(task),
            Effect::StartProbe { task, process, role, expect_body, within } => {
                self.prober.start(task, (&process, role), Asked { expect_body, within });
            }
            Effect::CancelProbe(task) => self.prober.cancel(task),
            Effect::SaveState { version, values, durable } => self.session_file.save(version, values, durable),
            Effect::SyncState(version) => self.session_file.sync(version),
            Effect::AnswerRequest { request, verdict, run } => self.servers.answer(request, verdict, run),
            Effect::LoadPlan => {
                // A link may lead elsewhere by now.
                self.watch_config();
                self.plan_file.load();
            }
            Effect::ApplyPlan(plan) => self.apply(&plan),
            Effect::Artifact(task, artifact, order) => self.artifact_store.order(task, artifact, order),
            Effect::ServeArtifact(artifact, generation) => self.launcher.environment().serve(artifact, generation),
            Effect::BroadcastReload => self.servers.broadcast_reload(),
            Effect::Report(notice) => {
                if matches!(notice, Notice::InterruptReceived { .. } | Notice::GuardianLost) {
                    // What is typed from now on is for whoever has the terminal next.
                    self.keyboard = None;
                }
                let (now, words) = (SystemTime::now(), || self.reporter.words(&notice));
                self.status.chronicle.heard(now, &notice, &words);
                self.reporter.notice(&notice);
                self.digests.heard(&notice, &self.plan, (&self.reporter, self.launcher.output()));
            }
            // The loop takes this one for itself.
            Effect::EndSession(Ending::AsAsked | Ending::Unsaved | Ending::Failed | Ending::Abandoned { .. }) => {}
        }
    }
}
