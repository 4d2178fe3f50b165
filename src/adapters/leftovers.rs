//! What an earlier session left behind because it, its guardian and a keeper were killed in the same instant.
//!
//! Nobody is above such processes any more: only the marks in their environment say whose they are. Absent on purpose:
//! anything for systems without `/proc`; there nothing is found.

use crate::env_vars;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

/// How often is looked again for what was made while the others were killed.
const ROUNDS_MAX: usize = 100;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Kills what dead sessions of this state file have left of their process trees, and says how many processes that were.
///
/// Call it while the lock of the state file is held: then no session lives to which they could belong. Groups that the
/// user contains as such have no mark, so what they leave lives on.
pub fn sweep(state_file: &Path) -> usize {
    let marks = Marks::of(state_file);
    // Started below such a process, we and our guardian have its marks, and so have those who wait for us.
    if std::env::var_os(env_vars::LIFE).is_some()
        && std::env::var_os(env_vars::STATE).as_deref() == Some(state_file.as_os_str())
    {
        return 0;
    }
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let left: Vec<i32> = processes().filter(|pid| marks.are_on(*pid)).collect();
        if left.is_empty() {
            break;
        }
        for pid in left {
            if marks.kill(pid) {
                killed.insert(pid);
            }
        }
        std::thread::sleep(PAUSE);
    }
    killed.len()
}

/// All process ids of this moment.
fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// How the environment of a session's processes is recognised.
struct Marks {
    state: Vec<u8>,
    life: Vec<u8>,
}

impl Marks {
    fn of(state_file: &Path) -> Self {
        let begin = |name: &str| [name.as_bytes(), b"="].concat();
        let state = [begin(env_vars::STATE), OsStr::as_bytes(state_file.as_os_str()).to_vec()].concat();
        Self { state, life: begin(env_vars::LIFE) }
    }

    /// Whether a living process has the marks. One that belongs to somebody else, or is a zombie, shows none (proc(5)).
    fn are_on(&self, pid: i32) -> bool {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let variables = || environment.split(|byte| *byte == 0);
        variables().any(|variable| variable == self.state)
            && variables().any(|variable| variable.starts_with(&self.life))
    }

    /// Kills a process that has the marks. The descriptor holds the process, so its number cannot come to mean another.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kill(&self, pid: i32) -> bool {
        use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
        let Some(process) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            return false;
        };
        self.are_on(pid) && pidfd_send_signal(&process, Signal::KILL).is_ok()
    }

    /// Without `/proc` nobody comes here.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn kill(&self, _pid: i32) -> bool {
        false
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sleeper(marks: &[(&str, &str)]) -> std::process::Child {
        let mut command = Command::new("sleep");
        command.arg("1000").stdin(Stdio::null()).env_remove(env_vars::LIFE).envs(marks.iter().copied());
        command.spawn().unwrap()
    }

    #[test]
    fn only_what_has_both_marks_of_this_state_file_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, others) = (folder.path().join("ours.json"), folder.path().join("others.json"));
        let (state, life) = (env_vars::STATE, env_vars::LIFE);
        let (ours_text, others_text) = (ours.to_str().unwrap(), others.to_str().unwrap());
        let mut left = sleeper(&[(state, ours_text), (life, "1.web.1")]);
        let mut hook = sleeper(&[(state, ours_text)]);
        let mut strange = sleeper(&[(state, others_text), (life, "1.web.1")]);
        // Until its exec, a child has our own environment.
        while !Marks::of(&ours).are_on(left.id().cast_signed()) {
            std::thread::yield_now();
        }
        assert_eq!(sweep(&ours), 1);
        assert!(!left.wait().unwrap().success());
        for child in [&mut hook, &mut strange] {
            assert!(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(sweep(&ours), 0);
    }
}
