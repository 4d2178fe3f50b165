//! Every way in which a file is saved, and what is no save.

use super::*;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

fn saved(script: &str) {
    let mut stage = Stage::new(&["src/*.txt"]);
    stage.file("src/a.txt", "old");
    stage = stage.watched();
    stage.sh(script);
    let seen = stage.until_settled(&["src/a.txt"]);
    assert!(seen.iter().all(|touch| touch.path.ends_with(".txt")), "{seen:?}");
}

#[test]
fn a_save_by_truncating_and_writing_is_seen() {
    saved("printf new > src/a.txt");
}

#[test]
fn a_save_by_renaming_over_is_seen() {
    saved("printf new > src/a.tmp; mv src/a.tmp src/a.txt");
}

#[test]
fn a_save_with_a_backup_is_seen() {
    saved("mv src/a.txt src/a.txt~; printf new > src/a.txt; rm src/a.txt~");
}

#[test]
fn a_save_by_removing_and_creating_is_seen() {
    saved("rm src/a.txt; printf new > src/a.txt");
}

#[test]
fn a_save_by_swapping_hard_links_is_seen() {
    saved("printf new > src/b; ln -f src/b src/a.txt");
}

#[test]
fn a_save_by_a_stream_editor_is_seen() {
    saved("sed -i s/old/new/ src/a.txt");
}

#[test]
fn a_removal_and_a_rename_away_are_seen() {
    saved("rm src/a.txt");
    saved("mv src/a.txt src/a.gone");
}

#[test]
fn a_symlink_and_an_empty_file_are_seen() {
    saved("rm src/a.txt; ln -s nowhere src/a.txt");
    saved(": > src/a.txt");
}

#[test]
fn a_new_modification_time_is_seen_also_when_it_is_old() {
    saved("touch src/a.txt");
    saved("touch -d '2001-02-03 04:05:06' src/a.txt");
}

#[test]
fn a_file_linked_into_place_from_nowhere_is_seen() {
    let mut stage = Stage::new(&["src/"]);
    stage.folder("src");
    stage = stage.watched();
    let unnamed = OpenOptions::new()
        .write(true)
        .custom_flags(rustix::fs::OFlags::TMPFILE.bits().cast_signed())
        .open(stage.at("src"))
        .unwrap();
    (&unnamed).write_all(b"whole").unwrap();
    let source = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&unnamed));
    let flags = rustix::fs::AtFlags::SYMLINK_FOLLOW;
    rustix::fs::linkat(rustix::fs::CWD, source, rustix::fs::CWD, stage.at("src/a"), flags).unwrap();
    drop(unnamed);
    stage.until_settled(&["src/a"]);
}

#[test]
fn a_file_is_being_written_until_it_is_closed() {
    let mut stage = Stage::new(&["src/"]);
    stage.folder("src");
    stage = stage.watched();
    let mut file = fs::File::create(stage.at("src/a")).unwrap();
    file.write_all(b"half").unwrap();
    file.flush().unwrap();
    let Heard::Touched(touches) = stage.heard.recv_timeout(DEADLINE).unwrap() else { panic!("no touch") };
    assert_eq!(touches, [Touch { path: "src/a".into(), kind: TouchKind::Writing }]);
    let before: Vec<Heard> = std::iter::from_fn(|| stage.heard.recv_timeout(Duration::from_millis(30)).ok()).collect();
    let writing = |heard: &Heard| matches!(heard, Heard::Touched(all) if all[0].kind == TouchKind::Writing);
    assert!(before.iter().all(writing), "{before:?}");
    drop(file);
    let seen = stage.until_settled(&["src/a"]);
    assert_eq!(seen.last().unwrap().kind, TouchKind::Settled);
}

#[test]
fn reading_and_changing_modes_run_nothing() {
    let mut stage = Stage::new(&["src/"]);
    stage.file("src/a", "one").file("src/b", "two");
    stage = stage.watched();
    stage.sh("cat src/a src/b > /dev/null; ls -l src > /dev/null; chmod 600 src/a; touch -a src/b; : >> src/b");
    assert_eq!(stage.touched_before_marker("src/marker"), BTreeSet::new());
    // The same for a file that has just been saved.
    stage.file("src/a", "new");
    stage.until_settled(&["src/a"]);
    assert_eq!(stage.touched_before_marker("src/marker2"), BTreeSet::new());
    stage.sh("chmod 644 src/a");
    assert_eq!(stage.touched_before_marker("src/marker3"), BTreeSet::new());
}

// promise: watch.change.2
#[test]
fn a_new_owner_runs_nothing() {
    let mut stage = Stage::new(&["src/"]);
    stage.file("src/a", "one");
    stage = stage.watched();
    // To itself where it may not be given away: the system tells of both in the same way.
    stage.sh("chown 1:1 src/a 2> /dev/null || chown \"$(id -u):$(id -g)\" src/a");
    assert_eq!(stage.touched_before_marker("src/marker"), BTreeSet::new());
}

#[test]
fn own_files_never_count() {
    let mut stage = Stage::new(&[""]);
    stage.plan.state_file = stage.at("run/state.json");
    stage.folder("run");
    stage = stage.watched();
    stage.sh(
        "mkdir -p .devloop/deep sub/.devloop run/logs run/artifacts/x; echo > .devloop/deep/a; echo > sub/.devloop/b
         echo > run/.state.json.tmp-12-3; mv run/.state.json.tmp-12-3 run/state.json; echo > run/state.json.lock
         echo > run/logs/session.log; echo > run/artifacts/x/y; echo > run/events.jsonl; echo > run/events.jsonl.1",
    );
    assert_eq!(stage.touched_before_marker("marker"), BTreeSet::from(["sub".to_owned()]));
}

#[test]
fn names_that_are_no_text_are_seen() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let mut stage = Stage::new(&["src/"]);
    stage.folder("src");
    stage = stage.watched();
    let long = "x".repeat(255);
    fs::write(stage.at("src").join(OsStr::from_bytes(b"a\xffb\n\x1b'\"")), "x").unwrap();
    fs::write(stage.at("src").join(&long), "x").unwrap();
    stage.until_settled(&["src/a\u{fffd}b\n\u{1b}'\"", &format!("src/{long}")]);
}

#[test]
fn pipes_sockets_and_links_in_circles_hold_nothing_up() {
    let mut stage = Stage::new(&["src/"]);
    stage.file("src/a", "x").folder("outside");
    stage.sh("mkfifo src/pipe; ln -s . src/loop; ln -s ../outside src/out; ln -s nowhere src/dangling");
    let _socket = std::os::unix::net::UnixListener::bind(stage.at("src/socket")).unwrap();
    stage = stage.watched();
    stage.sh("mkfifo src/pipe2; echo > outside/b; mkdir src/new; ln -s .. src/new/loop; mkfifo src/new/pipe");
    let seen = stage.touched_before_marker("src/marker");
    assert_eq!(seen, BTreeSet::from(["src/new".to_owned(), "src/new/loop".to_owned()]));
}
