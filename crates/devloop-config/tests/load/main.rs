//! The one boundary of the config crate, `load`: what it accepts, what it says, what it yields, and its bounds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod bounds;
mod cases;
mod plan;

use devloop_config::{Loaded, Place, load};

/// Loads a text as if its file lay in `/home/me/site`.
fn loaded(text: &str) -> Loaded {
    load(text, &Place { folder: "/home/me/site".into() })
}
