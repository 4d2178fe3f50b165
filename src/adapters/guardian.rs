//! The small process that owns all children and outlives us.
//!
//! Three kinds of processes: devloop; the **guardian**, forked from it before it has threads; and a **keeper** for each
//! child, forked by the guardian. A keeper is the child's parent and, on Linux, adopts whatever the child leaves behind,
//! so it can end all of it and prove that nothing is left. It does so when devloop asks, and when devloop is gone.
//!
//! This is the only place with `unsafe`, `fork` and pids. Absent on purpose: time limits (the engine has them), output
//! (the child writes into what devloop gave it), environment rules (the caller brings the whole environment).
//!
//! Without Linux there are no subreapers, no `/proc` and no `PR_SET_PDEATHSIG`: there the process group is all that a
//! keeper can see, `Contain::Tree` means the same as `Contain::Group`, and a keeper that is killed leaves its child alive.

mod body;
mod candidates;
mod child;
mod keeper;
mod marks;
mod parcel;
mod platform;
mod rest;
mod signals;
mod spawn;
mod tree;
mod wire;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::io::Interest;
use tokio::signal::unix::{SignalKind, signal};

use child::Living;
use wire::Order;

pub use candidates::candidates;
pub use child::{Child, Control};
pub use signals::{ignore_background_reads, is_ignored, undisturbed};

/// Keepers that wait for a launch, at most: those of a session's first processes.
const SPARES_MAX: usize = 16;

/// What a child is to be.
#[derive(Debug)]
pub struct Launch {
    /// Absolute paths that are tried in this order, as `execvp(3)` does; see [`candidates`].
    pub program: Vec<PathBuf>,
    /// The argument vector with the program's name as the first.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory.
    pub cwd: PathBuf,
    /// What it reads.
    pub stdin: Stdin,
    /// What belongs to it.
    pub contain: Contain,
    /// `NAME=VALUE` that is also in `env` and in no other child's: by it the guardian finds what a tree has left when
    /// its keeper was killed. At most 240 bytes; a longer one counts as none.
    pub marker: Option<String>,
    /// Where it writes.
    pub stdout: OwnedFd,
    /// Where it complains.
    pub stderr: OwnedFd,
}

/// What a child reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// `/dev/null`: the end at once.
    Null,
    /// A pipe that stays open and empty until the child is stopped.
    Open,
}

/// What belongs to a child when it is stopped or killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contain {
    /// All descendants, also those in sessions of their own.
    Tree,
    /// Its process group.
    Group,
}

/// The signal that asks a child to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// `SIGTERM`.
    Term,
    /// `SIGINT`.
    Int,
    /// `SIGQUIT`.
    Quit,
    /// `SIGHUP`.
    Hup,
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`.
    Usr2,
    /// `SIGKILL`.
    Kill,
}

/// What a keeper says about its child, in this order: `Started`, `Exited`, `Gone`; or `StartFailed` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The command is running.
    Started {
        /// Its process id, and that of its process group.
        pid: u32,
    },
    /// The command never ran; nothing is left of the attempt.
    StartFailed {
        /// What was attempted.
        step: Step,
        /// Why it failed, for [`io::Error::from_raw_os_error`].
        errno: i32,
    },
    /// The command ended. What is left of its process group is killed, unless it was asked to stop: then that has the
    /// same time to end by itself, until [`Control::kill`].
    Exited(ExitStatus),
    /// Nothing that belongs to it is left; the last report.
    Gone,
    /// Something survived `SIGKILL` for five seconds; said once, and the keeper goes on trying.
    Stuck {
        /// One such process.
        pid: u32,
    },
}

/// What a start failed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A process for the keeper or for the command (`fork(2)`, `clone(2)`).
    Fork,
    /// The pipe for its stdin, its process group, its descriptors.
    Prepare,
    /// The working directory (`chdir(2)`).
    Chdir,
    /// The program (`execve(2)`).
    Exec,
    /// The program is a file, but what should run it (`#!`, or the dynamic loader) is not there.
    Interpreter,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// The devloop end of the guardian.
///
/// Dropping it lets the guardian end once all children are gone; it does not end children (drop each [`Child`] for that).
#[derive(Debug)]
pub struct Guardian {
    pid: i32,
    socket: UnixStream,
    /// Keepers that wait for their launch: forking them beforehand takes the fork out of the way from change to command.
    spares: Mutex<Vec<UnixStream>>,
    /// All children, for a pause.
    living: Living,
    /// The socket once more, for the runtime that does not exist yet when we fork.
    watched: OnceLock<tokio::net::UnixStream>,
}

