//! What the documents say is what the program does: keys, examples, commands, variables, promises, paths.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use devloop_config::{Place, Severity};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Markdown files of the repository, relative to its root.
fn documents() -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for folder in ["", "bench", "docs", "docs/design", "examples/quickstart", "examples/blog", "examples/static-site"] {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                found.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    assert!(found.len() > 5);
    found.sort();
    found
}

/// Fenced blocks of a document: what stands behind the fence, and the text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some((kind.to_owned(), String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((kind, text))) => open = Some((kind, text + line + "\n")),
            (None, None) => {}
        }
    }
    blocks
}

fn problems(text: &str, wanted: Severity) -> Vec<String> {
    let place = Place { folder: PathBuf::from("/project") };
    let loaded = devloop_config::load(text, &place);
    loaded.diagnostics.iter().filter(|found| found.severity == wanted).map(|found| found.message.clone()).collect()
}

#[test]
fn every_config_in_the_documents_is_right_or_says_that_it_is_not() {
    let mut configs = 0;
    for path in documents() {
        for (kind, text) in blocks(&read(&path)) {
            // A text that is put at the end of another (`append=`) is no config by itself.
            let language = kind.split(" file=").next().unwrap();
            match language {
                "toml" => {
                    configs += 1;
                    assert_eq!(problems(&text, Severity::Error), Vec::<String>::new(), "{path}:\n{text}");
                    assert_eq!(problems(&text, Severity::Warning), Vec::<String>::new(), "{path}:\n{text}");
                }
                "toml,rejects" => {
                    configs += 1;
                    assert_ne!(problems(&text, Severity::Error), Vec::<String>::new(), "{path}:\n{text}");
                }
                _ => {}
            }
        }
    }
    assert!(configs > 5, "only {configs} configs were found");
}

#[test]
fn every_example_has_no_problem() {
    let mut examples = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path().join("devloop.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(problems(&text, Severity::Error), Vec::<String>::new(), "{}", path.display());
        assert_eq!(problems(&text, Severity::Warning), Vec::<String>::new(), "{}", path.display());
        examples += 1;
    }
    assert!(examples >= 3);
}

#[test]
fn the_key_tables_are_those_of_the_program() {
    let path = "docs/config.md";
    let text = read(path);
    let fresh = devloop_config::reference::refreshed(&text).unwrap_or_else(|bad| panic!("{path}: {bad:?}"));
    for key in devloop_config::keys::KEYS {
        assert!(fresh.contains(&format!("| `{}` |", key.name)), "`{}` of {} is in no table", key.name, key.table);
    }
    if fresh != text {
        fs::write(root().join(path), fresh).unwrap();
        panic!("{path} was not up to date and has been rewritten: look at the difference and commit it");
    }
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut commands = 0;
    for path in documents() {
        for (kind, text) in blocks(&read(&path)) {
            if kind.split(' ').next() != Some("console") {
                continue;
            }
            for line in text.lines() {
                let Some(line) = line.strip_prefix("$ devloop ") else { continue };
                let words = line.split(['|', '>', '#', '2']).next().unwrap().split_whitespace();
                let parsed = devloop::cli::command().try_get_matches_from(std::iter::once("devloop").chain(words));
                let is_known = match parsed {
                    Ok(_) => true,
                    Err(error) => !error.use_stderr(),
                };
                assert!(is_known, "{path}: devloop {line}");
                commands += 1;
            }
        }
    }
    assert!(commands > 3, "only {commands} commands were found");
}

#[test]
fn every_command_and_option_of_the_program_is_in_the_documents() {
    let text = read("docs/cli.md");
    for command in devloop::cli::command().get_subcommands() {
        assert!(text.contains(&format!("devloop {}", command.get_name())), "{}", command.get_name());
        for option in command.get_arguments().chain(devloop::cli::command().get_arguments()) {
            if let Some(long) = option.get_long() {
                assert!(text.contains(&format!("--{long}")), "--{long}");
            }
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let text = read("docs/cli.md");
    let section = text.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let told: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" |").next())
        .filter(|cell| cell.parse::<u8>().is_ok())
        .collect();
    let codes = [devloop::failure::SUCCESS, devloop::failure::FAILED, devloop::failure::USAGE];
    assert_eq!(told, codes.map(|code| code.to_string()));
}

#[test]
fn every_variable_is_documented_and_every_documented_variable_exists() {
    let known: BTreeSet<String> = devloop::env_vars::SET.iter().map(|&name| name.to_owned()).collect();
    let pages = [
        "docs/cli.md",
        "docs/config.md",
        "docs/artifacts.md",
        "docs/events.md",
        "docs/security.md",
        "docs/behavior.md",
        "README.md",
    ];
    let pages = pages.map(read).join("\n");
    let told: BTreeSet<String> = pages
        .split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.starts_with("DEVLOOP_") && word.len() > "DEVLOOP_".len())
        .map(|word| word.trim_end_matches('_').to_owned())
        // `DEVLOOP_EVENT_<NAME>_URL` has the name of an event in it.
        .map(|word| if word.starts_with("DEVLOOP_EVENT_") { devloop::env_vars::EVENT.to_owned() } else { word })
        // `DEVLOOP_ARTIFACT_<NAME>_DIR` has the name of an artifact in it.
        .map(|word| if word.ends_with("_DIR") { devloop::env_vars::ARTIFACT_OF.to_owned() } else { word })
        .filter(|word| word != "DEVLOOP")
        .collect();
    for name in &known {
        assert!(pages.contains(name), "{name} is in no document");
    }
    for name in &told {
        assert!(known.contains(name), "the documents name {name}, which nothing sets or reads");
    }
}

