//! A config in the making: what was found, in the words of `devloop.toml`.

use std::collections::BTreeMap;

/// A long-lived child of the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Whether the session starts it; else a workflow does, after its build.
    pub(super) autostart: bool,
    /// More time to end than the default, in milliseconds.
    pub(super) stop_timeout_ms: Option<u32>,
    /// Names of other processes of the draft.
    pub(super) depends_on: Vec<String>,
    /// What a reader should know; one line.
    pub(super) why: String,
}

impl Process {
    pub(super) fn new(name: &str, command: &[&str], why: &str) -> Self {
        Self {
            name: name_of(name),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            env: BTreeMap::new(),
            autostart: true,
            stop_timeout_ms: None,
            depends_on: Vec::new(),
            why: why.to_owned(),
        }
    }
}

/// One step of a workflow of the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    RunHook(String),
    RestartProcess(String),
}

/// A watch group with the workflow of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) name: String,
    pub(super) paths: Vec<String>,
    pub(super) steps: Vec<Step>,
    /// Whether the workflow also runs when the session begins.
    pub(super) at_startup: bool,
    /// What a reader should know; one line.
    pub(super) why: String,
}

/// A one-shot child of the draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hook {
    pub(super) name: String,
    pub(super) command: Vec<String>,
}

/// All that is going to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// Sentences for the user: what was found.
    pub(super) found: Vec<String>,
    pub(super) processes: Vec<Process>,
    pub(super) hooks: Vec<Hook>,
    pub(super) watches: Vec<Watch>,
}

impl Draft {
    /// Whether nothing runs yet.
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.watches.is_empty()
    }

    /// Adds a process under a name that no other has, and gives that name back.
    pub(super) fn process(&mut self, mut process: Process) -> String {
        process.name = free(&process.name, |name| self.processes.iter().any(|it| it.name == name));
        let name = process.name.clone();
        self.processes.push(process);
        name
    }

    /// Adds a hook under a name that no other has, and gives that name back.
    pub(super) fn hook(&mut self, name: &str, command: &[&str]) -> String {
        let name = free(&name_of(name), |name| self.hooks.iter().any(|it| it.name == name));
        let command = command.iter().map(|&word| word.to_owned()).collect();
        self.hooks.push(Hook { name: name.clone(), command });
        name
    }

    /// Adds a watch group under a name that no other has.
    pub(super) fn watch(&mut self, mut watch: Watch) {
        watch.name = free(&name_of(&watch.name), |name| self.watches.iter().any(|it| it.name == name));
        self.watches.push(watch);
    }
}

/// The name, or the name with the first number behind it that makes it new.
fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// A name that a config takes: letters, digits, `_` and `-`; all else becomes `-`.
pub(super) fn name_of(text: &str) -> String {
    let letters = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' });
    let name: String = letters.take(64).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}
