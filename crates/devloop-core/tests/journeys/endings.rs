//! The end: ctrl-c once and twice, levels, what does not go, a lost guardian.

use crate::build::{Planned, hook, http, log, needs};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::fact::Fact;
use expect_test::expect;
use std::time::Duration;

fn levels() -> Planned {
    Planned::new()
        .process("db", |db| db.stop_timeout = Duration::from_secs(1))
        .process("cache", |_| {})
        .process("server", |server| server.depends_on = needs(&["db", "cache"]))
        .hook("build", |_| {})
        .workflow("w", [hook("build"), log("never said")])
        .watch("w", "src/")
}

#[test]
fn ctrl_c_stops_level_by_level_and_saves() {
    let mut story = Story::begins(levels(), Script::default()).interrupted(1000);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +3ms cache#1 started → 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
            +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +1000ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop server#1
            +1005ms server#1 exited with signal 15 (SIGTERM)
            +1006ms server#1 gone → 'ProcessStopped { process: server }', stop cache#1, stop db#1
            +1011ms cache#1 exited with signal 15 (SIGTERM)
            +1011ms db#1 exited with signal 15 (SIGTERM)
            +1012ms cache#1 gone → 'ProcessStopped { process: cache }'
            +1012ms db#1 gone → 'ProcessStopped { process: db }', end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_during_a_hook_cancels_it_and_starts_nothing_more() {
    let script = Script { hook_takes: [("build", 60_000)].into(), ..Script::default() };
    let mut story = Story::begins(levels(), script).saves(900, "src/a").saves(999, "src/b").interrupted(1000);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +3ms cache#1 started → 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
            +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +900ms PathsTouched [Settled src/a]
            +902ms DeadlineReached → 'w began with 1 files'
            +903ms saved v3 → hook build t1 for w ["src/a"]
            +999ms PathsTouched [Settled src/b]
            +1000ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop hook t1, stop server#1
            +1002ms hook t1 ended with signal 15 (SIGTERM), Nothing
            +1005ms server#1 exited with signal 15 (SIGTERM)
            +1006ms server#1 gone → 'ProcessStopped { process: server }', stop cache#1, stop db#1
            +1011ms cache#1 exited with signal 15 (SIGTERM)
            +1011ms db#1 exited with signal 15 (SIGTERM)
            +1012ms cache#1 gone → 'ProcessStopped { process: cache }'
            +1012ms db#1 gone → 'ProcessStopped { process: db }', end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn the_grace_period_counts_for_each_level() {
    let script = Script { deaf: ["server", "db"].into(), ..Script::default() };
    let mut story = Story::begins(levels(), script).interrupted(1000);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +3ms cache#1 started → 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
            +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +1000ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop server#1
            +2000ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: true }'
            +6000ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +6001ms server#1 exited with signal 9 (SIGKILL)
            +6002ms server#1 gone → 'ProcessStopped { process: server }', stop cache#1, stop db#1
            +6007ms cache#1 exited with signal 15 (SIGTERM)
            +6008ms cache#1 gone → 'ProcessStopped { process: cache }'
            +7002ms DeadlineReached → 'ProcessKilled { process: db, after: 1s }', kill db#1
            +7003ms db#1 exited with signal 9 (SIGKILL)
            +7004ms db#1 gone → 'ProcessStopped { process: db }', end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn a_second_ctrl_c_kills_what_is_still_stopping() {
    let script = Script {
        deaf: ["server", "db"].into(),
        hook_takes: [("build", u64::MAX)].into(),
        deaf_hooks: ["build"].into(),
        ..Script::default()
    };
    let mut story = Story::begins(levels(), script).saves(900, "src/a").interrupted(1000).interrupted(1200);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +3ms cache#1 started → 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
            +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +900ms PathsTouched [Settled src/a]
            +902ms DeadlineReached → 'w began with 1 files'
            +903ms saved v3 → hook build t1 for w ["src/a"]
            +1000ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop hook t1, stop server#1
            +1200ms interrupt Int → 'KillRequested', kill hook t1, kill cache#1, kill db#1, kill server#1
            +1201ms cache#1 exited with signal 9 (SIGKILL)
            +1201ms db#1 exited with signal 9 (SIGKILL)
            +1201ms server#1 exited with signal 9 (SIGKILL)
            +1202ms hook t1 ended with signal 9 (SIGKILL), Nothing
            +1202ms cache#1 gone → 'ProcessStopped { process: cache }'
            +1202ms db#1 gone → 'ProcessStopped { process: db }'
            +1202ms server#1 gone → 'ProcessStopped { process: server }', end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_while_the_first_process_starts_ends_that_too() {
    let mut story = Story::begins(levels(), Script::default()).interrupted(2);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +2ms interrupt Int → 'InterruptReceived { interrupt: Int }'
            +3ms cache#1 started → stop cache#1, 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → stop db#1, 'ProcessStarted { process: db, pid: 7 }'
            +8ms cache#1 exited with signal 15 (SIGTERM)
            +8ms db#1 exited with signal 15 (SIGTERM)
            +9ms cache#1 gone → 'ProcessStopped { process: cache }'
            +9ms db#1 gone → 'ProcessStopped { process: db }', end as asked
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_before_watches_are_live_ends_at_once() {
    let mut story = Story::begins(levels(), Script::default()).interrupted(0);
    check(
        &story.until(60_000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +0ms interrupt Int → 'InterruptReceived { interrupt: Int }'
        +1ms WatchingBegan
        +2ms saved v1 → end as asked
    "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn ctrl_c_stops_probes() {
    let plan = Planned::new()
        .process("server", |server| server.readiness = Some(http(500, 15_000)))
        .workflow("w", [log("w")])
        .watch("w", "src/");
    let script = Script { ready_after: [("server", 60_000)].into(), shows_everything: true, ..Script::default() };
    let mut story = Story::begins(plan, script);
    story.until(1000);
    let mut story = story.interrupted(1001);
    check(
        &story.until(2000),
        &expect![[r#"
            +1001ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop server#1
            +1006ms server#1 exited with signal 15 (SIGTERM)
            +1007ms server#1 gone → 'ProcessStopped { process: server }', end as asked
        "#]],
    );
}

#[test]
fn without_its_guardian_a_session_stops_everything_and_fails() {
    let mut story = Story::begins(levels(), Script::default()).at(1000, Fact::GuardianLost);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +3ms cache#1 started → 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
            +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +1000ms GuardianLost → 'GuardianLost', stop server#1
            +1005ms server#1 exited with signal 15 (SIGTERM)
            +1006ms server#1 gone → 'ProcessStopped { process: server }', stop cache#1, stop db#1
            +1011ms cache#1 exited with signal 15 (SIGTERM)
            +1011ms db#1 exited with signal 15 (SIGTERM)
            +1012ms cache#1 gone → 'ProcessStopped { process: cache }'
            +1012ms db#1 gone → 'ProcessStopped { process: db }', end as failed
        "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn p11_what_survives_sigkill_is_named_and_left_after_ten_seconds() {
    let script = Script { deaf: ["server"].into(), undying: ["server"].into(), ..Script::default() };
    let mut story = Story::begins(levels(), script).interrupted(1000);
    check(
        &story.until(60_000),
        &expect![[r#"
            +0ms SessionBegan → watch
            +1ms WatchingBegan
            +1ms saved v1 → start cache#1, start db#1
            +3ms cache#1 started → 'ProcessStarted { process: cache, pid: 7 }'
            +3ms db#1 started → 'ProcessStarted { process: db, pid: 7 }', start server#1
            +5ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
            +1000ms interrupt Int → 'InterruptReceived { interrupt: Int }', stop server#1
            +2000ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: KilledIn(4s) }], can_be_hurried: true }'
            +6000ms DeadlineReached → 'ProcessKilled { process: server, after: 5s }', kill server#1
            +6500ms server#1 stuck at 7 → 'ProcessStuck { process: server, pid: 7 }'
            +7000ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: Killed }], can_be_hurried: true }'
            +12000ms DeadlineReached → 'WaitingForStop { awaited: [Awaited { who: Process(server), fate: Killed }], can_be_hurried: true }'
            +16000ms DeadlineReached → stop cache#1, stop db#1
            +16005ms cache#1 exited with signal 15 (SIGTERM)
            +16005ms db#1 exited with signal 15 (SIGTERM)
            +16006ms cache#1 gone → 'ProcessStopped { process: cache }'
            +16006ms db#1 gone → 'ProcessStopped { process: db }', end and abandon [server]
        "#]],
    );
    assert!(story.has_ended());
}
