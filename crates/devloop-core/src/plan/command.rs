//! An argument vector, its folder, and what it adds to the environment. Never a shell.

use super::words::Words;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is executed, as the user wrote it; variables are resolved when it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPlan {
    /// Program and arguments; never empty.
    pub argv: Vec<Words>,
    /// Added to the environment; holds no `DEVLOOP_*`.
    pub env: BTreeMap<String, Words>,
    /// Absolute working folder.
    pub cwd: PathBuf,
}

impl CommandPlan {
    /// The last part of the program's path, for labels: `cargo` of `/usr/bin/cargo`.
    pub fn program_name(&self) -> &str {
        let program = self.argv.first().map_or("", Words::source);
        program.rsplit('/').find(|part| !part.is_empty()).unwrap_or(program)
    }
}
