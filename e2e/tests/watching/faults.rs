//! What the system and people do to watching: rows W1 to W9 of the fault table. `FAULT_ROUNDS=full` plays the long ones.

use crate::{is_told, recording_src};
use e2e::faults::rounds;
use e2e::recording::files_of;
use e2e::session::Session;
use e2e::{Project, programs, wait};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than the debounce of these tests: what is saved then is saved in a calm tree.
const CALM: Duration = Duration::from_millis(270);

#[test]
fn w1_after_a_queue_that_ran_over_every_group_runs_for_what_really_changed_and_nothing_else() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let writes: usize = limit.trim().parse::<usize>().unwrap() / 2 + 1000;
    let project = Project::new(programs!());
    project.record(
        &["one", "two", "flood"],
        "[watch.one]\npaths = [\"one/\"]\n[watch.two]\npaths = [\"two/**/*.txt\"]\n[watch.flood]\npaths = [\"flood/\"]\n",
    );
    for path in ["one/same", "one/a", "two/same.txt", "two/gone.txt", "flood/x", "flood/y"] {
        project.file(path, "old");
    }
    let mut session = project.run_watching();
    for round in 1..=rounds(2, 20) {
        project.file("two/gone.txt", "old");
        let before = project.runs_of_all().len();
        std::thread::sleep(CALM);
        session.signal(Signal::STOP);
        for number in 0..writes {
            // Two files in turn: the system merges what is said twice in a row.
            fs::write(project.path(["flood/x", "flood/y"][number % 2]), number.to_string()).unwrap();
        }
        let new = format!("two/new{round}/b.txt");
        project.file("one/a", &round.to_string()).file(&new, "new");
        fs::remove_file(project.path("two/gone.txt")).unwrap();
        session.signal(Signal::CONT);
        session.wait_for_count("lost file changes", round);
        let runs = project.runs_of_all();
        let told: BTreeSet<String> = files_of(&runs[before..]).into_iter().collect();
        let expected = ["flood/x", "flood/y", "one/a", "two/gone.txt", &new].map(str::to_owned);
        assert_eq!(told, BTreeSet::from(expected), "round {round}");
    }
    assert!(session.stop().success(), "{}", session.told());
}

