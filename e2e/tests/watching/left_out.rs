//! What never counts, and what counts only when it is named.

use e2e::recording::files_of;
use e2e::{Project, programs};

fn recording(config: &str) -> Project {
    let project = Project::new(programs!());
    project.record(&["all"], &format!("debounce_ms = 0\n{config}"));
    project
}

// promise: watch.skip.1
#[test]
fn own_files_and_folders_named_devloop_never_count_even_where_everything_matches() {
    let project = Project::new(programs!());
    // The hook writes its record far away from what is watched.
    project.record(
        &["all"],
        "root = \"tree\"\nstate_file = \"tree/own/state.json\"\ndebounce_ms = 0\n[watch.all]\npaths = [\"**\"]\n\
         ignore = [\"runs\", \"zzz\"]\n",
    );
    project.file("tree/x", "").file("tree/sub/.devloop/x", "");
    let mut session = project.run_watching();
    for number in 0..5 {
        project.file("tree/.devloop/file", &number.to_string()).file("tree/sub/.devloop/x", &number.to_string());
        project.file("tree/own/other", &number.to_string());
    }
    let told = beacon(&project, 1);
    assert!(told.iter().all(|file| file == "own/other"), "{told:?}");
    assert!(!told.is_empty());
    // Each run saved the state and wrote a log: none of it gave another run.
    let again = beacon(&project, 2);
    assert_eq!(told, again);
    assert!(session.stop().success());
}

/// The files that runs of `all` were told before the run of a beacon.
fn beacon(project: &Project, number: usize) -> Vec<String> {
    project.file("tree/zzz", &number.to_string());
    let text = e2e::wait::file(&project.path("tree/runs"), |text| text.matches("zzz\t").count() >= number);
    let lines = text.lines().filter(|line| line.starts_with("all\t"));
    lines.flat_map(|line| serde_json::from_str::<Vec<String>>(line.split('\t').nth(1).unwrap()).unwrap()).collect()
}

// promise: watch.skip.2
#[test]
fn what_git_ignores_and_its_own_folders_are_skipped_unless_a_pattern_names_them() {
    let project = recording("[watch.all]\npaths = [\"**/*.txt\", \"named/*.txt\", \".hg/*.txt\"]\n");
    project.file(".gitignore", "build/\nnamed/\n").file("sub/.gitignore", "made/\n");
    let files = [
        "build/a.txt",
        "sub/build/a.txt",
        "sub/made/a.txt",
        ".git/a.txt",
        ".jj/a.txt",
        "sub/.git/a.txt",
        "seen/a.txt",
        "made/a.txt",
        "named/a.txt",
        ".hg/a.txt",
    ];
    for file in files {
        project.file(file, "old");
    }
    let mut session = project.run_watching();
    for file in files {
        project.file(file, "new");
    }
    assert_eq!(files_of(&project.runs_of_all()), [".hg/a.txt", "made/a.txt", "named/a.txt", "seen/a.txt"]);
    assert!(session.stop().success());
}

// promise: watch.skip.3
#[test]
fn rules_above_root_do_not_hide_it_and_the_git_part_can_be_turned_off() {
    let project = Project::new(programs!());
    project.file(".gitignore", "tree/\n*\n").file(".git/config", "").file("tree/.gitignore", "build/\n");
    for gitignore in [true, false] {
        let text = format!(
            "root = \"tree\"\ndebounce_ms = 0\n[watcher]\ngitignore = {gitignore}\n[watch.all]\npaths = [\"**/*.txt\"]\n"
        );
        project.record(&["all"], &text);
        project.file("tree/a.txt", "old").file("tree/build/a.txt", "old").file("tree/runs", "");
        let mut session = project.run_watching();
        project.file("tree/build/a.txt", "new").file("tree/a.txt", "new");
        let told = beacon(&project, 1);
        assert_eq!(told.contains(&"build/a.txt".to_owned()), !gitignore, "{told:?}");
        assert!(told.contains(&"a.txt".to_owned()), "{told:?}");
        assert!(session.stop().success());
    }
}

// promise: watch.pattern.4
#[test]
fn a_path_that_ignore_matches_does_not_belong_to_its_group() {
    let project = recording("[watch.all]\npaths = [\"src/\"]\nignore = [\"**/*.tmp\", \"src/out/\"]\n");
    let mut session = project.run_watching();
    project.file("src/a.tmp", "").file("src/deep/b.tmp", "").file("src/out/c.rs", "").file("src/d.rs", "");
    assert_eq!(files_of(&project.runs_of_all()), ["src/d.rs", "src/deep"]);
    assert!(session.stop().success());
}
