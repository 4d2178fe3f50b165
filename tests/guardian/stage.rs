//! What the cases have in common: launches of shell scripts, and a look at the processes of this machine.

use std::ffi::OsString;
use std::fs::{self, File};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use devloop::adapters::guardian::{self, Child, Contain, ExitStatus, Guardian, Launch, Report, Stdin};

/// Generous: a wait that reaches it has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// One case's guardian, folder, and token.
pub(crate) struct Stage {
    pub(crate) guardian: Guardian,
    pub(crate) folder: tempfile::TempDir,
    /// An argument for `sleep` that is in no other case, by which its processes are found.
    pub(crate) token: String,
}

/// Forks a guardian and runs the case with it.
pub(crate) fn play<F: Future<Output = ()>>(case: impl FnOnce(Stage) -> F) {
    let guardian = guardian::fork().unwrap();
    guardian.prepare(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = format!("1000{}", std::process::id());
    runtime.block_on(case(Stage { guardian, folder: tempfile::tempdir().unwrap(), token }));
}

impl Stage {
    /// A launch of a shell script in which `TOKEN` stands for this case's token; it writes into `out`.
    pub(crate) fn sh(&self, script: &str) -> Launch {
        let script = script.replace("TOKEN", &self.token);
        let out = File::options().create(true).append(true).open(self.out()).unwrap();
        Launch {
            program: vec!["/bin/sh".into()],
            argv: vec!["sh".into(), "-c".into(), script.into()],
            env: vec![
                ("PATH".into(), std::env::var_os("PATH").unwrap()),
                ("TOKEN".into(), OsString::from(&self.token)),
            ],
            cwd: self.folder.path().to_owned(),
            stdin: Stdin::Null,
            contain: Contain::Tree,
            marker: None,
            stdout: out.try_clone().unwrap().into(),
            stderr: out.into(),
        }
    }

    /// The file that takes what children write.
    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// What they have written.
    pub(crate) fn written(&self) -> String {
        fs::read_to_string(self.out()).unwrap_or_default()
    }

    /// Starts a launch that works.
    pub(crate) async fn start(&self, launch: Launch) -> (Child, u32) {
        let mut child = self.guardian.launch(launch).unwrap();
        match child.next_report().await {
            Some(Report::Started { pid }) => (child, pid),
            other => panic!("not started: {other:?}"),
        }
    }

    /// Starts a launch and waits for its end.
    pub(crate) async fn run(&self, launch: Launch) -> ExitStatus {
        let (mut child, _) = self.start(launch).await;
        let status = exited(&mut child).await;
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(within(child.next_report()).await, None);
        status
    }

    /// Waits until this many processes have the token in their arguments.
    pub(crate) async fn count_is(&self, count: usize) {
        let is_so = || with_token(&self.token).len() == count;
        until(is_so, || format!("{count} processes with the token, not {:?}", with_token(&self.token))).await;
    }
}

/// Waits for the report of the command's end.
pub(crate) async fn exited(child: &mut Child) -> ExitStatus {
    match within(child.next_report()).await {
        Some(Report::Exited(status)) => status,
        other => panic!("no exit: {other:?}"),
    }
}

/// Waits for something, for not too long.
pub(crate) async fn within<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, wanted).await.expect("it happens in time")
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool, what: impl Fn() -> String) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "never: {}", what());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// All processes of this machine.
fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Processes with this text in their arguments.
pub(crate) fn with_token(token: &str) -> Vec<u32> {
    let has_token = |pid: &u32| {
        let words = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(token)
    };
    pids().filter(has_token).collect()
}

/// Processes with this text in their arguments or in their environment, zombies left out.
pub(crate) fn with_trace(token: &str) -> Vec<u32> {
    let has_trace = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(token)
    };
    let traced: Vec<u32> = pids().filter(|pid| *pid != std::process::id()).filter(has_trace).collect();
    [with_token(token), traced].concat()
}

/// One line of `/proc/PID/status`, without its name.
pub(crate) fn status(pid: u32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Children of a process, with their names.
pub(crate) fn children(parent: u32) -> Vec<(u32, String)> {
    let parent = parent.to_string();
    let is_child = |pid: &u32| status(*pid, "PPid").is_some_and(|found| found == parent);
    pids().filter(is_child).filter_map(|pid| Some((pid, status(pid, "Name")?))).collect()
}

/// Sends a signal to a process of the case.
pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
