//! The folders that matter, what was last seen in them, and the one walk that begins, follows and compares them.
//!
//! A folder is watched first and listed then, so whatever appears in it is either listed or told.

use super::WatcherTrouble;
use super::batch::Batch;
use super::ignores::{self, Rules};
use super::listing::{Kind, Listing};
use super::own;
use super::paths::{join, join_into, name_of, parent_of};
use super::stamps::{Contents, Files, Stamp, Status};
use super::targets::{Cover, Targets};
use super::temporary::is_temporary;
use devloop_core::fact::TouchKind;
use devloop_core::plan::Plan;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A path relative to root; empty: root itself.
pub(super) type Relative = Arc<[u8]>;

/// Who tells about a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The watch descriptor, where there is one.
    pub(super) watch: Option<i32>,
    /// Whether the folder must be compared at intervals.
    pub(super) polled: bool,
}

/// Gives watches and takes them back.
pub(super) trait Eyes {
    /// Watches a folder, or says that nothing will tell about it. `follow`: it may be a symlink.
    fn watch(&mut self, at: &Path, path: &Relative, cover: Cover, follow: bool) -> io::Result<Seen>;
    /// Ends the watch of a folder.
    fn unwatch(&mut self, watch: i32, path: &[u8]);
}

/// What a walk does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Remembers; nothing counts as changed.
    First,
    /// A folder that has just appeared: all in it counts.
    Fresh,
    /// Compares with what was last seen; what changed at or after this moment (nanoseconds since 1970) counts too,
    /// because its stamp may be younger than the lost event.
    Again { since: i128 },
    /// Compares, contents included.
    Poll,
}

struct Folder {
    watch: Option<i32>,
    polled: bool,
    cover: Cover,
    /// It is ignored by git and named by a pattern, or below such a folder: git rules do not count.
    open: bool,
    rules: Option<Arc<Rules>>,
    files: Files,
    /// The last walk that met it.
    pass: u32,
}

/// A folder that a walk will meet.
struct Visit {
    path: Relative,
    cover: Cover,
    open: bool,
    polled: bool,
    follow: bool,
    rules: Option<Arc<Rules>>,
    look: Look,
}

/// A folder that the walk has listed.
struct Meeting<'a> {
    at: &'a Path,
    path: &'a [u8],
    look: Look,
    polled: bool,
    listing: &'a Listing,
}

/// Whether an error says that the system is short of something, and nothing about the folder.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    error.raw_os_error().is_some_and(|error| shortages.iter().any(|shortage| shortage.raw_os_error() == error))
}

/// All watched folders.
pub(super) struct Tree {
    root: PathBuf,
    targets: Targets,
    gitignore: bool,
    above: Option<Arc<Rules>>,
    own: own::Own,
    folders: BTreeMap<Relative, Folder>,
    contents: Contents,
    /// Folders whose files nobody has looked at.
    unstamped: Vec<Relative>,
    pass: u32,
    /// Whether any folder ever had to be compared at intervals.
    has_polled: bool,
    listing: Listing,
    troubles: Vec<WatcherTrouble>,
    /// Folders that were reported as unreadable.
    unreadable: HashSet<PathBuf>,
}

impl Tree {
    pub(super) fn new(plan: &Plan, root: PathBuf, own: own::Own) -> Self {
        let gitignore = plan.watcher.gitignore;
        let above = if gitignore { Rules::above_root(&root) } else { None };
        Self {
            root,
            targets: Targets::of(plan),
            gitignore,
            above,
            own,
            folders: BTreeMap::new(),
            contents: Contents::default(),
            unstamped: Vec::new(),
            pass: 0,
            has_polled: false,
            listing: Listing::default(),
            troubles: Vec::new(),
            unreadable: HashSet::new(),
        }
    }

