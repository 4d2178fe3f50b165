//! The examples, run for real: built, started, edited, stopped.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::{Project, Session, programs, wait};
use std::path::Path;

/// A copy of an example whose port is free.
fn example(name: &str, port: &str) -> (Project, String) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    let project = Project::copy_of(programs!(), &source);
    let free = wait::free_port().to_string();
    let config = std::fs::read_to_string(project.path("devloop.toml")).unwrap();
    project.file("devloop.toml", &config.replace(port, &free));
    (project, format!("127.0.0.1:{free}"))
}

fn append(project: &Project, path: &str, text: &str) {
    let before = std::fs::read_to_string(project.path(path)).unwrap();
    project.file(path, &(before + text));
}

fn starts(session: &Session, process: &str) -> usize {
    session.count(&format!("started process {process}"))
}

#[test]
fn the_quickstart_builds_serves_and_does_the_right_thing_for_each_edit() {
    let (project, address) = example("quickstart", "4600");
    let mut session = project.run();
    session.wait_for("process server is healthy at http://");
    session.wait_for(&format!("http://{address} serves"));
    assert!(wait::get(&address, "/").is_some());

    // Content: told anew, served at once, nothing restarted.
    append(&project, "content/about.md", "\nA sentence from the test.\n");
    session.wait_for("content: ");
    assert!(wait::get(&address, "/about").unwrap().contains("A sentence from the test."));
    assert_eq!(starts(&session, "server"), 1);
    assert_eq!(session.count("running workflow style"), 0);

    // Style: checked, nothing else.
    append(&project, "style.css", "\nb { color: red }\n");
    session.wait_for("style: ok");
    assert_eq!((starts(&session, "server"), session.count("running workflow content")), (1, 1));

    // Code that does not build: the old server goes on.
    let source = std::fs::read_to_string(project.path("server/src/main.rs")).unwrap();
    append(&project, "server/src/main.rs", "\nthis is no Rust\n");
    session.wait_for("workflow failed; continuing runtime in degraded mode");
    assert!(wait::get(&address, "/").is_some());
    assert_eq!(starts(&session, "server"), 1);

    // Code that builds: built, restarted, waited for, told.
    project.file("server/src/main.rs", &format!("{source}\n// changed\n"));
    session.wait_for("runs the new server");
    assert_eq!(starts(&session, "server"), 2);
    assert!(wait::get(&address, "/").is_some());

    assert!(session.stop().success(), "{}", session.told());
    assert!(wait::get(&address, "/").is_none());
    assert_eq!(project.state()["last_workflow"], "server");
}

#[test]
fn the_blog_shares_the_address_of_each_post_through_its_tunnel() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/blog");
    let mut project = Project::copy_of(programs!(), &source);
    let port = wait::free_port().to_string();
    project.variable("CONTAINER_PORT", &port);
    let mut session = project.run();
    session.wait_for("process tunnel is ready via state key tunnel_url");
    session.wait_for("process server is healthy at http://");
    let shared = session.wait_for(".trycloudflare.com/posts/");
    assert!(shared.starts_with('│') && shared.ends_with('│'), "{shared}");
    let tunnel = project.state()["tunnel_url"].as_str().unwrap().to_owned();
    assert!(tunnel.starts_with("https://") && tunnel.ends_with(".trycloudflare.com"), "{tunnel}");

    // A new post: its slug, its address, the count that the trigger brings.
    project.file("posts/a-post-of-the-test.md", "# A post of the test\n\nText.\n");
    session.wait_for(&format!("{tunnel}/posts/a-post-of-the-test"));
    session.wait_for("running workflow count");
    wait::until("the state has the address", || {
        (project.state()["share_url"] == format!("{tunnel}/posts/a-post-of-the-test")).then_some(())
    });
    assert_eq!(starts(&session, "server"), 1);

    // A style sheet: built, nothing else.
    let posts = session.count("running workflow posts");
    append(&project, "css/10-page.css", "\nb { color: red }\n");
    session.wait_for("css: built");
    wait::file(&project.path("static/site.css"), |text| text.contains("color:red") || text.contains("color: red"));
    assert_eq!((starts(&session, "server"), session.count("running workflow posts")), (1, posts));

    assert!(session.stop().success(), "{}", session.told());
    assert!(wait::get(&format!("127.0.0.1:{port}"), "/").is_none());
    assert_eq!(project.state()["tunnel_url"], "");
}

