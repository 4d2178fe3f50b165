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

/// Characters that change the order of text or show nothing (Unicode 16: `Default_Ignorable_Code_Point`, which has
/// `Bidi_Control` and all of zero width in it; the separators of lines, and the marks of annotations).
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_controls_and_reordering_are_shown_and_not_done() {
        assert_eq!(one_line("a\nb\r\x1b[2J\u{202e}\u{9b}é"), "a\\nb\\r\\u{1b}[2J\\u{202e}\\u{9b}é");
    }

    #[test]
    fn what_shows_nothing_is_shown() {
        for hidden in
            ["\u{ad}", "\u{34f}", "\u{3164}", "\u{180e}", "\u{fe0f}", "\u{206a}", "\u{fffa}", "\u{1d173}", "\u{e0041}"]
        {
            assert!(one_line(&format!("A{hidden}B")).starts_with("A\\u{"), "{}", hidden.escape_unicode());
        }
        assert_eq!(one_line("日本 é ñ 👩 ﬁ"), "日本 é ñ 👩 ﬁ");
    }
}
