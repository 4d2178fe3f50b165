//! What a folder holds, in a form that a child and a test can compare.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// Paths of all files below a folder, relative to it, each with a hash of its content.
pub type Tree = BTreeMap<String, u64>;

/// What is below a folder at this moment. Files that go away meanwhile are left out.
pub fn of(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(folder, "", &mut tree);
    tree
}

fn collect(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), &format!("{path}/"), tree);
        } else if let Ok(content) = std::fs::read(entry.path()) {
            tree.insert(path, hash(&content));
        }
    }
}

/// One number for all of a tree.
pub fn sum(tree: &Tree) -> u64 {
    hash(tree)
}

/// Paths that are in only one of two trees, or have other contents there.
pub fn differences<'a>(before: &'a Tree, after: &'a Tree) -> Vec<&'a str> {
    let mut paths: Vec<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.retain(|path| before.get(*path) != after.get(*path));
    paths
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    // Without a random key: two programs have to agree.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
