//! Lines of a log, forward from anywhere and backward from the end, with little memory however long the log is.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt as _;

/// Bytes that are read together.
const BLOCK: usize = 256 * 1024;

/// The longest line that is kept together. devloop writes none of this length; somebody else may have.
const LINE_MAX: usize = 1024 * 1024;

/// Reads lines onward from a place.
#[derive(Debug)]
pub struct Forward<'a> {
    file: &'a File,
    at: u64,
    /// The beginning of a line that has no end yet.
    pending: Vec<u8>,
    block: Vec<u8>,
}

impl<'a> Forward<'a> {
    /// From so many bytes on, which are the beginning of a line.
    pub fn new(file: &'a File, at: u64) -> Self {
        Self { file, at, pending: Vec::new(), block: vec![0; BLOCK] }
    }

    /// Reads on to the end of what is there, and gives each whole line without its end to `each`, until that breaks.
    /// Nothing new is no error. A file that has become shorter is read from its beginning: it was written anew.
    pub fn read(&mut self, each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
        if self.file.metadata()?.len() < self.at {
            self.at = 0;
            self.pending.clear();
        }
        loop {
            let count = match self.file.read_at(&mut self.block, self.at) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            self.at += count as u64;
            if feed(&mut self.pending, &self.block[..count], each).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// The line at the end that has no end, where there is one and nothing more comes.
    pub fn rest_of(&mut self, more_comes: bool) -> Option<Vec<u8>> {
        if more_comes {
            return None;
        }
        Some(std::mem::take(&mut self.pending)).filter(|rest| !rest.is_empty())
    }
}

fn feed(pending: &mut Vec<u8>, bytes: &[u8], each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        match part.strip_suffix(b"\n") {
            Some(end) if pending.is_empty() => each(end)?,
            Some(end) => {
                pending.extend_from_slice(end);
                let line = std::mem::take(pending);
                each(&line)?;
            }
            None => pending.extend_from_slice(part),
        }
        if pending.len() >= LINE_MAX {
            let line = std::mem::take(pending);
            each(&line)?;
        }
    }
    ControlFlow::Continue(())
}

/// Where the last so many lines begin that `accepts` takes, of those that lie whole in a range that begins with a line.
/// Where there are fewer, the beginning of the range.
pub fn begin_of_last(
    file: &File,
    range: Range<u64>,
    count: usize,
    accepts: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<u64> {
    let mut wanted = count;
    // The end of a line whose beginning is not read yet.
    let mut tail: Vec<u8> = Vec::new();
    let mut end = range.end;
    let mut is_last = true;
    while end > range.start && wanted > 0 {
        let begin = range.start.max(end.saturating_sub(BLOCK as u64));
        let mut text = vec![0; usize::try_from(end - begin).unwrap_or(BLOCK)];
        file.read_exact_at(&mut text, begin)?;
        text.append(&mut tail);
        let mut until = text.len();
        if std::mem::take(&mut is_last) && text.ends_with(b"\n") {
            until -= 1;
        }
        while let Some(at) = text[..until].iter().rposition(|byte| *byte == b'\n') {
            wanted -= usize::from(accepts(&text[at + 1..until]));
            if wanted == 0 {
                return Ok(begin + at as u64 + 1);
            }
            until = at;
        }
        text.truncate(until);
        if begin == range.start || text.len() >= LINE_MAX {
            wanted -= usize::from(accepts(&text));
            if wanted == 0 {
                return Ok(begin);
            }
            text.clear();
        }
        tail = text;
        end = begin;
    }
    Ok(if count == 0 { range.end } else { range.start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file_of(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    fn forward(file: &File, at: u64) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut each = |line: &[u8]| {
            lines.push(line.to_vec());
            ControlFlow::Continue(())
        };
        let mut reader = Forward::new(file, at);
        assert!(reader.read(&mut each).unwrap().is_continue());
        lines.extend(reader.rest_of(false));
        lines
    }

    /// Lines of many lengths, some longer than a block, with empty ones between.
    fn text(lines: u32, end: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
        let length = |number: u32| match number % 7 {
            0 => 0,
            3 if number.is_multiple_of(5) => BLOCK + 17,
            other => (number as usize * 7919 * other as usize) % 90_000,
        };
        let lines: Vec<Vec<u8>> =
            (0..lines).map(|number| vec![b'a' + u8::try_from(number % 26).unwrap(); length(number)]).collect();
        let text = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect::<Vec<u8>>();
        let text = text.strip_suffix(b"\n").unwrap_or(&text).iter().copied().chain(end.bytes()).collect();
        (lines, text)
    }

    #[test]
    fn all_lines_are_read_forward_and_any_number_of_them_from_the_end() {
        for end in ["\n", ""] {
            let (lines, text) = text(101, end);
            let file = file_of(&text);
            let length = text.len() as u64;
            assert_eq!(forward(&file, 0), lines);
            for count in [0, 1, 2, 7, 50, 100, 101, 102] {
                let begin = begin_of_last(&file, 0..length, count, &mut |_| true).unwrap();
                assert_eq!(forward(&file, begin), lines[lines.len().saturating_sub(count)..], "{count}");
            }
            // Every third line counts: 101 lines have the numbers 0 to 100.
            let mut number = 101;
            let mut accepts = |_: &[u8]| {
                number -= 1;
                number % 3 == 0
            };
            let begin = begin_of_last(&file, 0..length, 5, &mut accepts).unwrap();
            assert_eq!(forward(&file, begin), lines[87..]);
        }
    }

    #[test]
    fn a_line_without_an_end_waits_and_one_that_never_ends_costs_little_memory() {
        let mut file = file_of(b"one\ntw");
        let reading = file.try_clone().unwrap();
        let mut lines = Vec::new();
        let mut each = |line: &[u8]| {
            lines.push(line.len());
            ControlFlow::Continue(())
        };
        let mut reader = Forward::new(&reading, 0);
        assert!(reader.read(&mut each).unwrap().is_continue());
        file.write_all(b"o\n").unwrap();
        assert!(reader.read(&mut each).unwrap().is_continue());
        file.write_all(&vec![b'x'; 5 * LINE_MAX]).unwrap();
        assert!(reader.read(&mut each).unwrap().is_continue());
        assert!(reader.pending.capacity() <= 2 * LINE_MAX);
        assert_eq!(lines[..2], [3, 3]);
        assert_eq!(lines[2..].iter().sum::<usize>() + reader.rest_of(false).map_or(0, |rest| rest.len()), 5 * LINE_MAX);
        let length = file.metadata().unwrap().len();
        let begin = begin_of_last(&reading, 0..length, 1, &mut |_| true).unwrap();
        assert!(length - begin <= (LINE_MAX + BLOCK) as u64);
    }

    #[test]
    fn a_file_that_was_emptied_is_read_from_its_beginning() {
        let mut file = file_of(b"one\ntwo\n");
        let reading = file.try_clone().unwrap();
        let mut lines = Vec::new();
        let mut each = |line: &[u8]| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            ControlFlow::Continue(())
        };
        let mut reader = Forward::new(&reading, 0);
        assert!(reader.read(&mut each).unwrap().is_continue());
        file.set_len(0).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        file.write_all(b"new\n").unwrap();
        assert!(reader.read(&mut each).unwrap().is_continue());
        assert_eq!(lines, ["one", "two", "new"]);
    }
}