/// Forks the guardian off. Call it while the program has one thread and before there is a runtime.
///
/// The guardian is a copy of the caller at this moment (small is good), in a session of its own, deaf to signals, without
/// any of the caller's descriptors. Fails with the system's error, and when the program already has threads: a copy of
/// one thread could find the locks of the others taken for ever.
pub fn fork() -> io::Result<Guardian> {
    if platform::has_threads() {
        return Err(io::Error::other("the guardian must be forked before there are threads"));
    }
    let (ours, theirs) = UnixStream::pair()?;
    let pid = spawn::fork(|| body::guard(theirs.as_fd()))?;
    ours.set_nonblocking(true)?;
    let spares = Mutex::default();
    Ok(Guardian { pid, socket: ours, spares, living: Living::default(), watched: OnceLock::new() })
}

/// Has large blocks of memory given back to the system when they are freed, where that takes asking for: a session that
/// lasts for days does not keep what one flood of lines has needed. It is here since the system offers nothing safe.
pub fn return_large_memory() {
    platform::return_large_memory();
}

impl Guardian {
    /// Starts a command. Never waits: what became of it comes as [`Child::next_report`].
    ///
    /// Fails with `InvalidInput` for a NUL byte in a word, and with the system's error when there is no guardian
    /// (`EPIPE`) or it does not keep up (`EAGAIN`). Must be called inside a Tokio runtime.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "our copies of its descriptors must be closed when the keeper has its own"
    )]
    pub fn launch(&self, launch: Launch) -> io::Result<Child> {
        let payload = wire::encode(&launch)?;
        let ends = [launch.stdout.as_fd(), launch.stderr.as_fd()];
        let spare = self.spares().pop();
        let begun = match spare.map(|control| Child::begin(control, &payload, &ends)) {
            Some(Ok(child)) => Ok(child),
            // A spare that somebody killed is no reason to fail.
            Some(Err(_)) | None => {
                self.ask_for_keeper().and_then(|control| Child::begin_at_last(control, &payload, &ends))
            }
        };
        begun.inspect(|child| self.living.add(child))
    }

    /// Has so many keepers made that wait for a launch, if there are fewer. Returns at once. Without one a launch asks by
    /// itself, takes a fork longer, and tells the error if there is one.
    pub fn prepare(&self, count: usize) {
        let mut spares = self.spares();
        while spares.len() < count.min(SPARES_MAX)
            && let Ok(spare) = self.ask_for_keeper()
        {
            // The newest is taken last: by then it is made.
            spares.insert(0, spare);
        }
    }

    fn spares(&self) -> MutexGuard<'_, Vec<UnixStream>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses all children: SIGTSTP to their process groups, which a terminal's ctrl-z does not reach, and SIGSTOP to
    /// descendants outside of them. Never waits.
    pub fn suspend_all(&self) {
        self.living.order(Order::Suspend);
    }

    /// Continues all children.
    pub fn resume_all(&self) {
        self.living.order(Order::Resume);
    }

    /// Waits until the guardian is gone, and reaps it. Wakes it when somebody has stopped it.
    pub async fn lost(&self) {
        let Some(watched) = self.watched() else {
            // Without a descriptor to watch it by, nothing is known; a failing launch will tell.
            return std::future::pending().await;
        };
        let mut stops = signal(SignalKind::child()).ok();
        let wake = async {
            // Told by SIGCHLD, like its end (sigaction(2)). Without a handler it may stay stopped.
            while let Some(()) = stops.as_mut()?.recv().await {
                signals::wake_if_stopped(self.pid);
            }
            None::<()>
        };
        let end = async {
            // The guardian never writes, so whatever makes the socket readable is its end.
            while watched.readable().await.is_ok() {
                let read = watched.try_io(Interest::READABLE, || Ok(rustix::io::read(watched, &mut [0; 1])?));
                if !read
                    .is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted))
                {
                    break;
                }
            }
        };
        tokio::pin!(end, wake);
        tokio::select! {
            () = &mut end => {}
            _ = &mut wake => end.await,
        }
        // The end of the socket comes from the exit that is under way, so this wait is short.
        signals::wait_for(self.pid);
    }

    /// Tells the guardian that no more launches come; with all children gone it ends, and [`Guardian::lost`] returns.
    pub fn dismiss(&self) {
        self.spares().clear();
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }

    /// The guardian's process id.
    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    fn watched(&self) -> Option<&tokio::net::UnixStream> {
        if self.watched.get().is_none() {
            let _ = self.watched.set(tokio::net::UnixStream::from_std(self.socket.try_clone().ok()?).ok()?);
        }
        self.watched.get()
    }

    fn ask_for_keeper(&self) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        parcel::send(self.socket.as_fd(), &[0], &[theirs.as_fd()])?;
        Ok(ours)
    }
}
