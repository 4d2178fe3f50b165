//! Which processes belong to the project, what each is called, and how one of them does.

use std::collections::BTreeMap;
use std::path::Path;

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) role: String,
}

/// In the environment of devloop, and so of everything that it starts, its guardian and keepers included.
pub(crate) const MARK: &str = "CHAOS_WORLD";

/// All living processes with the mark of a project in their environment, or with a working directory in it.
pub(crate) fn of(root: &Path) -> Vec<Member> {
    let mark = format!("{MARK}={}\0", root.display());
    pids().filter_map(|pid| member(pid, root, mark.as_bytes())).collect()
}

fn pids() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn member(pid: u32, root: &Path, mark: &[u8]) -> Option<Member> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let is_marked = environment.windows(mark.len()).any(|part| part == mark);
    let works_there = || std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(root));
    if pid == std::process::id() || !(is_marked || works_there()) {
        return None;
    }
    let (state, parent) = stat(pid)?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).into_owned();
    (!matches!(state, 'Z' | 'X')).then(|| Member { pid, parent, role: role(&command) })
}

/// State and parent of a process (`stat` in proc(5)).
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn role(command: &str) -> String {
    let words: Vec<&str> = command.split('\0').collect();
    let after = |word: &str| words.iter().position(|found| *found == word).and_then(|at| words.get(at + 1));
    if let Some(role) = after("role") {
        (*role).to_owned()
    } else if let Some(file) = after("write-pid") {
        Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned()
    } else if Path::new(words[0]).file_name().is_some_and(|name| name.to_string_lossy().starts_with("devloop")) {
        "devloop".to_owned()
    } else if words.contains(&"grow") {
        "grown".to_owned()
    } else {
        words.join(" ").trim().to_owned()
    }
}

/// How many there are of each role.
pub(crate) fn roles(members: &[Member]) -> BTreeMap<String, usize> {
    let mut roles = BTreeMap::new();
    for member in members {
        *roles.entry(member.role.clone()).or_default() += 1;
    }
    roles
}

/// Zombies whose parent is one of these.
pub(crate) fn zombies(members: &[Member]) -> Vec<u32> {
    let is_ours = |parent: u32| members.iter().any(|member| member.pid == parent);
    pids().filter(|pid| stat(*pid).is_some_and(|(state, parent)| state == 'Z' && is_ours(parent))).collect()
}

/// What a process uses at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
    pub(crate) resident_kib: u64,
    /// Of it what is no file: pages of the program itself come in as they are needed, and are no growth.
    pub(crate) own_kib: u64,
    /// Processor time so far, in ticks of 10 ms.
    pub(crate) ticks: u64,
}

pub(crate) fn usage(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    Some(Usage {
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        threads: field("Threads:")?,
        resident_kib: field("VmRSS:")?,
        own_kib: field("RssAnon:")?,
        ticks: fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?,
    })
}
