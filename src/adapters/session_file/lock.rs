//! One session for each state file: a lock on a file beside it (`flock(2)`), which dies with its holder.

use crate::adapters::own_files::OwnFolder;
use rustix::fs::FlockOperation;
use rustix::process::{Pid, test_kill_process};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// How often the holder's pid is looked for: it writes it right after it has taken the lock.
const PID_TRIES_MAX: u32 = 50;

/// A lock that is held until it is dropped. Its descriptor is closed on exec, so no child can keep it.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NoLock {
    /// Somebody else has it.
    Held(Option<u32>),
    /// The system refused.
    Refused(io::Error),
}

impl Lock {
    /// Takes the lock, or says who has it. What a dead holder left in the file does not count.
    pub(super) fn take(folder: &OwnFolder, name: &OsStr) -> Result<Self, NoLock> {
        let file = folder.open_file(name).map_err(NoLock::Refused)?;
        if !file.metadata().map_err(NoLock::Refused)?.is_file() {
            return Err(NoLock::Refused(io::Error::other("it is not a regular file")));
        }
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let text = format!("{}\n", std::process::id());
                // The text is for people: a full disk is no reason to run without the lock, or not at all. What an
                // earlier holder wrote is cut off last, so that a reader finds a whole first line at any time.
                let _ = file.write_all_at(text.as_bytes(), 0).and_then(|()| file.set_len(text.len() as u64));
                Ok(Self { file })
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Err(NoLock::Held(holder(file))),
            Err(errno) => Err(NoLock::Refused(errno.into())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A copy of the descriptor between a fork and its exec would keep the lock a moment longer.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// The living process that the lock file names.
fn holder(mut file: File) -> Option<u32> {
    for _ in 0..PID_TRIES_MAX {
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.by_ref().take(32).read_to_string(&mut text));
        let pid = read.ok().and_then(|_| text.lines().next()?.trim().parse::<u32>().ok());
        if let Some(pid) = pid
            && is_alive(pid)
        {
            return Some(pid);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
