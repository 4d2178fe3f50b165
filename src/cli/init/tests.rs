//! Each kind of project has a config that is right, and says what was found.

use super::*;
use std::fs;

/// The config for a folder with these files.
fn config(files: &[(&str, &str)]) -> (Draft, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("shop");
    fs::create_dir(&root).unwrap();
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let (draft, text) = look(&root);
    let loaded = devloop_config::load(&text, &Place { folder: root });
    let problems: Vec<_> = loaded.diagnostics.iter().map(|found| found.message.clone()).collect();
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    (draft, text)
}

fn assert_holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_rust_program_is_built_and_restarted() {
    let (draft, text) = config(&[("Cargo.toml", "[package]\nname = \"shop\"\n"), ("src/main.rs", "")]);
    assert_eq!(draft.found, ["Cargo.toml: a Rust program 'shop'"]);
    assert_holds(
        &text,
        &[
            "startup_workflows = [\"rust\"]",
            "paths = [\"src/\", \"Cargo.toml\"]",
            "command = [\"target/debug/shop\"]\nautostart = false",
            "command = [\"cargo\", \"build\"]",
            "{ action = \"run_hook\", hook = \"build\" },\n  { action = \"restart_process\", process = \"shop\" },",
        ],
    );
}

#[test]
fn a_rust_workspace_without_a_program_runs_its_tests() {
    let manifest = "[workspace]\nmembers = [\"crates/*\", \"tools/a\", \"../out\"]\n";
    let (_, text) = config(&[("Cargo.toml", manifest), ("crates/a/Cargo.toml", "")]);
    assert_holds(&text, &["paths = [\"crates/\", \"Cargo.toml\", \"tools/a/**/*.rs\"]", "[\"cargo\", \"test\"]"]);
}

