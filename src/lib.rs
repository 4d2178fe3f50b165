//! The program: adapters that touch the world, the loop that feeds the engine, and the front door.
//!
//! Read in this order: [`hands`] (what the loop needs of the world), [`driver`] (the loop), [`adapters`] (the world),
//! [`report`] (words), [`cli`] (the front door). What thinks is in `devloop-core`.
//! Absent on purpose: decisions. An adapter does what an effect says and tells what happened.

pub mod adapters;
pub mod cli;
pub mod docs;
pub mod driver;
pub mod env_vars;
pub mod failure;
#[cfg(test)]
mod fuzz;
pub mod hands;
pub mod report;

use std::process::ExitCode;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    match cli::main(std::env::args_os()) {
        Ok(()) => ExitCode::from(failure::SUCCESS),
        Err(failure) => failure.exit_code(),
    }
}
