//! Waiting for conditions, and facts about processes that are not ours.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. Generous: it is only reached when something is broken.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until a question has an answer.
///
/// # Panics
/// When there is none after [`DEADLINE`].
pub fn until<T>(what: &str, question: impl FnMut() -> Option<T>) -> T {
    until_within(DEADLINE, what, question)
}

/// Waits until a question has an answer, for what is known to take long.
///
/// # Panics
/// When there is none after this time.
pub fn until_within<T>(limit: Duration, what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(began.elapsed() < limit, "gave up waiting: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many connections to a port are open (proc(5): state 01 of `/proc/net/tcp`).
pub fn connections(port: u16) -> usize {
    let local = format!(":{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields.len() > 3 && fields[1].ends_with(&local) && fields[3] == "01").count()
}

/// How long a fault that is made as often as the table says may take.
pub const PATIENCE: Duration = Duration::from_secs(3600);

/// Waits until a growing file holds a text at its end, without reading all of it each time.
pub fn tail(path: &Path, text: &str) {
    use std::io::{Read as _, Seek as _, SeekFrom};
    until_within(PATIENCE, &format!("{} ends with {text:?}", path.display()), || {
        let mut file = std::fs::File::open(path).ok()?;
        let back = file.metadata().ok()?.len().min(text.len() as u64 + 4096);
        file.seek(SeekFrom::End(-i64::try_from(back).ok()?)).ok()?;
        let mut end = Vec::new();
        file.read_to_end(&mut end).ok()?;
        String::from_utf8_lossy(&end).contains(text).then_some(())
    });
}

/// The largest resident memory of a process so far, in KiB (proc(5), `VmHWM`).
pub fn memory_peak_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmHWM:")
}

/// The resident memory of a process that is no file, in KiB (proc(5), `RssAnon`): pages of the program itself come in as
/// they are needed, and are no growth.
pub fn memory_own_kib(pid: u32) -> u64 {
    memory_kib(pid, "RssAnon:")
}

fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// CPU time of all threads of a process so far (proc(5), `schedstat`).
pub fn cpu(pid: u32) -> Duration {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let spent = threads.flatten().filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// Waits until a file holds a text that a question accepts, and gives it back.
pub fn file(path: &Path, accepts: impl Fn(&str) -> bool) -> String {
    until(&format!("{} holds what it should (it holds {:?})", path.display(), std::fs::read_to_string(path)), || {
        std::fs::read_to_string(path).ok().filter(|text| accepts(text))
    })
}

/// Waits until a file has at least this many lines, and gives them back.
pub fn lines(path: &Path, count: usize) -> Vec<String> {
    file(path, |text| text.lines().count() >= count).lines().map(str::to_owned).collect()
}

/// Whether a process exists and is no zombie.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])))
}

/// Whether somebody has stopped a process (proc(5), `T`), or stopped the child for whose `exec` it waits within vfork(2):
/// it cannot take its own stop before (`D`).
pub fn is_stopped(pid: u32) -> bool {
    let task = format!("/proc/{pid}/task/{pid}");
    let stat = std::fs::read_to_string(format!("{task}/stat")).unwrap_or_default();
    match stat.rsplit(") ").next().and_then(|rest| rest.chars().next()) {
        Some('T') => true,
        Some('D') => {
            let children = std::fs::read_to_string(format!("{task}/children")).unwrap_or_default();
            children.split_whitespace().filter_map(|child| child.parse().ok()).any(is_stopped)
        }
        _ => false,
    }
}

/// Waits until a process is gone.
pub fn gone(pid: u32) {
    until(&format!("process {pid} is gone"), || (!is_alive(pid)).then_some(()));
}

/// Waits until a file holds a pid.
pub fn pid(path: &Path) -> u32 {
    until(&format!("{} holds a pid", path.display()), || std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

/// A loopback port that nobody listens on, never the same twice, and none that the system gives to somebody else in
/// passing (`ip_local_port_range` in ip(7) begins at 32768).
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const PORTS: u32 = 20_000;
    static ASKED: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(211).wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(FIRST + number).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The body of a GET, if the server answers with 200.
pub fn get(address: &str, path: &str) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    // In one piece: a server that answers the first piece and closes resets the connection with the second.
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
}

/// Waits until nothing is left of the sessions of a project: no process has its `DEVLOOP_ROOT` or works in its folder.
pub fn nothing_left(root: &Path) {
    let began = Instant::now();
    loop {
        let left = left_of(root);
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "something is left of {}: {left:?}", root.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes that belong to the sessions of a project, each with its command line.
pub fn left_of(root: &Path) -> Vec<String> {
    let variable = format!("DEVLOOP_ROOT={}\0", root.display());
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let has_variable = environment.windows(variable.len()).any(|part| part == variable.as_bytes());
        let works_there = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(root));
        if pid != std::process::id() && (has_variable || works_there) && is_alive(pid) {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            left.push(format!("{pid} {}", String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    left
}
