//! Commands beside `run`: what they show of a config and of a session, and that none of them does anything.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, programs, wait};
use serde_json::Value;
use std::process::{Command, Output, Stdio};

const CONFIG: &str = r#"
[watch.pages]
paths = ["pages/"]

[event.publish]
state_key = "slug"
workflow = "pages"
pattern = "^[a-z]{1,9}$"

[process.server]
command = ["PUPPET", "hang"]

[hook.build]
command = ["sh", "-c", "echo built; exit $(cat fails)"]

[workflow.pages]
steps = [
  { action = "run_hook", hook = "build" },
  { action = "write_state", key = "built", value = "{{last_changed_files}}" },
]
"#;

fn project() -> Project {
    let project = Project::new(programs!());
    project.config(CONFIG);
    project.file("fails", "0");
    project
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn status(project: &Project) -> Option<Value> {
    let output = project.call(&["status", "--json"]);
    output.status.success().then(|| serde_json::from_str(&stdout(&output)).unwrap())
}

// promise: command.status.1
#[test]
fn status_follows_a_session_and_fails_when_none_runs() {
    let project = project();
    let none = project.call(&["status"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("no session runs"), "{}", stderr(&none));

    let mut session = project.run();
    let running = wait::until("the server is ready in the status", || {
        status(&project).filter(|status| status["processes"]["server"]["ready"] == true)
    });
    assert_eq!(running["version"], 1);
    assert_eq!(running["session"]["pid"], session.pid());
    assert!(running["processes"]["server"]["pid"].as_u64().is_some());

    project.file("pages/a.md", "1");
    wait::until("a run that went well", || {
        status(&project).filter(|status| status["workflows"]["pages"]["last"]["result"] == "ok")
    });
    project.file("fails", "3");
    project.file("pages/a.md", "2");
    let failed = wait::until("a run that failed", || {
        status(&project).filter(|status| status["workflows"]["pages"]["last"]["result"] == "failed")
    });
    let why = failed["workflows"]["pages"]["last"]["why"].as_str().unwrap();
    assert!(why.contains("hook 'build'") && why.contains("exit status 3"), "{why}");
    assert_eq!(failed["workflows"]["pages"]["changed_files"][0], "pages/a.md");
    let page = stdout(&project.call(&["status"]));
    for part in ["devloop is running", "PROCESS", "server", "failed", "pages/a.md"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    // The places of files stand whole, however long they are.
    let table = page.split_once("\n\n").unwrap().1;
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{page}");

    session.stop();
    assert_eq!(project.call(&["status", "--json"]).status.code(), Some(1));
}

// promise: command.status.1
#[test]
fn status_says_since_when_a_workflow_runs_and_how_its_run_before_ended() {
    let project = project();
    project.config(&CONFIG.replace("echo built; ", "while test -e held; do sleep 0.01; done; "));
    let mut session = project.run_watching();
    let workflow = |state: &str| {
        wait::until("the workflow is there", || {
            let status = status(&project)?;
            let pages = &status["workflows"]["pages"];
            (pages["state"] == state && pages["runs"] != 0).then_some(())
        });
        let page = stdout(&project.call(&["status"]));
        page.lines().find(|line| line.trim_start().starts_with("pages ")).unwrap().to_owned()
    };
    project.file("pages/a.md", "1");
    let idle = workflow("idle");
    assert!(idle.contains("ok ") && idle.contains(" ago, took ") && !idle.contains("began"), "{idle}");
    project.file("held", "").file("pages/a.md", "2");
    let running = workflow("running");
    let (began, before) = running.split_once("; before: ").unwrap();
    assert!(began.contains("began ") && began.contains(" ago"), "{running}");
    // The rest of a long line is cut to the width.
    assert!(before.starts_with("ok ") && before.contains(" ago"), "{running}");
    std::fs::remove_file(project.path("held")).unwrap();
    workflow("idle");
    assert!(session.stop().success());
}

// promise: command.status.2
#[test]
fn neither_status_nor_state_holds_a_token_and_the_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = project();
    project.config(
        &CONFIG.replace(r#"["PUPPET", "hang"]"#, r#"["sh", "-c", "echo $DEVLOOP_EVENTS_TOKEN > token; exec cat"]"#),
    );
    let mut session = project.run();
    let token = wait::until("a token", || {
        std::fs::read_to_string(project.root().join("token")).ok().filter(|token| token.starts_with("dlt_"))
    });
    wait::until("a status", || status(&project).filter(|status| status["processes"]["server"]["ready"] == true));
    let file = project.root().join(".devloop/state.json.status");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(token.trim()));
    assert!(!stdout(&project.call(&["state"])).contains(token.trim()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    session.stop();
    assert!(!file.exists(), "the status outlives its session");
}

#[test]
fn a_status_that_a_killed_session_left_counts_as_none() {
    let project = project();
    let session = project.run();
    wait::until("a status", || status(&project));
    session.signal(rustix::process::Signal::KILL);
    wait::until("the session is gone", || status(&project).is_none().then_some(()));
    assert!(project.root().join(".devloop/state.json.status").exists(), "nothing was left that could be misread");
}

// promise: command.state.1
#[test]
fn state_shows_all_of_it_or_one_key_also_without_a_session() {
    let project = project();
    assert_eq!(stdout(&project.call(&["state"])), "{}\n");
    project.file(".devloop/state.json", r#"{"a": {"b": [1, "x"]}, "slug": "hello"}"#);
    assert_eq!(stdout(&project.call(&["state", "slug"])), "hello\n");
    assert_eq!(stdout(&project.call(&["state", "slug", "--json"])), "\"hello\"\n");
    assert_eq!(stdout(&project.call(&["state", "a.b"])), "[\n  1,\n  \"x\"\n]\n");
    let missing = project.call(&["state", "nope"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no key 'nope'"));
}

#[test]
fn a_watched_state_is_shown_again_when_it_changes() {
    let project = project();
    project.file(".devloop/state.json", r#"{"slug": "one"}"#);
    let mut command = project.command(&["state", "slug", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    project.file(".devloop/state.json", r#"{"slug": "two"}"#);
    // A reader may come between the two halves of a file that is written in place; the session renames instead.
    assert!(lines.map(Result::unwrap).any(|line| line == "two"));
    child.kill().unwrap();
    child.wait().unwrap();
}

// promise: command.plan.1
#[test]
fn plan_says_what_a_change_would_run_and_starts_nothing() {
    let project = project();
    let output = project.call(&["plan", "pages/new.md", "other", ".devloop/state.json"]);
    let page = stdout(&output);
    for part in [
        "pages/new.md: counts for watch group 'pages'",
        "other: does not count: no watch group's `paths` match it",
        ".devloop/state.json: does not count: it is devloop's own",
        "workflow pages (pages/new.md)",
        "1 run_hook build: sh -c 'echo built; exit $(cat fails)'",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!project.root().join(".devloop").exists(), "something was made");
}

// promise: command.graph.1
#[test]
fn graph_has_three_formats_and_creates_nothing() {
    let project = project();
    let drawn = |format: &str| stdout(&project.call(&["graph", "--format", format]));
    assert!(stdout(&project.call(&["graph"])).contains("watch     pages (pages/) -> pages"));
    assert!(
        drawn("dot").starts_with("digraph devloop {\n")
            && drawn("dot").contains("\"watch pages\" -> \"workflow pages\"")
    );
    assert!(drawn("mermaid").starts_with("flowchart LR\n"));
    assert!(!project.root().join(".devloop").exists(), "something was made");
}

// promise: command.init.1
#[test]
fn init_writes_a_config_that_validates_and_never_writes_over_one() {
    let project = Project::new(programs!());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("package.json"), r#"{"scripts": {"dev": "vite"}}"#).unwrap();
    let call = |args: &[&str]| project.command(args).current_dir(folder.path()).output().unwrap();

    let shown = call(&["init", "--print"]);
    assert!(stdout(&shown).contains("command = [\"npm\", \"run\", \"dev\"]"), "{}", stdout(&shown));
    assert!(!folder.path().join("devloop.toml").exists() && !folder.path().join(".devloop").exists());

    let output = call(&["init"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("found package.json: scripts dev (npm)"), "{}", stdout(&output));
    assert_eq!(std::fs::read_to_string(folder.path().join("devloop.toml")).unwrap(), stdout(&shown));
    let schema = std::fs::read_to_string(folder.path().join(".devloop/devloop.schema.json")).unwrap();
    assert_eq!(schema, stdout(&call(&["schema"])));
    let validated = call(&["validate"]);
    assert!(validated.status.success() && stderr(&validated).is_empty(), "{}", stderr(&validated));

    std::fs::write(folder.path().join("devloop.toml"), "mine").unwrap();
    let again = call(&["init"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("stays as it is"), "{}", stderr(&again));
    assert_eq!(std::fs::read_to_string(folder.path().join("devloop.toml")).unwrap(), "mine");
}

// promise: command.complete.1
#[test]
fn bash_completes_commands_options_and_names_of_the_config() {
    let project = project();
    let script = stdout(&project.call(&["completions", "bash"]));
    let bin = project.command(&[]).get_program().to_owned();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(bin, folder.path().join("devloop")).unwrap();
    let complete = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let last = words.len() - 1;
        let asked = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD={last}; COMP_TYPE=9; _clap_complete_devloop devloop '{}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words[last],
        );
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let output =
            Command::new("bash").args(["-c", &asked]).current_dir(project.root()).env("PATH", path).output().unwrap();
        stdout(&output)
    };
    assert!(complete("devloop va").contains("validate"));
    assert!(complete("devloop graph --fo").contains("--format"));
    assert!(complete("devloop post pu").contains("publish"), "{}", complete("devloop post pu"));
    assert!(complete("devloop docs conf").contains("config"));
    assert!(complete("devloop state sl").contains("slug"));
    assert!(complete("devloop logs -p ser").contains("server"));
    assert!(complete("devloop logs -p bui").contains("build"));
    project.file(".devloop/logs/session-1000-7-0.log", "");
    assert!(complete("devloop logs --session 10").contains("1000-7-0"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&project.call(&["completions", shell])).contains("DEVLOOP_COMPLETE"), "{shell}");
    }
}

#[test]
fn man_has_a_page_for_devloop_and_one_for_each_command() {
    let project = project();
    assert!(stdout(&project.call(&["man"])).contains(".TH devloop 1"));
    for command in ["run", "status", "init", "plan"] {
        let page = stdout(&project.call(&["man", command]));
        assert!(page.contains(&format!(".TH devloop-{command} 1")), "{page}");
    }
    assert_eq!(project.call(&["man", "nope"]).status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let project = project();
    for args in [&["schema"][..], &["graph"], &["man"], &["docs", "config"]] {
        let mut child = project.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {}", stderr(&output));
    }
}
