//! Events, grants, patterns and listeners follow the config; tokens stay the same.

use super::living;
use e2e::web::{Posting, ask};
use e2e::{Project, programs, wait};

const CLIENT: &str = r#"[process.client]
command = ["PUPPET", "write-env", "DEVLOOP_EVENTS_TOKEN", "ROOT/client.token", "write-env", "DEVLOOP_EVENTS_BASE_URL", "ROOT/client.url", "write-pid", "ROOT/client.pid", "hang"]
"#;

fn event(name: &str, pattern: &str) -> String {
    format!(
        "[event.{name}]\nstate_key = \"{name}\"\nworkflow = \"{name}\"\npattern = '{pattern}'\n\
         [workflow.{name}]\nsteps = [{{ action = \"log\", message = \"{name} is {{{{{name}}}}}\" }}]\n"
    )
}

fn posting(config: &str) -> Posting {
    let project = Project::new(programs!());
    project.config(config);
    Posting::run(project)
}

// promise: saved.events.1
#[test]
fn patterns_and_grants_follow_and_the_token_of_an_untouched_child_stays_valid() {
    let before = [CLIENT, &event("slug", "^[a-z]+$")].concat();
    let posting = posting(&before);
    let client = wait::pid(&posting.project.path("client.pid"));
    assert_eq!((posting.post("slug", "abc").status, posting.post("slug", "1").status), (204, 400));
    assert_eq!(posting.post("more", "1").status, 404);
    posting.project.config(&[CLIENT, &event("slug", "^[0-9]+$"), &event("more", "^[0-9]+$")].concat());
    posting.session.wait_for("applied: event 'slug' changed");
    assert_eq!((posting.post("slug", "abc").status, posting.post("slug", "1").status), (400, 204));
    assert_eq!(posting.post("more", "2").status, 204);
    posting.session.wait_for("more is 2");
    posting.project.config(&[CLIENT, &event("slug", "^[0-9]+$")].concat());
    posting.session.wait_for("applied: event 'more' removed");
    assert_eq!(posting.post("more", "3").status, 404);
    assert_eq!(posting.post("slug", "2").status, 204);
    assert!(wait::is_alive(client), "{}", posting.session.told());
}

// promise: saved.events.2
#[test]
fn a_dropped_process_has_a_token_that_is_worth_nothing() {
    let posting = posting(&[CLIENT, &living("other", ""), &event("slug", "^[a-z]+$")].concat());
    assert_eq!(posting.post("slug", "abc").status, 204);
    posting.project.config(&[living("other", ""), event("slug", "^[a-z]+$")].concat());
    posting.session.wait_for("stopped process client");
    assert_eq!(posting.post("slug", "def").status, 401);
}

// promise: saved.servers.1
#[test]
fn an_event_server_comes_with_its_first_event_and_goes_with_its_last() {
    let project = Project::new(programs!());
    project.config(&living("other", ""));
    let session = project.run_watching();
    let other = wait::pid(&project.path("other"));
    project.config(&[CLIENT, &living("other", ""), &event("slug", "^[a-z]+$")].concat());
    session.wait_for("listening for external events at http://127.0.0.1:");
    wait::pid(&project.path("client.pid"));
    let read = |name: &str| std::fs::read_to_string(project.path(name)).unwrap();
    let address = read("client.url").strip_prefix("http://").unwrap().to_owned();
    let posting = Posting { address, token: read("client.token"), session, project };
    assert_eq!(posting.post("slug", "abc").status, 204);
    posting.session.wait_for("slug is abc");
    posting.project.config(&living("other", ""));
    posting.session.wait_for("applied: `event_server` removed");
    wait::until("nobody listens", || std::net::TcpStream::connect(&posting.address).is_err().then_some(()));
    assert!(wait::is_alive(other));
}

const RELOADING: &str = "[workflow.page]\nsteps = [{ action = \"notify_reload\" }]\n";

fn reload_status(address: &str, origin: &str) -> u16 {
    let head = format!("GET /browser-events HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\n\r\n");
    let mut wire = e2e::web::Wire::open(address);
    wire.send(head.as_bytes());
    wire.answer().status
}

// promise: saved.servers.2
#[test]
fn a_reload_server_comes_its_origins_follow_and_its_bind_stays() {
    let project = Project::new(programs!());
    project.config("");
    let session = project.run_watching();
    let (port, other) = (wait::free_port(), wait::free_port());
    let config = |port: u16, origins: &str| {
        format!("{RELOADING}[browser_reload_server]\nbind = \"127.0.0.1:{port}\"\nallow_origins = [{origins}]\n")
    };
    project.config(&config(port, ""));
    session.wait_for(&format!("listening for browser reload events at http://127.0.0.1:{port}/browser-events"));
    let address = format!("127.0.0.1:{port}");
    assert_eq!(reload_status(&address, "https://a.example"), 403);
    project.config(&config(other, "\"https://a.example\""));
    session.wait_for(&format!(
        "`browser_reload_server.bind` cannot change while devloop runs: '{address}' stays until devloop is started again, \
         and '127.0.0.1:{other}' counts from then on"
    ));
    session.wait_for("applied: `browser_reload_server` changed");
    assert_eq!(reload_status(&address, "https://a.example"), 200);
    project.config("");
    session.wait_for("applied: `browser_reload_server` removed");
    wait::until("nobody listens", || std::net::TcpStream::connect(&address).is_err().then_some(()));
}

// promise: saved.servers.3
#[test]
fn a_listener_that_cannot_be_bound_is_told_and_tried_again_with_the_next_save() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let project = Project::new(programs!());
    project.config("");
    let session = project.run_watching();
    let config = format!("{RELOADING}[browser_reload_server]\nbind = \"{address}\"\n");
    project.config(&config);
    session.wait_for(&format!("`[browser_reload_server]` cannot listen on {address}"));
    drop(taken);
    project.config(&format!("{config}{}", living("other", "")));
    session.wait_for("listening for browser reload events at");
    let head = format!("GET /nothing HTTP/1.1\r\nHost: {address}\r\n\r\n");
    assert_eq!(ask(&address.to_string(), head.as_bytes()).status, 404);
}
