//! How the guardian and its keepers wait: asleep in `poll(2)`, and after a while also without their code in memory.

use std::time::Duration;

use rustix::event::{PollFd, Timespec, poll};

use super::platform;

/// A wait without an end that has lasted so long is a rest. Before, code is about to be needed again.
const RESTLESS: Duration = Duration::from_secs(1);

/// Waits until a descriptor is ready, or for `timeout`.
///
/// There is a keeper for every child, and each would count a megabyte of program that it does not use while it waits.
pub(super) fn wait(watched: &mut [PollFd<'_>], timeout: Option<Duration>) {
    let wakes_within = |watched: &mut [PollFd<'_>], time: Duration| {
        let time =
            Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() };
        poll(watched, Some(&time)) != Ok(0)
    };
    match timeout {
        Some(timeout) => {
            wakes_within(watched, timeout);
        }
        None if wakes_within(watched, RESTLESS) => {}
        None => {
            platform::forget_code();
            let _ = poll(watched, None);
        }
    }
}
