//! A workflow that is wanted again while it runs.

use crate::project;
use e2e::{Project, Session, wait};

/// A session whose workflow `w` runs a hook that tells its files, then waits for the file `go`; and `other`, which
/// shares nothing with it and tells that everything before was heard.
fn session(on_busy: &str) -> (Project, Session) {
    let project = project(&format!(
        "debounce_ms = 20\n[watch.w]\npaths = [\"src/\"]\nleading = false\n\
         [hook.slow]\ncommand = [\"sh\", \"-c\", '''\
         echo \"$DEVLOOP_CHANGED_FILES_JSON\" >> told; trap \"\" INT; sleep 1000 & echo $! >> pids; \
         until [ -e go ]; do sleep 0.01; done; kill $!; echo over >> told''']\n\
         [workflow.w]\non_busy = \"{on_busy}\"\nsteps = [{{ action = \"run_hook\", hook = \"slow\" }}]\n\
         [watch.other]\npaths = [\"other\"]\nleading = false\n\
         [hook.other]\ncommand = [\"sh\", \"-c\", \"echo x >> others\"]\n\
         [workflow.other]\nsteps = [{{ action = \"run_hook\", hook = \"other\" }}]\n",
    ));
    project.file("src/x", "");
    let session = project.run_watching();
    (project, session)
}

/// Saves a file, and returns when the engine has heard of it.
fn save(project: &Project, file: &str, number: usize) {
    project.file(file, &number.to_string()).file("other", &number.to_string());
    wait::lines(&project.path("others"), number);
}

// promise: workflow.busy.1
#[test]
fn queue_keeps_one_waiting_run_with_all_files_that_changed_meanwhile() {
    let (project, mut session) = session("queue");
    project.file("src/a", "");
    wait::lines(&project.path("told"), 1);
    for (number, file) in ["src/d", "src/b", "src/c", "src/b"].iter().enumerate() {
        save(&project, file, number + 1);
    }
    project.file("go", "");
    let told = wait::lines(&project.path("told"), 4);
    assert_eq!(told, ["[\"src/a\"]", "over", "[\"src/b\",\"src/c\",\"src/d\"]", "over"]);
    // Nothing more was waiting.
    save(&project, "unwatched", 5);
    assert_eq!(wait::lines(&project.path("told"), 4).len(), 4);
    assert!(session.stop().success());
}

// promise: workflow.busy.2
#[test]
fn restart_cancels_the_run_with_all_below_its_hook_and_begins_again_with_all_files() {
    let (project, mut session) = session("restart");
    project.file("src/a", "");
    let first: u32 = wait::lines(&project.path("pids"), 1)[0].parse().unwrap();
    project.file("src/b", "");
    let second: u32 = wait::lines(&project.path("pids"), 2)[1].parse().unwrap();
    wait::gone(first);
    session.wait_for("cancelled workflow w");
    project.file("src/c", "");
    wait::lines(&project.path("pids"), 3);
    wait::gone(second);
    project.file("go", "");
    let told = wait::lines(&project.path("told"), 4);
    assert_eq!(told, ["[\"src/a\"]", "[\"src/a\",\"src/b\"]", "[\"src/a\",\"src/b\",\"src/c\"]", "over"]);
    assert!(session.stop().success());
}

// promise: workflow.busy.3
#[test]
fn skip_drops_what_is_wanted_while_the_workflow_runs() {
    let (project, mut session) = session("skip");
    project.file("src/a", "");
    wait::lines(&project.path("told"), 1);
    save(&project, "src/b", 1);
    session.wait_for("skipped workflow w");
    project.file("go", "");
    wait::lines(&project.path("told"), 2);
    session.wait_for("skipped workflow w");
    wait::until("the run is over for devloop, too", || {
        // Once the first run has ended, a save starts the next; the one before it was dropped.
        project.file("src/c", "");
        (wait::lines(&project.path("told"), 2).len() > 2).then_some(())
    });
    let told = wait::lines(&project.path("told"), 3);
    assert_eq!(told[..3], ["[\"src/a\"]", "over", "[\"src/c\"]"]);
    assert!(session.stop().success());
}
