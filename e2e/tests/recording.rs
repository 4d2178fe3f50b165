//! The picture of the README: what it shows is what a session says, and it is well made.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use e2e::wait;
use std::path::Path;
use std::process::Command;

#[test]
fn a_session_says_what_the_picture_of_the_readme_shows() {
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pictures/make");
    let mut check = Command::new("python3");
    check.arg(make).arg("--check").args(["--devloop", env!("CARGO_BIN_EXE_devloop-under-test")]);
    // A port that nobody has; one that is as long, so that what is drawn is as wide.
    let port = wait::free_port().to_string();
    let told = check.env("PORT_OF_RECORDING", &port).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}
