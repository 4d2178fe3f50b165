//! Serves the pages of `content` and `style.css` from the folder it was started in, read anew for each request.
//!
//! The port is the environment variable `PORT`. It is an example: it listens on this machine only.

mod page;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The longest request head that is read, in bytes.
const HEAD_MAX: u64 = 16 * 1024;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "4600".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        // A client that hangs up early is no reason to stop serving the others.
        let Ok(stream) = stream else { continue };
        thread::spawn(move || {
            if let Err(error) = answer(&stream) {
                eprintln!("a request failed: {error}");
            }
        });
    }
    Ok(())
}

fn answer(stream: &TcpStream) -> io::Result<()> {
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
        (Some("GET"), Some(target)) => respond(target),
        (Some(_), Some(_)) => (
            "405 Method Not Allowed",
            "text/plain",
            "only GET\n".to_owned(),
        ),
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
fn respond(target: &str) -> (&'static str, &'static str, String) {
    let path = target.split('?').next().unwrap_or_default();
    if path == "/style.css" {
        return match fs::read_to_string("style.css") {
            Ok(style) => ("200 OK", "text/css", style),
            Err(error) => (
                "404 Not Found",
                "text/plain",
                format!("style.css: {error}\n"),
            ),
        };
    }
    match read_page(path.trim_matches('/')) {
        Some(body) => ("200 OK", "text/html", page::around(&body)),
        None => (
            "404 Not Found",
            "text/html",
            page::around("<h1>No such page</h1>"),
        ),
    }
}

/// The page as HTML. A name that is more than letters, digits, `-` and `_` is none, so no request leaves `content`.
fn read_page(name: &str) -> Option<String> {
    let name = if name.is_empty() { "index" } else { name };
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if !name.chars().all(is_plain) {
        return None;
    }
    let file = |ending: &str| -> PathBuf { Path::new("content").join(format!("{name}.{ending}")) };
    fs::read_to_string(file("md"))
        .map(|text| page::from_markdown(&text))
        .or_else(|_| fs::read_to_string(file("html")))
        .ok()
}
