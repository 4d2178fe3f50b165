//! Bytes of one stream to lines: `\n`, `\r` and `\r\n` end a line, a line that gets too long is broken.
//!
//! Pure: how the bytes were split into reads changes nothing. A line that was shown unfinished keeps its beginning, so
//! that rules see all of it once it ends.

use memchr::memchr2;

use super::filter;
use super::secrets::{Secrets, TOKEN_PREFIX};

/// Bytes of a line that are shown together; a longer line is broken with [`BREAK_MARK`] and goes on as a new one.
pub(super) const LINE_MAX: usize = 64 * 1024;

/// What stands at the end of each part of a broken line but the last.
pub(super) const BREAK_MARK: &str = " …";

/// A line, or as much of it as there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The raw bytes, without the line end.
    pub(super) whole: &'a [u8],
    /// How many of `whole` were shown earlier, as an unfinished line.
    pub(super) shown: usize,
    /// It was too long and goes on in the next line.
    pub(super) broken: bool,
}

impl<'a> Line<'a> {
    /// What is still to be shown.
    pub(super) fn unseen(&self) -> &'a [u8] {
        &self.whole[self.shown..]
    }
}

/// The unfinished line of one stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
    shown: usize,
    after_return: bool,
}

impl Lines {
    /// Takes the next bytes of the stream and gives every line that they finish to `each`.
    pub(super) fn feed(&mut self, mut bytes: &[u8], secrets: &Secrets, each: &mut impl FnMut(Line<'_>)) {
        if self.after_return && !bytes.is_empty() {
            self.after_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(at) = memchr2(b'\n', b'\r', bytes) {
            self.finish(&bytes[..at], secrets, each);
            let returned = bytes[at] == b'\r';
            bytes = &bytes[at + 1..];
            if returned {
                self.after_return = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.hold(bytes, secrets, each);
    }

    /// The beginning of a line that has no end yet.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Whether there is text that nobody has seen yet.
    pub(super) fn has_unseen(&self) -> bool {
        self.pending.len() > self.shown
    }

    /// The stream is silent: shows the unfinished line, except for a character, sequence or token that is cut in the
    /// middle.
    pub(super) fn silent(&mut self, secrets: &Secrets, each: &mut impl FnMut(Line<'_>)) {
        let cut = filter::whole_prefix(&self.pending);
        let cut = secrets.before_token(&self.pending, cut, TOKEN_PREFIX.len());
        if cut > self.shown {
            each(Line { whole: &self.pending[..cut], shown: self.shown, broken: false });
            self.shown = cut;
        }
    }

    /// Nothing more will come: shows all that is left.
    pub(super) fn end(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if self.has_unseen() {
            each(Line { whole: &self.pending, shown: self.shown, broken: false });
        }
        *self = Self::default();
    }

    fn finish(&mut self, part: &[u8], secrets: &Secrets, each: &mut impl FnMut(Line<'_>)) {
        if self.pending.is_empty() && part.len() <= LINE_MAX {
            each(Line { whole: part, shown: 0, broken: false });
            return;
        }
        self.hold(part, secrets, each);
        // The end of a line that was shown to its last byte is no empty line of its own.
        if self.has_unseen() {
            each(Line { whole: &self.pending, shown: self.shown, broken: false });
        }
        self.pending.clear();
        self.shown = 0;
    }

    /// Keeps the bytes until their line ends; each byte is copied once, however small the reads are.
    fn hold(&mut self, mut bytes: &[u8], secrets: &Secrets, each: &mut impl FnMut(Line<'_>)) {
        while self.pending.len() + bytes.len() > LINE_MAX {
            let (fits, rest) = bytes.split_at(LINE_MAX - self.pending.len());
            self.pending.extend_from_slice(fits);
            bytes = rest;
            let cut = secrets.before_token(&self.pending, filter::whole_prefix(&self.pending), 1);
            let cut = cut.max(self.shown).max(1);
            each(Line { whole: &self.pending[..cut], shown: self.shown, broken: true });
            self.pending.drain(..cut);
            self.shown = 0;
        }
        self.pending.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::super::secrets::TOKEN_BYTES;
    use super::*;

    fn lines_of(reads: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mut each = |line: Line<'_>| seen.push((line.unseen().to_vec(), line.broken));
        for read in reads {
            lines.feed(read, &Secrets::default(), &mut each);
        }
        lines.end(&mut each);
        seen
    }

    fn texts(reads: &[&[u8]]) -> Vec<String> {
        lines_of(reads).into_iter().map(|(bytes, _)| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn each_kind_of_line_end_ends_a_line_once() {
        assert_eq!(texts(&[b"a\nb\rc\r\nd\n\ne\r\r\nf"]), ["a", "b", "c", "d", "", "e", "", "f"]);
    }

    #[test]
    fn a_return_and_newline_split_across_reads_end_one_line() {
        assert_eq!(texts(&[b"a\r", b"\nb\r", b"", b"\n", b"c\r", b"d"]), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_whole_and_one_more_byte_breaks_it() {
        let mut bytes = vec![b'x'; LINE_MAX];
        bytes.push(b'\n');
        assert_eq!(lines_of(&[&bytes]), [(bytes[..LINE_MAX].to_vec(), false)]);
        let longer = vec![b'x'; LINE_MAX + 1];
        assert_eq!(lines_of(&[&longer]), [(longer[1..].to_vec(), true), (b"x".to_vec(), false)]);
    }

    #[test]
    fn a_long_line_is_broken_between_characters_and_sequences() {
        let mut bytes = vec![b'x'; LINE_MAX - 1];
        bytes.extend("é".as_bytes());
        assert_eq!(lines_of(&[&bytes])[1].0, "é".as_bytes());
        let mut bytes = vec![b'x'; LINE_MAX - 3];
        bytes.extend(b"\x1b[31mred");
        assert_eq!(lines_of(&[&bytes])[1].0, b"\x1b[31mred");
    }

    #[test]
    fn what_was_shown_unfinished_is_not_shown_again() {
        let (mut lines, secrets) = (Lines::default(), Secrets::default());
        let mut seen = Vec::new();
        let mut each = |line: Line<'_>| seen.push((line.whole.to_vec(), line.unseen().to_vec()));
        lines.feed(b"port 80", &secrets, &mut each);
        lines.silent(&secrets, &mut each);
        lines.silent(&secrets, &mut each);
        lines.feed(b"80\n", &secrets, &mut each);
        lines.feed(b"prompt> ", &secrets, &mut each);
        lines.silent(&secrets, &mut each);
        lines.feed(b"\nnext\n", &secrets, &mut each);
        let seen: Vec<_> =
            seen.into_iter().map(|(a, b)| (String::from_utf8(a).unwrap(), String::from_utf8(b).unwrap())).collect();
        let expected = [("port 80", "port 80"), ("port 8080", "80"), ("prompt> ", "prompt> "), ("next", "next")];
        assert_eq!(seen, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn neither_a_break_nor_silence_cuts_a_hidden_token() {
        let token = [TOKEN_PREFIX.as_slice(), &[b'7'; TOKEN_BYTES - 4]].concat();
        let secrets = Secrets::default();
        secrets.hide(token[..].try_into().unwrap());
        for before in (LINE_MAX - TOKEN_BYTES..=LINE_MAX).chain([10]) {
            let bytes = [&vec![b'x'; before][..], &token, b"yz"].concat();
            for at in [before + 4, before + TOKEN_BYTES / 2, before + TOKEN_BYTES, bytes.len()] {
                let mut lines = Lines::default();
                let mut seen = Vec::new();
                let mut each = |line: Line<'_>| seen.push(line.unseen().to_vec());
                lines.feed(&bytes[..at], &secrets, &mut each);
                lines.silent(&secrets, &mut each);
                lines.feed(&bytes[at..], &secrets, &mut each);
                lines.end(&mut each);
                let whole = seen.iter().filter(|part| memchr::memmem::find(part, &token).is_some()).count();
                assert_eq!((whole, seen.concat() == bytes), (1, true), "{before} {at}");
            }
        }
    }

    #[test]
    fn any_split_into_reads_gives_the_same_lines() {
        for seed in 0..150 {
            let mut dice = Dice::new(seed);
            let input = dice.bytes_like_output(if seed % 10 == 0 { 3 * LINE_MAX } else { 2000 });
            let whole = lines_of(&[&input]);
            let mut rest = &input[..];
            let mut reads = Vec::new();
            let longest = if input.len() > 10_000 { 5000 } else { 9 };
            while !rest.is_empty() {
                let (read, later) = rest.split_at((1 + dice.below(longest)).min(rest.len()));
                reads.push(read);
                rest = later;
            }
            assert_eq!(lines_of(&reads), whole, "seed {seed}");
            assert!(whole.iter().all(|(line, _)| line.len() <= LINE_MAX), "seed {seed}");
        }
    }
}
