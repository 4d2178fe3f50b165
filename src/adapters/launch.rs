//! Tool of process, hook and probe: a command of the plan becomes a child with its output attached.

use crate::adapters::environment::{Environment, Resolved};
use crate::adapters::guardian::{self, Child, Contain, Guardian, Launch, Report, Stdin, Step};
use crate::adapters::output::{ChildStreams, Drained, Output, StreamsId};
use devloop_core::fact::{ExitStatus, StartFailure};
use devloop_core::plan::command::CommandPlan;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tokio::sync::oneshot;

/// Starts children.
#[derive(Clone)]
pub struct Launcher {
    guardian: Rc<Guardian>,
    output: Output,
    environment: Rc<Environment>,
    root: PathBuf,
}

/// What a child is to be, beside its command.
pub struct Manner {
    /// Variables of devloop's own, after all others.
    pub ours: Vec<(OsString, OsString)>,
    /// What it reads.
    pub stdin: Stdin,
    /// What belongs to it.
    pub contain: Contain,
}

/// A child that was asked for; whether it runs is its keeper's first report.
pub struct Launched {
    /// The child.
    pub child: Child,
    /// Its output.
    pub streams: StreamsId,
}

impl Launcher {
    /// A launcher for one session.
    pub fn new(guardian: Rc<Guardian>, output: Output, environment: Rc<Environment>, root: &Path) -> Self {
        Self { guardian, output, environment, root: root.to_path_buf() }
    }

    /// What children see.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Waits until the guardian is gone.
    pub async fn guardian_lost(&self) {
        self.guardian.lost().await;
    }

    /// Starts a command. `streams` makes the output's options from the read ends of its pipes.
    pub fn launch(
        &self,
        command: &CommandPlan,
        manner: Manner,
        streams: impl FnOnce(OwnedFd, OwnedFd) -> ChildStreams,
    ) -> Result<Launched, StartFailure> {
        let resolved = self.environment.resolve(command)?;
        let pipes = pipe().and_then(|stdout| Ok((stdout, pipe()?)));
        let ((stdout, stdout_end), (stderr, stderr_end)) =
            pipes.map_err(|error| refused("pipes for its output cannot be made", &error))?;
        let child = self.start(&resolved, manner, stdout_end, stderr_end)?;
        let streams = self.output.attach(streams(stdout, stderr));
        Ok(Launched { child, streams })
    }

    /// Starts a command whose output nobody reads.
    pub fn launch_unheard(&self, command: &CommandPlan, manner: Manner) -> Result<Child, StartFailure> {
        let resolved = self.environment.resolve(command)?;
        let null = || rustix::fs::open("/dev/null", rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty());
        let ends = null().and_then(|stdout| Ok((stdout, null()?)));
        let (stdout, stderr) = ends.map_err(|error| refused("/dev/null cannot be opened", &error.into()))?;
        self.start(&resolved, manner, stdout, stderr)
    }

    fn start(&self, resolved: &Resolved, manner: Manner, stdout: OwnedFd, stderr: OwnedFd) -> Result<Child, StartFailure> {
        let program = resolved.argv.first().map_or(OsStr::new(""), OsString::as_os_str);
        let mut env = resolved.env.clone();
        env.extend(manner.ours);
        let path = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let launch = Launch {
            program: guardian::candidates(program, path, &self.root, &resolved.cwd),
            argv: resolved.argv.clone(),
            cwd: resolved.cwd.clone(),
            stdin: manner.stdin,
            contain: manner.contain,
            marker: None,
            stdout,
            stderr,
            env,
        };
        self.guardian.launch(launch).map_err(|error| refused("the guardian cannot be asked", &error))
    }

    /// Reads what a dead child has left in its pipes, shows it, and gives back what was captured.
    pub async fn drain(&self, streams: StreamsId) -> Drained {
        let (done, drained) = oneshot::channel();
        self.output.drain(streams, done);
        // The answer is missing only when the output has ended, and then nothing was captured either.
        drained.await.unwrap_or_default()
    }
}

/// Words for a start that the system refused.
pub fn start_failure(command: &CommandPlan, step: Step, errno: i32) -> StartFailure {
    let error = io::Error::from_raw_os_error(errno);
    let program = command.argv.first().map_or("", |word| word.source());
    let what = match step {
        Step::Fork => "no process can be made".to_owned(),
        Step::Prepare => "its pipes and process group cannot be made".to_owned(),
        Step::Chdir => format!("its working folder '{}' cannot be entered", command.cwd.display()),
        Step::Exec if error.kind() == io::ErrorKind::NotFound && !program.contains('/') => {
            format!("program '{program}' is in no folder of its PATH")
        }
        Step::Exec => format!("program '{program}' cannot be executed"),
        Step::Interpreter => format!("what should run program '{program}' (its `#!` line or loader) is not there"),
    };
    refused(what, &error)
}

/// A failure in words, with the system's own.
pub fn refused(what: impl Into<String>, error: &io::Error) -> StartFailure {
    StartFailure::Refused { what: what.into(), error: error.to_string() }
}

/// The status in the core's words.
pub fn status(status: guardian::ExitStatus) -> ExitStatus {
    match status {
        guardian::ExitStatus::Code(code) => ExitStatus::Code(code),
        guardian::ExitStatus::Signal(number) => ExitStatus::Signal(number),
    }
}

/// Reads a child's reports up to the first that says how it ended, if its keeper lives that long.
pub async fn ended(child: &mut Child) -> Option<Report> {
    while let Some(report) = child.next_report().await {
        match report {
            Report::Started { .. } | Report::Stuck { .. } => {}
            Report::StartFailed { .. } | Report::Exited(_) | Report::Gone => return Some(report),
        }
    }
    None
}

/// Read end, write end.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?);
    #[cfg(not(target_os = "linux"))]
    {
        // Children never inherit them: keepers close all but what they were sent.
        Ok(rustix::pipe::pipe()?)
    }
}
