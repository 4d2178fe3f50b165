//! The rules of the house, as tests: floors, doors, sizes, names. Each failure names a file, a line, and the rule.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines, without its tests.
const FILE_LINES_MAX: usize = 500;

/// Rooms and what they may look at. The first prefix that fits a file decides. `ARCHITECTURE.md` says why.
const FLOORS: &[(&str, &[&str])] = &[
    // Floor 0 looks at floor 0, downward only: nothing of it knows that an engine exists.
    ("crates/devloop-core/src/moment.rs", &[]),
    ("crates/devloop-core/src/names.rs", &[]),
    ("crates/devloop-core/src/value.rs", &[]),
    ("crates/devloop-core/src/template.rs", &["crate::names", "crate::value"]),
    ("crates/devloop-core/src/plan", &["crate::names", "crate::template", "crate::plan"]),
    ("crates/devloop-core/src/fact.rs", &["crate::names", "crate::moment", "crate::plan", "crate::value"]),
    ("crates/devloop-core/src/notice", &["crate::names", "crate::moment", "crate::fact", "crate::plan"]),
    (
        "crates/devloop-core/src/effect.rs",
        &["crate::names", "crate::plan", "crate::fact", "crate::notice", "crate::value"],
    ),
    ("crates/devloop-core/src/view.rs", &["crate::names", "crate::moment", "crate::effect"]),
    ("crates/devloop-core/src/protocol.rs", &["crate::names", "crate::fact", "crate::effect"]),
    // What an input can reach is worked out from the plan alone: the engine is not asked, it is checked against it.
    ("crates/devloop-core/src/reach", &["crate::names", "crate::template", "crate::plan", "crate::reach"]),
    ("crates/devloop-core/src/lib.rs", &[]),
    // Floor 1: the engine sees floor 0 and its own rooms.
    (
        "crates/devloop-core/src/engine",
        &[
            "crate::names",
            "crate::moment",
            "crate::value",
            "crate::template",
            "crate::plan",
            "crate::fact",
            "crate::effect",
            "crate::notice",
            "crate::view",
            "crate::engine",
        ],
    ),
    (
        "crates/devloop-config/src",
        &[
            "crate::",
            "devloop_core::plan",
            "devloop_core::names",
            "devloop_core::template",
            "devloop_core::fact",
            "devloop_core::value",
        ],
    ),
    // Floor 2: adapters touch the world and do not think; they see words, hands and tools, never the engine.
    ("src/hands.rs", &["devloop_core::effect", "devloop_core::fact", "devloop_core::view"]),
    ("src/env_vars.rs", &[]),
    (
        "src/adapters",
        &["crate::hands", "crate::env_vars", "crate::adapters", "crate::report", "crate::fuzz", "devloop_core::"],
    ),
    ("src/report", &["crate::report", "devloop_core::", "devloop_config::"]),
    // Floor 3: the loop knows hands and the core, and no adapter.
    ("src/driver", &["crate::hands", "crate::driver", "devloop_core::"]),
    // Floor 4: the front door sees everything.
    ("src", &["crate::", "devloop_core::", "devloop_config::"]),
];

