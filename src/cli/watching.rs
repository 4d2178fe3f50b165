//! `--watch`: shows a page again whenever it has changed, until ctrl-c or until nobody reads it.

use crate::failure::Failure;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// Between two looks at the session's file.
const PAUSE: Duration = Duration::from_millis(200);

/// Erases the screen and goes to its first line (ECMA-48: ED, CUP).
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows what `page` gives. On a terminal each page takes the place of the last one; elsewhere it comes after it.
pub(super) fn show_again(mut page: impl FnMut() -> Result<String, Failure>) -> Result<(), Failure> {
    let mut last = None;
    let clear = if io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        let now = page()?;
        if last.as_ref() != Some(&now) {
            let mut stdout = io::stdout().lock();
            match write!(stdout, "{clear}{now}").and_then(|()| stdout.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(Failure::CannotWrite)?,
            }
            last = Some(now);
        }
        std::thread::sleep(PAUSE);
    }
}
