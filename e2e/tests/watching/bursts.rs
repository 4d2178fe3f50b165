//! Many changes at once: how many runs they give, and what those are told.

use crate::recording_src;
use e2e::recording::files_of;
use e2e::{Project, programs, wait};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Writes files without a pause that could count as quiet; false when the system paused this thread.
fn write_files(project: &Project, round: usize, count: usize) -> bool {
    let mut longest = Duration::ZERO;
    for number in 0..count {
        let began = Instant::now();
        std::fs::write(project.path(&format!("src/f{number:03}")), format!("{round}")).unwrap();
        longest = longest.max(began.elapsed());
    }
    longest < Duration::from_millis(8)
}

/// The number of runs for a burst of 300 files, which were all told.
fn runs_of_burst(project: &Project) -> usize {
    for round in 0..300 {
        let before = project.runs_of_all().len();
        // Quiet before the burst, so that it begins after calm.
        std::thread::sleep(Duration::from_millis(300));
        let is_burst = write_files(project, round, 300);
        project.wait_for_runs(before + 1);
        let runs = project.runs_of_all();
        assert_eq!(files_of(&runs[before..]).len(), 300);
        if is_burst {
            return runs.len() - before;
        }
    }
    panic!("the machine paused each of 300 bursts");
}

// promise: watch.debounce.2
#[test]
fn a_burst_of_300_files_gives_one_run_at_once_and_one_when_it_is_over() {
    let project = recording_src("");
    let mut session = project.run_watching();
    let runs = runs_of_burst(&project);
    assert!(
        (1..=2).contains(&runs),
        "{runs} runs: {:?}",
        project.runs().iter().map(|run| run.files.len()).collect::<Vec<_>>()
    );
    assert!(session.stop().success());
}

// promise: watch.debounce.3
#[test]
fn a_burst_of_300_files_gives_one_run_without_leading() {
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(&["src"], "[watch.src]\npaths = [\"src/\"]\nleading = false\n");
    let mut session = project.run_watching();
    assert_eq!(runs_of_burst(&project), 1);
    assert!(session.stop().success());
}

// promise: watch.debounce.4
#[test]
fn w7_a_tree_that_is_never_quiet_gives_a_run_at_least_every_ten_debounce_times() {
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(&["src"], "debounce_ms = 30\n[watch.src]\npaths = [\"src/\"]\nleading = false\n");
    let mut session = project.run_watching();
    // Writes go on until enough runs came: they come although there is no quiet.
    let began = Instant::now();
    let mut number = 0_u32;
    while project.runs().len() < 3 {
        number += 1;
        std::fs::write(project.path("src/file"), number.to_string()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
        assert!(began.elapsed() < Duration::from_secs(30), "no run while the tree is never quiet");
    }
    wait::until("a run sees the last bytes", || {
        project.runs().last().is_some_and(|run| run.content == number.to_string()).then_some(())
    });
    assert!(session.stop().success());
}

// promise: watch.debounce.6
#[test]
fn w6_a_checkout_that_takes_longer_than_ten_debounce_times_is_one_burst() {
    const FILES: usize = 1000;
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(&["src"], "debounce_ms = 200\n[watch.src]\npaths = [\"src/\"]\nleading = false\n");
    let mut session = project.run_watching();
    // A pause of the disk or of the machine ends a burst: such a round says nothing, and there is another one.
    let whole = (0..30).any(|round| {
        let before = project.runs_of_all().len();
        // As long as a file is being written, only a quiet of `debounce_ms` ends the burst, on busy machines, too.
        let mut open = std::fs::File::create(project.path("src/open")).unwrap();
        let (began, mut longest) = (Instant::now(), Duration::ZERO);
        for number in 0..FILES {
            let last = Instant::now();
            open.write_all(b"more").unwrap();
            std::fs::write(project.path(&format!("src/f{number:03}")), round.to_string()).unwrap();
            std::thread::sleep(Duration::from_millis(2));
            longest = longest.max(last.elapsed());
        }
        let took = began.elapsed();
        drop(open);
        project.wait_for_runs(before + 1);
        let runs = &project.runs_of_all()[before..];
        assert_eq!(files_of(runs).len(), FILES + 1);
        let is_long = took > Duration::from_millis(2100);
        eprintln!("{took:.1?}, longest pause {longest:.1?}: {} runs", runs.len());
        is_long && runs.len() == 1
    });
    assert!(whole, "a burst of {FILES} files was never released as one");
    assert!(session.stop().success());
}

// promise: watch.debounce.5
#[test]
fn without_debounce_each_save_has_its_run() {
    let project = recording_src("debounce_ms = 0");
    let mut session = project.run_watching();
    for number in 1..=30 {
        project.file("src/file", &number.to_string());
        wait::until("a run sees the save", || {
            project.runs().iter().any(|run| run.content == number.to_string()).then_some(())
        });
    }
    assert!(session.stop().success());
}

#[test]
fn a_change_that_is_followed_by_others_is_told_with_its_last_bytes() {
    let project = recording_src("");
    let mut session = project.run_watching();
    for number in 0..50 {
        project.file("src/file", &number.to_string());
    }
    let runs = project.runs_of_all();
    assert_eq!(runs.last().unwrap().content, "49");
    assert!(runs.len() <= 5, "{runs:?}");
    assert!(session.stop().success());
}

// promise: watch.batch.1
#[test]
fn groups_with_one_workflow_share_its_run_with_a_sorted_list_of_unique_paths() {
    let project = Project::new(programs!());
    project.record(
        &["both", "other"],
        "debounce_ms = 100\n\
         [watch.one]\npaths = [\"a/\", \"c/\"]\nworkflow = \"both\"\nleading = false\n\
         [watch.two]\npaths = [\"b/\", \"c/\"]\nworkflow = \"both\"\nleading = false\n\
         [watch.other]\npaths = [\"c/\"]\nleading = false\n",
    );
    let mut session = project.run_watching();
    // One rename each, so that the whole burst cannot be torn by a pause of this thread.
    project.file("new/c/z", "").file("new/c/a-b", "").file("new/c/a/b", "").file("new/b/y", "").file("new/a/x", "");
    for name in ["c", "b", "a"] {
        std::fs::rename(project.path("new").join(name), project.path(name)).unwrap();
    }
    let runs = project.runs_of_all();
    let told = files_of(&runs.iter().filter(|run| run.workflow == "both").cloned().collect::<Vec<_>>());
    assert_eq!(told, ["a/x", "b/y", "c/a", "c/a-b", "c/a/b", "c/z"]);
    for run in &runs {
        let mut sorted = run.files.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(run.files, sorted);
    }
    let names: Vec<&str> = runs.iter().map(|run| run.workflow.as_str()).collect();
    assert_eq!(names, ["both", "other"], "{runs:?}");
    assert!(session.stop().success());
}
