//! The engine.
use crate::effect::{Effect, Values};
use crate::fact::Fact;
use crate::moment::Moment;
use crate::plan::Plan;
use crate::view::{Phase, View};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What thinks for one session.
pub struct Engine {
    _plan: Arc<Plan>,
    values: Arc<Values>,
}

impl Engine {
    /// An engine for a session that begins with `saved` values; `seed` feeds the jitter of restarts.
    pub fn new(plan: Arc<Plan>, saved: Values, _seed: u64) -> Self {
        Self { _plan: plan, values: Arc::new(saved) }
    }

    /// Takes a fact and answers with what the world shall do.
    pub fn step(&mut self, _now: Moment, _fact: Fact) -> Vec<Effect> {
        Vec::new()
    }

    /// When `Fact::DeadlineReached` is due; always later than the last `now`.
    pub fn next_deadline(&self) -> Option<Moment> {
        None
    }

    /// A picture of the session.
    pub fn view(&self) -> View {
        View {
            phase: Phase::Arming,
            processes: BTreeMap::new(),
            runs: Vec::new(),
            waiting: Vec::new(),
            values: Arc::clone(&self.values),
        }
    }
}
