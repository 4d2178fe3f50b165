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

/// Runs the program with the arguments of this process. From then on a panic of any thread ends this process.
pub fn main() -> ExitCode {
    end_on_panic();
    match cli::main(std::env::args_os()) {
        Ok(()) => ExitCode::from(failure::SUCCESS),
        Err(failure) => failure.exit_code(),
    }
}

/// A session without one of its threads or tasks would look alive and hear nothing. So a panic is told and ends all of it,
/// and the guardian ends the children.
fn end_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        #[expect(clippy::exit, reason = "whatever unwound, something else would go on")]
        std::process::exit(failure::FAILED.into())
    }));
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// Set for the process that is to end of its bug.
    const CASE: &str = "TEST_CASE_OF_A_PANIC";

    #[test]
    fn a_panic_of_any_thread_ends_the_program_and_is_told() {
        if std::env::var_os(CASE).is_some() {
            super::end_on_panic();
            let _ = std::thread::spawn(|| panic!("a bug of one thread")).join();
            std::thread::sleep(Duration::from_secs(600));
        }
        let name = "tests::a_panic_of_any_thread_ends_the_program_and_is_told";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([name, "--exact", "--nocapture"]).env(CASE, "1").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(super::failure::FAILED.into()), "{told}");
        assert!(told.contains("a bug of one thread"), "{told}");
    }
}
