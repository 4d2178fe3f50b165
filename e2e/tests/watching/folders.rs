//! Folders that come, go, move, or are links.

use crate::{is_told, recording_src};
use e2e::disk::Disk;
use e2e::recording::files_of;
use e2e::session::Session;
use e2e::{Project, programs, wait};
use std::fs;
use std::os::unix::fs::symlink;

// promise: watch.change.3
#[test]
fn w4_a_file_that_appears_together_with_its_new_nested_folder_is_seen() {
    let project = recording_src("debounce_ms = 20");
    let mut session = project.run_watching();
    for number in 0..30 {
        let before = project.runs().len();
        let file = format!("src/n{number}/b/c/f");
        project.file(&file, "new");
        project.wait_for_runs(before + 1);
        let runs = project.runs_of_all();
        assert!(is_told(&runs[before..], &file), "{number}: {:?}", &runs[before..]);
    }
    assert!(session.stop().success());
}

// promise: watch.pattern.2
#[test]
fn w4_a_watched_folder_may_be_made_later_and_deep() {
    let project = Project::new(programs!());
    project.record(&["src"], "debounce_ms = 0\n[watch.src]\npaths = [\"a/b/src/\", \"made/later.txt\"]\n");
    let mut session = project.run_watching();
    project.file("a/b/src/deep/er/file", "x");
    assert!(is_told(&project.runs_of_all(), "a/b/src/deep/er/file"));
    project.file("made/later.txt", "x").file("made/other.txt", "x");
    let runs = project.runs_of_all();
    assert_eq!(files_of(&runs), ["a/b/src/deep", "a/b/src/deep/er", "a/b/src/deep/er/file", "made/later.txt"]);
    assert!(session.stop().success());
}

// promise: watch.change.4
#[test]
fn w3_a_folder_that_is_deleted_and_made_again_is_still_watched() {
    let project = recording_src("debounce_ms = 0");
    let mut session = project.run_watching();
    for round in 0..20 {
        fs::remove_dir_all(project.path("src")).unwrap();
        for new in [format!("made again {round}"), format!("saved {round}")] {
            project.file("src/file", &new);
            wait::until(&format!("a run sees '{new}'"), || {
                project.runs().iter().any(|run| run.content == new).then_some(())
            });
        }
    }
    assert!(is_told(&project.runs_of_all(), "src/file"));
    assert!(session.stop().success());
}

#[test]
fn w3_a_folder_that_is_moved_away_and_back_is_still_watched() {
    let project = recording_src("debounce_ms = 0");
    let mut session = project.run_watching();
    for round in 0..10 {
        fs::rename(project.path("src"), project.path("away")).unwrap();
        let before = project.runs_of_all().len();
        project.file("away/file", "not seen");
        assert_eq!(project.runs_of_all().len(), before, "{round}");
        fs::rename(project.path("away"), project.path("src")).unwrap();
        let new = round.to_string();
        project.file("src/file", &new);
        wait::until(&format!("a run sees {new}"), || project.runs().iter().any(|run| run.content == new).then_some(()));
    }
    assert!(session.stop().success());
}

#[test]
fn a_root_that_is_a_symbolic_link_is_watched() {
    let project = Project::new(programs!());
    project.file("real/src/file", "old");
    symlink("real", project.path("linked")).unwrap();
    project.record(&["src"], "root = \"linked\"\ndebounce_ms = 0\n[watch.src]\npaths = [\"src/\"]\n");
    let mut session = project.run_watching();
    project.file("real/src/file", "new");
    let runs = wait::file(&project.path("real/runs"), |text| text.contains("\"src/file\""));
    assert!(runs.contains("\tnew"), "{runs}");
    assert!(session.stop().success());
}

#[test]
fn a_link_that_a_pattern_names_is_followed_and_others_are_not() {
    let project = Project::new(programs!());
    project.file("elsewhere/file", "x").file("src/file", "x");
    symlink("../elsewhere", project.path("src/link")).unwrap();
    symlink("elsewhere", project.path("named")).unwrap();
    symlink(".", project.path("src/loop")).unwrap();
    symlink("nowhere", project.path("src/dangling")).unwrap();
    project.record(&["src"], "debounce_ms = 0\n[watch.src]\npaths = [\"src/\", \"named/\"]\n");
    let mut session = project.run_watching();
    project.file("elsewhere/file", "y");
    assert_eq!(files_of(&project.runs_of_all()), ["named/file"]);
    assert!(session.stop().success());
}

