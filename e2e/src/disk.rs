//! A small file system of its own for a session: one that can be full, or covered by a read-only one, and that nobody else sees.

use crate::wait;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A tmpfs in a mount namespace. It is gone with the last process in it.
pub struct Disk {
    shell: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Disk {
    /// Mounts an empty file system of this size (`tmpfs(5)`, `size`) over a folder that exists. None where the machine
    /// lets nobody have namespaces; that is told on stderr.
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        let mut shell = Command::new("unshare")
            .args(["-rm", "sh"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (orders, answers) = (shell.stdin.take()?, BufReader::new(shell.stdout.take()?));
        let mut disk = Self { shell, orders, answers, folder: folder.to_owned() };
        let is_mounted = disk.run(&format!("mount -t tmpfs -o size={size} tmpfs '{}'", folder.display()));
        if !is_mounted {
            let mut stderr = std::io::stderr();
            let _ = writeln!(stderr, "this machine gives no mount namespace: another full disk is used");
        }
        is_mounted.then_some(disk)
    }

    /// Runs a script where the file system is seen; whether it succeeded.
    pub fn run(&mut self, script: &str) -> bool {
        let mut answer = String::new();
        let asked = writeln!(self.orders, "({script}) >/dev/null; echo $?");
        asked.is_ok() && self.answers.read_line(&mut answer).is_ok() && answer.trim() == "0"
    }

    /// Takes all the room that is left.
    pub fn fill(&mut self) {
        let path = self.folder.join("filler");
        let script =
            format!("for size in 4096 1; do dd if=/dev/zero bs=$size >> '{}' 2>/dev/null; done", path.display());
        self.run(&script);
        assert!(std::fs::metadata(self.seen(&path)).unwrap().len() > 0, "nothing is full");
    }

    /// Gives the room back.
    pub fn free(&mut self) {
        let path = self.folder.join("filler");
        assert!(self.run(&format!("rm '{}'", path.display())));
    }

    /// Puts a read-only file system in front of it; the system refuses to make one read-only whose files are open.
    pub fn cover(&mut self) {
        assert!(self.run(&format!("mount -t tmpfs -o ro tmpfs '{}'", self.folder.display())));
    }

    /// Takes that away again.
    pub fn uncover(&mut self) {
        let script = format!("umount '{}'", self.folder.display());
        // Who writes there at this moment keeps it busy for as long.
        wait::until("nobody holds it", || self.run(&script).then_some(()));
    }

    /// The command, where the file system is seen.
    pub fn command(&self, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.shell.id().to_string(), "-U", "-m", "--preserve-credentials"]);
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(inner.get_current_dir().unwrap_or(Path::new("/")));
        command.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Where others see a path below the file system.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix("/").unwrap_or(path);
        Path::new("/proc").join(self.shell.id().to_string()).join("root").join(below)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
