//! What a child sees: its arguments and its environment, made from the plan and from devloop's own environment, which
//! is read once at start.
//!
//! Absent on purpose: a shell, a second look at a replaced value, and inherited `DEVLOOP_*` variables.

mod changed_files;
#[cfg(test)]
mod tests;

pub use changed_files::{CHANGED_FILES_BYTES_MAX, ChangedFilesFile};

use crate::env_vars;
use changed_files::Fitted;
use devloop_core::effect::Errand;
use devloop_core::fact::StartFailure;
use devloop_core::names::{ArtifactName, Generation};
use devloop_core::plan::artifact;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::words::Words;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The `DEVLOOP_WORKFLOW` of a process.
const STARTUP: &str = "startup";

/// Devloop's own environment, and what every child is told about the project.
#[derive(Debug)]
pub struct Environment {
    /// Without what begins with `DEVLOOP_`.
    ambient: BTreeMap<OsString, OsString>,
    root: PathBuf,
    state_file: PathBuf,
    /// The generations that children are told of.
    served: Mutex<BTreeMap<ArtifactName, Generation>>,
}

/// A text with values in place of its variables.
type Word = Result<String, StartFailure>;

/// A command that is ready to be executed.
#[derive(Debug)]
pub struct Resolved {
    /// All arguments; the first is the program as the user wrote it.
    pub argv: Vec<OsString>,
    /// The whole environment, sorted, each name once.
    pub env: Vec<(OsString, OsString)>,
    /// The working folder.
    pub cwd: PathBuf,
    /// Keep it until the child has ended: dropping it removes the file.
    pub changed_files: Option<ChangedFilesFile>,
}

impl Environment {
    /// Takes the environment of this process.
    pub fn capture(root: &Path, state_file: &Path) -> Self {
        Self::new(std::env::vars_os(), root, state_file)
    }

    /// Takes an environment as pairs; of a name that comes twice the first counts, as for `getenv(3)`.
    pub fn new(pairs: impl IntoIterator<Item = (OsString, OsString)>, root: &Path, state_file: &Path) -> Self {
        let mut ambient = BTreeMap::new();
        for (name, value) in pairs {
            if !name.as_bytes().starts_with(env_vars::PREFIX.as_bytes()) {
                ambient.entry(name).or_insert(value);
            }
        }
        Self { ambient, root: root.to_owned(), state_file: state_file.to_owned(), served: Mutex::default() }
    }

    /// What a process is told about why it runs.
    pub fn startup_errand() -> Errand {
        Errand { workflow: STARTUP.into(), changed_files: Arc::default(), candidate: None }
    }

