//! Removing whole trees without ever leaving the artifact's folder: a folder is moved up before it is opened, so that
//! depth costs nothing, a link is removed itself, and a mount point (which cannot be moved) is never entered.

use super::{REMOVED, StoreError};
use crate::adapters::own_files::OwnFolder;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher as _, RandomState};
use std::io;

/// Takes a name away, whatever has it: from now on nobody finds a part of it there.
pub(super) fn set_aside(own: &OwnFolder, name: &OsStr) -> Result<(), StoreError> {
    match own.take_from(own, name, &new_name()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::Remove(own.path().join(name), error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes what has a name, all of it.
pub(super) fn remove(own: &OwnFolder, name: &OsStr) -> Result<(), StoreError> {
    set_aside(own, name)?;
    clear(own)
}

/// Removes all that was set aside, now or by a session that crashed. What cannot be removed stays; the first cause is
/// told.
pub(super) fn clear(own: &OwnFolder) -> Result<(), StoreError> {
    let mut first = Ok(());
    let mut stuck: Vec<OsString> = Vec::new();
    loop {
        let names = own.names().map_err(|error| StoreError::Read(own.path().to_owned(), error))?;
        let is_open =
            |name: &&OsString| name.as_encoded_bytes().starts_with(REMOVED.as_bytes()) && !stuck.contains(name);
        let open: Vec<OsString> = names.iter().filter(is_open).cloned().collect();
        if open.is_empty() {
            return first;
        }
        for name in open {
            if let Err(error) = remove_one(own, &name) {
                first = first.and(Err(StoreError::Remove(own.path().join(&name), error)));
                stuck.push(name);
            }
        }
    }
}

/// Removes a file, a link, or a folder; the folders in it are set aside.
fn remove_one(own: &OwnFolder, name: &OsStr) -> io::Result<()> {
    if !own.is_folder(name)? {
        return own.remove(name);
    }
    let folder = open(own, name)?;
    for entry in folder.names()? {
        match folder.remove(&entry) {
            Ok(()) => {}
            // What `unlinkat(2)` says of a folder; POSIX says EPERM.
            Err(error) if [Errno::ISDIR, Errno::PERM].map(io::Error::from).iter().any(|e| is_same(e, &error)) => {
                move_up(own, &folder, &entry)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    own.remove_folder(name)
}

fn move_up(own: &OwnFolder, folder: &OwnFolder, entry: &OsStr) -> io::Result<()> {
    let moved = own.take_from(folder, entry, &new_name());
    match moved {
        // To move a folder is to write its `..`, which takes the right to write into it.
        Err(error) if is_same(&error, &Errno::ACCESS.into()) => {
            permit(folder, entry)?;
            own.take_from(folder, entry, &new_name())
        }
        other => other,
    }
}

/// Opens a folder that is to go, whatever its mode.
fn open(own: &OwnFolder, name: &OsStr) -> io::Result<OwnFolder> {
    let folder = match own.existing_subfolder(name) {
        Err(error) if is_same(&error, &Errno::ACCESS.into()) => {
            permit(own, name)?;
            own.existing_subfolder(name)?
        }
        other => other?,
    };
    // Its entries go only where it may be written to.
    let _ = rustix::fs::fchmod(folder.as_file(), rustix::fs::Mode::RWXU);
    Ok(folder)
}

/// Gives the owner back what a mode has taken. The mode is that of the folder itself, never of what a link leads to:
/// `fchmodat(2)` follows links, a descriptor that was opened without following does not.
#[cfg(target_os = "linux")]
fn permit(above: &OwnFolder, name: &OsStr) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    use std::os::fd::AsRawFd as _;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(above.as_file(), name, flags, Mode::empty())?;
    Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", folder.as_raw_fd()), Mode::RWXU)?)
}

/// Elsewhere nobody gives such a descriptor: the folder stays, and its owner is told.
#[cfg(not(target_os = "linux"))]
fn permit(_: &OwnFolder, _: &OsStr) -> io::Result<()> {
    Err(Errno::ACCESS.into())
}

fn is_same(one: &io::Error, other: &io::Error) -> bool {
    one.raw_os_error() == other.raw_os_error()
}

/// A name that nothing has.
fn new_name() -> OsString {
    OsString::from(format!("{REMOVED}{:016x}", RandomState::new().hash_one(0)))
}
