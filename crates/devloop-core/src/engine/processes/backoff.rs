//! When a process that fell is started again: later after each fall, never not at all.

use crate::plan::process::ProcessPlan;
use std::time::Duration;

/// A small generator (splitmix64), so that what fell together does not come back together.
pub(crate) struct Jitter(u64);

impl Jitter {
    /// Starts from a seed; the same seed gives the same session.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to 2000.
    fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((mixed ^ (mixed >> 31)) % 2001).unwrap_or(1000)
    }
}

/// The wait after the n-th fall in a row, counted from 1: doubles, give or take a tenth, and is never over the maximum.
pub(crate) fn delay(plan: &ProcessPlan, failures: u32, jitter: &mut Jitter) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let exact = plan.restart_delay.saturating_mul(1 << doublings).min(plan.restart_delay_max);
    (exact.saturating_mul(9_000 + jitter.draw()) / 10_000).min(plan.restart_delay_max)
}
