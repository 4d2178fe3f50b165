//! The event server under attack: one test a row of SECURITY.md, named by it. Raw sockets only.

mod authority;
mod bodies;
mod browsers;
mod floods;
mod syntax;
mod values;
