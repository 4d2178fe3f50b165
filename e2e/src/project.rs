//! A project in a temporary folder.

use crate::session::Session;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Where the two programs of these tests are.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// devloop.
    pub devloop: &'static str,
    /// The obedient child.
    pub puppet: &'static str,
}

/// The programs of this build; a macro, since only integration tests know their paths.
#[macro_export]
macro_rules! programs {
    () => {
        $crate::project::Programs {
            devloop: env!("CARGO_BIN_EXE_devloop-under-test"),
            puppet: env!("CARGO_BIN_EXE_puppet"),
        }
    };
}

/// A project: a folder, a config, and what a session of it is started with.
pub struct Project {
    programs: Programs,
    folder: TempDir,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Project {
    /// An empty project with one watch group that nobody touches, until `config` is called.
    pub fn new(programs: Programs) -> Self {
        let folder = tempfile::Builder::new().prefix("devloop-e2e-").tempdir().unwrap();
        Self { programs, folder, variables: Vec::new(), arguments: Vec::new() }
    }

    /// A project that is a copy of a folder, for the examples.
    pub fn copy_of(programs: Programs, source: &Path) -> Self {
        let project = Self::new(programs);
        copy(source, project.folder.path());
        project
    }

    /// The project's folder, without symbolic links.
    pub fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// A path below the root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    /// Writes a file, with the folders that it needs.
    pub fn file(&self, relative: &str, text: &str) -> &Self {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Writes the config. `PUPPET` stands for the path of the obedient child, `ROOT` for the root. A root and a watch
    /// group are added where the text has none.
    pub fn config(&self, text: &str) -> &Self {
        let mut config = String::new();
        if !text.lines().any(|line| line.starts_with("root")) {
            config.push_str("root = \".\"\n");
        }
        config.push_str(text);
        if !text.contains("[watch.") {
            config.push_str(
                "\n[watch.unused]\npaths = [\"unused/\"]\nworkflow = \"unused\"\n[workflow.unused]\nsteps = []\n",
            );
        }
        let root = self.root();
        let config = config.replace("PUPPET", self.programs.puppet).replace("ROOT", root.to_str().unwrap());
        self.file("devloop.toml", &config)
    }

    /// Sets a variable of devloop's environment.
    pub fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument to every call of devloop.
    pub fn argument(&mut self, argument: &str) -> &mut Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// A call of devloop in the root, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.devloop);
        command.args(arguments).args(&self.arguments).current_dir(self.root()).stdin(Stdio::null());
        command.env_remove("RUST_LOG").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        command.env_remove("FORCE_COLOR").env_remove("CLICOLOR");
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs devloop to its end.
    pub fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts `devloop run`.
    pub fn run(&self) -> Session {
        Session::start(self.command(&["run"]))
    }

    /// Starts `devloop run` and waits until its watches are live.
    pub fn run_watching(&self) -> Session {
        let session = self.run();
        session.wait_for("watching ");
        session
    }

    /// The state file.
    pub fn state_file(&self) -> PathBuf {
        self.path(".devloop/state.json")
    }

    /// The state, as the file has it.
    pub fn state(&self) -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(self.state_file()).unwrap()).unwrap()
    }
}

fn copy(source: &Path, target: &Path) {
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let to = target.join(entry.file_name());
        let name = entry.file_name();
        if name == "target" || name == ".devloop" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}
