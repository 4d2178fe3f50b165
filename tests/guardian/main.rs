//! The guardian's contract, with real processes.
//!
//! The guardian is forked by a program with one thread, so each case is a process of its own: this program, started
//! again with the case's name. Arguments choose cases by a part of their name, as with the usual harness.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "these are tests")]

mod deaths;
mod endings;
mod stage;
mod starts;

use std::collections::VecDeque;
use std::io::Read;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The variable that names the case of this process.
const CASE: &str = "GUARDIAN_CASE";
/// No case needs a tenth of it, on a machine that does nothing else.
const DEADLINE: Duration = Duration::from_secs(120);
/// Cases at the same time; they wait more than they work.
const AT_ONCE: usize = 4;

/// A sentence, and what shows that it is true.
type Case = (&'static str, fn());

fn cases() -> Vec<Case> {
    [starts::CASES, endings::CASES, deaths::CASES].concat()
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CASE) {
        return run_here(&name);
    }
    if cfg!(not(target_os = "linux")) {
        // Elsewhere there is no `/proc` to look at, and no more is promised than the process group.
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|part| name.contains(part.as_str()));
    let wanted: VecDeque<&str> = cases().iter().map(|(name, _)| *name).filter(|name| is_wanted(name)).collect();
    if std::env::args().any(|word| word == "--list") {
        for name in wanted {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let failed = run_all(wanted);
    println!("\n{failed} of the guardian's cases failed");
    ExitCode::from(u8::from(failed > 0))
}

fn run_here(name: &str) -> ExitCode {
    if let Some(tree) = name.strip_prefix(deaths::VICTIM) {
        deaths::be_victim(tree);
        return ExitCode::FAILURE;
    }
    let case = cases().into_iter().find(|(known, _)| *known == name).expect("a case of that name");
    case.1();
    ExitCode::SUCCESS
}

fn run_all(wanted: VecDeque<&str>) -> usize {
    let (wanted, failed) = (Mutex::new(wanted), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(name) = wanted.lock().unwrap().pop_front() else { return };
                    let verdict = run_apart(name);
                    println!("test {name} ... {}", if verdict.is_ok() { "ok" } else { "FAILED" });
                    if let Err(output) = verdict {
                        println!("{output}");
                        *failed.lock().unwrap() += 1;
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

fn run_apart(name: &str) -> Result<(), String> {
    let mut case = Command::new(std::env::current_exe().unwrap())
        .env(CASE, name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut errors = case.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let began = Instant::now();
    while case.try_wait().unwrap().is_none() {
        if began.elapsed() > DEADLINE {
            case.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = case.wait().unwrap();
    let text = reader.join().unwrap();
    if status.success() { Ok(()) } else { Err(format!("{status}\n{text}")) }
}
