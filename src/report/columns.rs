//! Rows whose columns stand below each other, for pages of `devloop status`.

use unicode_width::UnicodeWidthStr;

/// Blanks between two columns.
const GAP: usize = 2;

/// The rows as lines of at most `width` columns. The first row is the head; the last column takes what is left, and
/// ends with `…` where that is too little.
pub fn lines(rows: &[Vec<String>], width: usize) -> Vec<String> {
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let count = rows.iter().map(Vec::len).min().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(widest).collect();
    rows.iter().map(|row| line(row, &widths, width)).collect()
}

fn line(row: &[String], widths: &[usize], width: usize) -> String {
    let mut line = String::new();
    for (text, column) in row.iter().zip(widths) {
        line.push_str(text);
        line.push_str(&" ".repeat(column.saturating_sub(text.width()) + GAP));
    }
    cut(line.trim_end(), width)
}

/// The columns that a text lacks to be so wide.
pub fn lacking(text: &str, width: usize) -> usize {
    width.saturating_sub(text.width())
}

/// The columns that a text takes.
pub fn width_of(text: &str) -> usize {
    text.width()
}

/// A text that is no wider than that.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() >= width {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_the_last_is_cut() {
        let rows = [["NAME", "STATE", "WHY"], ["日本", "up", "because of something long"], ["a", "", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(lines(&rows, 26), ["NAME  STATE  WHY", "日本  up     because of s…", "a"]);
    }
}
