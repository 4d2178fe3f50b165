//! What an earlier session left behind because it, its guardian and a keeper were killed in the same instant.
//!
//! Nobody is above such processes any more: only the marks in their environment say whose they are, and for one that has
//! cleared its environment those of the others in its session. Absent on purpose: anything for systems without `/proc`;
//! there nothing is found.

use crate::env_vars;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often is looked again for what was made while the others were killed.
const ROUNDS_MAX: usize = 100;

/// Room for an environment as they mostly are, in bytes.
const ENVIRONMENT: usize = 64 * 1024;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// A sweep on a thread of its own, while a session is put together.
pub struct Sweep {
    thread: Option<JoinHandle<Swept>>,
    /// What was found without a thread.
    swept: Swept,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Processes that dead sessions had left, and that were killed.
    pub killed: Vec<i32>,
    /// Sessions with the same state file that still live, although the lock of that file was free: somebody removed it.
    pub living: Vec<i32>,
}

impl Sweep {
    /// Kills what dead sessions of this state file have left of their process trees.
    ///
    /// The lock of the state file must be held from before it until it has ended: then only a session whose lock was
    /// removed can live, and that is left alone. Groups that the user contains as such have no mark, so what they leave
    /// lives on.
    pub fn begin(state_file: &Path) -> Self {
        let own = state_file.to_owned();
        let thread = std::thread::Builder::new().name("devloop-sweep".to_owned()).spawn(move || sweep(&own)).ok();
        // Without a thread it is done at once.
        let swept = if thread.is_none() { sweep(state_file) } else { Swept::default() };
        Self { thread, swept }
    }

    /// Waits for its end, and says what was found.
    pub fn end(mut self) -> Swept {
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_default(),
            None => std::mem::take(&mut self.swept),
        }
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Kills them, and says whom.
fn sweep(state_file: &Path) -> Swept {
    let marks = Marks::of(state_file);
    // Started below such a process, we and our guardian have its marks, and so have those who wait for us.
    if std::env::var_os(env_vars::LIFE).is_some()
        && std::env::var_os(env_vars::STATE).as_deref() == Some(state_file.as_os_str())
    {
        return Swept::default();
    }
    let (mut swept, mut sessions) = (Swept::default(), Vec::new());
    for _ in 0..ROUNDS_MAX {
        let all: Vec<i32> = processes().collect();
        let (mut left, mut living) = (Vec::new(), Vec::new());
        for pid in &all {
            match marks.session_of(*pid) {
                Some(Whose::Living(session)) => add(&mut living, session),
                Some(Whose::Dead) => {
                    left.push(*pid);
                    if let Some(session) = orphaned_session(*pid) {
                        add(&mut sessions, session);
                    }
                }
                None => {}
            }
        }
        // Mostly there are none, and nobody is asked.
        let is_among = |pid| !sessions.is_empty() && living_in(pid).is_some_and(|session| sessions.contains(&session));
        left.extend(all.into_iter().filter(|pid| is_among(*pid) && !left.contains(pid)).collect::<Vec<_>>());
        // The kernel frees the lock of one that is killed a moment before that is seen: whoever lives, lives twice.
        let is_sure = living == swept.living;
        swept.living = living;
        if left.is_empty() && is_sure {
            break;
        }
        for pid in left {
            if kill(pid, |pid| marks.are_on(pid) || is_among(pid)) {
                add(&mut swept.killed, pid);
            }
        }
        std::thread::sleep(PAUSE);
    }
    swept
}

/// Adds a number once.
fn add(numbers: &mut Vec<i32>, number: i32) {
    if !numbers.contains(&number) {
        numbers.push(number);
    }
}

/// A field of a living process after its state, counted as in proc(5) (`stat`); none of a zombie.
fn field(pid: i32, number: usize) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let is_alive = !matches!(fields.next()?, "Z" | "X");
    fields.nth(number - 4)?.parse().ok().filter(|_| is_alive)
}

/// The session of a living process.
fn living_in(pid: i32) -> Option<i32> {
    field(pid, 6)?.try_into().ok()
}

/// When a living process began, in ticks since the machine did.
fn began(pid: i32) -> Option<u64> {
    field(pid, 22)
}

/// The session of a process, if nobody leads it any more: as long as the keeper that made it lives, it clears up itself,
/// and a session that somebody else leads is not ours because of one process in it. Its number means no other session as
/// long as a process is in it (setsid(2)). 0 is a session that is led from outside of our pid namespace
/// (`pid_namespaces(7)`).
fn orphaned_session(pid: i32) -> Option<i32> {
    let own = living_in(std::process::id().cast_signed())?;
    living_in(pid).filter(|session| ![own, 0].contains(session) && living_in(*session).is_none())
}

/// Kills a process that is still ours. The descriptor holds the process, so its number cannot come to mean another.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn kill(pid: i32, is_ours: impl Fn(i32) -> bool) -> bool {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(process) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    is_ours(pid) && pidfd_send_signal(&process, Signal::KILL).is_ok()
}

/// Without `/proc` nobody comes here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn kill(_pid: i32, _is_ours: impl Fn(i32) -> bool) -> bool {
    false
}

