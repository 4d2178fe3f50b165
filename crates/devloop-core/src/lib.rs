//! The part of devloop that thinks.
//!
//! Facts come in ([`fact::Fact`]), the engine thinks ([`engine::Engine`]), effects go out ([`effect::Effect`]).
//! Absent on purpose: clocks, files, threads, sockets, an async runtime, serialisation, randomness that is not seeded.
//! Whoever drives the engine hands it the time with each fact and carries out the effects.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod effect;
pub mod engine;
pub mod fact;
pub mod moment;
pub mod names;
pub mod notice;
pub mod plan;
pub mod protocol;
pub mod template;
pub mod value;
pub mod view;
