//! Tool of the adapters that write: devloop's own folders (0700) and files (0600), whatever the umask.
//!
//! Everything below a folder goes through its descriptor, is made with `O_EXCL`, and is never reached through a link,
//! so that whoever else can write there cannot lead devloop astray (`open(2)`). Absent on purpose: changing what
//! devloop did not make.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// How often a random name may be taken already before something else must be wrong.
const NAME_TRIES_MAX: u32 = 16;

/// A folder held by its descriptor.
#[derive(Debug)]
pub struct OwnFolder {
    dir: File,
    path: PathBuf,
}

impl OwnFolder {
    /// Opens a folder. What is missing of it is made first, 0700, with a `.gitignore` of `*` in the last; an existing
    /// folder is left as it is. The path may lead through links.
    pub fn open_or_create(path: &Path) -> io::Result<Self> {
        if create_missing(path)? {
            let created = Self::open(path)?;
            created.hide_from_git();
            return Ok(created);
        }
        Self::open(path)
    }

    /// Opens a folder that was there when the session began. Where it is gone it is made again (0700), but not the
    /// folders above it: a project that was removed is not ours to bring back.
    pub fn open_again(path: &Path) -> io::Result<Self> {
        let is_new = create_one(path)?;
        let folder = Self::open(path)?;
        if is_new {
            folder.hide_from_git();
        }
        Ok(folder)
    }

