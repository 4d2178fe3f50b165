//! What no line and no captured value may show: the tokens of children that run.
//!
//! A token begins with a prefix of its own, so looking for one costs a search for the prefix, and no more where there is
//! none. Absent on purpose: secrets that devloop did not make.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use memchr::memmem::Finder;

/// How every token begins.
pub const TOKEN_PREFIX: &[u8; 4] = b"dlt_";
/// How long every token is, in bytes, its prefix included.
pub const TOKEN_BYTES: usize = 52;

/// What is shown instead.
const MASK: &[u8] = b"***";

/// A token as text.
pub type Token = [u8; TOKEN_BYTES];

/// The tokens that must not be seen.
#[derive(Debug)]
pub struct Secrets {
    prefix: Finder<'static>,
    hidden: RwLock<Vec<Token>>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { prefix: Finder::new(TOKEN_PREFIX), hidden: RwLock::default() }
    }
}

impl Secrets {
    /// Hides a token from now on.
    pub fn hide(&self, token: Token) {
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).push(token);
    }

    /// Nothing that could show this token is left.
    pub fn forget(&self, token: &Token) {
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).retain(|hidden| hidden != token);
    }

    /// The last place at or before `cut` that is inside no hidden token, as far as `bytes` shows it: text that is cut there
    /// can be masked in its parts. What could be the beginning of a token counts from `least` bytes on.
    pub(super) fn before_token(&self, bytes: &[u8], mut cut: usize, least: usize) -> usize {
        let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        if hidden.is_empty() {
            return cut;
        }
        let is_token = |from: &usize| {
            let seen = &bytes[*from..bytes.len().min(from + TOKEN_BYTES)];
            seen.len() >= least && hidden.iter().any(|token| token.starts_with(seen))
        };
        while let Some(from) = (cut.saturating_sub(TOKEN_BYTES - 1)..cut).find(is_token) {
            cut = from;
        }
        cut
    }

    /// The bytes with `***` in place of each hidden token; nothing when there is none in them.
    fn masked(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.hidden.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return None;
        }
        let mut masked: Option<Vec<u8>> = None;
        let mut copied = 0;
        for at in self.prefix.find_iter(bytes) {
            let Some(candidate) = bytes.get(at..at + TOKEN_BYTES) else { break };
            let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
            if hidden.iter().any(|token| token == candidate) {
                let masked = masked.get_or_insert_default();
                masked.extend_from_slice(&bytes[copied..at]);
                masked.extend_from_slice(MASK);
                copied = at + TOKEN_BYTES;
            }
        }
        if let Some(masked) = &mut masked {
            masked.extend_from_slice(&bytes[copied..]);
        }
        masked
    }

    /// Masks in place.
    pub(super) fn mask(&self, bytes: &mut Vec<u8>) {
        if let Some(masked) = self.masked(bytes) {
            *bytes = masked;
        }
    }

    /// Masks text. What is cut out and put in is ASCII, so text stays text.
    pub fn mask_text<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match self.masked(text.as_bytes()) {
            Some(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
            None => text,
        }
    }
}

/// Masks whatever has the shape of a token from a place on, colours between its bytes passed over. For text of which
/// nobody knows any more which tokens were alive: a child can break one up with escapes that are gone when it is shown.
pub fn mask_shapes(out: &mut Vec<u8>, from: usize) {
    if memchr::memchr(b'_', &out[from..]).is_none() {
        return;
    }
    let (mut plain, mut places) = (Vec::new(), Vec::new());
    let mut at = from;
    while at < out.len() {
        match colour_at(&out[at..]) {
            0 => {
                plain.push(out[at]);
                places.push(at);
                at += 1;
            }
            length => at += length,
        }
    }
    let ends = memchr::memmem::rfind_iter(&plain, TOKEN_PREFIX).collect::<Vec<_>>();
    for begin in ends {
        let random = plain.get(begin + TOKEN_PREFIX.len()..begin + TOKEN_BYTES);
        if random.is_some_and(|random| random.iter().all(u8::is_ascii_hexdigit)) {
            out.splice(places[begin]..=places[begin + TOKEN_BYTES - 1], MASK.iter().copied());
        }
    }
}

/// The length of a colour (SGR, ECMA-48 8.3.117) at the beginning of these bytes; 0: there is none.
fn colour_at(bytes: &[u8]) -> usize {
    let Some(parameters) = bytes.strip_prefix(b"\x1b[") else { return 0 };
    let length = parameters.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')).count();
    if parameters.get(length) == Some(&b'm') { length + 3 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_tokens_are_masked_wherever_they_stand_and_nothing_else_is() {
        let secrets = Secrets::default();
        let token: Token = std::array::from_fn(|at| if at < 4 { TOKEN_PREFIX[at] } else { b'a' });
        let text = String::from_utf8(token.to_vec()).unwrap();
        let line = format!("a={text} dlt_b={text}{text}é dlt_{text} {}", &text[..40]);
        let mut bytes = line.clone().into_bytes();
        secrets.mask(&mut bytes);
        assert_eq!(bytes, line.as_bytes());
        secrets.hide(token);
        assert_eq!(secrets.mask_text(line.clone().into()), format!("a=*** dlt_b=******é dlt_*** {}", &text[..40]));
        secrets.forget(&token);
        assert_eq!(secrets.mask_text(line.clone().into()), line);
    }

    #[test]
    fn a_cut_is_never_inside_a_hidden_token() {
        let secrets = Secrets::default();
        let token: Token = std::array::from_fn(|at| if at < 4 { TOKEN_PREFIX[at] } else { b'd' });
        let text = [b"ab".as_slice(), &token, &token, b"ce"].concat();
        let cuts =
            |secrets: &Secrets| (0..=text.len()).map(|cut| secrets.before_token(&text, cut, 1)).collect::<Vec<_>>();
        assert_eq!(cuts(&secrets), (0..=text.len()).collect::<Vec<_>>());
        secrets.hide(token);
        let (first, second) = (2, 2 + TOKEN_BYTES);
        let expected = (0..=text.len()).map(|cut| match cut {
            _ if cut > first && cut < second => first,
            _ if cut > second && cut < second + TOKEN_BYTES => second,
            _ => cut,
        });
        assert_eq!(cuts(&secrets), expected.collect::<Vec<_>>());
        // The text ends in the middle of one: a few letters may be anything.
        for (seen, least, cut) in [(3, 1, 2), (3, 4, 5), (4, 4, 2), (51, 4, 2)] {
            let text = &text[..2 + seen];
            assert_eq!(secrets.before_token(text, text.len(), least), cut, "{seen} {least}");
        }
    }

    #[test]
    fn what_has_the_shape_of_a_token_is_masked_also_with_colours_in_it() {
        let digits = "0123456789abcdef".repeat(3);
        let shown = |text: &str| {
            let mut out = format!("kept dlt_ {text}").into_bytes();
            mask_shapes(&mut out, 5);
            String::from_utf8(out).unwrap()
        };
        let (first, rest) = digits.split_at(9);
        assert_eq!(shown(&format!("a dlt_{digits}f b dlt_{digits}\n")), "kept dlt_ a ***f b ***\n");
        assert_eq!(shown(&format!("d\x1b[1;31mlt_{first}\x1b[0m{rest}!")), "kept dlt_ ***!");
        assert_eq!(shown(&format!("dlt_{first} {rest}")), format!("kept dlt_ dlt_{first} {rest}"));
        assert_eq!(shown("\x1b[31mno_token\x1b[0m"), "kept dlt_ \x1b[31mno_token\x1b[0m");
    }
}
