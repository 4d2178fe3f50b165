//! How many lines a second go from one child to a file, labelled, with the session log on: `cargo bench --bench output`.
//!
//! The child is this program again. Prints lines a second, CPU of this process a line, and its largest memory; and the
//! memory for bytes without a line end.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use devloop::adapters::output::{BodyStyle, ChildStreams, Output, SinkOptions};
use devloop_core::notice::Who;

const LINE_BYTES: usize = 100;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["speak", kind, count] => return speak(kind, count.parse().unwrap_or(0)),
        ["measure", kind, count] => return measure(kind, count),
        _ => {}
    }
    // Each in a process of its own: the largest memory is kept for the life of a process.
    for (kind, count) in [
        ("lines", "5000000"),
        ("nowhere", "5000000"),
        ("coloured", "1000000"),
        ("umlauts", "2000000"),
        ("endless", "4000000"),
    ] {
        Command::new(std::env::current_exe()?).args(["measure", kind, count]).status()?;
    }
    Ok(())
}

/// Is the child.
fn speak(kind: &str, count: usize) -> io::Result<()> {
    let mut line = match kind {
        "coloured" => b"\x1b[32m   Compiling\x1b[0m something v0.1.0 \x1b[1m(and more)\x1b[0m ".to_vec(),
        "umlauts" => "größe und Übermaß ".into(),
        _ => Vec::new(),
    };
    line.resize(LINE_BYTES - 1, b'x');
    line.push(if kind == "endless" { b'x' } else { b'\n' });
    let block = line.repeat(640);
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut left = count * LINE_BYTES;
    while left > 0 {
        let part = left.min(block.len());
        stdout.write_all(&block[..part])?;
        left -= part;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn measure(kind: &str, count: &str) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    // `nowhere`: what the rest costs when the files cost nothing.
    let create = |name: &str| match kind {
        "nowhere" => File::options().write(true).open("/dev/null"),
        _ => File::create(folder.path().join(name)),
    };
    let (output, end) = Output::start(SinkOptions {
        stdout: create("out")?.into(),
        stderr: create("err")?.into(),
        log: Some(create("log")?),
        log_bytes_max: u64::MAX,
        log_index: None,
        stdout_colours: kind == "coloured",
        stderr_colours: false,
        label_width: 0,
        stamp: None,
        warning: Box::new(|words| format!("{words}\n").into_bytes()),
        secrets: std::sync::Arc::default(),
    })?;
    let began = Instant::now();
    let cpu_before = cpu();
    let mut child = Command::new(std::env::current_exe()?)
        .args(["speak", kind, count])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else { return Ok(()) };
    let id = output.attach(ChildStreams {
        label: "bench web".to_owned(),
        who: Some(Who::Process("web".into())),
        stdout: stdout.into(),
        stderr: stderr.into(),
        inherit: true,
        style: BodyStyle::Plain,
        raw: false,
        rules: Vec::new(),
        patterns: Vec::new(),
        capture: false,
        heard: Box::new(drop),
    });
    child.wait()?;
    let (done, is_done) = tokio::sync::oneshot::channel();
    output.drain(id, done);
    let _ = is_done.blocking_recv();
    let is_whole = end.flush_and_stop(Duration::from_secs(60));
    let (took, used) = (began.elapsed(), cpu().saturating_sub(cpu_before));
    let size = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |metadata| metadata.len());
    let lines: u32 = count.parse().unwrap_or(1);
    println!(
        "{kind:>8}: {:>10.0} lines/s of {LINE_BYTES} bytes, {:.3} µs of CPU a line, {:.1} MB at most, out {} log {} whole {is_whole}",
        f64::from(lines) / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / f64::from(lines),
        memory_mb(),
        size("out"),
        size("log"),
    );
    Ok(())
}

/// CPU time of all threads of this process (proc(5), `stat`, fields 14 and 15, in hundredths of a second).
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    Duration::from_millis(fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// The largest resident memory of this process so far (proc(5), `status`, `VmHWM`).
fn memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1000.0
}
