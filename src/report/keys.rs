//! What can be typed while a session runs, a line at a time, and what is said of it.

use super::escape::one_line;
use super::page::Page;
use devloop_core::names::{ProcessName, WorkflowName};
use devloop_core::plan::Plan;

/// The longest name of a wrong line that is shown back, in characters.
const SHOWN_MAX: usize = 60;

/// Columns of what is typed, in the list of keys.
const LABEL: usize = 18;

/// One line that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Enter alone: somebody makes room.
    Nothing,
    /// Lists the keys.
    Help,
    /// A process is started anew.
    Restart(ProcessName),
    /// A workflow runs.
    Run(WorkflowName),
    /// Shows what the session is doing.
    Status,
    /// Shows the last digest again.
    Failure,
    /// Clears the screen.
    Clear,
    /// Ends the session.
    Quit,
}

/// A letter, the words that say the same, and what follows it.
const KEYS: [(&str, &[&str], &str, &str); 7] = [
    ("r", &["restart"], " PROCESS", "restarts a process, or starts it"),
    ("w", &["workflow", "run"], " WORKFLOW", "runs a workflow"),
    ("s", &["status"], "", "shows what runs, and how the last runs ended"),
    ("f", &["failure"], "", "shows the last failure again"),
    ("c", &["clear"], "", "clears the screen"),
    ("q", &["quit", "exit"], "", "stops everything in order, as ctrl-c does"),
    ("h", &["help", "?"], "", "lists the keys"),
];

/// What a line asks for; a process or workflow is named by any beginning that fits one alone. The error says what to
/// type instead.
pub fn read(line: &str, plan: &Plan) -> Result<Key, String> {
    let mut words = line.split_whitespace();
    let Some(word) = words.next() else { return Ok(Key::Nothing) };
    let (name, more) = (words.next(), words.next());
    let known = KEYS.iter().find(|(letter, others, ..)| {
        word.eq_ignore_ascii_case(letter) || others.iter().any(|other| word.eq_ignore_ascii_case(other))
    });
    let Some((letter, _, takes, _)) = known else {
        let word = shown(word);
        return Err(format!("'{word}' is no key; h and Enter lists them"));
    };
    let (surplus, how) = match *takes {
        "" => (name, "nothing".to_owned()),
        takes => (more, format!("one{}", takes.to_lowercase())),
    };
    if let Some(surplus) = surplus {
        return Err(format!("'{letter}' takes {how} behind it; leave out '{}'", shown(surplus)));
    }
    Ok(match *letter {
        "r" => {
            Key::Restart(ProcessName::from(one_of("process", name, plan.processes.keys().map(ProcessName::as_str))?))
        }
        "w" => Key::Run(WorkflowName::from(one_of("workflow", name, plan.workflows.keys().map(WorkflowName::as_str))?)),
        "s" => Key::Status,
        "f" => Key::Failure,
        "c" => Key::Clear,
        "q" => Key::Quit,
        _ => Key::Help,
    })
}

/// The name that is meant. Without a name the only one there is.
fn one_of<'a>(kind: &str, typed: Option<&str>, all: impl Iterator<Item = &'a str> + Clone) -> Result<&'a str, String> {
    let list = |names: &[&str]| match names {
        [] => format!("the config has no {kind}"),
        [only] => format!("there is only {only}"),
        names => format!("there are {}", names.join(", ")),
    };
    let everything: Vec<&str> = all.clone().collect();
    let Some(typed) = typed else {
        return match everything[..] {
            [only] => Ok(only),
            _ => Err(format!("which {kind}? {}", list(&everything))),
        };
    };
    if let Some(same) = all.clone().find(|name| *name == typed) {
        return Ok(same);
    }
    let begun: Vec<&str> = all.clone().filter(|name| name.starts_with(typed)).collect();
    match begun[..] {
        [only] => Ok(only),
        [] => {
            let hint = devloop_config::nearest(typed, all)
                .map_or_else(|| list(&everything), |nearest| format!("did you mean '{nearest}'?"));
            Err(format!("there is no {kind} '{}'; {hint}", shown(typed)))
        }
        _ => Err(format!("'{}' may be {}", shown(typed), begun.join(" or "))),
    }
}

/// What was typed, shown back.
fn shown(typed: &str) -> String {
    let mut text: String = typed.chars().take(SHOWN_MAX).collect();
    if text.len() < typed.len() {
        text.push('…');
    }
    one_line(&text)
}

/// The list of keys, with the names that can be typed.
pub fn page(plan: &Plan, width: usize, colors: bool) -> String {
    let mut page = Page::new(width, LABEL, colors);
    page.title("keys, each with Enter");
    for (letter, _, takes, does) in KEYS {
        page.wrapped(2, &format!("{letter}{takes}"), does);
    }
    let processes: Vec<&str> = plan.processes.keys().map(ProcessName::as_str).collect();
    let workflows: Vec<&str> = plan.workflows.keys().map(WorkflowName::as_str).collect();
    for (label, names) in [("processes", processes), ("workflows", workflows)] {
        if !names.is_empty() {
            page.wrapped(2, label, &names.join(" "));
        }
    }
    page.line(2, "the beginning of a name is enough");
    page.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use devloop_core::plan::workflow::{OnBusy, WorkflowPlan};
    use std::sync::Arc;

    fn plan(workflows: &[&str]) -> Plan {
        let mut plan = Plan::empty("/project".into());
        for name in workflows {
            let workflow = WorkflowPlan { steps: Vec::new(), triggers: Vec::new(), on_busy: OnBusy::Queue };
            plan.workflows.insert(WorkflowName::from(*name), Arc::new(workflow));
        }
        plan
    }

    #[test]
    fn letters_and_words_are_keys_and_a_beginning_of_a_name_is_enough() {
        let plan = plan(&["assets", "build", "build-all"]);
        let run = |name: &str| Ok(Key::Run(name.into()));
        assert_eq!(read("", &plan), Ok(Key::Nothing));
        assert_eq!(["h", "?", "HELP"].map(|line| read(line, &plan)), [Ok(Key::Help), Ok(Key::Help), Ok(Key::Help)]);
        assert_eq!(
            ["s", "f", "c", " quit "].map(|line| read(line, &plan).unwrap()),
            [Key::Status, Key::Failure, Key::Clear, Key::Quit]
        );
        assert_eq!(
            [read("w as", &plan), read("run build", &plan), read("w build-", &plan)],
            [run("assets"), run("build"), run("build-all")]
        );
    }

    #[test]
    fn what_is_no_key_or_no_name_says_what_is() {
        let many = plan(&["assets", "build", "build-all"]);
        let told = |line: &str, plan: &Plan| read(line, plan).unwrap_err();
        assert_eq!(told("x\u{1b}[2J", &many), "'x\\u{1b}[2J' is no key; h and Enter lists them");
        assert_eq!(told("w bu", &many), "'bu' may be build or build-all");
        assert_eq!(told("w asets", &many), "there is no workflow 'asets'; did you mean 'assets'?");
        assert_eq!(told("w zzz", &many), "there is no workflow 'zzz'; there are assets, build, build-all");
        assert_eq!(told("w", &many), "which workflow? there are assets, build, build-all");
        assert_eq!(told("r web", &many), "there is no process 'web'; the config has no process");
        assert_eq!(told("s now", &many), "'s' takes nothing behind it; leave out 'now'");
        assert_eq!(told("w build all", &many), "'w' takes one workflow behind it; leave out 'all'");
        assert_eq!(read("w", &plan(&["only"])), Ok(Key::Run("only".into())));
    }
}
