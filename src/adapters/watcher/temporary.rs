//! Which names programs use for a moment while they save: pure, from the names alone.
//!
//! A wrong guess costs a few milliseconds and no change: what looks temporary is waited for a little longer.

use super::stamps::Files;

/// Endings of names that hold a file only until it is renamed, or its old content until the new one is there.
const ENDINGS: [&[u8]; 12] =
    [b"~", b"#", b".tmp", b".temp", b".bak", b".old", b".orig", b".new", b".part", b".swp", b".swx", b".crswap"];

/// Beginnings of such names: locks and copies of emacs, `GLib` and network file systems.
const BEGINNINGS: [&[u8]; 6] = [b".#", b"#", b"~", b".~", b".goutputstream-", b".nfs"];

/// Whether a name that appears beside these files, or goes, is one that programs use while they save.
pub(super) fn is_temporary(name: &[u8], beside: Option<&Files>) -> bool {
    ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || contains(name, b"___jb_")
        || contains(name, b".tmp.")
        // Vim tries whether it can create files with `4913` and numbers after it.
        || name.iter().all(u8::is_ascii_digit)
        // `sed -i` and mkstemp(3).
        || name.strip_prefix(b"sed").is_some_and(is_random)
        || beside.is_some_and(|files| extends(name, files))
}

fn contains(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window == part)
}

/// Six letters or digits, as mkstemp(3) makes them.
fn is_random(part: &[u8]) -> bool {
    part.len() == 6 && part.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether a name is that of another file with something behind it, perhaps hidden: `.page.html.x7Ga2c`.
fn extends(name: &[u8], files: &Files) -> bool {
    let visible = name.strip_prefix(b".").unwrap_or(name);
    let is_end = |&at: &usize| matches!(visible[at], b'.' | b'~' | b'_' | b'-' | b'#' | b',');
    (1..visible.len()).filter(is_end).any(|at| files.get(&visible[..at]).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::stamps::Stamp;
    use super::*;

    #[test]
    fn names_that_programs_use_while_they_save_are_known() {
        let mut files = Files::default();
        files.set(b"page.html", Stamp::UNKNOWN);
        for name in [
            "page.html~",
            "#page.html#",
            ".#page.html",
            "4913",
            "sedAb12Cd",
            "page.html___jb_tmp___",
            "x.tmp",
            ".page.html.swp",
            "page.html.tmp123",
            ".page.html.x7Ga2c",
            ".goutputstream-4KX1Z2",
            "a.tmp.4711.1f",
        ] {
            assert!(is_temporary(name.as_bytes(), Some(&files)), "{name}");
        }
        for name in ["page.html", "page2.html", "index.html", "sed.rs", "Makefile", ".env", "a-b", "tmp", "3d.obj"] {
            assert!(!is_temporary(name.as_bytes(), Some(&files)), "{name}");
        }
    }
}
