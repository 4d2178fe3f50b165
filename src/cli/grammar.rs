//! The whole command line: for parsing, for `docs/cli.md`, for completions and manual pages.

use super::{completions, graph, logs, run};
use crate::docs;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use devloop_core::reach::Kind;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  devloop init            writes a devloop.toml for the project in this folder
  devloop run             runs the loop until Ctrl-C
  devloop plan src/a.rs   shows what a change of this file would run
  devloop docs            lists the topics of the reference";

/// The grammar, without which no argument is read.
pub fn command() -> Command {
    Command::new("devloop")
        // Whatever the file is called that is run.
        .bin_name("devloop")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps the local loop of a project cheap")
        .long_about(
            "Keeps the local loop of a project cheap: supervises processes, watches files,\n\
             and runs ordered workflows when something changes.",
        )
        .after_long_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .value_parser(["auto", "always", "never"])
                .default_value("auto")
                .global(true)
                .hide_possible_values(true)
                .hide_default_value(true)
                .help("Colours: auto, always or never [default: auto]"),
        )
        .subcommand(run_command())
        .subcommand(init_command())
        .subcommand(validate_command())
        .subcommand(status_command())
        .subcommand(logs_command())
        .subcommand(state_command())
        .subcommand(plan_command())
        .subcommand(graph_command())
        .subcommand(audit_command())
        .subcommand(post_command())
        .subcommand(
            Command::new("schema")
                .about("Prints the JSON Schema of devloop.toml, for editors")
                .after_long_help("Example:\n  devloop schema > devloop.schema.json"),
        )
        .subcommand(completions_command())
        .subcommand(
            Command::new("man")
                .about("Prints the manual page")
                .arg(Arg::new("command").value_name("COMMAND").help("Of which command [default: of devloop itself]"))
                .after_long_help("Example:\n  devloop man run | man -l -"),
        )
        .subcommand(docs_command())
}

fn run_command() -> Command {
    Command::new("run")
        .about("Runs the loop until SIGINT, SIGTERM or SIGHUP")
        .arg(config())
        .arg(
            Arg::new("label-width")
                .long("label-width")
                .value_name("COLUMNS")
                .value_parser(run::label_width)
                .help("Columns of the labels: a number, or `auto`"),
        )
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("PROCESS,…")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .add(ArgValueCandidates::new(completions::processes))
                .help("Only these processes and what they depend on"),
        )
        .arg(
            Arg::new("timestamps")
                .long("timestamps")
                .action(ArgAction::SetTrue)
                .help("Shows the time in front of each line of a child"),
        )
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .short('q')
                .action(ArgAction::SetTrue)
                .help("Shows only warnings, failures and `log` steps"),
        )
        .after_long_help(
            "Examples:\n  devloop run\n  devloop run --config site/devloop.toml\n  devloop run --label-width auto --timestamps\n  devloop run --only web,worker\n\n\
             What children write to stdout goes to stdout; everything else goes to stderr.",
        )
}

fn config() -> Arg {
    Arg::new("config")
        .long("config")
        .short('c')
        .value_name("PATH")
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help("The config [default: devloop.toml here or above]")
}

fn init_command() -> Command {
    Command::new("init")
        .about("Writes a devloop.toml for the project in this folder")
        .long_about(
            "Looks at the project in this folder and writes a devloop.toml for it.\n\
                     Runs nothing, and never writes over a config that is there.",
        )
        .arg(Arg::new("print").long("print").action(ArgAction::SetTrue).help("Shows the config and writes nothing"))
        .after_long_help("Examples:\n  devloop init\n  devloop init --print")
}

fn validate_command() -> Command {
    Command::new("validate")
        .about("Checks the config; says nothing when it is right")
        .long_about(
            "Checks the config and shows all that is wrong with it.\n\
                     Starts nothing, creates nothing, and says nothing when it is right.",
        )
        .arg(config())
        .after_long_help("Example:\n  devloop validate && devloop run")
}

fn completions_command() -> Command {
    Command::new("completions")
        .about("Prints what makes a shell complete devloop's command line")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(completions::SHELLS)
                .hide_possible_values(true)
                .help("bash, zsh, fish, elvish or powershell"),
        )
        .after_long_help("Example, for bash:\n  echo 'source <(devloop completions bash)' >> ~/.bashrc")
}

fn docs_command() -> Command {
    Command::new("docs")
        .about("Prints the reference")
        .arg(
            Arg::new("topic")
                .value_name("TOPIC")
                .add(ArgValueCandidates::new(topics))
                .help("What about [default: a list of topics]"),
        )
        .after_long_help("Example:\n  devloop docs config | less -R")
}

fn status_command() -> Command {
    Command::new("status")
        .about("Shows what the running session is doing")
        .long_about("Shows what the running session of this config is doing.\nExits with 1 when none runs.")
        .arg(json())
        .arg(watch())
        .arg(config())
        .after_long_help("Examples:\n  devloop status\n  devloop status --json | jq .processes.server.state")
}

