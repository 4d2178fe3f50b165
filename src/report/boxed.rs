//! A frame around one line, by display width.

use std::fmt::Write as _;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The narrowest text column that a frame is wrapped to.
const COLUMNS_MIN: usize = 20;

/// A frame around a line; a line that is wider than the terminal is wrapped. Ends with a line feed.
pub fn frame(text: &str, columns: Option<usize>) -> String {
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(4).max(COLUMNS_MIN));
    let lines = wrap(text, room);
    let width = lines.iter().map(|line| line.width()).max().unwrap_or(0);
    let edge = "─".repeat(width + 2);
    let mut frame = format!("┌{edge}┐\n");
    for line in &lines {
        let pad = " ".repeat(width - line.width());
        // Writing into a string cannot fail.
        let _ = writeln!(frame, "│ {line}{pad} │");
    }
    frame + &format!("└{edge}┘\n")
}

/// Breaks a line where the next character would not fit; a URL has no better places.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if used + width > room {
            lines.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(frame("日本", None), "┌──────┐\n│ 日本 │\n└──────┘\n");
    }

    #[test]
    fn a_line_wider_than_the_terminal_is_wrapped_inside_its_frame() {
        let framed = frame(&"x".repeat(30), Some(24));
        assert_eq!(framed.lines().count(), 4);
        assert!(framed.lines().all(|line| line.width() == 24), "{framed}");
    }
}
