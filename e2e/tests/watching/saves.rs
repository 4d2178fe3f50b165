//! The ways in which programs save a file.

use crate::recording_src;
use e2e::Project;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::Path;

/// Saves `new` into a file that exists.
pub(crate) type Save = fn(&Path, &str);

pub(crate) const SAVES: &[(&str, Save)] = &[
    ("truncating and writing", |file, new| fs::write(file, new).unwrap()),
    ("writing in two parts", |file, new| {
        let mut open = File::create(file).unwrap();
        let (first, second) = new.split_at(new.len() / 2);
        open.write_all(first.as_bytes()).unwrap();
        open.write_all(second.as_bytes()).unwrap();
    }),
    ("a rename over it", |file, new| {
        let temporary = file.with_file_name("file.tmp123");
        fs::write(&temporary, new).unwrap();
        fs::rename(temporary, file).unwrap();
    }),
    ("a rename from another folder", |file, new| {
        let temporary = file.parent().unwrap().parent().unwrap().join("elsewhere");
        fs::write(&temporary, new).unwrap();
        fs::rename(temporary, file).unwrap();
    }),
    ("a backup and a new file, as vim does it", |file, new| {
        let backup = file.with_file_name("file~");
        fs::write(file.with_file_name("4913"), "").unwrap();
        fs::remove_file(file.with_file_name("4913")).unwrap();
        fs::rename(file, &backup).unwrap();
        fs::write(file, new).unwrap();
        fs::remove_file(backup).unwrap();
    }),
    ("removing and creating", |file, new| {
        fs::remove_file(file).unwrap();
        fs::write(file, new).unwrap();
    }),
    ("a hard link swap", |file, new| {
        let (new_one, old_one) = (file.with_file_name("file.new"), file.with_file_name("file.old"));
        fs::write(&new_one, new).unwrap();
        fs::hard_link(file, &old_one).unwrap();
        fs::remove_file(file).unwrap();
        fs::hard_link(&new_one, file).unwrap();
        fs::remove_file(new_one).unwrap();
        fs::remove_file(old_one).unwrap();
    }),
    ("a lock beside it, as emacs does it", |file, new| {
        let lock = file.with_file_name(".#file");
        std::os::unix::fs::symlink("user@host.1:2", &lock).unwrap();
        fs::write(file, new).unwrap();
        fs::remove_file(lock).unwrap();
    }),
    ("safe writes of JetBrains", |file, new| {
        let (temporary, old) = (file.with_file_name("file___jb_tmp___"), file.with_file_name("file___jb_old___"));
        fs::write(&temporary, new).unwrap();
        fs::rename(file, &old).unwrap();
        fs::rename(temporary, file).unwrap();
        fs::remove_file(old).unwrap();
    }),
    ("sed -i", |file, new| {
        let script = format!("s/.*/{new}/");
        assert!(std::process::Command::new("sed").args(["-i", &script]).arg(file).status().unwrap().success());
    }),
    ("an unnamed file that is linked", |file, new| {
        let folder = file.parent().unwrap();
        let flags = rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::WRONLY;
        let mut open = File::from(rustix::fs::open(folder, flags, rustix::fs::Mode::from_raw_mode(0o644)).unwrap());
        open.write_all(new.as_bytes()).unwrap();
        fs::remove_file(file).unwrap();
        let unnamed = format!("/proc/self/fd/{}", open.as_raw_fd());
        let (here, follow) = (rustix::fs::CWD, rustix::fs::AtFlags::SYMLINK_FOLLOW);
        rustix::fs::linkat(here, &unnamed, here, file, follow).unwrap();
    }),
    ("chunks, each of them closed later", |file, new| {
        let mut open = File::create(file).unwrap();
        for byte in new.bytes() {
            open.write_all(&[byte]).unwrap();
        }
        open.sync_all().unwrap();
    }),
    ("writing over it in place", |file, new| {
        let mut open = OpenOptions::new().write(true).open(file).unwrap();
        open.rewind().unwrap();
        open.write_all(new.as_bytes()).unwrap();
        open.set_len(new.len() as u64).unwrap();
    }),
    ("appending and cutting", |file, new| {
        let mut open = OpenOptions::new().append(true).open(file).unwrap();
        open.set_len(0).unwrap();
        open.write_all(new.as_bytes()).unwrap();
    }),
];

/// Each kind of save gives one or two runs, and the last sees what was saved.
fn check_saves(project: &Project, saves: &[(&str, Save)]) {
    let mut session = project.run_watching();
    for (number, (name, save)) in saves.iter().enumerate() {
        let before = project.runs_of_all().len();
        let new = format!("content{number}-{}", "x".repeat(number));
        save(&project.path("src/file"), &new);
        project.wait_for_runs(before + 1);
        let runs = project.runs_of_all();
        let last = runs.last().unwrap();
        assert_eq!(last.content, new, "{name}: {runs:?}");
        assert!(runs[before..].iter().any(|run| run.files.iter().any(|file| file == "src/file")), "{name}: {runs:?}");
        assert!(runs.len() - before <= 2, "{name}: {:?}", &runs[before..]);
    }
    assert!(session.stop().success());
}

