//! The state file with real files, links, locks, threads and children.

use super::*;
use devloop_core::names::StateKey;
use devloop_core::value::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// A state file in a folder that does not exist yet.
fn place() -> (TempDir, PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join(".devloop/state.json");
    (temp, file)
}

fn state_with(text: &[u8]) -> (TempDir, PathBuf) {
    let (temp, file) = place();
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    (temp, file)
}

fn values(pairs: &[(&str, &str)]) -> Arc<Values> {
    Arc::new(pairs.iter().map(|(key, value)| (StateKey::from(*key), Value::from(*value))).collect())
}

fn start(file: &Path) -> (SessionFile, Receiver<Saved>) {
    let (heard, answers) = channel();
    let heard = Arc::new(move |answer| {
        if let Answer::Saved(saved) = answer {
            let _ = heard.send(saved);
        }
    });
    (SessionFile::start(StateFolder::open(file).unwrap(), heard).unwrap(), answers)
}

/// Saves and waits for the answer.
fn saved(session: &SessionFile, answers: &Receiver<Saved>, version: u64, value: &str) -> Result<(), String> {
    session.save(StateVersion(version), values(&[("key", value)]), version.is_multiple_of(2));
    let answer = answers.recv_timeout(DEADLINE).unwrap();
    assert_eq!(answer.version, StateVersion(version));
    answer.result.map_err(|failure| failure.error)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_missing_folder_is_made_private_and_hidden_from_git() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("a/b/state.json");
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "x").unwrap();
    let folder = file.parent().unwrap();
    assert_eq!((mode(&temp.path().join("a")), mode(folder), mode(&file)), (0o700, 0o700, 0o600));
    assert_eq!(fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");
    assert_eq!(names(folder), set_of(&[".gitignore", "state.json", "state.json.lock"]));
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\n  \"key\": \"x\"\n}\n");
}

#[test]
fn an_existing_folder_is_left_as_it_is() {
    let (_temp, file) = state_with(b"{}");
    let folder = file.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o750)).unwrap();
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "x").unwrap();
    assert_eq!(mode(folder), 0o750);
    assert_eq!(names(folder), set_of(&["state.json", "state.json.lock"]));
}

/// The umask belongs to the whole process, so the test runs itself again in one of its own.
#[test]
fn modes_hold_whatever_the_umask() {
    const INNER: &str = "TEST_UMASK_PLACE";
    if let Some(place) = std::env::var_os(INNER) {
        let file = PathBuf::from(place).join("new/state.json");
        let (session, answers) = start(&file);
        saved(&session, &answers, 1, "x").unwrap();
        return;
    }
    for mask in ["0000", "0277", "0777"] {
        let temp = tempfile::tempdir().unwrap();
        let this = std::env::current_exe().unwrap();
        let script =
            format!("umask {mask}; exec \"$0\" --exact adapters::session_file::tests::modes_hold_whatever_the_umask");
        let status =
            Command::new("sh").arg("-c").arg(script).arg(this).env(INNER, temp.path()).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
        let folder = temp.path().join("new");
        let modes = ["state.json", "state.json.lock", ".gitignore"].map(|name| mode(&folder.join(name)));
        assert_eq!((mode(&folder), modes), (0o700, [0o600; 3]), "{mask}");
    }
}

#[test]
fn what_was_saved_is_loaded_by_the_next_session() {
    let (_temp, file) = place();
    let (session, answers) = start(&file);
    session.save(StateVersion(3), values(&[("b", "2"), ("a", "ü\n")]), true);
    assert_eq!(answers.recv_timeout(DEADLINE).unwrap(), Saved { version: StateVersion(3), result: Ok(()) });
    drop(session);
    assert_eq!(StateFolder::open(&file).unwrap().load().unwrap(), *values(&[("a", "ü\n"), ("b", "2")]));
}

#[test]
fn an_order_that_is_in_flight_is_finished_before_the_session_ends() {
    let (_temp, file) = place();
    let (session, answers) = start(&file);
    for version in 1..=50 {
        session.save(StateVersion(version), values(&[("key", &version.to_string())]), false);
    }
    drop(session);
    let versions: Vec<_> = answers.iter().map(|saved| saved.version.0).collect();
    assert_eq!(versions, (1..=50).collect::<Vec<_>>());
    assert!(fs::read_to_string(&file).unwrap().contains("\"50\""));
}

#[test]
fn a_missing_or_empty_file_counts_as_none() {
    let (_temp, file) = place();
    let folder = StateFolder::open(&file).unwrap();
    assert_eq!(folder.load().unwrap(), Values::new());
    fs::write(&file, "").unwrap();
    assert_eq!(folder.load().unwrap(), Values::new());
    fs::write(&file, " \n").unwrap();
    assert_eq!(folder.load().unwrap(), Values::new());
}

