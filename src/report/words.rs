//! The words of every notice. Fragments that scripts wait for (SPEC section 12) are marked fixed.

use super::columns;
use super::escape::one_line;
use super::failures::{place, process_start, span, step};
use devloop_core::fact::{Interrupt, Typed};
use devloop_core::names::{ArtifactName, ProcessName, WorkflowName};
use devloop_core::notice::{ArtifactNews, Awaited, Edit, Fate, Follows, Kept, Notice, PlanChange, PlanRejection, Who};
use devloop_core::plan::Plan;
use devloop_core::plan::probe::ProbeKind;
use devloop_core::plan::words::Words;
use std::sync::Arc;
use std::time::Duration;

/// The message of a notice, as one line.
pub fn of(notice: &Notice, plan: &Plan, resolve: &dyn Fn(&Words) -> String) -> String {
    one_line(&raw(notice, plan, resolve))
}

/// What scripts wait for: `started process NAME`, `stopped process NAME`, `process NAME exited with`, `guardian failed to
/// start process 'NAME'`, `workflow failed; continuing runtime in degraded mode`.
fn raw(notice: &Notice, plan: &Plan, resolve: &dyn Fn(&Words) -> String) -> String {
    match notice {
        Notice::ProcessStarted { process, pid } => format!("started process {process} (pid {pid})"),
        Notice::ProcessStopped { process } => format!("stopped process {process}"),
        Notice::ProcessExited { process, status, again_in } => {
            format!("process {process} exited with {status}{}", again("starting it again", *again_in))
        }
        Notice::ProcessStartFailed { process, failure, again_in } => {
            format!("{}{}", process_start(process.as_str(), failure), again("trying again", *again_in))
        }
        Notice::ProcessHeldBack { process, cause } => {
            format!("process {process} is not started, since what it depends on failed: {}", step(cause))
        }
        Notice::ProcessReady { process } => ready(process, plan, resolve),
        Notice::ProcessNotReady { process, within, last } => not_ready(process, *within, last.as_deref()),
        Notice::ProcessUnwell { process, reason, is_restarted } => unwell(process, reason, *is_restarted),
        Notice::WaitingForStop { awaited, can_be_hurried } => waiting(awaited, *can_be_hurried),
        Notice::ProcessKilled { process, after } => {
            format!("process {process} did not end within {} and is killed", span(*after))
        }
        Notice::ProcessStuck { process, pid } => {
            format!("pid {pid} of process {process} survives SIGKILL; the system holds it")
        }
        Notice::WorkflowBegan { workflow, changed_files } => began(workflow, changed_files),
        Notice::WorkflowFailed { path, failure, .. } => {
            format!("workflow failed; continuing runtime in degraded mode: {}: {}", place(path), step(failure))
        }
        Notice::WorkflowCancelled { workflow } => {
            format!("cancelled workflow {workflow}: it is wanted again and begins anew")
        }
        Notice::WorkflowSkipped { workflow } => format!("skipped workflow {workflow}: it is still running"),
        Notice::WorkflowFinished { workflow, took } => format!("finished workflow {workflow} in {}", span(*took)),
        Notice::WorkflowRepeats { workflow, times, within, path } => format!(
            "workflow {workflow} was started {times} times within {} by changed files, now by '{path}'; if one of its \
             steps writes this file, let the watch group `ignore` it, or write it only when its bytes change",
            span(*within)
        ),
        Notice::WorkflowFeedsItself { workflow, in_a_row, path, is_slowed } => {
            feeds_itself(workflow, *in_a_row, path, *is_slowed)
        }
        Notice::EventLoop { event, workflow } => format!(
            "workflow {workflow} runs itself: what it starts posts to event '{event}' again and again; such runs are now \
             at most one a second"
        ),
        Notice::Message { text, .. } => text.clone(),
        Notice::TemplateKeyMissing { workflow, key } => {
            format!("a template of workflow {workflow} names '{key}', which the state does not hold; it renders empty")
        }
        Notice::ObserverFailed { hook, failure } => format!(
            "observed hook '{hook}' failed: {}; devloop keeps asking, and says so again when it fails in another way",
            step(failure)
        ),
        Notice::ObserverRecovered { hook } => format!("observed hook '{hook}' works again"),
        Notice::Artifact { artifact, news } => news_of(artifact, news),
        Notice::StateSaveFailed { error } => {
            format!("the state file cannot be written: {error}; devloop goes on and tries again")
        }
        Notice::StateSaveRecovered => "the state file can be written again".to_owned(),
        Notice::Slept { span: slept } => {
            format!("devloop stood still for {}; nothing that runs out has lost that time", span(*slept))
        }
        Notice::TypedInVain(Typed::Restart(name)) => format!("there is no process '{name}' any more to be restarted"),
        Notice::TypedInVain(Typed::Run(name)) => format!("there is no workflow '{name}' any more to be run"),
        Notice::InterruptReceived { interrupt } => interrupted(*interrupt).to_owned(),
        Notice::KillRequested => "asked a second time: everything is killed".to_owned(),
        Notice::GuardianLost => "the guardian, which keeps all children, is gone: everything is stopped".to_owned(),
        Notice::PlanChanged(change) => changed(change),
        Notice::PlanKept(kept) => stays(kept),
        Notice::PlanRejected(rejection) => rejected(rejection),
        Notice::PlanRestored => "the config is right again, and says what is applied already".to_owned(),
    }
}

