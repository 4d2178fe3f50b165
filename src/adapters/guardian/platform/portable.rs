//! Other Unix systems: process groups only.
//!
//! Nothing comes to us when a child leaves it behind, so there are no members to look at, and a child outlives a keeper
//! that is killed.
#![expect(unsafe_code, reason = "signal handlers, and fork for a command")]

use std::ffi::CStr;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::Member;
use crate::adapters::guardian::spawn::{self, Failure, Plan, become_command};
use crate::adapters::guardian::{Step, signals};

/// Whether we can see what a child has started.
pub(in super::super) const SEES_DESCENDANTS: bool = false;

/// There are no members, so nothing stands for them.
#[derive(Debug)]
pub(super) enum Handle {}

/// Unknown here; the caller keeps its word.
pub(in super::super) fn has_threads() -> bool {
    false
}

/// Names, adoption and being woken by a parent's end are Linux's.
pub(in super::super) fn settle(_name: &CStr) {}

/// Gives a signal its default disposition.
pub(in super::super) fn reset_disposition(signal: i32) {
    // SAFETY: SIG_DFL is a valid disposition for every signal, and other numbers fail with EINVAL.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// A child outlives its parent here.
pub(in super::super) fn die_with(_parent: i32) {}

/// All our descriptors are closed on exec, and the one that tells of a failure must stay open until then.
pub(in super::super) fn close_others_before_exec() {}

/// Closes every descriptor from `first` on.
pub(in super::super) fn close_from(first: u32) {
    // SAFETY: closing is all that happens, and nobody in this process uses those descriptors again.
    unsafe {
        let last = i32::try_from(libc::sysconf(libc::_SC_OPEN_MAX)).unwrap_or(65_536).min(65_536);
        for number in first.cast_signed()..last {
            libc::close(number);
        }
    }
}

/// Memory is kept as the system's own library likes it.
pub(in super::super) fn return_large_memory() {}

/// Code stays where it is.
pub(in super::super) fn forget_code() {}

/// Where the handler of SIGCHLD writes.
static BELL: AtomicI32 = AtomicI32::new(-1);

extern "C" fn ring(_signal: i32) {
    // SAFETY: `write` is async-signal-safe; a full pipe already says what is to be said.
    unsafe { libc::write(BELL.load(Ordering::Relaxed), [0_u8].as_ptr().cast(), 1) };
}

/// A descriptor that becomes readable when a child ends: a pipe that the signal's handler writes into.
#[derive(Debug)]
pub(in super::super) struct ChildSignal(PipeReader);

impl ChildSignal {
    /// For the children of this process; unblocks SIGCHLD.
    pub(in super::super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        rustix::io::ioctl_fionbio(&writer, true)?;
        BELL.store(writer.into_raw_fd(), Ordering::Relaxed);
        // SAFETY: the action and the set are initialised before use, and the handler is async-signal-safe.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ring as extern "C" fn(i32) as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut());
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        }
        Ok(Self(reader))
    }

    /// Forgets what was signalled: to be called before looking, so that an end during the look counts.
    pub(in super::super) fn drain(&self) {
        let mut room = [0; 64];
        while matches!((&self.0).read(&mut room), Ok(1..)) {}
    }
}

impl AsFd for ChildSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Starts a command by a fork; a pipe that closes on exec tells of a failure.
pub(in super::super) fn start(plan: &Plan<'_>) -> Result<i32, Failure> {
    let (mut reader, writer) = io::pipe().map_err(|_| Failure::last(Step::Prepare))?;
    let pid = spawn::fork(|| {
        let failure = become_command(plan);
        let place = Step::ALL.iter().position(|step| *step == failure.step).unwrap_or_default();
        let mut told = [u8::try_from(place).unwrap_or_default(); 5];
        told[1..].copy_from_slice(&failure.errno.to_ne_bytes());
        let _ = (&writer).write_all(&told);
        spawn::end(127)
    })
    .map_err(|_| Failure::last(Step::Fork))?;
    drop(writer);
    let mut told = [0; 5];
    if reader.read_exact(&mut told).is_err() {
        return Ok(pid);
    }
    signals::wait_for(pid);
    let [place, errno @ ..] = told;
    let step = Step::ALL.get(usize::from(place)).copied().unwrap_or(Step::Exec);
    Err(Failure { step, errno: i32::from_ne_bytes(errno) })
}

impl Member {
    /// Nobody can be looked at.
    pub(in super::super) fn look(_pid: i32, _parents: [i32; 2]) -> Option<Self> {
        None
    }

    /// There is no such process.
    pub(in super::super) fn let_go(self) -> Self {
        match self.handle {}
    }

    /// There is no such process.
    pub(in super::super) fn send(&self, _signal: i32) {
        match self.handle {}
    }

    /// There is no such process.
    pub(in super::super) fn is_marked(&self, _marker: &[u8]) -> bool {
        match self.handle {}
    }
}

/// Nobody's children can be listed.
pub(in super::super) fn children(_pid: i32) -> Vec<i32> {
    Vec::new()
}
