//! Builds that replace, as one transaction, what running processes serve.

use super::Plan;
use crate::names::{ArtifactName, Generation, HookName, ProcessName, StateKey};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of all artifacts, beside the state file.
const FOLDER: &str = "artifacts";

/// An `[artifact.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactPlan {
    /// What builds a generation.
    pub build_hook: HookName,
    /// Processes that serve it: none starts by itself, and each answers its readiness with the generation.
    pub consumers: BTreeSet<ProcessName>,
    /// How many generations are kept, the served one among them; at least 1.
    pub retain: usize,
}

/// A fact about an artifact that the state holds; devloop alone writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArtifactKey {
    /// The generation that is served.
    Generation,
    /// The folder of the generation that is served.
    Path,
    /// The generation that is served and not verified yet.
    Switching,
    /// The generation that was served before [`Self::Switching`].
    Rollback,
    /// The folder of [`Self::Rollback`].
    RollbackPath,
}

impl ArtifactKey {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Generation, Self::Path, Self::Switching, Self::Rollback, Self::RollbackPath];

    /// The state key: `artifact.NAME.generation`, `.path`, `.switching_generation`, `.rollback_generation`,
    /// `.rollback_path`.
    pub fn of(self, artifact: &ArtifactName) -> StateKey {
        let field = match self {
            Self::Generation => "generation",
            Self::Path => "path",
            Self::Switching => "switching_generation",
            Self::Rollback => "rollback_generation",
            Self::RollbackPath => "rollback_path",
        };
        StateKey::new(format!("artifact.{artifact}.{field}"))
    }
}

/// The environment variable that holds the folder of an artifact: `DEVLOOP_ARTIFACT_<NAME>_DIR`.
pub fn folder_variable(artifact: &ArtifactName) -> String {
    format!("DEVLOOP_ARTIFACT_{}_DIR", artifact.as_str().to_ascii_uppercase())
}

/// The environment variable that holds the generation of an artifact: `DEVLOOP_ARTIFACT_<NAME>_GENERATION`.
pub fn generation_variable(artifact: &ArtifactName) -> String {
    format!("DEVLOOP_ARTIFACT_{}_GENERATION", artifact.as_str().to_ascii_uppercase())
}

/// The folder of all artifacts of the session with this state file.
pub fn artifacts_folder(state_file: &Path) -> PathBuf {
    state_file.parent().unwrap_or(state_file).join(FOLDER)
}

/// The folder of a generation.
pub fn generation_folder(state_file: &Path, artifact: &ArtifactName, generation: Generation) -> PathBuf {
    artifacts_folder(state_file).join(artifact.as_str()).join(generation.to_string())
}

/// The folder in which a generation is built.
pub fn candidate_folder(state_file: &Path, artifact: &ArtifactName, generation: Generation) -> PathBuf {
    artifacts_folder(state_file).join(artifact.as_str()).join(candidate_name(generation))
}

/// The name of the folder in which a generation is built, `.candidate-<generation>`.
pub fn candidate_name(generation: Generation) -> String {
    format!(".candidate-{generation}")
}

impl Plan {
    /// The processes that serve an artifact.
    pub fn consumers(&self, artifact: &ArtifactName) -> impl Iterator<Item = &ProcessName> {
        self.artifacts.get(artifact).into_iter().flat_map(|plan| &plan.consumers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_variables_and_folders_follow_from_the_name() {
        let site = ArtifactName::from("my_site");
        let keys = ArtifactKey::ALL.map(|key| key.of(&site).to_string());
        assert_eq!(keys[0], "artifact.my_site.generation");
        assert_eq!(keys[4], "artifact.my_site.rollback_path");
        assert!(keys.iter().all(|key| crate::plan::is_reserved(key)));
        assert_eq!(folder_variable(&site), "DEVLOOP_ARTIFACT_MY_SITE_DIR");
        assert_eq!(generation_variable(&site), "DEVLOOP_ARTIFACT_MY_SITE_GENERATION");
        let (file, generation) = (Path::new("/p/.devloop/state.json"), Generation::new(7, 1));
        assert_eq!(generation_folder(file, &site, generation), Path::new("/p/.devloop/artifacts/my_site/7-00000001"));
        assert_eq!(
            candidate_folder(file, &site, generation),
            Path::new("/p/.devloop/artifacts/my_site/.candidate-7-00000001")
        );
    }
}
