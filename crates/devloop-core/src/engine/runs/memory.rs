//! What a run knows of its own: its files, its latest workflow, and which triggers it has followed.

use crate::engine::turn::Turn;
use crate::names::{StateKey, WorkflowName};
use crate::notice::{Notice, StepFailure};
use crate::template::Template;
use crate::value::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

const LAST_WORKFLOW: &str = "last_workflow";
const LAST_CHANGED_FILES: &str = "last_changed_files";

/// What a run knows.
pub(crate) struct Memory {
    files: Arc<[Arc<str>]>,
    last_workflow: Value,
    last_changed_files: Value,
    followed: BTreeSet<WorkflowName>,
}

impl Memory {
    /// A run that was told of these files.
    pub(crate) fn new(files: Arc<[Arc<str>]>) -> Self {
        let listed = files.iter().map(|file| Value::from(&**file)).collect();
        Self { files, last_workflow: Value::Null, last_changed_files: Value::Array(listed), followed: BTreeSet::new() }
    }

    /// Its files: sorted, unique.
    pub(crate) fn files(&self) -> Arc<[Arc<str>]> {
        Arc::clone(&self.files)
    }

    /// Whether a trigger target has not run in this run; from now on it has.
    pub(crate) fn follow(&mut self, target: &WorkflowName) -> bool {
        self.followed.insert(target.clone())
    }

    /// A workflow of this run begins; one that is not inline is written down.
    pub(crate) fn begin(&mut self, turn: &mut Turn, workflow: &WorkflowName, is_inline: bool) {
        turn.report(Notice::WorkflowBegan { workflow: workflow.clone(), changed_files: self.files.len() });
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
            _ => turn.session.value(key),
        };
        let rendered =
            template.render(lookup).map_err(|_| StepFailure::TooLong { template: template.source().to_owned() })?;
        for key in rendered.missing {
            turn.warn_of_missing_key(workflow, key);
        }
        Ok(rendered.text)
    }
}
