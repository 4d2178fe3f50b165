//! Folders that come, go, move, and are left out.

use super::*;

#[test]
fn files_that_come_with_new_folders_are_all_seen() {
    let mut stage = Stage::new(&["src/"]);
    stage.folder("src");
    stage = stage.watched();
    let paths: Vec<String> = (0..500).map(|number| format!("src/d{number}/e/f/file")).collect();
    for path in &paths {
        stage.file(path, "x");
    }
    stage.until_settled(&paths.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_target_that_does_not_exist_yet_is_seen_when_it_comes() {
    let mut stage = Stage::new(&["a/b/c/", "x/y/z.toml"]).watched();
    stage.sh("mkdir -p a/b/c && echo > a/b/c/f; mkdir -p x/y && echo > x/y/other && echo > x/y/z.toml");
    stage.until_settled(&["a/b/c/f", "x/y/z.toml"]);
    stage.sh("echo 2 > a/b/c/f");
    let seen = stage.until_settled(&["a/b/c/f"]);
    assert!(seen.iter().all(|touch| touch.path.as_ref() != "x/y/other"));
}

#[test]
fn a_watched_folder_that_is_removed_and_made_again_is_seen() {
    let mut stage = Stage::new(&["a/b/"]);
    stage.file("a/b/f", "0");
    stage = stage.watched();
    for round in 1..=100 {
        stage.sh(if round % 2 == 0 { "rm -rf a" } else { "rm -rf a/b" });
        stage.file("a/b/f", &round.to_string());
        let name = format!("a/b/f{round}");
        stage.file(&name, "x");
        stage.until_settled(&["a/b/f", &name]);
    }
}

#[test]
fn a_folder_that_is_renamed_away_and_back_is_seen() {
    let mut stage = Stage::new(&["a/**/*.md"]);
    stage.file("a/b/f.md", "0").file("a/b/g.txt", "0");
    stage = stage.watched();
    for _ in 0..20 {
        stage.sh("mv a/b elsewhere");
        stage.until_settled(&["a/b/f.md"]);
        stage.sh("echo changed > elsewhere/h.md; mv elsewhere a/b");
        stage.until_settled(&["a/b/f.md", "a/b/h.md"]);
        stage.sh("mv a/b a/c");
        stage.until_settled(&["a/b/f.md", "a/c/f.md"]);
        stage.sh("echo again > a/c/f.md");
        stage.until_settled(&["a/c/f.md"]);
        stage.sh("mv a/c a/b");
        stage.until_settled(&["a/b/f.md", "a/c/f.md", "a/b/h.md"]);
        stage.sh("rm a/b/h.md");
        stage.until_settled(&["a/b/h.md"]);
    }
}

#[test]
fn a_file_pattern_sees_its_file_alone() {
    let mut stage = Stage::new(&["app.toml", "conf/x.yml"]);
    stage.file("conf/y.yml", "y");
    stage = stage.watched();
    let lines = [(stage.root.display().to_string(), false), (stage.at("conf").display().to_string(), false)];
    assert_eq!(stage.lines, lines);
    stage.sh("echo > other.toml; echo > conf/y.yml; mkdir -p deep/er; echo > deep/er/app.toml; echo > app.toml");
    stage.until_settled(&["app.toml"]);
    assert_eq!(stage.touched_before_marker("conf/x.yml"), BTreeSet::new());
}

#[test]
fn only_folders_that_can_hold_a_match_are_watched() {
    let mut stage = Stage::new(&["src/", "conf/app.toml"]);
    stage.folder("src/one/two").folder("conf/deep").folder("target/a/b/c").folder("docs/a");
    stage = stage.watched();
    // Root and the folder that holds it, `src` with two below it, and `conf`.
    assert_eq!(watches_of(&stage.root), 6);
    assert_eq!(stage.lines.len(), 2);
}

#[test]
fn folders_that_git_ignores_are_skipped_unless_a_pattern_names_them() {
    let mut stage = Stage::new(&["**/*.txt", "build/out/*.txt"]);
    stage.file(".gitignore", "/build/\nnode_modules/\n").file("sub/.gitignore", "/cache/\n");
    stage.folder("build/out/deep").folder("build/other").folder("node_modules/x").folder("sub/cache").folder(".git/x");
    stage = stage.watched();
    stage.sh("echo > node_modules/x/a.txt; echo > sub/cache/b.txt; echo > build/other/c.txt; echo > .git/x/d.txt");
    stage.sh("mkdir -p sub/node_modules/y; echo > sub/node_modules/y/e.txt");
    stage.sh("echo > build/out/f.txt; echo > build/out/deep/g.txt; echo > sub/h.txt");
    let seen = stage.until_settled(&["build/out/f.txt", "build/out/deep/g.txt", "sub/h.txt"]);
    assert!(seen.iter().all(|touch| touch.path.as_ref() > "build/o" && !touch.path.contains("node_modules")));
    assert_eq!(stage.touched_before_marker("marker.txt"), BTreeSet::new());
}

#[test]
fn git_rules_can_be_turned_off() {
    let mut stage = Stage::new(&["**/*.txt"]);
    stage.plan.watcher.gitignore = false;
    stage.file(".gitignore", "out/\n").folder("out");
    stage = stage.watched();
    stage.sh("echo > out/a.txt");
    stage.until_settled(&["out/a.txt"]);
}

#[test]
fn changed_git_rules_hold_at_once() {
    let mut stage = Stage::new(&["**/*.txt"]);
    stage.file(".gitignore", "out/\n").file("out/old.txt", "").folder("in");
    stage = stage.watched();
    stage.sh("echo in/ > .gitignore");
    let deadline = Instant::now() + DEADLINE;
    // Nothing tells when the rules hold but that a change is seen.
    let seen = loop {
        stage.sh("echo x >> out/a.txt");
        if let Ok(Heard::Touched(touches)) = stage.heard.recv_timeout(Duration::from_millis(100)) {
            break touches;
        }
        assert!(Instant::now() < deadline);
    };
    assert!(seen.iter().all(|touch| touch.path.as_ref() == "out/a.txt"), "{seen:?}");
    stage.sh("echo > in/b.txt");
    assert!(!stage.touched_before_marker("marker.txt").contains("in/b.txt"));
}

#[test]
fn symlinked_folders_are_followed_where_a_pattern_names_them() {
    let mut stage = Stage::new(&["current/", "all/"]);
    stage.folder("releases/1").folder("releases/2").folder("all");
    stage.sh("ln -s releases/1 current; ln -s ../releases all/link");
    stage = stage.watched();
    stage.sh("echo > releases/1/a");
    let seen = stage.until_settled(&["current/a"]);
    assert!(seen.iter().all(|touch| touch.path.as_ref() == "current/a"), "{seen:?}");
    stage.sh("echo > releases/2/b; ln -sfn releases/2 current");
    stage.until_settled(&["current/a", "current/b"]);
    stage.sh("echo > releases/2/c; echo > releases/1/d");
    let seen = stage.until_settled(&["current/c"]);
    assert!(seen.iter().all(|touch| touch.path.as_ref() == "current/c"), "{seen:?}");
}

#[test]
fn two_paths_to_one_folder_are_both_seen() {
    let mut stage = Stage::new(&["current/", "releases/"]);
    stage.folder("releases/1");
    stage.sh("ln -s releases/1 current");
    stage = stage.watched();
    stage.sh("echo > releases/1/a");
    stage.until_settled(&["current/a", "releases/1/a"]);
    stage.sh("rm current; echo > releases/1/b");
    stage.until_settled(&["releases/1/b"]);
}

#[test]
fn a_symlinked_root_is_seen_under_its_own_names() {
    let mut stage = Stage::new(&["src/"]);
    stage.folder("src");
    stage.plan.root = stage.root.with_file_name("link");
    std::os::unix::fs::symlink(&stage.root, &stage.plan.root).unwrap();
    stage = stage.watched();
    stage.sh("echo > src/a");
    stage.until_settled(&["src/a"]);
}
