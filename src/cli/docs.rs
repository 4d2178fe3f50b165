//! `devloop docs [TOPIC]`: the reference, rendered for this terminal.

use super::{page_width, print, stdout_colors};
use crate::docs;
use crate::failure::Failure;
use crate::report::escape::one_line;

pub(super) fn main(topic: Option<&str>) -> Result<(), Failure> {
    let columns = page_width();
    let colors = stdout_colors();
    let Some(name) = topic else {
        return print(&docs::index(columns, colors));
    };
    match docs::topic(name) {
        Some(topic) => print(&docs::render(topic.text, columns, colors)),
        None => {
            Err(Failure::UnknownTopic { topic: one_line(name), nearest: docs::nearest(name).map(|topic| topic.name) })
        }
    }
}
