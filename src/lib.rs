//! The program `devloop` as a library: `main.rs` only calls it, so that tests can build the same program.

pub mod docs;
