//! Everything that touches the world. Each room owns one part of it; here each effect is handed to its room.
//!
//! Rooms do not know each other, tools excepted: `guardian`, `output`, `environment`, `launch`, `json`, and what
//! `http` makes for a child that starts: its token.
//! Absent on purpose: decisions. What is done was asked for, and what came of it is a fact.

pub mod artifact_store;
pub mod audit_log;
pub mod environment;
pub mod guardian;
pub mod hook;
pub mod http;
pub mod interrupts;
pub mod json;
pub mod launch;
pub mod leftovers;
pub mod output;
pub mod own_files;
pub mod poster;
pub mod probe;
pub mod prober;
pub mod process;
pub mod session_file;
pub mod session_log;
pub mod watcher;

use crate::hands::{ChangeSender, FactSender, Hands};
use crate::report::Reporter;
use artifact_store::ArtifactStore;
use devloop_core::effect::{Effect, Ending};
use devloop_core::fact::Fact;
use devloop_core::notice::Level;
use devloop_core::plan::Plan;
use hook::Hooks;
use http::{Listeners, Servers};
use interrupts::Interrupts;
use launch::Launcher;
use prober::{Asked, Prober};
use process::Processes;
use session_file::SessionFile;
use std::sync::Arc;
use tokio::task::JoinSet;
use watcher::{OwnFiles, Watcher};

/// All rooms that touch the world, for one session.
pub struct Adapters {
    plan: Arc<Plan>,
    reporter: Arc<Reporter>,
    facts: FactSender,
    changes: ChangeSender,
    processes: Processes,
    hooks: Hooks,
    prober: Prober,
    session_file: SessionFile,
    artifact_store: ArtifactStore,
    launcher: Launcher,
    servers: Servers,
    own_files: OwnFiles,
    watcher: Option<Watcher>,
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
}

impl Adapters {
    /// The rooms of one session. `tasks` are ended with it.
    pub fn new(parts: Parts, facts: FactSender, changes: ChangeSender, mut tasks: JoinSet<()>) -> Self {
        let Parts { plan, reporter, launcher, session_file, own_files, listeners } = parts;
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
            facts,
            changes,
            session_file,
            own_files,
            watcher: None,
            _tasks: tasks,
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
        let (reporter, facts, changes) = (Arc::clone(&self.reporter), self.facts.clone(), self.changes.clone());
        let heard = Box::new(move |heard| match heard {
            // Fixed: `watching PATH`, and ` (recursive)`.
            watcher::Heard::Watching { target, recursive } => {
                let suffix = if recursive { " (recursive)" } else { "" };
                reporter.line("watcher", Level::Info, &format!("watching {target}{suffix}"));
            }
            watcher::Heard::Began => facts.send(Fact::WatchingBegan),
            watcher::Heard::Touched(touches) => changes.send_from_thread(Fact::PathsTouched(touches)),
            watcher::Heard::Trouble(trouble) => {
                let hint = trouble.hint().map_or(String::new(), |hint| format!("; {hint}"));
                reporter.line("watcher", Level::Warn, &format!("{trouble}{hint}"));
            }
        });
        match Watcher::start(Arc::clone(&self.plan), self.own_files.clone(), heard) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => {
                self.reporter.line("watcher", Level::Error, &format!("no file can be watched: {error}"));
                self.facts.send(Fact::WatchingBegan);
            }
        }
    }
}

impl Hands for Adapters {
    fn perform(&mut self, effect: Effect) {
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
            Effect::StartHook { task, hook, errand } => self.hooks.start(task, &hook, &errand),
            Effect::StopHook(task) => self.hooks.stop(task),
            Effect::KillHook(task) => self.hooks.kill(task),
            Effect::StartProbe { task, process, role, expect_body, within } => {
                self.prober.start(task, (&process, role), Asked { expect_body, within });
            }
            Effect::CancelProbe(task) => self.prober.cancel(task),
            Effect::SaveState { version, values, durable } => self.session_file.save(version, values, durable),
            Effect::AnswerRequest { request, verdict, run } => self.servers.answer(request, verdict, run),
            Effect::Artifact(task, artifact, order) => self.artifact_store.order(task, artifact, order),
            Effect::ServeArtifact(artifact, generation) => self.launcher.environment().serve(artifact, generation),
            Effect::BroadcastReload => self.servers.broadcast_reload(),
            Effect::Report(notice) => self.reporter.notice(&notice),
            // The loop takes this one for itself.
            Effect::EndSession(Ending::AsAsked | Ending::Failed | Ending::Abandoned { .. }) => {}
        }
    }
}
