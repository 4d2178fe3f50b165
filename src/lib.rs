//! The program `devloop`: what touches the world, and the loop that hands it to the core.

pub mod adapters;
pub mod env_vars;
