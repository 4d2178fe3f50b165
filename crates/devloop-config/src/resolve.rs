//! Names: what they may be made of, and whether what they refer to exists.

use crate::diagnostic::{Bag, Diagnostic};
use crate::reader::Text;
use crate::{suggest, words};
use std::collections::BTreeSet;
use toml::de::DeTable;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What a name can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Process,
    Hook,
    Workflow,
}

impl Sort {
    /// The section that defines it, which is also its word in messages.
    fn section(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Hook => "hook",
            Self::Workflow => "workflow",
        }
    }
}

/// What the text defines, whether or not the definitions are sound.
pub(crate) struct Names<'a> {
    processes: BTreeSet<&'a str>,
    hooks: BTreeSet<&'a str>,
    workflows: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    /// Reads the names of all sections.
    pub(crate) fn of(top: &'a DeTable<'a>) -> Self {
        let section = |sort: Sort| {
            let table = top.get(sort.section()).and_then(|section| section.get_ref().as_table());
            table.into_iter().flat_map(DeTable::keys).map(|key| key.get_ref().as_ref()).collect()
        };
        Self { processes: section(Sort::Process), hooks: section(Sort::Hook), workflows: section(Sort::Workflow) }
    }

    fn all(&self, sort: Sort) -> &BTreeSet<&'a str> {
        match sort {
            Sort::Process => &self.processes,
            Sort::Hook => &self.hooks,
            Sort::Workflow => &self.workflows,
        }
    }

    /// Whether something has that name.
    pub(crate) fn has(&self, sort: Sort, name: &str) -> bool {
        self.all(sort).contains(name)
    }

    /// The name if something has it; else it is reported.
    pub(crate) fn resolve(&self, bag: &Bag<'_>, sort: Sort, name: &Text<'a>) -> Option<&'a str> {
        if self.has(sort, name.value) {
            return Some(name.value);
        }
        let section = sort.section();
        let shown = words::quoted(name.value);
        let missing = Diagnostic::error(name.span.clone(), format!("`{}`: no {section} is named '{shown}'", name.path))
            .saying("not defined");
        let meant = if bag.is_full() { None } else { suggest::nearest(name.value, self.all(sort).iter().copied()) };
        bag.add_missing(match meant {
            Some(meant) => missing.hint(format!("did you mean '{}'?", words::quoted(meant))),
            None if is_name(name.value) => missing.hint(format!("add `[{section}.{}]`", as_key(name.value))),
            None => missing.hint(format!("name a {section} that exists")),
        });
        None
    }
}

/// Whether a text may be a name.
fn is_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/' | b'@');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// A name as TOML writes it in a header.
pub(crate) fn as_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}

/// Reports a text that may not be a name. `what` is what it would name.
pub(crate) fn check_name(bag: &Bag<'_>, what: &str, name: &Text<'_>) -> bool {
    if is_name(name.value) {
        return true;
    }
    let shown = words::quoted(name.value);
    let (message, saying) = if name.value.is_empty() {
        (format!("a {what} has an empty name"), "empty")
    } else if name.value.len() > NAME_BYTES_MAX {
        (format!("the name of {what} '{shown}' is longer than {NAME_BYTES_MAX} characters"), "too long")
    } else {
        (format!("'{shown}' is no name for a {what}"), "not allowed in a name")
    };
    bag.add(
        Diagnostic::error(name.span.clone(), message)
            .saying(saying)
            .hint(format!("use 1 to {NAME_BYTES_MAX} of the letters A-Z, a-z, digits, and `_` `-` `.` `:` `/` `@`")),
    );
    false
}
