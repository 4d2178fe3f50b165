//! Folders that may not be read, for a user who is not root.

use e2e::session::Session;
use e2e::{Project, programs, wait};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;

/// The user that has no rights (`nobody` on most systems).
const NOBODY: u32 = 65_534;

/// Starts a session as a user for whom permissions count. None where that user may not run the program.
fn unprivileged(project: &Project) -> Option<Session> {
    if !rustix::process::geteuid().is_root() {
        return Some(project.run());
    }
    for path in ["", "src", "src/file", "src/locked", "src/locked/file", "devloop.toml"] {
        chown(project.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut version = project.command(&["--version"]);
    let may_run = version.uid(NOBODY).gid(NOBODY).output().is_ok_and(|output| output.status.success());
    let mut command = project.command(&["run"]);
    command.uid(NOBODY).gid(NOBODY);
    may_run.then(|| Session::start(command))
}

// promise: watch.unreadable.1
#[test]
fn w2_a_folder_that_may_not_be_read_is_named_and_watched_as_soon_as_it_may() {
    for locked in ["src/locked", "src"] {
        let project = Project::new(programs!());
        project.file("src/file", "old").file("src/locked/file", "old");
        project.record(&["src"], "[watch.src]\npaths = [\"src/\"]\n");
        let open = |mode| fs::set_permissions(project.path(locked), Permissions::from_mode(mode)).unwrap();
        open(0o000);
        let Some(mut session) = unprivileged(&project) else { return open(0o755) };
        session.wait_for("watching ");
        let line = session.wait_for("cannot watch");
        assert!(line.contains(locked) && line.contains("ermission denied"), "{line}");
        open(0o755);
        wait::until("it is watched", || {
            project.file("src/locked/file", "new");
            project.runs().iter().any(|run| run.files.iter().any(|file| file == "src/locked/file")).then_some(())
        });
        assert!(session.stop().success(), "{}", session.told());
    }
}
