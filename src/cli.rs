//! The command line: one command a file.

mod audit;
mod config_file;
mod docs;
mod post;
mod run;
mod saved_config;
mod validate;
mod watched_paths;

use crate::env_vars;
use crate::failure::Failure;
use anstream::ColorChoice;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use devloop_core::reach::Kind;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

/// The whole command line, for parsing and for `docs/cli.md`.
pub fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .short('c')
        .value_name("PATH")
        .value_parser(clap::value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help("The config file [default: devloop.toml here, else in the nearest folder above]");
    Command::new("devloop")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps the local loop cheap: supervises processes, watches files, runs workflows when something changes")
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
        .subcommand(Command::new("run").about("Runs the loop until SIGINT, SIGTERM or SIGHUP").arg(config.clone()))
        .subcommand(
            Command::new("validate")
                .about("Checks the config; starts nothing, creates nothing, says nothing when it is right")
                .arg(config.clone()),
        )
        .subcommand(audit_command().arg(config))
        .subcommand(
            Command::new("post")
                .about("Posts a value to an event of the session that started this process or hook")
                .arg(Arg::new("name").value_name("NAME").required(true).help("The event"))
                .arg(
                    Arg::new("value")
                        .value_name("VALUE")
                        .required(true)
                        .allow_hyphen_values(true)
                        .help("The value; `-`: what comes from stdin, without its last line end"),
                ),
        )
        .subcommand(
            Command::new("docs")
                .about("Prints the reference")
                .arg(Arg::new("topic").value_name("TOPIC").help("What about [default: a list of topics]")),
        )
}

fn audit_command() -> Command {
    let kinds = Kind::NAMES.map(|(name, _)| name);
    Command::new("audit")
        .about("Shows what each input from outside can start, and how far its values are held; starts nothing")
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON, for programs"))
        .arg(
            Arg::new("deny")
                .long("deny")
                .value_name("KIND")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .value_parser(kinds)
                .help("Exits with 1 when there is a finding of these kinds"),
        )
}

/// How a failure of `run` begins (fixed; scripts wait for it).
const RUN_FAILED: &str = "devloop run failed";

/// Parses the command line and runs what it asks for; a failure is told on stderr.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return told(&error),
    };
    match matches.get_one::<String>("color").map(String::as_str) {
        Some("always") => ColorChoice::Always.write_global(),
        Some("never") => ColorChoice::Never.write_global(),
        _ => ColorChoice::Auto.write_global(),
    }
    let (beginning, result) = match matches.subcommand() {
        Some(("run", matches)) => (RUN_FAILED, run::main(config_path(matches))),
        Some(("validate", matches)) => ("devloop validate failed", validate::main(config_path(matches))),
        Some(("audit", matches)) => ("devloop audit failed", audit::main(config_path(matches), &asked(matches))),
        Some(("post", matches)) => {
            let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
            ("devloop post failed", post::main(text("name"), text("value")))
        }
        Some(("docs", matches)) => {
            ("devloop docs failed", docs::main(matches.get_one::<String>("topic").map(String::as_str)))
        }
        _ => ("devloop", Err(Failure::Usage)),
    };
    if let Err(failure) = &result
        && !failure.is_told()
    {
        complain(&format!("{beginning}: {failure}\n"));
    }
    result
}

fn asked(matches: &ArgMatches) -> audit::Asked {
    let denied = matches.get_many::<String>("deny").into_iter().flatten();
    audit::Asked { is_json: matches.get_flag("json"), denied: denied.filter_map(|name| Kind::named(name)).collect() }
}

/// Help and version go to stdout and are a success; anything else is a usage error.
fn told(error: &clap::Error) -> Result<(), Failure> {
    error.print().map_err(Failure::CannotWrite)?;
    if error.use_stderr() { Err(Failure::Usage) } else { Ok(()) }
}

fn config_path(matches: &ArgMatches) -> Option<&PathBuf> {
    matches.get_one::<PathBuf>("config")
}

/// Whether stderr has colours: its own terminal, `--color`, `NO_COLOR`, `CLICOLOR_FORCE`.
fn stderr_colors() -> bool {
    has_colors(&std::io::stderr())
}

/// Whether stdout has colours.
fn stdout_colors() -> bool {
    has_colors(&std::io::stdout())
}

/// `CLICOLOR_FORCE=0` says no (<https://bixense.com/clicolors>), where anstream takes any value for yes.
fn has_colors<S: anstream::stream::RawStream>(stream: &S) -> bool {
    let is_forced_by_nothing = ColorChoice::global() == ColorChoice::Auto
        && std::env::var_os(env_vars::CLICOLOR_FORCE).is_some_and(|it| it == "0");
    let has_colors = anstream::AutoStream::choice(stream) != ColorChoice::Never;
    has_colors && (!is_forced_by_nothing || stream.is_terminal())
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
