//! What a folder holds: names and kinds, in one reused piece of memory, sorted by name.

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags};
use std::io;
use std::path::Path;

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    Link,
    File,
}

/// The entries of one folder. FIFOs, sockets and devices have no content that changes, and are left out.
#[derive(Debug, Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    /// Where a name begins, its length, and what it is.
    entries: Vec<(u32, u8, Kind)>,
}

impl Listing {
    /// Lists a folder anew. `follow`: it may be a symlink to one.
    pub(super) fn read(&mut self, folder: &Path, follow: bool) -> io::Result<()> {
        self.names.clear();
        self.entries.clear();
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        if !follow {
            flags |= OFlags::NOFOLLOW;
        }
        let opened = rustix::fs::openat(CWD, folder, flags, Mode::empty())?;
        for entry in Dir::new(opened)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if let Some(kind) = kind_of(entry.file_type(), folder, name) {
                let at = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.names.extend_from_slice(name);
                self.entries.push((at, u8::try_from(name.len()).unwrap_or(u8::MAX), kind));
            }
        }
        let names = &self.names;
        self.entries.sort_unstable_by_key(|&(at, length, _)| part(names, at, length));
        Ok(())
    }

    /// The entries by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Kind)> {
        self.entries.iter().map(|&(at, length, kind)| (part(&self.names, at, length), kind))
    }

    /// Whether a name is there.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.entries.binary_search_by_key(&name, |&(at, length, _)| part(&self.names, at, length)).is_ok()
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all names together.
    pub(super) fn bytes(&self) -> usize {
        self.names.len()
    }
}

fn part(names: &[u8], at: u32, length: u8) -> &[u8] {
    &names[at as usize..at as usize + usize::from(length)]
}

/// Some file systems do not say the kind with the name (readdir(3), `DT_UNKNOWN`).
fn kind_of(said: FileType, folder: &Path, name: &[u8]) -> Option<Kind> {
    use std::os::unix::ffi::OsStrExt;
    match said {
        FileType::Directory => Some(Kind::Folder),
        FileType::Symlink => Some(Kind::Link),
        FileType::RegularFile => Some(Kind::File),
        FileType::Unknown => {
            let found = folder.join(std::ffi::OsStr::from_bytes(name)).symlink_metadata().ok()?.file_type();
            let link = found.is_symlink().then_some(Kind::Link);
            let file = found.is_file().then_some(Kind::File);
            found.is_dir().then_some(Kind::Folder).or(link).or(file)
        }
        _ => None,
    }
}
