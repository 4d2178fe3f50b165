//! What we depend on: licences, sources, versions, and the wall around the core.
//!
//! `cargo deny` says more where it is installed (`deny.toml`); this needs nothing but cargo.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Licences that go together with ours. The same list is in `deny.toml`.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages that are there in two versions, and why nothing can be done about it.
const DUPLICATES: &[(&str, &str)] = &[
    ("getrandom", "ring has an older one than tempfile, and ahash, which boon brings, one between"),
    ("r-efi", "the two newer getrandom have one each, on a system that is not ours"),
    ("syn", "zerocopy-derive, which boon and criterion bring, has an older one than everything else"),
    ("windows-sys", "ring has an older one than everything else"),
];

/// What the core must not know, however indirectly: a runtime, the system, files of any format.
const KEPT_OUT_OF_CORE: &[&str] = &["tokio", "mio", "libc", "rustix", "serde", "serde_core"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => panic!("{program} cannot be started: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The resolved packages of this platform: those of others need not be on this machine.
fn metadata() -> Value {
    let version = output("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let text =
        output(env!("CARGO"), &["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform", host]);
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => panic!("cargo metadata is no JSON: {error}"),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Whether an SPDX expression can be met with our list; `/` is how older packages write `OR`.
fn is_licence_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let allowed = alternatives(&words, &mut at);
    allowed && at == words.len()
}

fn alternatives(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = conjunction(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        allowed |= conjunction(words, at);
    }
    allowed
}

fn conjunction(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = licence(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= licence(words, at);
    }
    allowed
}

fn licence(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if *word == "(" {
        let allowed = alternatives(words, at);
        *at += 1;
        return allowed;
    }
    let mut name = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        name = format!("{name} WITH {exception}");
        *at += 2;
    }
    LICENCES.contains(&name.as_str())
}

/// Names, versions and sources of all packages of `Cargo.lock`, those of other platforms too.
fn locked() -> Vec<(String, String, Option<String>)> {
    let lock = match fs::read_to_string(root().join("Cargo.lock")) {
        Ok(lock) => lock,
        Err(error) => panic!("Cargo.lock cannot be read: {error}"),
    };
    let value = |block: &str, key: &str| {
        let begin = format!("{key} = \"");
        let line = block.lines().find_map(|line| line.strip_prefix(&begin))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let packages: Vec<_> = lock
        .split("[[package]]")
        .skip(1)
        .map(|block| {
            (
                value(block, "name").unwrap_or_default(),
                value(block, "version").unwrap_or_default(),
                value(block, "source"),
            )
        })
        .collect();
    assert!(packages.len() > 10, "Cargo.lock was not understood");
    packages
}

#[test]
fn a_licence_expression_is_read_as_spdx_means_it() {
    for expression in [
        "MIT",
        "MIT OR GPL-3.0",
        "Unlicense/MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR X",
    ] {
        assert!(is_licence_allowed(expression), "{expression}");
    }
    for expression in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0", "MIT WITH strange-exception", "MIT MIT"]
    {
        assert!(!is_licence_allowed(expression), "{expression}");
    }
}

#[test]
fn every_package_has_a_licence_that_goes_with_ours() {
    let metadata = metadata();
    let packages = list(&metadata, "packages");
    assert!(packages.len() > 10, "cargo metadata was not understood");
    for package in packages {
        let licence = text(package, "license");
        let name = text(package, "name");
        assert!(is_licence_allowed(licence), "{name} has the licence '{licence}'");
    }
}

#[test]
fn every_package_comes_from_crates_io_or_from_here() {
    for (name, version, source) in locked() {
        let is_known = source
            .as_deref()
            .is_none_or(|source| source.starts_with("registry+") && source.ends_with("/crates.io-index"));
        assert!(is_known, "{name} {version} comes from {source:?}");
    }
}

#[test]
fn no_package_is_there_twice_without_a_reason() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version, _) in locked() {
        versions.entry(name).or_default().insert(version);
    }
    let twice: Vec<&str> =
        versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| name.as_str()).collect();
    let known: Vec<&str> = DUPLICATES.iter().map(|(name, _)| *name).collect();
    assert_eq!(twice, known, "packages in two versions, and the ones with a reason");
}

#[test]
fn http_2_is_switched_on_by_nobody() {
    // A feature of a shared crate is on for all as soon as one asks for it.
    let tree = output(
        env!("CARGO"),
        &["tree", "--offline", "--locked", "--package=devloop", "--edges=normal,build,features", "--prefix=none"],
    );
    assert!(tree.contains("hyper feature \"http1\""), "the tree was not read: {tree}");
    for wrong in ["hyper feature \"http2\"", "hyper feature \"server\"", "\nh2 v"] {
        assert!(!tree.contains(wrong), "{wrong} is on:\n{tree}");
    }
}

#[test]
fn the_core_knows_no_runtime_no_system_and_no_file_format() {
    // `cargo metadata` joins the features of the whole workspace; `cargo tree` looks at the core alone.
    let tree = output(
        env!("CARGO"),
        &["tree", "--offline", "--locked", "--package=devloop-core", "--edges=normal,build", "--prefix=none"],
    );
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("regex"), "the tree was not read: {tree}");
    for name in KEPT_OUT_OF_CORE {
        assert!(!names.contains(name), "devloop-core depends on {name}:\n{tree}");
    }
}
