//! A command line that makes no sense, in the words of all other errors: what was written, and what to write instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use devloop_config::nearest;
use std::ffi::OsString;

/// What is wrong, and what to do.
pub(super) struct Mistake {
    /// The command as far as it was understood: `devloop`, `devloop run`.
    pub(super) command: String,
    /// What was written, as a fragment.
    pub(super) what: String,
    /// What to write instead.
    pub(super) hint: String,
}

/// The mistake that a parser found; none where its own words say more.
pub(super) fn of(error: &clap::Error, args: &[OsString]) -> Option<Mistake> {
    let whole = super::command();
    let known = |arg: &&str| whole.get_subcommands().any(|command| command.get_name() == *arg);
    let named = args.iter().skip(1).filter_map(|arg| arg.to_str()).find(known);
    let command = named.map_or_else(|| "devloop".to_owned(), |name| format!("devloop {name}"));
    let more = format!("`{command} --help` shows what there is");
    let asked = named.and_then(|name| whole.find_subcommand(name)).unwrap_or(&whole);
    let (what, hint) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = one(error, ContextKind::InvalidSubcommand)?;
            let names: Vec<&str> = whole.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
            (format!("there is no command '{word}'"), meant(&word, &names, "`devloop --help` lists them"))
        }
        ErrorKind::UnknownArgument => {
            let word = one(error, ContextKind::InvalidArg)?;
            if !word.starts_with('-') {
                return Some(Mistake { command, what: format!("nothing is done with the word '{word}'"), hint: more });
            }
            let options: Vec<String> = asked
                .get_arguments()
                .chain(whole.get_arguments())
                .filter_map(|option| option.get_long().map(|long| format!("--{long}")))
                .chain(["--help".to_owned()])
                .collect();
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            (format!("there is no option '{word}'"), meant(&word, &options, &more))
        }
        ErrorKind::InvalidValue => {
            let (argument, word) = (one(error, ContextKind::InvalidArg)?, one(error, ContextKind::InvalidValue)?);
            let argument = plain(&argument);
            if word.is_empty() {
                return Some(Mistake { command, what: format!("'{argument}' needs a value"), hint: more });
            }
            let values = many(error, ContextKind::ValidValue);
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            if values.is_empty() {
                return None;
            }
            (
                format!("'{argument}' cannot be '{word}'"),
                meant(&word, &values, &format!("it is one of {}", values.join(", "))),
            )
        }
        ErrorKind::ValueValidation => {
            let (argument, word) = (one(error, ContextKind::InvalidArg)?, one(error, ContextKind::InvalidValue)?);
            let why = std::error::Error::source(error).map_or(more, ToString::to_string);
            (format!("'{}' cannot be '{word}'", plain(&argument)), why)
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<String> = many(error, ContextKind::InvalidArg).iter().map(|it| plain(it)).collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            (format!("{} {verb} missing", missing.join(" and ")), more)
        }
        ErrorKind::ArgumentConflict => {
            (format!("'{}' is there twice", plain(&one(error, ContextKind::InvalidArg)?)), more)
        }
        _ => return None,
    };
    Some(Mistake { command, what, hint })
}

/// The word that was most likely meant, or else where all are.
pub(super) fn meant(word: &str, known: &[&str], otherwise: &str) -> String {
    nearest(word, known.iter().copied()).map_or_else(|| otherwise.to_owned(), |near| format!("did you mean '{near}'?"))
}

/// `--format <FORMAT>` and `<PATH>...` as they are typed: `--format`, `PATH`.
fn plain(argument: &str) -> String {
    let name = argument.split(' ').next().unwrap_or(argument);
    name.trim_end_matches("...").trim_matches(['<', '>', '[', ']']).to_owned()
}

fn one(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(crate::report::escape::one_line(text)),
        _ => None,
    }
}

fn many(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::Strings(all)) => all.clone(),
        Some(ContextValue::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::fmt::Write as _;

    /// Command lines that make no sense.
    const LINES: [&str; 16] = [
        "sttaus",
        "zzz",
        "run --confg x",
        "run extra",
        "run --config",
        "--color blue status",
        "graph --format dto",
        "graph --format svg",
        "audit --deny leading-dahs",
        "plan",
        "post publish",
        "post",
        "completions bsh",
        "help zz",
        "run --label-width wide",
        "status --json --json",
    ];

    #[test]
    fn each_mistake_is_told_in_one_voice_with_a_hint() {
        let mut told = String::new();
        for line in LINES {
            let args: Vec<OsString> = ["devloop"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
            let error = super::super::command().try_get_matches_from(&args).unwrap_err();
            match of(&error, &args) {
                Some(Mistake { command, what, hint }) => writeln!(told, "{line}\n  {command}: {what}\n  hint: {hint}"),
                None => writeln!(told, "{line}\n  {error}"),
            }
            .unwrap();
        }
        expect![[r"
            sttaus
              devloop: there is no command 'sttaus'
              hint: did you mean 'status'?
            zzz
              devloop: there is no command 'zzz'
              hint: `devloop --help` lists them
            run --confg x
              devloop run: there is no option '--confg'
              hint: did you mean '--config'?
            run extra
              devloop run: nothing is done with the word 'extra'
              hint: `devloop run --help` shows what there is
            run --config
              devloop run: '--config' needs a value
              hint: `devloop run --help` shows what there is
            --color blue status
              devloop status: '--color' cannot be 'blue'
              hint: it is one of auto, always, never
            graph --format dto
              devloop graph: '--format' cannot be 'dto'
              hint: did you mean 'dot'?
            graph --format svg
              devloop graph: '--format' cannot be 'svg'
              hint: it is one of text, mermaid, dot
            audit --deny leading-dahs
              devloop audit: '--deny' cannot be 'leading-dahs'
              hint: did you mean 'leading-dash'?
            plan
              devloop plan: PATH is missing
              hint: `devloop plan --help` shows what there is
            post publish
              devloop post: VALUE is missing
              hint: `devloop post --help` shows what there is
            post
              devloop post: NAME and VALUE are missing
              hint: `devloop post --help` shows what there is
            completions bsh
              devloop completions: 'SHELL' cannot be 'bsh'
              hint: did you mean 'bash'?
            help zz
              devloop: there is no command 'zz'
              hint: `devloop --help` lists them
            run --label-width wide
              devloop run: '--label-width' cannot be 'wide'
              hint: it is `auto` or a number of columns up to 200
            status --json --json
              devloop status: '--json' is there twice
              hint: `devloop status --help` shows what there is
        "]]
        .assert_eq(&told);
    }
}
