//! Whether a pid is still the process that it was.

/// When a living process began, in ticks since the machine did (`proc_pid_stat(5)`, field 22). With its pid it says who
/// a process is, since a pid alone is given away again. None where there is no such process, or no `/proc`.
pub fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The program's name, in parentheses, may hold anything.
    let behind = stat.rsplit_once(')')?.1;
    let mut fields = behind.split_ascii_whitespace();
    // A zombie does nothing any more.
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18)?.parse().ok()
}

/// Whether the process that had this pid and began then is alive. Where nobody knows when it began, its pid decides.
pub fn lives(pid: u32, began_at: Option<u64>) -> bool {
    if let Some(ticks) = began_at {
        return began(pid) == Some(ticks);
    }
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_began_once_and_a_pid_that_nobody_has_never_did() {
        let own = began(std::process::id());
        assert!(own.is_some_and(|ticks| ticks > 0));
        assert_eq!(own, began(std::process::id()));
        assert_eq!(began(u32::MAX), None);
        assert!(lives(std::process::id(), own) && lives(std::process::id(), None));
        assert!(!lives(std::process::id(), own.map(|ticks| ticks + 1)));
    }
}