#[test]
fn a_pipe_and_a_socket_in_the_tree_hold_nothing_up() {
    let project = recording_src("debounce_ms = 0");
    assert!(std::process::Command::new("mkfifo").arg(project.path("src/pipe")).status().unwrap().success());
    let socket = std::os::unix::net::UnixListener::bind(project.path("src/socket")).unwrap();
    let mut session = project.run_watching();
    assert!(std::process::Command::new("mkfifo").arg(project.path("src/pipe2")).status().unwrap().success());
    project.file("src/file", "new");
    let runs = project.runs_of_all();
    assert!(is_told(&runs, "src/file"), "{runs:?}");
    assert!(session.stop().success());
    drop(socket);
}

#[test]
fn a_root_that_is_removed_and_made_again_is_told_and_watched() {
    let project = Project::new(programs!());
    project.file("tree/src/file", "old").file("away/x", "");
    project.record(&["src"], "root = \"tree\"\ndebounce_ms = 20\n[watch.src]\npaths = [\"src/\"]\n");
    let mut session = project.run_watching();
    for round in 1..=3 {
        project.file("tree/src/file", &format!("before {round}"));
        wait::file(&project.path("tree/runs"), |text| text.contains(&format!("before {round}")));
        fs::remove_dir_all(project.path("tree")).unwrap();
        session.wait_for_count("was moved or removed", round);
        project.file("tree/src/file", &format!("again {round}"));
        wait::file(&project.path("tree/runs"), |text| text.contains(&format!("again {round}")));
        session.wait_for_count("is back", round);
    }
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn w3_a_root_that_is_moved_away_and_back_is_told_and_watched() {
    let project = Project::new(programs!());
    project.file("tree/src/file", "old");
    project.record(&["src"], "root = \"tree\"\ndebounce_ms = 20\n[watch.src]\npaths = [\"src/\"]\n");
    let mut session = project.run_watching();
    for round in 1..=3 {
        fs::rename(project.path("tree"), project.path("away")).unwrap();
        session.wait_for_count("was moved or removed", round);
        let new = format!("while it was away {round}");
        project.file("away/src/file", &new);
        fs::rename(project.path("away"), project.path("tree")).unwrap();
        wait::file(&project.path("tree/runs"), |text| text.contains(&new));
    }
    assert!(session.stop().success(), "{}", session.told());
}

// promise: watch.change.7
#[test]
fn what_is_mounted_while_a_session_lasts_is_watched_and_so_is_what_it_hid() {
    let project = recording_src("");
    project.file("src/disk/x", "");
    let Some(mut disk) = Disk::mount(&project.path("src/disk"), "1m") else {
        assert!(std::env::var_os("CI").is_none(), "the continuous run has mount namespaces");
        return;
    };
    let inside = |file: &str, text: &str| fs::write(disk.seen(&project.path(file)), text).unwrap();
    inside("src/disk/below", "old");
    let mut session = Session::start(disk.command(&project.command(&["run"])));
    session.wait_for("watching ");
    inside("src/disk/below", "new");
    let told = |file: &str, count: usize| {
        wait::until(&format!("{file} is told {count} times"), || {
            let runs = project.runs_of_all();
            (runs.iter().filter(|run| run.files.iter().any(|told| told == file)).count() >= count).then_some(())
        });
    };
    told("src/disk/below", 1);
    let order = |disk: &mut Disk, script: &str| assert!(disk.run(script), "{script}");
    let point = project.path("src/disk").display().to_string();
    order(&mut disk, &format!("mount -t tmpfs -o size=1m tmpfs '{point}'"));
    told("src/disk/below", 2);
    order(&mut disk, &format!("echo new > '{point}/above'"));
    told("src/disk/above", 1);
    order(&mut disk, &format!("umount '{point}'"));
    told("src/disk/above", 2);
    told("src/disk/below", 3);
    order(&mut disk, &format!("echo newer > '{point}/below'"));
    told("src/disk/below", 4);
    assert!(session.stop().success(), "{}", session.told());
}
