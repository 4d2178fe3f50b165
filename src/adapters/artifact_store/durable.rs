//! Making a whole tree survive a loss of power: files before the folders that name them.

use crate::adapters::own_files::OwnFolder;
use std::ffi::OsString;
use std::fs::File;
use std::io;

/// Up to so many files and folders are made durable one by one. More cost less when the whole file system is written
/// (`syncfs(2)`).
const SINGLY_MAX: usize = 64;

/// Waits until all that is in a folder is on the disk.
pub(super) fn sync_tree(top: &OwnFolder) -> io::Result<()> {
    match singly(top) {
        Some(all) => {
            for file in &all.files {
                file.sync_all()?;
            }
            // The deepest were found last.
            for folder in all.folders.iter().rev() {
                folder.sync()?;
            }
            top.sync()
        }
        None => sync_all(top),
    }
}

#[derive(Default)]
struct All {
    files: Vec<File>,
    folders: Vec<OwnFolder>,
}

/// All files and folders, opened; none when there are too many, or one cannot be opened.
fn singly(top: &OwnFolder) -> Option<All> {
    let mut all = All::default();
    collect(top, &mut all)?;
    let mut next = 0;
    while next < all.folders.len() {
        let folder = all.folders.remove(next);
        let outcome = collect(&folder, &mut all);
        all.folders.insert(next, folder);
        outcome?;
        next += 1;
    }
    Some(all)
}

fn collect(folder: &OwnFolder, all: &mut All) -> Option<()> {
    let names: Vec<OsString> = folder.names().ok()?;
    if names.len() + all.files.len() + all.folders.len() > SINGLY_MAX {
        return None;
    }
    for name in names {
        if folder.is_folder(&name).ok()? {
            all.folders.push(folder.existing_subfolder(&name).ok()?);
        } else if let Some(file) = folder.open_regular(&name).ok()? {
            all.files.push(file);
        }
    }
    Some(())
}

/// Writes the whole file system.
#[cfg(target_os = "linux")]
fn sync_all(top: &OwnFolder) -> io::Result<()> {
    Ok(rustix::fs::syncfs(top.as_file())?)
}

/// Writes all file systems; whether the system waits for its disks is its own affair (`sync(2)`).
#[cfg(not(target_os = "linux"))]
fn sync_all(_: &OwnFolder) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}
