//! Signals and the ends of our own children, as the system has them.
#![expect(unsafe_code, reason = "rustix leaves out dispositions, masks, and signals by number")]

use std::io;

use super::{ExitStatus, platform};

/// What `waitpid(2)` knows about our children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaped {
    /// This one ended, and is reaped.
    Child(i32, ExitStatus),
    /// There are children, and all of them live.
    NothingYet,
    /// There are no children, neither living nor ended.
    NoChildren,
}

/// Default dispositions and everything blocked: nothing but SIGKILL and SIGSTOP has an effect, and a child that only
/// empties its mask begins as a child should.
pub(super) fn deafen() {
    // The highest real-time signal of Linux is 64; numbers that a system lacks are refused.
    (1..=64).for_each(platform::reset_disposition);
    // SAFETY: a zeroed set is valid storage, `sigfillset` initialises it, and the old mask is not asked for.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

/// Empties the mask. Async-signal-safe: for the moment before `execve(2)`.
pub(super) fn unblock_all() {
    // SAFETY: as in `deafen`, with an empty set.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Does something while no signal comes to this thread; those that come meanwhile come afterwards (`pthread_sigmask(3)`).
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: zeroed sets are valid storage; `sigfillset` initialises one, and the call the other.
    let before = unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    };
    let done = work();
    // SAFETY: the set is the one that the call above has filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    done
}

/// Whether a signal is ignored, as `nohup` leaves SIGHUP (sigaction(2)); devloop then leaves it so.
pub fn is_ignored(signal: rustix::process::Signal) -> bool {
    // SAFETY: all zeroes is a valid `sigaction`, and with a null new action the call only fills it in.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal.as_raw(), std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// From now on a read of the terminal fails in the background (`EIO`, termios(3)) and does not stop devloop (SIGTTIN).
/// Children have dispositions of their own.
pub fn ignore_background_reads() {
    // SAFETY: an ignored signal has no handler that could be wrong, and the call touches no memory of ours.
    unsafe { libc::signal(libc::SIGTTIN, libc::SIG_IGN) };
}

/// Signals a child of ours that we have not reaped, so that its pid is still its own.
pub(super) fn send(pid: i32, signal: i32) {
    if pid > 1 {
        // SAFETY: `kill` touches no memory.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Signals a process group (0 only asks); false when there is none, or nothing in it that can be signalled.
pub(super) fn send_group(group: i32, signal: i32) -> bool {
    // SAFETY: `kill` touches no memory; 1 and below would mean other things than one group.
    group > 1 && unsafe { libc::kill(-group, signal) } == 0
}

/// How this child of ours ended, if it has; it stays a zombie, so its pid and its group stay its own.
pub(super) fn ended(pid: i32) -> Option<ExitStatus> {
    // SAFETY: a zeroed siginfo is valid; `waitid` fills it in, or leaves its pid 0 when there is nothing to say.
    unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let failed = libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut found, flags) != 0;
        if failed || found.si_pid() != pid {
            return None;
        }
        Some(match found.si_code {
            libc::CLD_EXITED => ExitStatus::Code(found.si_status()),
            _ => ExitStatus::Signal(found.si_status()),
        })
    }
}

/// Reaps this child of ours if it has ended.
pub(super) fn reap(pid: i32) {
    wait(pid, libc::WNOHANG);
}

/// Reaps any child of ours.
pub(super) fn reap_any() -> Reaped {
    wait(-1, libc::WNOHANG)
}

/// Wakes this child of ours if somebody has stopped it (`waitid(2)`, `WSTOPPED`).
pub(super) fn wake_if_stopped(pid: i32) {
    // SAFETY: a zeroed siginfo is valid; `waitid` fills it in, or leaves its pid 0 when there is nothing to say.
    let is_stopped = unsafe {
        let mut found: libc::siginfo_t = std::mem::zeroed();
        let failed =
            libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut found, libc::WSTOPPED | libc::WNOHANG) != 0;
        !failed && found.si_pid() == pid
    };
    if is_stopped {
        send(pid, libc::SIGCONT);
    }
}

/// Waits for the end of this child of ours, and reaps it.
pub(super) fn wait_for(pid: i32) {
    wait(pid, 0);
}

fn wait(pid: i32, flags: i32) -> Reaped {
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for the write.
        match unsafe { libc::waitpid(pid, &raw mut status, flags) } {
            0 => return Reaped::NothingYet,
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Reaped::NoChildren,
            found if libc::WIFSIGNALED(status) => {
                return Reaped::Child(found, ExitStatus::Signal(libc::WTERMSIG(status)));
            }
            found => return Reaped::Child(found, ExitStatus::Code(libc::WEXITSTATUS(status))),
        }
    }
}
