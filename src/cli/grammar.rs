//! The whole command line: for parsing, for `docs/cli.md`, for completions and manual pages.

use super::{completions, graph, run};
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
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps the local loop cheap: supervises processes, watches files, runs workflows when something changes")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .value_parser(["auto", "always", "never"])
                .default_value("auto")
                .global(true)
                .help("Whether output has colours"),
        )
        .subcommand(run_command())
        .subcommand(
            Command::new("init")
                .about("Looks at the project in this folder and writes a devloop.toml for it; never over one that is there")
                .arg(Arg::new("print").long("print").action(ArgAction::SetTrue).help("Shows the config and writes nothing"))
                .after_help("Examples:\n  devloop init\n  devloop init --print"),
        )
        .subcommand(
            Command::new("validate")
                .about("Checks the config; starts nothing, creates nothing, says nothing when it is right")
                .arg(config())
                .after_help("Example:\n  devloop validate && devloop run"),
        )
        .subcommand(status_command())
        .subcommand(state_command())
        .subcommand(plan_command())
        .subcommand(graph_command())
        .subcommand(audit_command())
        .subcommand(post_command())
        .subcommand(
            Command::new("schema")
                .about("Prints the JSON Schema of devloop.toml, for editors")
                .after_help("Example:\n  devloop schema > devloop.schema.json"),
        )
        .subcommand(
            Command::new("completions")
                .about("Prints what makes a shell complete devloop's command line")
                .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(completions::SHELLS).help("Which shell"))
                .after_help("Example, for bash:\n  echo 'source <(devloop completions bash)' >> ~/.bashrc"),
        )
        .subcommand(
            Command::new("man")
                .about("Prints the manual page")
                .arg(Arg::new("command").value_name("COMMAND").help("Of which command [default: of devloop itself]"))
                .after_help("Example:\n  devloop man run | man -l -"),
        )
        .subcommand(
            Command::new("docs")
                .about("Prints the reference")
                .arg(
                    Arg::new("topic")
                        .value_name("TOPIC")
                        .add(ArgValueCandidates::new(topics))
                        .help("What about [default: a list of topics]"),
                )
                .after_help("Example:\n  devloop docs config | less -R"),
        )
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
                .help("How wide the labels of children are shown: a number, or `auto` for the widest of the config"),
        )
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("PROCESS,…")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .add(ArgValueCandidates::new(completions::processes))
                .help("Only these processes and what they depend on; steps about the others do nothing"),
        )
        .arg(
            Arg::new("timestamps")
                .long("timestamps")
                .action(ArgAction::SetTrue)
                .help("Shows the local time in front of each line of a child"),
        )
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .short('q')
                .action(ArgAction::SetTrue)
                .help("Shows of devloop's own lines only warnings, failures and `log` steps"),
        )
        .after_help(
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
        .help("The config file [default: devloop.toml here, else in the nearest folder above]")
}

fn status_command() -> Command {
    Command::new("status")
        .about("Shows what the running session of this config is doing; exits with 1 when none runs")
        .arg(json())
        .arg(watch())
        .arg(config())
        .after_help("Examples:\n  devloop status\n  devloop status --json | jq .processes.server.state")
}

fn state_command() -> Command {
    Command::new("state")
        .about("Shows the session state, or one value of it")
        .arg(
            Arg::new("key")
                .value_name("KEY")
                .add(ArgValueCandidates::new(completions::state_keys))
                .help("A key, or a path into nested values, as in templates [default: all keys]"),
        )
        .arg(json())
        .arg(watch())
        .arg(config())
        .after_help("Examples:\n  devloop state\n  devloop state tunnel_url")
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON, for programs")
}

fn watch() -> Arg {
    Arg::new("watch").long("watch").short('w').action(ArgAction::SetTrue).help("Shows it again whenever it changes")
}

fn plan_command() -> Command {
    Command::new("plan")
        .about("Shows what a change of these paths would run; starts nothing")
        .arg(
            Arg::new("paths")
                .value_name("PATH")
                .required(true)
                .num_args(1..)
                .value_parser(clap::value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath)
                .help("Files, whether they exist or not; relative to the working folder"),
        )
        .arg(config())
        .after_help("Example:\n  devloop plan src/main.rs style/a.css")
}

fn graph_command() -> Command {
    Command::new("graph")
        .about("Shows which input starts which workflow, and what its steps touch; starts nothing")
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(graph::FORMATS)
                .default_value(graph::FORMATS[0])
                .help("How it is drawn"),
        )
        .arg(config())
        .after_help("Examples:\n  devloop graph\n  devloop graph --format dot | dot -Tsvg > graph.svg")
}

fn audit_command() -> Command {
    let kinds = Kind::NAMES.map(|(name, _)| name);
    Command::new("audit")
        .about("Shows what each input from outside can start, and how far its values are held; starts nothing")
        .arg(json())
        .arg(
            Arg::new("deny")
                .long("deny")
                .value_name("KIND")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .value_parser(kinds)
                .help("Exits with 1 when there is a finding of these kinds"),
        )
        .arg(config())
        .after_help("Examples:\n  devloop audit\n  devloop audit --deny unconstrained-input,search-pattern")
}

fn post_command() -> Command {
    Command::new("post")
        .about("Posts a value to an event of the session that started this process or hook")
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
                .help("The value; `-`: what comes from stdin, without its last line end"),
        )
        .after_help(
            "Examples:\n  devloop post publish my-first-post\n  git log -1 --format=%s | devloop post subject -",
        )
}

fn topics() -> Vec<CompletionCandidate> {
    docs::TOPICS.iter().map(|topic| CompletionCandidate::new(topic.name).help(Some(topic.summary.into()))).collect()
}
