//! `devloop graph`: inputs, workflows, what their steps touch, and which never run at the same time.

use super::config_file::{self, Checked};
use super::{page_width, print, stdout_colors};
use crate::failure::Failure;
use crate::report::graph::{self, Graph};
use std::path::PathBuf;

/// The words of `--format`; the first is the default.
pub(super) const FORMATS: [&str; 3] = ["text", "mermaid", "dot"];

pub(super) fn main(config: Option<&PathBuf>, format: &str) -> Result<(), Failure> {
    let Checked { plan, .. } = config_file::check(config)?;
    let graph = Graph::of(&plan);
    print(&match format {
        "mermaid" => graph::mermaid(&graph),
        "dot" => graph::dot(&graph),
        _ => graph::text(&plan, &graph, page_width(), stdout_colors()),
    })
}
