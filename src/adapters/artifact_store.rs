//! Folders of artifacts on disk: an empty one to build in, made durable, renamed into place, removed.
//!
//! One thread does what is asked, one after the other. All that it touches is reached through the descriptor of the
//! artifact's own folder, never through a link, and under names that can be nothing but a generation's
//! (`names::Generation`), so that nothing outside of that folder is ever served or removed, whatever the state file or
//! a build says. Absent on purpose: deciding what is served.

mod durable;
mod removal;
#[cfg(test)]
mod tests;

use crate::adapters::own_files::OwnFolder;
use devloop_core::effect::ArtifactOrder;
use devloop_core::fact::ArtifactAnswer;
use devloop_core::names::{ArtifactName, Generation, TaskId};
use devloop_core::plan::artifact::{artifacts_folder, candidate_name};
use rustix::fs::FlockOperation;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Begins the name of a folder that is built in.
const CANDIDATE: &str = ".candidate-";

/// Begins the name of what is on its way out.
const REMOVED: &str = ".removed-";

/// How often a random name may be taken already before something else must be wrong.
const NAME_TRIES_MAX: u32 = 16;

/// How long the end of a session waits for the disk; the next session removes what is left.
const END_MAX: Duration = Duration::from_secs(5);

/// Hears what came of an order, on the store's thread.
pub type Heard = Arc<dyn Fn(TaskId, ArtifactAnswer) + Send + Sync>;

/// The folders of all artifacts of a session, and the thread that works on them. Dropping it lets the thread come to its
/// end.
pub struct ArtifactStore {
    state_file: PathBuf,
    heard: Heard,
    /// There since the first order: most sessions have none.
    thread: Option<Thread>,
}

struct Thread {
    orders: Sender<(TaskId, ArtifactName, ArtifactOrder)>,
    /// Disconnected when the thread has ended.
    end: Receiver<()>,
}

impl ArtifactStore {
    /// A store beside a state file.
    pub fn new(state_file: &Path, heard: Heard) -> Self {
        Self { state_file: state_file.to_owned(), heard, thread: None }
    }

    /// Orders file work and returns at once.
    pub fn order(&mut self, task: TaskId, artifact: ArtifactName, order: ArtifactOrder) {
        let thread = match self.thread.take().map_or_else(|| self.start(), Ok) {
            Ok(thread) => self.thread.insert(thread),
            Err(error) => return (self.heard)(task, ArtifactAnswer::Failed(format!("it has no thread: {error}"))),
        };
        // The receiver lives until the sender is dropped: only `heard` could end its thread earlier, by a panic.
        let _ = thread.orders.send((task, artifact, order));
    }

    fn start(&self) -> io::Result<Thread> {
        let (orders, inbox) = channel::<(TaskId, ArtifactName, ArtifactOrder)>();
        let (alive, end) = channel();
        let (store, heard) = (Store::new(&self.state_file), Arc::clone(&self.heard));
        std::thread::Builder::new().name("artifacts".to_owned()).spawn(move || {
            let _alive: Sender<()> = alive;
            for (task, artifact, order) in inbox {
                let answer = store.work(&artifact, &order);
                heard(task, answer.unwrap_or_else(|error| ArtifactAnswer::Failed(error.with_causes())));
            }
        })?;
        Ok(Thread { orders, end })
    }
}

impl Drop for ArtifactStore {
    fn drop(&mut self) {
        if let Some(Thread { orders, end }) = self.thread.take() {
            drop(orders);
            // A disk that hangs must not hold up the end.
            let _: Result<(), RecvTimeoutError> = end.recv_timeout(END_MAX);
        }
    }
}

/// What went wrong with the files of an artifact.
#[derive(Debug)]
pub enum StoreError {
    /// A folder cannot be opened, or is none.
    Open(PathBuf, io::Error),
    /// Another session works in a folder.
    Held(PathBuf),
    /// A folder cannot be locked.
    Lock(PathBuf, io::Error),
    /// A folder cannot be made.
    Make(PathBuf, io::Error),
    /// A folder cannot be read.
    Read(PathBuf, io::Error),
    /// What was built is no folder any more, or was exchanged while it was put into its place.
    Exchanged(PathBuf),
    /// What was built cannot be made durable.
    Sync(PathBuf, io::Error),
    /// What was built cannot be renamed.
    Rename(PathBuf, io::Error),
    /// Something cannot be removed.
    Remove(PathBuf, io::Error),
}

