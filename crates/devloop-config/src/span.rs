//! Byte ranges of the config's text.

use std::ops::Range;

/// A range of bytes inside the text, on character boundaries.
pub(crate) type Span = Range<usize>;

/// The nearest span that lies inside the text on character boundaries.
pub(crate) fn clamped(text: &str, span: &Span) -> Span {
    let start = floor(text, span.start);
    start..floor(text, span.end).max(start)
}

/// The place of `length` bytes of a string's value, `at` bytes after its start. Strings with escapes are pointed at
/// as a whole, because their value is not their text.
pub(crate) fn inside(text: &str, literal: &Span, value: &str, at: usize, length: usize) -> Span {
    let written = text.get(literal.clone()).unwrap_or_default();
    let is_multi_line = written.starts_with("\"\"\"") || written.starts_with("'''");
    let quotes = if is_multi_line { 3 } else { 1 };
    let after_quotes = written.get(quotes..).unwrap_or_default();
    // TOML drops a newline that follows the opening quotes of a multi-line string.
    let newline = ["\r\n", "\n"].into_iter().find(|newline| is_multi_line && after_quotes.starts_with(newline));
    let skip = quotes + newline.map_or(0, str::len);
    let inner = written.get(skip..written.len().saturating_sub(quotes));
    if inner == Some(value) {
        let start = literal.start + skip + at;
        clamped(text, &(start..start + length))
    } else {
        clamped(text, literal)
    }
}

/// The part of the line that holds `at`, up to `at`: where the line begins.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text[..floor(text, at)].rfind('\n').map_or(0, |newline| newline + 1)
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_moved_into_the_text_and_onto_characters() {
        assert_eq!(clamped("aéb", &(2..9)), 1..4);
        assert_eq!(clamped("", &Span { start: 3, end: 1 }), 0..0);
    }

    #[test]
    fn a_place_inside_a_string_is_found_unless_the_string_has_escapes() {
        let text = r#"a = "x$1" b = "\"x$1" c = '''x$1'''"#;
        assert_eq!(&text[inside(text, &(4..9), "x$1", 1, 1)], "$");
        assert_eq!(&text[inside(text, &(14..21), "\"x$1", 2, 1)], r#""\"x$1""#);
        assert_eq!(&text[inside(text, &(26..35), "x$1", 1, 1)], "$");
    }
}
