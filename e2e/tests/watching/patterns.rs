//! Which paths a pattern means.

use e2e::recording::files_of;
use e2e::{Project, programs};

/// The files of `changed` that a group with these patterns is told.
fn told(patterns: &str, changed: &[&str]) -> Vec<String> {
    let project = Project::new(programs!());
    project.record(&["all"], &format!("debounce_ms = 0\n[watch.all]\npaths = {patterns}\n"));
    let mut session = project.run_watching();
    for file in changed {
        project.file(file, "new");
    }
    let told = files_of(&project.runs_of_all());
    assert!(session.stop().success());
    told
}

// promise: watch.pattern.1
#[test]
fn patterns_are_globs_relative_to_root_and_stars_match_slashes() {
    let changed = ["src/a.rs", "src/b/c.rs", "src/b/c.txt", "other/src/a.rs", "x1y", "x/y", "xay", "q.c", "q.h"];
    assert_eq!(told("[\"src/*.rs\"]", &changed), ["src/a.rs", "src/b/c.rs"]);
    assert_eq!(told("[\"**/*.rs\"]", &changed), ["other/src/a.rs", "src/a.rs", "src/b/c.rs"]);
    assert_eq!(told("[\"x?y\"]", &changed), ["x/y", "x1y", "xay"]);
    assert_eq!(told("[\"x[0-9]y\", \"q.{c,h}\"]", &changed), ["q.c", "q.h", "x1y"]);
}

// promise: watch.pattern.3
#[test]
fn a_leading_dot_and_an_absolute_path_inside_root_mean_the_same_file() {
    let changed = ["style.css", "sub/style.css", "abs/a", "abs/deep/b", "lit"];
    assert_eq!(
        told("[\"./style.css\", \"ROOT/abs/\", \"ROOT/lit\"]", &changed),
        ["abs/a", "abs/deep", "abs/deep/b", "lit", "style.css"]
    );
}

#[test]
fn a_literal_path_without_a_slash_at_its_end_is_a_file() {
    assert_eq!(told("[\"src\", \"file\"]", &["src/a", "file"]), ["file"]);
}

#[test]
fn a_bad_glob_is_refused_by_validate() {
    let project = Project::new(programs!());
    project.config("[watch.all]\npaths = [\"src/[a\"]\nworkflow = \"w\"\n[workflow.w]\nsteps = []\n");
    let output = project.call(&["validate"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("src/[a"), "{told}");
}
