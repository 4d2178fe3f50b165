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
    pub(super) fn mask_text<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match self.masked(text.as_bytes()) {
            Some(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
            None => text,
        }
    }
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
}
