//! The state file on bad days: kills, full disks, folders that cannot be written. Rows ST1, ST3 to ST5 and ST7.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::disk::Disk;
use e2e::faults::{figures, rounds};
use e2e::stray::signal;
use e2e::web::{Posting, eventually};
use e2e::{Project, Session, programs, wait};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const STORM: &str = r#"
[event.a]
state_key = "a"
workflow = "quiet"
[event.b]
state_key = "b"
workflow = "quiet"
[event.c]
state_key = "c"
workflow = "quiet"
[event.d]
state_key = "d"
workflow = "quiet"
"#;

/// Values of random lengths, told apart by the number they begin with.
fn value(number: usize) -> String {
    format!("{number} {}", "v".repeat(number * 7919 % 3000))
}

fn number(state: &Value, key: &str) -> Option<usize> {
    state.get(key)?.as_str()?.split(' ').next()?.parse().ok()
}

/// Names of temporary files that stand beside the state file.
fn temporary(project: &Project) -> Vec<String> {
    let names = fs::read_dir(project.path(".devloop")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.as_bytes().ends_with(b".tmp")).collect()
}

// promise: state.file.1
#[test]
fn st1_kills_during_a_storm_of_posts_leave_a_whole_file_with_all_that_was_acknowledged() {
    let count = rounds(6, 200);
    let mut project = Project::new(programs!());
    project.config(&format!("{}{STORM}", e2e::web::CONFIG));
    let (mut posts, mut left) = (0, 0);
    let mut left_before: Vec<String> = Vec::new();
    let mut random = u64::from(std::process::id()) ^ 0x9e37_79b9;
    for round in 0..count {
        let posting = Posting::run(project);
        // ST7: what the session that was killed left is gone. What this one is writing is its own.
        let there = temporary(&posting.project);
        assert!(!left_before.iter().any(|name| there.contains(name)), "round {round}: {left_before:?} in {there:?}");
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let kill_after = Duration::from_millis(random >> 33 & 127);
        let acknowledged: [AtomicUsize; 4] = Default::default();
        let sent: [AtomicUsize; 4] = Default::default();
        std::thread::scope(|scope| {
            for (index, event) in ["a", "b", "c", "d"].into_iter().enumerate() {
                let (posting, acknowledged, sent) = (&posting, &acknowledged[index], &sent[index]);
                scope.spawn(move || {
                    for number in 1_000_000 * (round + 1).. {
                        sent.store(number, Ordering::Relaxed);
                        let Ok(stream) = std::net::TcpStream::connect(&posting.address) else { break };
                        drop(stream);
                        let Ok(answer) = std::panic::catch_unwind(|| posting.post(event, &value(number))) else {
                            break;
                        };
                        match answer.status {
                            204 => acknowledged.store(number, Ordering::Relaxed),
                            0 => break,
                            _ => {}
                        }
                    }
                });
            }
            eventually("posts are taken", || acknowledged.iter().all(|number| number.load(Ordering::Relaxed) > 0));
            std::thread::sleep(kill_after);
            posting.session.signal(Signal::KILL);
        });
        let Posting { project: same, mut session, .. } = posting;
        session.wait();
        let text = fs::read_to_string(same.state_file()).unwrap();
        let state: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{round}: {error}: {text}"));
        assert_eq!(state["root"], same.root().to_str().unwrap());
        for (index, event) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let (low, high) = (acknowledged[index].load(Ordering::Relaxed), sent[index].load(Ordering::Relaxed));
            let found = number(&state, event).unwrap_or_default();
            assert!((low..=high).contains(&found), "round {round}, {event}: {low} <= {found} <= {high}");
            posts += low % 1_000_000;
        }
        left_before = temporary(&same);
        left += left_before.len();
        wait::nothing_left(&same.root());
        project = same;
    }
    println!(
        "ST1: {count} kills among {posts} posts: none empty, none torn, none lost; {left} temporary files were left and removed"
    );
}

/// A project with events, `.devloop` on a disk of its own where that can be had, and how to start it there.
fn on_a_disk(size: &str) -> (Project, Option<Disk>) {
    let project = Project::new(programs!());
    project.config(e2e::web::CONFIG).file(".devloop/x", "");
    let disk = Disk::mount(&project.path(".devloop"), size);
    (project, disk)
}

