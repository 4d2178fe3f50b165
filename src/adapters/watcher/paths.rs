//! Paths relative to root, as bytes: their parts and joins.

/// The folder of a path.
pub(super) fn parent_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(b"", |at| &path[..at])
}

/// The last part of a path.
pub(super) fn name_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(path, |at| &path[at + 1..])
}

/// A name in a folder.
pub(super) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(folder.len() + 1 + name.len());
    join_into(&mut whole, folder, name);
    whole
}

/// The same, into memory that is there.
pub(super) fn join_into(whole: &mut Vec<u8>, folder: &[u8], name: &[u8]) {
    whole.clear();
    whole.extend_from_slice(folder);
    if !folder.is_empty() {
        whole.push(b'/');
    }
    whole.extend_from_slice(name);
}