impl StoreError {
    /// The message and all its causes in one line.
    pub fn with_causes(&self) -> String {
        self.source().map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, path) = match self {
            Self::Open(path, _) => ("cannot open the folder", path),
            Self::Held(path) => {
                let path = path.display();
                let hint = "stop it, or give one of the two a `state_file` in another folder";
                return write!(f, "another session publishes in the folder '{path}': {hint}");
            }
            Self::Lock(path, _) => ("cannot lock the folder", path),
            Self::Make(path, _) => ("cannot make the folder", path),
            Self::Read(path, _) => ("cannot read the folder", path),
            Self::Exchanged(path) => ("the build hook left no folder of its own where it was told to build, at", path),
            Self::Sync(path, _) => ("cannot make durable what is in", path),
            Self::Rename(path, _) => ("cannot rename", path),
            Self::Remove(path, _) => ("cannot remove", path),
        };
        write!(f, "{what} '{}'", path.display())
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(_, source)
            | Self::Lock(_, source)
            | Self::Make(_, source)
            | Self::Read(_, source)
            | Self::Sync(_, source)
            | Self::Rename(_, source)
            | Self::Remove(_, source) => Some(source),
            Self::Exchanged(_) | Self::Held(_) => None,
        }
    }
}

/// Does the work.
struct Store {
    state_file: PathBuf,
    /// Folders that this session holds: a session with another state file in the same folder must not work in them.
    held: RefCell<BTreeMap<ArtifactName, OwnFolder>>,
}

/// The folders that lead to an artifact's own, from the state file's down.
struct Shelf {
    above: [OwnFolder; 2],
    own: OwnFolder,
}

impl Store {
    fn new(state_file: &Path) -> Self {
        Self { state_file: state_file.to_owned(), held: RefCell::default() }
    }

    /// Holds a folder until the session ends (`flock(2)`), unless another session does.
    fn hold(&self, artifact: &ArtifactName, own: &OwnFolder) -> Result<(), StoreError> {
        let mut held = self.held.borrow_mut();
        let is_same = |folder: &OwnFolder| folder.is_in_place().unwrap_or(false);
        if held.get(artifact).is_some_and(is_same) {
            return Ok(());
        }
        let path = || own.path().to_owned();
        let folder = OwnFolder::open(own.path()).map_err(|error| StoreError::Lock(path(), error))?;
        rustix::fs::flock(folder.as_file(), FlockOperation::NonBlockingLockExclusive).map_err(|errno| {
            if errno == rustix::io::Errno::WOULDBLOCK {
                StoreError::Held(path())
            } else {
                StoreError::Lock(path(), errno.into())
            }
        })?;
        held.insert(artifact.clone(), folder);
        Ok(())
    }

    fn work(&self, artifact: &ArtifactName, order: &ArtifactOrder) -> Result<ArtifactAnswer, StoreError> {
        match order {
            ArtifactOrder::Find => self.find(artifact).map(ArtifactAnswer::Found),
            ArtifactOrder::Prepare => self.prepare(artifact).map(ArtifactAnswer::Prepared),
            ArtifactOrder::Install(generation) => self.install(artifact, *generation).map(ArtifactAnswer::Installed),
            ArtifactOrder::Remove(generations) => self.remove(artifact, generations).map(|()| ArtifactAnswer::Removed),
        }
    }

