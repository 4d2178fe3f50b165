//! The body of a request, taken out of its framing (RFC 9112, sections 6 and 7), never more than it may be.

use super::answer::Answer;
use super::head::Framing;

/// The longest body, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest line between chunks, its extensions included, and the longest trailer section.
const CHUNK_LINE_BYTES_MAX: usize = 256;
const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// What all framing of one body may be: chunks of one byte have about five bytes around each.
const FRAMING_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;

/// Takes a body apart, however its bytes come.
#[derive(Debug)]
pub(super) struct Body {
    state: State,
    /// What was unframed so far.
    pub(super) bytes: Vec<u8>,
    line: Vec<u8>,
    framing_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(usize),
    Size,
    Chunk(usize),
    ChunkEnd,
    Trailer(usize),
    Done,
}

impl Body {
    /// A body of this framing. A length that is too long is refused before a byte of it is read.
    pub(super) fn new(framing: Framing) -> Result<Self, Answer> {
        let state = match framing {
            Framing::Empty => State::Done,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= BODY_BYTES_MAX => State::Length(length),
                _ => return Err(Answer::BodyTooLarge),
            },
            Framing::Chunked => State::Size,
        };
        Ok(Self { state, bytes: Vec::new(), line: Vec::new(), framing_bytes: 0 })
    }

    /// Whether nothing more belongs to it.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Done
    }

    /// Takes bytes; answers how many belong to the body. Those behind it belong to the next request.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Answer> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            at += self.advance(&bytes[at..])?;
        }
        Ok(at)
    }

    /// Takes at least one byte of a slice that has one.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, Answer> {
        match self.state {
            State::Length(left) => {
                let taken = left.min(bytes.len());
                self.bytes.extend_from_slice(&bytes[..taken]);
                self.state = if taken == left { State::Done } else { State::Length(left - taken) };
                Ok(taken)
            }
            State::Chunk(left) => {
                let taken = left.min(bytes.len());
                self.bytes.extend_from_slice(&bytes[..taken]);
                self.state = if taken == left { State::ChunkEnd } else { State::Chunk(left - taken) };
                Ok(taken)
            }
            State::Size | State::ChunkEnd | State::Trailer(_) => {
                self.framing_bytes += 1;
                if self.framing_bytes > FRAMING_BYTES_MAX {
                    return Err(Answer::BodyTooLarge);
                }
                self.take_line_byte(bytes[0])?;
                Ok(1)
            }
            State::Done => Ok(0),
        }
    }

    /// Lines between chunks come one byte at a time; a line ends with CR LF and has neither inside.
    fn take_line_byte(&mut self, byte: u8) -> Result<(), Answer> {
        let after_return = self.line.last() == Some(&b'\r');
        // What cannot become right is refused at once, not when its line ends.
        let is_misplaced = match self.state {
            State::ChunkEnd => !matches!(byte, b'\r' | b'\n'),
            State::Size => self.line.is_empty() && !byte.is_ascii_hexdigit(),
            _ => false,
        };
        if is_misplaced || (byte == b'\n') != after_return {
            return Err(Answer::BadRequest);
        }
        if byte != b'\n' {
            self.line.push(byte);
            let line_max =
                if matches!(self.state, State::Trailer(_)) { TRAILER_BYTES_MAX } else { CHUNK_LINE_BYTES_MAX };
            return if self.line.len() > line_max { Err(Answer::BadRequest) } else { Ok(()) };
        }
        self.line.pop();
        let line = std::mem::take(&mut self.line);
        self.state = match self.state {
            State::ChunkEnd if line.is_empty() => State::Size,
            State::Trailer(_) if line.is_empty() => State::Done,
            State::Trailer(seen) if seen + line.len() <= TRAILER_BYTES_MAX && is_field(&line) => {
                State::Trailer(seen + line.len())
            }
            State::ChunkEnd | State::Trailer(_) => return Err(Answer::BadRequest),
            _ => self.chunk_begins(&line)?,
        };
        Ok(())
    }

    fn chunk_begins(&self, line: &[u8]) -> Result<State, Answer> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extensions = &line[digits..];
        let is_well_formed = (1..=16).contains(&digits)
            && (extensions.is_empty() || extensions.starts_with(b";"))
            && extensions.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
        if !is_well_formed {
            return Err(Answer::BadRequest);
        }
        let size = line[..digits].iter().fold(0_u64, |size, &digit| size << 4 | u64::from(hex_digit(digit)));
        match usize::try_from(size) {
            Ok(0) => Ok(State::Trailer(0)),
            Ok(size) if size <= BODY_BYTES_MAX - self.bytes.len() => Ok(State::Chunk(size)),
            _ => Err(Answer::BodyTooLarge),
        }
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// A trailer is a field like any other, and is not used.
fn is_field(line: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    match line.iter().position(|&byte| byte == b':') {
        Some(at) => at > 0 && line[..at].iter().all(is_token) && !line.contains(&0),
        None => false,
    }
}
