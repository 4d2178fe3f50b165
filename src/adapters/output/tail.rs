//! The last lines of a child, for whoever asks what it said before it failed.
//!
//! Kept of whole batches, after they were masked: a loud child costs a copy of some KiB for each read of its pipe, and
//! nothing for each line.

use memchr::{memchr, memmem};

use super::filter::{self, Look};
use super::label::Label;

/// Bytes that are kept, labels included.
const BYTES_MAX: usize = 4 * 1024;

/// Lines that are given back.
const LINES_MAX: usize = 20;

/// The end of what a child wrote, both its streams in the order in which they were read.
#[derive(Debug)]
pub(super) struct Tail {
    label: Label,
    /// At most twice [`BYTES_MAX`], so that it is moved seldom.
    bytes: Vec<u8>,
    /// The first line lacks its beginning.
    is_cut: bool,
}

impl Tail {
    /// Nothing yet.
    pub(super) fn new(label: Label) -> Self {
        Self { label, bytes: Vec::new(), is_cut: false }
    }

    /// Takes whole lines with their labels.
    pub(super) fn take(&mut self, lines: &[u8]) {
        let last = &lines[lines.len().saturating_sub(BYTES_MAX)..];
        if self.bytes.len() + last.len() > 2 * BYTES_MAX {
            let surplus = (self.bytes.len() + last.len() - BYTES_MAX).min(self.bytes.len());
            self.is_cut = surplus < self.bytes.len() || last.len() < lines.len();
            self.bytes.drain(..surplus);
        } else if last.len() < lines.len() {
            self.bytes.clear();
            self.is_cut = true;
        }
        self.bytes.extend_from_slice(last);
    }

    /// The last lines without their labels, as a terminal may show them.
    pub(super) fn lines(&self, colours: bool) -> Vec<String> {
        let from = self.bytes.len().saturating_sub(BYTES_MAX);
        let kept = &self.bytes[from..];
        let is_whole = from == 0 && !self.is_cut;
        let begin = if is_whole { 0 } else { memchr(b'\n', kept).map_or(0, |at| at + 1) };
        // Of a line that is longer than all that is kept, its end is better than nothing.
        let kept = if begin < kept.len() { &kept[begin..] } else { kept };
        let all: Vec<&[u8]> = kept.split_inclusive(|byte| *byte == b'\n').collect();
        let shown = all[all.len().saturating_sub(LINES_MAX)..].iter();
        shown.map(|line| self.text(line.strip_suffix(b"\n").unwrap_or(line), colours)).collect()
    }

    fn text(&self, line: &[u8], colours: bool) -> String {
        let mut text = line.strip_prefix(self.label.logged()).unwrap_or(line);
        for label in [self.label.shown(false), self.label.shown(true)] {
            // Where there is no log, lines are kept as they are shown: behind a time stamp.
            if text.len() == line.len()
                && let Some(at) = memmem::find(line, label)
            {
                text = &line[at + label.len()..];
            }
        }
        let mut out = Vec::new();
        filter::show(text, Look { colours, dim: false }, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::*;

    fn lines_of(batches: &[&str]) -> Vec<String> {
        let mut tail = Tail::new(Label::new("sh a", 0));
        for batch in batches {
            let labelled = batch.split_inclusive('\n').flat_map(|line| ["[sh a] ", line]).collect::<String>();
            tail.take(labelled.as_bytes());
            assert!(tail.bytes.len() <= 2 * BYTES_MAX);
        }
        tail.lines(false)
    }

    #[test]
    fn the_last_lines_are_kept_without_labels_and_escapes() {
        assert_eq!(lines_of(&[]), [""; 0]);
        assert_eq!(lines_of(&["one\n", "two\x1b[2J\x1b[31m red\n\x07\n"]), ["one", "two red", "^G"]);
        let many = (0..1000).flat_map(|n| ["line ".to_owned(), n.to_string(), "\n".to_owned()]).collect::<String>();
        let kept = lines_of(&[&many, "and\n"]);
        assert_eq!((kept.len(), kept[0].as_str(), kept[19].as_str()), (20, "line 981", "and"));
    }

    #[test]
    fn of_a_line_that_is_longer_than_what_is_kept_the_end_is_shown() {
        let kept = lines_of(&["first\n", &format!("{}end\n", "x".repeat(9000))]);
        assert_eq!(kept.len(), 1);
        assert!(kept[0].ends_with("xend") && kept[0].len() <= BYTES_MAX);
    }

    #[test]
    fn however_lines_come_in_batches_the_last_ones_are_the_same() {
        for seed in 0..200 {
            let mut dice = Dice::new(seed);
            let lines: Vec<String> =
                (0..dice.below(300)).map(|n| format!("{n} {}\n", "y".repeat(dice.below(150)))).collect();
            let mut batches = vec![String::new()];
            for line in &lines {
                if dice.below(4) == 0 {
                    batches.push(String::new());
                }
                batches.last_mut().unwrap().push_str(line);
            }
            let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
            let kept = lines_of(&batches);
            let end: Vec<&str> = lines[lines.len() - kept.len()..].iter().map(|line| line.trim_end()).collect();
            assert_eq!(kept, end, "seed {seed}");
            assert!(kept.len() >= lines.len().min(20), "lines of 160 bytes: twenty fit");
        }
    }
}
