//! Faults of processes, made again and again: `docs/design/0002-fault-table.md`. A few rounds of each in an ordinary run;
//! `cargo faults` makes as many as the table says, and prints what it measured.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stderr, reason = "a long run shows its figures")]

mod kills;
mod lives;
mod probes;
mod stuck;
mod terminals;
mod trees;

use e2e::{Project, wait};
use std::path::Path;
use std::time::{Duration, Instant};

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(config);
    project
}

/// Numbers that look like chance, the same for one seed (splitmix64).
struct Chance(u64);

impl Chance {
    /// Another one in each run; the seed is printed, and `FAULT_SEED` repeats it.
    fn of(row: &str) -> Self {
        let asked = std::env::var("FAULT_SEED").ok().and_then(|seed| seed.parse().ok());
        let since = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = asked.unwrap_or_else(|| u64::from(since().subsec_nanos()));
        eprintln!("{row}: FAULT_SEED={seed}");
        Self(seed)
    }

    /// A number below a limit.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// Lets a random time pass, so that what comes next comes at any moment. The moment is the fault; nothing is waited for.
    fn pause(&mut self, micros_max: u64) {
        std::thread::sleep(Duration::from_micros(self.below(micros_max + 1)));
    }
}

/// A line of `/proc/PID/status`, without its name.
fn status(pid: u32, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Children of a process, of its first thread: devloop, guardian and keepers have no other that forks.
fn children(parent: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// devloop's guardian.
fn guardian(devloop: u32) -> u32 {
    wait::until("the guardian is there", || children(devloop).first().copied())
}

/// Open descriptors of a process.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Resident memory of a process, in KiB.
fn memory_kib(pid: u32) -> u64 {
    status(pid, "VmRSS").unwrap().trim_end_matches(" kB").parse().unwrap()
}

/// Processor time of a process so far, in clock ticks of a hundredth second (`utime` and `stime` in proc(5)).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Waits until no process has a trace of a project or of a token, and says how long that took.
fn gone_after(root: &Path, token: &str) -> Duration {
    let began = Instant::now();
    loop {
        let left = trees::left_of(root, token);
        if left.is_empty() {
            return began.elapsed();
        }
        assert!(began.elapsed() < wait::DEADLINE, "left of {token}: {left:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
