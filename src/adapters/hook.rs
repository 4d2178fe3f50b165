//! A one-shot child and its answer.

use crate::adapters::guardian::{Contain, Control, Report, Stdin, StopSignal};
use crate::adapters::http::Grant;
use crate::adapters::json;
use crate::adapters::launch::{Launched, Launcher, Manner, ended, start_failure, status};
use crate::adapters::output::{CAPTURE_MAX, ChildStreams, Drained, Heard};
use crate::adapters::process::style;
use crate::hands::FactSender;
use devloop_core::effect::Errand;
use devloop_core::fact::{CaptureFailure, Captured, ExitStatus, Fact, Holder, HookOutcome, StartFailure};
use devloop_core::names::{HookName, TaskId};
use devloop_core::notice::Who;
use devloop_core::plan::Plan;
use devloop_core::plan::hook::{Capture, HookPlan};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// All hooks that run.
pub struct Hooks {
    plan: Arc<Plan>,
    launcher: Launcher,
    facts: FactSender,
    running: BTreeMap<TaskId, Control>,
    tasks: JoinSet<TaskId>,
}

impl Hooks {
    /// Nothing runs yet.
    pub fn new(plan: Arc<Plan>, launcher: Launcher, facts: FactSender) -> Self {
        Self { plan, launcher, facts, running: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// From now on hooks may post what this plan grants them.
    pub fn renew(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Runs a hook. Its end comes as a fact.
    pub fn start(&mut self, task: TaskId, hook: &HookName, plan: Arc<HookPlan>, errand: &Errand) {
        while let Some(over) = self.tasks.try_join_next() {
            if let Ok(over) = over {
                self.running.remove(&over);
            }
        }
        let facts = self.facts.clone();
        let finish = move |outcome| facts.send(Fact::HookFinished { task, outcome });
        let holder = Holder::Hook(task, hook.clone());
        let grant = Some(Grant { events: holder.granted(&self.plan), holder });
        let stdin = Stdin::Null;
        let manner = Manner { errand, life: None, grant, key_prefix: "", stdin, contain: Contain::Group };
        let (overflowed, told) = unbounded_channel();
        match self.launch(&plan, hook, &manner, overflowed) {
            Ok(launched) => {
                self.running.insert(task, launched.child.control());
                let tools = self.launcher.clone();
                self.tasks.spawn_local(async move {
                    finish(follow(launched, &plan, &tools, told).await);
                    task
                });
            }
            Err(failure) => finish(HookOutcome::StartFailed(failure)),
        }
    }

    /// Asks a hook to end.
    pub fn stop(&self, task: TaskId) {
        if let Some(control) = self.running.get(&task) {
            control.stop(StopSignal::Term);
        }
    }

    /// Ends a hook.
    pub fn kill(&self, task: TaskId) {
        if let Some(control) = self.running.get(&task) {
            control.kill();
        }
    }

    fn launch(
        &self,
        plan: &Arc<HookPlan>,
        hook: &HookName,
        manner: &Manner<'_>,
        overflowed: UnboundedSender<()>,
    ) -> Result<Launched, StartFailure> {
        self.launcher.launch(&plan.command, manner, |stdout, stderr| ChildStreams {
            label: format!("{} {hook}", plan.command.program_name()),
            who: Some(Who::Hook(hook.clone())),
            stdout,
            stderr,
            inherit: plan.output.inherit,
            style: style(plan.output.body_style),
            raw: false,
            rules: Vec::new(),
            patterns: Vec::new(),
            capture: plan.capture != Capture::Ignore,
            heard: Box::new(move |heard| match heard {
                // The receiver is dropped with the hook.
                Heard::CaptureOverflowed => drop(overflowed.send(())),
                Heard::Captured { .. } | Heard::PatternMatched(_) => {}
            }),
        })
    }
}

async fn follow(
    launched: Launched,
    plan: &HookPlan,
    tools: &Launcher,
    mut overflowed: UnboundedReceiver<()>,
) -> HookOutcome {
    // The list of changed files is kept until the hook has ended.
    let Launched { mut child, streams, changed_files: _files, pass } = launched;
    let started = |pid| {
        if let Some(pass) = &pass {
            pass.started(pid);
        }
        tools.prepare_next();
    };
    let control = child.control();
    let end = tokio::select! {
        biased;
        end = ended(&mut child, &started) => end,
        // What it goes on to print is of no use to anybody.
        Some(()) = overflowed.recv() => {
            control.kill();
            ended(&mut child, &started).await
        }
    };
    if let Some(pass) = &pass {
        pass.revoke();
    }
    let drained = tools.drain(streams).await;
    match end {
        Some(Report::StartFailed { step, errno }) => {
            HookOutcome::StartFailed(start_failure(&plan.command, step, errno))
        }
        Some(Report::Exited(how)) => {
            HookOutcome::Exited { status: status(how), captured: captured(&plan.capture, drained) }
        }
        // Somebody killed its keeper, and the hook with it.
        Some(Report::Started { .. } | Report::Stuck { .. } | Report::Gone) | None => {
            HookOutcome::Exited { status: ExitStatus::Unknown, captured: Captured::Nothing }
        }
    }
}

fn captured(capture: &Capture, drained: Drained) -> Captured {
    if *capture == Capture::Ignore {
        return Captured::Nothing;
    }
    if drained.overflowed {
        return Captured::Unusable(CaptureFailure::TooLong { bytes_max: CAPTURE_MAX });
    }
    let Ok(text) = String::from_utf8(drained.captured.unwrap_or_default()) else {
        return Captured::Unusable(CaptureFailure::NotUtf8);
    };
    match capture {
        Capture::Ignore => Captured::Nothing,
        Capture::Text { .. } => Captured::Text(text.trim().to_owned()),
        Capture::Json => match json::object(&text) {
            Ok(values) => Captured::Object(values),
            Err(error) => Captured::Unusable(CaptureFailure::NotJsonObject { error }),
        },
    }
}
