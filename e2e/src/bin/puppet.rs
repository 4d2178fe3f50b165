//! A child that obeys: it carries out its arguments one after the other, and then exits with 0.
#![expect(unsafe_code, reason = "signal dispositions and sessions are set by plain system calls")]
#![expect(clippy::unwrap_used, reason = "a puppet that cannot obey must say so loudly")]
#![expect(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "printing and exiting is its work")]

use std::fs::OpenOptions;
use std::io::{BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

fn main() {
    let mut args = std::env::args().skip(1);
    while let Some(order) = args.next() {
        obey(&order, &mut || args.next().unwrap_or_else(|| panic!("'{order}' lacks an argument")));
    }
}

fn obey(order: &str, next: &mut dyn FnMut() -> String) {
    match order {
        "print" => println!("{}", next()),
        "eprint" => eprintln!("{}", next()),
        "partial" => {
            print!("{}", next());
            std::io::stdout().flush().unwrap();
        }
        "spew" => spew(next().parse().unwrap(), next().parse().unwrap()),
        "print-env" => println!("{}", std::env::var(next()).unwrap_or_else(|_| "(unset)".to_owned())),
        "write-env" => {
            let value = std::env::var(next()).unwrap_or_else(|_| "(unset)".to_owned());
            std::fs::write(next(), value).unwrap();
        }
        "write-cwd" => std::fs::write(next(), std::env::current_dir().unwrap().to_str().unwrap()).unwrap(),
        "append" => append(&next(), &next()),
        "write-pid" => std::fs::write(next(), std::process::id().to_string()).unwrap(),
        "write-fds" => {
            let mut fds: Vec<String> = std::fs::read_dir("/proc/self/fd")
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            fds.sort();
            std::fs::write(next(), fds.join(" ")).unwrap();
        }
        "cat" => print!("{}", std::fs::read_to_string(next()).unwrap()),
        "await-file" => {
            let path = next();
            while !std::path::Path::new(&path).exists() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        "read-stdin-to-end" => {
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "sleep" => thread::sleep(Duration::from_millis(next().parse().unwrap())),
        "ignore-term" => ignore_term(),
        "on-term" => on_term(next(), next()),
        "kill-self" => {
            // SAFETY: raises a signal in this process; no memory is involved.
            unsafe { libc::raise(next().parse().unwrap()) };
        }
        "group-child" => child(&next(), false),
        "daemon" => child(&next(), true),
        "serve" => serve(&next(), 200, next()),
        "serve-status" => serve(&next(), next().parse().unwrap(), next()),
        "serve-after-file" => {
            let (address, path) = (next(), next());
            obey("await-file", &mut || path.clone());
            serve(&address, 200, "ok".to_owned());
        }
        "accept-and-say-nothing" => {
            let listener = TcpListener::bind(next()).unwrap();
            let held: Vec<TcpStream> = listener.incoming().map(Result::unwrap).collect();
            drop(held);
        }
        "hang" => loop {
            thread::park();
        },
        "exit" => std::process::exit(next().parse().unwrap()),
        other => panic!("the puppet does not know '{other}'"),
    }
}

fn append(path: &str, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    // One write, so that lines of several puppets never mix.
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn spew(lines: usize, length: usize) {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for number in 0..lines {
        let text = format!("{number:08} {}", "x".repeat(length.saturating_sub(9)));
        out.write_all(text.as_bytes()).unwrap();
        out.write_all(b"\n").unwrap();
    }
    out.flush().unwrap();
}

fn ignore_term() {
    // SAFETY: SIG_IGN installs no handler.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

/// On SIGTERM a line is appended to a file and the puppet exits with 0.
fn on_term(path: String, line: String) {
    // SAFETY: the set is initialised by `sigemptyset` before it is used; blocking a signal touches no memory.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    };
    thread::spawn(move || {
        let mut signal = 0;
        // SAFETY: both pointers are to live locals.
        unsafe { libc::sigwait(&raw const set, &raw mut signal) };
        append(&path, &line);
        std::process::exit(0);
    });
}

/// Leaves a child that ignores SIGTERM and hangs; its pid goes to a file. A daemon has a session and no parent.
fn child(path: &str, is_daemon: bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["ignore-term", "write-pid", path, "hang"]).stdin(Stdio::null());
    if is_daemon {
        // SAFETY: setsid is async-signal-safe (signal-safety(7)).
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                Ok(())
            });
        }
    }
    drop(command.spawn().unwrap());
    obey("await-file", &mut || path.to_owned());
}

/// Answers every request in the background.
fn serve(address: &str, status: u16, body: String) {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let body = std::fs::read_to_string(&body).unwrap_or_else(|_| body.clone());
            let _ = write!(
                stream,
                "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
}