/// Outside crates and the only rooms that may name them.
const DOORS: &[(&str, &[&str])] = &[
    ("toml", &["crates/devloop-config/src/", "src/cli/init/project.rs"]),
    ("yaml_rust2", &["src/cli/init/lists.rs"]),
    ("regex_syntax", &["crates/devloop-config/src/", "crates/devloop-core/src/reach/held.rs"]),
    ("regex_automata", &["crates/devloop-core/src/reach/held.rs"]),
    ("strsim", &["crates/devloop-config/src/suggest.rs", "src/docs"]),
    ("globset", &["crates/devloop-core/src/plan/watch.rs", "crates/devloop-config/src/"]),
    ("hyper", &["src/adapters/probe"]),
    ("http_body_util", &["src/adapters/probe"]),
    ("httparse", &["src/adapters/http"]),
    ("ring", &["src/adapters/http"]),
    ("rustls", &["src/adapters/probe"]),
    ("tokio_rustls", &["src/adapters/probe"]),
    ("rustls_native_certs", &["src/adapters/probe"]),
    ("serde_json", &["src/adapters/json.rs"]),
    ("ignore", &["src/adapters/watcher"]),
    ("notify", &["src/adapters/watcher"]),
    ("libc", &["src/adapters/guardian"]),
    ("memchr", &["src/adapters/output"]),
    ("unicode_width", &["src/report/boxed.rs", "src/report/columns.rs", "src/report/page.rs", "src/docs"]),
    ("clap", &["src/cli"]),
    ("clap_complete", &["src/cli"]),
    ("clap_mangen", &["src/cli/man.rs"]),
    ("anstream", &["src/cli"]),
    ("annotate_snippets", &["src/report/diagnostics.rs"]),
    ("env_filter", &["src/report/filter.rs"]),
    ("log", &["src/report/filter.rs"]),
    ("humantime", &["src/report.rs"]),
    ("tz", &["src/report/local.rs"]),
    ("pulldown_cmark", &["src/docs"]),
];

/// Words that say nothing, as a whole word of a name.
const BANNED: &[&str] =
    &["manager", "handler", "helper", "helpers", "util", "utils", "common", "misc", "service", "data", "info"];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines before the file's own tests, numbered from 1.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { path: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text });
        }
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty());
    found
}

/// The product's own code, without tests and benches.
fn product() -> Vec<Source> {
    sources(&["src", "crates/devloop-core/src", "crates/devloop-config/src", "e2e/src"])
}

fn everything() -> Vec<Source> {
    sources(&["src", "tests", "crates", "e2e", "examples"])
}

fn assert_none(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// The paths of a `use` line that begins with a crate's name, groups expanded by one level.
fn uses(line: &str) -> Vec<String> {
    let line =
        line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
    let Some(path) = line.strip_prefix("use ") else { return Vec::new() };
    let path = path.trim_end_matches(';');
    match path.split_once('{') {
        Some((stem, group)) if matches!(stem, "crate::" | "devloop_core::") => {
            group.trim_end_matches('}').split(',').map(|part| format!("{stem}{}", part.trim())).collect()
        }
        _ => vec![path.to_owned()],
    }
}

#[test]
fn every_room_looks_only_where_its_floor_allows() {
    let mut broken = Vec::new();
    for source in product().iter().filter(|source| !source.path.starts_with("e2e/")) {
        let (_, allowed) = FLOORS
            .iter()
            .find(|(prefix, _)| source.path.starts_with(prefix))
            .unwrap_or_else(|| panic!("{} stands on no floor", source.path));
        for (number, line) in source.product_lines() {
            for path in uses(line) {
                let is_ours = path.starts_with("crate::") || path.starts_with("devloop_");
                if is_ours && !allowed.iter().any(|prefix| path.starts_with(prefix)) {
                    broken.push(format!("{}:{number}: {path}", source.path));
                }
                if path.starts_with("devloop_core::engine") && !source.path.starts_with("src/driver") {
                    let is_front_door =
                        source.path.starts_with("src/cli") || source.path.starts_with("crates/devloop-core");
                    if !is_front_door {
                        broken.push(format!(
                            "{}:{number}: only the loop and the front door know the engine",
                            source.path
                        ));
                    }
                }
            }
        }
    }
    assert_none("a room looks where its floor forbids it (ARCHITECTURE.md, Floors)", &broken);
}

#[test]
fn every_outside_crate_has_one_door() {
    let mut broken = Vec::new();
    for source in product().iter().filter(|source| !source.path.starts_with("e2e/")) {
        for (number, line) in source.product_lines() {
            let code = line.split("//").next().unwrap_or_default();
            for (name, doors) in DOORS {
                let is_named = code.contains(&format!("use {name}::"))
                    || code.contains(&format!("use {name};"))
                    || code
                        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                        .any(|word| word.starts_with(&format!("{name}::")));
                if is_named && !doors.iter().any(|door| source.path.starts_with(door)) {
                    broken.push(format!("{}:{number}: {name} enters by {doors:?}", source.path));
                }
            }
        }
    }
    assert_none("an outside crate enters by a door that is not its own", &broken);
}

#[test]
fn every_file_says_what_it_is_for() {
    let broken: Vec<String> = everything()
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path.clone())
        .collect();
    assert_none("a file begins with `//!` and what it is for", &broken);
}

