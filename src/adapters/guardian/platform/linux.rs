//! Linux: adoption of orphans, death with the parent, `/proc`, and a start that copies no memory.
#![expect(unsafe_code, reason = "clone, signalfd, close_range, mallopt, prctl before exec")]

use std::ffi::{CStr, c_int, c_void};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Member;
use crate::adapters::guardian::spawn::{Failure, Plan, become_command, end};
use crate::adapters::guardian::{Step, signals};

/// Whether we can see what a child has started: everything that it leaves behind comes to us.
pub(in super::super) const SEES_DESCENDANTS: bool = true;

/// A pidfd, unless there were no descriptors left; then the number has to do, which was right a moment ago.
pub(super) type Handle = Option<OwnedFd>;

/// A stack for the few calls before `execve(2)`, in units of 16 bytes (its alignment): 64 KiB, of which one or two pages
/// are touched.
const STACK_LEN: usize = 4096;

/// Whether this process has more than one thread (`/proc/PID/task`, proc(5)).
pub(in super::super) fn has_threads() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1)
}

/// Names this process in lists of processes, makes it the one to whom orphans below it come, and has it woken by its
/// parent's end: whoever stopped both would else have stopped it for ever (`PR_SET_PDEATHSIG`, prctl(2); SIGCONT wakes
/// although it is blocked, signal(7)).
pub(in super::super) fn settle(name: &CStr) {
    let _ = rustix::thread::set_name(name);
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::CONT));
}

/// Gives a signal its default disposition. The C library would refuse the two that it uses itself (32 and 33), which may
/// have been ignored by whoever started us.
pub(in super::super) fn reset_disposition(signal: c_int) {
    // The kernel's own `struct sigaction` (rt_sigaction(2)) is at most this long; all zeros mean SIG_DFL.
    let action = [0_u64; 8];
    // SAFETY: the action is long enough and valid; the old one is not asked for; a bad number fails with EINVAL.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), std::ptr::null_mut::<c_void>(), 8_usize) };
}

/// Ends the calling process with its parent, also when that is already gone. Async-signal-safe.
pub(in super::super) fn die_with(parent: i32) {
    // SAFETY: both calls take integers only.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            end(127);
        }
    }
}

/// All our descriptors are closed on exec; this covers what a library may have opened without a word.
pub(in super::super) fn close_others_before_exec() {
    close_from(3);
}

/// Closes every descriptor from `first` on. Async-signal-safe.
pub(in super::super) fn close_from(first: u32) {
    // SAFETY: closing is all that happens, and nobody in this process uses those descriptors again.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) == 0 {
            return;
        }
        // Before Linux 5.9: up to the limit, which bounds the numbers that can be open.
        let last = c_int::try_from(libc::sysconf(libc::_SC_OPEN_MAX)).unwrap_or(65_536).min(1 << 20);
        for number in first.cast_signed()..last {
            libc::close(number);
        }
    }
}

/// Stretches of code that are given back at most; programs with more libraries keep the rest.
const STRETCHES_MAX: usize = 32;

/// Where code lies: addresses of first bytes, and lengths.
struct Stretches {
    found: [(usize, usize); STRETCHES_MAX],
    count: usize,
}

extern "C" fn note_code(object: *mut libc::dl_phdr_info, _size: usize, stretches: *mut c_void) -> c_int {
    // SAFETY: `dl_iterate_phdr(3)` passes a valid object with that many headers, and `forget_code` its stretches.
    let (object, headers, stretches) = unsafe {
        let object = &*object;
        let headers = std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into());
        (object, headers, &mut *stretches.cast::<Stretches>())
    };
    // SAFETY: `sysconf` takes an integer.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.cast_unsigned();
    for part in headers.iter().filter(|part| part.p_type == libc::PT_LOAD && part.p_flags & libc::PF_W == 0) {
        // Segments never share a page of memory, so their first and last pages are theirs alone.
        let start = (object.dlpi_addr + part.p_vaddr) & !(page - 1);
        let end = (object.dlpi_addr + part.p_vaddr + part.p_memsz).next_multiple_of(page);
        if let (Ok(start), Ok(length), Some(place)) =
            (start.try_into(), (end - start).try_into(), stretches.found.get_mut(stretches.count))
        {
            *place = (start, length);
            stretches.count += 1;
        }
    }
    0
}

/// Gives the pages of program and libraries back; those that are needed come again from the system's own copy.
///
/// All stretches are found before the first is given back, as each call in between would fetch some again.
pub(in super::super) fn forget_code() {
    let mut stretches = Stretches { found: [(0, 0); STRETCHES_MAX], count: 0 };
    // SAFETY: the callback fits its argument, and with one thread nobody loads or unloads meanwhile. What is not
    // writable holds nothing but the file's bytes, so dropping its pages loses nothing.
    unsafe {
        libc::dl_iterate_phdr(Some(note_code), (&raw mut stretches).cast());
        for (start, length) in stretches.found.iter().take(stretches.count) {
            libc::madvise(std::ptr::with_exposed_provenance_mut(*start), *length, libc::MADV_DONTNEED);
        }
    }
}

/// Blocks of memory from this size on, in bytes, go back to the system as soon as they are freed: glibc's own beginning
/// (`M_MMAP_THRESHOLD`, mallopt(3)).
#[cfg(target_env = "gnu")]
const LARGE: c_int = 128 * 1024;

