//! Artifacts with real builds, servers and files: published, failed, rejected, recovered, attacked, read under fire.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod attacks;
mod failing;
mod publishing;
mod readers;
mod recovering;

use e2e::{Project, Session, programs, wait};
use std::path::{Path, PathBuf};

/// Files of each generation.
const FILES: usize = 12;

/// A project whose server serves the artifact `site`; a file in `content` publishes it.
struct Site {
    project: Project,
    address: String,
}

impl Site {
    fn new() -> Self {
        Self::with("", "startup_workflows = [\"content\"]")
    }

    /// With more of the config: at its end, and at its top.
    fn with(more: &str, top: &str) -> Self {
        let address = format!("127.0.0.1:{}", wait::free_port());
        let project = Project::new(programs!());
        project.file("content/page", "first");
        let site = Self { project, address };
        site.configure(more, top);
        site
    }

    fn configure(&self, more: &str, top: &str) {
        let address = &self.address;
        self.project.config(&format!(
            r#"root = "."
{top}
[watch.content]
paths = ["content/"]
[process.server]
command = ["PUPPET", "serve-artifact", "{address}", "lie", "hang"]
autostart = false
[process.server.readiness]
kind = "http"
url = "http://{address}/generation"
expect_body = "{{{{ artifact.site.generation }}}}"
interval_ms = 20
timeout_ms = 20000
[artifact.site]
build_hook = "build"
consumers = ["server"]
[workflow.content]
steps = [{{ action = "publish_artifact", artifact = "site" }}, {{ action = "log", message = "the step is done" }}]
triggers = ["after"]
[workflow.after]
steps = [{{ action = "log", message = "triggered with {{{{ artifact.site.generation }}}}" }}]
{more}
{}"#,
            if more.contains("[hook.build]") {
                String::new()
            } else {
                format!("[hook.build]\ncommand = [\"PUPPET\", \"build-artifact\", \"{FILES}\"]\n")
            }
        ));
    }

    /// Gives consumers so little time that a test can wait until it is over.
    fn impatient(self) -> Self {
        let text = std::fs::read_to_string(self.project.path("devloop.toml")).unwrap();
        self.project.file("devloop.toml", &text.replace("timeout_ms = 20000", "timeout_ms = 4000"));
        self
    }

    fn own(&self) -> PathBuf {
        self.project.path(".devloop/artifacts/site")
    }

    /// What is in the artifact's folder.
    fn entries(&self) -> Vec<String> {
        let mut entries: Vec<String> = std::fs::read_dir(self.own())
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        entries.sort();
        entries
    }

    fn key(&self, field: &str) -> Option<String> {
        self.project.state()[format!("artifact.site.{field}")].as_str().map(str::to_owned)
    }

    /// What the state serves, and that it is whole.
    fn served(&self) -> String {
        let (generation, path) = (self.key("generation").unwrap(), self.key("path").unwrap());
        assert_eq!(Path::new(&path), self.own().join(&generation));
        assert_eq!(whole(Path::new(&path)), Some(generation.clone()));
        generation
    }

    fn asks(&self) -> Option<String> {
        wait::get(&self.address, "/generation")
    }

    /// Nothing is marked, nothing is left over.
    fn is_settled(&self) {
        for field in ["switching_generation", "rollback_generation", "rollback_path"] {
            assert_eq!(self.key(field), None, "{field}");
        }
        wait::until("nothing half done is left", || {
            self.entries().iter().all(|name| !name.starts_with('.')).then_some(())
        });
    }

    fn publish_again(&self, session: &Session) {
        let count = session.count("running workflow content");
        let text = format!("{count}");
        self.project.file("content/page", &text);
        session.wait_for_count("running workflow content", count + 1);
    }
}

/// The one generation that all files of a folder hold.
fn whole(folder: &Path) -> Option<String> {
    let read = |number: usize| std::fs::read_to_string(folder.join(number.to_string())).ok();
    let first = read(0)?;
    (1..FILES).all(|number| read(number).as_ref() == Some(&first)).then_some(first)
}
