//! A page of plain text for a terminal: titles, labels with text beside them, wrapped at spaces.

use unicode_width::UnicodeWidthStr;

/// The narrowest column of text.
const ROOM_MIN: usize = 20;

/// The narrowest page that is laid out.
const WIDTH_MIN: usize = 40;

/// A page that grows.
pub struct Page {
    text: String,
    width: usize,
    label: usize,
    colors: bool,
}

impl Page {
    /// An empty page of so many columns, with labels of so many columns.
    pub fn new(width: usize, label: usize, colors: bool) -> Self {
        Self { text: String::new(), width: width.max(WIDTH_MIN), label, colors }
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Text with the parameters of a colour sequence (`1`: bold), where there are colours.
    pub fn painted(&self, sgr: &str, text: &str) -> String {
        if self.colors { format!("\u{1b}[{sgr}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A bold line.
    pub fn title(&mut self, text: &str) {
        let text = self.painted("1", text);
        self.line(0, &text);
    }

    /// A line as it is: argument vectors are never wrapped.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A label and its text, wrapped beside it at spaces. An empty label takes no room; a blank one does.
    pub fn wrapped(&mut self, indent: usize, label: &str, text: &str) {
        let column = if label.is_empty() { indent } else { indent + self.label };
        let room = self.width.saturating_sub(column).max(ROOM_MIN);
        let mut begin = " ".repeat(indent);
        if !label.is_empty() {
            begin.push_str(&self.painted("36", &format!("{label:<0$}", self.label)));
        }
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > room {
                self.line(0, &format!("{begin}{line}"));
                begin = " ".repeat(column);
                line.clear();
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(0, &format!("{begin}{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn text_stands_beside_its_label_and_wraps_at_spaces() {
        let mut page = Page::new(40, 8, false);
        page.title("a title");
        page.wrapped(2, "first", "one two three four five six seven eight nine ten");
        page.wrapped(2, " ", "日本 日本 日本 日本 日本 日本 日本 日本");
        page.wrapped(0, "", "short");
        expect![[r"
            a title
              first   one two three four five six
                      seven eight nine ten
                      日本 日本 日本 日本 日本 日本
                      日本 日本
            short
        "]]
        .assert_eq(&page.into_text());
    }
}
