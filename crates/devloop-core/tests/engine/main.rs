//! Short stories about the engine: a plan, some facts, and what it asks of the world.
#![expect(clippy::unwrap_used, reason = "what is unwrapped here is part of what is tested")]

mod changes;
mod ending;
mod footprints;
mod processes;
mod runs;
mod state;
mod world;
