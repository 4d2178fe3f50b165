//! Which changes start which workflows: kinds of saves, bursts, folders that come and go, what is left out.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bursts;
mod faults;
mod floods;
mod folders;
mod left_out;
mod live;
mod names;
mod patterns;
mod saves;
mod storms;
mod unreadable;

use e2e::recording::Run;
use e2e::{Project, programs};

/// A project whose group `src` watches all below `src/` and records its runs.
fn recording_src(top: &str) -> Project {
    let project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(&["src"], &format!("{top}\n[watch.src]\npaths = [\"src/\"]\n"));
    project
}

/// Whether some run was told a file.
fn is_told(runs: &[Run], file: &str) -> bool {
    runs.iter().any(|run| run.files.iter().any(|told| told == file))
}
