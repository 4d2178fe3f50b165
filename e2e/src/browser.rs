//! A real browser, without a window.

use crate::web;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What the browser is called; the continuous run installs it.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser without a window. Dropping it ends it with all its processes.
pub struct Browser {
    child: Child,
    profile: TempDir,
}

impl Browser {
    /// Opens a page; none if no browser is installed.
    pub fn open(url: &str) -> Option<Self> {
        let is_there = |name: &&&str| {
            let version = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        let name = BROWSERS.iter().find(is_there);
        assert!(name.is_some() || std::env::var_os("CI").is_none(), "the continuous run has a browser");
        let name = name?;
        let profile = tempfile::Builder::new().prefix("devloop-browser-").tempdir().unwrap();
        let mut command = Command::new(name);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--host-resolver-rules=MAP *.example 127.0.0.1",
            "--remote-debugging-port=0",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Some(Self { child, profile })
    }

    /// The titles of its pages at the moment.
    pub fn titles(&self) -> Vec<String> {
        let told = || {
            // The first line is the port of the browser's own server.
            let ports = std::fs::read_to_string(self.profile.path().join("DevToolsActivePort")).ok()?;
            let address = format!("127.0.0.1:{}", ports.lines().next()?);
            TcpStream::connect(&address).ok()?;
            // It does not close the connection, so the answer is read as long as it says to be.
            let pages = web::ask(&address, format!("GET /json/list HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
            let pages: serde_json::Value = serde_json::from_str(&pages.body).ok()?;
            Some(pages.as_array()?.iter().filter_map(|page| Some(page["title"].as_str()?.to_owned())).collect())
        };
        told().unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}