/// Starts devloop in a user namespace of its own, with a limit of inotify(7) there. None where the system allows no
/// such namespace.
fn limited(project: &Project, limit: &str, value: u32) -> Option<Session> {
    let allows = Command::new("unshare").args(["-Ur", "true"]).status().is_ok_and(|status| status.success());
    assert!(allows || std::env::var_os("CI").is_none(), "the continuous run has user namespaces");
    let inner = project.command(&["run"]);
    let mut outer = Command::new("unshare");
    let script = format!("echo {value} > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
    outer.args(["-Ur", "sh", "-euc", &script]).arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(project.root()).stdin(std::process::Stdio::null()).env_remove("RUST_LOG");
    allows.then(|| Session::start(outer))
}

// promise: watch.limit.1
#[test]
fn w2_without_enough_watches_at_the_start_the_remedy_is_told_and_every_edit_is_seen() {
    let project = recording_src("[watcher]\npoll_interval_ms = 50");
    for number in 0..12 {
        project.file(&format!("src/d{number}/deep/file"), "old");
    }
    let Some(mut session) = limited(&project, "max_inotify_watches", 6) else { return };
    session.wait_for("watching ");
    let line = session.wait_for("no watch is left for");
    assert!(line.contains("fs.inotify.max_user_watches") && line.contains("compared every 50 ms"), "{line}");
    session.wait_for("sudo sysctl fs.inotify.max_user_watches=");
    for number in 0..12 {
        let file = format!("src/d{number}/deep/file");
        project.file(&file, "edited");
        assert!(is_told(&project.runs_of_all(), &file) || waited_for(&project, &file));
    }
    assert!(session.stop().success(), "{}", session.told());
}

/// Waits until some run was told a file.
fn waited_for(project: &Project, file: &str) -> bool {
    wait::until(&format!("a run is told of {file}"), || is_told(&project.runs(), file).then_some(true))
}

#[test]
fn w2_watches_that_run_out_later_are_told_and_what_they_lack_is_compared() {
    let project = recording_src("[watcher]\npoll_interval_ms = 50");
    let Some(mut session) = limited(&project, "max_inotify_watches", 10) else { return };
    session.wait_for("watching ");
    project.runs_of_all();
    assert_eq!(session.count("no watch is left"), 0, "{}", session.told());
    for number in 0..20 {
        project.file(&format!("src/new{number}/deep/file"), "new");
    }
    session.wait_for("no watch is left for");
    for number in 0..20 {
        let file = format!("src/new{number}/deep/file");
        assert!(waited_for(&project, &file));
        let edited = format!("src/new{number}/deep/edited");
        project.file(&edited, "edited");
        assert!(waited_for(&project, &edited));
    }
    assert!(session.stop().success(), "{}", session.told());
}

// promise: watch.limit.2
#[test]
fn w2_a_system_that_gives_no_queue_is_told_asked_again_and_compared_until_then() {
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(
        &["src"],
        "[watcher]\npoll_interval_ms = 50\n[watch.src]\npaths = [\"src/\"]\n[watch.raise]\npaths = [\"raise\"]\n\
         [hook.raise]\ncommand = [\"sh\", \"-c\", \"echo 10 > /proc/sys/user/max_inotify_instances\"]\n\
         [workflow.raise]\nsteps = [{ action = \"run_hook\", hook = \"raise\" }]\n",
    );
    let Some(mut session) = limited(&project, "max_inotify_instances", 0) else { return };
    session.wait_for("watching ");
    session.wait_for("fs.inotify.max_user_instances");
    project.file("src/file", "compared");
    assert_eq!(project.wait_for_runs(1)[0].content, "compared");
    project.file("raise", "now");
    session.wait_for("again");
    let before = project.runs_of_all().len();
    project.file("src/file", "told").file("src/new/deep/file", "new");
    let runs = project.runs_of_all();
    assert_eq!(files_of(&runs[before..]), ["src/file", "src/new", "src/new/deep", "src/new/deep/file"]);
    assert!(session.stop().success(), "{}", session.told());
}

/// Runs a script in the project, as a user would.
fn sh(project: &Project, script: &str) {
    let done = Command::new("sh").args(["-euc", script]).current_dir(project.root()).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn w3_folders_that_go_and_come_back_in_every_way_are_still_watched() {
    let project = Project::new(programs!());
    project.file("tree/src/deep/file", "old").file("tree/src/file", "old").file("tree/.gitignore", "runs\nzzz\n");
    project.record(&["src"], "root = \"tree\"\n[watch.src]\npaths = [\"src/\"]\n");
    sh(&project, "cd tree; git init -q .; git add .; git -c user.name=a -c user.email=a@b.c commit -qm first");
    let mut session = project.run_watching();
    for round in 1..=rounds(4, 100) {
        let ways = [
            "rm -rf src; mkdir -p src/deep; echo x > src/deep/file",
            "mv src ../away; mv ../away src",
            "mv src/deep ../deep; mv ../deep src/deep",
            "cd ..; mv tree gone; mv gone tree",
            "echo stashed > src/deep/file; git stash -q; git stash pop -q",
        ];
        for (number, way) in ways.iter().enumerate() {
            sh(&project, &format!("cd tree; {way}"));
            let new = format!("{round}-{number}");
            project.file("tree/src/file", &new).file("tree/src/deep/file", &new);
            wait::file(&project.path("tree/runs"), |text| text.contains(&format!("\t{new}\n")));
        }
    }
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn w4_a_file_that_comes_with_its_folders_is_seen_whatever_was_missing_at_the_start() {
    let project = Project::new(programs!());
    project.record(&["src"], "[watch.src]\npaths = [\"a/b/c/\", \"n/\"]\n");
    let mut session = project.run_watching();
    sh(&project, "mkdir -p a/b/c && echo x > a/b/c/f");
    assert!(waited_for(&project, "a/b/c/f"));
    let count = rounds(60, 500);
    for number in 0..count {
        project.file(&format!("n/d{number}/b/c/f"), "new");
    }
    let told = files_of(&project.runs_of_all());
    let missed: Vec<usize> = (0..count).filter(|number| !told.contains(&format!("n/d{number}/b/c/f"))).collect();
    assert!(missed.is_empty(), "{} of {count} missed: {missed:?}", missed.len());
    assert!(session.stop().success(), "{}", session.told());
}

/// Replaces files as a checkout does; false when the system paused it, so that a burst could seem to be over.
fn switch(project: &Project, files: usize, to: &str) -> bool {
    let mut longest = Duration::ZERO;
    for number in 0..files {
        let began = Instant::now();
        let path = project.path(&format!("src/d{:03}/f{number}", number / 100));
        let _ = fs::remove_file(&path);
        fs::write(&path, to).unwrap();
        longest = longest.max(began.elapsed());
    }
    fs::write(project.path("src/file"), to).unwrap();
    longest < Duration::from_millis(15)
}

#[test]
fn w6_a_branch_that_is_switched_gives_three_runs_at_most_and_memory_stays() {
    let switches = rounds(3, 20);
    let files = if switches < 20 { 2_000 } else { 20_000 };
    let project = recording_src("");
    for number in 0..files {
        project.file(&format!("src/d{:03}/f{number}", number / 100), "old");
    }
    let mut session = project.run_watching();
    let mut most = 0;
    for number in 0..switches {
        let before = project.runs_of_all().len();
        std::thread::sleep(CALM);
        let to = format!("branch {number}");
        let is_unpaused = switch(&project, files, &to);
        wait::until("the last run sees the branch", || {
            project.runs().last().is_some_and(|run| run.content == to).then_some(())
        });
        let count = project.runs_of_all().len() - before;
        most = most.max(count);
        assert!(!is_unpaused || count <= 3, "{count} runs");
    }
    let memory = memory_kb(session.pid());
    println!("{switches} switches of {files} files: {most} runs at most, {memory} kB at most");
    assert!(memory < 60 * 1024, "{memory} kB");
    assert_eq!(session.count("failed"), 0, "{}", session.told());
    assert!(session.stop().success(), "{}", session.told());
}

/// The most memory that a process ever held.
fn memory_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn w7_a_writer_that_never_pauses_gives_a_run_every_ten_debounce_times() {
    let project = recording_src("debounce_ms = 50");
    let mut session = project.run_watching();
    let span = Duration::from_secs(rounds(3, 60) as u64);
    let (began, mut number, mut run_at, mut longest) = (Instant::now(), 0_u64, Instant::now(), Duration::ZERO);
    let mut runs = 0;
    while began.elapsed() < span {
        number += 1;
        fs::write(project.path("src/file"), number.to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
        if number.is_multiple_of(20) && project.runs().len() > runs {
            runs = project.runs().len();
            longest = longest.max(run_at.elapsed());
            run_at = Instant::now();
        }
    }
    longest = longest.max(run_at.elapsed());
    println!("{number} writes in {span:?}: {runs} runs, {longest:?} between two at most");
    // Ten times the debounce, and what a busy machine adds.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    wait::until("a run sees the last bytes", || {
        project.runs().last().is_some_and(|run| run.content == number.to_string()).then_some(())
    });
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn w8_a_change_during_a_run_gives_one_more_run_after_it() {
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(
        &[],
        "[watch.src]\npaths = [\"src/\"]\n[hook.wait]\ncommand = [\"sh\", \"-c\", '''\
         echo began >> began; number=$(wc -l < began); until [ -e go$$number ]; do sleep 0.01; done''']\n\
         [workflow.src]\nsteps = [{ action = \"run_hook\", hook = \"wait\" }, { action = \"run_hook\", hook = \"record\" }]\n",
    );
    let mut session = project.run_watching();
    for round in 1..=rounds(5, 50) {
        std::thread::sleep(CALM);
        project.file("src/file", &format!("first {round}"));
        wait::lines(&project.path("began"), 2 * round - 1);
        let second = format!("second {round}");
        project.file("src/file", &second);
        project.file(&format!("go{}", 2 * round - 1), "").file(&format!("go{}", 2 * round), "");
        project.wait_for_runs(2 * round);
        let runs = project.runs_of_all();
        assert_eq!((runs.len(), runs[2 * round - 1].content.as_str()), (2 * round, second.as_str()), "{runs:?}");
    }
    assert_eq!(session.count("feeds itself"), 0, "{}", session.told());
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn w9_a_workflow_that_always_writes_what_it_is_run_for_is_named_with_the_file_and_goes_on_slowly() {
    let project = Project::new(programs!());
    project.config(
        "debounce_ms = 20\n[watch.src]\npaths = [\"src/\"]\n\
         [hook.stamp]\ncommand = [\"sh\", \"-c\", \"date > src/stamp; echo run >> count\"]\n\
         [workflow.src]\nsteps = [{ action = \"run_hook\", hook = \"stamp\" }]\n",
    );
    project.file("src/file", "");
    let mut session = project.run_watching();
    project.file("src/file", "saved");
    let line = session.wait_for("workflow src feeds itself");
    assert!(line.contains("'src/stamp'") && line.contains("held back"), "{line}");
    let runs = fs::read_to_string(project.path("count")).unwrap().lines().count();
    // Where a busy machine tells a write long after its run, it looks like somebody else's, and counting begins anew.
    assert!(runs <= 20, "{runs} runs before it was told");
    // It goes on, and a person's save is not held back with it: the next run begins with the save.
    wait::lines(&project.path("count"), runs + 2);
    assert_eq!(session.count("feeds itself"), 1, "{}", session.told());
    assert!(session.stop().success());
}
