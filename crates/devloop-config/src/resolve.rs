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
    Artifact,
    Workflow,
    Event,
}

impl Sort {
    /// The section that defines it, which is also its word in messages.
    fn section(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Hook => "hook",
            Self::Artifact => "artifact",
            Self::Workflow => "workflow",
            Self::Event => "event",
        }
    }
}

/// What the text defines, whether or not the definitions are sound.
pub(crate) struct Names<'a> {
    processes: BTreeSet<&'a str>,
    hooks: BTreeSet<&'a str>,
    artifacts: BTreeSet<&'a str>,
    workflows: BTreeSet<&'a str>,
    events: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    /// Reads the names of all sections.
    pub(crate) fn of(top: &'a DeTable<'a>) -> Self {
        let section = |sort: Sort| {
            let table = top.get(sort.section()).and_then(|section| section.get_ref().as_table());
            table.into_iter().flat_map(DeTable::keys).map(|key| key.get_ref().as_ref()).collect()
        };
        Self {
            processes: section(Sort::Process),
            hooks: section(Sort::Hook),
            artifacts: section(Sort::Artifact),
            workflows: section(Sort::Workflow),
            events: section(Sort::Event),
        }
    }

    fn all(&self, sort: Sort) -> &BTreeSet<&'a str> {
        match sort {
            Sort::Process => &self.processes,
            Sort::Hook => &self.hooks,
            Sort::Artifact => &self.artifacts,
            Sort::Workflow => &self.workflows,
            Sort::Event => &self.events,
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
            None if is_name_of(sort, name.value) => missing.hint(format!("add `[{section}.{}]`", as_key(name.value))),
            None => missing.hint(format!("name {} {section} that exists", article(section))),
        });
        None
    }
}

/// Whether a text may be a name.
fn is_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'/' | b'@');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn is_name_of(sort: Sort, name: &str) -> bool {
    is_name(name) && (sort != Sort::Artifact || is_artifact_name(name))
}

/// Whether a text may be the name of an artifact: a folder, and a part of a variable's name.
fn is_artifact_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(is_allowed)
}

fn article(what: &str) -> &'static str {
    if matches!(what, "event" | "artifact") { "an" } else { "a" }
}

/// A name as TOML writes it in a header.
pub(crate) fn as_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}

/// Reports a text that may not be a name. `what` is what it would name.
pub(crate) fn check_name(bag: &Bag<'_>, what: &str, name: &Text<'_>) -> bool {
    is_name(name.value) || refuse_name(bag, what, name, "`_` `-` `.` `:` `/` `@`")
}

/// Reports a text that may not be the name of an event: events are segments of a path, and variables.
pub(crate) fn check_event_name(bag: &Bag<'_>, name: &Text<'_>) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    (is_name(name.value) && name.value.bytes().all(is_allowed)) || refuse_name(bag, "event", name, "`_` `-`")
}

/// Reports a text that may not be the name of an artifact: artifacts are folders, and variables.
pub(crate) fn check_artifact_name(bag: &Bag<'_>, name: &Text<'_>) -> bool {
    if is_name_of(Sort::Artifact, name.value) {
        return true;
    }
    if !is_name(name.value) {
        return refuse_name(bag, "artifact", name, "`_`");
    }
    let message = format!("'{}' is no name for an artifact", words::quoted(name.value));
    let refused = Diagnostic::error(name.span.clone(), message).saying("not allowed in a name");
    bag.add(refused.hint("begin with a letter a-z, and go on with letters a-z, digits and `_`"));
    false
}

/// Reports a name; says false.
fn refuse_name(bag: &Bag<'_>, what: &str, name: &Text<'_>, signs: &str) -> bool {
    let shown = words::quoted(name.value);
    let article = article(what);
    let (message, saying) = if name.value.is_empty() {
        (format!("{article} {what} has an empty name"), "empty")
    } else if name.value.len() > NAME_BYTES_MAX {
        (format!("the name of {what} '{shown}' is longer than {NAME_BYTES_MAX} characters"), "too long")
    } else {
        (format!("'{shown}' is no name for {article} {what}"), "not allowed in a name")
    };
    bag.add(
        Diagnostic::error(name.span.clone(), message)
            .saying(saying)
            .hint(format!("use 1 to {NAME_BYTES_MAX} of the letters A-Z, a-z, digits, and {signs}")),
    );
    false
}