fn changed(PlanChange { section, name, what, follows }: &PlanChange) -> String {
    let what = match what {
        Edit::Added => "added",
        Edit::Changed => "changed",
        Edit::Removed => "removed",
    };
    let then = match follows {
        Follows::Nothing => "",
        Follows::Start => ": starting it",
        Follows::Restart => ": restarting it",
        Follows::Stop => ": stopping it",
    };
    match name {
        Some(name) => format!("applied: {section} '{name}' {what}{then}"),
        None if *section == "startup_workflows" => {
            format!("applied: `{section}` {what}: it counts when devloop is started again")
        }
        None => format!("applied: `{section}` {what}"),
    }
}

fn stays(Kept { key, kept, wanted }: &Kept) -> String {
    format!(
        "`{key}` cannot change while devloop runs: '{kept}' stays until devloop is started again, and '{wanted}' counts \
         from then on"
    )
}

fn rejected(rejection: &PlanRejection) -> String {
    let goes_on = "devloop goes on with the one before, and looks again when it is saved";
    match rejection {
        PlanRejection::Broken { errors: 1 } => {
            format!("the saved config has an error, which is shown above; {goes_on}")
        }
        PlanRejection::Broken { errors } => {
            format!("the saved config has {errors} errors, which are shown above; {goes_on}")
        }
        PlanRejection::Unreadable { error } => format!("cannot read the config: {error}; {goes_on}"),
    }
}

/// Columns of what a state file says in the place of a generation.
const NAMED_MAX: usize = 60;

fn news_of(artifact: &ArtifactName, news: &ArtifactNews) -> String {
    match news {
        ArtifactNews::Published { generation, took } => {
            format!("published artifact {artifact}: generation {generation}, in {}", span(*took))
        }
        ArtifactNews::Undone { restored: Some(restored) } => format!(
            "artifact {artifact} was being switched when an earlier session ended, and nobody verified it: generation \
             {restored} is restored"
        ),
        ArtifactNews::Undone { restored: None } => format!(
            "artifact {artifact} was being switched when an earlier session ended, and nobody verified it: it is taken \
             back, and there is no earlier generation"
        ),
        ArtifactNews::Lost { named } => format!(
            "the generation of artifact {artifact} that the state file names ('{}') is not there: none is served until it \
             is published",
            columns::cut(&one_line(named), NAMED_MAX)
        ),
        ArtifactNews::Trouble { error } => format!("files of artifact {artifact} make trouble: {error}"),
    }
}

fn not_ready(process: &ProcessName, within: Duration, last: Option<&str>) -> String {
    let last = last.map_or(String::new(), |last| format!(" (its last answer: {last})"));
    format!("process {process} is not ready after {}{last}; devloop keeps asking", span(within))
}

fn unwell(process: &ProcessName, reason: &str, is_restarted: bool) -> String {
    let then = if is_restarted { "; restarting it" } else { "; its restart policy leaves it as it is" };
    format!("process {process} is not well: {reason}{then}")
}

fn waiting(awaited: &[Awaited], can_be_hurried: bool) -> String {
    let one = |awaited: &Awaited| {
        let who = match &awaited.who {
            Who::Process(process) => format!("process {process}"),
            Who::Hook(hook) => format!("hook {hook}"),
        };
        match awaited.fate {
            Fate::KilledIn(left) => format!("{who} (killed in {})", span(left)),
            Fate::Killed => format!("{who} (killed, and still there)"),
            Fate::Starting => format!("{who} (its start is not over)"),
        }
    };
    let hint = if can_be_hurried { "; a second ctrl-c kills at once" } else { "" };
    format!("waiting for {} to end{hint}", awaited.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// Fixed: `running workflow NAME`.
fn began(workflow: &WorkflowName, changed_files: &[Arc<str>]) -> String {
    match changed_files {
        [] => format!("running workflow {workflow}"),
        [file] => format!("running workflow {workflow} ({file})"),
        [file, rest @ ..] => format!("running workflow {workflow} ({file} and {} more)", rest.len()),
    }
}

fn feeds_itself(workflow: &WorkflowName, in_a_row: u32, path: &str, is_slowed: bool) -> String {
    let slowed = if is_slowed { "; such runs are now held back for a second, or as long as they take" } else { "" };
    format!(
        "workflow {workflow} feeds itself: {in_a_row} runs in a row were started by what changed during the run before, now \
         by '{path}'{slowed}; let its watch group `ignore` what its steps write, or write it only when its bytes change"
    )
}

/// Fixed: `process NAME is healthy at URL`, `process NAME is ready via state key KEY`.
fn ready(process: &ProcessName, plan: &Plan, resolve: &dyn Fn(&Words) -> String) -> String {
    let readiness = plan.processes.get(process).and_then(|plan| plan.readiness.as_ref());
    match readiness.map(|probe| &probe.kind) {
        Some(ProbeKind::Http { url, .. }) => format!("process {process} is healthy at {}", resolve(url)),
        Some(ProbeKind::StateKey { key }) => format!("process {process} is ready via state key {key}"),
        Some(ProbeKind::Tcp { address }) => format!("process {process} is ready at {}", resolve(address)),
        Some(ProbeKind::Exec { command }) => format!("process {process} is ready: {} says so", command.program_name()),
        Some(ProbeKind::Output { pattern }) => {
            format!("process {process} is ready: a line matched {}", pattern.regex().as_str())
        }
        None => format!("process {process} is ready"),
    }
}

/// Fixed for ctrl-c: `received ctrl-c, shutting down`.
fn interrupted(interrupt: Interrupt) -> &'static str {
    match interrupt {
        Interrupt::Int => "received ctrl-c, shutting down",
        Interrupt::Term => "received SIGTERM, shutting down",
        Interrupt::Typed => "asked to quit, shutting down",
        Interrupt::Hup => "received SIGHUP, shutting down",
    }
}

fn again(what: &str, again_in: Option<Duration>) -> String {
    again_in.map_or(String::new(), |delay| format!("; {what} in {}", span(delay)))
}