/// All `.rs` files below a folder.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target" && name != ".git") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

#[test]
fn every_promise_is_kept_by_a_test_that_names_it() {
    let promised: BTreeSet<String> = read("docs/behavior.md")
        .lines()
        .filter_map(|line| line.strip_prefix("- `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect();
    assert!(promised.len() > 50);
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let named: BTreeSet<String> = found
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.trim_start().strip_prefix("// promise: "))
        .flat_map(|line| line.split(", "))
        .map(|name| name.trim().to_owned())
        .collect();
    let unkept: Vec<&String> = promised.difference(&named).collect();
    let unknown: Vec<&String> = named.difference(&promised).collect();
    assert!(unkept.is_empty(), "no test names {unkept:?}");
    assert!(unknown.is_empty(), "tests name promises that nobody made: {unknown:?}");
}

/// The attacks and the faults: each page has a row for each number of its kinds, and each row a test.
const MATRICES: [(&str, &[(&str, u32)]); 2] = [
    ("docs/design/0001-attack-matrix.md", &[("H", 38), ("SS", 9), ("K", 13), ("V", 18), ("E", 7)]),
    ("docs/design/0002-fault-table.md", &[("P", 20), ("E", 7), ("ST", 8), ("W", 10), ("L", 8), ("T", 4)]),
];

/// One line of such a page.
struct Row {
    page: &'static str,
    id: String,
    test: String,
    file: String,
}

/// All rows of a page.
fn rows(page: &'static str) -> Vec<Row> {
    read(page)
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.trim_end_matches(" |").split(" | ").map(|cell| cell.trim_matches('`').to_owned()).collect())
        .filter(|cells: &Vec<String>| cells[0].ends_with(|last: char| last.is_ascii_digit()))
        .map(|cells| {
            let [id, _, test, file] = &cells[..] else { panic!("{page}: {cells:?}") };
            Row { page, id: id.clone(), test: test.clone(), file: file.clone() }
        })
        .collect()
}

#[test]
fn every_attack_and_every_fault_has_a_row_and_every_row_a_test_that_exists() {
    for (page, kinds) in MATRICES {
        let rows = rows(page);
        let told: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
        let all = kinds.iter().flat_map(|(kind, last)| (1..=*last).map(move |number| format!("{kind}{number}")));
        let wanted: BTreeSet<String> = all.collect();
        assert_eq!(told, wanted, "{page}");
        for Row { id, test, file, .. } in &rows {
            assert!(has_test(file, test), "{page}: {id}: {file} has no test {test}");
        }
    }
}

/// Whether a file has a test of this name, also in its own module of tests, or as a case of the guardian.
fn has_test(file: &str, test: &str) -> bool {
    let content = read(file);
    let is_case = file.starts_with("tests/guardian/") && content.contains(&format!("(\"{test}\", "));
    is_case || ["", "    "].iter().any(|margin| content.contains(&format!("{margin}#[test]\n{margin}fn {test}() {{")))
}

#[test]
fn every_test_that_is_named_by_a_row_stands_in_it() {
    let rows: Vec<Row> = MATRICES.iter().flat_map(|(page, _)| rows(page)).collect();
    let mut found = Vec::new();
    for folder in ["e2e/tests", "tests", "src", "crates"] {
        sources(&root().join(folder), &mut found);
    }
    for (file, text) in found {
        for name in text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("fn "))
            .filter_map(|line| line.split('(').next())
        {
            let Some(id) = name.split('_').next().map(str::to_uppercase) else { continue };
            let mut of_row = rows.iter().filter(|row| row.id == id).peekable();
            let Some(page) = of_row.peek().map(|row| row.page) else { continue };
            assert!(of_row.any(|row| row.test == name), "{page} does not have {name} of {}", file.display());
        }
    }
}

#[test]
fn the_map_names_every_room_and_no_room_that_is_not_there() {
    let map = read("ARCHITECTURE.md");
    let is_path = |word: &&str| {
        word.contains('/')
            && !word.contains("://")
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
    };
    let named: BTreeSet<String> =
        map.split('`').skip(1).step_by(2).filter(is_path).map(|word| word.trim_end_matches('/').to_owned()).collect();
    let missing: Vec<&String> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
    for folder in [
        "src",
        "src/adapters",
        "src/cli",
        "crates/devloop-core/src",
        "crates/devloop-core/src/engine",
        "crates/devloop-config/src",
    ] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_room = path.extension().is_some_and(|extension| extension == "rs") && name != "main.rs";
            let relative = format!("{folder}/{name}");
            assert!(!is_room || named.contains(&relative), "ARCHITECTURE.md does not name `{relative}`");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for path in documents() {
        let text = read(&path);
        let folder = root().join(&path).parent().unwrap().to_path_buf();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            assert!(folder.join(target).exists(), "{path}: {link}");
        }
    }
}

#[test]
fn the_changelog_has_this_version_and_what_comes_next() {
    let text = read("CHANGELOG.md");
    assert!(text.contains("## [Unreleased]"));
    assert!(text.contains(&format!("## [{}]", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_readme_has_the_two_commands() {
    let text = read("README.md");
    assert!(text.contains("cargo run -- run --config examples/quickstart/devloop.toml"));
    assert!(text.contains("cargo test --workspace"));
}
