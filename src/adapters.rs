//! Each adapter touches one part of the world; they do not think, and they do not know each other.

pub mod watcher;
