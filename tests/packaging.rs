//! What a release is made of: archives, the formula, and that all who name them name the same.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TARGETS: [&str; 4] =
    ["aarch64-apple-darwin", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "x86_64-unknown-linux-gnu"];

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn package(arguments: &[&str], out: &Path) -> Output {
    let mut command = Command::new(root().join(".ci/package"));
    command.args(arguments).arg("--out").arg(out).env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A program that does what devloop does, and packs in no time.
fn binary(folder: &Path) -> PathBuf {
    let path = folder.join("devloop");
    fs::write(&path, format!("#!/bin/sh\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_devloop"))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn an_archive_has_the_binary_its_pages_and_its_checksum_and_is_the_same_each_time() {
    let temp = tempfile::tempdir().unwrap();
    let binary = binary(temp.path());
    let name = format!("devloop-{VERSION}-{}", TARGETS[3]);
    let outs = ["one", "two"].map(|out| temp.path().join(out));
    let archives = outs.each_ref().map(|out| {
        text(&package(&["archive", "--target", TARGETS[3], "--binary", binary.to_str().unwrap()], out));
        fs::read(out.join(format!("{name}.tar.gz"))).unwrap()
    });
    assert!(archives[0] == archives[1], "two archives of the same files differ");

    let digest = ring::digest::digest(&ring::digest::SHA256, &archives[0]);
    let digest = digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let told = fs::read_to_string(outs[0].join(format!("{name}.tar.gz.sha256"))).unwrap();
    assert_eq!(told, format!("{digest}  {name}.tar.gz\n"));

    let unpacked = Command::new("tar").args(["-xzf", &format!("one/{name}.tar.gz")]).current_dir(temp.path()).output();
    text(&unpacked.unwrap());
    let folder = temp.path().join(&name);
    for command in devloop::cli::command().get_subcommands() {
        let page = folder.join(format!("man/devloop-{}.1", command.get_name()));
        assert!(fs::read_to_string(&page).unwrap().contains(".TH devloop-"), "{}", page.display());
    }
    assert!(fs::read_to_string(folder.join("man/devloop.1")).unwrap().contains(".TH devloop 1"));
    for file in ["devloop.bash", "_devloop", "devloop.fish", "devloop.elv", "_devloop.ps1"] {
        let script = fs::read_to_string(folder.join("completions").join(file)).unwrap();
        assert!(script.contains("DEVLOOP_COMPLETE") && !script.contains(temp.path().to_str().unwrap()), "{file}");
    }
    for file in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        assert_eq!(fs::read(folder.join(file)).unwrap(), fs::read(root().join(file)).unwrap(), "{file}");
    }
    let version = text(&Command::new(folder.join("devloop")).arg("--version").output().unwrap());
    assert_eq!(version, format!("devloop {VERSION}\n"));
}

#[test]
fn the_formula_names_each_archive_with_its_checksum() {
    let temp = tempfile::tempdir().unwrap();
    let sum = |at: usize| format!("{at}").repeat(64);
    for (at, target) in TARGETS.iter().enumerate() {
        assert!(!package(&["formula"], temp.path()).status.success(), "a formula without the sum of {target}");
        let file = format!("devloop-{VERSION}-{target}.tar.gz");
        fs::write(temp.path().join(format!("{file}.sha256")), format!("{}  {file}\n", sum(at))).unwrap();
    }
    text(&package(&["formula"], temp.path()));
    let formula = fs::read_to_string(temp.path().join("devloop.rb")).unwrap();
    assert!(!formula.contains('@'), "{formula}");
    let lines: Vec<&str> = formula.lines().map(str::trim).collect();
    for (at, target) in TARGETS.iter().enumerate() {
        let url = lines.iter().position(|line| *line == format!("url \"{}\"", url_of(target))).unwrap();
        assert_eq!(lines[url + 1], format!("sha256 \"{}\"", sum(at)));
    }
}

/// Where the archive of a target is, as `cargo binstall` works it out.
fn url_of(target: &str) -> String {
    let manifest = read("Cargo.toml");
    let value = |key: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")));
        line.unwrap_or_else(|| panic!("no {key}")).trim_end_matches('"').to_owned()
    };
    assert_eq!(value("bin-dir"), "devloop-{ version }-{ target }/{ bin }{ binary-ext }");
    let url = value("pkg-url").replace("{ repo }", &value("repository"));
    url.replace("{ version }", VERSION).replace("{ target }", target)
}

#[test]
fn a_release_is_built_for_every_target_of_the_formula_by_the_script_of_the_repository() {
    let release = read(".github/workflows/release.yml");
    let built: BTreeSet<&str> =
        release.lines().filter_map(|line| line.split_once("{ target: ")?.1.split(',').next()).collect();
    assert_eq!(built, BTreeSet::from(TARGETS));
    assert!(
        release.contains(".ci/package archive --target ${{ matrix.target }}")
            && release.contains(".ci/package formula")
    );
    assert!(read(".github/workflows/ci.yml").contains("run: .ci/run\n"));
}

#[test]
fn everything_that_is_compiled_in_is_in_the_package() {
    let arguments = ["package", "--list", "--allow-dirty", "--offline", "--locked", "--package", "devloop"];
    let listed = text(&Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap());
    let listed: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).collect();
    let mut sources = Vec::new();
    collect(&root().join("src"), &mut sources);
    let mut compiled_in = 0;
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        assert!(listed.contains(path.strip_prefix(root()).unwrap()), "{} is not in the package", path.display());
        let is_test = path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        for file in
            source.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|_| !is_test)
        {
            let file = path.parent().unwrap().join(file).canonicalize().unwrap();
            compiled_in += 1;
            assert!(listed.contains(file.strip_prefix(root()).unwrap()), "{} is not in the package", file.display());
        }
    }
    assert!(compiled_in > 5);
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(listed.contains(Path::new(file)), "{file}");
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
