//! A child that obeys: it carries out its arguments one after the other, and then exits with 0.
#![expect(unsafe_code, reason = "signal dispositions and sessions are set by plain system calls")]
#![expect(clippy::unwrap_used, reason = "a puppet that cannot obey must say so loudly")]
#![expect(clippy::print_stdout, clippy::print_stderr, clippy::exit, reason = "printing and exiting is its work")]

use e2e::chorus;
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
            write(&next(), &value);
        }
        "write-cwd" => write(&next(), std::env::current_dir().unwrap().to_str().unwrap()),
        "append" => append(&next(), &next()),
        "write-pid" => write(&next(), &std::process::id().to_string()),
        "write-fds" => {
            let mut fds: Vec<String> = std::fs::read_dir("/proc/self/fd")
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            fds.sort();
            write(&next(), &fds.join(" "));
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
        other => obey_rarely(other, next),
    }
}

/// Orders of few tests.
fn obey_rarely(order: &str, next: &mut dyn FnMut() -> String) {
    match order {
        "append-pid" => append(&next(), &std::process::id().to_string()),
        "append-env" => {
            let value = std::env::var(next()).unwrap_or_else(|_| "(unset)".to_owned());
            append(&next(), &value);
        }
        "remove-file" => std::fs::remove_file(next()).unwrap(),
        "write-stdin" => write(&next(), if is_stdin_at_its_end() { "at its end" } else { "open and empty" }),
        "endless" => endless(next().parse().unwrap()),
        "spew-slowly" => spew_slowly(next().parse().unwrap(), &next()),
        "on-signal" => {
            let number = next().parse().unwrap();
            let (path, line) = (next(), next());
            on_signals(&[number], move |_| {
                append(&path, &line);
                std::process::exit(0);
            });
        }
        "count-signals" => {
            let path = next();
            on_signals(&[libc::SIGHUP, libc::SIGINT, libc::SIGTERM], move |number| append(&path, &number.to_string()));
        }
        "meet-on-term" => {
            let (mine, other) = (next(), next());
            on_signals(&[libc::SIGTERM], move |_| {
                std::fs::write(&mine, "").unwrap();
                obey("await-file", &mut || other.clone());
                std::process::exit(0);
            });
        }
        "group-of-its-own" => {
            let path = next();
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["ignore-term", "write-pid", &path, "hang"]).stdin(Stdio::null()).process_group(0);
            drop(command.spawn().unwrap());
            obey("await-file", &mut || path.clone());
        }
        "double-fork" => {
            let path = next();
            assert!(Command::new(std::env::current_exe().unwrap()).args(["daemon", &path]).status().unwrap().success());
        }
        "late-daemon" => late_daemon(&next(), &next(), &next()),
        "fork-on" => fork_on(&next()),
        "redirect" => redirect(&next(), &next()),
        "build-artifact" => build_artifact(next().parse().unwrap()),
        "serve-artifact" => serve_artifact(&next(), &next()),
        // What it is called in a list of processes.
        "role" => drop(next()),
        "grow" => chorus::grow(next().parse().unwrap(), next().parse().unwrap()),
        "record-run" => chorus::record_run(&next(), &next()),
        "listen" | "listen-printing" | "listen-serving" => listen(order, next),
        other => panic!("the puppet does not know '{other}'"),
    }
}

/// Obeys a FIFO for ever, as a child of a name with a folder for its records.
fn listen(order: &str, next: &mut dyn FnMut() -> String) {
    let listener = chorus::Listener::new(&next(), &next());
    let fifo = next();
    match order {
        "listen-printing" => listener.print_steadily(),
        "listen-serving" => listener.serve(&next()),
        _ => {}
    }
    listener.obey(&fifo);
}

/// Whether a read of standard input would return at once with nothing.
fn is_stdin_at_its_end() -> bool {
    let mut asked = libc::pollfd { fd: 0, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one live pollfd.
    let ready = unsafe { libc::poll(&raw mut asked, 1, 0) };
    ready == 1 && std::io::stdin().read(&mut [0; 1]).unwrap() == 0
}

/// Prints numbered lines without an end, each when the one before it was taken, and notes each in a file.
fn spew_slowly(length: usize, path: &str) {
    for number in 0.. {
        println!("{number:08} {}", "x".repeat(length));
        write(path, &number.to_string());
    }
}

/// A child in a session of its own that prints a line when a file appears, and ends.
fn late_daemon(started: &str, awaited: &str, line: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["write-pid", started, "await-file", awaited, "print", line]).stdin(Stdio::null());
    in_a_session(&mut command);
    drop(command.spawn().unwrap());
    obey("await-file", &mut || started.to_owned());
}

