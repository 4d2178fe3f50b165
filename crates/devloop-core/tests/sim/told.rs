//! A plan in words, for the first lines of a trace.

use devloop_core::effect::Effect;
use devloop_core::notice::{ArtifactNews, Notice, PublishFailure, Restored, StepFailure};
use devloop_core::plan::Plan;
use devloop_core::plan::watch::PathPattern;
use devloop_core::plan::workflow::Step;

/// What the simulation must live through in every `cargo test`.
pub(crate) const RARE: [&str; 9] = [
    "published",
    "undone at the start",
    "not prepared",
    "not built",
    "not installed",
    "not saved",
    "rejected, nothing restored",
    "rejected, earlier served",
    "rejected, earlier unwell",
];

/// What an effect says that is rare.
pub(crate) fn rare(effect: &Effect) -> Option<&'static str> {
    match effect {
        Effect::Report(Notice::Artifact { news: ArtifactNews::Published { .. }, .. }) => Some(RARE[0]),
        Effect::Report(Notice::Artifact { news: ArtifactNews::Undone { .. }, .. }) => Some(RARE[1]),
        Effect::Report(Notice::WorkflowFailed { failure: StepFailure::NotPublished { failure, .. }, .. }) => {
            Some(match failure {
                PublishFailure::NotPrepared(_) => RARE[2],
                PublishFailure::NotBuilt(_) => RARE[3],
                PublishFailure::NotInstalled(_) => RARE[4],
                PublishFailure::NotSaved(_) => RARE[5],
                PublishFailure::Rejected { restored: Restored::Nothing, .. } => RARE[6],
                PublishFailure::Rejected { restored: Restored::Served(_), .. } => RARE[7],
                PublishFailure::Rejected { restored: Restored::Unwell(..), .. } => RARE[8],
            })
        }
        _ => None,
    }
}

/// The plan in the trace's first lines.
pub(crate) fn plan(plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!(
        "debounce {:?}, concurrent {}, startup {:?}",
        plan.debounce, plan.concurrent, plan.startup_workflows
    )];
    lines.extend(plan.processes.iter().map(|(name, process)| {
        format!(
            "process {name}: {:?}{}, readiness {:?}, liveness {:?}, needs {:?}, stop {:?}, delay {:?}",
            process.restart,
            if process.autostart { ", autostart" } else { "" },
            process.readiness.as_ref().map(|probe| &probe.kind),
            process.liveness.as_ref().map(|probe| &probe.kind),
            process.depends_on,
            process.stop_timeout,
            process.restart_delay
        )
    }));
    lines.extend(plan.hooks.iter().map(|(name, hook)| {
        format!("hook {name}: {:?} {:?} timeout {:?} locks {:?}", hook.capture, hook.observe, hook.timeout, hook.locks)
    }));
    lines.extend(plan.artifacts.iter().map(|(name, artifact)| {
        format!("artifact {name}: by {}, for {:?}, retain {}", artifact.build_hook, artifact.consumers, artifact.retain)
    }));
    lines.extend(plan.workflows.iter().map(|(name, workflow)| {
        let steps: Vec<String> = workflow.steps.iter().map(step).collect();
        format!("workflow {name} ({:?}): {}; then {:?}", workflow.on_busy, steps.join(", "), workflow.triggers)
    }));
    lines.extend(plan.watches.iter().map(|(name, watch)| {
        let patterns: Vec<&str> = watch.patterns.iter().map(PathPattern::source).collect();
        format!("watch {name}: {patterns:?} → {}, leading {}", watch.workflow, watch.leading)
    }));
    lines
}

/// A step of a workflow.
fn step(step: &Step) -> String {
    match step {
        Step::StartProcess(name) => format!("start {name}"),
        Step::StopProcess(name) => format!("stop {name}"),
        Step::RestartProcess(name) => format!("restart {name}"),
        Step::WaitForProcess(name) => format!("wait for {name}"),
        Step::RunHook(name) => format!("hook {name}"),
        Step::RunWorkflow(name) => format!("run {name}"),
        Step::Sleep(span) => format!("sleep {span:?}"),
        Step::WriteState { key, value } => format!("write {key} {:?}", value.source()),
        Step::Log { message, .. } => format!("log {:?}", message.source()),
        Step::PublishArtifact(name) => format!("publish {name}"),
        Step::NotifyReload => "reload".to_owned(),
        Step::Parallel(steps) => format!("all of ({})", steps.iter().map(self::step).collect::<Vec<_>>().join(", ")),
    }
}