fn logs_command() -> Command {
    let one = |id: &'static str, value: &'static str| Arg::new(id).long(id).value_name(value);
    Command::new("logs")
        .about("Shows the log of the running session, or of an earlier one")
        .long_about("Shows the log of the running session, or of one that is over,\ncoloured as it was.")
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Goes on until the session ends"),
        )
        .arg(one("lines", "N").short('n').value_parser(clap::value_parser!(usize)).help("Only the last N lines"))
        .arg(
            one("process", "NAME")
                .short('p')
                .value_delimiter(',')
                .action(ArgAction::Append)
                .add(ArgValueCandidates::new(completions::speakers))
                .help("Only lines of this process or hook, or of `devloop`"),
        )
        .arg(one("grep", "RE").value_parser(logs::pattern).help("Only lines in which the regular expression is found"))
        .arg(
            one("since", "T")
                .value_parser(logs::since)
                .allow_hyphen_values(true)
                .help("Only since then: 10m, 2h, 14:30, 2026-11-22"),
        )
        .arg(
            one("session", "ID")
                .num_args(0..=1)
                .default_missing_value("")
                .add(ArgValueCandidates::new(completions::sessions))
                .help("Of this session; without an ID they are listed"),
        )
        .arg(config())
        .after_long_help("Examples:\n  devloop logs -f\n  devloop logs -p server -n 50\n  devloop logs --since 10m --grep '(?i)error'\n  devloop logs --session")
}

fn state_command() -> Command {
    Command::new("state")
        .about("Shows the session state, or one value of it")
        .arg(
            Arg::new("key")
                .value_name("KEY")
                .add(ArgValueCandidates::new(completions::state_keys))
                .help("A key, or a path as in templates [default: all]"),
        )
        .arg(json())
        .arg(watch())
        .arg(config())
        .after_long_help("Examples:\n  devloop state\n  devloop state tunnel_url")
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON, for programs")
}

fn watch() -> Arg {
    Arg::new("watch").long("watch").short('w').action(ArgAction::SetTrue).help("Shows it again whenever it changes")
}

fn plan_command() -> Command {
    Command::new("plan")
        .about("Shows what a change of these paths would run")
        .long_about("Shows what a change of these paths would run, and starts nothing.")
        .arg(
            Arg::new("paths")
                .value_name("PATH")
                .required(true)
                .num_args(1..)
                .value_parser(clap::value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath)
                .help("Files, whether they exist or not"),
        )
        .arg(config())
        .after_long_help("Example:\n  devloop plan src/main.rs style/a.css")
}

fn graph_command() -> Command {
    Command::new("graph")
        .about("Shows which input starts which workflow")
        .long_about(
            "Shows which input starts which workflow, what its steps touch, and which\n\
             workflows never run at the same time. Starts nothing.",
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(graph::FORMATS)
                .default_value(graph::FORMATS[0])
                .hide_possible_values(true)
                .hide_default_value(true)
                .help("text, mermaid or dot [default: text]"),
        )
        .arg(config())
        .after_long_help("Examples:\n  devloop graph\n  devloop graph --format dot | dot -Tsvg > graph.svg")
}

fn audit_command() -> Command {
    let kinds = Kind::NAMES.map(|(name, _)| name);
    Command::new("audit")
        .about("Shows what each input from outside can start")
        .long_about(
            "Shows what each input from outside can start, and what its values may be.\n\
             Starts nothing.",
        )
        .arg(json())
        .arg(
            Arg::new("deny")
                .long("deny")
                .value_name("KIND")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .value_parser(kinds)
                .hide_possible_values(true)
                .help("Exits with 1 when one of these kinds is found")
                .long_help(denied()),
        )
        .arg(config())
        .after_long_help("Examples:\n  devloop audit\n  devloop audit --deny unconstrained-input,search-pattern")
}

/// What `--deny` takes, a line a kind.
fn denied() -> String {
    let kinds = Kind::NAMES.map(|(name, _)| format!("- {name}"));
    format!("Exits with 1 when one of these kinds is found:\n{}", kinds.join("\n"))
}

fn post_command() -> Command {
    Command::new("post")
        .about("Posts a value to an event, from a process or hook")
        .long_about("Posts a value to an event of the session that started this process or hook.")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .add(ArgValueCandidates::new(completions::events))
                .help("The event"),
        )
        .arg(
            Arg::new("value")
                .value_name("VALUE")
                .required(true)
                .allow_hyphen_values(true)
                .help("The value; `-`: what comes from stdin"),
        )
        .after_long_help(
            "Examples:\n  devloop post publish my-first-post\n  git log -1 --format=%s | devloop post subject -",
        )
}

fn topics() -> Vec<CompletionCandidate> {
    docs::TOPICS.iter().map(|topic| CompletionCandidate::new(topic.name).help(Some(topic.summary.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of the narrowest terminal that is laid out for.
    const COLUMNS: usize = 80;

    #[test]
    fn help_fits_80_columns_and_its_long_form_has_examples() {
        let mut whole = command();
        whole.build();
        let names: Vec<String> = whole.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in std::iter::once(None).chain(names.iter().map(Some)) {
            let page = match name {
                Some(name) => whole.find_subcommand_mut(name).unwrap(),
                None => &mut whole,
            };
            let (short, long) = (page.render_help().to_string(), page.render_long_help().to_string());
            for line in short.lines().chain(long.lines()) {
                assert!(line.chars().count() <= COLUMNS, "{name:?}: {line}");
            }
            if name.is_some_and(|name| name == "help") {
                continue;
            }
            assert!(short.lines().count() < long.lines().count() && long.contains("Example"), "{name:?}: {long}");
        }
    }
}
