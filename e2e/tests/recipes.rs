//! The recipes, and the config that a Procfile becomes: all are valid, and those whose tools are here are run.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, Session, programs, wait};
use std::path::Path;
use std::process::{Command, Stdio};

/// A web server in Python that says what its file `word` held when it started.
const SERVER: &str = r#"import http.server, os, sys
WORD = open("word.py").read().strip()
class Word(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(WORD.encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Word).serve_forever()
"#;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

/// What is fenced in a text: what stands behind the fence, and the lines.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let parts: Vec<&str> = text.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2).filter_map(|part| part.split_once('\n'));
    fenced.map(|(kind, lines)| (kind, lines.to_owned())).collect()
}

/// A project with the files of a recipe, its port replaced by a free one; and the address of that port.
fn recipe(heading: &str, port: &str) -> (Project, String) {
    let page = page("recipes.md");
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let project = Project::new(programs!());
    let free = wait::free_port().to_string();
    for (kind, text) in blocks(section) {
        if let Some((_, path)) = kind.split_once(" file=") {
            project.file(path, &text.replace(port, &free));
        }
    }
    assert!(project.path("devloop.toml").is_file(), "{heading} has no config");
    (project, format!("127.0.0.1:{free}"))
}

/// Whether a program is there; where everything is run, it has to be.
fn has(program: &str) -> bool {
    let told = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = told.is_ok_and(|status| status.success());
    assert!(is_there || std::env::var_os("CI").is_none(), "the continuous run has {program}");
    is_there
}

fn answers(address: &str, word: &str) {
    wait::until(&format!("{address} says {word}"), || (wait::get(address, "/")?.trim() == word).then_some(()));
}

