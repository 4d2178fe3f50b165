//! Fuzz target `output_filter`: whatever a child writes, a terminal gets printable text, tabs and colours, however the
//! bytes were cut into reads.

use super::super::lines::{Line, Lines};
use super::super::secrets::Secrets;
use super::{Look, is_printable, show, whole_prefix, words};
use crate::fuzz;

const DICTIONARY: &[&str] = &[
    "\x1b",
    "\x1b[",
    "\x1b]",
    "\x1bP",
    "\x1b_",
    "\x1b^",
    "\x1bX",
    "\x1b(",
    "\x1b\\",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[8m",
    "\x1b[38;5;8m",
    "\x1b[2J",
    "\x1b[6n",
    "\x1b[?1049h",
    "\u{9b}",
    "\u{9b}1m",
    "\u{9d}",
    "\u{90}",
    "\u{9c}",
    "\x07",
    "\x08",
    "\x0e",
    "\x18",
    "\x7f",
    "\0",
    "\t",
    "\r",
    "\n",
    "\r\n",
    ";",
    ":",
    "m",
    "é",
    "界",
    "😀",
    "\u{202e}",
];

const LOOKS: [Look; 3] =
    [Look { colours: false, dim: false }, Look { colours: true, dim: false }, Look { colours: true, dim: true }];

/// The law of the room, by an independent reading of what comes out.
fn is_harmless(text: &str, colours: bool) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(|letter: char| letter.is_control() && letter != '\t') {
        let Some(sequence) = rest[at..].strip_prefix("\x1b[") else { return false };
        let length = sequence.find(|letter: char| !matches!(letter, '0'..='9' | ';' | ':')).unwrap_or(sequence.len());
        if !colours || !sequence[length..].starts_with('m') {
            return false;
        }
        rest = &sequence[length..];
    }
    true
}

/// Text that is harmless, without its colours.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| plain + piece.split_once('m').unwrap().1)
}

fn shown(line: &[u8], look: Look) -> String {
    let mut out = Vec::new();
    show(line, look, &mut out);
    String::from_utf8(out).unwrap()
}

/// What a terminal gets of bytes that come in reads of this size.
fn terminal(bytes: &[u8], read: usize) -> Vec<String> {
    let (mut lines, secrets) = (Lines::default(), Secrets::default());
    let mut told = Vec::new();
    let mut each = |line: Line<'_>| told.push(shown(line.whole, LOOKS[1]));
    bytes.chunks(read).for_each(|part| lines.feed(part, &secrets, &mut each));
    lines.end(&mut each);
    told
}

fn check(bytes: &[u8]) {
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        for look in LOOKS {
            let text = shown(line, look);
            assert!(is_harmless(&text, look.colours), "{look:?}: {text:?}");
        }
        let plain = shown(line, LOOKS[0]);
        for look in LOOKS {
            assert_eq!(without_colours(&shown(line, look)), plain, "{look:?}");
        }
        assert!(is_printable(plain.as_bytes()));
        assert_eq!(shown(plain.as_bytes(), LOOKS[0]), plain, "what was filtered stays as it is");
        assert!(!words(line).contains(|letter: char| letter.is_control() && letter != '\t'));
        assert!(whole_prefix(line) <= line.len());
    }
    let whole = terminal(bytes, bytes.len().max(1));
    for read in [1, 3, 64] {
        assert_eq!(terminal(bytes, read), whole, "in reads of {read}");
    }
}

#[test]
fn mutated_output_is_text_tabs_and_colours_however_it_was_cut() {
    fuzz::target("output_filter", DICTIONARY, check);
}
