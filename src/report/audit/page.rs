//! The page for people: one section an input, then what was found. Argument vectors are shown exactly.

use super::words::{self, Words};
use super::{Audited, Owner, Program, commands};
use crate::report::argv;
use crate::report::escape::one_line;
use crate::report::page::Page;
use devloop_core::plan::command::CommandPlan;
use devloop_core::reach::{Admits, Answer, Finding, Held, Reach, Reached};

/// Columns of a label.
const LABEL: usize = 12;

/// The page; `width` in columns.
pub fn page(audited: &Audited<'_>, width: usize, colors: bool) -> String {
    let mut page = Page::new(width, LABEL, colors);
    let (inputs, findings) = (&audited.audit.inputs, &audited.audit.findings);
    let root = one_line(&audited.plan.root.to_string_lossy());
    page.title(&format!("{} (root {root})", one_line(&audited.config)));
    if inputs.is_empty() {
        page.wrapped(0, "", "nothing from outside starts anything");
    }
    for reach in inputs {
        page.blank();
        input(&mut page, audited, reach);
    }
    page.blank();
    page.title(&match findings.len() {
        0 => "no findings".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    });
    for finding in findings {
        page.blank();
        self::finding(&mut page, finding);
    }
    page.into_text()
}

fn input(page: &mut Page, audited: &Audited<'_>, reach: &Reach) {
    page.title(&words::source(&reach.source));
    let mut keys: Vec<String> = reach.writes.named.iter().map(|key| one_line(key.as_str())).collect();
    if reach.writes.is_any {
        keys.push("any key but devloop's own".to_owned());
    }
    page.wrapped(2, "writes", &if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") });
    page.wrapped(2, "held by", &held(&reach.held));
    if let Some(admits) = admits(&reach.held) {
        page.wrapped(2, "lets in", &admits);
    }
    if !reach.posters.is_empty() {
        let posters: Vec<String> = reach.posters.iter().map(words::poster).collect();
        page.wrapped(2, "posted by", &posters.join(", "));
    }
    reached(page, audited, "starts", &reach.starts);
    reached(page, audited, "lets go on", &reach.releases);
    for (index, reader) in reach.readers.iter().enumerate() {
        let label = if index == 0 { "read by" } else { " " };
        page.wrapped(2, label, &words::reader(reader));
    }
}

fn reached(page: &mut Page, audited: &Audited<'_>, label: &str, reached: &Reached) {
    let commands = commands(audited.plan, reached);
    let mut label = label;
    for (name, because) in &reached.workflows {
        page.wrapped(2, label, &format!("workflow '{name}': {}", words::because(because)));
        label = " ";
    }
    for (owner, because, command) in commands {
        let owner = match owner {
            Owner::Hook(name) => format!("hook '{name}': {}", words::because(because)),
            Owner::Process(name) => format!("process '{name}': {}", words::because(because)),
            Owner::Probe(name, role) => format!("{role} of process '{name}': probed when it is started"),
        };
        page.wrapped(2, label, &owner);
        label = " ";
        command_lines(page, audited, command);
    }
}

fn command_lines(page: &mut Page, audited: &Audited<'_>, command: &CommandPlan) {
    let indent = LABEL + 4;
    let program = match (audited.look_up)(command) {
        Program::Found(path) => one_line(&path.to_string_lossy()),
        Program::Missing(Some(path)) => format!("{} (not there now)", one_line(&path.to_string_lossy())),
        Program::Missing(None) => "in no folder of its PATH".to_owned(),
        Program::Unset(variable) => format!("variable ${} is not set", one_line(&variable)),
    };
    page.command(indent, argv::exact(command).iter().map(String::as_str));
    page.hanging(indent, &format!("= {program}"));
}

fn finding(page: &mut Page, finding: &Finding) {
    let Words { what, why, hint } = words::finding(finding);
    let kind = page.painted("33", finding.kind.name());
    page.line(0, &format!("{kind}: {}", words::place(&finding.place)));
    page.wrapped(2, "what", &what);
    page.wrapped(2, "why", why);
    page.wrapped(2, "do", hint);
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
