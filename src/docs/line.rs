//! Lines of styled text: measuring them in columns, wrapping them, and writing them with or without SGR.

use super::markdown::{Span, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// One line of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    parts: Vec<Span>,
}

impl Line {
    pub(super) fn plain(text: &str) -> Self {
        let mut line = Self::default();
        line.push(text, Style::default());
        line
    }

    /// Adds text; neighbours of one style become one part, so a line has no needless SGR.
    pub(super) fn push(&mut self, text: &str, style: Style) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(last) if last.style == style => last.text.push_str(text),
            _ => self.parts.push(Span { text: text.to_owned(), style }),
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        for part in &other.parts {
            self.push(&part.text, part.style);
        }
    }

    /// Columns on a terminal.
    pub(super) fn width(&self) -> usize {
        self.parts.iter().map(|part| part.text.width()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The line with `prefix` before it; nothing is added to an empty line but what shows.
    pub(super) fn after(&self, prefix: &str) -> Self {
        let mut line = Self::plain(if self.is_empty() { prefix.trim_end() } else { prefix });
        line.append(self);
        line
    }

    /// The line as it is written, without blanks at its end and with every style closed.
    pub(super) fn painted(&self, colors: bool) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match sgr(part.style) {
                Some(codes) if colors => {
                    text.push_str("\x1b[");
                    text.push_str(&codes);
                    text.push('m');
                    text.push_str(&part.text);
                    text.push_str("\x1b[0m");
                }
                _ => text.push_str(&part.text),
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text
    }

    fn first_style(&self) -> Option<Style> {
        self.parts.first().map(|part| part.style)
    }

    fn last_style(&self) -> Option<Style> {
        self.parts.last().map(|part| part.style)
    }
}

/// The parameters of Select Graphic Rendition (ECMA-48, 8.3.117) for a style; none for ordinary text.
fn sgr(style: Style) -> Option<String> {
    let codes: Vec<&str> = [(style.bold, "1"), (style.italic, "3"), (style.link, "4"), (style.code, "36")]
        .into_iter()
        .filter_map(|(is_on, code)| is_on.then_some(code))
        .collect();
    (!codes.is_empty()).then(|| codes.join(";"))
}

enum Piece {
    Word(Line),
    Break,
}

/// Words with the styles they have; a word may change its style in the middle (`**bold**,`).
fn pieces(spans: &[Span]) -> Vec<Piece> {
    fn close(word: &mut Line, pieces: &mut Vec<Piece>) {
        if !word.is_empty() {
            pieces.push(Piece::Word(std::mem::take(word)));
        }
    }
    let mut pieces = Vec::new();
    let mut word = Line::default();
    for span in spans {
        for letter in span.text.chars() {
            // A no-break space is white space to `char` and part of a word to a reader.
            if letter.is_whitespace() && letter != '\u{a0}' {
                close(&mut word, &mut pieces);
                if letter == '\n' {
                    pieces.push(Piece::Break);
                }
            } else {
                word.push(letter.encode_utf8(&mut [0; 4]), span.style);
            }
        }
    }
    close(&mut word, &mut pieces);
    pieces
}

/// The text in lines of at most `width` columns; a word that is wider is cut.
pub(super) fn wrap(spans: &[Span], width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::default();
    for piece in pieces(spans) {
        let Piece::Word(word) = piece else {
            lines.push(std::mem::take(&mut line));
            continue;
        };
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            // The blank inside of a link or of code belongs to it.
            let both = line.last_style() == word.first_style();
            let style = word.first_style().filter(|_| both).unwrap_or_default();
            line.push(" ", style);
        }
        let mut cut = cut(&word, width);
        if let Some(last) = cut.pop() {
            lines.append(&mut cut);
            line.append(&last);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A word in parts of at most `width` columns.
fn cut(word: &Line, width: usize) -> Vec<Line> {
    if word.width() <= width {
        return vec![word.clone()];
    }
    let mut parts = vec![];
    let mut part = Line::default();
    let mut used = 0;
    for span in &word.parts {
        for letter in span.text.chars() {
            let columns = letter.width().unwrap_or(0);
            if used > 0 && used + columns > width {
                parts.push(std::mem::take(&mut part));
                used = 0;
            }
            part.push(letter.encode_utf8(&mut [0; 4]), span.style);
            used += columns;
        }
    }
    parts.push(part);
    parts
}

/// The columns of the widest word.
pub(super) fn widest_word(spans: &[Span]) -> usize {
    pieces(spans)
        .iter()
        .map(|piece| match piece {
            Piece::Word(word) => word.width(),
            Piece::Break => 0,
        })
        .max()
        .unwrap_or(0)
}