fn posting(project: Project, command: Command) -> Posting {
    let session = Session::start(command);
    session.wait_for("watching ");
    wait::pid(&project.path("client.pid"));
    Posting::of(session, project)
}

// promise: state.file.6
#[test]
fn st3_a_disk_that_is_full_keeps_the_file_refuses_the_post_and_a_retry_runs_the_workflow() {
    let (project, mut disk) = on_a_disk("256k");
    let devloop = project.command(&["run"]);
    let command = disk.as_ref().map_or_else(
        || {
            // No file may be longer than 8 KiB until it is allowed again.
            let mut command = Command::new("sh");
            command.args(["-c", "ulimit -S -f 16; exec \"$0\" run"]).arg(devloop.get_program());
            command.current_dir(project.root()).stdin(Stdio::null());
            command
        },
        |disk| disk.command(&devloop),
    );
    let posting = posting(project, command);
    let path = posting.project.state_file();
    let path = disk.as_ref().map_or_else(|| path.clone(), |disk| disk.seen(&path));
    let state = || fs::read_to_string(&path).unwrap();
    assert_eq!(posting.post("slug", "before").status, 204);
    // What the workflow of that one writes comes a little later.
    posting.session.wait_for("slug is before");
    let written = || serde_json::from_str::<Value>(&state()).unwrap().get("last_changed_files").is_some();
    wait::until("the run has written what it writes", || written().then_some(()));
    let before = state();
    if let Some(disk) = &mut disk {
        disk.fill();
    }
    let large = "large/".repeat(1360);
    for _ in 0..3 {
        assert_eq!(posting.post("slug", &large).status, 500);
        assert_eq!(state(), before);
    }
    if let Some(disk) = &mut disk {
        disk.free();
    } else {
        let pid = posting.session.pid().to_string();
        assert!(Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap().success());
    }
    assert_eq!(posting.post("slug", &large).status, 204);
    posting.session.wait_for(&format!("slug is {large}"));
    assert!(state().contains(&large));
    let Posting { mut session, .. } = posting;
    assert!(session.stop().success(), "{}", session.told());
    let told = session.count("the state file cannot be written");
    assert_eq!(told, 1, "{}", session.told());
}

/// Posts until the folder is repaired, and after it until one is taken; answers how long that took.
fn recovers(posting: &Posting, repair: impl FnOnce()) -> Duration {
    let began = Instant::now();
    let told = || posting.session.count("the state file cannot be written");
    let before = told();
    assert_eq!(posting.post("slug", "during").status, 500);
    let stop = Instant::now() + Duration::from_millis(1200);
    let mut posts = 0;
    while Instant::now() < stop {
        posts += 1;
        assert_eq!(posting.post("slug", &format!("during/{posts}")).status, 500);
    }
    let (told, seconds) = (told() - before, usize::try_from(began.elapsed().as_secs()).unwrap());
    assert!(told <= seconds + 1, "{told} lines in {seconds} s");
    repair();
    let repaired = Instant::now();
    wait::until("a post is taken again", || (posting.post("slug", "after").status == 204).then_some(()));
    posting.session.wait_for("slug is after");
    repaired.elapsed()
}

// promise: state.file.6
#[test]
fn st4_a_file_system_that_turns_read_only_costs_few_lines_and_is_used_again_at_once() {
    let (project, disk) = on_a_disk("4m");
    let Some(mut disk) = disk else {
        // The folders below say the same for machines that let nobody mount.
        assert!(Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| !status.success()));
        return;
    };
    let command = disk.command(&project.command(&["run"]));
    let mut posting = posting(project, command);
    disk.cover();
    let mut times = [recovers(&posting, || disk.uncover())];
    println!("ST4, read-only: {}", figures(&mut times));
    posting.session.wait_for("Read-only file system");
    assert!(posting.session.stop().success(), "{}", posting.session.told());
}

