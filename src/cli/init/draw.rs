//! A draft as the text of a `devloop.toml`, with comments.

use super::draft::{Draft, Hook, Process, Step, Watch};
use crate::report::escape::one_line;
use devloop_core::value::Value;
use std::fmt::Write as _;

/// The file; it ends with a line end.
pub(super) fn draw(draft: &Draft) -> String {
    let mut out = String::from(HEAD);
    let startup: Vec<String> =
        draft.watches.iter().filter(|watch| watch.at_startup).map(|watch| watch.name.clone()).collect();
    if !startup.is_empty() {
        let _ = writeln!(out, "startup_workflows = {}", list(&startup));
    }
    out.push_str("\n# What is watched: globs below root; `dir/` is everything in a folder. A group runs the workflow of its name.\n");
    for Watch { name, paths, .. } in &draft.watches {
        let _ = writeln!(out, "\n[watch.{name}]\npaths = {}", list(paths));
    }
    if !draft.processes.is_empty() {
        out.push_str("\n# What runs all the time. `devloop docs config` has all keys: readiness, restart, env, …\n");
        draft.processes.iter().for_each(|process| draw_process(&mut out, process));
    }
    if !draft.hooks.is_empty() {
        out.push_str("\n# What runs once, when a workflow asks for it.\n");
        for Hook { name, command } in &draft.hooks {
            let _ = writeln!(out, "\n[hook.{name}]\ncommand = {}", list(command));
        }
    }
    out.push_str("\n# What happens, in which order. The first step that fails ends the run.\n");
    for Watch { name, steps, why, .. } in &draft.watches {
        let _ = writeln!(out, "\n# {}\n[workflow.{name}]\nsteps = [", one_line(why));
        for step in steps {
            let _ = match step {
                Step::RunHook(hook) => writeln!(out, "  {{ action = \"run_hook\", hook = {} }},", quoted(hook)),
                Step::RestartProcess(process) => {
                    writeln!(out, "  {{ action = \"restart_process\", process = {} }},", quoted(process))
                }
            };
        }
        out.push_str("]\n");
    }
    out
}

const HEAD: &str = "\
#:schema ./.devloop/devloop.schema.json
# Made by `devloop init`. Check it with `devloop validate`, see what a save would run with `devloop plan FILE`,
# and start it with `devloop run`. The schema is made again by `devloop schema > .devloop/devloop.schema.json`.

root = \".\"
";

/// What is written where nothing was found: right as it is, and ready to be changed.
pub(super) const EMPTY: &str = "
# What is watched: globs below root; `dir/` is everything in a folder. A group runs the workflow of its name.

[watch.src]
paths = [\"src/\"]

# What runs all the time.
#
# [process.server]
# command = [\"bin/server\", \"--port\", \"8080\"]
#
# [process.server.readiness]
# kind = \"http\"
# url = \"http://127.0.0.1:8080/\"

# What runs once, when a workflow asks for it.

[hook.build]
command = [\"echo\", \"put your build command here\"]

# What happens, in which order. The first step that fails ends the run.

[workflow.src]
steps = [
  { action = \"run_hook\", hook = \"build\" },
  # { action = \"restart_process\", process = \"server\" },
  # { action = \"wait_for_process\", process = \"server\" },
]
";

/// The file where nothing was found.
pub(super) fn draw_empty() -> String {
    format!("{HEAD}{EMPTY}")
}

fn draw_process(out: &mut String, process: &Process) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "\n# {}\n[process.{}]", one_line(&process.why), process.name);
    let _ = writeln!(out, "command = {}", list(&process.command));
    if !process.autostart {
        out.push_str("autostart = false\n");
    }
    if !process.depends_on.is_empty() {
        let _ = writeln!(out, "depends_on = {}", list(&process.depends_on));
    }
    if !process.env.is_empty() {
        let pairs: Vec<String> =
            process.env.iter().map(|(name, value)| format!("{} = {}", quoted(name), quoted(value))).collect();
        let _ = writeln!(out, "env = {{ {} }}", pairs.join(", "));
    }
    if let Some(millis) = process.stop_timeout_ms {
        let _ = writeln!(out, "stop_timeout_ms = {millis}");
    }
}

fn list(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A basic string. TOML's escapes are those of JSON; what JSON may leave as it is and TOML may not is DEL.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}
