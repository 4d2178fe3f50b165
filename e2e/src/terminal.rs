//! A terminal for a stream of devloop.
#![expect(unsafe_code, reason = "rustix opens pseudo-terminals only with a feature that nothing else here needs")]

use crate::session::Session;
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
    terminal: Option<OwnedFd>,
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
        Self { keys, terminal: Some(terminal) }
    }

    /// Runs a command on a terminal of its own, of so many columns: its keyboard, and the session whose stderr is what
    /// the terminal shows. What is typed is shown, too.
    pub fn and_screen(command: &mut Command, columns: u16) -> (Self, Session) {
        let keyboard = Self::of(command);
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&keyboard.keys, size).unwrap();
        let Self { keys, terminal } = keyboard;
        let end = || Stdio::from(terminal.as_ref().unwrap().try_clone().unwrap());
        command.stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        // The ends that the command holds for its next start must not keep the screen open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let screen = keys.try_clone().unwrap();
        (Self { keys, terminal: None }, Session::of(child, screen))
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).unwrap();
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
