//! More changes than anyone would make by hand.

use crate::recording_src;
use e2e::recording::files_of;
use e2e::{Project, programs, wait};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn w7_a_continuous_writer_does_not_starve_the_end_of_the_session() {
    let project = recording_src("");
    let mut session = project.run_watching();
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (path, is_over) = (project.path("src"), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                std::fs::write(path.join(format!("f{}", number % 50)), number.to_string()).unwrap();
            }
        })
    };
    project.wait_for_runs(2);
    let began = Instant::now();
    let status = session.stop();
    let took = began.elapsed();
    is_over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(status.success(), "{}", session.told());
    assert!(took < Duration::from_secs(3), "it took {took:?}");
}

/// A hook that copies what it is told about changed files.
const TELLS: &str = "[hook.tell]\ncommand = [\"sh\", \"-c\", '''
printf '%s' \"$DEVLOOP_CHANGED_FILES_JSON\" > told/json.$$
printf '%s' \"$DEVLOOP_CHANGED_FILES_TRUNCATED\" > told/truncated.$$
if [ -n \"$DEVLOOP_CHANGED_FILES_PATH\" ]; then
  cp \"$DEVLOOP_CHANGED_FILES_PATH\" told/path.$$
  stat -c %a \"$DEVLOOP_CHANGED_FILES_PATH\" > told/mode.$$
fi
echo $$ >> told/done''']
[workflow.src]
steps = [{ action = \"run_hook\", hook = \"tell\" }]
";

#[test]
fn w6_a_checkout_of_2000_files_starts_its_hook_with_the_whole_list_in_a_private_file() {
    let project = Project::new(programs!());
    project.record(&[], &format!("[watch.src]\npaths = [\"src/\"]\nleading = false\n{TELLS}"));
    project.file("told/x", "").file("src/x", "");
    let name = |number: u32| format!("a-folder-with-a-long-name/file-number-{number:04}.txt");
    for number in 0..2000 {
        project.file(&format!("tree/{}", name(number)), "");
    }
    let mut session = project.run_watching();
    std::fs::rename(project.path("tree/a-folder-with-a-long-name"), project.path("src/a-folder-with-a-long-name"))
        .unwrap();
    // The new folder counts, too.
    let mut expected = vec!["src/a-folder-with-a-long-name".to_owned()];
    expected.extend((0..2000).map(|number| format!("src/{}", name(number))));
    let pid = wait::lines(&project.path("told/done"), 1)[0].clone();
    let read = |what: &str| std::fs::read_to_string(project.path(&format!("told/{what}.{pid}"))).unwrap();
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap();
    assert_eq!(read("truncated"), "1");
    assert_eq!(list(&read("path")), expected);
    assert_eq!(read("mode").trim(), "600");
    let cut = list(&read("json"));
    assert!(read("json").len() <= 32 * 1024 && !cut.is_empty() && cut.len() < 2000);
    assert_eq!(cut, expected[..cut.len()]);
    assert_eq!(project.state()["last_changed_files"].as_array().unwrap().len(), 2001);
    wait::until("the file goes with its hook", || {
        (std::fs::read_dir(project.path(".devloop/changed")).unwrap().count() == 0).then_some(())
    });
    assert!(session.stop().success(), "{}", session.told());
}

#[test]
fn a_short_list_has_neither_mark_nor_file() {
    let project = Project::new(programs!());
    project.record(&[], &format!("[watch.src]\npaths = [\"src/\"]\n{TELLS}"));
    project.file("told/x", "").file("src/x", "");
    let mut session = project.run_watching();
    project.file("src/a", "");
    let pid = wait::lines(&project.path("told/done"), 1)[0].clone();
    assert_eq!(std::fs::read_to_string(project.path(&format!("told/truncated.{pid}"))).unwrap(), "");
    assert!(!project.path(&format!("told/path.{pid}")).exists());
    assert!(session.stop().success());
}

#[test]
fn w6_files_that_are_switched_back_and_forth_are_all_told() {
    let project = recording_src("");
    let mut session = project.run_watching();
    for round in 0..4 {
        let before = project.runs_of_all().len();
        for number in 0..500 {
            project.file(&format!("src/d{}/f{number}", number % 7), &round.to_string());
        }
        let runs = project.runs_of_all();
        let told = files_of(&runs[before..]);
        let missing: Vec<String> = (0..500)
            .map(|number| format!("src/d{}/f{number}", number % 7))
            .filter(|file| !told.contains(file))
            .collect();
        assert!(missing.is_empty(), "round {round}: {missing:?}");
    }
    assert!(session.stop().success());
}

#[test]
fn w9_a_hook_that_writes_what_it_is_run_for_comes_to_rest_when_the_bytes_stay_the_same() {
    let project = Project::new(programs!());
    project.record(
        &[],
        "debounce_ms = 20\n[watch.src]\npaths = [\"src/\"]\n\
         [hook.format]\ncommand = [\"sh\", \"-c\", \"cmp -s want src/file || cp want src/file\"]\n\
         [workflow.src]\nsteps = [{ action = \"run_hook\", hook = \"format\" }, { action = \"run_hook\", hook = \"record\" }]\n",
    );
    project.file("want", "formatted").file("src/file", "formatted");
    let mut session = project.run_watching();
    project.file("src/file", "not  formatted");
    project.wait_for_runs(2);
    let runs = project.runs_of_all();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(runs[1].content, "formatted");
    assert!(session.stop().success());
}
