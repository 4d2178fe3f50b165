//! Names that no shell would love.

use crate::recording_src;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const NAMES: &[&str] = &[
    "with space",
    "quo\"te'",
    "new\nline",
    "tab\there",
    ";$(id)`id`",
    "-rf",
    "esc\u{1b}[2J",
    "日本語",
    "back\\slash",
    "%s{{root}}",
];

#[test]
fn strange_names_are_told_as_they_are_in_the_environment_and_the_state() {
    let project = recording_src("debounce_ms = 20");
    let mut session = project.run_watching();
    let long = "l".repeat(255);
    for name in NAMES.iter().copied().chain([long.as_str()]) {
        let before = project.runs_of_all().len();
        std::fs::write(project.path("src").join(name), "").unwrap();
        let runs = project.wait_for_runs(before + 1);
        assert_eq!(runs[before].files, [format!("src/{name}")]);
        let state = project.state();
        assert_eq!(state["last_changed_files"], serde_json::json!([format!("src/{name}")]), "{name:?}");
    }
    assert!(!session.told().contains('\u{1b}'), "{}", session.told());
    assert!(session.stop().success());
}

#[test]
fn a_name_that_is_not_utf8_appears_with_a_replacement_character_and_runs() {
    let project = recording_src("debounce_ms = 20");
    let mut session = project.run_watching();
    std::fs::write(project.path("src").join(OsStr::from_bytes(b"a\xff\xfeb")), "").unwrap();
    let runs = project.wait_for_runs(1);
    assert!(runs[0].files[0].starts_with("src/a\u{fffd}") && runs[0].files[0].ends_with('b'), "{runs:?}");
    assert!(session.stop().success());
}