    /// Tells children that start from now on which generation of an artifact is served.
    pub fn serve(&self, artifact: ArtifactName, generation: Option<Generation>) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        match generation {
            Some(generation) => served.insert(artifact, generation),
            None => served.remove(&artifact),
        };
    }

    /// The variables of all artifacts; a build has its own generation for the one that is served.
    fn artifacts(&self, errand: &Errand) -> Vec<(String, OsString)> {
        let mut vars = Vec::new();
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        for (artifact, &generation) in &*served {
            let folder = artifact::generation_folder(&self.state_file, artifact, generation);
            vars.push((artifact::folder_variable(artifact), folder.into()));
            vars.push((artifact::generation_variable(artifact), generation.to_string().into()));
        }
        if let Some((artifact, generation)) = &errand.candidate {
            let folder = artifact::candidate_folder(&self.state_file, artifact, *generation);
            let name = generation.to_string();
            vars.push((env_vars::ARTIFACT.to_owned(), artifact.as_str().into()));
            vars.push((env_vars::ARTIFACT_GENERATION.to_owned(), name.clone().into()));
            vars.push((env_vars::ARTIFACT_CANDIDATE.to_owned(), folder.clone().into()));
            vars.push((artifact::folder_variable(artifact), folder.into()));
            vars.push((artifact::generation_variable(artifact), name.into()));
        }
        vars
    }

    /// Removes the lists of changed files that crashed sessions left. For whoever has the lock of the state file, before
    /// the first child is started.
    pub fn remove_stale_files(&self) {
        changed_files::remove_stale(&self.state_file);
    }

    /// What a start of this command would fail with, for a warning before: one failure for each text of it.
    pub fn unresolvable(&self, command: &CommandPlan, key_prefix: &str) -> Vec<StartFailure> {
        let (argv, env) = self.words_of(command, key_prefix);
        argv.into_iter().filter_map(Result::err).chain(env.into_iter().filter_map(|(_, value)| value.err())).collect()
    }

    /// Makes a command ready. `key_prefix` comes before `command[1]` and `env.PORT` in a failure, as `readiness.` does.
    /// A long list of changed files is written to a file.
    pub fn resolve(&self, command: &CommandPlan, key_prefix: &str, errand: &Errand) -> Result<Resolved, StartFailure> {
        let (argv, own) = self.words_of(command, key_prefix);
        let argv = argv.into_iter().map(|word| Ok(word?.into())).collect::<Result<Vec<OsString>, _>>()?;
        let mut env = self.ambient.clone();
        for (name, value) in own {
            env.insert(name.into(), value?.into());
        }
        let mut set = |name: &str, value: &OsStr| env.insert(name.into(), value.to_owned());
        set(env_vars::ROOT, self.root.as_os_str());
        set(env_vars::STATE, self.state_file.as_os_str());
        set(env_vars::WORKFLOW, OsStr::new(&*errand.workflow));
        for (name, value) in self.artifacts(errand) {
            set(&name, &value);
        }
        let Fitted { text, is_whole } = changed_files::fit(&errand.changed_files);
        set(env_vars::CHANGED_FILES_JSON, OsStr::new(&text));
        let changed_files = if is_whole {
            None
        } else {
            let file = ChangedFilesFile::create(&self.state_file, &errand.changed_files)?;
            set(env_vars::CHANGED_FILES_TRUNCATED, OsStr::new("1"));
            set(env_vars::CHANGED_FILES_PATH, file.path().as_os_str());
            Some(file)
        };
        Ok(Resolved { argv, env: env.into_iter().collect(), cwd: command.cwd.clone(), changed_files })
    }

    /// Resolves a text outside a command, as a probe's URL; `key` names it in a failure. `DEVLOOP_*` counts as unset.
    pub fn resolve_words(&self, words: &Words, key: &str) -> Result<String, StartFailure> {
        self.resolve_one(words, key, |_| false)
    }

    /// The arguments, and the item's own variables.
    fn words_of<'plan>(&self, command: &'plan CommandPlan, key_prefix: &str) -> (Vec<Word>, Vec<(&'plan str, Word)>) {
        let keeps = |name: &str| command.env.contains_key(name);
        let argv = command.argv.iter().enumerate();
        let argv = argv.map(|(index, words)| self.resolve_one(words, &format!("{key_prefix}command[{index}]"), keeps));
        let env = command.env.iter();
        let env = env.map(|(name, words)| {
            (name.as_str(), self.resolve_one(words, &format!("{key_prefix}env.{name}"), |_| false))
        });
        (argv.collect(), env.collect())
    }

    fn resolve_one(&self, words: &Words, key: &str, kept: impl Fn(&str) -> bool) -> Word {
        let unreadable = Cell::new(None);
        let ambient = |name: &str| {
            let value = self.ambient.get(OsStr::new(name))?;
            if value.to_str().is_none() {
                unreadable.set(Some(name.to_owned()));
            }
            Some(value.to_string_lossy().into_owned())
        };
        let text = words
            .resolve(ambient, kept)
            .map_err(|unset| StartFailure::UnsetVariable { key: key.to_owned(), variable: unset.name })?;
        match unreadable.take() {
            Some(name) => Err(StartFailure::Refused {
                what: format!("variable '{name}' of `{key}` cannot be used"),
                error: "its value is not UTF-8".to_owned(),
            }),
            None => Ok(text),
        }
    }
}
