//! A running `devloop run`, its lines, and its end.

use crate::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// A running devloop. Dropping it kills it.
pub struct Session {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// Lines of one stream, as they come.
#[derive(Clone, Default)]
struct Lines(Arc<(Mutex<Heard>, Condvar)>);

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    is_over: bool,
}

impl Session {
    /// Starts a command and reads both its streams.
    pub fn start(command: Command) -> Self {
        Self::start_into(command, Stdio::piped(), Stdio::piped())
    }

    /// Starts a command. Only streams that are `piped` are read.
    pub fn start_into(mut command: Command, stdout: Stdio, stderr: Stdio) -> Self {
        let mut child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        // The ends that the command holds for its next start must not keep a pipe open.
        drop(command);
        let stdout = child.stdout.take().map_or_else(Lines::none, Lines::read);
        let stderr = child.stderr.take().map_or_else(Lines::none, Lines::read);
        Self { child, stdout, stderr }
    }

    /// A session that was started on a terminal: what that shows is read as its stderr.
    pub fn of(child: Child, screen: impl Read + Send + 'static) -> Self {
        Self { child, stdout: Lines::none(), stderr: Lines::read(screen) }
    }

    /// From now on a stream is read as the session's stdout.
    pub fn hear_stdout(&mut self, stream: impl Read + Send + 'static) {
        self.stdout = Lines::read(stream);
    }

    /// From now on a stream is read as the session's stderr.
    pub fn hear_stderr(&mut self, stream: impl Read + Send + 'static) {
        self.stderr = Lines::read(stream);
    }

    /// What the session log holds so far.
    pub fn log(&self) -> String {
        let line = self.wait_for("writing session log: ");
        let path = line.split_once("writing session log: ").unwrap().1;
        String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
    }

    /// devloop's pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a fragment on stderr (devloop's own lines), and gives its line back.
    pub fn wait_for(&self, fragment: &str) -> String {
        self.wait_for_count(fragment, 1)
    }

    /// Waits until a fragment has come this many times on stderr, and gives the last line back.
    pub fn wait_for_count(&self, fragment: &str, count: usize) -> String {
        self.stderr.wait_for(fragment, count, &|| self.told())
    }

    /// Waits for a fragment on stdout (what children wrote to stdout), and gives its line back.
    pub fn wait_for_stdout(&self, fragment: &str) -> String {
        self.stdout.wait_for(fragment, 1, &|| self.told())
    }

    /// Lines of stderr so far that hold a fragment.
    pub fn count(&self, fragment: &str) -> usize {
        self.stderr.lines().iter().filter(|line| line.contains(fragment)).count()
    }

    /// All lines of stderr so far.
    pub fn stderr_lines(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// All lines of stdout so far.
    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// Sends devloop a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Waits for the end, and until both streams have been read to theirs.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait::until("devloop ends", || self.child.try_wait().unwrap());
        self.stdout.wait_for_end();
        self.stderr.wait_for_end();
        status
    }

    /// Asks for the end with SIGINT and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Everything heard so far, for messages of failed tests.
    pub fn told(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout.lines().join("\n"), self.stderr.lines().join("\n"))
    }
}

impl Drop for Session {
    #[expect(clippy::print_stderr, reason = "the harness shows it with the failure, and only then")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("what devloop said:\n{}", self.told());
        }
    }
}

impl Lines {
    /// A stream that nobody reads.
    fn none() -> Self {
        let lines = Self::default();
        lines.change(|heard| heard.is_over = true);
        lines
    }

    fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let shared = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                shared.change(|heard| heard.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            shared.change(|heard| heard.is_over = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    fn wait_for(&self, fragment: &str, count: usize, told: &dyn Fn() -> String) -> String {
        let began = Instant::now();
        let mut heard = self.0.0.lock().unwrap();
        loop {
            if let Some(line) = heard.lines.iter().filter(|line| line.contains(fragment)).nth(count - 1) {
                return line.clone();
            }
            let left = wait::DEADLINE.saturating_sub(began.elapsed());
            if left.is_zero() || heard.is_over {
                drop(heard);
                panic!("'{fragment}' did not come {count} times\n{}", told());
            }
            heard = self.0.1.wait_timeout(heard, left).unwrap().0;
        }
    }

    fn wait_for_end(&self) {
        wait::until("a stream of devloop ends", || self.0.0.lock().unwrap().is_over.then_some(()));
    }
}
