//! devloop, so that its path and the puppet's both come from the same build of these tests.

fn main() -> std::process::ExitCode {
    devloop::main()
}
