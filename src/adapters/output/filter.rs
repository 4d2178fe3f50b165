//! What a child's line may do to a terminal: print text and change its colours, nothing else.
//!
//! Pure, and a line at a time: no state outlives a line, so the next line is always clean. Of escape sequences only SGR
//! (`CSI [0-9;:]* m`, ECMA-48 8.3.117) passes, without conceal (8), and only where the stream has colours. Every other
//! sequence is removed whole, 8-bit forms included. A sequence that is not finished within [`SEQUENCE_MAX`] bytes of its
//! line, or is no legal sequence, is text: its introducer is shown as `^[`, or as U+FFFD for an 8-bit one.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2, memchr3};

/// Bytes of one escape sequence, its introducer included; what is longer is shown as text.
pub(super) const SEQUENCE_MAX: usize = 4096;

const DIM: &[u8] = b"\x1b[2m";
const RESET: &[u8] = b"\x1b[0m";
const REPLACEMENT: &str = "\u{fffd}";

/// How a line's body looks on one stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    /// The stream shows colours: those of the child pass.
    pub(super) colours: bool,
    /// The body is dim, again after each colour of the child. Without colours it is not.
    pub(super) dim: bool,
}

/// Appends the line as it may be shown: printable text, tabs and colours, the colours closed at its end.
pub(super) fn show(line: &[u8], look: Look, out: &mut Vec<u8>) {
    let dim = look.dim && look.colours;
    if dim {
        out.extend_from_slice(DIM);
    }
    let mut coloured = dim;
    if is_printable(line) {
        out.extend_from_slice(line);
    } else {
        for piece in (Pieces { rest: line }) {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Control(byte) => out.extend_from_slice(&[b'^', byte ^ 0x40]),
                Piece::Open([0x1b, ..]) => out.extend_from_slice(b"^["),
                Piece::Broken(_) | Piece::Open(_) => out.extend_from_slice(REPLACEMENT.as_bytes()),
                Piece::Colour(parameters) if look.colours => {
                    if let Some(active) = paint(parameters, out) {
                        coloured = active || dim;
                        if dim {
                            out.extend_from_slice(DIM);
                        }
                    }
                }
                Piece::Colour(_) | Piece::Removed => {}
            }
        }
    }
    if coloured {
        out.extend_from_slice(RESET);
    }
}

/// The line's words alone, as rules see them: no sequences, no control characters but tabs.
pub(super) fn words(line: &[u8]) -> Cow<'_, str> {
    if is_printable(line)
        && let Ok(text) = str::from_utf8(line)
    {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(line.len());
    for piece in (Pieces { rest: line }) {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Broken(_) => out.extend_from_slice(REPLACEMENT.as_bytes()),
            Piece::Control(_) | Piece::Open(_) | Piece::Colour(_) | Piece::Removed => {}
        }
    }
    Cow::Owned(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// How many bytes of an unfinished line can be shown without cutting a character or a sequence.
pub(super) fn whole_prefix(line: &[u8]) -> usize {
    if is_printable(line) {
        return line.len();
    }
    let mut pieces = Pieces { rest: line };
    loop {
        let at = line.len() - pieces.rest.len();
        match pieces.next() {
            Some(Piece::Open(_)) => return at,
            Some(Piece::Broken(bytes)) if pieces.rest.is_empty() && is_cut_character(bytes) => return at,
            Some(_) => {}
            None => return line.len(),
        }
    }
}

/// Whether the line is printable as it is: valid UTF-8 without control characters but tabs. Written so that the
/// compiler turns the usual case, ASCII, into a few vector instructions.
pub(super) fn is_printable(line: &[u8]) -> bool {
    let (mut control, mut high) = (false, false);
    for &byte in line {
        control |= byte == 0x7f || (byte < 0x20 && byte != b'\t');
        high |= byte >= 0x80;
    }
    if control || !high {
        return !control;
    }
    // U+0080 to U+009F are C2 80 to C2 9F.
    str::from_utf8(line).is_ok() && !memchr_iter(0xc2, line).any(|at| matches!(line.get(at + 1), Some(0x80..=0x9f)))
}

/// Whether all bytes are printable ASCII, tabs and line ends: then each of their lines is printable.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|piece| {
        let is_other = |byte: u8| byte >= 0x7f || (byte < 0x20 && byte != b'\t' && byte != b'\n');
        !piece.iter().fold(false, |other, byte| other | is_other(*byte))
    })
}

