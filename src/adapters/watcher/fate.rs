//! Whether a change of one path would count, and why not: the same rules as the walk's, for one path and without watching.

use super::ignores::{Rules, is_ignored};
use super::own::OwnFiles;
use super::targets::{Cover, Targets};
use devloop_core::names::WatchName;
use devloop_core::plan::Plan;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What a change of a path would be to the watcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not below root.
    Outside,
    /// It is devloop's own.
    Own,
    /// A folder on its way is skipped: git ignores it, or it belongs to version control or is a symlink, and no pattern
    /// names it.
    Skipped {
        /// The folder, relative to root.
        folder: String,
        /// Why, as in `git ignores it`.
        why: &'static str,
    },
    /// No group's `paths` match it.
    Unmatched {
        /// The path, relative to root.
        path: String,
    },
    /// Some groups' `paths` match it, and their `ignore` takes it out.
    Excluded {
        /// The groups.
        groups: Vec<WatchName>,
    },
    /// It counts.
    Counts {
        /// The path, relative to root, as workflows are told of it.
        path: String,
        /// The groups that it counts for; never empty.
        groups: Vec<WatchName>,
    },
}

/// What a change of `path` (absolute) would be. Reads folders' `.gitignore` on its way, and whether they are symlinks.
pub fn fate(plan: &Plan, own: OwnFiles, path: &Path) -> Fate {
    let root = plan.root.canonicalize().unwrap_or_else(|_| plan.root.clone());
    let Some(relative) = below(path, &plan.root).or_else(|| below(path, &root)) else { return Fate::Outside };
    let bytes = relative.as_os_str().as_bytes();
    let is_own = own.below(&root).holds(bytes) || relative.iter().any(|part| part == ".devloop");
    if is_own {
        return Fate::Own;
    }
    let shown = relative.to_string_lossy().into_owned();
    let (matching, counting): (Vec<_>, Vec<_>) = {
        let matching: Vec<_> =
            plan.watches.iter().filter(|(_, group)| group.patterns.iter().any(|it| it.matches(&shown))).collect();
        let counting = matching.iter().filter(|(_, group)| group.matches(&shown)).map(|(name, _)| (*name).clone());
        let counting: Vec<_> = counting.collect();
        (matching.into_iter().map(|(name, _)| name.clone()).collect(), counting)
    };
    if matching.is_empty() {
        return Fate::Unmatched { path: shown };
    }
    if counting.is_empty() {
        return Fate::Excluded { groups: matching };
    }
    match skipped(plan, &root, &relative) {
        Some((folder, why)) => Fate::Skipped { folder, why },
        None => Fate::Counts { path: shown, groups: counting },
    }
}

/// The path relative to a folder, without `.` and `..`.
fn below(path: &Path, root: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
    }
    let relative = clean.strip_prefix(root).ok()?;
    (!relative.as_os_str().is_empty()).then(|| relative.to_owned())
}

/// The first folder on the way that the walk would not enter, and why.
fn skipped(plan: &Plan, root: &Path, relative: &Path) -> Option<(String, &'static str)> {
    let targets = Targets::of(plan);
    let gitignore = plan.watcher.gitignore;
    let mut rules = if gitignore { Rules::above_root(root) } else { None };
    let (mut cover, mut open) = (targets.root(), false);
    let mut folder = PathBuf::new();
    for name in relative.parent()? {
        if gitignore {
            rules = Rules::of_folder(&root.join(&folder), rules);
        }
        folder.push(name);
        let (at, path) = (root.join(&folder), folder.as_os_str().as_bytes());
        let is_link = at.is_symlink();
        let ignored = !open && is_ignored(rules.as_ref(), &at);
        let is_versions = [".git", ".hg", ".jj"].iter().any(|it| OsStr::new(it) == name);
        let why = if is_link {
            "it is a symlink"
        } else if ignored {
            "git ignores it"
        } else {
            "it belongs to version control"
        };
        let above = if is_link { Cover::Way } else { cover };
        let Some(own) = targets.cover(path, above, is_link || ignored || is_versions) else {
            return Some((folder.to_string_lossy().into_owned(), why));
        };
        (cover, open) = (own, open || ignored);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn plan(root: &Path) -> Plan {
        let config = r#"
            root = "."
            [watch.src]
            paths = ["src/", "**/*.css", "build/keep/*.txt"]
            ignore = ["**/*.tmp"]
            [watch.page]
            paths = ["index.html", "style.css"]
            workflow = "src"
            [workflow.src]
            steps = []
        "#;
        let place = devloop_config::Place { folder: root.to_owned() };
        devloop_config::load(config, &place).plan.unwrap()
    }

    #[test]
    fn every_path_has_the_fate_that_the_walk_gives_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir_all(root.join("src")).unwrap();
        fs::create_dir_all(root.join("build/keep")).unwrap();
        fs::write(root.join(".gitignore"), "build/\nnode_modules/\n").unwrap();
        std::os::unix::fs::symlink(root.join("src"), root.join("linked")).unwrap();
        let plan = plan(&root);
        let fate = |path: &str| fate(&plan, OwnFiles::of_state_file(&plan.state_file), &root.join(path));
        let counts = |path: &str, groups: &[&str]| Fate::Counts {
            path: path.to_owned(),
            groups: groups.iter().map(|&name| WatchName::from(name)).collect(),
        };
        assert_eq!(fate("src/deep/a.rs"), counts("src/deep/a.rs", &["src"]));
        assert_eq!(fate("./x/../style.css"), counts("style.css", &["page", "src"]));
        assert_eq!(fate("build/keep/a.txt"), counts("build/keep/a.txt", &["src"]));
        assert_eq!(fate("src/a.tmp"), Fate::Excluded { groups: vec!["src".into()] });
        assert_eq!(fate("README"), Fate::Unmatched { path: "README".to_owned() });
        let skipped = |folder: &str, why| Fate::Skipped { folder: folder.to_owned(), why };
        assert_eq!(fate("node_modules/a/b.css"), skipped("node_modules", "git ignores it"));
        assert_eq!(fate(".git/a.css"), skipped(".git", "it belongs to version control"));
        assert_eq!(fate("linked/a.css"), skipped("linked", "it is a symlink"));
        assert_eq!(fate(".devloop/a.css"), Fate::Own);
        assert_eq!(fate("../other/a.css"), Fate::Outside);
        assert_eq!(fate(""), Fate::Outside);
    }
}
