//! Orders of the puppet for long, unkind sessions: a child that can be told at any time what to do, and does it badly.
#![expect(unsafe_code, reason = "sessions of their own are made by plain system calls")]
#![expect(clippy::print_stdout, reason = "printing is a puppet's work")]

use crate::tree;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What begins a numbered line.
pub const NUMBERED: &str = "#line";

/// Numbered lines that are written at once: less than a pipe takes in one piece (`PIPE_BUF` in pipe(7)).
const CHUNK_BYTES_MAX: usize = 4000;

/// A child with a name that obeys a FIFO.
pub struct Listener {
    numbered: Arc<Mutex<Numbered>>,
    mood: Arc<Mutex<String>>,
}

/// Lines of this life so far, and the file in which it says how many were taken.
struct Numbered {
    life: String,
    next: u64,
    record: Option<File>,
}

impl Listener {
    /// A child of this name. `records` is the folder for the counts of its lines.
    pub fn new(name: &str, records: &str) -> Self {
        let life = format!("{name}-{}-{}", std::process::id(), began());
        let record = File::create(Path::new(records).join(&life)).ok();
        let numbered = Numbered { life, next: 0, record };
        Self { numbered: Arc::new(Mutex::new(numbered)), mood: Arc::default() }
    }

    /// Serves in the background: at first well, then as the mood is.
    pub fn serve(&self, address: &str) {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
        let mood = Arc::clone(&self.mood);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = mood.lock().unwrap().clone();
                std::thread::spawn(move || answer(stream, &mood));
            }
        });
    }

    /// Prints a numbered line now and then.
    pub fn print_steadily(&self) {
        let numbered = Arc::clone(&self.numbered);
        std::thread::spawn(move || {
            loop {
                numbered.lock().unwrap().print(1, 60);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
    }

    /// Obeys the lines of a FIFO for ever.
    pub fn obey(&self, fifo: &str) {
        // For writing too, so that the end never comes (fifo(7)).
        let file = OpenOptions::new().read(true).write(true).open(fifo).unwrap();
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            self.obey_one(&words);
        }
    }

    fn obey_one(&self, words: &[&str]) {
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        match words[0] {
            "mood" => words[1].clone_into(&mut self.mood.lock().unwrap()),
            "numbered" => self.numbered.lock().unwrap().print(number(1), number(2)),
            "partial" => {
                print!("{}", words[1]);
                std::io::stdout().flush().unwrap();
            }
            "endless" => {
                let piece = vec![b'e'; 1024 * 1024];
                let mut out = std::io::stdout().lock();
                for _ in 0..number(1) {
                    out.write_all(&piece).unwrap();
                }
                out.write_all(b"\n").unwrap();
            }
            "noise" => {
                let mut out = std::io::stdout().lock();
                for number in 0..number(1) {
                    let _ = write!(out, "\x1b[3{}m\x1b]0;title\x07{number}\r\x1b[2J\u{7f}\t\n", number % 8);
                    let _ = out.write_all(&[0xff, 0xfe, 0xc3, 0x28, 0, b'\r', b'\n']);
                }
            }
            "daemon" => leave(words[1]),
            "exit" => std::process::exit(number(1).try_into().unwrap()),
            other => panic!("the puppet does not know '{other}'"),
        }
    }
}

impl Numbered {
    fn print(&mut self, lines: usize, length: usize) {
        let mut out = std::io::stdout().lock();
        let mut chunk = String::new();
        for left in (0..lines).rev() {
            let line = format!("{NUMBERED} {} {} {}\n", self.life, self.next, "x".repeat(length));
            self.next += 1;
            chunk.push_str(&line);
            if left == 0 || chunk.len() + line.len() > CHUNK_BYTES_MAX {
                out.write_all(chunk.as_bytes()).unwrap();
                out.flush().unwrap();
                chunk.clear();
                if let Some(record) = &self.record {
                    let _ = record.write_all_at(format!("{:020}", self.next).as_bytes(), 0);
                }
            }
        }
    }
}

/// When this process began, in ticks since the machine did (`starttime` in proc(5)).
fn began() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_owned()
}

/// Answers one request as the mood is.
fn answer(mut stream: TcpStream, mood: &str) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n");
    let _ = match mood {
        "hang" => loop {
            std::thread::park();
        },
        "drip" => {
            for byte in head("200 OK", "Content-Length: 1000000\r\n").bytes().chain(std::iter::repeat(b'd')) {
                if stream.write_all(&[byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
        "endless" => {
            let _ = stream.write_all(head("200 OK", "Content-Length: 10000000000\r\n").as_bytes());
            while stream.write_all(&[b'e'; 4096]).is_ok() {}
            Ok(())
        }
        "redirect" => stream.write_all(head("302 Found", "Location: /again\r\nContent-Length: 0\r\n").as_bytes()),
        "away" => {
            stream.write_all(head("302 Found", "Location: http://192.0.2.1/\r\nContent-Length: 0\r\n").as_bytes())
        }
        "error" => stream.write_all(head("500 Error", "Content-Length: 0\r\n").as_bytes()),
        "garbage" => stream.write_all(b"\0\xff\r\n\r\nnot HTTP"),
        "close" => Ok(()),
        _ => stream.write_all(format!("{}ok", head("200 OK", "Content-Length: 2\r\n")).as_bytes()),
    };
}

/// Leaves a child that ignores SIGTERM, in a session of its own.
fn leave(name: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["role", name, "ignore-term", "hang"]).stdin(Stdio::null());
    in_a_session(&mut command);
    drop(command.spawn().unwrap());
}

fn in_a_session(command: &mut Command) {
    // SAFETY: setsid is async-signal-safe (signal-safety(7)).
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
}

/// Grows a tree of hanging processes: this many below each, so many levels. Every second one opens a session, every
/// third ignores SIGTERM.
pub fn grow(width: usize, depth: usize) {
    for number in 0..width {
        if depth == 0 {
            return;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        if number % 3 == 2 {
            command.arg("ignore-term");
        }
        command.args(["grow", &width.to_string(), &(depth - 1).to_string(), "hang"]).stdin(Stdio::null());
        if number % 2 == 1 {
            in_a_session(&mut command);
        }
        drop(command.spawn().unwrap());
    }
}

/// Appends what a run was told and what it saw: its workflow, its files, the sum of a tree, the state.
pub fn record_run(folder: &str, to: &str) {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let list = std::fs::read_to_string(variable("DEVLOOP_CHANGED_FILES_PATH"))
        .unwrap_or_else(|_| variable("DEVLOOP_CHANGED_FILES_JSON"));
    let files: serde_json::Value = serde_json::from_str(&list).unwrap();
    let sum = tree::sum(&tree::of(Path::new(folder)));
    let line = serde_json::json!({ "workflow": variable("DEVLOOP_WORKFLOW"), "files": files, "tree": sum.to_string() });
    let mut file = OpenOptions::new().create(true).append(true).open(to).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
