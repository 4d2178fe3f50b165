//! Tool of process, hook and probe: a command of the plan becomes a child with its output attached.

use crate::adapters::environment::{ChangedFilesFile, Environment, Resolved};
use crate::adapters::guardian::{self, Child, Contain, Guardian, Launch, Report, Stdin, Step};
use crate::adapters::http::{Access, Grant, Pass};
use crate::adapters::output::{ChildStreams, Drained, Output, StreamsId};
use crate::env_vars;
use devloop_core::effect::Errand;
use devloop_core::fact::{ExitStatus, StartFailure};
use devloop_core::plan::command::CommandPlan;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::error::Elapsed;

/// Starts children.
#[derive(Clone)]
pub struct Launcher {
    guardian: Rc<Guardian>,
    output: Output,
    environment: Arc<Environment>,
    access: Access,
    root: PathBuf,
}

/// What a child is to be, beside its command.
pub struct Manner<'a> {
    /// What it is told about why it runs.
    pub errand: &'a Errand,
    /// Names a life of a process: by it the guardian finds what a tree has left when its keeper was killed.
    pub life: Option<String>,
    /// What it may post; nothing for a probe.
    pub grant: Option<Grant>,
    /// What comes before `command[1]` where a failure names a key: `readiness.` for a probe.
    pub key_prefix: &'static str,
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
    /// A long list of changed files; kept until the child has ended.
    pub changed_files: Option<ChangedFilesFile>,
    /// Its token, which dies when this is revoked or dropped.
    pub pass: Option<Pass>,
}

impl Launcher {
    /// A launcher for one session.
    pub fn new(
        guardian: Rc<Guardian>,
        output: Output,
        environment: Arc<Environment>,
        access: Access,
        root: &Path,
    ) -> Self {
        Self { guardian, output, environment, access, root: root.to_path_buf() }
    }

    /// What children see.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Where lines go.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// A child runs: the next keeper is made now, when that takes no processor from a start.
    pub fn prepare_next(&self) {
        self.guardian.prepare(1);
    }

    /// As many children as this will start soon, and until then there is time.
    pub fn prepare(&self, count: usize) {
        self.guardian.prepare(count);
    }

    /// Pauses all children.
    pub fn suspend_all(&self) {
        self.guardian.suspend_all();
    }

    /// Continues all children.
    pub fn resume_all(&self) {
        self.guardian.resume_all();
    }

    /// Waits until the guardian is gone.
    pub async fn guardian_lost(&self) {
        self.guardian.lost().await;
    }

    /// Lets the guardian end, which it does when no child is left, and waits for that.
    pub async fn dismiss_guardian(&self, within: Duration) -> Result<(), Elapsed> {
        self.guardian.dismiss();
        tokio::time::timeout(within, self.guardian.lost()).await
    }

    /// Starts a command. `streams` makes the output's options from the read ends of its pipes.
    pub fn launch(
        &self,
        command: &CommandPlan,
        manner: &Manner<'_>,
        streams: impl FnOnce(OwnedFd, OwnedFd) -> ChildStreams,
    ) -> Result<Launched, StartFailure> {
        let mut resolved = self.environment.resolve(command, manner.key_prefix, manner.errand)?;
        let pass = self.access.admit(manner.grant.as_ref(), &mut resolved.env);
        let pass = pass.map_err(|error| refused("its token cannot be made", &error))?;
        let pipes = pipe().and_then(|stdout| Ok((stdout, pipe()?)));
        let ((stdout, stdout_end), (stderr, stderr_end)) =
            pipes.map_err(|error| refused("pipes for its output cannot be made", &error))?;
        let (child, changed_files) = self.start(resolved, manner, stdout_end, stderr_end)?;
        let streams = self.output.attach(streams(stdout, stderr));
        Ok(Launched { child, streams, changed_files, pass })
    }

    /// Starts a command whose output nobody reads.
    pub fn launch_unheard(&self, command: &CommandPlan, manner: &Manner<'_>) -> Result<Child, StartFailure> {
        let resolved = self.environment.resolve(command, manner.key_prefix, manner.errand)?;
        let null = || {
            rustix::fs::open(
                "/dev/null",
                rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            )
        };
        let ends = null().and_then(|stdout| Ok((stdout, null()?)));
        let (stdout, stderr) = ends.map_err(|error| refused("/dev/null cannot be opened", &error.into()))?;
        self.start(resolved, manner, stdout, stderr).map(|(child, _)| child)
    }

    fn start(
        &self,
        resolved: Resolved,
        manner: &Manner<'_>,
        stdout: OwnedFd,
        stderr: OwnedFd,
    ) -> Result<(Child, Option<ChangedFilesFile>), StartFailure> {
        let Resolved { argv, mut env, cwd, changed_files } = resolved;
        env.extend(manner.life.iter().map(|life| (env_vars::LIFE.into(), life.into())));
        let program = argv.first().map_or(OsStr::new(""), OsString::as_os_str);
        let path = env.iter().find(|(name, _)| name == env_vars::PATH).map(|(_, value)| value.as_os_str());
        let launch = Launch {
            program: guardian::candidates(program, path, &self.root, &cwd),
            argv,
            cwd,
            stdin: manner.stdin,
            contain: manner.contain,
            marker: manner.life.as_ref().map(|life| format!("{}={life}", env_vars::LIFE)),
            stdout,
            stderr,
            env,
        };
        let child = self.guardian.launch(launch).map_err(|error| refused("the guardian cannot be asked", &error))?;
        Ok((child, changed_files))
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
        Step::Exec if error.kind() == io::ErrorKind::PermissionDenied => {
            format!("program '{program}' cannot be executed (`chmod +x` makes a file executable)")
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

/// Reads a child's reports up to the first that says how it ended, if its keeper lives that long. `started` hears its
/// process id.
pub async fn ended(child: &mut Child, started: impl Fn(u32)) -> Option<Report> {
    while let Some(report) = child.next_report().await {
        match report {
            Report::Started { pid } => started(pid),
            Report::Stuck { .. } => {}
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