// promise: state.file.6
#[test]
fn st4_a_folder_that_may_not_be_written_costs_few_lines_and_is_used_again_at_once() {
    let project = Project::new(programs!());
    let writes = "[watch.go]\npaths = [\"go\"]\nworkflow = \"go\"\n\
                  [workflow.go]\nsteps = [{ action = \"write_state\", key = \"k\", value = \"kept\" }]\n";
    project.config(&format!("{}{writes}", e2e::web::CONFIG)).file(".devloop/x", "");
    let mut command = project.command(&["run"]);
    if rustix::process::getuid().is_root() {
        // Root may write everywhere.
        const NOBODY: u32 = 65_534;
        for path in [project.root(), project.path(".devloop"), project.path(".devloop/x")] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut posting = posting(project, command);
    let folder = posting.project.path(".devloop");
    let permit = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    permit(0o500);
    let mut times = vec![recovers(&posting, || permit(0o700))];
    posting.session.wait_for("Permission denied");
    // Nobody posts: what could not be written is tried again by itself.
    permit(0o500);
    posting.project.file("go", "");
    posting.session.wait_for_count("the state file cannot be written", 2);
    permit(0o700);
    let repaired = Instant::now();
    wait::file(&posting.project.state_file(), |text| text.contains("\"k\": \"kept\""));
    times.push(repaired.elapsed());
    println!("ST4, permissions: {}", figures(&mut times));
    assert!(times.last().unwrap() < &Duration::from_secs(4), "{times:?}");
    assert!(posting.session.stop().success(), "{}", posting.session.told());
}

/// Makes system calls of one thread fail as a broken disk does; dropping it repairs the disk.
struct BrokenDisk(Child);

impl BrokenDisk {
    /// `strace` is the one that breaks it (strace(1), `inject`); none on a machine where it may not.
    fn below(thread: &str, calls: &str) -> Option<Self> {
        let mut strace = Command::new("strace")
            .args(["-p", thread, "-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error=EIO")])
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut told = BufReader::new(strace.stderr.take()?).lines().map_while(Result::ok);
        let is_attached = told.any(|line| line.contains("attached"));
        // What it traces is not looked at, but it must not wait for that.
        std::thread::spawn(move || told.for_each(drop));
        is_attached.then_some(Self(strace))
    }
}

