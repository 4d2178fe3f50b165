//! File systems that do not tell all changes: others can write to them behind this machine's back.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Kinds of file systems on which inotify hears only what this machine does itself (inotify(7), "Limitations").
const SILENT: [&str; 14] = [
    "9p", "afs", "ceph", "cifs", "drvfs", "fuse", "fuseblk", "ncpfs", "nfs", "nfs4", "prl_fs", "smb3", "vboxsf",
    "virtiofs",
];

/// The silent mount points at or below root and the one that holds root, with their kind, in order.
pub(super) fn silent_below(root: &Path) -> Vec<(PathBuf, String)> {
    match std::fs::read("/proc/self/mountinfo") {
        Ok(table) => silent_in(&table, root),
        Err(_) => Vec::new(),
    }
}

/// Reads a table as `proc_pid_mountinfo(5)` describes it; the last mount on a point is the one that is seen.
fn silent_in(table: &[u8], root: &Path) -> Vec<(PathBuf, String)> {
    let mut holder = None;
    let mut below = std::collections::BTreeMap::new();
    for line in table.split(|&byte| byte == b'\n') {
        let Some((point, kind)) = read_line(line) else { continue };
        if root.starts_with(&point) {
            let longest = holder.as_ref().is_none_or(|(known, _): &(PathBuf, String)| point.starts_with(known));
            if longest {
                holder = Some((point, kind));
            }
        } else if point.starts_with(root) {
            below.insert(point, kind);
        }
    }
    let holder = holder.map(|(_, kind)| (root.to_owned(), kind));
    holder.into_iter().chain(below).filter(|(_, kind)| is_silent(kind)).collect()
}

fn is_silent(kind: &str) -> bool {
    SILENT.contains(&kind) || kind.starts_with("fuse.")
}

fn read_line(line: &[u8]) -> Option<(PathBuf, String)> {
    let mut fields = line.split(|&byte| byte == b' ');
    let point = unescaped(fields.nth(4)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some((PathBuf::from(OsString::from_vec(point)), String::from_utf8_lossy(kind).into_owned()))
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