#[test]
fn what_is_no_state_is_refused_in_words_and_left_untouched() {
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000)).into_bytes();
    for (content, words) in [
        (&b"{\"a\": 1"[..], "EOF while parsing an object at line 1 column 7"),
        (b"[]", "expected a JSON object, found an array"),
        (b"null", "found null"),
        (b"{\"a\": \"\xff\"}", "invalid utf-8"),
        (&[0; 512], "expected value at line 1 column 1"),
        (b"{} {}", "trailing characters"),
        (&deep, "recursion limit exceeded"),
    ] {
        let (_temp, file) = state_with(content);
        let error = StateFolder::open(&file).unwrap().load().unwrap_err();
        let text = error.with_causes();
        assert!(text.starts_with(&format!("failed to parse state file '{}': ", file.display())), "{text}");
        assert!(text.contains(words), "{text}");
        assert!(error.hint().unwrap().contains("remove it to begin with an empty state"));
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let (_temp, file) = state_with(b"{");
    fs::File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let text = StateFolder::open(&file).unwrap().load().unwrap_err().to_string();
    assert!(text.contains("failed to parse state file") && text.contains("longer than 64 MiB"), "{text}");
}

#[test]
fn a_fifo_a_device_a_socket_and_a_folder_are_refused_at_once() {
    let (_temp, file) = place();
    let folder = StateFolder::open(&file).unwrap();
    let make: [&dyn Fn(); 4] = [
        &|| assert!(Command::new("mkfifo").arg(&file).status().unwrap().success()),
        &|| symlink("/dev/zero", &file).unwrap(),
        &|| drop(std::os::unix::net::UnixListener::bind(&file).unwrap()),
        &|| fs::create_dir(&file).unwrap(),
    ];
    for make in make {
        make();
        let error = folder.load().unwrap_err();
        assert!(error.to_string().contains("failed to parse state file"), "{error}");
        assert!(error.hint().unwrap().contains("another path"));
        fs::remove_file(&file).or_else(|_| fs::remove_dir(&file)).unwrap();
    }
}

#[test]
fn a_link_in_place_of_the_state_file_is_replaced_and_its_target_untouched() {
    let (temp, file) = place();
    let victim = temp.path().join("victim");
    fs::write(&victim, "{\"old\": 1}").unwrap();
    fs::create_dir(file.parent().unwrap()).unwrap();
    symlink(&victim, &file).unwrap();
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "x").unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "{\"old\": 1}");
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
}

#[test]
fn a_lock_file_that_is_a_link_or_a_fifo_is_refused() {
    let (temp, file) = state_with(b"{}");
    let lock = file.with_extension("json.lock");
    let victim = temp.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, &lock).unwrap();
    let error = StateFolder::open(&file).unwrap_err();
    assert!(error.with_causes().starts_with(&format!("cannot lock '{}': ", lock.display())), "{error}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    fs::remove_file(&lock).unwrap();
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    assert!(StateFolder::open(&file).unwrap_err().with_causes().contains("not a regular file"));
}

#[test]
fn a_second_session_is_refused_by_the_pid_of_the_first_until_it_ends() {
    let (_temp, file) = place();
    let first = StateFolder::open(&file).unwrap();
    let error = StateFolder::open(&file).unwrap_err();
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    assert!(error.hint().is_some());
    drop(first);
    StateFolder::open(&file).unwrap();
}

#[test]
fn sessions_with_other_state_files_share_a_folder() {
    let (temp, _) = place();
    let _first = StateFolder::open(&temp.path().join("a.json")).unwrap();
    StateFolder::open(&temp.path().join("b.json")).unwrap();
}

#[test]
fn what_a_dead_session_left_in_the_lock_file_is_no_obstacle() {
    let (_temp, file) = state_with(b"{}");
    let lock = file.with_extension("json.lock");
    fs::write(&lock, "4194304999\n").unwrap();
    let _session = StateFolder::open(&file).unwrap();
    assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{}\n", std::process::id()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_inherits_neither_the_lock_nor_the_folder() {
    let (temp, file) = place();
    let (_session, _answers) = start(&file);
    let child = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    let open = String::from_utf8(child.stdout).unwrap();
    assert!(open.contains(" 1 -> "), "{open}");
    assert!(!open.contains(&*temp.path().to_string_lossy()), "{open}");
}