#[test]
fn no_room_is_too_large() {
    let broken: Vec<String> = product()
        .iter()
        .map(|source| (source.product_lines().count(), &source.path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none("a file has at most 500 lines without its tests", &broken);
}

#[test]
fn no_name_says_nothing() {
    let mut broken = Vec::new();
    for source in product() {
        let stem = Path::new(&source.path).file_stem().unwrap().to_string_lossy().into_owned();
        if BANNED.contains(&stem.as_str()) || stem == "mod" || stem == "imp" {
            broken.push(format!("{}: the file's name", source.path));
        }
        for (number, line) in source.product_lines() {
            let code = line.split("//").next().unwrap_or_default();
            let mut words = code.split_whitespace().peekable();
            while let Some(word) = words.next() {
                if !matches!(word, "fn" | "struct" | "enum" | "trait" | "mod") {
                    continue;
                }
                let name: String =
                    words.peek().unwrap_or(&"").chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if words_of(&name).iter().any(|part| BANNED.contains(&part.as_str())) || name.starts_with("do_") {
                    broken.push(format!("{}:{number}: {name}", source.path));
                }
            }
        }
    }
    assert_none("a name uses a word that says nothing", &broken);
}

/// The words of a snake or camel name, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn nothing_is_left_open_or_switched_off() {
    // Put together here, so that this file does not find itself.
    let open = ["TO", "FIX", "XX", "HA"].iter().zip(["DO", "ME", "X", "CK"]).map(|(a, b)| format!("{a}{b}"));
    let mut marks: Vec<String> = open.collect();
    marks.extend(
        ["#[ign", "#[should_p", "#[all", "#![all"]
            .iter()
            .zip(["ore", "anic", "ow(", "ow("])
            .map(|(a, b)| format!("{a}{b}")),
    );
    let mut broken = Vec::new();
    for source in everything() {
        for (number, line) in source.text.lines().enumerate() {
            for mark in &marks {
                let is_marked = line.match_indices(mark.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + mark.len()..].chars().next();
                    mark.starts_with('#')
                        || !(before.is_some_and(char::is_alphanumeric) || after.is_some_and(char::is_alphanumeric))
                });
                if is_marked {
                    broken.push(format!("{}:{}: {mark}", source.path, number + 1));
                }
            }
        }
    }
    assert_none("open ends are issues, switched-off tests are deleted, lints are expected with a reason", &broken);
}

#[test]
fn unsafe_code_is_in_the_guardian_alone_and_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for source in product().iter().filter(|source| !source.path.starts_with("e2e/")) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if !code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe") {
                continue;
            }
            if !source.path.starts_with("src/adapters/guardian") {
                broken.push(format!("{}:{}: outside the guardian", source.path, at + 1));
            }
            let is_explained = lines[at.saturating_sub(6)..=at]
                .iter()
                .any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            if !is_explained {
                broken.push(format!("{}:{}: no SAFETY comment", source.path, at + 1));
            }
        }
    }
    assert_none("unsafe code lives in the guardian with a SAFETY comment", &broken);
}

#[test]
fn a_room_with_children_has_a_door_beside_its_folder() {
    let mut broken = Vec::new();
    for source in product() {
        let path = Path::new(&source.path);
        let parent = path.parent().unwrap();
        let is_crate_root = parent.file_name().is_some_and(|name| name == "src" || name == "bin");
        if !is_crate_root && !root().join(parent).with_extension("rs").exists() {
            broken.push(source.path.clone());
        }
    }
    assert_none("`room/` has a `room.rs` beside it", &broken);
}