/// Has large blocks of memory given back when they are freed. By itself glibc learns from each that is freed to take the
/// next ones from what it keeps, and what has lain between small ones once is never given back.
pub(in super::super) fn return_large_memory() {
    // SAFETY: `mallopt` takes integers and locks what it changes; a value that it does not like it ignores.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// A descriptor that becomes readable when a child ends (`signalfd(2)`).
#[derive(Debug)]
pub(in super::super) struct ChildSignal(OwnedFd);

impl ChildSignal {
    /// For the children of this process, in which SIGCHLD is blocked.
    pub(in super::super) fn new() -> io::Result<Self> {
        // SAFETY: the set is initialised by `sigemptyset`; the descriptor is new and ours.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
                -1 => Err(io::Error::last_os_error()),
                number => Ok(Self(OwnedFd::from_raw_fd(number))),
            }
        }
    }

    /// Forgets what was signalled: to be called before looking, so that an end during the look counts.
    pub(in super::super) fn drain(&self) {
        let mut room = [0; size_of::<libc::signalfd_siginfo>()];
        let _ = rustix::io::read(&self.0, &mut room);
    }
}

impl AsFd for ChildSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

struct Shared<'a> {
    plan: &'a Plan<'a>,
    failure: Option<Failure>,
}

extern "C" fn enter(shared: *mut c_void) -> c_int {
    // SAFETY: `start` passes a `Shared` and is suspended until this process has gone its own way.
    let shared = unsafe { &mut *shared.cast::<Shared<'_>>() };
    shared.failure = Some(become_command(shared.plan));
    end(127)
}

/// Starts a command in a process that borrows our memory until it executes (`clone(2)`, `CLONE_VM | CLONE_VFORK`): no
/// page is copied, and a failure comes back through the shared memory.
pub(in super::super) fn start(plan: &Plan<'_>) -> Result<i32, Failure> {
    let mut shared = Shared { plan, failure: None };
    let mut stack = Vec::<u128>::with_capacity(STACK_LEN);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack and `shared` outlive the borrowing, as this process is suspended until then; all signals are
    // blocked, so no handler runs on that stack. The compiler sees `shared` escape into the call.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(STACK_LEN);
        libc::clone(enter, top.cast(), flags, (&raw mut shared).cast())
    };
    if pid < 0 {
        return Err(Failure::last(Step::Fork));
    }
    match shared.failure {
        None => Ok(pid),
        Some(failure) => {
            signals::wait_for(pid);
            Err(failure)
        }
    }
}

impl Member {
    /// The process `pid`, if its parent is one of `parents`.
    pub(in super::super) fn look(pid: i32, parents: [i32; 2]) -> Option<Self> {
        // The handle first: what is read after it is about the same process, or the handle is dead.
        let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok();
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let [state, parent, group, session] = fields(&stat)?;
        parents.contains(&parent).then_some(Self { pid, group, session, is_zombie: state != 0, handle })
    }

    /// The same without a descriptor.
    pub(in super::super) fn let_go(mut self) -> Self {
        self.handle = None;
        self
    }

    /// Signals it.
    pub(in super::super) fn send(&self, signal: i32) {
        match (&self.handle, Signal::from_named_raw(signal)) {
            (Some(handle), Some(signal)) => {
                let _ = pidfd_send_signal(handle, signal);
            }
            _ => signals::send(self.pid, signal),
        }
    }

    /// Whether its environment, as it began, has exactly this `NAME=VALUE`.
    pub(in super::super) fn is_marked(&self, marker: &[u8]) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == marker)
    }
}

/// State (1 for an ended process), parent, group and session of `/proc/PID/stat` (proc(5)); the name before them may
/// contain anything.
fn fields(stat: &[u8]) -> Option<[i32; 4]> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut words = str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let has_ended = matches!(words.next()?, "Z" | "X" | "x");
    let mut number = || words.next()?.parse::<i32>().ok();
    Some([i32::from(has_ended), number()?, number()?, number()?])
}

/// The children of a process, those of all its threads.
pub(in super::super) fn children(pid: i32) -> Vec<i32> {
    if !has_children_files() {
        return children_by_parent(pid);
    }
    let mut found = Vec::new();
    let mut add = |path: String| {
        let list = fs::read_to_string(path).unwrap_or_default();
        found.extend(list.split_ascii_whitespace().filter_map(|word| word.parse::<i32>().ok()));
    };
    if pid == rustix::process::getpid().as_raw_pid() {
        add(format!("/proc/self/task/{pid}/children"));
        return found;
    }
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        add(format!("/proc/{pid}/task/{}/children", task.file_name().display()));
    }
    found
}

/// Whether the kernel lists children (`CONFIG_PROC_CHILDREN`); without that every process must be asked for its parent.
fn has_children_files() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| fs::exists("/proc/thread-self/children").unwrap_or(false))
}

fn children_by_parent(wanted: i32) -> Vec<i32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        fields(&stat).is_some_and(|[_, parent, ..]| parent == wanted)
    };
    pids.filter(is_child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_confuse_the_fields() {
        assert_eq!(fields(b"7 (a) Z (b)) S 3 4 5 0 -1"), Some([0, 3, 4, 5]));
        assert_eq!(fields(b"7 (x) Z 3 4 5 0"), Some([1, 3, 4, 5]));
        assert_eq!(fields(b""), None);
    }

    #[test]
    fn both_ways_to_find_children_agree() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        let me = std::process::id().cast_signed();
        assert!(children_by_parent(me).contains(&pid));
        // The test's own process has threads, so its children are found thread by thread.
        let listed = fs::read_dir("/proc/self/task").unwrap().flatten().any(|task| {
            let path = task.path().join("children");
            // A thread of another test may have ended since.
            let list = fs::read_to_string(path).unwrap_or_default();
            list.split_whitespace().any(|word| word == pid.to_string())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(listed);
    }
}
