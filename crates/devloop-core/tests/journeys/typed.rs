//! What somebody types at the terminal: a process is restarted, a workflow runs.

use crate::build::{Planned, hook, log, restart, wait};
use crate::check;
use crate::story::{Script, Story};
use devloop_core::fact::{Fact, Interrupt, Typed};
use expect_test::expect;

fn again(process: &str) -> Fact {
    Fact::Typed(Typed::Restart(process.into()))
}

fn run(workflow: &str) -> Fact {
    Fact::Typed(Typed::Run(workflow.into()))
}

fn plan() -> Planned {
    Planned::new()
        .process("server", |_| {})
        .process("idle", |idle| idle.autostart = false)
        .hook("build", |_| {})
        .workflow("w", [hook("build"), log("built")])
        .watch("w", "src/")
}

#[test]
fn a_typed_restart_starts_a_new_life_also_of_what_does_not_run() {
    let mut story =
        Story::begins(plan(), Script::default()).at(100, again("server")).at(200, again("idle")).at(300, again("gone"));
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms typed: restart server → stop server#1
        +105ms server#1 exited with signal 15 (SIGTERM)
        +106ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +108ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        +200ms typed: restart idle → start idle#1
        +202ms idle#1 started → 'ProcessStarted { process: idle, pid: 7 }'
        +300ms typed: restart gone → 'TypedInVain(Restart(gone))'
    "#]],
    );
}

#[test]
fn a_typed_workflow_runs_once_and_once_more_when_it_is_typed_while_it_runs() {
    let mut story = Story::begins(plan(), Script::default())
        .at(100, run("w"))
        .at(105, run("w"))
        .at(106, run("w"))
        .at(300, run("nothing"));
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +100ms typed: run w → 'w began'
        +101ms saved v3 → hook build t1 for w
        +105ms typed: run w
        +106ms typed: run w
        +111ms hook t1 ended with exit status 0, Nothing → "w: built", 'w finished', 'w began', hook build t2 for w
        +121ms hook t2 ended with exit status 0, Nothing → "w: built", 'w finished'
        +300ms typed: run nothing → 'TypedInVain(Run(nothing))'
    "#]],
    );
}

#[test]
fn what_is_typed_before_anything_is_watched_waits_for_that_and_at_the_end_it_is_nobodys() {
    let mut story = Story::begins(plan(), Script::default())
        .at(0, run("w"))
        .at(0, again("idle"))
        .at(100, Fact::InterruptRequested(Interrupt::Typed))
        .at(101, again("server"))
        .at(101, run("w"));
    check(
        &story.until(1000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +0ms typed: run w
        +0ms typed: restart idle
        +1ms WatchingBegan → 'w began'
        +1ms saved v1 → start idle#1, start server#1
        +2ms saved v3 → hook build t1 for w
        +3ms idle#1 started → 'ProcessStarted { process: idle, pid: 7 }'
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +12ms hook t1 ended with exit status 0, Nothing → "w: built", 'w finished'
        +100ms interrupt Typed → 'InterruptReceived { interrupt: Typed }', stop idle#1, stop server#1
        +101ms typed: restart server
        +101ms typed: run w
        +105ms idle#1 exited with signal 15 (SIGTERM)
        +105ms server#1 exited with signal 15 (SIGTERM)
        +106ms idle#1 gone → 'ProcessStopped { process: idle }'
        +106ms server#1 gone → 'ProcessStopped { process: server }', end as asked
    "#]],
    );
    assert!(story.has_ended());
}

#[test]
fn a_run_that_waits_for_a_process_waits_on_when_that_is_restarted_by_hand() {
    let plan = Planned::new()
        .process("server", |server| server.readiness = Some(crate::build::http(500, 15_000)))
        .workflow("w", [restart("server"), wait("server"), log("ready")])
        .watch("w", "src/");
    let script = Script { ready_after: [("server", 50)].into(), ..Script::default() };
    let mut story = Story::begins(plan, script).saves(500, "src/a").at(520, again("server"));
    check(
        &story.until(2000),
        &expect![[r#"
        +0ms SessionBegan → watch
        +1ms WatchingBegan
        +1ms saved v1 → start server#1
        +3ms server#1 started → 'ProcessStarted { process: server, pid: 7 }'
        +51.500ms probe t33 says Well → 'ProcessReady { process: server }'
        +500ms PathsTouched [Settled src/a]
        +502ms DeadlineReached → 'w began with 1 files', stop server#1
        +507ms server#1 exited with signal 15 (SIGTERM)
        +508ms server#1 gone → 'ProcessStopped { process: server }', start server#2
        +510ms server#2 started → 'ProcessStarted { process: server, pid: 7 }'
        +520ms typed: restart server → stop server#2
        +525ms server#2 exited with signal 15 (SIGTERM)
        +526ms server#2 gone → 'ProcessStopped { process: server }', start server#3
        +528ms server#3 started → 'ProcessStarted { process: server, pid: 7 }'
        +576.500ms probe t73 says Well → 'ProcessReady { process: server }', "w: ready", 'w finished'
    "#]],
    );
}
