//! A timer to the microsecond, as a descriptor for the runtime to wait for (`timerfd_create(2)`).
//!
//! The runtime's own timers know whole milliseconds only and round up: a quiet of 2 ms took up to 4.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::cell::Cell;
use std::io;
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::time::Instant;

const NEVER: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// One alarm, set again for each wait; for one waiter at a time.
#[derive(Debug)]
pub(super) struct Alarm {
    /// No pipe, but read like one: the runtime's own wrapper for descriptors of any kind does not own what it waits for.
    timer: pipe::Receiver,
    /// When it rings, or has rung unheard.
    set_for: Cell<Option<Instant>>,
}

impl Alarm {
    /// Must be called inside a Tokio runtime. Fails when the system gives no descriptor.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { timer: pipe::Receiver::from_owned_fd_unchecked(timer)?, set_for: Cell::new(None) })
    }

    /// Waits until an instant; at once when it is past. A wait that is given up leaves the alarm set: the next one for
    /// the same instant goes on with it, and any other sets it anew.
    pub(super) async fn sleep_until(&self, until: Instant) -> io::Result<()> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if self.set_for.get() != Some(until) {
                self.set(left)?;
                self.set_for.set(Some(until));
            }
            self.timer.readable().await?;
            match self.timer.try_read(&mut [0; 8]) {
                Ok(_) => self.set_for.set(None),
                // What made it readable was an earlier alarm, which setting it anew has taken back.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn set(&self, left: Duration) -> io::Result<()> {
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let spec = Itimerspec { it_interval: NEVER, it_value: left };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }
}
