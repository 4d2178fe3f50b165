//! Watches live before the first workflow runs.

use e2e::{Project, programs, wait};

// promise: watch.live.1
#[test]
fn a_startup_hook_that_writes_a_watched_file_starts_its_workflow() {
    for _ in 0..5 {
        let project = Project::new(programs!());
        project.record(
            &["src"],
            "startup_workflows = [\"prepare\"]\n[watch.src]\npaths = [\"src/\"]\n\
             [hook.write]\ncommand = [\"sh\", \"-c\", \"mkdir -p src && echo made > src/file\"]\n\
             [workflow.prepare]\nsteps = [{ action = \"run_hook\", hook = \"write\" }]\n",
        );
        let mut session = project.run();
        let runs = project.wait_for_runs(1);
        assert_eq!((runs[0].files.as_slice(), runs[0].content.as_str()), (&["src/file".to_owned()][..], "made"));
        assert!(session.stop().success());
    }
}

#[test]
fn a_file_that_is_saved_while_a_startup_workflow_runs_is_not_lost() {
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(
        &["src"],
        "startup_workflows = [\"prepare\"]\n[watch.src]\npaths = [\"src/\"]\n\
         [hook.prepare]\ncommand = [\"PUPPET\", \"append\", \"began\", \"x\", \"await-file\", \"go\"]\nlocks = [\"l\"]\n\
         [workflow.prepare]\nsteps = [{ action = \"run_hook\", hook = \"prepare\" }, { action = \"run_hook\", hook = \"record\" }]\n",
    );
    let mut session = project.run();
    wait::lines(&project.path("began"), 1);
    project.file("src/file", "new");
    project.file("go", "");
    let runs = project.wait_for_runs(2);
    let run = runs.iter().find(|run| run.workflow == "src").unwrap();
    assert_eq!((run.files[0].as_str(), run.content.as_str()), ("src/file", "new"));
    assert!(session.stop().success());
}

#[test]
fn watches_are_told_before_the_first_startup_workflow() {
    let project = Project::new(programs!());
    project.config("startup_workflows = [\"unused\"]\n");
    let mut session = project.run();
    session.wait_for("running workflow unused");
    let lines = session.stderr_lines();
    let at = |fragment: &str| lines.iter().position(|line| line.contains(fragment)).unwrap();
    assert!(at("watching ") < at("running workflow unused"), "{lines:?}");
    assert!(session.stop().success());
}

// promise: watch.live.2
#[test]
fn each_registered_target_has_a_line_and_folders_with_all_below_them_say_so() {
    let project = Project::new(programs!());
    project.config("[watch.a]\npaths = [\"src/\", \"Cargo.toml\"]\nworkflow = \"w\"\n[workflow.w]\nsteps = []\n");
    project.file("src/x", "").file("Cargo.toml", "");
    let mut session = project.run_watching();
    session.wait_for_count("watching ", 2);
    let root = project.root();
    let lines: Vec<String> =
        session.stderr_lines().iter().filter_map(|line| Some(line.split_once("watching ")?.1.to_owned())).collect();
    assert!(lines.contains(&format!("{}/src (recursive)", root.display())), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with(root.to_str().unwrap()) && !line.contains("(recursive)")),
        "{lines:?}"
    );
    assert!(session.stop().success());
}
