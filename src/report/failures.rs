//! Words for what went wrong: each says what, which, and the system's own words.

use super::human;
use devloop_core::fact::{CaptureFailure, StartFailure};
use devloop_core::notice::{PublishFailure, Restored, StepFailure, StepPlace};
use std::time::Duration;

/// Why a step failed, in words, causes included.
pub fn step(failure: &StepFailure) -> String {
    match failure {
        StepFailure::ProcessNotRunning { process } => {
            format!("process '{process}' is not running; a step `start_process` before this one starts it")
        }
        StepFailure::ProcessExited { process, status } => format!("process '{process}' exited with {status}"),
        StepFailure::ProcessRemoved { process } => {
            format!("process '{process}' is gone: the config does not name it any more")
        }
        StepFailure::ProcessStopped { process } => format!("process '{process}' was stopped while it was waited for"),
        StepFailure::ProcessNotReady { process, within, last } => {
            let last = last.as_ref().map_or(String::new(), |last| format!("; its last answer: {last}"));
            format!("process '{process}' did not become ready within {}{last}", span(*within))
        }
        // Its own line says the address, exactly once (SPEC section 5).
        StepFailure::ProcessStartFailed { process, failure: StartFailure::AddressInUse { .. } } => {
            format!("process '{process}' was not started: its address is taken")
        }
        StepFailure::ProcessStartFailed { process, failure } => process_start(process.as_str(), failure),
        StepFailure::DependencyFailed { process, cause } => {
            format!("process '{process}' cannot start without what it depends on: {}", step(cause))
        }
        StepFailure::HookStartFailed { hook, failure } => format!("hook '{hook}' cannot start: {}", start(failure)),
        StepFailure::HookFailed { hook, status } => format!("hook '{hook}' ended with {status}"),
        StepFailure::HookTimedOut { hook, within } => {
            format!("hook '{hook}' did not end within {} and was stopped", span(*within))
        }
        StepFailure::CaptureUnusable { hook, failure } => {
            format!("what hook '{hook}' printed cannot be used: {}", capture(failure))
        }
        StepFailure::ReservedKey { hook, key } => {
            format!("hook '{hook}' printed the key '{key}', which only devloop may write")
        }
        StepFailure::NotPublished { artifact, failure } => {
            format!("artifact '{artifact}' is not published: {}", publish(failure))
        }
        StepFailure::TooLong { template } => format!("the text of '{template}' is longer than 64 KiB"),
    }
}

fn publish(failure: &PublishFailure) -> String {
    let kept = "what was served before is served";
    match failure {
        PublishFailure::NotPrepared(error) => format!("there is no folder to build in: {error}; {kept}"),
        PublishFailure::NotBuilt(cause) => format!("{}; {kept}", step(cause)),
        PublishFailure::NotInstalled(error) => format!("what was built cannot be put into its place: {error}; {kept}"),
        PublishFailure::NotSaved(error) => format!("the state file cannot be written: {error}; {kept}"),
        PublishFailure::Rejected { generation, cause, restored } => {
            let rejected = format!("generation {generation} is rejected: {}", step(cause));
            match restored {
                Restored::Nothing => {
                    format!("{rejected}; there is no earlier generation, and its consumers are stopped")
                }
                Restored::Served(earlier) => format!("{rejected}; generation {earlier} is restored and served"),
                Restored::Unwell(earlier, cause) => {
                    format!("{rejected}; generation {earlier} is restored, and not well either: {}", step(cause))
                }
            }
        }
    }
}

/// Why a process does not start; the address form is fixed, scripts read it.
pub fn process_start(process: &str, failure: &StartFailure) -> String {
    match failure {
        StartFailure::AddressInUse { address } => {
            format!(
                "process '{process}' cannot start: address {address} is already in use; \
                 stop what listens there, or choose another address"
            )
        }
        StartFailure::UnsetVariable { .. } | StartFailure::Refused { .. } => {
            format!("guardian failed to start process '{process}': {}", start(failure))
        }
    }
}

fn start(failure: &StartFailure) -> String {
    match failure {
        StartFailure::AddressInUse { address } => format!("address {address} is already in use"),
        StartFailure::UnsetVariable { key, variable } => format!(
            "`{key}` names the variable {variable}, which is not set in devloop's environment \
             (set it, or write $${variable} if a shell's own variable is meant)"
        ),
        StartFailure::Refused { what, error } => format!("{what}: {error}"),
    }
}

fn capture(failure: &CaptureFailure) -> String {
    match failure {
        CaptureFailure::TooLong { bytes_max } => format!("it is longer than {}", human::bytes(*bytes_max as u64)),
        CaptureFailure::NotUtf8 => "it is not UTF-8".to_owned(),
        CaptureFailure::NotJsonObject { error } => format!("it is not a JSON object: {error}"),
    }
}

/// Where in its workflows a step stands: `workflow 'a', step 2 (run_workflow), workflow 'b', step 1 (run_hook)`.
pub fn place(path: &[StepPlace]) -> String {
    let places: Vec<String> = path
        .iter()
        .map(|place| {
            let number: Vec<String> = place.number.iter().map(ToString::to_string).collect();
            format!("workflow '{}', step {} ({})", place.workflow, number.join("."), place.action)
        })
        .collect();
    places.join(", ")
}

/// A span of time as people say it: `250 ms`, `1.5 s`, `15 s`, `2 min`.
pub fn span(span: Duration) -> String {
    let millis = span.as_millis();
    if millis < 1000 {
        return format!("{millis} ms");
    }
    if millis >= 60_000 {
        return human::duration(span);
    }
    let text = format!("{:.2}", span.as_secs_f64());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let said: Vec<String> = [0, 250, 1000, 1500, 15_000, 59_250, 60_250, 3_600_000]
            .map(Duration::from_millis)
            .into_iter()
            .map(span)
            .collect();
        assert_eq!(said, ["0 ms", "250 ms", "1 s", "1.5 s", "15 s", "59.25 s", "1 min", "1 h"]);
    }
}
