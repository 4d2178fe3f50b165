//! The folders of artifacts in the simulated world: done in the order in which it is asked, or not at all.

use devloop_core::effect::ArtifactOrder;
use devloop_core::fact::ArtifactAnswer;
use devloop_core::names::{ArtifactName, Generation};
use std::collections::{BTreeMap, BTreeSet};

/// What is on disk, of all artifacts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    shelves: BTreeMap<ArtifactName, Shelf>,
    clock: u64,
    /// A removal failed, so that something may be left.
    pub(crate) has_failed: bool,
}

/// The folder of one artifact.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) whole: BTreeSet<Generation>,
    pub(crate) candidates: BTreeSet<Generation>,
}

impl Store {
    /// The folder of an artifact.
    pub(crate) fn shelf(&self, artifact: &ArtifactName) -> Option<&Shelf> {
        self.shelves.get(artifact)
    }

    /// Does what was asked; `fails`: nothing of it, but a removal half of it.
    pub(crate) fn work(&mut self, artifact: &ArtifactName, order: &ArtifactOrder, fails: bool) -> ArtifactAnswer {
        let shelf = self.shelves.entry(artifact.clone()).or_default();
        let failed = || ArtifactAnswer::Failed("no space left on device".to_owned());
        match order {
            ArtifactOrder::Find if fails => {
                self.has_failed = true;
                failed()
            }
            ArtifactOrder::Find => {
                shelf.candidates.clear();
                ArtifactAnswer::Found(shelf.whole.iter().copied().collect())
            }
            ArtifactOrder::Prepare | ArtifactOrder::Install(_) if fails => failed(),
            ArtifactOrder::Prepare => {
                // Somebody sets the clock back now and then.
                self.clock = if self.clock % 7 == 6 { self.clock - 3 } else { self.clock + 1 };
                let newest = shelf.whole.iter().chain(&shelf.candidates).map(|other| other.millis()).max();
                let millis = newest.map_or(self.clock, |newest| self.clock.max(newest + 1));
                self.clock = self.clock.max(millis) + 1;
                let generation = Generation::new(millis, 0xabc);
                shelf.candidates.insert(generation);
                ArtifactAnswer::Prepared(generation)
            }
            ArtifactOrder::Install(generation) => {
                assert!(shelf.candidates.remove(generation), "{artifact} {generation} was never prepared");
                shelf.whole.insert(*generation);
                ArtifactAnswer::Installed(shelf.whole.iter().copied().collect())
            }
            ArtifactOrder::Remove(generations) => {
                let count = if fails { generations.len() / 2 } else { generations.len() };
                for generation in &generations[..count] {
                    shelf.whole.remove(generation);
                    shelf.candidates.remove(generation);
                }
                self.has_failed |= fails;
                if fails { failed() } else { ArtifactAnswer::Removed }
            }
        }
    }
}
