//! Which files a program's name can mean.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where programs are looked up without a `PATH` (`confstr(3)`, `_CS_PATH`).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The files that `program` can mean, in the order in which they are tried.
///
/// A name with a slash is one file below `root`, or absolute. A bare name is looked up in `path_var`, the child's own
/// `PATH`; an empty or relative entry there is meant from `cwd`, the child's (absolute) working directory. An empty name
/// means nothing.
pub fn candidates(program: &OsStr, path_var: Option<&OsStr>, root: &Path, cwd: &Path) -> Vec<PathBuf> {
    if program.is_empty() {
        return Vec::new();
    }
    if program.as_bytes().contains(&b'/') {
        return vec![root.join(program)];
    }
    let path = path_var.unwrap_or(OsStr::new(DEFAULT_PATH));
    path.as_bytes().split(|byte| *byte == b':').map(|entry| cwd.join(OsStr::from_bytes(entry)).join(program)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(program: &str, path: Option<&str>) -> Vec<String> {
        candidates(OsStr::new(program), path.map(OsStr::new), Path::new("/root"), Path::new("/root/app"))
            .into_iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn a_name_with_a_slash_is_meant_from_the_root() {
        assert_eq!(of("./bin/server", Some("/usr/bin")), ["/root/./bin/server"]);
        assert_eq!(of("/opt/server", None), ["/opt/server"]);
    }

    #[test]
    fn a_bare_name_is_looked_up_in_each_entry_of_the_path() {
        assert_eq!(of("server", Some("/a:/b/")), ["/a/server", "/b/server"]);
        assert_eq!(of("server", None), ["/bin/server", "/usr/bin/server"]);
    }

    #[test]
    fn an_empty_or_relative_entry_is_meant_from_the_working_directory() {
        assert_eq!(of("server", Some(":node/bin")), ["/root/app/server", "/root/app/node/bin/server"]);
        assert_eq!(of("server", Some("")), ["/root/app/server"]);
    }

    #[test]
    fn an_empty_name_means_nothing() {
        assert!(of("", Some("/a")).is_empty());
    }
}