    /// The generations that are folders; where there is no artifact's folder, there is none, and none is made.
    fn find(&self, artifact: &ArtifactName) -> Result<Vec<Generation>, StoreError> {
        let path = artifacts_folder(&self.state_file);
        let names = [path.file_name().unwrap_or_default(), OsStr::new(artifact.as_str())];
        let mut folder = match OwnFolder::open(state_folder(&self.state_file)) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::Open(state_folder(&self.state_file).to_owned(), error)),
        };
        for name in names {
            folder = match folder.existing_subfolder(name) {
                Ok(below) => below,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(StoreError::Open(folder.path().join(name), error)),
            };
        }
        self.hold(artifact, &folder)?;
        clear_leftovers(&folder)?;
        generations(&folder)
    }

    fn prepare(&self, artifact: &ArtifactName) -> Result<Generation, StoreError> {
        let Shelf { own, .. } = self.open_or_make(artifact)?;
        clear_leftovers(&own)?;
        let newest = generations(&own)?.last().copied();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        // Also when somebody sets the clock back, a later generation is greater.
        let millis = newest.map_or(now, |newest| now.max(newest.millis() + 1));
        let random = RandomState::new();
        let mut tries = 0;
        loop {
            let digits = random.hash_one((millis, tries)) & u64::from(u32::MAX);
            let generation = Generation::new(millis, u32::try_from(digits).unwrap_or_default());
            let name = candidate_name(generation);
            match own.new_subfolder(&name) {
                Ok(_) => return Ok(generation),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < NAME_TRIES_MAX => tries += 1,
                Err(error) => return Err(StoreError::Make(own.path().join(name), error)),
            }
        }
    }

    /// Everything in the folder is durable before it has its name, and its name before it is told. What is there then.
    fn install(&self, artifact: &ArtifactName, generation: Generation) -> Result<Vec<Generation>, StoreError> {
        let Shelf { above, own } = self.open_or_make(artifact)?;
        let (candidate, name) = (candidate_name(generation), generation.to_string());
        let (candidate, name) = (OsStr::new(&candidate), OsStr::new(&name));
        let path = own.path().join(candidate);
        if !own.is_folder(candidate).map_err(|error| StoreError::Open(path.clone(), error))? {
            return Err(StoreError::Exchanged(path));
        }
        let built = own.existing_subfolder(candidate).map_err(|error| StoreError::Open(path.clone(), error))?;
        durable::sync_tree(&built).map_err(|error| StoreError::Sync(path.clone(), error))?;
        own.take_from(&own, candidate, name).map_err(|error| StoreError::Rename(path.clone(), error))?;
        if !built.is_at(&own, name).unwrap_or(false) {
            // Whatever it is, it must not be there when the next session looks.
            removal::remove(&own, name)?;
            return Err(StoreError::Exchanged(path));
        }
        let synced = own.sync().and_then(|()| above[1].sync()).and_then(|()| above[0].sync());
        synced.map_err(|error| StoreError::Sync(own.path().to_owned(), error))?;
        generations(&own)
    }

    fn remove(&self, artifact: &ArtifactName, generations: &[Generation]) -> Result<(), StoreError> {
        let Shelf { own, .. } = self.open_or_make(artifact)?;
        let names = generations.iter().flat_map(|generation| [generation.to_string(), candidate_name(*generation)]);
        let mut outcome = Ok(());
        for name in names {
            outcome = outcome.and(removal::set_aside(&own, OsStr::new(&name)));
        }
        outcome.and_then(|()| removal::clear(&own))
    }

    /// Opens the folder of an artifact, and makes what is missing of it (0700).
    fn open_or_make(&self, artifact: &ArtifactName) -> Result<Shelf, StoreError> {
        let path = state_folder(&self.state_file);
        let top = OwnFolder::open_again(path).map_err(|error| StoreError::Open(path.to_owned(), error))?;
        let below = |folder: &OwnFolder, name: &str| {
            folder.subfolder(name).map_err(|error| StoreError::Open(folder.path().join(name), error))
        };
        let folder = artifacts_folder(&self.state_file);
        let all = below(&top, &folder.file_name().unwrap_or_default().to_string_lossy())?;
        let own = below(&all, artifact.as_str())?;
        self.hold(artifact, &own)?;
        Ok(Shelf { above: [top, all], own })
    }
}

fn state_folder(state_file: &Path) -> &Path {
    state_file.parent().unwrap_or(state_file)
}

/// The generations that are folders, in their order.
fn generations(own: &OwnFolder) -> Result<Vec<Generation>, StoreError> {
    let unreadable = |error| StoreError::Read(own.path().to_owned(), error);
    let mut found = Vec::new();
    for name in own.names().map_err(unreadable)? {
        if let Some(generation) = name.to_str().and_then(Generation::parse)
            && own.is_folder(&name).map_err(unreadable)?
        {
            found.push(generation);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes what crashed sessions left half done.
fn clear_leftovers(own: &OwnFolder) -> Result<(), StoreError> {
    let is_candidate = |name: &OsString| name.as_encoded_bytes().starts_with(CANDIDATE.as_bytes());
    let names = own.names().map_err(|error| StoreError::Read(own.path().to_owned(), error))?;
    for name in names.iter().filter(|name| is_candidate(name)) {
        removal::set_aside(own, name)?;
    }
    removal::clear(own)
}
