//! The reference that travels inside the program: one topic a Markdown file of `docs/`, drawn for a terminal.
//!
//! Absent on purpose: a pager, a network, files. What is printed is what was compiled in, so the reference is
//! always the one of this version.

mod draw;
mod line;
mod markdown;
mod table;

/// The width when the output is no terminal, in columns.
pub const DEFAULT_WIDTH: usize = 80;
/// The widest page: longer lines are hard to read, however wide the terminal is.
pub const WIDTH_MAX: usize = 100;
/// The narrowest page that is laid out; below it a terminal wraps lines itself.
pub const WIDTH_MIN: usize = 20;

/// How unlike a topic's name a word may be and still be taken for a slip of the fingers.
const LIKENESS_MIN: f64 = 0.6;

/// One page of the reference.
#[derive(Debug)]
pub struct Topic {
    /// What the user types after `devloop docs`.
    pub name: &'static str,
    /// What the page is about, for the index.
    pub summary: &'static str,
    /// The page as Markdown.
    pub text: &'static str,
}

/// All topics, in the order of the index.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: "tutorial",
        summary: "from an empty folder to a server, a build, reload and a shared address",
        text: include_str!("../docs/tutorial.md"),
    },
    Topic {
        name: "recipes",
        summary: "Rust, Node, Python, Go, several packages, a tunnel, a coding agent",
        text: include_str!("../docs/recipes.md"),
    },
    Topic {
        name: "config",
        summary: "every section and key of devloop.toml, with examples",
        text: include_str!("../docs/config.md"),
    },
    Topic {
        name: "behavior",
        summary: "what devloop promises, sentence by sentence",
        text: include_str!("../docs/behavior.md"),
    },
    Topic {
        name: "cli",
        summary: "commands, options, exit codes, environment variables",
        text: include_str!("../docs/cli.md"),
    },
    Topic {
        name: "events",
        summary: "values that your programs post, and pages that reload",
        text: include_str!("../docs/events.md"),
    },
    Topic {
        name: "security",
        summary: "who is trusted with what, what listens, and what lies on your disk",
        text: include_str!("../docs/security.md"),
    },
    Topic {
        name: "artifacts",
        summary: "builds that replace what a running server serves",
        text: include_str!("../docs/artifacts.md"),
    },
    Topic { name: "migration", summary: "from a Procfile", text: include_str!("../docs/migration.md") },
    Topic {
        name: "comparison",
        summary: "other tools, what they do and what devloop does",
        text: include_str!("../docs/comparison.md"),
    },
    Topic {
        name: "development",
        summary: "building, testing and changing devloop itself",
        text: include_str!("../docs/development.md"),
    },
    Topic { name: "changelog", summary: "what changed, version by version", text: include_str!("../CHANGELOG.md") },
];

/// The topic of that name, whatever the case of its letters.
#[must_use]
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name.eq_ignore_ascii_case(name))
}

/// The topic that was most likely meant by a name that is none.
///
/// A name that begins a topic's name, or is a typing slip away from one, has an answer; anything else has none.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Topic> {
    let name = name.to_lowercase();
    let begun = TOPICS.iter().find(|topic| name.len() >= 2 && topic.name.starts_with(&name));
    begun.or_else(|| {
        TOPICS
            .iter()
            .map(|topic| (strsim::jaro_winkler(topic.name, &name), topic))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .max_by(|(left, _), (right, _)| left.total_cmp(right))
            .map(|(_, topic)| topic)
    })
}

/// The width of a page on a terminal of so many columns; `None` where there is no terminal.
#[must_use]
pub fn width(columns: Option<usize>) -> usize {
    columns.map_or(DEFAULT_WIDTH, |columns| columns.clamp(WIDTH_MIN, WIDTH_MAX))
}

/// The list of topics. Its first line is exactly `DEVLOOP DOCUMENTATION`, with colours too.
#[must_use]
pub fn index(width: usize, colors: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("Read a topic with `devloop docs TOPIC`:\n\n| topic | about |\n|---|---|\n");
    for topic in TOPICS {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "| **{}** | {} |", topic.name, topic.summary);
    }
    text.push_str("\nStart with `devloop docs tutorial`. `devloop --help` lists the commands.\n");
    format!("DEVLOOP DOCUMENTATION\n\n{}", render(&text, width, colors))
}

/// Markdown as text for a terminal: lines of at most `width` columns (code blocks and tables that cannot be
/// narrower excepted), SGR sequences only with `colors`, one line end at the end.
#[must_use]
pub fn render(markdown: &str, width: usize, colors: bool) -> String {
    let blocks = markdown::blocks(markdown);
    let mut text = String::new();
    for line in draw::page(&blocks, width.max(WIDTH_MIN), colors) {
        text.push_str(&line.painted(colors));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
