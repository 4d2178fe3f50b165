//! The tutorial, carried out: what it says to write is written, what it says to run is run, and it shows what comes.

use e2e::{Project, page, programs, wait};
use std::path::Path;

#[test]
fn the_tutorial_does_what_it_says_and_shows_what_comes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md");
    let text = std::fs::read_to_string(page).unwrap();
    let project = Project::new(programs!());
    // A port that is as long, so that what is drawn is as wide.
    let port = wait::free_port().to_string();
    page::carry_out(&project, &text, &[("14680", &port)]);
}