#[test]
fn scripts_of_node_are_run_by_the_program_whose_lock_file_is_there() {
    let package = r#"{ "scripts": { "dev": "vite", "build": "vite build" } }"#;
    let (draft, text) = config(&[("package.json", package), ("pnpm-lock.yaml", ""), ("vite.config.ts", "")]);
    assert_eq!(draft.found, ["package.json: scripts dev, build (pnpm, pnpm-lock.yaml)"]);
    assert_holds(&text, &["command = [\"pnpm\", \"run\", \"dev\"]", "paths = [\"package.json\", \"vite.config.ts\"]"]);
    let (_, text) = config(&[("package.json", r#"{ "scripts": { "start": "node ." } }"#), ("src/a.js", "")]);
    assert_holds(&text, &["command = [\"npm\", \"run\", \"start\"]", "paths = [\"src/\", \"package.json\"]"]);
}

#[test]
fn python_knows_django_asgi_and_flask_and_what_runs_them() {
    let (_, text) = config(&[("manage.py", ""), ("pyproject.toml", ""), ("uv.lock", "")]);
    assert_holds(&text, &["[\"uv\", \"run\", \"python\", \"manage.py\", \"runserver\", \"--noreload\"]"]);
    let (_, text) = config(&[("requirements.txt", "fastapi\nuvicorn\n"), ("app/main.py", "")]);
    assert_holds(&text, &["[\"uvicorn\", \"app.main:app\"]"]);
    let (_, text) = config(&[("requirements.txt", "Flask\n"), ("app.py", "")]);
    assert_holds(&text, &["[\"flask\", \"--app\", \"app\", \"run\", \"--no-reload\"]"]);
    let (_, text) = config(&[("pyproject.toml", "")]);
    assert_holds(&text, &["[\"python\", \"-m\", \"pytest\", \"-q\"]"]);
}

#[test]
fn go_and_ruby_have_a_server_or_their_tests() {
    let (_, text) = config(&[("go.mod", "module shop\n"), ("cmd/api/main.go", "")]);
    assert_holds(&text, &["[\"go\", \"build\", \"-o\", \".devloop/bin/api\", \"./cmd/api\"]"]);
    let (_, text) = config(&[("go.mod", "module shop\n"), ("main.go", "")]);
    assert_holds(&text, &["[\"go\", \"build\", \"-o\", \".devloop/bin/shop\", \".\"]"]);
    let (_, text) = config(&[("Gemfile", ""), ("bin/rails", ""), ("config/app.rb", "")]);
    assert_holds(&text, &["command = [\"bin/rails\", \"server\"]", "paths = [\"config/\"]"]);
    let (_, text) = config(&[("Gemfile", "")]);
    assert_holds(&text, &["[\"bundle\", \"exec\", \"rake\"]"]);
}

#[test]
fn a_procfile_decides_what_runs() {
    let lines = "web: bundle exec puma -p $PORT\n# no\nworker: bin/work\nbad name: x\nrelease: bin/migrate\n";
    let (draft, text) = config(&[("Procfile", lines), ("Gemfile", "")]);
    assert_eq!(
        draft.found,
        ["Procfile: web, worker, release", "Gemfile: left alone, since the list above says what runs"]
    );
    assert!(draft.processes.iter().all(|process| !process.autostart && process.name != "release"));
    assert_holds(
        &text,
        &[
            "command = [\"sh\", \"-c\", \"bundle exec puma -p $$PORT\"]\nautostart = false\nenv = { \"PORT\" = \"5000\" }",
            "[process.worker]\ncommand = [\"bin/work\"]",
            "[hook.release]\ncommand = [\"bin/migrate\"]",
            "startup_workflows = [\"procfile\"]",
        ],
    );
}

#[test]
fn a_process_compose_file_keeps_its_dependencies() {
    let file = "processes:\n  db:\n    command: postgres -D data\n  api:\n    command: ./api | tee log\n    environment:\n      - \"A=b$c\"\n    depends_on:\n      db:\n        condition: process_started\n      gone: {}\n";
    let (_, text) = config(&[("process-compose.yaml", file)]);
    assert_holds(
        &text,
        &[
            "command = [\"postgres\", \"-D\", \"data\"]",
            "command = [\"sh\", \"-c\", \"./api | tee log\"]\ndepends_on = [\"db\"]\nenv = { \"A\" = \"b$$c\" }",
        ],
    );
}

#[test]
fn containers_have_the_time_that_their_daemon_gives_them() {
    let (draft, text) = config(&[("compose.yaml", "services:\n  db: {}\n  cache: {}\n")]);
    assert_eq!(draft.found, ["compose.yaml: db, cache"]);
    assert_holds(&text, &["[\"docker\", \"compose\", \"up\"]\nstop_timeout_ms = 15000"]);
}

#[test]
fn a_makefile_counts_when_nothing_else_says_what_runs() {
    let (_, text) = config(&[("Makefile", ".PHONY: all\nall: a.o\n\tcc\nrun: all\n\t./a\nX := 1\n"), ("src/a.c", "")]);
    assert_holds(
        &text,
        &["[\"make\", \"all\"]", "[\"make\", \"run\"]\nautostart = false", "paths = [\"src/\", \"Makefile\"]"],
    );
    let (draft, _) = config(&[("Makefile", "all:\n"), ("Cargo.toml", "[package]\nname = \"x\"\n")]);
    assert_eq!(draft.found.len(), 1);
}

#[test]
fn an_empty_folder_has_a_sketch_and_hostile_names_are_only_text() {
    let (draft, text) = config(&[]);
    assert!(draft.is_empty() && text.contains("put your build command here"));
    let name = "[package]\nname = \"a\\\"]\\n[hook.x]\\ncommand = [\\\"rm\\\"]\\u001b[2J\"\n";
    let (draft, text) = config(&[("Cargo.toml", name), ("src/main.rs", "")]);
    assert_eq!(draft.hooks.len(), 1);
    assert!(!text.contains("\n[hook.x]") && !text.contains('\u{1b}'), "{text}");
    let (_, text) = config(&[("Procfile", "web: x\u{7f}\u{1}\"\\ $HOME\n")]);
    assert!(!text.contains('\u{1}') && !text.contains('\u{7f}'));
    config(&[("package.json", "[[[["), ("pyproject.toml", "= ="), ("compose.yml", ": : :\n - [")]);
}
