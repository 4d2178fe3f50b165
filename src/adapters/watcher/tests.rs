//! Real files in temporary folders, watched as a session would.

mod folders;
mod saves;
mod system;

use super::{Ears, Heard, OwnFiles, Watcher, WatcherTrouble};
use devloop_core::fact::{Touch, TouchKind};
use devloop_core::plan::Plan;
use devloop_core::plan::watch::{PathPattern, WatchPlan, WatcherKind};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// A project, and what the watcher said about it.
struct Stage {
    plan: Plan,
    _folder: TempDir,
    root: PathBuf,
    sender: Option<Sender<Heard>>,
    heard: Receiver<Heard>,
    troubles: Vec<WatcherTrouble>,
    lines: Vec<(String, bool)>,
    watcher: Option<Watcher>,
}

impl Stage {
    /// A project with one group; root is the folder `project` of a new folder.
    fn new(patterns: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("project");
        fs::create_dir(&root).unwrap();
        let (sender, heard) = channel();
        let mut stage = Self {
            plan: Plan::empty(root.clone()),
            _folder: folder,
            root,
            sender: Some(sender),
            heard,
            troubles: Vec::new(),
            lines: Vec::new(),
            watcher: None,
        };
        stage.group("first", patterns);
        stage
    }

    fn group(&mut self, name: &str, patterns: &[&str]) {
        let patterns = patterns.iter().map(|text| PathPattern::new(text, text).unwrap()).collect();
        let group = WatchPlan { patterns, ignore: Vec::new(), workflow: name.into(), leading: true };
        self.plan.watches.insert(name.into(), group);
    }

    fn polls(mut self) -> Self {
        self.plan.watcher.kind = WatcherKind::Poll;
        self.plan.watcher.poll_interval = Duration::from_millis(20);
        self
    }

    fn ears(&mut self) -> Ears {
        let sender = self.sender.take().unwrap();
        Box::new(move |heard| {
            let _ = sender.send(heard);
        })
    }

    /// Starts the watcher and waits until it is live.
    fn watched(mut self) -> Self {
        let ears = self.ears();
        let own = OwnFiles::of_state_file(&self.plan.state_file);
        self.watcher = Some(Watcher::start(Arc::new(self.plan.clone()), own, ears).unwrap());
        self.until_began();
        self
    }

    fn until_began(&mut self) {
        loop {
            match self.heard.recv_timeout(DEADLINE).unwrap() {
                Heard::Began => return,
                Heard::Watching { target, recursive } => self.lines.push((target, recursive)),
                Heard::Trouble(trouble) => self.troubles.push(trouble),
                Heard::Touched(touches) => panic!("touched before it began: {touches:?}"),
            }
        }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn folder(&self, path: &str) -> &Self {
        fs::create_dir_all(self.at(path)).unwrap();
        self
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
        self
    }

    /// Runs a shell script in root.
    fn sh(&self, script: &str) -> &Self {
        let status = Command::new("sh").args(["-euc", script]).current_dir(&self.root).status().unwrap();
        assert!(status.success(), "{script}");
        self
    }

    /// Waits until each of the paths was said to be whole; answers with all touches until then.
    fn until_settled(&mut self, paths: &[&str]) -> Vec<Touch> {
        let mut missing: BTreeSet<&str> = paths.iter().copied().collect();
        let mut all = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        while !missing.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(Heard::Touched(touches)) => {
                    for touch in touches {
                        if touch.kind != TouchKind::Writing {
                            missing.remove(touch.path.as_ref());
                        }
                        all.push(touch);
                    }
                }
                Ok(Heard::Trouble(trouble)) => self.troubles.push(trouble),
                Ok(other) => panic!("unexpected: {other:?}"),
                Err(end) => panic!("{end}: {} not seen, of them {:?}; seen {all:?}", missing.len(), missing.first()),
            }
        }
        all
    }

    /// Waits until the marker file is seen, and answers with the other paths that were touched before it.
    fn touched_before_marker(&mut self, marker: &str) -> BTreeSet<String> {
        self.file(marker, "marker");
        let seen = self.until_settled(&[marker]);
        seen.iter().map(|touch| touch.path.to_string()).filter(|path| path != marker).collect()
    }

    fn until_trouble(&mut self, is_it: impl Fn(&WatcherTrouble) -> bool) -> WatcherTrouble {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(place) = self.troubles.iter().position(&is_it) {
                return self.troubles.remove(place);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if let Heard::Trouble(trouble) = self.heard.recv_timeout(left).unwrap() {
                self.troubles.push(trouble);
            }
        }
    }
}

/// The number of watches that this process holds for a queue whose watches include a folder (`/proc/self/fdinfo`).
fn watches_of(folder: &Path) -> usize {
    use std::os::unix::fs::MetadataExt;
    let inode = format!("ino:{:x} ", folder.metadata().unwrap().ino());
    let tables = fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|entry| {
        let table = fs::read_to_string(entry.ok()?.path()).ok()?;
        (table.contains("inotify wd:") && table.contains(&inode)).then_some(table)
    });
    tables.map(|table| table.lines().filter(|line| line.starts_with("inotify")).count()).max().unwrap_or(0)
}
