//! Stories: what happens when a file is saved, a process exits, somebody presses ctrl-c. One file a room, one test a
//! story, the trace beside it.

#![expect(clippy::unwrap_used, reason = "what a story builds by hand is right, or the story is wrong")]
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod artifacts;
mod batches;
#[path = "../stage/build.rs"]
mod build;
mod changes;
mod endings;
mod events;
mod feedback;
mod found;
mod hooks;
mod processes;
mod readiness;
mod reload;
mod startup;
mod state;
mod story;
#[path = "../stage/trace.rs"]
mod trace;
mod typed;
mod workflows;

use expect_test::Expect;

/// Compares a trace with the story's.
fn check(told: &str, expected: &Expect) {
    expected.assert_eq(told);
}