// promise: watch.change.5
#[test]
fn w5_every_kind_of_save_gives_one_or_two_runs_and_the_last_sees_the_final_bytes() {
    check_saves(&recording_src("debounce_ms = 60"), SAVES);
}

// promise: watch.poll.1
#[test]
fn the_polling_watcher_sees_the_same_saves() {
    let project = recording_src("debounce_ms = 0\n[watcher]\nkind = \"poll\"\npoll_interval_ms = 20");
    check_saves(&project, SAVES);
}

#[test]
fn w10_the_polling_watcher_sees_new_bytes_of_the_same_length_and_time() {
    let project = recording_src("[watcher]\nkind = \"poll\"\npoll_interval_ms = 20");
    let mut session = project.run_watching();
    let file = project.path("src/file");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    let mut open = OpenOptions::new().write(true).open(&file).unwrap();
    open.write_all(b"new").unwrap();
    open.set_modified(modified).unwrap();
    drop(open);
    assert_eq!(project.wait_for_runs(1)[0].content, "new");
    assert!(session.stop().success());
}

#[test]
fn w5_bytes_that_come_through_a_mapping_are_seen_when_the_file_is_closed() {
    let project = recording_src("");
    let mut session = project.run_watching();
    // A tool that maps its file sets its length first, and its close is what tells.
    let script =
        "import mmap\nwith open('src/file','r+b') as f:\n m=mmap.mmap(f.fileno(),0)\n m[0:3]=b'new'\n m.close()\n";
    let done = std::process::Command::new("python3").args(["-c", script]).current_dir(project.root()).status();
    if done.is_ok_and(|status| status.success()) {
        assert_eq!(project.wait_for_runs(1)[0].content, "new");
    }
    assert!(session.stop().success());
}

// promise: watch.change.1
#[test]
fn new_files_removed_files_new_names_and_new_times_count() {
    let project = recording_src("debounce_ms = 0");
    let mut session = project.run_watching();
    let file = project.path("src/file");
    let next = |what: &str, told: &[&str]| {
        let before = project.runs().len();
        change(&project, what);
        let runs = project.runs_of_all();
        let files = e2e::recording::files_of(&runs[before..]);
        assert_eq!(files, told, "{what}: {:?}", &runs[before..]);
    };
    next("a new file", &["src/new"]);
    next("a removed file", &["src/new"]);
    next("a new name", &["src/file", "src/renamed"]);
    next("the old name again", &["src/file", "src/renamed"]);
    next("touch", &["src/file"]);
    next("an older time", &["src/file"]);
    assert!(file.exists());
    assert!(session.stop().success());
}

fn change(project: &Project, what: &str) {
    let (file, new, renamed) = (project.path("src/file"), project.path("src/new"), project.path("src/renamed"));
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let set = |time| OpenOptions::new().write(true).open(&file).unwrap().set_modified(time).unwrap();
    match what {
        "a new file" => fs::write(new, "").unwrap(),
        "a removed file" => fs::remove_file(new).unwrap(),
        "a new name" => fs::rename(file, renamed).unwrap(),
        "the old name again" => fs::rename(renamed, file).unwrap(),
        "touch" => assert!(std::process::Command::new("touch").arg(file).status().unwrap().success()),
        _ => set(at(1_000_000)),
    }
}

// promise: watch.change.2
#[test]
fn reading_a_file_or_changing_its_mode_or_access_time_counts_as_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let project = recording_src("debounce_ms = 0");
    let mut session = project.run_watching();
    let file = project.path("src/file");
    for mode in [0o600, 0o755, 0o644] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::read(&file).unwrap();
    let access = fs::FileTimes::new().set_accessed(std::time::UNIX_EPOCH);
    File::open(&file).unwrap().set_times(access).unwrap();
    // Opened for writing and closed without a byte: the file is as it was.
    drop(OpenOptions::new().write(true).open(&file).unwrap());
    assert_eq!(project.runs_of_all(), []);
    assert!(session.stop().success());
}

// promise: watch.debounce.1
#[test]
fn twenty_saves_with_pauses_give_exactly_twenty_runs_and_none_waits_for_the_debounce() {
    let project = recording_src("debounce_ms = 400");
    let mut session = project.run_watching();
    let mut quickest = std::time::Duration::MAX;
    for number in 1..=20 {
        let began = std::time::Instant::now();
        project.file("src/file", &number.to_string());
        let runs = project.wait_for_runs(number);
        quickest = quickest.min(began.elapsed());
        assert_eq!((runs.len(), runs[number - 1].content.as_str()), (number, number.to_string().as_str()));
        // A pause in which the save before it stops counting as the beginning of a burst.
        std::thread::sleep(std::time::Duration::from_millis(410));
    }
    assert_eq!(project.runs_of_all().len(), 20, "{:?}", project.runs());
    assert!(quickest < std::time::Duration::from_millis(400), "each save waited for the debounce: {quickest:?}");
    assert!(session.stop().success());
}
