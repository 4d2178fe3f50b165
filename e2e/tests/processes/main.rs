//! Processes of a session: how they start, what they are given, how they end, and when they are ready.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod addresses;
mod depending;
mod environment;
mod faults;
mod readiness;
mod restarting;
mod starting;
mod stopping;

use e2e::Project;

/// A project with this config.
fn project(config: &str) -> Project {
    let project = Project::new(e2e::programs!());
    project.config(config);
    project
}

/// Where a fragment first stands in the lines.
fn place(lines: &[String], fragment: &str) -> usize {
    lines.iter().position(|line| line.contains(fragment)).unwrap_or_else(|| panic!("no '{fragment}' in {lines:#?}"))
}

/// A number of `/proc/PID/stat`, its field counted as in proc(5).
fn stat(pid: u32, field: usize) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The second field is the program's name in parentheses, which may hold anything.
    stat.rsplit(')').next().unwrap().split_whitespace().nth(field - 3).unwrap().parse().unwrap()
}

/// The parent of a process.
fn parent(pid: u32) -> u32 {
    u32::try_from(stat(pid, 4)).unwrap()
}
