//! The words: names of inputs, reasons, and what each finding means and asks for.

use crate::report::escape::one_line;
use devloop_core::reach::{Because, Finding, Kind, Place, Poster, ProbeReads, Problem, Reader, Source};

/// The longest example of a value that is shown, in characters.
const EXAMPLE_MAX: usize = 40;

pub(super) fn source(source: &Source) -> String {
    match source {
        Source::Event(name) => format!("event '{name}'"),
        Source::Rule(process, index) => format!("output rule {} of process '{process}'", index + 1),
        Source::Observed(hook) => format!("observed hook '{hook}'"),
        Source::Capture(hook) => format!("captured output of hook '{hook}'"),
        Source::Watch(name) => format!("watched files of group '{name}'"),
    }
}

pub(super) fn poster(poster: &Poster) -> String {
    match poster {
        Poster::Process(name) => format!("process '{name}'"),
        Poster::Hook(name) => format!("hook '{name}'"),
    }
}

pub(super) fn because(because: &Because) -> String {
    match because {
        Because::Named => "the input names it".to_owned(),
        Because::Step(workflow) => format!("a step of workflow '{workflow}'"),
        Because::Trigger(workflow) => format!("triggered after workflow '{workflow}'"),
        Because::Dependency(process) => format!("process '{process}' depends on it"),
        Because::Dependant(process) => format!("it depends on process '{process}'"),
        Because::Liveness => "its liveness looks at a key that is written".to_owned(),
        Because::Poll(hook) => format!("hook '{hook}' captures a key that is written, and sees a change"),
        Because::Wait(process) => format!("a step waits for process '{process}'"),
        Because::Caller(workflow) => format!("it goes on after workflow '{workflow}'"),
        Because::NextAtStartup(workflow) => format!("at startup it comes after workflow '{workflow}'"),
    }
}

pub(super) fn reader(reader: &Reader) -> String {
    match reader {
        Reader::Step { workflow, at, action, template, writes } => {
            let at: Vec<String> = at.iter().map(|index| (index + 1).to_string()).collect();
            let writes = writes.as_ref().map_or(String::new(), |key| format!(" of key '{}'", one_line(key.as_str())));
            format!("workflow '{workflow}', step {}: {action}{writes}: {}", at.join("."), one_line(template))
        }
        Reader::Probe { process, role, what: ProbeReads::Key(key) } => {
            format!("process '{process}', {role}: waits for key '{}'", one_line(key.as_str()))
        }
        Reader::Probe { process, role, what: ProbeReads::Body(body) } => {
            format!("process '{process}', {role}: expect_body: {}", one_line(body))
        }
    }
}

pub(super) fn place(place: &Place) -> String {
    match place {
        Place::Input(input) => source(input),
        Place::Process(name) => format!("process '{name}'"),
        Place::Hook(name) => format!("hook '{name}'"),
        Place::Key(key) => format!("`{key}`"),
    }
}

/// What was found, why it matters, what to do.
pub(super) struct Words {
    pub(super) what: String,
    pub(super) why: &'static str,
    pub(super) hint: &'static str,
}

pub(super) fn finding(finding: &Finding) -> Words {
    let (why, hint) = meaning(finding.kind);
    Words { what: what(finding), why, hint }
}

