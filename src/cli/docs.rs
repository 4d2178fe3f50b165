//! `devloop docs [TOPIC]`: the reference, rendered for this terminal.

use super::{print, stdout_colors};
use crate::docs;
use crate::failure::Failure;
use rustix::termios::tcgetwinsize;

/// Columns when stdout is no terminal.
const COLUMNS_DEFAULT: usize = 80;
/// Longer lines are hard to read.
const COLUMNS_MAX: usize = 100;

pub(super) fn main(topic: Option<&str>) -> Result<(), Failure> {
    let columns = tcgetwinsize(std::io::stdout())
        .map(|size| usize::from(size.ws_col))
        .ok()
        .filter(|&columns| columns > 0)
        .unwrap_or(COLUMNS_DEFAULT)
        .min(COLUMNS_MAX);
    let colors = stdout_colors();
    let Some(name) = topic else {
        return print(&docs::index(columns, colors));
    };
    match docs::topic(name) {
        Some(topic) => print(&docs::render(topic.text, columns, colors)),
        None => Err(Failure::UnknownTopic { topic: name.to_owned(), nearest: docs::nearest(name) }),
    }
}
