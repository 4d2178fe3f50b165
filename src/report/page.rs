//! A page of plain text for a terminal: titles, labels with text beside them, commands, all wrapped to its width.

use unicode_width::UnicodeWidthStr;

/// The narrowest column of text.
const ROOM_MIN: usize = 20;

/// How much further in a text goes on that has no label.
const HANGING: usize = 4;

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

    /// A line as it is.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A label and its text, wrapped beside it at spaces. An empty label takes no room; a blank one does.
    pub fn wrapped(&mut self, indent: usize, label: &str, text: &str) {
        let column = if label.is_empty() { indent } else { indent + self.label };
        let mut begin = " ".repeat(indent);
        if !label.is_empty() {
            begin.push_str(&self.painted("36", &format!("{label:<0$}", self.label)));
        }
        for line in filled(text.split(' '), (self.room(column), self.room(column))) {
            self.line(0, &format!("{begin}{line}"));
            begin = " ".repeat(column);
        }
    }

    /// Text, wrapped at spaces; what follows its first line stands further in.
    pub fn hanging(&mut self, mut indent: usize, text: &str) {
        let further = indent + HANGING;
        for line in filled(text.split(' '), (self.room(indent), self.room(further))) {
            self.line(indent, &line);
            indent = further;
        }
    }

    /// An argument vector as a shell would read it back: wrapped between its words only, with `\` at the ends of lines.
    pub fn command<'a>(&mut self, mut indent: usize, words: impl IntoIterator<Item = &'a str>) {
        const MORE: &str = " \\";
        let further = indent + HANGING;
        let lines = filled(words, (self.room(indent + MORE.len()), self.room(further + MORE.len())));
        for (at, line) in lines.iter().enumerate() {
            let more = if at + 1 < lines.len() { MORE } else { "" };
            self.line(indent, &self.painted("1", &format!("{line}{more}")));
            indent = further;
        }
    }

    /// The columns that are left beside so many.
    fn room(&self, column: usize) -> usize {
        self.width.saturating_sub(column).max(ROOM_MIN)
    }
}

/// Words beside each other as long as there is room: so many columns in the first line, and so many in the others.
fn filled<'a>(words: impl IntoIterator<Item = &'a str>, (mut room, next): (usize, usize)) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
            room = next;
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn text_stands_beside_its_label_and_wraps_at_spaces_commands_between_their_words() {
        let mut page = Page::new(40, 8, false);
        page.title("a title");
        page.wrapped(2, "first", "one two three four five six seven eight nine ten");
        page.wrapped(2, " ", "日本 日本 日本 日本 日本 日本 日本 日本");
        page.wrapped(0, "", "short");
        page.hanging(4, "one two three four five six seven eight");
        page.command(2, ["sh", "-c", "'one two three four five'", "six", "seven", "eight"]);
        expect![[r"
            a title
              first   one two three four five six
                      seven eight nine ten
                      日本 日本 日本 日本 日本 日本
                      日本 日本
            short
                one two three four five six seven
                    eight
              sh -c 'one two three four five' six \
                  seven eight
        "]]
        .assert_eq(&page.into_text());
    }
}
