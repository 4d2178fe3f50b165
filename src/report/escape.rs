//! Text from elsewhere, shown as one line that cannot move a cursor, forge a line or hide its direction.

use std::fmt::Write as _;

/// One line of printable text: controls, line ends, and characters that reorder or hide text are shown escaped.
pub fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => {
                // Writing into a string cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that change the order of text or show nothing (Unicode 16: `Bidi_Control`, zero-width, separators).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_controls_and_reordering_are_shown_and_not_done() {
        assert_eq!(one_line("a\nb\r\x1b[2J\u{202e}\u{9b}é"), "a\\nb\\r\\u{1b}[2J\\u{202e}\\u{9b}é");
    }
}
