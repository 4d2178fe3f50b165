//! One file a case: `accepts/*.toml` give a plan, `rejects/*.toml` do not. What is said about each stands beside it in
//! `*.expected`; `UPDATE_EXPECT=1` writes those anew.

use crate::loaded;
use devloop_config::{Diagnostic, Loaded, Severity};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A diagnostic as plain lines: severity and message, each marked place with its text, the hint.
fn shown(text: &str, diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut shown = format!("{severity}: {}\n", diagnostic.message);
    for label in &diagnostic.labels {
        let before = &text[..label.span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        writeln!(shown, "  {line}:{column} `{}` {}", text[label.span.clone()].escape_debug(), label.text).unwrap();
    }
    if let Some(hint) = &diagnostic.hint {
        writeln!(shown, "  hint: {hint}").unwrap();
    }
    shown
}

fn all_shown(text: &str, loaded: &Loaded) -> String {
    let unset = loaded.unset_variables(|name| name == "HOME");
    loaded.diagnostics.iter().chain(&unset).map(|diagnostic| shown(text, diagnostic)).collect()
}

/// Loads every case of a folder and compares what is said with the file beside it.
fn check(folder: &str, is_accepted: bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let text = std::fs::read_to_string(&case).unwrap();
        let loaded = loaded(&text);
        let said = all_shown(&text, &loaded);
        assert_eq!(loaded.plan.is_some(), is_accepted, "{}:\n{said}", case.display());
        let expected_file = case.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() && !said.is_empty() {
            std::fs::write(&expected_file, &said).unwrap();
        }
        // A case about which nothing is said has no file.
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        assert_eq!(said, expected, "{}", case.display());
    }
}

#[test]
fn accepted_configs_give_a_plan() {
    check("accepts", true);
}

// promise: event.check.1, event.check.2, artifact.check.1
#[test]
fn rejected_configs_say_what_is_wrong_and_where() {
    check("rejects", false);
}
