//! The program `devloop`: adapters that touch the world, and the loop that joins them to the core.

pub mod adapters;
