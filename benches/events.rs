//! 100,000 values posted to a running session: `cargo bench --bench events`.
//!
//! devloop and the clients are this program again, in processes of their own. Prints posts a second and latencies of one
//! connection, of 32, and of 16 that post 100,000 values, with CPU of devloop a post and its memory; and, beside them, a
//! bare server that parses with the same crates, writes a file a post, and does nothing else. Fails when a post is lost.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const POSTS: usize = 100_000;

const CONFIG: &str = r#"
root = "."
[event.value]
state_key = "value"
workflow = "quiet"
[workflow.quiet]
steps = []
[watch.unused]
paths = ["unused/"]
workflow = "quiet"
[process.client]
command = ["SELF", "reveal", "ROOT/revealed"]
"#;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // devloop parses the arguments of this process, which are these.
        ["run"] => {
            let code = devloop::main();
            let failed = code != std::process::ExitCode::SUCCESS;
            return if failed { Err(io::Error::other("devloop failed")) } else { Ok(()) };
        }
        ["reveal", path] => return reveal(Path::new(path)),
        ["bare", folder] => return bare(Path::new(folder)),
        _ => {}
    }
    devloop_itself()?;
    bare_server()
}

/// Is the child: tells the bench what it was told, and stays.
fn reveal(path: &Path) -> io::Result<()> {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    let text = format!("{} {}", of(devloop::env_vars::EVENTS_BASE_URL), of(devloop::env_vars::EVENTS_TOKEN));
    fs::write(path.with_extension("new"), text)?;
    fs::rename(path.with_extension("new"), path)?;
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

/// A child that is killed with the bench.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn devloop_itself() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let myself = std::env::current_exe()?;
    let text = CONFIG.replace("SELF", &myself.to_string_lossy()).replace("ROOT", &folder.path().to_string_lossy());
    fs::write(folder.path().join("devloop.toml"), text)?;
    let child = Command::new(&myself)
        .arg("run")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.path().join("stderr"))?)
        .spawn()?;
    let server = Server(child);
    let revealed = wait_for(&folder.path().join("revealed"))?;
    let (url, token) = revealed.split_once(' ').unwrap_or_default();
    let target = Target { address: url.trim_start_matches("http://").to_owned(), token: token.to_owned() };
    target.measure("devloop", 1, 5_000, server.0.id())?;
    target.measure("devloop", 32, 51_200, server.0.id())?;
    let before = memory_mb(server.0.id(), "VmRSS:");
    target.measure("devloop", 16, POSTS, server.0.id())?;
    let posted = 5_000 + 51_200 + POSTS;
    let audited = wait_for_lines(folder.path(), posted)?;
    println!(
        "devloop: {posted} posted, {audited} in the audit log, memory {before:.1} MB before and {:.1} MB after the last 100000, {:.1} MB at most",
        memory_mb(server.0.id(), "VmRSS:"),
        memory_mb(server.0.id(), "VmHWM:"),
    );
    if audited == posted { Ok(()) } else { Err(io::Error::other("posts were lost")) }
}

fn wait_for_lines(folder: &Path, wanted: usize) -> io::Result<usize> {
    let began = Instant::now();
    loop {
        let text = fs::read_to_string(folder.join(".devloop/events.jsonl"))?;
        let lines = text.lines().count();
        if lines >= wanted || began.elapsed() > Duration::from_secs(10) {
            return Ok(lines);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn bare_server() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let child = Command::new(std::env::current_exe()?).arg("bare").arg(folder.path()).spawn()?;
    let server = Server(child);
    let target = Target { address: wait_for(&folder.path().join("address"))?, token: String::new() };
    target.measure("bare", 1, 5_000, server.0.id())?;
    target.measure("bare", 32, 51_200, server.0.id())
}

/// Reads a request with httparse on tokio, replaces a file, answers 204.
fn bare(folder: &Path) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        fs::write(folder.join("address.new"), listener.local_addr()?.to_string())?;
        fs::rename(folder.join("address.new"), folder.join("address"))?;
        loop {
            let (stream, _) = listener.accept().await?;
            let (temporary, file) = (folder.join("value.new"), folder.join("value"));
            tokio::task::spawn_local(async move {
                let mut bytes = Vec::new();
                loop {
                    stream.readable().await?;
                    match stream.try_read_buf(&mut bytes) {
                        Ok(0) => return io::Result::Ok(()),
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                        Err(error) => return Err(error),
                    }
                    let mut fields = [httparse::EMPTY_HEADER; 64];
                    if let Ok(httparse::Status::Complete(end)) = httparse::Request::new(&mut fields).parse(&bytes) {
                        fs::write(&temporary, &bytes[end..])?;
                        fs::rename(&temporary, &file)?;
                        bytes.clear();
                        stream.try_write(b"HTTP/1.1 204 No Content\r\n\r\n")?;
                    }
                }
            });
        }
    })
}

fn wait_for(path: &Path) -> io::Result<String> {
    let began = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return Ok(text),
            Err(_) if began.elapsed() < Duration::from_secs(20) => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error),
        }
    }
}

struct Target {
    address: String,
    token: String,
}

impl Target {
    #[expect(clippy::print_stdout, reason = "a bench prints")]
    fn measure(&self, name: &str, connections: usize, posts: usize, pid: u32) -> io::Result<()> {
        let (began, before) = (Instant::now(), cpu(pid));
        let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..connections)
                .map(|client| scope.spawn(move || self.post_all(client, connections, posts / connections)))
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Ok(Vec::new())))
                .collect::<io::Result<Vec<_>>>()
        })?
        .concat();
        let (took, used) = (began.elapsed(), cpu(pid).saturating_sub(before));
        if latencies.len() != posts {
            return Err(io::Error::other(format!("{} of {posts} posts were answered", latencies.len())));
        }
        latencies.sort();
        let count = u32::try_from(posts).unwrap_or(u32::MAX);
        println!(
            "{name:>7}: {connections:>2} connections {:>8.0} posts/s, p50 {:>6.0?} p99 {:>6.0?}, {:.1} µs of CPU a post",
            f64::from(count) / took.as_secs_f64(),
            latencies[posts / 2],
            latencies[posts * 99 / 100],
            used.as_secs_f64() * 1e6 / f64::from(count),
        );
        Ok(())
    }

    fn post_all(&self, client: usize, connections: usize, posts: usize) -> io::Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let mut latencies = Vec::with_capacity(posts);
        let (mut request, mut answer) = (String::new(), [0; 512]);
        for number in 0..posts {
            let body = format!("{{\"value\":\"{connections}-{client}-{number}\"}}");
            request.clear();
            let _ = write!(
                request,
                "POST /events/value HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                self.address,
                self.token,
                body.len()
            );
            let began = Instant::now();
            stream.write_all(request.as_bytes())?;
            let count = stream.read(&mut answer)?;
            if !answer[..count].starts_with(b"HTTP/1.1 204") {
                return Err(io::Error::other(String::from_utf8_lossy(&answer[..count]).into_owned()));
            }
            latencies.push(began.elapsed());
        }
        Ok(latencies)
    }
}

/// CPU time of a process (proc(5), `stat`, fields 14 and 15, in hundredths of a second).
fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    Duration::from_millis(fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

fn memory_mb(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1000.0
}
