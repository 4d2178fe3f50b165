//! Readiness and liveness.

use crate::build::{Planned, http, log, wait};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::fact::{Fact, ProbeRole, ProcessFact};
use devloop_core::names::{Incarnation, ProcessName};
use devloop_core::plan::output::{Extract, Pattern, RulePlan};
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::process::{ProcessPlan, RestartPolicy};
use expect_test::expect;
use std::time::Duration;

fn probe(kind: ProbeKind) -> ProbePlan {
    ProbePlan { kind, interval: Duration::from_millis(500), timeout: Duration::from_secs(15) }
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(regex::Regex::new(text).unwrap())
}

fn life(process: &str, fact: ProcessFact) -> Fact {
    Fact::Process(ProcessName::from(process), Incarnation(1), fact)
}

fn waiting(change: impl FnOnce(&mut ProcessPlan)) -> Planned {
    Planned::new().process("server", change).workflow("w", [wait("server"), log("ready")]).watch("w", "src/")
}

#[test]
fn a_wait_for_a_process_that_never_becomes_ready_fails_in_time_and_says_what_the_probe_said() {
    let plan = waiting(|server| server.readiness = Some(http(500, 1000)));
    let script = Script { ready_after: [("server", 60_000)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(100, "src/a");
    check(
        &story.until(3000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +1102ms DeadlineReached → 'w failed in w step 1 wait_for_process: ProcessNotReady { process: server, within: 1s, last: Some("connection refused") }'
    "#]],
    );
}

#[test]
fn probes_begin_at_once_and_come_more_seldom_with_the_time_waited() {
    let plan = waiting(|server| server.readiness = Some(http(500, 15_000)));
    let script = Script { ready_after: [("server", 12)].into(), shows_everything: true, ..Script::default() };
    check(
        &Story::begins(plan, script).until(100),
        &expect![[r#"
        +0ms SessionBegan → watch, save v1
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }', probe server t1 for Readiness
        +3.500ms probe t1 says Refused
        +4.500ms DeadlineReached → probe server t2 for Readiness
        +5ms probe t2 says Refused
        +6ms DeadlineReached → probe server t3 for Readiness
        +6.500ms probe t3 says Refused
        +7.500ms DeadlineReached → probe server t4 for Readiness
        +8ms probe t4 says Refused
        +9ms DeadlineReached → probe server t5 for Readiness
        +9.500ms probe t5 says Refused
        +10.500ms DeadlineReached → probe server t6 for Readiness
        +11ms probe t6 says Refused
        +12ms DeadlineReached → probe server t7 for Readiness
        +12.500ms probe t7 says Refused
        +13.500ms DeadlineReached → probe server t8 for Readiness
        +14ms probe t8 says Well → 'ProcessReady { process: server }'
    "#]],
    );
}

#[test]
fn a_captured_key_wakes_the_wait_at_once() {
    let plan = waiting(|server| {
        let rule = RulePlan {
            state_key: "port".into(),
            extract: Extract::Regex { pattern: pattern("^port ([0-9]+)$"), capture_group: 1 },
        };
        server.output.rules.push(rule);
        server.readiness = Some(probe(ProbeKind::StateKey { key: "port".into() }));
    });
    let captured = ProcessFact::Captured { key: "port".into(), value: "8080".to_owned() };
    let mut story = Story::begins(plan, Script::default())
        .saves(100, "src/a")
        .at(200, life("server", captured))
        .exits(300, "server", 1, 1);
    check(
        &story.until(250),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +2ms saved v2 → start server#1
        +4ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +200ms server#1 captured port="8080" → 'ProcessReady { process: server }', "w: ready", 'w finished'
    "#]],
    );
    assert_eq!(story.view().values.get("port").map(ToString::to_string).as_deref(), Some("\"8080\""));
    check(
        &story.until(500),
        &expect![[r#"
        +300ms server#1 exited with exit status 1 → 'ProcessExited { process: server, status: Code(1), again_in: None }'
    "#]],
    );
    assert_eq!(story.view().values.get("port").map(ToString::to_string).as_deref(), Some("\"\""));
}

#[test]
fn a_matching_line_wakes_the_wait_at_once() {
    let plan = waiting(|server| server.readiness = Some(probe(ProbeKind::Output { pattern: pattern("listening") })));
    let mut story = Story::begins(plan, Script::default())
        .saves(100, "src/a")
        .at(200, life("server", ProcessFact::LineMatched(ProbeRole::Readiness)));
    check(
        &story.until(500),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms PathsTouched [Settled src/a]
        +102ms DeadlineReached → 'w began with 1 files'
        +200ms server#1 printed its Readiness line → 'ProcessReady { process: server }', "w: ready", 'w finished'
    "#]],
    );
}

#[test]
fn a_process_that_is_no_longer_well_is_restarted() {
    let plan = Planned::new()
        .process("server", |server| {
            server.liveness = Some(http(500, 15_000));
            server.restart = RestartPolicy::OnFailure;
        })
        .workflow("w", [log("w")])
        .watch("w", "src/");
    let script = Script { unwell_from: [("server", 1200)].into(), ..Script::default() };
    check(
        &Story::begins(plan, script).until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +1505ms probe t4 says Unwell("status 500") → 'ProcessUnwell { process: server, reason: "status 500", is_restarted: true }', stop server#1
        +1510ms server#1 exited with signal 15 (SIGTERM)
        +1511ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +1513ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
    "#]],
    );
}

#[test]
fn a_process_that_is_never_restarted_is_only_told_to_be_unwell() {
    let plan = Planned::new()
        .process("server", |server| server.liveness = Some(http(500, 15_000)))
        .workflow("w", [log("w")])
        .watch("w", "src/");
    let script = Script { unwell_from: [("server", 1200)].into(), ..Script::default() };
    check(
        &Story::begins(plan, script).until(5000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +1505ms probe t4 says Unwell("status 500") → 'ProcessUnwell { process: server, reason: "status 500", is_restarted: false }'
    "#]],
    );
}
