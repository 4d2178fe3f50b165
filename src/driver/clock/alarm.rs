//! A timer to the microsecond, as a descriptor for the runtime to wait for (`timerfd_create(2)`).
//!
//! The runtime's own timers know whole milliseconds only and round up: a quiet of 2 ms took up to 4.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

const NEVER: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// One alarm, set again for each wait; for one waiter at a time.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    /// When it rings, or has rung unheard.
    set_for: Cell<Option<Instant>>,
}

impl Alarm {
    /// Must be called inside a Tokio runtime. Fails when the system gives no descriptor.
    #[expect(
        deprecated,
        reason = "its successor is unsafe; the descriptor is ours alone, and closed after its registration"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { timer: AsyncFd::with_interest(timer, Interest::READABLE)?, set_for: Cell::new(None) })
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
            self.timer.async_io(Interest::READABLE, |timer| Ok(rustix::io::read(timer, &mut [0; 8])?)).await?;
            self.set_for.set(None);
        }
    }

    fn set(&self, left: Duration) -> io::Result<()> {
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let spec = Itimerspec { it_interval: NEVER, it_value: left };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }
}
