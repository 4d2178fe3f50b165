//! THE TABLE: every key of a `devloop.toml` with its type, its default and what it does.
//!
//! A key exists only here. The reader takes no key that is not in the table, reads defaults from it, and knows by it
//! what a misspelt key could have been; the tables in `docs/config.md` are drawn from it.

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// `true` or `false`.
    Switch,
    /// Milliseconds, from `least` to [`MILLIS_MAX`].
    Millis {
        /// The least that makes sense.
        least: i64,
    },
    /// An integer from `least` to 255.
    Small {
        /// The least that makes sense.
        least: i64,
    },
    /// One of some words.
    Word(&'static [&'static str]),
    /// A table.
    Table,
    /// A list of tables.
    Tables,
}

/// The longest duration: a day.
pub const MILLIS_MAX: i64 = 86_400_000;

/// What holds when a key is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It must be there.
    Required,
    /// This value, as TOML writes it without quotes.
    Value(&'static str),
    /// What this Markdown says.
    Prose(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The kind of table it belongs to: `process`, `probe.http`.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds without it.
    pub fallback: Fallback,
    /// What it does, one line of Markdown.
    pub doc: &'static str,
    /// The version that brought it.
    pub since: &'static str,
}

/// The kinds of probes; each has a table `probe.KIND` of its own keys.
pub const PROBE_KINDS: &[&str] = &["http", "state_key", "tcp", "exec", "output"];

/// The actions of steps; each has a table `step.ACTION` of its own keys.
pub const ACTIONS: &[&str] = &[
    "start_process",
    "stop_process",
    "restart_process",
    "wait_for_process",
    "run_hook",
    "run_workflow",
    "sleep_ms",
    "write_state",
    "log",
    "notify_reload",
    "publish_artifact",
    "parallel",
];

const SIGNALS: &[&str] = &["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"];

const fn key(table: &'static str, name: &'static str, kind: Kind, fallback: Fallback, doc: &'static str) -> Key {
    Key { table, name, kind, fallback, doc, since: "0.1" }
}

use Fallback::{Prose, Required, Value};
use Kind::{Millis, Small, Switch, Table, Tables, Text, Texts, Word};

const NOTHING: Fallback = Prose("–");
const FROM_0: Kind = Millis { least: 0 };
const FROM_1: Kind = Millis { least: 1 };

/// Every key, in the order of the docs.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("top", "root", Text, Required, "Folder of the project; a relative one resolves against the folder of the config."),
    key("top", "debounce_ms", FROM_0, Value("250"), "The longest wait after a change in a quiet tree; 0: no waiting at all."),
    key("top", "concurrent", Switch, Value("true"), "Whether workflows that touch nothing in common run at the same time."),
    key("top", "state_file", Text, Prose("`<root>/.devloop/state.json`"), "The session state; a relative path resolves against the folder of the config."),
    key("top", "startup_workflows", Texts, Value("[]"), "Workflows that run one after the other when the session begins."),
    key("top", "watcher", Table, NOTHING, "How files are watched."),
    key("top", "watch", Table, Required, "Watch groups, each `[watch.NAME]`; at least one."),
    key("top", "process", Table, NOTHING, "Long-lived children, each `[process.NAME]`."),
    key("top", "hook", Table, NOTHING, "One-shot children, each `[hook.NAME]`."),
    key("top", "artifact", Table, NOTHING, "Builds that replace what processes serve, each `[artifact.NAME]`."),
    key("top", "event_server", Table, NOTHING, "Where values are posted; there is a listener if the table is there or an event is declared."),
    key("top", "event", Table, NOTHING, "Values that local clients may post, each `[event.NAME]`."),
    key("top", "browser_reload_server", Table, NOTHING, "Where browsers listen; there is a listener if a workflow has a `notify_reload` step."),
    key("top", "workflow", Table, NOTHING, "Ordered steps, each `[workflow.NAME]`."),

    key("watcher", "kind", Word(&["native", "poll"]), Value("native"), "`native`: the system tells what changed. `poll`: the tree is compared at intervals."),
    key("watcher", "poll_interval_ms", FROM_1, Value("250"), "The time between two comparisons of `poll`."),
    key("watcher", "gitignore", Switch, Value("true"), "Whether folders that git ignores are skipped."),

    key("watch", "paths", Texts, Required, "Globs relative to `root`; `dir/` is everything below a folder, a literal path is a file."),
    key("watch", "workflow", Text, Prose("the group's own name"), "The workflow that runs."),
    key("watch", "ignore", Texts, Value("[]"), "Globs that do not count although `paths` matches."),
    key("watch", "leading", Switch, Value("true"), "Whether the first change after calm is released at once; `false` waits for the quiet and runs once."),

    key("process", "command", Texts, Required, "Program and arguments; never a shell. `$NAME` is replaced from devloop's own environment."),
    key("process", "cwd", Text, Prose("`root`"), "Working folder; a relative one resolves against `root`."),
    key("process", "autostart", Switch, Value("true"), "Whether it is started when the session begins."),
    key("process", "restart", Word(&["never", "on_failure", "always"]), Value("never"), "When it is started again after it ended by itself."),
    key("process", "env", Table, NOTHING, "Strings that are added to its environment; no `DEVLOOP_*`."),
    key("process", "readiness", Table, NOTHING, "When it counts as ready; without one, from its start."),
    key("process", "liveness", Table, NOTHING, "What must stay true once it is ready; a failure restarts it unless `restart` is `never`."),
    key("process", "output", Table, NOTHING, "What happens with its lines."),
    key("process", "depends_on", Texts, Value("[]"), "Processes that must be ready, or started where they have no readiness, before it is started."),
    key("process", "contain", Word(&["tree", "group"]), Value("tree"), "What is stopped with it: all descendants, or its process group only."),
    key("process", "locks", Texts, Value("[]"), "What it writes and devloop cannot see; workflows that share a lock never run at the same time."),
    key("process", "stop_signal", Word(SIGNALS), Value("SIGTERM"), "The signal that asks it to end."),
    key("process", "stop_timeout_ms", FROM_0, Value("5000"), "How long it may take to end before it is killed; 0: killed at once."),
    key("process", "restart_delay_ms", FROM_1, Value("250"), "The wait before the first restart; doubles with each failure."),
    key("process", "restart_delay_max_ms", FROM_1, Value("30000"), "The longest wait before a restart."),
    key("process", "events", Texts, Prose("all"), "Which events it may post; `[]`: none, and it gets no token."),
    key("process", "raw_output", Switch, Value("false"), "Whether its escape sequences and control characters pass unfiltered."),

    key("probe", "kind", Word(PROBE_KINDS), Required, "What is asked."),
    key("probe", "interval_ms", FROM_1, Value("500"), "The longest gap between two attempts."),
    key("probe", "timeout_ms", FROM_1, Value("15000"), "How long a wait may take in all."),
    key("probe.http", "url", Text, Required, "A GET of it must be answered with 2xx. `$NAME` is replaced from devloop's own environment."),
    key("probe.http", "expect_body", Text, NOTHING, "What the trimmed body must be; a template."),
    key("probe.state_key", "key", Text, Required, "The state key that must hold a non-blank string or any other non-null value."),
    key("probe.tcp", "address", Text, Required, "`host:port` that must accept a connection."),
    key("probe.exec", "command", Texts, Required, "A command that must exit with 0; it has the folder and the environment of the process."),
    key("probe.output", "pattern", Text, Required, "A regular expression that a line of output must match."),

    key("output", "inherit", Switch, Value("true"), "Whether lines are shown; the session log has them in any case."),
    key("output", "body_style", Word(&["plain", "dim"]), Prose("`plain`, of hooks `dim`"), "How the text after the label is shown."),
    key("output", "rules", Tables, Value("[]"), "What is read out of lines into state; processes only."),
    key("rule", "state_key", Text, Required, "The key that is written; `\"\"` before each start and when the process ends."),
    key("rule", "extract", Word(&["regex", "url_token"]), Value("regex"), "How the value is found: a search, or the first URL of a quick tunnel."),
    key("rule", "pattern", Text, Prose("required by `regex`"), "The regular expression; a match may begin anywhere in the line."),
    key("rule", "capture_group", Small { least: 0 }, Value("1"), "The number of the group that is the value; 0 is the whole match."),

    key("hook", "command", Texts, Required, "Program and arguments; never a shell. `$NAME` is replaced from devloop's own environment."),
    key("hook", "cwd", Text, Prose("`root`"), "Working folder; a relative one resolves against `root`."),
    key("hook", "env", Table, NOTHING, "Strings that are added to its environment; no `DEVLOOP_*`."),
    key("hook", "output", Table, NOTHING, "What happens with its lines."),
    key("hook", "capture", Word(&["ignore", "text", "json"]), Value("ignore"), "What becomes of its stdout: nothing, a string in `state_key`, or an object that is merged into the state."),
    key("hook", "state_key", Text, Prose("required by `text`"), "The key that `capture = \"text\"` writes."),
    key("hook", "observe", Table, NOTHING, "Polls the hook, and runs a workflow when a key that it captures has changed."),
    key("hook", "timeout_ms", FROM_1, Prose("none"), "How long it may take before it is stopped and counts as failed."),
    key("hook", "locks", Texts, Value("[]"), "What it writes and devloop cannot see; workflows that share a lock never run at the same time."),
    key("hook", "events", Texts, Prose("all"), "Which events it may post; `[]`: none, and it gets no token."),
    key("observe", "workflow", Text, Required, "The workflow that runs."),
    key("observe", "interval_ms", FROM_1, Value("1000"), "The time from the end of one poll to the next."),

    key("artifact", "build_hook", Text, Required, "The hook that fills the new folder."),
    key("artifact", "consumers", Texts, Required, "Processes that serve it: each with `autostart = false` and an http readiness whose `expect_body` is `{{ artifact.NAME.generation }}`."),
    key("artifact", "retain", Small { least: 1 }, Value("2"), "How many generations are kept, the served one among them."),

    key("event_server", "bind", Text, Value("127.0.0.1:0"), "A loopback address with a port; port 0 is any that is free."),
    key("event", "state_key", Text, Required, "The state key that an accepted value is written to."),
    key("event", "workflow", Text, Required, "The workflow that runs when the value has changed; its `on_busy` may not be `skip`."),
    key("event", "pattern", Text, Prose("none: any text"), "A regular expression that the value must match from its first to its last character; it must begin with `^` and end with `$`."),
    key("event", "match", Word(&["whole", "search"]), Value("whole"), "`search`: the pattern need not be anchored, and a match anywhere in the value is enough."),
    key("browser_reload_server", "bind", Text, Value("127.0.0.1:0"), "A loopback address with a port; port 0 is any that is free."),
    key("browser_reload_server", "allow_origins", Texts, Value("[]"), "Origins that may listen beside those of this machine, as in `https://dev.example.com`."),

    key("workflow", "steps", Tables, Value("[]"), "What happens, in order; the first failure ends the run."),
    key("workflow", "triggers", Texts, Value("[]"), "Workflows that run after the last step, in order, depth first, each once in a run."),
    key("workflow", "on_busy", Word(&["queue", "restart", "skip"]), Value("queue"), "What happens when it is wanted while it runs."),

    key("step", "action", Word(ACTIONS), Required, "What happens."),
    key("step.start_process", "process", Text, Required, "The process; nothing happens if it runs."),
    key("step.stop_process", "process", Text, Required, "The process; the step ends when it is gone."),
    key("step.restart_process", "process", Text, Required, "The process; it is started if it did not run."),
    key("step.wait_for_process", "process", Text, Required, "The process whose readiness is awaited."),
    key("step.run_hook", "hook", Text, Required, "The hook."),
    key("step.run_workflow", "workflow", Text, Required, "The workflow that runs there and then, its own triggers included."),
    key("step.sleep_ms", "duration_ms", FROM_0, Required, "How long."),
    key("step.write_state", "key", Text, Required, "The state key."),
    key("step.write_state", "value", Text, Required, "What is written; a template."),
    key("step.log", "message", Text, Required, "What the user reads; a template."),
    key("step.log", "style", Word(&["plain", "boxed"]), Value("plain"), "How it is shown."),
    key("step.publish_artifact", "artifact", Text, Required, "The artifact that is built, switched to and verified."),
    key("step.parallel", "steps", Tables, Required, "Steps that run at the same time; the first failure cancels the rest."),
];

/// The key of that name in the first of some kinds of tables that has one.
pub(crate) fn find(tables: &[&str], name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name && tables.contains(&key.table))
}

/// The names of all keys of some kinds of tables.
pub(crate) fn names_of(tables: &[&str]) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(|key| tables.contains(&key.table)).map(|key| key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_twice_in_a_table() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..index].iter().any(|other| (other.table, other.name) == (key.table, key.name)), "{key:?}");
        }
    }

    #[test]
    fn every_word_default_is_one_of_the_words() {
        for key in KEYS {
            if let (Word(words), Value(default)) = (key.kind, key.fallback) {
                assert!(words.contains(&default), "{key:?}");
            }
        }
    }
}
