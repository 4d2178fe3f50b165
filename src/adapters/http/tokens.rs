//! Which token is whose. One for each start of each child that may post; it dies with the child.
//!
//! Tokens come from the operating system (192 bits), are compared with every one that is alive in the same time whatever
//! was offered, and are known outside of this room only to the child's environment and to the masks of the output.

use super::random;
use crate::adapters::output::{Secrets, TOKEN_BYTES, TOKEN_PREFIX, Token};
use devloop_core::fact::Holder;
use devloop_core::names::EventName;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

const RANDOM_BYTES: usize = (TOKEN_BYTES - TOKEN_PREFIX.len()) / 2;

/// Whose token it is, and what it allows.
#[derive(Debug)]
pub(super) struct Who {
    pub(super) holder: Holder,
    granted: RefCell<BTreeSet<EventName>>,
    pid: Cell<Option<u32>>,
}

impl Who {
    /// The event of this name, if it may be posted.
    pub(super) fn granted(&self, name: &str) -> Option<EventName> {
        self.granted.borrow().get(name).cloned()
    }

    /// The child's process id, once it is known.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid.get()
    }
}

/// All tokens that are alive.
#[derive(Debug)]
pub(super) struct Tokens {
    live: RefCell<Vec<(Token, Rc<Who>)>>,
    secrets: Arc<Secrets>,
}

impl Tokens {
    /// None yet.
    pub(super) fn new(secrets: Arc<Secrets>) -> Self {
        Self { live: RefCell::default(), secrets }
    }

    /// Makes a token for a child that is about to start.
    pub(super) fn mint(self: &Rc<Self>, holder: Holder, granted: BTreeSet<EventName>) -> io::Result<Pass> {
        let token = new_token()?;
        let who = Rc::new(Who { holder, granted: RefCell::new(granted), pid: Cell::new(None) });
        self.secrets.hide(token);
        self.live.borrow_mut().push((token, Rc::clone(&who)));
        Ok(Pass { token, who, tokens: Rc::clone(self) })
    }

    /// A value without live tokens: what is posted is kept in the state and shown.
    pub(super) fn mask(&self, value: String) -> String {
        self.secrets.mask_text(value.into()).into_owned()
    }

    /// Whose token this is. Looks at all of them, and at all of each.
    pub(super) fn find(&self, offered: &str) -> Option<Rc<Who>> {
        let offered: &Token = offered.as_bytes().try_into().ok()?;
        let mut found = None;
        for (token, who) in self.live.borrow().iter() {
            if is_same(token, offered) {
                found = Some(Rc::clone(who));
            }
        }
        found
    }

    /// Says anew what each holder may post: what the config grants follows the config.
    pub(super) fn grant_anew(&self, granted: impl Fn(&Holder) -> BTreeSet<EventName>) {
        for (_, who) in self.live.borrow().iter() {
            *who.granted.borrow_mut() = granted(&who.holder);
        }
    }

    fn revoke(&self, token: &Token) {
        self.live.borrow_mut().retain(|(live, _)| live != token);
    }
}

/// A child's token, held by whoever follows the child. Dropping it kills the token.
#[derive(Debug)]
pub struct Pass {
    token: Token,
    who: Rc<Who>,
    tokens: Rc<Tokens>,
}

impl Pass {
    /// The token as text, for the child's environment and nothing else.
    pub(super) fn token(&self) -> &str {
        // Prefix and digits are ASCII.
        str::from_utf8(&self.token).unwrap_or_default()
    }

    /// What it allows.
    pub(super) fn granted(&self) -> BTreeSet<EventName> {
        self.who.granted.borrow().clone()
    }

    /// The child runs.
    pub fn started(&self, pid: u32) {
        self.who.pid.set(Some(pid));
    }

    /// The child has ended: the token is worth nothing from now on. What is left of its output is masked as before.
    pub fn revoke(&self) {
        self.tokens.revoke(&self.token);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.revoke();
        self.tokens.secrets.forget(&self.token);
    }
}

/// Every byte is looked at, whatever the earlier ones were; `black_box` keeps the compiler from leaving early.
fn is_same(a: &Token, b: &Token) -> bool {
    black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (black_box(*a) ^ black_box(*b)))) == 0
}

fn new_token() -> io::Result<Token> {
    let mut bytes = [0; RANDOM_BYTES];
    random::fill(&mut bytes)?;
    let mut token = [0; TOKEN_BYTES];
    token[..TOKEN_PREFIX.len()].copy_from_slice(TOKEN_PREFIX);
    for (at, byte) in bytes.into_iter().enumerate() {
        let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
        token[TOKEN_PREFIX.len() + 2 * at] = digit(byte >> 4);
        token[TOKEN_PREFIX.len() + 2 * at + 1] = digit(byte);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use devloop_core::names::Incarnation;

    fn tokens() -> Rc<Tokens> {
        Rc::new(Tokens::new(Arc::default()))
    }

    fn mint(tokens: &Rc<Tokens>, process: &str) -> Pass {
        tokens.mint(Holder::Process(process.into(), Incarnation(1)), BTreeSet::from(["e".into()])).unwrap()
    }

    #[test]
    fn a_token_is_found_until_it_is_revoked_and_only_whole() {
        let tokens = tokens();
        let (a, b) = (mint(&tokens, "a"), mint(&tokens, "b"));
        assert_ne!(a.token(), b.token());
        assert_eq!(tokens.find(a.token()).unwrap().holder, a.who.holder);
        for wrong in ["", &a.token()[1..], &a.token().to_uppercase(), &format!("{}0", a.token()), &"x".repeat(52)] {
            assert!(tokens.find(wrong).is_none(), "{wrong}");
        }
        a.revoke();
        assert!(tokens.find(a.token()).is_none() && tokens.find(b.token()).is_some());
    }

    #[test]
    fn grants_follow_the_config_and_the_token_stays_the_same() {
        let tokens = tokens();
        let pass = mint(&tokens, "a");
        assert_eq!(tokens.find(pass.token()).unwrap().granted("e"), Some("e".into()));
        tokens.grant_anew(|_| BTreeSet::from(["f".into()]));
        let who = tokens.find(pass.token()).unwrap();
        assert_eq!((who.granted("e"), who.granted("f")), (None, Some("f".into())));
    }

    #[test]
    fn a_token_has_192_bits_and_no_two_are_the_same() {
        let tokens = tokens();
        let all: Vec<Pass> = (0..1000).map(|_| mint(&tokens, "a")).collect();
        let distinct: BTreeSet<&str> = all.iter().map(Pass::token).collect();
        assert_eq!(distinct.len(), 1000);
        // Every one of the 192 bits is set in some and clear in others.
        for at in 4..TOKEN_BYTES {
            let digits: Vec<u32> =
                distinct.iter().map(|token| char::from(token.as_bytes()[at]).to_digit(16).unwrap()).collect();
            assert_eq!(
                (digits.iter().fold(0, |or, digit| or | digit), digits.iter().fold(15, |and, digit| and & digit)),
                (15, 0)
            );
        }
    }

    #[test]
    fn every_byte_of_a_token_counts() {
        let token = new_token().unwrap();
        assert!(is_same(&token, &token));
        for at in 0..TOKEN_BYTES {
            let mut other = token;
            other[at] ^= 1;
            assert!(!is_same(&token, &other), "byte {at}");
        }
    }
}
