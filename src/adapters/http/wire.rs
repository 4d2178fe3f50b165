//! The one JSON shape that clients send: exactly `{"value": "text"}` (RFC 8259, read strictly).
//!
//! A reader of our own: a general one reads a sequence as an object, drops what comes twice, and forgets that it did.

use super::answer::Answer;

/// How deep JSON may be nested before it counts as malformed; memory is one byte a level.
const DEPTH_MAX: usize = 128;

/// The value of an event. Not JSON: [`Answer::NotJson`]; JSON of any other shape: [`Answer::WrongShape`].
pub(super) fn value(body: &[u8]) -> Result<String, Answer> {
    let text = str::from_utf8(body).map_err(|_| Answer::NotJson)?;
    read(text).unwrap_or(Err(Answer::NotJson))
}

/// Nothing: no JSON.
fn read(text: &str) -> Option<Result<String, Answer>> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let mut found = Vec::new();
    let mut is_right = true;
    if reader.peek() == Some(b'{') {
        reader.at += 1;
        reader.space();
        if !reader.eats(b'}') {
            loop {
                let key = reader.string()?;
                reader.space();
                reader.expect(b':')?;
                reader.space();
                if key == "value" && reader.peek() == Some(b'"') {
                    found.push(reader.string()?);
                } else {
                    is_right = false;
                    reader.skip()?;
                }
                reader.space();
                if reader.eats(b'}') {
                    break;
                }
                reader.expect(b',')?;
                reader.space();
            }
        }
    } else {
        is_right = false;
        reader.skip()?;
    }
    reader.space();
    if reader.at != text.len() {
        return None;
    }
    let only = found.pop();
    Some(only.filter(|_| is_right && found.is_empty()).ok_or(Answer::WrongShape))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eats(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eats(byte).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let mut value = String::new();
        loop {
            let from = self.at;
            while self.peek().is_some_and(|byte| byte != b'"' && byte != b'\\' && byte >= b' ') {
                self.at += 1;
            }
            value.push_str(self.text.get(from..self.at)?);
            match self.next()? {
                b'"' => return Some(value),
                b'\\' => value.push(self.escaped()?),
                _ => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.four_digits()?;
                if !(0xd800..0xdc00).contains(&first) {
                    // A low surrogate on its own is no character.
                    return char::from_u32(first);
                }
                self.expect(b'\\')?;
                self.expect(b'u')?;
                let second = self.four_digits().filter(|unit| (0xdc00..0xe000).contains(unit))?;
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?
            }
            _ => return None,
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let number = u32::from_str_radix(self.text.get(self.at..self.at + 4)?, 16).ok()?;
        self.at += 4;
        Some(number)
    }

    /// Any value, without keeping it. Not recursive: nesting costs no stack.
    fn skip(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            self.space();
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    if open.len() == DEPTH_MAX {
                        return None;
                    }
                    open.push(bracket);
                    self.space();
                    if !self.eats(bracket + 2) {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    open.pop();
                }
                b'"' => drop(self.string()?),
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            // A value is over: so may be what holds it.
            loop {
                let Some(&bracket) = open.last() else { return Some(()) };
                self.space();
                if self.eats(b',') {
                    if bracket == b'{' {
                        self.space();
                        self.key()?;
                    }
                    break;
                }
                self.expect(bracket + 2)?;
                open.pop();
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.space();
        self.expect(b':')
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        self.eats(b'-');
        if !self.eats(b'0') {
            self.digits()?;
        }
        if self.eats(b'.') {
            self.digits()?;
        }
        if self.eats(b'e') || self.eats(b'E') {
            if !self.eats(b'+') {
                self.eats(b'-');
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }
}