#[derive(Debug)]
enum Piece<'a> {
    /// Printable UTF-8 and tabs.
    Text(&'a [u8]),
    /// A lone control character, to be shown in caret notation.
    Control(u8),
    /// Bytes that are no UTF-8.
    Broken(&'a [u8]),
    /// The introducer of a sequence that the line ends in the middle of; the whole rest of the line is given, only the
    /// introducer is consumed.
    Open(&'a [u8]),
    /// The parameters of an SGR sequence.
    Colour(&'a [u8]),
    /// A sequence that is not for us.
    Removed,
}

struct Pieces<'a> {
    rest: &'a [u8],
}

impl<'a> Pieces<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let first = *self.rest.first()?;
        let text = text_length(self.rest);
        if text > 0 {
            return Some(Piece::Text(self.take(text)));
        }
        let introducer = usize::from(first == 0xc2) + 1;
        match sequence(self.rest) {
            Sequence::Colour { length, parameters } => {
                let (from, to) = parameters;
                Some(Piece::Colour(&self.take(length)[from..to]))
            }
            Sequence::Other { length } => {
                self.take(length);
                Some(Piece::Removed)
            }
            Sequence::Open => {
                let open = self.rest;
                self.take(introducer.min(open.len()));
                Some(Piece::Open(open))
            }
            Sequence::None if first < 0x80 => {
                self.take(1);
                Some(Piece::Control(first))
            }
            Sequence::None => {
                let length = character(self.rest).unwrap_or_else(|broken| broken);
                Some(Piece::Broken(self.take(length)))
            }
        }
    }
}

/// How many bytes from the start are printable text.
fn text_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\t' | 0x20..=0x7e => at += 1,
            0x00..=0x1f | 0x7f => break,
            0x80.. => match character(&bytes[at..]) {
                Ok(_) if byte == 0xc2 && bytes[at + 1] < 0xa0 => break,
                Ok(length) => at += length,
                Err(_) => break,
            },
        }
    }
    at
}

/// The length of the character that begins here, or of the bytes that one U+FFFD stands for.
fn character(bytes: &[u8]) -> Result<usize, usize> {
    let window = &bytes[..bytes.len().min(4)];
    match str::from_utf8(window) {
        Ok(text) => Ok(text.chars().next().map_or(1, char::len_utf8)),
        Err(error) if error.valid_up_to() > 0 => Ok(match window[0] {
            0x00..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0.. => 4,
        }),
        Err(error) => Err(error.error_len().unwrap_or(window.len())),
    }
}

