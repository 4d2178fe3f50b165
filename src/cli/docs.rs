//! `devloop docs [TOPIC]`: the reference, rendered for this terminal.

use super::{print, stdout_colors};
use crate::docs;
use crate::failure::Failure;
use rustix::termios::tcgetwinsize;

pub(super) fn main(topic: Option<&str>) -> Result<(), Failure> {
    let columns = docs::width(tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)));
    let colors = stdout_colors();
    let Some(name) = topic else {
        return print(&docs::index(columns, colors));
    };
    match docs::topic(name) {
        Some(topic) => print(&docs::render(topic.text, columns, colors)),
        None => {
            Err(Failure::UnknownTopic { topic: name.to_owned(), nearest: docs::nearest(name).map(|topic| topic.name) })
        }
    }
}