#[test]
fn what_crashed_sessions_left_is_removed_and_nothing_else() {
    let (_temp, file) = state_with(b"{}");
    let folder = file.parent().unwrap();
    for number in 0..200 {
        fs::write(folder.join(format!(".state.json.{number:016x}.tmp")), "{").unwrap();
    }
    let others = [
        ".other.json.0123456789abcdef.tmp",
        ".state.json.0123.tmp",
        "state.json.bak",
        ".state.json.0123456789abcdeg.tmp",
    ];
    for other in others {
        fs::write(folder.join(other), "").unwrap();
    }
    let planted = folder.join(".state.json.ffffffffffffffff.tmp");
    fs::create_dir(&planted).unwrap();
    let _session = StateFolder::open(&file).unwrap();
    fs::remove_dir(&planted).unwrap();
    let mut expected = set_of(&others);
    expected.extend(set_of(&["state.json", "state.json.lock"]));
    assert_eq!(names(folder), expected);
}

#[test]
fn a_folder_that_others_can_write_to_is_one_warning() {
    let (temp, file) = state_with(b"{}");
    let folder = file.parent().unwrap();
    assert_eq!(StateFolder::open(&file).unwrap().warning(), None);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    let session = StateFolder::open(&file).unwrap();
    let warning = session.warning().unwrap();
    assert!(warning.to_string().contains(&format!("'{}' can be written by other users", folder.display())));
    assert!(warning.hint().contains("chmod go-w"));
    drop(session);

    let link = temp.path().join("link");
    symlink(folder, &link).unwrap();
    assert!(StateFolder::open(&link.join("state.json")).unwrap().warning().is_some());
}

#[test]
fn a_link_that_others_can_replace_is_one_warning() {
    let (temp, file) = state_with(b"{}");
    let shared = temp.path().join("shared");
    fs::create_dir(&shared).unwrap();
    symlink(file.parent().unwrap(), shared.join("link")).unwrap();
    symlink("shared/link", temp.path().join("outer")).unwrap();
    let through = temp.path().join("outer/state.json");
    assert_eq!(StateFolder::open(&through).unwrap().warning(), None);
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let session = StateFolder::open(&through).unwrap();
    let warning = session.warning().unwrap();
    assert!(warning.is_link && warning.path.ends_with("shared/link"), "{warning}");
    drop(session);
    // In a sticky folder only its owner can replace a link.
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(StateFolder::open(&through).unwrap().warning(), None);
}

#[test]
fn readers_never_see_a_torn_or_empty_file_during_a_storm_of_saves() {
    const READS: usize = 20_000;
    let (_temp, file) = place();
    let (session, answers) = start(&file);
    let save = |version: u64| {
        let value = format!("{version} {}", "x".repeat(usize::try_from(version % 7).unwrap() * 3000));
        session.save(StateVersion(version), values(&[("key", &value), ("copy", &value)]), false);
        assert_eq!(answers.recv_timeout(DEADLINE).unwrap().result, Ok(()));
    };
    save(1);
    let (is_over, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let read = || {
        while !is_over.load(Ordering::Relaxed) {
            let found = json::object(&fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(found["key"], found["copy"]);
            reads.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        let mut version = 1;
        while reads.load(Ordering::Relaxed) < READS && !readers.iter().any(ScopedJoinHandle::is_finished) {
            version += 1;
            save(version);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) >= READS);
}

#[test]
fn a_folder_that_was_deleted_is_made_again_with_its_lock() {
    let (_temp, file) = place();
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "before").unwrap();
    let folder = file.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    saved(&session, &answers, 2, "after").unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("after"));
    assert_eq!((mode(folder), mode(&file)), (0o700, 0o600));
    assert_eq!(names(folder), set_of(&[".gitignore", "state.json", "state.json.lock"]));
    assert!(matches!(StateFolder::open(&file), Err(StateError::Held { pid: Some(_), .. })));
}

#[test]
fn a_folder_that_another_session_took_meanwhile_is_not_written() {
    let (_temp, file) = place();
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "ours").unwrap();
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    let _other = StateFolder::open(&file).unwrap();
    assert!(saved(&session, &answers, 2, "ours").unwrap_err().contains("another session"));
    assert!(!file.exists());
}

#[test]
fn a_folder_that_was_replaced_by_a_file_fails_in_words_and_recovers() {
    let (temp, file) = place();
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "before").unwrap();
    let (folder, aside) = (file.parent().unwrap(), temp.path().join("aside"));
    fs::rename(folder, &aside).unwrap();
    fs::write(folder, "a file").unwrap();
    let words = saved(&session, &answers, 2, "lost").unwrap_err();
    assert!(words.contains("Not a directory") && words.contains(&*folder.to_string_lossy()), "{words}");
    assert!(fs::read_to_string(aside.join("state.json")).unwrap().contains("before"));
    fs::remove_file(folder).unwrap();
    fs::rename(&aside, folder).unwrap();
    saved(&session, &answers, 3, "again").unwrap();
    assert!(fs::read_to_string(&file).unwrap().contains("again"));
}

