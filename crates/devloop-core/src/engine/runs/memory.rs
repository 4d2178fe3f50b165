//! What a run knows of its own: its files, its latest workflow, and which triggers it has followed.

use super::lineage::Chain;
use crate::engine::turn::Turn;
use crate::names::{StateKey, WorkflowName};
use crate::notice::{Notice, StepFailure};
use crate::template::Template;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const LAST_WORKFLOW: &str = "last_workflow";
const LAST_CHANGED_FILES: &str = "last_changed_files";

/// What a run knows.
pub(crate) struct Memory {
    files: Arc<[Arc<str>]>,
    last_workflow: Value,
    last_changed_files: Value,
    followed: BTreeSet<WorkflowName>,
    /// Values of events as they were when the run began, and what its own steps wrote there since.
    events: BTreeMap<StateKey, Option<Value>>,
    chain: Chain,
}

impl Memory {
    /// A run of this chain that was told of these files and these values of events.
    pub(crate) fn new(files: Arc<[Arc<str>]>, chain: Chain, events: BTreeMap<StateKey, Option<Value>>) -> Self {
        let listed = files.iter().map(|file| Value::from(&**file)).collect();
        let (last_workflow, last_changed_files) = (Value::Null, Value::Array(listed));
        Self { files, last_workflow, last_changed_files, followed: BTreeSet::new(), events, chain }
    }

    /// Its files: sorted, unique.
    pub(crate) fn files(&self) -> Arc<[Arc<str>]> {
        Arc::clone(&self.files)
    }

    /// Its workflow, and those whose runs led to it.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// A step of this run wrote a key.
    pub(crate) fn wrote(&mut self, turn: &Turn, key: &StateKey) {
        if let Some(value) = self.events.get_mut(key) {
            *value = turn.session.value(key.as_str()).cloned();
        }
    }

    /// Whether a trigger target has not run in this run; from now on it has.
    pub(crate) fn follow(&mut self, target: &WorkflowName) -> bool {
        self.followed.insert(target.clone())
    }

    /// A workflow of this run begins; one that is not inline is written down.
    pub(crate) fn begin(&mut self, turn: &mut Turn, workflow: &WorkflowName, is_inline: bool) {
        turn.report(Notice::WorkflowBegan { workflow: workflow.clone(), changed_files: Arc::clone(&self.files) });
        if !is_inline {
            self.last_workflow = Value::from(workflow.as_str());
            turn.write(&StateKey::from(LAST_WORKFLOW), &self.last_workflow);
            turn.write(&StateKey::from(LAST_CHANGED_FILES), &self.last_changed_files);
        }
    }

    /// Renders a template of `workflow`; what this run was told stands for what another may have written since.
    pub(crate) fn render(
        &self,
        turn: &mut Turn,
        workflow: &WorkflowName,
        template: &Template,
    ) -> Result<String, StepFailure> {
        let lookup = |key: &str| match key {
            LAST_WORKFLOW => Some(&self.last_workflow),
            LAST_CHANGED_FILES => Some(&self.last_changed_files),
            _ => match self.events.get(key) {
                Some(value) => value.as_ref(),
                None => turn.session.value(key),
            },
        };
        let rendered =
            template.render(lookup).map_err(|_| StepFailure::TooLong { template: template.source().to_owned() })?;
        for key in rendered.missing {
            turn.warn_of_missing_key(workflow, key);
        }
        Ok(rendered.text)
    }
}