    /// The absolute path of a path relative to root.
    pub(super) fn at(&self, path: &[u8]) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(OsStr::from_bytes(path)) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a folder is watched or compared.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.folders.contains_key(path)
    }

    /// Whether a pattern names this folder, so that a symlink to one is followed.
    pub(super) fn follows(&self, path: &[u8]) -> bool {
        self.targets.leads(path)
    }

    pub(super) fn troubles(&mut self) -> Vec<WatcherTrouble> {
        std::mem::take(&mut self.troubles)
    }

    /// The topmost folders that must be compared at intervals.
    pub(super) fn polled(&self) -> Vec<Relative> {
        if !self.has_polled {
            return Vec::new();
        }
        let is_top = |path: &[u8]| !self.folders.get(parent_of(path)).is_some_and(|parent| parent.polled);
        let polled = self.folders.iter().filter(|(_, folder)| folder.polled);
        polled.filter(|(path, _)| path.is_empty() || is_top(path)).map(|(path, _)| Arc::clone(path)).collect()
    }

    /// Walks from a folder down. Does nothing if the folder does not matter.
    pub(super) fn survey(&mut self, eyes: &mut dyn Eyes, start: &[u8], look: Look, out: &mut Batch) {
        self.pass += 1;
        let Some(first) = self.visit_of(start, look) else { return self.drop_below(eyes, start, None) };
        let mut ahead = vec![first];
        while let Some(visit) = ahead.pop() {
            self.meet(eyes, visit, &mut ahead, out);
        }
        self.drop_below(eyes, start, (look != Look::First).then_some(out));
    }

    /// A folder appeared, by its name in a watched folder. Known ones, told twice, are left alone.
    pub(super) fn appeared(&mut self, eyes: &mut dyn Eyes, path: &[u8], out: &mut Batch) {
        let Some(visit) = self.visit_of(path, Look::Fresh) else { return };
        if let Some(known) = self.folders.get(path).and_then(|folder| folder.watch) {
            let seen = eyes.watch(&self.at(path), &visit.path, visit.cover, visit.follow);
            if seen.is_ok_and(|seen| seen.watch == Some(known)) {
                return;
            }
        }
        out.touch_folder(path, TouchKind::Settled);
        self.survey(eyes, path, Look::Fresh, out);
    }

    /// A folder is gone with all below it.
    pub(super) fn vanished(&mut self, eyes: &mut dyn Eyes, path: &[u8], out: &mut Batch) {
        self.pass += 1;
        self.drop_below(eyes, path, Some(out));
    }

    /// Gives all watches back and keeps what was seen, to compare later.
    pub(super) fn blind(&mut self, eyes: &mut dyn Eyes) {
        for (path, folder) in &mut self.folders {
            if let Some(watch) = folder.watch.take() {
                eyes.unwatch(watch, path);
            }
        }
    }

    /// What was last seen of a file.
    pub(super) fn stamp(&self, path: &[u8]) -> Option<Stamp> {
        self.folders.get(parent_of(path))?.files.get(name_of(path))
    }

    /// Whether a name that appears or goes is one that programs use while they save. One that was there before is not.
    pub(super) fn is_temporary(&self, path: &[u8], is_new: bool) -> bool {
        let files = self.folders.get(parent_of(path)).map(|folder| &folder.files);
        let name = name_of(path);
        is_temporary(name, files) && !(is_new && files.is_some_and(|files| files.get(name).is_some()))
    }

    /// Looks at a file and remembers it. One that is gone was there a moment ago: whoever took it away is heard later,
    /// perhaps only by the folder that it was in, and it must be known then.
    pub(super) fn restamp(&mut self, path: &[u8]) {
        let at = self.at(path);
        let Some(folder) = self.folders.get_mut(parent_of(path)) else { return };
        match Status::of(&at) {
            Ok(status) => {
                folder.files.set(name_of(path), status.stamp());
                if folder.polled {
                    self.contents.remember(&at, &status);
                }
            }
            Err(_) => folder.files.set(name_of(path), Stamp::UNKNOWN),
        }
    }

    /// A file is gone, and that has been said.
    pub(super) fn forget(&mut self, path: &[u8]) {
        if let Some(folder) = self.folders.get_mut(parent_of(path)) {
            folder.files.remove(name_of(path));
        }
    }

    /// How many folders have files that nobody has looked at.
    pub(super) fn unstamped(&self) -> usize {
        self.unstamped.len()
    }

    /// Looks at the files of one folder whose stamps are unknown; false when none is left.
    pub(super) fn stamp_some(&mut self) -> bool {
        let Some(path) = self.unstamped.pop() else {
            self.unstamped = Vec::new();
            return false;
        };
        let mut at = self.at(&path);
        if let Some(folder) = self.folders.get_mut(&path) {
            folder.files.stamp_unknown(|name| {
                at.push(OsStr::from_bytes(name));
                let status = Status::of(&at);
                at.pop();
                Some(status.ok()?.stamp())
            });
        }
        true
    }

    /// How the walk meets a folder, by its parent in the tree. `None`: it does not matter.
    fn visit_of(&self, path: &[u8], look: Look) -> Option<Visit> {
        if path.is_empty() {
            let (cover, rules) = (self.targets.root(), self.above.clone());
            return Some(Visit { path: path.into(), cover, open: false, polled: false, follow: true, rules, look });
        }
        let parent = self.folders.get(parent_of(path))?;
        let is_link = self.targets.leads(path) && self.at(path).is_symlink();
        self.child(parent, path, is_link, look)
    }

    fn child(&self, parent: &Folder, path: &[u8], is_link: bool, look: Look) -> Option<Visit> {
        let name = name_of(path);
        if name == b".devloop" || self.own.holds(path) || (is_link && !self.targets.leads(path)) {
            return None;
        }
        let is_ignored = !parent.open
            && parent.rules.is_some()
            && ignores::is_ignored(parent.rules.as_ref(), &self.root.join(OsStr::from_bytes(path)));
        let is_hidden = is_link || is_ignored || matches!(name, b".git" | b".hg" | b".jj");
        let cover = self.targets.cover(path, if is_link { Cover::Way } else { parent.cover }, is_hidden)?;
        let open = parent.open || is_ignored;
        let rules = parent.rules.clone();
        Some(Visit { path: path.into(), cover, open, polled: parent.polled, follow: is_link, rules, look })
    }

    /// Watches a folder, lists it, and compares.
    fn meet(&mut self, eyes: &mut dyn Eyes, visit: Visit, ahead: &mut Vec<Visit>, out: &mut Batch) {
        let at = self.at(&visit.path);
        let mut listing = std::mem::take(&mut self.listing);
        let watched = eyes.watch(&at, &visit.path, visit.cover, visit.follow);
        let listed = watched.and_then(|seen| match listing.read(&at, visit.follow) {
            Ok(()) => Ok(seen),
            Err(error) => {
                seen.watch.into_iter().for_each(|watch| eyes.unwatch(watch, &visit.path));
                Err(error)
            }
        });
        let seen = match listed {
            Ok(seen) => seen,
            Err(error) => {
                self.listing = listing;
                return if is_shortage(&error) { self.put_off(visit, &error) } else { self.refused(at, &error) };
            }
        };
        let known = self.folders.remove(&visit.path);
        if let Some(old) = known.as_ref().and_then(|known| known.watch)
            && seen.watch != Some(old)
        {
            eyes.unwatch(old, &visit.path);
        }
        let rules =
            if self.gitignore && listing.has(b".gitignore") { Rules::of_folder(&at, visit.rules) } else { visit.rules };
        // Another folder stands at this path: nothing that was seen there says anything about it.
        let is_other = known.as_ref().is_some_and(|known| known.watch.is_some() && known.watch != seen.watch);
        let look = if is_other && visit.look != Look::First { Look::Fresh } else { visit.look };
        self.unreadable.remove(&at);
        let polled = visit.polled || seen.polled;
        self.has_polled |= polled;
        let (cover, open, pass) = (visit.cover, visit.open, self.pass);
        let empty = Files::default();
        let mut folder = Folder { watch: seen.watch, polled, cover, open, rules, files: empty, pass };
        let meeting = Meeting { at: &at, path: &visit.path, look, polled, listing: &listing };
        self.meet_folders(&meeting, &folder, ahead, out);
        if cover != Cover::Way {
            let known = known.map_or_else(Files::default, |known| known.files);
            folder.files = self.meet_files(&meeting, &known, out);
            if look == Look::First || look == Look::Fresh {
                self.unstamped.push(Arc::clone(&visit.path));
            }
        }
        self.folders.insert(visit.path, folder);
        self.listing = listing;
    }

    /// Finds the folders in a folder that the walk must meet next.
    fn meet_folders(&self, meeting: &Meeting<'_>, folder: &Folder, ahead: &mut Vec<Visit>, out: &mut Batch) {
        for (name, kind) in meeting.listing.iter() {
            if kind == Kind::File {
                continue;
            }
            let path = join(meeting.path, name);
            if kind == Kind::Link && !(self.targets.leads(&path) && self.at(&path).is_dir()) {
                continue;
            }
            let is_known = self.folders.contains_key(path.as_slice());
            let look = if is_known || meeting.look == Look::First { meeting.look } else { Look::Fresh };
            if let Some(visit) = self.child(folder, &path, kind == Kind::Link, look) {
                if look == Look::Fresh {
                    out.touch_folder(&path, TouchKind::Found);
                }
                ahead.push(visit);
            }
        }
    }

    /// Compares the files of a folder; answers with what is seen of them.
    fn meet_files(&mut self, meeting: &Meeting<'_>, known: &Files, out: &mut Batch) -> Files {
        let Meeting { at, path, look, polled, listing } = *meeting;
        let mut files = Files::with_capacity(listing.count(), listing.bytes());
        let (mut whole, mut absolute) = (path.to_vec(), at.to_owned());
        for (name, _) in listing.iter().filter(|(_, kind)| *kind != Kind::Folder) {
            join_into(&mut whole, path, name);
            if !out.matters(&whole) {
                continue;
            }
            absolute.push(OsStr::from_bytes(name));
            if let Some((stamp, is_changed)) = self.look_at(&absolute, (look, polled), known.get(name)) {
                files.push(name, stamp);
                if is_changed {
                    out.touch(&whole, TouchKind::Found);
                }
            }
            absolute.pop();
        }
        for (name, _) in known.iter().filter(|(name, _)| files.get(name).is_none()) {
            self.contents.forget(&at.join(OsStr::from_bytes(name)));
            if look != Look::First {
                out.touch(&join(path, name), TouchKind::Found);
            }
        }
        files
    }

    /// A file's stamp, and whether it counts as changed. `None`: it is gone.
    fn look_at(&mut self, at: &Path, (look, polled): (Look, bool), known: Option<Stamp>) -> Option<(Stamp, bool)> {
        if !polled && matches!(look, Look::First | Look::Fresh) {
            return Some((known.unwrap_or(Stamp::UNKNOWN), look == Look::Fresh));
        }
        if let (Look::First, Some(known)) = (look, known) {
            return Some((known, false));
        }
        let status = Status::of(at).ok()?;
        let stamp = status.stamp();
        let is_same = known.is_some_and(|known| known == stamp || known == Stamp::UNKNOWN);
        let is_changed = match look {
            Look::First => false,
            Look::Fresh => true,
            Look::Again { since } => !is_same || status.ctime >= since,
            Look::Poll => !is_same || self.contents.differ(at, &status),
        };
        if polled && (look != Look::Poll || is_changed) {
            self.contents.remember(at, &status);
        }
        Some((stamp, is_changed))
    }

    /// A folder cannot be met for now. What is known of it and of all below stays, and it is looked at again.
    fn put_off(&mut self, visit: Visit, error: &io::Error) {
        let at = self.at(&visit.path);
        for path in self.below(&visit.path) {
            if let Some(folder) = self.folders.get_mut(&path) {
                folder.pass = self.pass;
            }
        }
        let Visit { path, cover, open, rules, .. } = visit;
        let (files, pass) = (Files::default(), self.pass);
        let nothing = Folder { watch: None, polled: true, cover, open, rules, files, pass };
        self.folders.entry(path).or_insert(nothing).polled = true;
        self.has_polled = true;
        if self.unreadable.insert(at.clone()) {
            self.troubles.push(WatcherTrouble::PutOff { path: at, error: error.to_string() });
        }
    }

    /// A folder cannot be met. One that has just gone, or was never one, is no trouble.
    fn refused(&mut self, at: PathBuf, error: &io::Error) {
        let is_loop = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        let is_gone = is_loop || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        if !is_gone && self.unreadable.insert(at.clone()) {
            self.troubles.push(WatcherTrouble::Unreadable { path: at, error: error.to_string() });
        }
    }

    /// Forgets a folder and those below it that the last walk did not meet; what was in them counts, where asked.
    fn drop_below(&mut self, eyes: &mut dyn Eyes, start: &[u8], mut out: Option<&mut Batch>) {
        for path in self.below(start) {
            if self.folders.get(&path).is_none_or(|folder| folder.pass == self.pass) {
                continue;
            }
            let Some(folder) = self.folders.remove(&path) else { continue };
            if let Some(watch) = folder.watch {
                eyes.unwatch(watch, &path);
            }
            for (name, _) in folder.files.iter() {
                let whole = join(&path, name);
                self.contents.forget(&self.at(&whole));
                if let Some(out) = out.as_deref_mut() {
                    out.touch(&whole, TouchKind::Found);
                }
            }
            if let Some(out) = out.as_deref_mut() {
                out.touch_folder(&path, TouchKind::Settled);
            }
        }
    }

    /// A folder and all known ones below it.
    fn below(&self, start: &[u8]) -> Vec<Relative> {
        if start.is_empty() {
            return self.folders.keys().cloned().collect();
        }
        // `0` is the byte after `/`.
        let (from, to) = (join(start, b""), [start, b"0"].concat());
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
        let itself = self.folders.get_key_value(start).map(|(path, _)| Arc::clone(path));
        itself.into_iter().chain(self.folders.range::<[u8], _>(range).map(|(path, _)| Arc::clone(path))).collect()
    }
}
