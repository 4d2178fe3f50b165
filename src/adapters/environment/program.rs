//! Where a command's program is.

use devloop_core::fact::StartFailure;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where programs are looked up when a child has no `PATH`, as `execvp(3)` does.
const PATH_WHEN_UNSET: &str = "/bin:/usr/bin";

/// Finds a program. One with a slash is below `root`, or absolute, and whether it is there is for `execve(2)` to say; any
/// other is the first executable file of that name in `path`, whose relative and empty parts mean `cwd`.
pub(super) fn find(program: &OsStr, path: Option<&OsStr>, root: &Path, cwd: &Path) -> Result<PathBuf, StartFailure> {
    let name = program.to_string_lossy();
    let refused = |what: String, error: std::io::Error| StartFailure::Refused { what, error: error.to_string() };
    if program.is_empty() {
        let nothing = rustix::io::Errno::NOENT.into();
        return Err(refused("a program without a name cannot be executed".to_owned(), nothing));
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(root.join(program));
    }
    let mut is_there = false;
    for folder in std::env::split_paths(path.unwrap_or(OsStr::new(PATH_WHEN_UNSET))) {
        let candidate = cwd.join(folder).join(program);
        if !candidate.is_file() {
            continue;
        }
        if rustix::fs::access(&candidate, rustix::fs::Access::EXEC_OK).is_ok() {
            return Ok(candidate);
        }
        is_there = true;
    }
    Err(if is_there {
        refused(format!("program '{name}' in PATH is not executable"), rustix::io::Errno::ACCESS.into())
    } else {
        refused(format!("program '{name}' was not found in PATH"), rustix::io::Errno::NOENT.into())
    })
}