#[test]
fn a_save_that_fails_leaves_nothing_behind() {
    let (_temp, file) = place();
    let (session, answers) = start(&file);
    fs::create_dir(&file).unwrap();
    let words = saved(&session, &answers, 1, "x").unwrap_err();
    assert!(words.starts_with(&format!("cannot write the state file '{}': ", file.display())), "{words}");
    assert_eq!(names(file.parent().unwrap()), set_of(&[".gitignore", "state.json", "state.json.lock"]));
    fs::remove_dir(&file).unwrap();
    saved(&session, &answers, 2, "x").unwrap();
}

/// A file system of its own that is full. Only root may mount one; others have the failing folders above.
#[test]
fn a_full_disk_keeps_the_previous_file_and_a_retry_works() {
    struct Mount(PathBuf);
    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let temp = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(temp.path()).stderr(Stdio::null());
    if !mount.status().is_ok_and(|status| status.success()) {
        return;
    }
    let _mount = Mount(temp.path().to_owned());
    let file = temp.path().join("state.json");
    let (session, answers) = start(&file);
    saved(&session, &answers, 1, "before").unwrap();
    let filler = fs::File::create(temp.path().join("filler")).unwrap();
    let mut at = 0;
    while filler.write_all_at(&[0; 4096], at).is_ok() {
        at += 4096;
    }
    let words = saved(&session, &answers, 2, &"x".repeat(20_000)).unwrap_err();
    assert!(words.contains("No space left on device"), "{words}");
    assert!(fs::read_to_string(&file).unwrap().contains("before"));
    assert_eq!(names(temp.path()), set_of(&["filler", "state.json", "state.json.lock"]));
    drop(filler);
    fs::remove_file(temp.path().join("filler")).unwrap();
    saved(&session, &answers, 4, &"x".repeat(20_000)).unwrap();
    drop(session);
}

#[test]
fn st5_a_durable_save_syncs_the_file_before_its_rename_and_the_folder_after_it() {
    let (_temp, file) = place();
    let mut folder = StateFolder::open(&file).unwrap();
    let order = || crate::adapters::own_files::NOTED.take();
    order();
    folder.replace(b"{}", false).unwrap();
    assert_eq!(order(), ["renamed"]);
    folder.replace(b"{}", true).unwrap();
    assert_eq!(order(), ["file synced", "renamed", "folder synced"]);
}

#[test]
fn st5_what_was_saved_is_synced_with_its_folder_also_when_another_file_has_its_place() {
    let (_temp, file) = place();
    let mut folder = StateFolder::open(&file).unwrap();
    folder.replace(b"{}", false).unwrap();
    let held = folder.hold().unwrap();
    folder.replace(b"{ }", false).unwrap();
    crate::adapters::own_files::NOTED.take();
    held.sync().unwrap();
    assert_eq!(crate::adapters::own_files::NOTED.take(), ["file synced", "folder synced"]);
    assert_eq!(fs::read(&file).unwrap(), b"{ }");
}

#[test]
fn a_sync_is_answered_also_where_there_is_no_file() {
    let (_temp, file) = place();
    let (heard, answers) = channel();
    let heard = Arc::new(move |answer| heard.send(answer).unwrap());
    let session = SessionFile::start(StateFolder::open(&file).unwrap(), heard).unwrap();
    let next = || answers.recv_timeout(DEADLINE).unwrap();
    session.save(StateVersion(1), Arc::default(), false);
    session.sync(StateVersion(1));
    assert!(matches!(next(), Answer::Saved(_)));
    assert_eq!(next(), Answer::Synced(StateVersion(1), true));
    fs::remove_file(&file).unwrap();
    session.sync(StateVersion(1));
    assert_eq!(next(), Answer::Synced(StateVersion(1), false));
}

#[test]
fn an_answer_becomes_a_fact() {
    let version = StateVersion(7);
    assert_eq!(Fact::from(Answer::Synced(version, true)), Fact::StateSynced(version));
    assert_eq!(Fact::from(Answer::Synced(version, false)), Fact::StateSyncFailed(version));
    assert_eq!(Fact::from(Answer::Saved(Saved { version, result: Ok(()) })), Fact::StateSaved(version));
    let error = "words".to_owned();
    for is_replaced in [false, true] {
        let failed = Saved { version, result: Err(NotSaved { error: error.clone(), is_replaced }) };
        assert_eq!(
            Fact::from(Answer::Saved(failed)),
            Fact::StateSaveFailed { version, error: error.clone(), is_replaced }
        );
    }
}
