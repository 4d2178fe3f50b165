//! devloop, so that its path and the puppet's both come from the same build of these tests, and held to the protocol that
//! the simulated world keeps to.

fn main() -> std::process::ExitCode {
    devloop::driver::hold_to_protocol();
    devloop::main()
}
