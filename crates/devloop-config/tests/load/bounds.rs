//! Whatever the text is: no panic, places inside the text, a bounded list of problems.

use crate::loaded;
use devloop_config::diagnostic::SHOWN_MAX;
use devloop_config::{CONFIG_BYTES_MAX, Loaded, Severity};
use std::fmt::Write as _;
use std::panic::catch_unwind;

const EVERY_KEY: &str = include_str!("../accepts/every_key.toml");
const BASE: &str = "root = \".\"\n[watch.a]\npaths = [\"a\"]\n[workflow.a]\n";

/// What holds for every text.
fn check(text: &str, loaded: &Loaded) {
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.labels.is_empty() && diagnostic.hint.is_some(), "{diagnostic:?}");
        assert!(!diagnostic.message.is_empty() && !diagnostic.message.ends_with('.'), "{diagnostic:?}");
        for label in &diagnostic.labels {
            assert!(text.get(label.span.clone()).is_some(), "{:?} is no place of the text", label.span);
        }
    }
    for used in &loaded.variables {
        assert!(text.get(used.span.clone()).is_some());
    }
    assert!(loaded.diagnostics.len() <= SHOWN_MAX + 1);
    let has_error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(loaded.plan.is_none(), has_error);
}

/// A small generator of numbers (xorshift), so that a seed repeats a text.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn place(&mut self, text: &[char]) -> usize {
        self.below(text.len() + 1)
    }
}

/// A sound config with one to four things wrong with it.
fn mutated(seed: u64) -> String {
    const PIECES: [&str; 24] = [
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "#",
        "\\",
        "$",
        "${",
        "{{",
        "}}",
        "é",
        "\u{0}",
        "🦀",
        "\"\"\"",
        "0",
        "-1",
        "true",
        "[[process]]\n",
    ];
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut text: Vec<char> = EVERY_KEY.chars().collect();
    for _ in 0..=dice.below(4) {
        let from = dice.place(&text);
        let to = (from + dice.below(30)).min(text.len());
        match dice.below(4) {
            0 => drop(text.drain(from..to)),
            1 => {
                let piece = PIECES[dice.below(PIECES.len())];
                drop(text.splice(from..from, piece.chars()));
            }
            2 => {
                let piece = PIECES[dice.below(PIECES.len())];
                drop(text.splice(from..to, piece.chars()));
            }
            _ => {
                let copied: Vec<char> = text[from..to].to_vec();
                let at = dice.place(&text);
                drop(text.splice(at..at, copied));
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn no_mutation_of_a_sound_config_panics_or_points_outside_the_text() {
    for seed in 1..=500 {
        let text = mutated(seed);
        let outcome = catch_unwind(|| check(&text, &loaded(&text)));
        assert!(outcome.is_ok(), "seed {seed}:\n{text}");
    }
}

#[test]
fn every_beginning_of_a_sound_config_is_read_without_panic() {
    for end in (0..EVERY_KEY.len()).step_by(7) {
        check(&EVERY_KEY[..end], &loaded(&EVERY_KEY[..end]));
    }
}

#[test]
fn a_text_that_is_too_long_gets_one_error_at_once() {
    let text = "a".repeat(CONFIG_BYTES_MAX + 1);
    let loaded = loaded(&text);
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(loaded.diagnostics[0].message, "the config has 4194305 bytes, at most 4 MiB are read");
    check(&text, &loaded);
}

#[test]
fn more_problems_than_anyone_reads_are_counted() {
    let mut text = format!("{BASE}[process.a]\ncommand = [\"a\"]\n");
    for number in 0..SHOWN_MAX + 10 {
        writeln!(text, "k{number} = 1").unwrap();
    }
    let loaded = loaded(&text);
    check(&text, &loaded);
    assert_eq!(loaded.diagnostics.len(), SHOWN_MAX + 1);
    assert_eq!(loaded.diagnostics.last().unwrap().message, "and 10 more problems");
}

#[test]
fn a_hundred_thousand_wrong_keys_are_a_bounded_answer() {
    let text: String = (0..100_000).fold(BASE.to_owned(), |text, number| text + &format!("k{number} = 1\n"));
    let loaded = loaded(&text);
    check(&text, &loaded);
    assert_eq!(loaded.diagnostics.last().unwrap().message, "and 99950 more problems");
}

#[test]
fn a_hundred_thousand_tables_are_one_error() {
    let text: String = (0..100_000).fold(BASE.to_owned(), |text, number| text + &format!("[hook.h{number}]\n"));
    let loaded = loaded(&text);
    check(&text, &loaded);
    let messages: Vec<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(messages, ["the config has 100000 `[hook.NAME]` tables, at most 1000 are read"]);
}

#[test]
fn a_thousand_nested_tables_and_lists_do_not_overflow_the_stack() {
    for text in [
        format!("{BASE}a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{BASE}a = {}1{}\n", "{a=".repeat(1000), "}".repeat(1000)),
        format!("{BASE}[{}]\n", vec!["a"; 100_000].join(".")),
        format!("{BASE}{} = 1\n", vec!["a"; 1000].join(".")),
    ] {
        let loaded = loaded(&text);
        check(&text, &loaded);
        assert!(loaded.plan.is_none());
    }
}

/// Workflows that all refer to all later ones, and with `is_cyclic` to all earlier ones too.
fn tangle(count: usize, is_cyclic: bool) -> String {
    let mut text = BASE.to_owned();
    for number in 0..count {
        let first = if is_cyclic { 0 } else { number + 1 };
        let others: Vec<String> = (first..count).map(|other| format!("\"w{other}\"")).collect();
        let run = format!("steps = [{{ action = \"run_workflow\", workflow = \"w{}\" }}]\n", count - 1);
        let steps = if number + 1 < count { run.as_str() } else { "" };
        write!(text, "[workflow.w{number}]\n{steps}triggers = [{}]\n", others.join(",")).unwrap();
    }
    text
}

#[test]
fn a_tangle_of_workflows_is_a_bounded_answer() {
    for (is_cyclic, words) in [(false, "reachable both as a trigger target"), (true, "workflow recursion detected: ")] {
        let text = tangle(150, is_cyclic);
        let loaded = loaded(&text);
        check(&text, &loaded);
        assert!(loaded.diagnostics[0].message.contains(words), "{:?}", loaded.diagnostics[0]);
    }
}

#[test]
fn a_chain_of_a_thousand_workflows_is_read() {
    let mut text = "root = \".\"\n[watch.w0]\npaths = [\"a\"]\n".to_owned();
    for number in 0..999 {
        writeln!(text, "[workflow.w{number}]\ntriggers = [\"w{}\"]", number + 1).unwrap();
    }
    text += "[workflow.w999]\n";
    let loaded = loaded(&text);
    check(&text, &loaded);
    assert_eq!(loaded.plan.unwrap().workflows.len(), 1000);
}

#[test]
fn thousands_of_patterns_are_one_error() {
    let globs = vec!["\"**/*.x\""; 20_000].join(",");
    let text = format!("root = \".\"\n[watch.a]\npaths = [{globs}]\n[workflow.a]\n");
    let loaded = loaded(&text);
    check(&text, &loaded);
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(loaded.diagnostics[0].message, "the config has more than 2000 globs and regular expressions");
}
