//! What every room is handed while a step lasts: the moment, the session state, and the place where effects go.

use super::session::Session;
use crate::effect::Effect;
use crate::moment::Moment;
use crate::names::{StateKey, TaskId, WorkflowName};
use crate::notice::Notice;
use crate::value::Value;
use std::collections::BTreeSet;

/// One step of the engine, seen from inside.
pub(crate) struct Turn {
    /// The moment of this step.
    pub(crate) now: Moment,
    /// The session state.
    pub(crate) session: Session,
    effects: Vec<Effect>,
    stirs: u64,
    last_task: TaskId,
    /// Missing template keys that the user was told of.
    warned: BTreeSet<(WorkflowName, StateKey)>,
}

impl Turn {
    /// Before the first step.
    pub(crate) fn new(session: Session) -> Self {
        Self {
            now: Moment::ZERO,
            session,
            effects: Vec::new(),
            stirs: 0,
            last_task: TaskId::default(),
            warned: BTreeSet::new(),
        }
    }

    /// Asks the world for something.
    pub(crate) fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Tells the user something.
    pub(crate) fn report(&mut self, notice: Notice) {
        self.effects.push(Effect::Report(notice));
    }

    /// Notes that something changed which another room may look at: rooms advance until nothing stirs.
    pub(crate) fn stir(&mut self) {
        self.stirs += 1;
    }

    /// How often something stirred since the session began.
    pub(crate) fn stirs(&self) -> u64 {
        self.stirs
    }

    /// A number for a question to the world.
    pub(crate) fn new_task(&mut self) -> TaskId {
        self.last_task = self.last_task.next();
        self.last_task
    }

    /// Writes a state key; says whether that changed it.
    pub(crate) fn write(&mut self, key: &StateKey, value: &Value) -> bool {
        let is_changed = self.session.write(key, value);
        if is_changed {
            self.stir();
        }
        is_changed
    }

    /// Tells once that a template of a workflow names a key which the state does not hold.
    pub(crate) fn warn_of_missing_key(&mut self, workflow: &WorkflowName, key: StateKey) {
        if self.warned.insert((workflow.clone(), key.clone())) {
            self.report(Notice::TemplateKeyMissing { workflow: workflow.clone(), key });
        }
    }

    /// Whether a state key counts as there for a probe.
    pub(crate) fn is_present(&self, key: &StateKey) -> bool {
        self.session.value(key.as_str()).is_some_and(Value::is_present)
    }

    /// What this step asks of the world, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Begins or ends saves as needed; stirs when something that waited for the file need not wait any more.
    pub(crate) fn settle_session(&mut self) {
        let settled = self.session.settled();
        if let Some(effect) = self.session.next_save(self.now) {
            self.effects.push(effect);
        }
        if self.session.settled() != settled {
            self.stir();
        }
    }
}
