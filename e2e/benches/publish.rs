//! How long nobody answers while an artifact is published, beside what the server itself needs to stop and to start.
//!
//! A client asks every millisecond, with a new connection each time. The gap is the time from the last answer of the old
//! server to the first of the new one. `PUBLISHES=n` says how many times; figures are in milliseconds.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that fails must say so loudly")]

use e2e::{Project, programs, wait};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Publishes without `PUBLISHES`.
const PUBLISHES: usize = 30;

/// When which body was answered.
type Answers = Arc<Mutex<Vec<(Instant, String)>>>;

/// Asks every millisecond until it is dropped.
struct Client {
    over: Arc<AtomicBool>,
    answers: Answers,
}

impl Client {
    fn of(address: &str) -> Self {
        let client = Self { over: Arc::default(), answers: Arc::default() };
        let (over, answers, address) = (Arc::clone(&client.over), Arc::clone(&client.answers), address.to_owned());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                if let Some(body) = wait::get(&address, "/generation").filter(|body| !body.is_empty()) {
                    answers.lock().unwrap().push((Instant::now(), body));
                }
                std::thread::sleep(Duration::from_millis(1).saturating_sub(asked.elapsed()));
            }
        });
        client
    }

    /// The longest time without an answer since the last call, when there was a new body meanwhile.
    fn gap_to_another_body(&self) -> Duration {
        let before = self.last();
        wait::until("another body", || (self.last() != before).then_some(()));
        let mut answers = self.answers.lock().unwrap();
        let gap = answers.windows(2).map(|two| two[1].0.duration_since(two[0].0)).max().unwrap_or_default();
        let last = answers.len() - 1;
        answers.drain(..last);
        gap
    }

    fn last(&self) -> Option<String> {
        self.answers.lock().unwrap().last().map(|(_, body)| body.clone())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn main() {
    let count = std::env::var("PUBLISHES").ok().and_then(|text| text.parse().ok()).unwrap_or(PUBLISHES);
    let own = alone(count);
    let published = published(count);
    println!("the server alone (SIGTERM, gone, started): {}", figures(own));
    println!("during a publish:                          {}", figures(published));
}

/// The server, stopped and started by hand.
fn alone(count: usize) -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", wait::free_port());
    let start = |number: usize| -> Child {
        let site = folder.path().join(number.to_string());
        std::fs::create_dir(&site).unwrap();
        std::fs::write(site.join("0"), format!("alone-{number}")).unwrap();
        let mut command = Command::new(programs!().puppet);
        command.args(["serve-artifact", &address, "lie", "hang"]).env("DEVLOOP_ARTIFACT_SITE_DIR", &site);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut child = start(0);
    let client = Client::of(&address);
    wait::until("it answers", || client.last());
    let mut gaps = Vec::new();
    for number in 1..=count {
        std::thread::sleep(Duration::from_millis(50));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap();
        child = start(number);
        gaps.push(client.gap_to_another_body());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    gaps
}

/// The same server as the consumer of an artifact.
fn published(count: usize) -> Vec<Duration> {
    let address = format!("127.0.0.1:{}", wait::free_port());
    let project = Project::new(programs!());
    project.file("content/page", "first");
    project.config(&format!(
        r#"root = "."
debounce_ms = 0
startup_workflows = ["content"]
[watch.content]
paths = ["content/"]
[hook.build]
command = ["PUPPET", "build-artifact", "12"]
[process.server]
command = ["PUPPET", "serve-artifact", "{address}", "lie", "hang"]
autostart = false
[process.server.readiness]
kind = "http"
url = "http://{address}/generation"
expect_body = "{{{{ artifact.site.generation }}}}"
[artifact.site]
build_hook = "build"
consumers = ["server"]
[workflow.content]
steps = [{{ action = "publish_artifact", artifact = "site" }}]
"#
    ));
    let mut session = project.run();
    session.wait_for("published artifact site");
    let client = Client::of(&address);
    wait::until("it answers", || client.last());
    let mut gaps = Vec::new();
    for number in 1..=count {
        std::thread::sleep(Duration::from_millis(50));
        project.file("content/page", &number.to_string());
        gaps.push(client.gap_to_another_body());
        session.wait_for_count("published artifact site", number + 1);
    }
    assert!(session.stop().success(), "{}", session.told());
    gaps
}

fn figures(mut gaps: Vec<Duration>) -> String {
    gaps.sort();
    let at = |percent: usize| gaps[(gaps.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    let (least, median, most) = (at(0), at(50), at(100));
    format!("median {median:.1}, least {least:.1}, p90 {:.1}, most {most:.1} (n = {})", at(90), gaps.len())
}
