//! devloop run for real: a project in a temporary folder, a session of it, and ways to wait for what it does.
//!
//! Absent on purpose: waits for a time. Everything waits for a condition, with one generous deadline.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "tests panic where something is not as it should be"
)]

pub mod browser;
pub mod chorus;
pub mod disk;
pub mod faults;
pub mod page;
pub mod project;
pub mod recording;
pub mod session;
pub mod stray;
pub mod terminal;
pub mod tree;
pub mod wait;
pub mod web;

pub use project::Project;
pub use session::Session;
pub use stray::Stray;
