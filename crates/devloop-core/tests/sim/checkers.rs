//! Observers of a session, each with an oracle of its own. They see facts, effects and views, and nothing of the
//! engine's own reckoning: what conflicts, what is wanted, what is ready is worked out here from the plan and the trace.

pub(crate) mod artifacts;
pub(crate) mod changes;
pub(crate) mod drain;
pub(crate) mod events;
pub(crate) mod footprints;
mod holds;
pub(crate) mod hooks;
pub(crate) mod liveness;
pub(crate) mod processes;
pub(crate) mod runs;
pub(crate) mod state;

use crate::store::Store;
use devloop_core::effect::{Effect, Values};
use devloop_core::fact::Fact;
use devloop_core::moment::Moment;
use devloop_core::plan::Plan;
use devloop_core::view::View;
use std::sync::Arc;
use std::time::Duration;

/// One step of the engine, as everybody can see it.
pub(crate) struct Step<'s> {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) now: Moment,
    pub(crate) fact: &'s Fact,
    pub(crate) effects: &'s [Effect],
    pub(crate) before: &'s View,
    pub(crate) after: &'s View,
    /// What the state file holds.
    pub(crate) file: Option<&'s Arc<Values>>,
}

/// All checkers.
pub(crate) struct Checkers {
    runs: runs::Runs,
    processes: processes::Processes,
    changes: changes::Changes,
    hooks: hooks::Hooks,
    liveness: liveness::Liveness,
    state: state::State,
    drain: drain::Drain,
    events: events::Events,
    /// What was applied last, or what the session began with.
    plan: Arc<Plan>,
    artifacts: artifacts::Artifacts,
}

impl Checkers {
    /// `late` is the latest that a deadline is told, `saved` what the file held when the session began.
    pub(crate) fn new(plan: &Arc<Plan>, late: Duration, saved: &Values) -> Self {
        Self {
            runs: runs::Runs::new(plan, late),
            processes: processes::Processes::new(plan),
            changes: changes::Changes::new(plan, late),
            hooks: hooks::Hooks::new(plan, late),
            liveness: liveness::Liveness::new(plan),
            state: state::State::new(plan),
            drain: drain::Drain::new(plan, late),
            events: events::Events::new(plan),
            plan: Arc::clone(plan),
            artifacts: artifacts::Artifacts::new(plan, saved),
        }
    }

    /// After each step.
    pub(crate) fn step(&mut self, step: &Step<'_>, served: &artifacts::Served<'_>) -> Result<(), String> {
        for effect in step.effects {
            if let Effect::ApplyPlan(plan) = effect {
                if *plan == self.plan {
                    return Err("a plan is applied that is no other".to_owned());
                }
                self.plan = Arc::clone(plan);
            }
        }
        self.runs.step(step)?;
        self.processes.step(step)?;
        self.changes.step(step)?;
        self.hooks.step(step)?;
        self.liveness.step(step)?;
        self.state.step(step)?;
        self.events.step(step)?;
        self.artifacts.step(step, served)?;
        self.drain.step(step)
    }

    /// Whether no change waits to be released.
    pub(crate) fn is_quiet(&self) -> bool {
        self.changes.is_quiet()
    }

    /// A config that is right and was saved is applied.
    pub(crate) fn follows_config(&self, config: Option<&Arc<Plan>>) -> Result<(), String> {
        match config {
            Some(config) if *config != self.plan => Err("at rest the config says something else".to_owned()),
            _ => Ok(()),
        }
    }

    /// When the world is calm and the engine has come to rest.
    pub(crate) fn rest(&self, view: &View, file: Option<&Arc<Values>>, store: &Store) -> Result<(), String> {
        self.artifacts.rest(view, store)?;
        self.changes.rest()?;
        self.processes.rest(view)?;
        self.events.rest(view, file)?;
        state::State::rest(view, file)
    }
}