/// Begins again as a new process in a new session every few milliseconds, for ever.
fn fork_on(path: &str) {
    ignore_term();
    append(path, &std::process::id().to_string());
    thread::sleep(Duration::from_millis(5));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["fork-on", path]).stdin(Stdio::null());
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

/// Sends `/N` to `/N-1`, answers `/0` with 200, and sends `/away` to a location.
fn redirect(address: &str, away: &str) {
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let request = head_of(&mut stream);
        let path = request.split(' ').nth(1).unwrap_or("/");
        let location = match path.trim_start_matches('/').parse::<u32>() {
            Ok(0) => None,
            Ok(hops) => Some(format!("/{}", hops - 1)),
            Err(_) => Some(away.to_owned()),
        };
        let _ = match location {
            Some(location) => write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ),
            None => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
        };
    }
}

/// Fills the candidate with files that all hold its generation.
fn build_artifact(count: usize) {
    let [folder, generation] =
        ["CANDIDATE", "GENERATION"].map(|name| std::env::var(format!("DEVLOOP_ARTIFACT_{name}")));
    let (folder, generation) = (folder.unwrap(), generation.unwrap());
    for number in 0..count {
        std::fs::write(format!("{folder}/{number}"), &generation).unwrap();
    }
}

/// Serves the folder of the artifact `site`: `/generation` is what its first file holds (or what the file `lie` holds,
/// where there is one), `/all` what all of them hold, read one after the other.
fn serve_artifact(address: &str, lie: &str) {
    let folder = std::env::var("DEVLOOP_ARTIFACT_SITE_DIR").unwrap_or_default();
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
    let (folder, lie) = (std::sync::Arc::new(folder), std::sync::Arc::new(lie.to_owned()));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, folder, lie) = (stream.unwrap(), folder.clone(), lie.clone());
            thread::spawn(move || {
                let request = head_of(&mut stream);
                let body = if request.starts_with("GET /all ") {
                    let read = |number: usize| std::fs::read_to_string(format!("{folder}/{number}"));
                    let count = std::fs::read_dir(&*folder).map_or(0, Iterator::count);
                    let all: Vec<String> = (0..count).map(|n| read(n).unwrap_or_else(|_| "gone".to_owned())).collect();
                    all.join(" ")
                } else {
                    let honest = || std::fs::read_to_string(format!("{folder}/0")).unwrap_or_default();
                    std::fs::read_to_string(&*lie).unwrap_or_else(|_| honest())
                };
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            });
        }
    });
}

/// Whoever waits for the file finds it whole.
fn write(path: &str, text: &str) {
    let part = format!("{path}.{}.part", std::process::id());
    std::fs::write(&part, text).unwrap();
    std::fs::rename(&part, path).unwrap();
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

/// Bytes without a line end.
fn endless(length: usize) {
    let block = vec![b'x'; 64 * 1024];
    let mut out = std::io::stdout().lock();
    let mut left = length;
    while left > 0 {
        let part = left.min(block.len());
        out.write_all(&block[..part]).unwrap();
        left -= part;
    }
    out.flush().unwrap();
}

fn ignore_term() {
    // SAFETY: SIG_IGN installs no handler.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

/// On SIGTERM a line is appended to a file and the puppet exits with 0.
fn on_term(path: String, line: String) {
    on_signals(&[libc::SIGTERM], move |_| {
        append(&path, &line);
        std::process::exit(0);
    });
}

/// Does something for each of these signals, in a thread of its own.
fn on_signals(numbers: &[libc::c_int], heard: impl Fn(libc::c_int) + Send + 'static) {
    // SAFETY: the set is initialised by `sigemptyset` before it is used; blocking a signal touches no memory.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for number in numbers {
            libc::sigaddset(&raw mut set, *number);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    };
    thread::spawn(move || {
        loop {
            let mut signal = 0;
            // SAFETY: both pointers are to live locals.
            unsafe { libc::sigwait(&raw const set, &raw mut signal) };
            heard(signal);
        }
    });
}

/// Leaves a child that ignores SIGTERM and hangs; its pid goes to a file. A daemon has a session and no parent.
fn child(path: &str, is_daemon: bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["ignore-term", "write-pid", path, "hang"]).stdin(Stdio::null());
    if is_daemon {
        in_a_session(&mut command);
    }
    drop(command.spawn().unwrap());
    obey("await-file", &mut || path.to_owned());
}

/// A request up to its empty line. All of it is read: closing a connection with something unread resets it.
fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Answers every request in the background.
fn serve(address: &str, status: u16, body: String) {
    let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            head_of(&mut stream);
            let body = std::fs::read_to_string(&body).unwrap_or_else(|_| body.clone());
            let _ = write!(
                stream,
                "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
}
