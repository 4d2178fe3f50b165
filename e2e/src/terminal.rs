//! A terminal for a stream of devloop.
#![expect(unsafe_code, reason = "rustix opens pseudo-terminals only with a feature that nothing else here needs")]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd as _, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// A new terminal: what is written to it can be read from the first, and the second is the terminal itself.
pub fn open() -> (File, Stdio) {
    let (reader, terminal) = ends();
    (reader, Stdio::from(terminal))
}

fn ends() -> (File, OwnedFd) {
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
    (File::from(reader), terminal)
}

/// The keyboard of a terminal in whose foreground a command runs.
pub struct Keyboard {
    keys: File,
    /// Kept open, so that what is typed has a terminal also after the command.
    _terminal: OwnedFd,
}

impl Keyboard {
    /// Gives a command a session and a terminal of its own, whose foreground it is. Its stdin is that terminal.
    pub fn of(command: &mut Command) -> Self {
        let (keys, terminal) = ends();
        command.stdin(terminal.try_clone().unwrap());
        // SAFETY: both calls are async-signal-safe (signal-safety(7)) and touch no memory.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        Self { keys, _terminal: terminal }
    }

    /// Types ctrl and a letter.
    pub fn ctrl(&mut self, letter: char) {
        let key = u8::try_from(letter).unwrap() & 0x1f;
        self.keys.write_all(&[key]).unwrap();
    }

    /// The settings of the terminal, to be compared.
    pub fn settings(&self) -> String {
        format!("{:?}", rustix::termios::tcgetattr(self.keys.as_fd()).unwrap())
    }
}
