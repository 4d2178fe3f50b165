//! Bytes from the operating system, or none at all.

use ring::rand::{SecureRandom, SystemRandom};
use std::io;

/// Fills the slice; an error when the system gives no random bytes.
pub(super) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| io::Error::other("the system gives no random bytes"))
}
