//! Each way to post that `docs/events.md` shows, taken out of the page and run by a session.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, Session, programs, wait};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// A session with the event of the page, whose hook runs a command that posts.
const CONFIG: &str = r#"
[event.publish]
state_key = "published"
workflow = "publish"
pattern = "^[a-z0-9][a-z0-9-]{0,63}$"

[hook.post]
command = COMMAND
events = ["publish"]

[hook.other]
command = ["sh", "-c", "env | grep -c ^DEVLOOP_EVENT >count; true"]
events = []

[workflow.startup]
steps = [{ action = "run_hook", hook = "other" }, { action = "run_hook", hook = "post" }]

[workflow.publish]
steps = [{ action = "log", message = "published <{{published}}>" }]
"#;

/// The block of a language behind a heading of the page.
fn block(heading: &str, language: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md")).unwrap();
    let section = page.split(&format!("### {heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let block = section.split(&format!("```{language}\n")).nth(1).unwrap_or_else(|| panic!("no block of {heading}"));
    block.split("```").next().unwrap().to_owned()
}

/// Whether a program is there; the continuous run installs all of them.
fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = version.is_ok_and(|status| status.success());
    assert!(is_there || std::env::var_os("CI").is_none(), "the continuous run has {program}");
    is_there
}

fn project(command: &str) -> Project {
    let project = Project::new(programs!());
    project.config(&format!("startup_workflows = [\"startup\"]\n{}", CONFIG.replace("COMMAND", command)));
    project
}

/// Runs a session until the value of the page is posted, and stops it.
fn posts(project: &Project) {
    let mut session: Session = project.run();
    session.wait_for("published <my-first-post>");
    assert_eq!(project.state()["published"], "my-first-post");
    assert_eq!(
        std::fs::read_to_string(project.path("count")).unwrap().trim(),
        "0",
        "an item without events has no token"
    );
    assert!(session.stop().success(), "{}", session.told());
    let told = session.told();
    assert!(!told.contains("Bearer "), "{told}");
}

#[test]
fn devloop_post_posts_and_says_why_not() {
    let project = project(r#"["sh", "post.sh"]"#);
    let devloop = programs!().devloop;
    let shown = block("With devloop itself", "sh").replace("devloop", devloop);
    project.file(
        "post.sh",
        &format!(
            "{shown}\n\
             echo from-stdin | {devloop} post publish -\n\
             {devloop} post publish 'two words' 2>refused && exit 1\n\
             {devloop} post nothing value 2>unknown && exit 1\n\
             DEVLOOP_EVENTS_TOKEN=wrong {devloop} post publish value 2>wrong && exit 1\n\
             echo \"$DEVLOOP_EVENTS_TOKEN\" >token; echo \"$DEVLOOP_EVENT_PUBLISH_URL\" >url\n\
             echo all-done\n"
        ),
    );
    let mut session = project.run();
    session.wait_for_stdout("all-done");
    session.wait_for("published <from-stdin>");
    let said = |name: &str| std::fs::read_to_string(project.path(name)).unwrap();
    assert!(said("refused").contains("does not match the event's `pattern`"), "{}", said("refused"));
    assert!(said("unknown").contains("404"), "{}", said("unknown"));
    assert!(said("wrong").contains("401"), "{}", said("wrong"));
    for name in ["refused", "unknown", "wrong"] {
        assert!(!said(name).contains(said("token").trim()), "{}", said(name));
    }

    // The hook has ended, and its token with it.
    let late = |project: &Project| {
        let mut command = project.command(&["post", "publish", "late"]);
        command.env("DEVLOOP_EVENTS_TOKEN", said("token").trim()).env("DEVLOOP_EVENT_PUBLISH_URL", said("url").trim());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    wait::until("the token is dead", || {
        let (code, told) = late(&project);
        (code == Some(1) && told.contains("401")).then_some(())
    });
    assert!(session.stop().success(), "{}", session.told());
    let (code, told) = late(&project);
    assert!(code == Some(1) && told.contains("the session has ended"), "{told}");
}

#[test]
fn a_post_that_comes_at_a_bad_moment_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events/publish", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        ["503 Service Unavailable", "503 Service Unavailable", "204 No Content"].map(|status| {
            let mut stream = listener.accept().unwrap().0;
            let mut request = Vec::new();
            while !request.ends_with(b"{\"value\":\"late\"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            String::from_utf8(request).unwrap()
        })
    });
    let mut command = Project::new(programs!()).command(&["post", "publish", "late"]);
    command.env("DEVLOOP_EVENTS_TOKEN", "token").env("DEVLOOP_EVENT_PUBLISH_URL", url).current_dir("/");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let asked = asked.join().unwrap();
    assert!(asked.iter().all(|request| *request == asked[0]), "{asked:?}");
    assert!(asked[0].contains("\r\nAuthorization: Bearer token\r\nContent-Type: application/json\r\n"), "{asked:?}");
}

#[test]
fn a_post_outside_a_session_names_what_is_missing() {
    let project = project(r#"["true"]"#);
    let output = project.call(&["post", "publish", "x"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("DEVLOOP_EVENTS_BASE_URL and DEVLOOP_EVENTS_TOKEN are not set"), "{told}");
    let mut command = project.command(&["post", "publish", "x"]);
    command.env("DEVLOOP_EVENT_PUBLISH_URL", "http://192.0.2.1:80/events/publish").env("DEVLOOP_EVENTS_TOKEN", "t");
    let told = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
    assert!(told.contains("none of this machine"), "{told}");
}

#[test]
fn the_example_with_curl_posts() {
    if !is_there("curl") {
        return;
    }
    let project = project(r#"["sh", "-eu", "post.sh"]"#);
    project.file("post.sh", &block("With curl", "sh"));
    posts(&project);
}

#[test]
fn the_example_with_node_posts() {
    if !is_there("node") {
        return;
    }
    let project = project(r#"["node", "post.mjs"]"#);
    project.file("post.mjs", &block("With Node", "js"));
    posts(&project);
}

#[test]
fn the_example_with_python_posts() {
    if !is_there("python3") {
        return;
    }
    let project = project(r#"["python3", "post.py"]"#);
    project.file("post.py", &block("With Python", "python"));
    posts(&project);
}

#[test]
fn the_example_with_rust_posts() {
    let project = project(r#"["./post"]"#);
    project.file("post.rs", &block("With Rust", "rust"));
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o", "post", "post.rs"]).current_dir(project.root());
    let built = rustc.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    wait::file(&project.path("post.rs"), |text| !text.is_empty());
    posts(&project);
}
