//! Whether a stream has colours: `--color`, the variables of the environment, and whether it is a terminal that has any.

use crate::env_vars;
use anstream::ColorChoice;
use std::ffi::OsString;

/// The option, before anything is parsed: help and mistakes of the command line have colours, too.
pub(super) fn decide(args: &[OsString]) {
    let words: Vec<&str> = args.iter().skip(1).map_while(|arg| arg.to_str()).take_while(|arg| *arg != "--").collect();
    let beside = |(at, word): (usize, &&str)| match word.split_once('=') {
        Some(("--color", when)) => Some(when.to_owned()),
        _ => (*word == "--color").then(|| words.get(at + 1).map(|when| (*when).to_owned())).flatten(),
    };
    let choice = match words.iter().enumerate().filter_map(beside).next_back().as_deref() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => by_environment(&|name| std::env::var_os(name)),
    };
    choice.write_global();
}

/// What the variables say of every stream; `Auto` leaves it to each, to `CLICOLOR` and to `TERM`.
fn by_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> ColorChoice {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let is_yes = |name: &str| is_set(name) && variable(name).is_some_and(|value| value != "0");
    if is_set(env_vars::NO_COLOR) {
        ColorChoice::Never
    } else if is_yes(env_vars::CLICOLOR_FORCE) || is_yes(env_vars::FORCE_COLOR) {
        ColorChoice::Always
    } else if variable(env_vars::FORCE_COLOR).is_some_and(|value| value == "0") {
        ColorChoice::Never
    } else {
        ColorChoice::Auto
    }
}

/// Whether stderr has colours.
pub(super) fn stderr_colors() -> bool {
    has_colors(&std::io::stderr())
}

/// Whether stdout has colours.
pub(super) fn stdout_colors() -> bool {
    has_colors(&std::io::stdout())
}

/// `CLICOLOR_FORCE=0` says nothing (<https://bixense.com/clicolors>), where anstream takes any value for yes.
fn has_colors<S: anstream::stream::RawStream>(stream: &S) -> bool {
    let is_left_open = ColorChoice::global() == ColorChoice::Auto;
    let has_colors = anstream::AutoStream::choice(stream) != ColorChoice::Never;
    has_colors
        && (!is_left_open || (stream.is_terminal() && std::env::var_os(env_vars::TERM).is_none_or(|it| it != "dumb")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> ColorChoice {
        by_environment(&|name| set.iter().find(|(other, _)| *other == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn no_color_wins_over_what_forces_colours_and_empty_variables_say_nothing() {
        assert_eq!(with(&[]), ColorChoice::Auto);
        assert_eq!(with(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"), ("FORCE_COLOR", "1")]), ColorChoice::Never);
        assert_eq!(with(&[("NO_COLOR", ""), ("FORCE_COLOR", "")]), ColorChoice::Auto);
        assert_eq!(with(&[("FORCE_COLOR", "3")]), ColorChoice::Always);
        assert_eq!(with(&[("FORCE_COLOR", "0")]), ColorChoice::Never);
        assert_eq!(with(&[("CLICOLOR_FORCE", "0")]), ColorChoice::Auto);
        assert_eq!(with(&[("CLICOLOR_FORCE", "1"), ("FORCE_COLOR", "0")]), ColorChoice::Always);
    }
}
