//! Browser reload in a real browser: a page of the quickstart, a page of another origin, and a stream that was away.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::browser::Browser;
use e2e::{Project, programs, wait};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A reload that was on its way would have been seen after this.
const SETTLED_AFTER: Duration = Duration::from_millis(700);

/// What the test's own server was asked for: path and `Sec-Fetch-Dest`, in order.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// The test's own server: counts what is asked for, serves its pages, passes the rest on to another server.
struct Front {
    address: String,
    asked: Asked,
}

impl Front {
    fn new(behind: Option<String>, page: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Asked::default();
        let (seen, page) = (Arc::clone(&asked), page.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behind, page, seen) = (behind.clone(), page.clone(), Arc::clone(&seen));
                std::thread::spawn(move || serve(&stream, behind.as_deref(), &page, &seen));
            }
        });
        Self { address, asked }
    }

    /// How many times a path was loaded as a page.
    fn loads(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, kind)| asked == path && kind == "document").count()
    }

    fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, _)| asked == path).count()
    }
}

fn serve(stream: &TcpStream, behind: Option<&str>, page: &str, asked: &Asked) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next()?.ok()?;
    let path = request.split(' ').nth(1)?.to_owned();
    let mut kind = String::new();
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("sec-fetch-dest")
        {
            value.trim().clone_into(&mut kind);
        }
    }
    let answer = match behind {
        Some(behind) => {
            let mut onward = TcpStream::connect(behind).ok()?;
            write!(onward, "GET {path} HTTP/1.1\r\nHost: {behind}\r\nConnection: close\r\n\r\n").ok()?;
            let mut answer = Vec::new();
            onward.read_to_end(&mut answer).ok()?;
            answer
        }
        None => format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
            page.len()
        )
        .into_bytes(),
    };
    // Told when it is served: whoever waits for it may rely on the page being on its way.
    asked.lock().unwrap().push((path, kind));
    (&mut &*stream).write_all(&answer).ok()
}

/// A copy of the quickstart on free ports, the address of its server, and the port of the reload stream.
fn quickstart() -> (Project, String, u16) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart");
    let project = Project::copy_of(programs!(), &source);
    let (port, reload) = (wait::free_port(), wait::free_port());
    let config = std::fs::read_to_string(project.path("devloop.toml")).unwrap();
    let config = config.replace("4600", &port.to_string());
    project.file("devloop.toml", &format!("{config}\n[browser_reload_server]\nbind = \"127.0.0.1:{reload}\"\n"));
    (project, format!("127.0.0.1:{port}"), reload)
}

/// Waits until one page listens and has nothing left to load; gives the loads so far.
fn settled(front: &Front, reload: u16) -> usize {
    wait::until("the page listens and loads nothing", || {
        let loads = front.loads("/about");
        std::thread::sleep(SETTLED_AFTER);
        (loads == front.loads("/about") && loads > 0 && wait::connections(reload) == 1).then_some(loads)
    })
}

fn edit(project: &Project, times: usize) {
    project.file("content/about.md", &format!("# Edited\n\n{times} times.\n"));
}

// promise: reload.step.1
#[test]
fn an_edit_reloads_the_page_once_and_a_page_of_another_origin_learns_nothing() {
    let (project, server, reload) = quickstart();
    let mut session = project.run();
    let line = session.wait_for("listening for browser reload events at http://");
    let stream = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    session.wait_for("process server is healthy at http://");
    let front = Front::new(Some(server), "");
    let stranger = Front::new(
        None,
        &format!(
            "<script>const stream = new EventSource('{stream}');\
             for (const kind of ['open', 'message', 'error']) \
             stream.addEventListener(kind, () => fetch('/heard-' + kind));</script>"
        ),
    );
    let Some(_browser) = Browser::open(&format!("http://{}/about", front.address)) else { return };
    let port = stranger.address.split(':').nth(1).unwrap();
    let Some(_other) = Browser::open(&format!("http://evil.example:{port}/")) else { return };
    wait::until("the page is loaded", || (front.loads("/about") == 1).then_some(()));
    wait::until("the stranger is refused", || (stranger.count("/heard-error") > 0).then_some(()));
    session.wait_for("allow_origins");

    let before = settled(&front, reload);
    edit(&project, 1_000);
    wait::until("the edit reloads the page", || (front.loads("/about") > before).then_some(()));
    // What would be a second reload of the same edit is there before a reload of the next one.
    assert_eq!(settled(&front, reload), before + 1, "{}", session.told());
    assert_eq!((stranger.count("/heard-open"), stranger.count("/heard-message")), (0, 0));
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn a_page_that_was_away_during_a_restart_reloads_when_the_stream_is_back() {
    let (project, server, reload) = quickstart();
    let mut session = project.run();
    session.wait_for("process server is healthy at http://");
    let front = Front::new(Some(server), "");
    let Some(_browser) = Browser::open(&format!("http://{}/about", front.address)) else { return };
    let before = settled(&front, reload);
    assert!(session.stop().success(), "{}", session.told());
    edit(&project, 1_000);
    let mut session = project.run();
    session.wait_for("process server is healthy at http://");
    wait::until("the page comes back", || (front.loads("/about") > before).then_some(()));
    assert!(session.stop().success(), "{}", session.told());
}
