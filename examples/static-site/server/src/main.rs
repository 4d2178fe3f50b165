//! Serves the files of one folder, the generation that devloop names in `DEVLOOP_ARTIFACT_SITE_DIR`.
//!
//! The port is the environment variable `PORT`. It is an example: it listens on this machine only.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The longest request head that is read, in bytes.
const HEAD_MAX: u64 = 16 * 1024;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let site = std::env::var_os("DEVLOOP_ARTIFACT_SITE_DIR").map(PathBuf::from);
    let site = site.ok_or_else(|| io::Error::other("nothing is published: DEVLOOP_ARTIFACT_SITE_DIR is not set"))?;
    // A site without a first page is none: devloop takes it back when this ends before it has answered.
    fs::metadata(site.join("index.html"))
        .map_err(|error| io::Error::other(format!("the site has no index.html: {error}")))?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "4700".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("serving {} on http://{}", site.display(), listener.local_addr()?);
    let site = Arc::new(site);
    for stream in listener.incoming() {
        // A client that hangs up early is no reason to stop serving the others.
        let Ok(stream) = stream else { continue };
        let site = Arc::clone(&site);
        thread::spawn(move || {
            if let Err(error) = answer(&stream, &site) {
                eprintln!("a request failed: {error}");
            }
        });
    }
    Ok(())
}

fn answer(stream: &TcpStream, site: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = BufReader::new(stream.take(HEAD_MAX));
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut words = request.split_whitespace();
    let (status, kind, body) = match (words.next(), words.next()) {
        (Some("GET"), Some(target)) => respond(target, site),
        (Some(_), Some(_)) => ("405 Method Not Allowed", "text/plain", "only GET\n".to_owned()),
        _ => return Ok(()),
    };
    let mut out = stream;
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Status, type and body for a request's target.
fn respond(target: &str, site: &Path) -> (&'static str, &'static str, String) {
    let name = target.split('?').next().unwrap_or_default().trim_start_matches('/');
    let name = if name.is_empty() { "index.html" } else { name };
    // A name that is more than letters, digits, `-`, `_` and dots between them is none, so no request leaves the site.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.starts_with('.') || !name.chars().all(is_plain) {
        return ("404 Not Found", "text/plain", "no such page\n".to_owned());
    }
    let (kind, script) = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("html") => ("text/html", listen()),
        Some("css") => ("text/css", String::new()),
        _ => ("text/plain", String::new()),
    };
    match fs::read_to_string(site.join(name)) {
        Ok(text) => ("200 OK", kind, text + &script),
        Err(_) => ("404 Not Found", "text/plain", "no such page\n".to_owned()),
    }
}

/// A script that loads the page again when devloop says so. devloop's address is another one in each session, so it is
/// no part of what is built.
fn listen() -> String {
    std::env::var("DEVLOOP_BROWSER_EVENTS_URL").map_or(String::new(), |url| {
        format!("<script>new EventSource(\"{url}\").onmessage = () => location.reload()</script>\n")
    })
}
