//! `command`, `cwd` and `env` of a process or a hook.

use super::{Lowering, path_of, warn_of_shell_words};
use crate::diagnostic::Diagnostic;
use crate::place::cleaned;
use crate::reader::{Reader, Text, text_of};
use crate::words::quoted;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::words::Words;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The prefix of variables that devloop sets itself.
const OWN_PREFIX: &str = "DEVLOOP_";

impl<'a> Lowering<'a> {
    /// What a process or a hook executes.
    pub(super) fn command(&self, reader: &mut Reader<'a>) -> Option<CommandPlan> {
        let cwd = self.cwd(reader);
        let env = self.env(reader);
        let argv = self.argv(reader, &env)?;
        Some(CommandPlan { argv, env, cwd })
    }

    /// Program and arguments. A program with a slash is taken from root.
    pub(super) fn argv(&self, reader: &mut Reader<'a>, env: &BTreeMap<String, Words>) -> Option<Vec<Words>> {
        let (item, texts) = reader.texts("command")?;
        let is_empty = item.value.as_array().is_some_and(|array| array.is_empty());
        if is_empty || texts.first().is_some_and(|program| program.value.is_empty()) {
            let span = texts.first().map_or(item.span, |program| program.span.clone());
            let empty = Diagnostic::error(span, format!("`{}` names no program", item.path)).saying("no program");
            self.bag.add(empty.hint("write program and arguments, as in [\"cargo\", \"run\"]"));
            return None;
        }
        let words = texts.iter().enumerate().map(|(index, text)| {
            let words = Words::command(text.value);
            self.note_variables(text, &words, |name| env.contains_key(name));
            if index > 0 {
                return words;
            }
            if text.value.starts_with('~') {
                warn_of_shell_words(self.bag, text);
            }
            self.program(text.value)
        });
        Some(words.collect())
    }

    /// The program. What begins with a variable may turn out absolute, so whoever starts it takes it from root.
    fn program(&self, program: &str) -> Words {
        if !program.contains('/') || program.starts_with(['/', '$']) {
            return Words::command(program);
        }
        let root = self.root.to_string_lossy();
        if program.contains('$') {
            // What a variable will hold is not known, so `..` after one cannot be taken back.
            return Words::command(&format!("{}/{}", root.trim_end_matches('/').replace('$', "$$"), program));
        }
        Words::command(&cleaned(&self.root, program).to_string_lossy().replace('$', "$$"))
    }

    fn cwd(&self, reader: &mut Reader<'a>) -> PathBuf {
        let cwd = reader.text("cwd").and_then(|cwd| path_of(self.bag, &cwd));
        cwd.map_or_else(|| self.root.clone(), |cwd| cleaned(&self.root, cwd))
    }

    fn env(&self, reader: &mut Reader<'a>) -> BTreeMap<String, Words> {
        let entries = reader.own_entries("env").unwrap_or_default();
        let sound = entries.into_iter().filter_map(|(name, item)| {
            let is_sound = self.check_variable(&name);
            let value = text_of(self.bag, &item)?;
            let words = self.strict_words(&value)?;
            is_sound.then(|| (name.value.to_owned(), words))
        });
        sound.collect()
    }

    fn check_variable(&self, name: &Text<'a>) -> bool {
        let (problem, hint) = if name.value.starts_with(OWN_PREFIX) {
            (
                format!("`env` may not set {}", quoted(name.value)),
                "names that begin with `DEVLOOP_` are devloop's own: use another name",
            )
        } else if name.value.is_empty() {
            ("a variable in `env` has an empty name".to_owned(), "name the variable")
        } else if name.value.contains(['=', '\0']) {
            (format!("'{}' is no name for a variable", quoted(name.value)), "remove the `=` or NUL from the name")
        } else {
            return true;
        };
        self.bag.add(Diagnostic::error(name.span.clone(), problem).saying("not allowed").hint(hint));
        false
    }
}