    /// Opens a folder that exists. The path may lead through links.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { dir: dir.into(), path: path.to_owned() })
    }

    /// The same folder once more, for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { dir: self.dir.try_clone()?, path: self.path.clone() })
    }

    /// Opens a folder directly below, and makes it (0700) where it is missing. A link is an error.
    pub fn subfolder(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.dir, name, Mode::from_raw_mode(as_mode(FOLDER_MODE))) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        self.existing_subfolder(OsStr::new(name))
    }

    /// Opens a folder directly below. A link, or anything else that is no folder, is an error.
    pub fn existing_subfolder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&self.dir, name, flags, Mode::empty());
        let dir = dir.map_err(|errno| self.not_opened(name, errno))?;
        Ok(Self { dir: dir.into(), path: self.path.join(name) })
    }

    /// The system's words, and that it is for a link where it is: "not a directory" would not tell.
    fn not_opened(&self, name: &OsStr, errno: rustix::io::Errno) -> io::Error {
        let error = io::Error::from(errno);
        let found = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink) {
            return io::Error::new(error.kind(), format!("{error}; it is a link, and devloop follows none here"));
        }
        error
    }

    /// Makes a folder (0700) directly below; a name that exists in any form is an error.
    pub fn new_subfolder(&self, name: &str) -> io::Result<Self> {
        let mode = Mode::from_raw_mode(as_mode(FOLDER_MODE));
        rustix::fs::mkdirat(&self.dir, name, mode)?;
        let made = self.existing_subfolder(OsStr::new(name))?;
        // A umask can have taken bits of the owner; a file system without modes has none to give back.
        let _ = rustix::fs::fchmod(&made.dir, mode);
        Ok(made)
    }

    /// Whether a name directly below is a folder, and no link to one. A name that does not exist is none.
    pub fn is_folder(&self, name: &OsStr) -> io::Result<bool> {
        match rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether a name directly below is this very folder, and no link to it.
    pub fn is_at(&self, above: &Self, name: &OsStr) -> io::Result<bool> {
        let (here, there) = (self.dir.metadata()?, above.existing_subfolder(name)?.dir.metadata()?);
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }

    /// Moves an entry of another folder into this one. What has the new name is replaced only if it is an empty folder.
    pub fn take_from(&self, other: &Self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&other.dir, from, &self.dir, to)?)
    }

    /// Removes an empty folder.
    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::REMOVEDIR)?)
    }

    /// The descriptor, for what only a tool of its own does with it.
    pub fn as_file(&self) -> &File {
        &self.dir
    }

    /// Where the folder was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to this folder; an error when it leads nowhere.
    pub fn is_in_place(&self) -> io::Result<bool> {
        let (here, there) = (self.dir.metadata()?, std::fs::metadata(&self.path)?);
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }

    /// Makes a new file (0600) that is opened for appending; a name that exists in any form is an error.
    pub fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(as_mode(FILE_MODE));
        let file = File::from(rustix::fs::openat(&self.dir, name, flags, mode)?);
        // A umask can have taken bits of the owner; a file system without modes has none to give back.
        let _ = rustix::fs::fchmod(&file, mode);
        Ok(file)
    }

    /// Makes a new file whose name nobody can guess: `named` puts 16 random hexadecimal digits into it.
    pub fn create_random(&self, named: impl Fn(&str) -> OsString) -> io::Result<(File, OsString)> {
        let random = RandomState::new();
        let mut tries = 0;
        loop {
            let name = named(&format!("{:016x}", random.hash_one(tries)));
            match self.create_file(&name) {
                Ok(file) => return Ok((file, name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < NAME_TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens an existing or new file (0600) for reading and writing, not through a link and without waiting (a FIFO has
    /// no other end yet). Whether it is a regular file is for the caller to see.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(as_mode(FILE_MODE));
        let file = rustix::fs::openat(&self.dir, name, flags, mode);
        let file = File::from(file.map_err(|errno| self.not_opened(name, errno))?);
        let found = file.metadata()?;
        if found.is_file() && found.mode() & 0o777 != FILE_MODE {
            let _ = rustix::fs::fchmod(&file, mode);
        }
        Ok(file)
    }

    /// Opens an existing file for reading, without waiting; a link is followed.
    pub fn open_to_read(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.dir, name, flags, Mode::empty())?.into())
    }

    /// Opens an existing file for reading, without waiting and not through a link; nothing when it is no regular file.
    pub fn open_regular(&self, name: &OsStr) -> io::Result<Option<File>> {
        let found = rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(Some(rustix::fs::openat(&self.dir, name, flags, Mode::empty())?.into()))
    }

    /// Gives a file the name of another, which is gone at the same instant; a link of that name is replaced itself.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        note("renamed");
        Ok(rustix::fs::renameat(&self.dir, from, &self.dir, to)?)
    }

    /// Removes a file, or a link itself.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?)
    }

    /// Puts a new file (0600) in the place of one, so that a reader finds a whole one at any time. `durable`: what is in it
    /// survives a loss of power; that it has the name does after a [`Self::sync`]. On failure nothing is left over, and
    /// the old one is untouched.
    pub fn replace(&self, name: &OsStr, text: &[u8], durable: bool) -> io::Result<()> {
        let (mut file, temporary) = self.create_random(|random| temporary_name(name, random))?;
        let written = file
            .write_all(text)
            .and_then(|()| if durable { self.sync_file(&file) } else { Ok(()) })
            .and_then(|()| self.rename(&temporary, name));
        if written.is_err() {
            let _ = self.remove(&temporary);
        }
        written
    }

    /// Removes what crashed sessions left of replacing a file.
    pub fn remove_temporaries(&self, name: &OsStr) -> io::Result<()> {
        self.remove_all(|found| is_temporary(name, found))
    }

    /// Removes every file whose name `is_stale` accepts. One that cannot be removed (a folder that somebody else put
    /// there) stays: nothing depends on it.
    pub fn remove_all(&self, is_stale: impl Fn(&OsStr) -> bool) -> io::Result<()> {
        for name in self.names()?.iter().filter(|name| is_stale(name)) {
            let _ = self.remove(name);
        }
        Ok(())
    }

    /// The names of all entries but `.` and `..`, in no order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Makes what is in a file survive a loss of power (`fsync(2)`).
    pub fn sync_file(&self, file: &File) -> io::Result<()> {
        note("file synced");
        file.sync_all()
    }

    /// Makes renames in this folder survive a loss of power (`fsync(2)`), where the file system can.
    pub fn sync(&self) -> io::Result<()> {
        use rustix::io::Errno;
        note("folder synced");
        match rustix::fs::fsync(&self.dir) {
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Without it the session would run as well, so a failure is no reason to end.
    fn hide_from_git(&self) {
        if let Ok(mut file) = self.create_file(OsStr::new(".gitignore")) {
            let _ = file.write_all(b"*\n");
        }
    }
}

/// The text of a file, of at most this many bytes; none where there is no such file. What is no regular file is an error,
/// and is not waited for (a FIFO has no other end). Links are followed: a reader's path is its own.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(bytes_max).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// `.NAME.RANDOM.tmp`: with the name in it, so that sessions that share a folder leave each other's files alone.
fn temporary_name(name: &OsStr, random: &str) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".");
    temporary.push(random);
    temporary.push(".tmp");
    temporary
}