/// All process ids of this moment.
fn processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// To which session a marked process belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// To one that is gone.
    Dead,
    /// To the one of this process.
    Living(i32),
}

impl Whose {
    /// Tells by the mark, which begins with the number of the session's process. That is older than all that it starts;
    /// who is younger has only come to its number.
    fn of(pid: i32, life: &[u8]) -> Self {
        let number =
            life.split(|byte| *byte == b'.').next().and_then(|number| str::from_utf8(number).ok()?.parse().ok());
        let is_older = |session: &i32| began(*session).is_some_and(|at| began(pid).is_some_and(|own| at <= own));
        number.filter(is_older).map_or(Self::Dead, Self::Living)
    }
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

    /// Whether a living process has the marks, of a session that is gone.
    fn are_on(&self, pid: i32) -> bool {
        self.session_of(pid) == Some(Whose::Dead)
    }

    /// The session of a living process with the marks. One that belongs to somebody else, or is a zombie, shows none
    /// (proc(5)).
    fn session_of(&self, pid: i32) -> Option<Whose> {
        // Its size is not known before: with room for the most, it takes one call to read it and one to see its end.
        let mut environment = Vec::with_capacity(ENVIRONMENT);
        File::open(format!("/proc/{pid}/environ")).ok()?.take(u64::MAX).read_to_end(&mut environment).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let life = variables.clone().find_map(|variable| variable.strip_prefix(self.life.as_slice()))?;
        variables.any(|variable| variable == self.state).then(|| Whose::of(pid, life))
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A life of a session that is gone: no process has this number (`PID_MAX_LIMIT` is 2^22, proc(5)).
    const NOBODY: &str = "4194305.web.1";

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
        let mut left = sleeper(&[(state, ours_text), (life, NOBODY)]);
        let mut hook = sleeper(&[(state, ours_text)]);
        let mut strange = sleeper(&[(state, others_text), (life, NOBODY)]);
        // Until its exec, a child has our own environment.
        while !Marks::of(&ours).are_on(left.id().cast_signed()) {
            std::thread::yield_now();
        }
        assert_eq!(sweep(&ours).killed, [left.id().cast_signed()]);
        assert!(!left.wait().unwrap().success());
        for child in [&mut hook, &mut strange] {
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(sweep(&ours), Swept::default());
    }

    #[test]
    fn what_belongs_to_a_session_that_lives_without_its_lock_is_left_alone_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ours.json");
        let own = std::process::id().cast_signed();
        let life = format!("{own}.web.1");
        let mut child = sleeper(&[(env_vars::STATE, ours.to_str().unwrap()), (env_vars::LIFE, &life)]);
        let pid = child.id().cast_signed();
        while Marks::of(&ours).session_of(pid).is_none() {
            std::thread::yield_now();
        }
        assert_eq!(sweep(&ours), Swept { killed: Vec::new(), living: vec![own] });
        assert_eq!(child.try_wait().unwrap(), None);
        // Whoever is younger than what is left has only come to the number of its session.
        let mut younger = sleeper(&[]);
        while began(younger.id().cast_signed()) <= began(own) {
            younger.kill().unwrap();
            younger.wait().unwrap();
            younger = sleeper(&[]);
        }
        assert_eq!(Whose::of(own, format!("{}.web.1", younger.id()).as_bytes()), Whose::Dead);
        younger.kill().unwrap();
        younger.wait().unwrap();
        assert_eq!(Whose::of(own, b"x"), Whose::Dead);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Runs a script in a session of its own, and answers with the pids that it prints.
    fn session(script: &str, state_file: &Path) -> (std::process::Child, Vec<i32>) {
        use std::io::{BufRead as _, BufReader};
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", script]).env_remove(env_vars::LIFE).env_remove(env_vars::STATE);
        let marks = format!("{}={} {}={NOBODY}", env_vars::STATE, state_file.display(), env_vars::LIFE);
        let mut leader = command.env("MARKS", marks).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let line = BufReader::new(leader.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        (leader, line.split(' ').map(|pid| pid.parse().unwrap()).collect())
    }

    #[test]
    fn without_its_environment_a_process_is_known_by_the_marks_of_others_in_a_session_that_nobody_leads() {
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ours.json");
        let start = "env $MARKS sleep 1000 >/dev/null & a=$!; env -i sleep 1000 >/dev/null & echo $a $!";
        let (mut led, of_led) = session(&format!("{start}; wait"), &ours);
        let (mut gone, of_gone) = session(start, &ours);
        gone.wait().unwrap();
        while [of_led[0], of_gone[0]].iter().any(|pid| !Marks::of(&ours).are_on(*pid)) {
            std::thread::yield_now();
        }
        let killed = sweep(&ours).killed;
        let mut expected = [of_led[0], of_gone[0], of_gone[1]].to_vec();
        expected.retain(|pid| !killed.contains(pid));
        assert_eq!((killed.len(), expected), (3, Vec::new()));
        let live = |pids: &[i32]| pids.iter().filter(|pid| living_in(**pid).is_some()).count();
        assert_eq!((live(&of_gone), live(&of_led)), (0, 1));
        assert!(kill(of_led[1], |_| true));
        led.wait().unwrap();
    }
}
