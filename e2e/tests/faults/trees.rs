//! Trees of processes that do not want to go.

use e2e::{Project, wait};
use std::path::Path;

/// Each with a name and a shell script, in which `TOKEN` stands for a number that `sleep` takes and nobody else has.
pub(crate) const TREES: [(&str, &str); 7] = [
    ("plain", "sleep TOKEN; :"),
    ("group", "sleep TOKEN & sleep TOKEN; :"),
    ("setsid", "setsid sleep TOKEN & sleep TOKEN; :"),
    ("double fork", "(setsid sleep TOKEN &) ; sleep TOKEN; :"),
    ("deaf", "trap '' TERM INT HUP; setsid sh -c 'sleep TOKEN; :' & sleep TOKEN; :"),
    ("forker", "sh ./again TOKEN; sh ./again TOKEN; sleep TOKEN; :"),
    ("env -i", "cd /; (setsid env -i sleep TOKEN &) ; env -i sleep TOKEN & sleep TOKEN; :"),
];

/// The tree of a round as a command of a config, and its token.
pub(crate) fn command(round: usize) -> (String, String) {
    let token = format!("1000{}000{round}", std::process::id());
    let script = TREES[round % TREES.len()].1.replace("TOKEN", &token);
    (format!("[\"sh\", \"-c\", \"\"\"{script}\"\"\"]"), token)
}

/// What a forker does again and again: in sessions of their own, each starts the next and ends.
pub(crate) fn write_forker(project: &Project) {
    project.file("again", "setsid sh ./again $1 &\n");
}

/// Processes of a project, and those that have the token in their arguments and perhaps nothing else of it.
pub(crate) fn left_of(root: &Path, token: &str) -> Vec<String> {
    let with_token = with_token(token).into_iter().map(|(pid, words)| format!("{pid} {words}"));
    wait::left_of(root).into_iter().chain(with_token).collect()
}

/// Living processes that have the token in their arguments, with these.
pub(crate) fn with_token(token: &str) -> Vec<(u32, String)> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let words = |pid| {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (pid, String::from_utf8_lossy(&bytes).replace('\0', " "))
    };
    pids.map(words).filter(|(pid, words)| words.contains(token) && wait::is_alive(*pid)).collect()
}
