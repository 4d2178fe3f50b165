//! How badly the world behaves; each seed draws its own mix, so that some sessions meet one fault again and again.

use crate::dice::Dice;
use std::time::Duration;

/// Chances in a hundred, and how slow things are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// A process cannot be started.
    pub(crate) start_fails: u32,
    /// The address of a process is taken (one with an http readiness).
    pub(crate) address_taken: u32,
    /// A life never becomes ready.
    pub(crate) never_ready: u32,
    /// A life ends by itself after a while.
    pub(crate) crashes: u32,
    /// A life ends by itself with exit code 0, of those that crash.
    pub(crate) exits_well: u32,
    /// A life does not listen to its stop signal.
    pub(crate) ignores_stop: u32,
    /// A life leaves descendants in a session of their own.
    pub(crate) leftovers: u32,
    /// What is left of a life survives SIGKILL for long, or for ever.
    pub(crate) stuck: u32,
    /// A probe says something else than the truth: unwell.
    pub(crate) unwell: u32,
    /// An answer to a cancelled probe was on its way.
    pub(crate) late_answers: u32,
    /// A hook fails.
    pub(crate) hook_fails: u32,
    /// A hook never ends by itself.
    pub(crate) hook_hangs: u32,
    /// A hook does not listen to SIGTERM.
    pub(crate) hook_deaf: u32,
    /// A hook prints what cannot be used, or reserved keys.
    pub(crate) junk: u32,
    /// The state file cannot be written.
    pub(crate) save_fails: u32,
    /// File work for an artifact fails.
    pub(crate) file_work_fails: u32,
    /// A life answers with another generation than it was told of.
    pub(crate) wrong_generation: u32,
    /// Something is slow: up to `slowest`.
    pub(crate) slow: u32,
    /// The slowest answer.
    pub(crate) slowest: Duration,
    /// The latest that a deadline is told.
    pub(crate) late_deadline: Duration,
}

impl Faults {
    /// Draws a mix: most faults are absent, rare, or frequent.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut chance = |often: u32| match dice.below(5) {
            0..=2 => 0,
            3 => often / 4,
            _ => often,
        };
        Self {
            start_fails: chance(40),
            address_taken: chance(4),
            never_ready: chance(40),
            crashes: chance(70),
            exits_well: chance(80),
            ignores_stop: chance(60),
            leftovers: chance(60),
            stuck: chance(40),
            unwell: chance(30),
            late_answers: chance(50),
            hook_fails: chance(50),
            hook_hangs: chance(30),
            hook_deaf: chance(60),
            junk: chance(40),
            save_fails: chance(50),
            file_work_fails: chance(40),
            wrong_generation: chance(50),
            slow: chance(40),
            slowest: dice.millis(1, 3000),
            late_deadline: Duration::from_micros(*dice.pick(&[0, 0, 80, 30_000])),
        }
    }

    /// A world in which everything works and is quick.
    pub(crate) fn none() -> Self {
        Self::default()
    }
}
