//! Whether other users could replace the state file: through its folder, or through a link that leads there.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More links than that are a loop (`path_resolution(7)`).
const LINKS_MAX: u32 = 40;

const STICKY: u32 = 0o1000;

/// A warning: others can write where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OthersCanWrite {
    /// The folder, or the link that is kept in a folder that others can write to.
    pub path: PathBuf,
    /// Whether it is the link.
    pub is_link: bool,
}

impl OthersCanWrite {
    /// What to do about it.
    pub fn hint(&self) -> String {
        if self.is_link {
            "set `state_file` to a path that only you can change".to_owned()
        } else {
            format!("run `chmod go-w '{}'`, or set `state_file` to a path in a folder of your own", self.path.display())
        }
    }
}

impl fmt::Display for OthersCanWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.is_link {
            write!(f, "the link '{path}' on the way to the state file can be replaced by other users")
        } else {
            write!(f, "the folder of the state file '{path}' can be written by other users")
        }
    }
}

/// The first place where others could interfere.
pub(super) fn find_others(folder: &Path) -> Option<OthersCanWrite> {
    if std::fs::metadata(folder).is_ok_and(|found| is_open(&found)) {
        return Some(OthersCanWrite { path: folder.to_owned(), is_link: false });
    }
    find_link(folder, LINKS_MAX).map(|path| OthersCanWrite { path, is_link: true })
}

fn find_link(path: &Path, links_left: u32) -> Option<PathBuf> {
    let links_left = links_left.checked_sub(1)?;
    for place in path.ancestors().filter(|place| !place.as_os_str().is_empty()) {
        let Ok(link) = std::fs::symlink_metadata(place) else { continue };
        if !link.is_symlink() {
            continue;
        }
        let above = place.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let can_be_replaced = std::fs::metadata(above)
            .is_ok_and(|above| is_open(&above) && !(above.mode() & STICKY != 0 && is_trusted(link.uid())));
        if can_be_replaced {
            return Some(place.to_owned());
        }
        let further = std::fs::read_link(place).ok().and_then(|target| find_link(&above.join(target), links_left));
        if further.is_some() {
            return further;
        }
    }
    None
}

/// Others may write, or it belongs to somebody else. A group of the owner's own number is the owner alone, as most
/// systems set it up.
fn is_open(found: &Metadata) -> bool {
    let for_all = found.mode() & 0o002 != 0;
    let for_group = found.mode() & 0o020 != 0 && found.gid() != found.uid();
    for_all || for_group || !is_trusted(found.uid())
}

fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}
