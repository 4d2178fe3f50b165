//! The config file while a session lasts: where it really lies, and reading it again on a thread of its own.
//!
//! Absent on purpose: what makes a plan of a text, which whoever starts the session brings along.

use crate::hands::FactSender;
use devloop_core::fact::{Fact, LoadedPlan};
use devloop_core::plan::Plan;
use devloop_core::plan::watch::{PathPattern, WatchPlan, WatcherPlan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Symlinks that are followed from one to the next, as many as Linux follows (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// Reads the config file.
pub trait ReadPlan: Send + Sync {
    /// Reads and checks it; shows what is wrong with it.
    fn load(&self) -> LoadedPlan;

    /// Whether it holds something else than what was read last.
    fn is_other(&self) -> bool;
}

/// The config file of a session.
pub struct PlanFile {
    path: PathBuf,
    reader: Arc<dyn ReadPlan>,
    facts: FactSender,
}

impl PlanFile {
    /// The file at an absolute path.
    pub fn new(path: PathBuf, reader: Arc<dyn ReadPlan>, facts: FactSender) -> Self {
        Self { path, reader, facts }
    }

    /// Reads it; the answer is a fact.
    pub fn load(&self) {
        let (reader, facts) = (Arc::clone(&self.reader), self.facts.clone());
        let load = move || facts.send(Fact::PlanLoaded(reader.load()));
        let started = std::thread::Builder::new().name("devloop-config".to_owned()).spawn(load);
        if let Err(error) = started {
            self.facts.send(Fact::PlanLoaded(LoadedPlan::Unreadable { error: format!("no thread: {error}") }));
        }
    }

    /// What hears that the file may have changed. It may be called on any thread.
    pub fn touched(&self) -> impl Fn() + Send + use<> {
        let facts = self.facts.clone();
        move || facts.send(Fact::PlanTouched)
    }

    /// The same, where it is not known whether something changed.
    pub fn maybe_touched(&self) -> impl Fn() + Send + use<> {
        let (reader, facts) = (Arc::clone(&self.reader), self.facts.clone());
        move || {
            if reader.is_other() {
                facts.send(Fact::PlanTouched);
            }
        }
    }

    /// The absolute paths that decide what the file holds: each link on the way to it, and the file itself.
    pub fn places(&self) -> Vec<PathBuf> {
        let mut places = Vec::new();
        let mut path = self.path.clone();
        while let Some((link, target)) = first_link(&path).filter(|_| places.len() + 1 < LINKS_MAX) {
            places.push(link);
            path = target;
        }
        places.push(path);
        places
    }
}

/// The first part of a path that is a link, and the path as it goes on from where that leads.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut walked = PathBuf::new();
    let mut rest = path.components();
    while let Some(part) = rest.next() {
        let folder = walked.clone();
        walked.push(part);
        if let Ok(target) = std::fs::read_link(&walked) {
            let rest = rest.as_path();
            let led = folder.join(target);
            // An empty rest would make a folder of it.
            return Some((walked, if rest.as_os_str().is_empty() { led } else { led.join(rest) }));
        }
    }
    None
}

/// A plan that watches one file, named by its absolute path, and nothing else.
pub fn watch_of(place: &Path, watcher: WatcherPlan) -> Option<Plan> {
    let name = place.file_name()?.to_str()?;
    let is_glob = |c: &char| matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\');
    let escaped = name.chars().flat_map(|c| is_glob(&c).then_some('\\').into_iter().chain([c])).collect::<String>();
    let pattern = PathPattern::new(&escaped, &escaped).ok()?;
    let watch = WatchPlan { patterns: vec![pattern], ignore: Vec::new(), workflow: "config".into(), leading: true };
    let mut plan = Plan::empty(place.parent()?.to_path_buf());
    plan.watcher = WatcherPlan { gitignore: false, ..watcher };
    plan.watches = BTreeMap::from([("config".into(), watch)]);
    Some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl ReadPlan for Nothing {
        fn load(&self) -> LoadedPlan {
            LoadedPlan::Same
        }

        fn is_other(&self) -> bool {
            false
        }
    }

    fn places(path: &Path) -> Vec<PathBuf> {
        let (sender, _) = tokio::sync::mpsc::unbounded_channel();
        PlanFile::new(path.to_path_buf(), Arc::new(Nothing), FactSender::new(sender)).places()
    }

    #[test]
    fn links_are_followed_to_the_file_and_a_loop_ends() {
        let folder = tempfile::tempdir().unwrap();
        // The folder for temporary files may be reached through links itself.
        let real = folder.path().canonicalize().unwrap();
        let at = |name: &str| real.join(name);
        std::fs::write(at("real.toml"), "").unwrap();
        std::os::unix::fs::symlink("real.toml", at("one")).unwrap();
        std::os::unix::fs::symlink(at("one"), at("two")).unwrap();
        assert_eq!(places(&at("two")), [at("two"), at("one"), at("real.toml")]);
        assert_eq!(places(&at("real.toml")), [at("real.toml")]);
        assert_eq!(places(&at("missing")), [at("missing")]);
        std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
        assert_eq!(places(&at("loop")).len(), LINKS_MAX);
        // Also a folder on the way can lead elsewhere.
        std::fs::create_dir(at("folder")).unwrap();
        std::os::unix::fs::symlink("two", at("folder/inner")).unwrap();
        std::os::unix::fs::symlink("folder", at("way")).unwrap();
        assert_eq!(places(&at("way/inner")), [at("way"), at("folder/inner"), at("folder/two")]);
        assert_eq!(places(&at("way/none")), [at("way"), at("folder/none")]);
    }

    #[test]
    fn only_the_file_itself_is_watched_whatever_its_name_is() {
        for name in ["devloop.toml", "a[1]{b}*?.toml", "ä b"] {
            let plan = watch_of(&Path::new("/project").join(name), WatcherPlan::default()).unwrap();
            let watch = plan.watches.values().next().unwrap();
            assert!(watch.matches(name) && !watch.matches("a1b.toml") && !watch.matches("other"), "{name}");
        }
    }
}
