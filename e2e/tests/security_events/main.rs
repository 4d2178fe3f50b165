//! The event server under attack: one test a row of SECURITY.md, named by it. Raw sockets only.

mod authority;
mod bodies;
mod browsers;
mod configs;
mod floods;
mod runs;
mod syntax;
mod values;
