//! A terminal for a stream of devloop.
#![expect(unsafe_code, reason = "rustix opens pseudo-terminals only with a feature that nothing else here needs")]

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;

/// A new terminal: what is written to it can be read from the first, and the second is the terminal itself.
pub fn open() -> (File, Stdio) {
    let (mut reader, mut terminal) = (0, 0);
    // SAFETY: both pointers are to live integers; null asks for no name and for default settings (openpty(3)).
    let result = unsafe {
        libc::openpty(
            &raw mut reader,
            &raw mut terminal,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    assert_eq!(result, 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: openpty succeeded, so both are descriptors that nobody else owns.
    let (reader, terminal) = unsafe { (OwnedFd::from_raw_fd(reader), OwnedFd::from_raw_fd(terminal)) };
    // Without this devloop would keep its own terminal open.
    for end in [&reader, &terminal] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC).unwrap();
    }
    (File::from(reader), Stdio::from(terminal))
}
