//! Where a config lies, and what its relative paths mean. Paths are cleaned as text; no file is looked at.

use std::path::{Component, Path, PathBuf};

/// Where a config lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Absolute folder of the config file, without `.` and `..`.
    pub folder: PathBuf,
}

/// A path without `.` and `..`; a relative one is taken from `folder`. `..` of the file system's root is the root.
pub fn cleaned(folder: &Path, path: impl AsRef<Path>) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in folder.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(component),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_taken_from_the_folder_and_cleaned() {
        let folder = Path::new("/a/b");
        assert_eq!(cleaned(folder, "."), Path::new("/a/b"));
        assert_eq!(cleaned(folder, "./c/../d/"), Path::new("/a/b/d"));
        assert_eq!(cleaned(folder, "../../../x"), Path::new("/x"));
        assert_eq!(cleaned(folder, "/y/./z"), Path::new("/y/z"));
    }
}
