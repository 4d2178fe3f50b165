//! The command line: one command a file.

mod audit;
mod colors;
mod completions;
mod config_file;
mod docs;
mod grammar;
mod graph;
mod init;
mod living;
mod logs;
mod man;
mod mistakes;
mod plan;
mod post;
mod run;
mod saved_config;
mod schema;
mod state;
mod status;
mod validate;
mod watched_paths;
mod watching;

use crate::failure::Failure;
use clap::ArgMatches;
use colors::{stderr_colors, stdout_colors};
use devloop_core::reach::Kind;
use rustix::termios::tcgetwinsize;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

pub use grammar::command;
pub use schema::text as schema;

/// How a failure of `run` begins (fixed; scripts wait for it).
const RUN_FAILED: &str = "devloop run failed";

/// Parses the command line and runs what it asks for; a failure is told on stderr.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    if completions::answer(&args) {
        return Ok(());
    }
    colors::decide(&args);
    let matches = match command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => return told(&error, &args),
    };
    let (beginning, result) = dispatch(&matches);
    if let Err(failure) = &result
        && !failure.is_told()
    {
        tell(beginning, &failure.to_string(), failure.hint().as_deref());
    }
    result
}

/// Runs the command; with it, how its failure begins.
fn dispatch(matches: &ArgMatches) -> (&'static str, Result<(), Failure>) {
    let text = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned();
    match matches.subcommand() {
        Some(("run", matches)) => (RUN_FAILED, run::main(config_path(matches), run::Asked::of(matches))),
        Some(("validate", matches)) => ("devloop validate failed", validate::main(config_path(matches))),
        Some(("audit", matches)) => ("devloop audit failed", audit::main(config_path(matches), &asked(matches))),
        Some(("plan", matches)) => {
            let paths: Vec<PathBuf> = matches.get_many("paths").into_iter().flatten().cloned().collect();
            ("devloop plan failed", plan::main(config_path(matches), &paths))
        }
        Some(("graph", matches)) => {
            let format = text(matches, "format").unwrap_or_default();
            ("devloop graph failed", graph::main(config_path(matches), &format))
        }
        Some(("post", matches)) => {
            let [name, value] = ["name", "value"].map(|name| text(matches, name).unwrap_or_default());
            ("devloop post failed", post::main(&name, &value))
        }
        Some(("status", matches)) => {
            let asked = status::Asked { is_json: matches.get_flag("json"), watches: matches.get_flag("watch") };
            ("devloop status failed", status::main(config_path(matches), asked))
        }
        Some(("state", matches)) => {
            let key = text(matches, "key");
            let (is_json, watches) = (matches.get_flag("json"), matches.get_flag("watch"));
            let asked = state::Asked { key: key.as_deref(), is_json, watches };
            ("devloop state failed", state::main(config_path(matches), asked))
        }
        Some(("logs", matches)) => ("devloop logs failed", logs::main(config_path(matches), &logs::Asked::of(matches))),
        Some(("init", matches)) => ("devloop init failed", init::main(matches.get_flag("print"))),
        Some(("schema", _)) => ("devloop schema failed", schema::main()),
        Some(("completions", matches)) => {
            ("devloop completions failed", completions::main(&text(matches, "shell").unwrap_or_default()))
        }
        Some(("man", matches)) => ("devloop man failed", man::main(text(matches, "command").as_deref())),
        Some(("docs", matches)) => ("devloop docs failed", docs::main(text(matches, "topic").as_deref())),
        _ => ("devloop", Err(Failure::Usage)),
    }
}

fn asked(matches: &ArgMatches) -> audit::Asked {
    let denied = matches.get_many::<String>("deny").into_iter().flatten();
    audit::Asked { is_json: matches.get_flag("json"), denied: denied.filter_map(|name| Kind::named(name)).collect() }
}

/// Help and version go to stdout and are a success; anything else is a usage error.
fn told(error: &clap::Error, args: &[OsString]) -> Result<(), Failure> {
    let rendered = error.render();
    if let Some(mistakes::Mistake { command, what, hint }) = mistakes::of(error, args) {
        tell(&command, &what, Some(&hint));
        return Err(Failure::Usage);
    }
    if error.use_stderr() {
        complain(&if stderr_colors() { rendered.ansi().to_string() } else { rendered.to_string() });
        return Err(Failure::Usage);
    }
    print(&if stdout_colors() { rendered.ansi().to_string() } else { rendered.to_string() })
}

/// Tells what failed, why, and what to do: all errors of all commands look like this.
fn tell(beginning: &str, why: &str, hint: Option<&str>) {
    let painted = |sgr: &str, text: &str| {
        if stderr_colors() { format!("\u{1b}[{sgr}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    let hint = hint.map_or_else(String::new, |hint| format!("{} {hint}\n", painted("1", "hint:")));
    complain(&format!("{} {why}\n{hint}", painted("1;31", &format!("{beginning}:"))));
}

fn config_path(matches: &ArgMatches) -> Option<&PathBuf> {
    matches.get_one::<PathBuf>("config")
}

/// Columns of a page on stdout.
fn page_width() -> usize {
    crate::docs::width(tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)))
}

/// Writes to stdout; a reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::CannotWrite(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to stderr; nobody is left to tell when that fails.
fn complain(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}