fn is_temporary(name: &OsStr, found: &OsStr) -> bool {
    let random = found
        .as_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_prefix(name.as_bytes()))
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(b".tmp"));
    random.is_some_and(|random| random.len() == 16 && random.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
thread_local! {
    /// What this thread has renamed and made to last, in order.
    pub(crate) static NOTED: std::cell::RefCell<Vec<&'static str>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The door through which tests see an order that only a loss of power would show.
#[cfg(test)]
fn note(what: &'static str) {
    NOTED.with_borrow_mut(|noted| noted.push(what));
}

#[cfg(not(test))]
fn note(_what: &'static str) {}

/// Makes a folder and the missing ones above it, 0700; whether the last one was missing.
fn create_missing(path: &Path) -> io::Result<bool> {
    match create_one(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(above) if !above.as_os_str().is_empty() => {
                create_missing(above)?;
                create_one(path)
            }
            _ => Err(error),
        },
        made => made,
    }
}

fn create_one(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => {
            // A umask can have taken bits of the owner.
            if std::fs::symlink_metadata(path)?.mode() & 0o777 != FOLDER_MODE {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(FOLDER_MODE))?;
            }
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// `mode_t` is 16 bits wide on some systems; permission bits fit everywhere.
fn as_mode(bits: u32) -> rustix::fs::RawMode {
    rustix::fs::RawMode::try_from(bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_name_that_exists_in_any_form_is_not_opened() {
        let temp = tempfile::tempdir().unwrap();
        let folder = OwnFolder::open_or_create(temp.path()).unwrap();
        let victim = temp.path().join("victim");
        symlink(&victim, temp.path().join("dangling")).unwrap();
        std::fs::create_dir(temp.path().join("folder")).unwrap();
        std::fs::write(temp.path().join("file"), "kept").unwrap();
        for name in ["dangling", "folder", "file"] {
            let error = folder.create_file(OsStr::new(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}");
        }
        assert!(!victim.exists());
        assert_eq!(std::fs::read_to_string(temp.path().join("file")).unwrap(), "kept");
    }

    #[test]
    fn a_random_name_that_is_taken_is_passed_over() {
        let temp = tempfile::tempdir().unwrap();
        let folder = OwnFolder::open_or_create(temp.path()).unwrap();
        let named = |random: &str| OsString::from(&random[..1]);
        let (_, first) = folder.create_random(named).unwrap();
        let (_, second) = folder.create_random(named).unwrap();
        assert_ne!(first, second);
        let stuck = folder.create_random(|_| first.clone()).unwrap_err();
        assert_eq!(stuck.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn work_goes_on_in_a_folder_that_was_moved() {
        let temp = tempfile::tempdir().unwrap();
        let folder = OwnFolder::open_or_create(&temp.path().join("a")).unwrap();
        assert!(folder.is_in_place().unwrap());
        std::fs::rename(temp.path().join("a"), temp.path().join("b")).unwrap();
        assert_eq!(folder.is_in_place().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::create_dir(temp.path().join("a")).unwrap();
        assert!(!folder.is_in_place().unwrap());
        folder.create_file(OsStr::new("x")).unwrap();
        assert!(temp.path().join("b/x").exists() && !temp.path().join("a/x").exists());
    }
}
