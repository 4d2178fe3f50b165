//! Which folders git ignores.
//!
//! Rules are read from `.gitignore` files inside root as the walk meets them, and once from what stands above: the
//! user's global excludes, `.git/info/exclude`, and `.gitignore` files between the repository's top and root. Rules
//! from above that would hide root itself are dropped as a whole, because whoever watches root wants it seen.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rules that hold in a folder: those of its own `.gitignore`, then those of the folders above.
#[derive(Debug)]
pub(super) struct Rules {
    own: Gitignore,
    above: Option<Arc<Rules>>,
}

impl Rules {
    /// The rules from above a root (absolute, without symlinks), the most general last.
    pub(super) fn above_root(root: &Path) -> Option<Arc<Self>> {
        let top = root.ancestors().find(|folder| folder.join(".git").exists());
        let (global, _) = GitignoreBuilder::new(top.unwrap_or(root)).build_global();
        let mut rules = Self::wrap(global, None);
        let Some(top) = top else { return rules };
        rules = Self::read(top, &top.join(".git/info/exclude"), rules);
        let mut between: Vec<&Path> = root.ancestors().skip(1).take_while(|folder| folder.starts_with(top)).collect();
        between.reverse();
        for folder in between {
            rules = Self::read(folder, &folder.join(".gitignore"), rules);
        }
        let on_the_way = root.ancestors().take_while(|folder| folder.starts_with(top) && *folder != top);
        let hides_root = on_the_way.into_iter().any(|folder| is_ignored(rules.as_ref(), folder));
        if hides_root { None } else { rules }
    }

    /// The rules of a folder that has a `.gitignore`, above them those of its parent.
    pub(super) fn of_folder(folder: &Path, above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        Self::read(folder, &folder.join(".gitignore"), above)
    }

    /// Lines that cannot be read as rules are left out, as git does.
    fn read(folder: &Path, file: &PathBuf, above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        if !file.is_file() {
            return above;
        }
        let mut builder = GitignoreBuilder::new(folder);
        builder.add(file);
        match builder.build() {
            Ok(own) => Self::wrap(own, above),
            Err(_) => above,
        }
    }

    fn wrap(own: Gitignore, above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        if own.is_empty() { above } else { Some(Arc::new(Self { own, above })) }
    }
}

/// Whether the rules name this folder (absolute) itself; the nearest rule decides.
pub(super) fn is_ignored(rules: Option<&Arc<Rules>>, folder: &Path) -> bool {
    let mut next = rules;
    while let Some(rules) = next {
        match rules.own.matched(folder, true) {
            Match::None => next = rules.above.as_ref(),
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_rule_decides_and_rules_above_never_hide_root() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let root = top.join("site");
        fs::create_dir_all(top.join(".git/info")).unwrap();
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(top.join(".gitignore"), "out/\n").unwrap();
        fs::write(top.join(".git/info/exclude"), "private/\n").unwrap();
        fs::write(root.join("sub/.gitignore"), "!out/\n").unwrap();

        let above = Rules::above_root(&root);
        assert!(is_ignored(above.as_ref(), &root.join("out")));
        assert!(is_ignored(above.as_ref(), &root.join("private")));
        assert!(!is_ignored(above.as_ref(), &root.join("src")));
        let sub = Rules::of_folder(&root.join("sub"), above);
        assert!(!is_ignored(sub.as_ref(), &root.join("sub/out")));

        fs::write(top.join(".gitignore"), "*\n").unwrap();
        assert!(!is_ignored(Rules::above_root(&root).as_ref(), &root.join("out")));
    }
}
