//! The page for people: one section an input, then what was found. Texts are wrapped; argument vectors never are.

use super::words::{self, Words};
use super::{Audited, Owner, Program, commands};
use crate::report::escape::one_line;
use devloop_core::plan::command::CommandPlan;
use devloop_core::reach::{Admits, Answer, Finding, Held, Reach, Reached};
use std::fmt::{self, Write as _};

/// Columns of a label.
const LABEL: usize = 12;

/// The page; `width` in columns.
pub fn page(audited: &Audited<'_>, width: usize, colors: bool) -> String {
    let mut page = Page { text: String::new(), width: width.max(40), colors };
    let (inputs, findings) = (&audited.audit.inputs, &audited.audit.findings);
    let root = one_line(&audited.plan.root.to_string_lossy());
    page.title(&format!("{} (root {root})", one_line(&audited.config)));
    if inputs.is_empty() {
        page.wrapped(0, "", "nothing from outside starts anything");
    }
    for reach in inputs {
        page.blank();
        page.input(audited, reach);
    }
    page.blank();
    page.title(&match findings.len() {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    });
    for finding in findings {
        page.blank();
        page.finding(finding);
    }
    page.text
}

struct Page {
    text: String,
    width: usize,
    colors: bool,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.text.write_fmt(text);
    }

    fn painted(&self, sgr: &str, text: &str) -> String {
        if self.colors { format!("\u{1b}[{sgr}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn title(&mut self, text: &str) {
        let text = self.painted("1", text);
        self.text.push_str(&text);
        self.text.push('\n');
    }

    /// A label and its text, wrapped beside it at spaces.
    fn wrapped(&mut self, indent: usize, label: &str, text: &str) {
        let column = if label.is_empty() { indent } else { indent + LABEL };
        let room = self.width.saturating_sub(column).max(20);
        let mut begin = format!("{}{}", " ".repeat(indent), self.label(label));
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                self.add(format_args!("{begin}{line}\n"));
                begin = " ".repeat(column);
                line.clear();
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.add(format_args!("{begin}{line}\n"));
    }

    fn label(&self, label: &str) -> String {
        if label.is_empty() {
            return String::new();
        }
        self.painted("36", &format!("{label:<LABEL$}"))
    }

    fn input(&mut self, audited: &Audited<'_>, reach: &Reach) {
        self.title(&words::source(&reach.source));
        let mut keys: Vec<String> = reach.writes.named.iter().map(|key| one_line(key.as_str())).collect();
        if reach.writes.is_any {
            keys.push("any key but devloop's own".to_owned());
        }
        self.wrapped(2, "writes", &if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") });
        self.wrapped(2, "held by", &held(&reach.held));
        if let Some(admits) = admits(&reach.held) {
            self.wrapped(2, "lets in", &admits);
        }
        if !reach.posters.is_empty() {
            let posters: Vec<String> = reach.posters.iter().map(words::poster).collect();
            self.wrapped(2, "posted by", &posters.join(", "));
        }
        self.reached(audited, "starts", &reach.starts);
        self.reached(audited, "lets go on", &reach.releases);
        for (index, reader) in reach.readers.iter().enumerate() {
            let label = if index == 0 { "read by" } else { " " };
            self.wrapped(2, label, &words::reader(reader));
        }
    }

    fn reached(&mut self, audited: &Audited<'_>, label: &str, reached: &Reached) {
        let commands = commands(audited.plan, reached);
        let mut label = label;
        for (name, because) in &reached.workflows {
            self.wrapped(2, label, &format!("workflow '{name}': {}", words::because(because)));
            label = " ";
        }
        for (owner, because, command) in commands {
            let owner = match owner {
                Owner::Hook(name) => format!("hook '{name}': {}", words::because(because)),
                Owner::Process(name) => format!("process '{name}': {}", words::because(because)),
                Owner::Probe(name, role) => format!("{role} of process '{name}': probed when it is started"),
            };
            self.wrapped(2, label, &owner);
            label = " ";
            self.command(audited, command);
        }
    }

    fn command(&mut self, audited: &Audited<'_>, command: &CommandPlan) {
        let indent = " ".repeat(LABEL + 4);
        let argv = self.painted("1", &words::argv(command));
        let program = match (audited.look_up)(command) {
            Program::Found(path) => one_line(&path.to_string_lossy()),
            Program::Missing(Some(path)) => format!("{} (not there now)", one_line(&path.to_string_lossy())),
            Program::Missing(None) => "in no folder of its PATH".to_owned(),
            Program::Unset(variable) => format!("variable ${} is not set", one_line(&variable)),
        };
        self.add(format_args!("{indent}{argv}\n{indent}= {program}\n"));
    }

    fn finding(&mut self, finding: &Finding) {
        let Words { what, why, hint } = words::finding(finding);
        let kind = self.painted("33", finding.kind.name());
        self.add(format_args!("{kind}: {}\n", words::place(&finding.place)));
        self.wrapped(2, "what", &what);
        self.wrapped(2, "why", why);
        self.wrapped(2, "do", hint);
    }
}

fn held(held: &Held) -> String {
    match held {
        Held::Free => "nothing: any text".to_owned(),
        Held::Whole { pattern, .. } => format!("{}, for the whole value", one_line(pattern)),
        Held::Search { pattern } => format!("{}, found anywhere in the value", one_line(pattern)),
        Held::Group { pattern, group, .. } => format!("group {group} of {}", one_line(pattern)),
        Held::Url { .. } => "url_token: an https address of a quick tunnel".to_owned(),
        Held::Paths => "names of files below the root".to_owned(),
    }
}

fn admits(held: &Held) -> Option<String> {
    let (Held::Whole { admits, .. } | Held::Group { admits, .. } | Held::Url { admits }) = held else { return None };
    let Admits { leading_dash, shell_metacharacters, white_space, any_length } = admits;
    let all = [
        ("a leading `-`", leading_dash),
        ("shell metacharacters", shell_metacharacters),
        ("white space", white_space),
        ("any length", any_length),
    ];
    let shown = all.iter().filter_map(|(what, answer)| match answer {
        Answer::No => None,
        Answer::Yes(_) => Some((*what).to_owned()),
        Answer::Undecided => Some(format!("{what} (not decided)")),
    });
    let shown: Vec<String> = shown.collect();
    Some(if shown.is_empty() { "nothing that needs care".to_owned() } else { shown.join(", ") })
}
