//! From a process of ours to another one: `fork(2)` for our own, and the way to `execve(2)` for a command.
#![expect(unsafe_code, reason = "fork, and what a new process does before it is a command")]

use std::ffi::{CStr, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::{Step, platform, signals};

/// What failed on the way, and the system's number for why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: i32,
}

impl Failure {
    /// With the error of the last system call.
    pub(super) fn last(step: Step) -> Self {
        Self { step, errno: io::Error::last_os_error().raw_os_error().unwrap_or_default() }
    }
}

/// A command, ready to be executed without an allocation.
pub(super) struct Plan<'a> {
    program: &'a [&'a CStr],
    cwd: &'a CStr,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    /// For 0, 1 and 2; without the first, stdin stays what it is.
    ends: [Option<BorrowedFd<'a>>; 3],
    keeper: i32,
}

/// Descriptors for 0 (what the caller has, if none), 1 and 2.
pub(super) type Ends<'a> = (Option<BorrowedFd<'a>>, BorrowedFd<'a>, BorrowedFd<'a>);

impl<'a> Plan<'a> {
    /// `argv` and `env` as `execve(2)` wants them, for a child of this process.
    pub(super) fn new(launch: &'a super::wire::Received<'_>, (stdin, stdout, stderr): Ends<'a>) -> Self {
        let ended = |words: &[&CStr]| words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
        Self {
            program: &launch.program,
            cwd: launch.cwd,
            argv: ended(&launch.argv),
            env: ended(&launch.env),
            ends: [stdin, Some(stdout), Some(stderr)],
            keeper: std::process::id().cast_signed(),
        }
    }
}

/// Starts the command; its pid, and that of its group. When it fails nothing is left of it.
pub(super) fn start(plan: &Plan<'_>) -> Result<i32, Failure> {
    platform::start(plan).map_err(|failure| {
        // A program that is there and yet "not found" lacks what its first line or its ELF header asks for.
        let is_there = |path: &&CStr| rustix::fs::access(*path, rustix::fs::Access::EXISTS).is_ok();
        if failure.step == Step::Exec && failure.errno == libc::ENOENT && plan.program.iter().any(is_there) {
            return Failure { step: Step::Interpreter, ..failure };
        }
        failure
    })
}

/// Makes the calling process the command; returns only when that failed. Async-signal-safe and without allocation: it
/// runs in a process that shares its memory with the keeper, or is a mere copy of it.
pub(super) fn become_command(plan: &Plan<'_>) -> Failure {
    // SAFETY: all are system calls with integers, or with pointers to NUL-terminated words and NULL-terminated lists
    // that `plan` keeps alive.
    unsafe {
        platform::die_with(plan.keeper);
        if libc::setpgid(0, 0) != 0 {
            return Failure::last(Step::Prepare);
        }
        for (end, number) in plan.ends.iter().zip(0..) {
            // Ours are never 0, 1 or 2, so `dup2` always makes a new descriptor, which stays open over `execve`.
            if let Some(end) = end
                && libc::dup2(end.as_raw_fd(), number) < 0
            {
                return Failure::last(Step::Prepare);
            }
        }
        platform::close_others_before_exec();
        if libc::chdir(plan.cwd.as_ptr()) != 0 {
            return Failure::last(Step::Chdir);
        }
        signals::unblock_all();
        execute(plan)
    }
}

/// Tries one path after the other. A refusal (EACCES) says more than an absence, as in `execvp(3)`.
fn execute(plan: &Plan<'_>) -> Failure {
    let mut telling = Failure { step: Step::Exec, errno: libc::ENOENT };
    for path in plan.program {
        // SAFETY: see `become_command`.
        unsafe { libc::execve(path.as_ptr(), plan.argv.as_ptr(), plan.env.as_ptr()) };
        let failure = Failure::last(Step::Exec);
        match failure.errno {
            libc::EACCES => telling = failure,
            libc::ENOENT | libc::ENOTDIR => {}
            _ => return failure,
        }
    }
    telling
}

/// Forks this single-threaded process; the new one does `run` and never comes back, not even by a panic.
pub(super) fn fork(run: impl FnOnce()) -> io::Result<i32> {
    // SAFETY: with one thread no lock can be held by another one, so the copy may do whatever the original may.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let _never_back = EndOnDrop;
            run();
            end(0)
        }
        pid => Ok(pid),
    }
}

/// Ends the process when a panic would otherwise unwind into the caller's code, in a copy of the caller.
struct EndOnDrop;

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        end(101);
    }
}

/// Ends this process without the caller's exit handlers, which belong to the process that we are a copy of.
pub(super) fn end(code: i32) -> ! {
    // SAFETY: `_exit` takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// The number of the one descriptor that a process of ours holds besides 0, 1 and 2.
const HELD: i32 = 3;

/// Closes everything but 0, 1, 2 and this descriptor.
pub(super) fn hold_only(end: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: whatever had that number belongs to the process that we are a copy of, and is not used in this one.
    unsafe {
        if libc::dup2(end.as_raw_fd(), HELD) < 0 || libc::fcntl(HELD, libc::F_SETFD, libc::FD_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        platform::close_from(HELD.cast_unsigned() + 1);
        Ok(OwnedFd::from_raw_fd(HELD))
    }
}
