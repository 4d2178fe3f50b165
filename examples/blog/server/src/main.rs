//! Serves `posts/NAME.md` at `/posts/NAME`, the style sheet at `/site.css`, and its health at `/healthz`.
//!
//! The port is the environment variable `PORT`. It is an example: it listens on this machine only.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// The longest request head that is read, in bytes.
const HEAD_MAX: u64 = 16 * 1024;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);

type Answer = (&'static str, &'static str, String);

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").map_err(|error| io::Error::other(format!("PORT: {error}")))?;
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
    let Some(target) = request.strip_prefix("GET ") else {
        return Ok(());
    };
    let path = target.split([' ', '?']).next().unwrap_or_default();
    let (status, kind, body) = match path {
        "/healthz" => ("200 OK", "text/plain", "ok\n".to_owned()),
        "/site.css" => file("static/site.css", "text/css"),
        "/" => ("200 OK", "text/html", page(&list())),
        _ => post(path.strip_prefix("/posts/").unwrap_or_default()),
    };
    let mut out = stream;
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn file(path: &str, kind: &'static str) -> Answer {
    match fs::read_to_string(path) {
        Ok(text) => ("200 OK", kind, text),
        Err(error) => ("404 Not Found", "text/plain", format!("{path}: {error}\n")),
    }
}

/// A name that is more than letters, digits, `-` and `_` is none, so no request leaves `posts`.
fn post(name: &str) -> Answer {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        return ("404 Not Found", "text/html", page("<h1>No such page</h1>"));
    }
    let (status, kind, text) = file(&format!("posts/{name}.md"), "text/html");
    (status, kind, page(&html(&text)))
}

fn list() -> String {
    let Ok(folder) = fs::read_dir("posts") else {
        return "<p>No posts.</p>".to_owned();
    };
    let mut names: Vec<String> = folder
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .collect();
    names.sort();
    let items = names.iter().map(|name| format!("<li><a href=\"/posts/{name}\">{name}</a></li>"));
    format!("<h1>Posts</h1><ul>{}</ul>", items.collect::<String>())
}

fn page(body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>blog</title>\n\
         <link rel=\"stylesheet\" href=\"/site.css\">\n{body}\n</html>\n"
    )
}

/// Headings and paragraphs.
fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace("\r\n", "\n");
    let blocks = text.split("\n\n").map(|block| match block.strip_prefix("# ") {
        Some(title) => format!("<h1>{}</h1>\n", title.trim()),
        None => format!("<p>{}</p>\n", block.trim()),
    });
    blocks.collect()
}