fn what(finding: &Finding) -> String {
    let admitted = |what: &str| match &finding.problem {
        Problem::Admitted(Some(example)) => {
            let short: String = example.chars().take(EXAMPLE_MAX).collect();
            let more = if short.len() < example.len() { "…" } else { "" };
            format!("{what}, for example \"{}{more}\"", one_line(&short))
        }
        Problem::Admitted(None) => {
            format!("it is not decided whether {what}, so it counts as if it could: the pattern is too large")
        }
        Problem::Plain | Problem::Shared(..) | Problem::Posts(_) | Problem::Path(_) => what.to_owned(),
    };
    match finding.kind {
        Kind::UnconstrainedInput => "it has no `pattern`: any text up to 8 KiB is taken".to_owned(),
        Kind::SearchPattern => "its pattern is searched for: any text may stand around the match".to_owned(),
        Kind::LeadingDash => admitted("a value may begin with `-`"),
        Kind::ShellMetacharacters => admitted("a value may hold what a shell gives a meaning to"),
        Kind::WhiteSpace => admitted("a value may hold white space"),
        Kind::AnyLength => admitted("a value may have any length up to 8 KiB"),
        Kind::UncheckedCapture => "what it prints goes into the state as it is".to_owned(),
        Kind::AnyKey => "what it prints says itself which keys are written".to_owned(),
        Kind::SharedKey => match &finding.problem {
            Problem::Shared(key, sources) => {
                let sources: Vec<String> = sources.iter().map(source).collect();
                format!("key '{}' is written by {}", one_line(key.as_str()), sources.join(", "))
            }
            Problem::Plain | Problem::Admitted(_) | Problem::Posts(_) | Problem::Path(_) => String::new(),
        },
        Kind::EveryEvent => "it has no `events` list, so its token is good for every event".to_owned(),
        Kind::SelfPost => match &finding.problem {
            Problem::Posts(posters) => {
                let posters: Vec<String> = posters.iter().map(poster).collect();
                format!("it starts {}, which may post to it again", posters.join(", "))
            }
            Problem::Plain | Problem::Admitted(_) | Problem::Shared(..) | Problem::Path(_) => String::new(),
        },
        Kind::OutsideRoot => match &finding.problem {
            Problem::Path(path) => format!("{} lies outside the project", one_line(&path.to_string_lossy())),
            Problem::Plain | Problem::Admitted(_) | Problem::Shared(..) | Problem::Posts(_) => String::new(),
        },
    }
}

/// Why a kind matters, and what to do about it.
const fn meaning(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::UnconstrainedInput => (
            "whoever has a token chooses every byte of what workflows, templates and the state file hold",
            "Add a `pattern` that is anchored at both ends, such as \"^[a-z0-9]{1,64}$\".",
        ),
        Kind::SearchPattern => (
            "a match in the middle says nothing about the rest of the value",
            "Anchor the pattern with `^` and `$`, and take `match = \"search\"` away.",
        ),
        Kind::LeadingDash => (
            "a program that is given the value as an argument may take it for an option",
            "Let the pattern begin with a letter or a digit, and put `--` before the value in scripts.",
        ),
        Kind::ShellMetacharacters => (
            "a script that puts the value unquoted into a shell's line, or into `eval`, runs what it says",
            "Allow only the characters that the value needs, and quote it in scripts.",
        ),
        Kind::WhiteSpace => (
            "a script that does not quote the value makes several words, or several lines, of it",
            "Take white space out of the pattern, and quote the value in scripts.",
        ),
        Kind::AnyLength => (
            "names of files, hosts and branches have limits that such a value goes over",
            "Give repetitions an upper bound, such as `{1,64}` in place of `+`, or look at the length where it is used.",
        ),
        Kind::UncheckedCapture => (
            "a hook that passes on what a stranger wrote (a page, a commit, a file name) brings it in here",
            "Look at the value in the hook, and fail when it is not what you expect.",
        ),
        Kind::AnyKey => (
            "whoever can choose the keys of its JSON chooses what other templates and probes read",
            "Build the object in the hook from fixed keys, or capture one value with `capture = \"text\"`.",
        ),
        Kind::SharedKey => (
            "each overwrites what the other wrote, and the weaker check decides what the key may hold",
            "Give each of them a key of its own.",
        ),
        Kind::EveryEvent => (
            "a child that is taken over can start everything that any event starts",
            "Name the events that it posts, as in `events = [\"publish\"]`, or write `events = []`.",
        ),
        Kind::SelfPost => (
            "if it does, its workflow runs again and again",
            "Take the event out of its `events` list, unless it posts only what has changed.",
        ),
        Kind::OutsideRoot => (
            "what belongs to the project is then not all in one place that you can look through or delete",
            "Move it below `root`, or leave it when that is what you want.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_to_do_in_a_sentence() {
        for (_, kind) in Kind::NAMES {
            let (why, hint) = meaning(kind);
            assert!(why.starts_with(char::is_lowercase) && !why.ends_with('.'), "{why}");
            assert!(hint.starts_with(char::is_uppercase) && hint.ends_with('.'), "{hint}");
        }
    }
}
