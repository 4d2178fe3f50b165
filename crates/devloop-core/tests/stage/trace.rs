//! A session in words: one line a step, the fact and what came of it.

use devloop_core::effect::{Effect, Ending};
use devloop_core::fact::{Fact, HookOutcome, LoadedPlan, ProcessFact, Typed};
use devloop_core::moment::Moment;
use devloop_core::notice::{Follows, Notice, PlanChange};

/// One step: `+310ms DeadlineReached → stop server#1`.
pub(crate) fn line(now: Moment, told: &Fact, effects: &[Effect]) -> String {
    let effects: Vec<String> = effects.iter().map(effect).collect();
    let then = if effects.is_empty() { String::new() } else { format!(" → {}", effects.join(", ")) };
    format!("{} {}{then}", clock(now), fact(told))
}

/// A moment without zeros that say nothing: `+310ms`, `+2.150ms`.
fn clock(now: Moment) -> String {
    let text = now.to_string();
    text.strip_suffix(".000ms").map_or(text.clone(), |whole| format!("{whole}ms"))
}

/// A fact.
pub(crate) fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Process(name, incarnation, fact) => match fact {
            ProcessFact::Started { .. } => format!("{name}{incarnation} started"),
            ProcessFact::StartFailed(failure) => format!("{name}{incarnation} failed to start: {failure:?}"),
            ProcessFact::Captured { key, value } => format!("{name}{incarnation} captured {key}={value:?}"),
            ProcessFact::LineMatched(role) => format!("{name}{incarnation} printed its {role:?} line"),
            ProcessFact::Exited(status) => format!("{name}{incarnation} exited with {status}"),
            ProcessFact::Gone => format!("{name}{incarnation} gone"),
            ProcessFact::Stuck { pid } => format!("{name}{incarnation} stuck at {pid}"),
        },
        Fact::PathsTouched(touches) => {
            let touches: Vec<String> = touches.iter().map(|touch| format!("{:?} {}", touch.kind, touch.path)).collect();
            format!("PathsTouched [{}]", touches.join(", "))
        }
        Fact::HookFinished { task, outcome: HookOutcome::StartFailed(failure) } => {
            format!("hook {task} failed to start: {failure:?}")
        }
        Fact::HookFinished { task, outcome: HookOutcome::Exited { status, captured } } => {
            format!("hook {task} ended with {status}, {captured:?}")
        }
        Fact::ProbeAnswered { task, answer } => format!("probe {task} says {answer:?}"),
        Fact::EventPosted { request, event, value, .. } => format!("{request} posts {value:?} to {event}"),
        Fact::ArtifactAnswered { task, answer } => format!("files {task}: {answer:?}"),
        Fact::StateSaved(version) => format!("saved {version}"),
        Fact::StateSynced(version) => format!("synced {version}"),
        Fact::StateSyncFailed(version) => format!("failed to sync {version}"),
        Fact::StateSaveFailed { version, error, .. } => format!("failed to save {version}: {error}"),
        Fact::Typed(Typed::Restart(name)) => format!("typed: restart {name}"),
        Fact::Typed(Typed::Run(name)) => format!("typed: run {name}"),
        Fact::InterruptRequested(interrupt) => format!("interrupt {interrupt:?}"),
        Fact::PlanLoaded(LoadedPlan::Valid { other_root, .. }) => match other_root {
            Some(root) => format!("loaded a plan for {}", root.display()),
            None => "loaded a plan".to_owned(),
        },
        Fact::PlanLoaded(other) => format!("loaded {other:?}"),
        Fact::SessionBegan
        | Fact::DeadlineReached
        | Fact::SuspendRequested
        | Fact::Slept(_)
        | Fact::GuardianLost
        | Fact::WatchingBegan
        | Fact::PlanTouched => format!("{fact:?}"),
    }
}

/// An effect.
pub(crate) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::WatchPaths => "watch".to_owned(),
        Effect::StartProcess(name, incarnation) => format!("start {name}{incarnation}"),
        Effect::StopProcess(name, incarnation) => format!("stop {name}{incarnation}"),
        Effect::KillProcess(name, incarnation) => format!("kill {name}{incarnation}"),
        Effect::StartHook { task, hook, errand, .. } => {
            let files =
                if errand.changed_files.is_empty() { String::new() } else { format!(" {:?}", errand.changed_files) };
            format!("hook {hook} {task} for {}{files}", errand.workflow)
        }
        Effect::Suspend => "suspend".to_owned(),
        Effect::StopHook(task) => format!("stop hook {task}"),
        Effect::KillHook(task) => format!("kill hook {task}"),
        Effect::StartProbe { task, process, role, expect_body, .. } => {
            let body = expect_body.as_ref().map_or(String::new(), |body| format!(" expecting {body:?}"));
            format!("probe {process} {task} for {role:?}{body}")
        }
        Effect::CancelProbe(task) => format!("cancel probe {task}"),
        Effect::SyncState(version) => format!("sync {version}"),
        Effect::SaveState { version, durable, .. } => {
            format!("save {version}{}", if *durable { " durably" } else { "" })
        }
        Effect::AnswerRequest { request, verdict, run } => {
            let run = run.map_or(String::new(), |run| format!(" for {run}"));
            format!("answer {request} {verdict:?}{run}")
        }
        Effect::LoadPlan => "load".to_owned(),
        Effect::ApplyPlan(_) => "apply".to_owned(),
        Effect::Artifact(task, artifact, order) => format!("files {task} of {artifact}: {order:?}"),
        Effect::ServeArtifact(artifact, Some(generation)) => format!("serve {artifact} {generation}"),
        Effect::ServeArtifact(artifact, None) => format!("serve no {artifact}"),
        Effect::BroadcastReload => "reload".to_owned(),
        Effect::Report(notice) => notice_words(notice),
        Effect::EndSession(Ending::AsAsked) => "end as asked".to_owned(),
        Effect::EndSession(Ending::Unsaved) => "end unsaved".to_owned(),
        Effect::EndSession(Ending::Failed) => "end as failed".to_owned(),
        Effect::EndSession(Ending::Abandoned { processes }) => format!("end and abandon {processes:?}"),
    }
}

fn notice_words(notice: &Notice) -> String {
    match notice {
        Notice::Message { workflow, text, .. } => format!("\"{workflow}: {text}\""),
        Notice::WorkflowBegan { workflow, changed_files } if changed_files.is_empty() => format!("'{workflow} began'"),
        Notice::WorkflowBegan { workflow, changed_files } => {
            format!("'{workflow} began with {} files'", changed_files.len())
        }
        Notice::WorkflowFinished { workflow, .. } => format!("'{workflow} finished'"),
        Notice::WorkflowFailed { workflow, path, failure } => {
            let path: Vec<String> = path
                .iter()
                .map(|place| {
                    let number: Vec<String> = place.number.iter().map(ToString::to_string).collect();
                    format!("{} step {} {}", place.workflow, number.join("."), place.action)
                })
                .collect();
            format!("'{workflow} failed in {}: {:?}'", path.join(", "), failure)
        }
        Notice::PlanChanged(PlanChange { section, name, what, follows }) => {
            let name = name.as_ref().map_or(String::new(), |name| format!(" {name}"));
            let then = if *follows == Follows::Nothing { String::new() } else { format!(", {follows:?}") };
            format!("'{section}{name} {what:?}{then}'")
        }
        other => format!("'{other:?}'"),
    }
}