fn ends(mut session: Session) {
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn every_config_of_the_recipes_and_of_the_migration_is_valid() {
    let mut configs = 0;
    for name in ["recipes.md", "migration.md", "tutorial.md"] {
        for (kind, text) in blocks(&page(name)) {
            if kind.split(" file=").next() != Some("toml") {
                continue;
            }
            let project = Project::new(programs!());
            project.file("devloop.toml", &text);
            let told = project.call(&["validate"]);
            assert!(told.status.success() && told.stderr.is_empty(), "{name}: {told:?}\n{text}");
            configs += 1;
        }
    }
    assert!(configs >= 9, "only {configs} configs were found");
}

#[test]
fn the_recipe_for_rust_builds_restarts_and_survives_a_build_that_fails() {
    let (project, address) = recipe("Rust", "18301");
    project.file("Cargo.toml", "[package]\nname = \"server\"\nedition = \"2021\"\n[workspace]\n");
    let source = |word: &str| {
        format!(
            "use std::io::{{Read, Write}};\nfn main() {{\n    let all = std::net::TcpListener::bind({address:?}).unwrap();\n    \
             for mut one in all.incoming().flatten() {{\n        let _ = one.read(&mut [0; 4096]);\n        \
             let _ = one.write_all(b\"HTTP/1.1 200 OK\\r\\nContent-Length: {}\\r\\nConnection: close\\r\\n\\r\\n{word}\");\n    }}\n}}\n",
            word.len()
        )
    };
    project.file("src/main.rs", &source("one"));
    let session = project.run();
    session.wait_for("process server is healthy at http://");
    answers(&address, "one");
    project.file("src/main.rs", "this is no Rust\n");
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    answers(&address, "one");
    project.file("src/main.rs", &source("two"));
    answers(&address, "two");
    ends(session);
}

#[test]
fn the_recipe_for_node_starts_the_front_behind_the_api_and_restarts_each_alone() {
    if !has("node") || !has("npm") {
        return;
    }
    let (project, address) = recipe("Node", "18302");
    let server = |word: &str| {
        format!(
            "require('http').createServer((_, answer) => answer.end('{word}')).listen(process.env.PORT, '127.0.0.1');\n"
        )
    };
    project.file("api/server.js", &server("one"));
    // Plays Vite: says the line that the recipe waits for.
    project.file("front.js", "console.log('  Local:   http://127.0.0.1:5173/'); setInterval(() => {}, 1000);\n");
    project.file("package.json", r#"{"scripts": {"dev": "node front.js"}}"#);
    let session = project.run();
    session.wait_for("started process vite");
    session.wait_for_stdout("Local:");
    answers(&address, "one");
    project.file("api/server.js", &server("two"));
    answers(&address, "two");
    assert_eq!(session.count("started process vite"), 1, "{}", session.told());
    project.file("vite.config.js", "// changed\n");
    session.wait_for_count("started process vite", 2);
    assert_eq!(session.count("started process api"), 2, "{}", session.told());
    ends(session);
}

#[test]
fn the_recipe_for_python_restarts_the_server_and_runs_the_tests() {
    let (project, address) = recipe("Python", "18303");
    project.file("app.py", SERVER).file("word.py", "one");
    let session = project.run();
    answers(&address, "one");
    project.file("word.py", "two");
    answers(&address, "two");
    session.wait_for("running workflow tests (word.py)");
    session.wait_for("Ran 0 tests in");
    project.file("test_word.py", "import unittest\nclass Word(unittest.TestCase):\n    def test(self): pass\n");
    session.wait_for("Ran 1 test in");
    ends(session);
}

#[test]
fn the_recipe_for_several_packages_builds_what_belongs_to_a_change() {
    let (project, address) = recipe("Several packages", "18304");
    project
        .file("libs/generate.sh", "cat word.txt > ../api/word; cp word.txt ../web/word\n")
        .file("libs/word.txt", "one");
    project.file("api/build.sh", "cp word index.html\n").file("api/word", "none");
    project.file("web/build.sh", "cat word page.txt > out 2>/dev/null; echo web built\n").file("web/page.txt", "page");
    // What a build writes is not what it is built from.
    let config = std::fs::read_to_string(project.path("devloop.toml")).unwrap();
    assert!(config.contains("[watch.libs]"));
    let session = project.run();
    answers(&address, "none");
    project.file("libs/word.txt", "two");
    session.wait_for("running workflow libs");
    answers(&address, "two");
    ends(session);
}

#[test]
fn the_recipe_for_an_agent_tells_it_how_its_edit_went() {
    let (project, _) = recipe("A program that writes code", "unused");
    project.file("check.sh", "grep -q good src/app.txt\n").file("src/app.txt", "good\n");
    let session = project.run_watching();
    let bin = tempfile::tempdir().unwrap();
    let devloop = project.command(&[]).get_program().to_owned();
    std::os::unix::fs::symlink(devloop, bin.path().join("devloop")).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let went = |before: &str| {
        let mut ask = Command::new("python3");
        ask.args(["wait_for_check.py", before]).current_dir(project.root()).env("PATH", &path);
        let told = ask.output().unwrap();
        assert!(told.status.success(), "{told:?}\n{}", session.told());
        String::from_utf8(told.stdout).unwrap()
    };
    assert_eq!(went("0"), "ok \n");
    project.file("src/app.txt", "bad\n");
    let told = went("1");
    assert!(told.starts_with("failed ") && told.contains("hook 'check' ended with exit status 1"), "{told}");
    ends(session);
}

#[test]
fn what_a_procfile_becomes_runs() {
    let page = page("migration.md");
    let port = wait::free_port().to_string();
    let project = Project::new(programs!());
    for (kind, text) in blocks(&page) {
        if let Some((_, path)) = kind.split_once(" file=") {
            project.file(path, &text.replace("18305", &port));
        }
    }
    project.file("worker.sh", "echo worker works\nexec sleep 1000\n").file("migrate.sh", "echo migrated\n");
    project.file("index.html", "the page");
    let session = project.run();
    session.wait_for_stdout("worker works");
    session.wait_for_stdout("migrated");
    answers(&format!("127.0.0.1:{port}"), "the page");
    project.file("worker.sh", "echo it works again\nexec sleep 1000\n");
    session.wait_for_stdout("it works again");
    assert_eq!(session.count("started process web"), 1, "{}", session.told());
    ends(session);

    // `init` reads the Procfile itself.
    std::fs::remove_file(project.path("devloop.toml")).unwrap();
    let told = project.call(&["init", "--print"]);
    let text = String::from_utf8(told.stdout).unwrap();
    for table in ["process.web", "process.worker", "hook.release"] {
        assert!(text.contains(&format!("[{table}]")), "{text}");
    }
}