#[test]
fn the_static_site_publishes_fails_rejects_and_recovers() {
    let (project, address) = example("static-site", "4700");
    let generation = || wait::get(&address, "/generation").map(|body| body.trim().to_owned());
    let served = || project.state()["artifact.site.generation"].as_str().map(str::to_owned);
    let kept = || std::fs::read_dir(project.path(".devloop/artifacts/site")).unwrap().count();
    let mut session = project.run();
    session.wait_for(&format!("http://{address} serves"));
    let first = served();
    assert!(first.is_some() && generation() == first, "{}", session.told());

    // Published: the page is new, and so is the server.
    append(&project, "content/about.html", "<p>A sentence from the test.</p>\n");
    session.wait_for_count("now served: ", 2);
    let second = served();
    assert!(second > first && generation() == second, "{}", session.told());
    assert!(wait::get(&address, "/about.html").unwrap().contains("A sentence from the test."));
    assert_eq!((starts(&session, "server"), kept()), (2, 2));

    // A page without a title: the build fails, and nothing else happens.
    let about = std::fs::read_to_string(project.path("content/about.html")).unwrap();
    project.file("content/about.html", "no title\n");
    session.wait_for("artifact 'site' is not published: hook 'build' ended with exit status 1");
    assert_eq!((generation(), starts(&session, "server"), kept()), (second.clone(), 2, 2));
    project.file("content/about.html", &about);
    session.wait_for_count("now served: ", 3);
    let third = served();

    // A site that the server does not take: the one before is served again.
    std::fs::rename(project.path("content/index.html"), project.path("index.html")).unwrap();
    let line = session.wait_for("is rejected: process 'server' exited with exit status 1");
    assert!(line.contains(&format!("generation {} is restored and served", third.as_ref().unwrap())), "{line}");
    assert_eq!((generation(), served()), (third.clone(), third.clone()));
    assert!(wait::get(&address, "/").unwrap().contains("A static site"));
    std::fs::rename(project.path("index.html"), project.path("content/index.html")).unwrap();
    session.wait_for_count("now served: ", 4);
    let fourth = served();

    // Killed in the middle of a switch: the next session goes back before it starts the server.
    let source = std::fs::read_to_string(project.path("devloop.toml")).unwrap();
    assert!(session.stop().success(), "{}", session.told());
    let slow = "command = [\"sh\", \"-c\", \"sleep 30; exec server/target/debug/static-site-server\"]";
    let fast = "command = [\"server/target/debug/static-site-server\"]";
    project.file("devloop.toml", &source.replace(fast, slow).replace("timeout_ms = 5000", "timeout_ms = 60000"));
    let mut session = project.run();
    wait::until("a switch is under way", || project.state()["artifact.site.switching_generation"].as_str().map(drop));
    assert_eq!(project.state()["artifact.site.rollback_generation"].as_str(), fourth.as_deref());
    session.signal(rustix::process::Signal::KILL);
    session.wait();
    project.file("devloop.toml", &source);
    let mut session = project.run();
    session.wait_for(&format!("generation {} is restored", fourth.as_ref().unwrap()));
    session.wait_for(&format!("http://{address} serves"));
    assert!(served() > fourth && generation() == served(), "{}", session.told());
    assert!(session.stop().success(), "{}", session.told());
    wait::until("three are kept", || (kept() == 3).then_some(()));
}