/// Whether more bytes could make these a character.
fn is_cut_character(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

enum Sequence {
    Colour {
        length: usize,
        parameters: (usize, usize),
    },
    Other {
        length: usize,
    },
    /// The line ends before the sequence does.
    Open,
    /// No sequence begins here, or none that ends in time.
    None,
}

/// The sequence that begins here (ECMA-48 5.3 to 5.6; ECMA-35 13.2 for those with intermediate bytes).
fn sequence(bytes: &[u8]) -> Sequence {
    let (kind, body) = match *bytes {
        [0x1b | 0xc2] => return Sequence::Open,
        [0x1b, kind, ..] => (kind, 2),
        [0xc2, control @ 0x80..=0x9f, ..] => (control - 0x40, 2),
        // A lone C1 byte is no UTF-8; only those that begin something are taken for what they say.
        [control @ (0x90 | 0x98 | 0x9b | 0x9d..=0x9f), ..] => (control - 0x40, 1),
        _ => return Sequence::None,
    };
    let limited = &bytes[..bytes.len().min(SEQUENCE_MAX)];
    let found = match kind {
        b'[' => control_sequence(limited, body),
        b']' => control_string(limited, body, true),
        b'P' | b'X' | b'^' | b'_' => control_string(limited, body, false),
        0x20..=0x2f => shift(limited, body),
        0x30..=0x7e => Sequence::Other { length: body },
        _ => Sequence::None,
    };
    if matches!(found, Sequence::Open) && limited.len() < bytes.len() { Sequence::None } else { found }
}

/// `CSI`, parameters, intermediates, final.
fn control_sequence(bytes: &[u8], body: usize) -> Sequence {
    let parameters = run(bytes, body, 0x30..=0x3f);
    let intermediates = run(bytes, parameters, 0x20..=0x2f);
    match bytes.get(intermediates) {
        None => Sequence::Open,
        Some(b'm') if intermediates == parameters && bytes[body..parameters].iter().all(|byte| *byte <= b';') => {
            Sequence::Colour { length: parameters + 1, parameters: (body, parameters) }
        }
        Some(0x40..=0x7e) => Sequence::Other { length: intermediates + 1 },
        Some(_) => Sequence::None,
    }
}

/// `ESC`, intermediates, final: character sets and the like.
fn shift(bytes: &[u8], body: usize) -> Sequence {
    let intermediates = run(bytes, body, 0x20..=0x2f);
    match bytes.get(intermediates) {
        None => Sequence::Open,
        Some(0x30..=0x7e) => Sequence::Other { length: intermediates + 1 },
        Some(_) => Sequence::None,
    }
}

fn run(bytes: &[u8], from: usize, wanted: std::ops::RangeInclusive<u8>) -> usize {
    from + bytes[from..].iter().take_while(|byte| wanted.contains(byte)).count()
}

/// OSC, DCS, APC, PM, SOS: up to ST in any of its forms; BEL ends an OSC too. CAN and SUB abort a string, and so does any
/// other escape, which then counts for itself.
fn control_string(bytes: &[u8], body: usize, bell_ends: bool) -> Sequence {
    let mut from = body;
    loop {
        let rest = &bytes[from..];
        let a = memchr3(0x1b, 0x9c, 0x07, rest);
        let b = memchr2(0x18, 0x1a, &rest[..a.unwrap_or(rest.len())]);
        let Some(at) = b.or(a).map(|at| from + at) else { return Sequence::Open };
        match bytes[at] {
            0x18 | 0x1a => return Sequence::Other { length: at + 1 },
            0x07 if bell_ends => return Sequence::Other { length: at + 1 },
            0x1b => {
                return match bytes.get(at + 1) {
                    None => Sequence::Open,
                    Some(b'\\') => Sequence::Other { length: at + 2 },
                    Some(_) => Sequence::Other { length: at },
                };
            }
            // Inside a character 9C is a byte like any other.
            0x9c if at == body || bytes[at - 1] < 0x80 || bytes[at - 1] == 0xc2 => {
                return Sequence::Other { length: at + 1 };
            }
            _ => from = at + 1,
        }
    }
}

/// Appends the SGR sequence without conceal. Answers whether a colour or style is on after it; nothing when there was
/// nothing left to append.
fn paint(parameters: &[u8], out: &mut Vec<u8>) -> Option<bool> {
    let values: Vec<&[u8]> = parameters.split(|byte| *byte == b';').collect();
    let mut kept: Vec<&[u8]> = Vec::with_capacity(values.len());
    let mut at = 0;
    while at < values.len() {
        let value = values[at];
        let length = match number(value) {
            // 38, 48 and 58 take what follows as a colour: `5;N` or `2;R;G;B` (ITU-T T.416 13.1.8).
            38 | 48 | 58 if !value.contains(&b':') => match values.get(at + 1).map(|next| number(next)) {
                Some(5) => 3,
                Some(2) => 5,
                _ => 1,
            },
            8 => 0,
            _ => 1,
        };
        let until = (at + length).min(values.len());
        kept.extend_from_slice(&values[at..until]);
        at = until.max(at + 1);
    }
    if kept.is_empty() {
        return None;
    }
    out.extend_from_slice(b"\x1b[");
    out.extend_from_slice(&kept.join(&b';'));
    out.push(b'm');
    Some(!kept.iter().all(|value| number(value) == 0 && !value.contains(&b':')))
}

/// The number before any colon; an absent one is zero.
fn number(value: &[u8]) -> u32 {
    value
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
