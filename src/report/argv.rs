//! Argument vectors as one line, so that a shell would read them back.

use super::escape::one_line;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::words::Words;
use std::path::Path;

/// The arguments on one line, for people: a program below the root is named from there, as configs name it.
pub fn argv(command: &CommandPlan, root: &Path) -> String {
    let mut words = exact(command);
    let program = command.argv.first().map_or("", Words::source);
    if let (Some(first), Ok(below)) = (words.first_mut(), Path::new(program).strip_prefix(root))
        // A name without a slash would be looked for in PATH.
        && below.components().count() > 1
    {
        *first = quoted(&below.to_string_lossy());
    }
    words.join(" ")
}

/// The arguments as they are executed, variables not yet resolved; nothing of it can move a cursor.
pub fn exact(command: &CommandPlan) -> Vec<String> {
    command.argv.iter().map(|word| quoted(word.source())).collect()
}

/// One word, in quotes where a shell needs them.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", one_line(&word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_quoted_and_moves_no_cursor() {
        assert_eq!(quoted("a/b-c=1"), "a/b-c=1");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a\n\u{1b}[2J\u{202e}"), r"'a\n\u{1b}[2J\u{202e}'");
        assert_eq!(quoted(""), "''");
    }
}