impl Drop for BrokenDisk {
    fn drop(&mut self) {
        let _ = signal(self.0.id(), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// The thread of a process that has this name.
fn thread_of(pid: u32, name: &str) -> String {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let mut found = threads.filter(|thread| fs::read_to_string(thread.path().join("comm")).unwrap().trim() == name);
    found.next().unwrap().file_name().into_string().unwrap()
}

// promise: state.file.6
#[test]
fn st4_a_disk_that_answers_with_errors_costs_few_lines_and_is_used_again_at_once() {
    let project = Project::new(programs!());
    project.config(e2e::web::CONFIG);
    let devloop = project.command(&["run"]);
    let mut posting = posting(project, devloop);
    let thread = thread_of(posting.session.pid(), "session file");
    let mut times = Vec::new();
    // Writes that fail are those of a full disk; this thread also wakes others by writes.
    for calls in ["openat", "rename,renameat,renameat2"] {
        let before = posting.project.state();
        let Some(disk) = BrokenDisk::below(&thread, calls) else {
            // The folders above say the same where nobody may trace.
            assert!(times.is_empty(), "{calls}");
            return;
        };
        times.push(recovers(&posting, || {
            assert_eq!(posting.project.state(), before, "{calls}");
            drop(disk);
        }));
        assert_eq!(posting.project.state()["slug"], "after");
        assert_eq!(posting.post("slug", calls.split(',').next().unwrap()).status, 204);
    }
    posting.session.wait_for("Input/output error");
    println!("ST4, errors of the disk: {}", figures(&mut times));
    // The file has all values; that they may not survive a loss of power is told.
    let disk = BrokenDisk::below(&thread, "fsync,fdatasync");
    assert!(posting.session.stop().success(), "{}", posting.session.told());
    drop(disk);
    assert_eq!(posting.session.count("the state file cannot be written"), 3, "{}", posting.session.told());
    assert_eq!(posting.project.state()["slug"], "rename");
    assert_eq!(temporary(&posting.project), [""; 0]);
}

/// What `strace` saw of the writes to a state file and of its folder, in order.
fn calls(trace: &Path) -> Vec<String> {
    let text = fs::read_to_string(trace).unwrap();
    let lines = text.lines().filter(|line| !line.contains(".state.json.status."));
    let seen = lines.filter(|line| line.contains(".state.json.") || line.contains("fsync("));
    let name = |line: &str| {
        let call = line.split_once('(').map_or("", |(call, _)| call);
        let call = call.rsplit(' ').next().unwrap_or_default().to_owned();
        match call.as_str() {
            "fsync" if line.contains("state.json>") => "fsync of the saved file".to_owned(),
            "fsync" if !line.contains(".tmp>") => "fsync of the folder".to_owned(),
            _ => call,
        }
    };
    seen.map(name).filter(|call| ["rename", "fsync"].iter().any(|wanted| call.starts_with(wanted))).collect()
}

// promise: state.file.8
#[test]
fn st5_the_last_save_survives_a_loss_of_power_and_the_others_are_not_slowed_by_it() {
    if !Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        // The same order is held by a test of the adapter, which needs no other program.
        return;
    }
    let project = Project::new(programs!());
    project.config(e2e::web::CONFIG);
    let devloop = project.command(&["run"]);
    let trace = project.path("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", "trace=rename,renameat,renameat2,fsync,fdatasync", "-o"]).arg(&trace);
    command.arg("sh").args(["-c", "echo $$ >devloop.pid; exec \"$0\" run"]).arg(devloop.get_program());
    command.current_dir(project.root()).stdin(Stdio::null());
    let began = Instant::now();
    let mut posting = posting(project, command);
    for number in 0..20 {
        assert_eq!(posting.post("slug", &format!("post/{number}")).status, 204);
    }
    signal(wait::pid(&posting.project.path("devloop.pid")), Signal::INT).unwrap();
    assert!(posting.session.wait().success(), "{}", posting.session.told());
    let calls = calls(&trace);
    let after_the_last =
        calls.iter().rposition(|call| call.starts_with("rename")).map(|at| calls[at..].to_vec()).unwrap();
    // Where nothing happens for 0.7 s, which may be in the midst of it on a busy machine, what was saved is synced beside all
    // else.
    let calm = usize::try_from(began.elapsed().as_millis() / 700).unwrap();
    let (mut calls, mut syncs) = (calls, 0);
    while let Some(at) = calls.iter().position(|call| call == "fsync of the saved file") {
        calls.remove(at);
        let folder = calls[at..].iter().position(|call| call == "fsync of the folder").unwrap();
        calls.remove(at + folder);
        syncs += 1;
    }
    let durable: Vec<&[String]> = calls.windows(3).filter(|calls| calls[0] == "fsync").collect();
    let is_in_order = |calls: &[String]| calls[1].starts_with("rename") && calls[2] == "fsync of the folder";
    assert!(durable.iter().all(|calls| is_in_order(calls)), "{calls:?}");
    let saves = calls.iter().filter(|call| call.starts_with("rename")).count();
    assert!(saves >= 20 && durable.len() <= 1 && syncs <= calm, "{calls:?}, {syncs} syncs");
    // After a sync that nothing came after, the end has nothing to save.
    let synced = after_the_last.iter().position(|call| call == "fsync of the saved file");
    let is_synced = synced.is_some_and(|at| after_the_last[at..].iter().any(|call| call == "fsync of the folder"));
    assert!(is_synced || is_in_order(&calls[calls.len() - 3..]), "{calls:?}, after the last: {after_the_last:?}");
}

// promise: state.file.7
#[test]
fn a_session_whose_last_values_cannot_be_written_says_so_and_exits_with_1() {
    let project = Project::new(programs!());
    project.file(".devloop/x", "").config(
        "[watch.go]\npaths = [\"go\"]\nworkflow = \"go\"\n\
         [workflow.go]\nsteps = [{ action = \"write_state\", key = \"k\", value = \"lost\" }, { action = \"log\", message = \"written\" }]\n",
    );
    let mut session = project.run_watching();
    fs::rename(project.path(".devloop"), project.path("away")).unwrap();
    project.file(".devloop", "in the way").file("go", "");
    session.wait_for("the state file cannot be written");
    session.wait_for("written");
    assert_eq!(session.stop().code(), Some(1), "{}", session.told());
    session.wait_for("devloop run failed: the state file does not have the last values");
    assert_eq!(fs::read_to_string(project.path(".devloop")).unwrap(), "in the way");
}
