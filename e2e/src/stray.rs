//! A process that lives on because a test asked for it, and ends with the test.

use crate::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// A process that is killed when this is dropped, so that no test leaves it behind.
#[derive(Debug)]
pub struct Stray(u32);

impl Stray {
    /// The process whose pid a file holds, once it does.
    pub fn in_file(path: &Path) -> Self {
        Self(wait::pid(path))
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.0
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        wait::is_alive(self.0)
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        if self.is_alive() {
            let _ = signal(self.0, Signal::KILL);
        }
    }
}

/// Sends a signal to any process.
pub fn signal(pid: u32, signal: Signal) -> rustix::io::Result<()> {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal)
}
