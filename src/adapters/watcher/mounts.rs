//! File systems that do not tell all changes: others can write to them behind this machine's back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

const TABLE: &str = "/proc/self/mountinfo";

/// Kinds of file systems on which inotify hears only what this machine does itself (inotify(7), "Limitations").
const SILENT: [&str; 14] = [
    "9p", "afs", "ceph", "cifs", "drvfs", "fuse", "fuseblk", "ncpfs", "nfs", "nfs4", "prl_fs", "smb3", "vboxsf",
    "virtiofs",
];

/// What is mounted at root and below it, kept up to date.
#[derive(Debug)]
pub(super) struct Mounts {
    root: PathBuf,
    /// Kept open: the system tells by it when the table changes (`proc_pid_mounts(5)`, `POLLPRI`).
    table: Option<File>,
    points: BTreeMap<PathBuf, Mount>,
    /// Silent ones that somebody has asked for.
    told: HashSet<PathBuf>,
}

/// One mount on its point.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// Unique among those that are mounted.
    id: Vec<u8>,
    kind: String,
}

impl Mounts {
    /// Reads the table. Without one nothing is mounted, as far as anybody knows.
    pub(super) fn at_and_below(root: &Path) -> Self {
        let table = File::open(TABLE).ok();
        let points = points_in(&std::fs::read(TABLE).unwrap_or_default(), root);
        Self { root: root.to_owned(), table, points, told: HashSet::new() }
    }

    /// What `POLLPRI` comes from when the table has changed.
    pub(super) fn table(&self) -> Option<BorrowedFd<'_>> {
        self.table.as_ref().map(AsFd::as_fd)
    }

    /// Reads the table again; the points at which something else is mounted now than before, or nothing.
    pub(super) fn changed(&mut self) -> Vec<PathBuf> {
        let Ok(table) = std::fs::read(TABLE) else { return Vec::new() };
        let before = std::mem::replace(&mut self.points, points_in(&table, &self.root));
        let points: BTreeSet<&PathBuf> = before.keys().chain(self.points.keys()).collect();
        let changed = points.into_iter().filter(|point| before.get(*point) != self.points.get(*point));
        let changed: Vec<PathBuf> = changed.cloned().collect();
        self.told.retain(|point| !changed.contains(point));
        changed
    }

    /// The kind of the file system that is mounted here, if it does not tell all changes; and whether this is asked for
    /// the first time.
    pub(super) fn silent(&mut self, at: &Path) -> Option<(String, bool)> {
        let mount = self.points.get(at).filter(|mount| is_silent(&mount.kind))?;
        Some((mount.kind.clone(), self.told.insert(at.to_owned())))
    }
}

/// Reads a table as `proc_pid_mountinfo(5)` describes it: the mount that holds root stands for root itself, and the last
/// one on a point is the one that is seen.
fn points_in(table: &[u8], root: &Path) -> BTreeMap<PathBuf, Mount> {
    let mut holder: Option<(PathBuf, Mount)> = None;
    let mut points = BTreeMap::new();
    for line in table.split(|&byte| byte == b'\n') {
        let Some((point, mount)) = read_line(line) else { continue };
        if root.starts_with(&point) {
            if holder.as_ref().is_none_or(|(known, _)| point.starts_with(known)) {
                holder = Some((point, mount));
            }
        } else if point.starts_with(root) {
            points.insert(point, mount);
        }
    }
    points.extend(holder.map(|(_, mount)| (root.to_owned(), mount)));
    points
}

fn is_silent(kind: &str) -> bool {
    SILENT.contains(&kind) || kind.starts_with("fuse.")
}

fn read_line(line: &[u8]) -> Option<(PathBuf, Mount)> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = fields.next()?.to_vec();
    let point = unescaped(fields.nth(3)?);
    let kind = String::from_utf8_lossy(fields.skip_while(|field| *field != b"-").nth(1)?).into_owned();
    Some((PathBuf::from(OsString::from_vec(point)), Mount { id, kind }))
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut at = 0;
    while at < field.len() {
        let octal = field.get(at + 1..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if field[at] == b'\\' => {
                plain.push(byte);
                at += 4;
            }
            _ => {
                plain.push(field[at]);
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent_in(table: &[u8], root: &Path) -> Vec<(PathBuf, String)> {
        let silent = points_in(table, root).into_iter().filter(|(_, mount)| is_silent(&mount.kind));
        silent.map(|(point, mount)| (point, mount.kind)).collect()
    }

    const TABLE: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        30 22 0:40 / /home/a\\040b rw,nosuid shared:1 master:2 - nfs4 host:/x rw\n\
        31 30 0:41 / /home/a\\040b/p/local rw - tmpfs tmpfs rw\n\
        32 22 0:42 / /srv/p/remote rw - fuse.sshfs host: rw\n";

    #[test]
    fn a_root_on_a_network_file_system_is_silent() {
        let root = Path::new("/home/a b/p");
        assert_eq!(silent_in(TABLE, root), [(root.to_owned(), "nfs4".to_owned())]);
        assert_eq!(silent_in(TABLE, Path::new("/home/a b/p/local")), []);
    }

    #[test]
    fn a_mount_below_root_is_silent_alone() {
        let expected = [(PathBuf::from("/srv/p/remote"), "fuse.sshfs".to_owned())];
        assert_eq!(silent_in(TABLE, Path::new("/srv/p")), expected);
        assert_eq!(silent_in(TABLE, Path::new("/srv/other")), []);
    }

    #[test]
    fn shared_folders_of_containers_virtual_machines_and_windows_are_silent_and_local_ones_are_not() {
        let kinds = [
            ("9p", true),
            ("drvfs", true),
            ("virtiofs", true),
            ("fuse.grpcfuse", true),
            ("fuse", true),
            ("cifs", true),
            ("smb3", true),
            ("nfs", true),
            ("vboxsf", true),
            ("prl_fs", true),
            ("fuse.vmhgfs-fuse", true),
            ("ext4", false),
            ("btrfs", false),
            ("xfs", false),
            ("tmpfs", false),
            ("overlay", false),
            ("zfs", false),
        ];
        for (kind, is_silent) in kinds {
            let table =
                format!("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /mnt/share rw,relatime - {kind} share rw\n");
            assert_eq!(
                silent_in(table.as_bytes(), Path::new("/mnt/share/site")).len(),
                usize::from(is_silent),
                "{kind}"
            );
        }
    }

    #[test]
    fn the_mount_that_was_made_last_on_a_point_is_the_one_that_counts() {
        let table = b"2 1 0:9 / /mnt/share rw - nfs share rw\n3 1 0:9 / /mnt/share rw - ext4 disk rw\n";
        assert_eq!(silent_in(table, Path::new("/mnt/share")), []);
    }
}
