//! The only clock. Monotonic: a change of the wall clock moves nothing (RELIABILITY T1).

use devloop_core::moment::Moment;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// Tells the time and waits for it.
pub trait Clock {
    /// How long the session has been going.
    fn now(&self) -> Moment;
    /// Waits until a moment; at once when it is past.
    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()>;
    /// Goes back to a moment: the time since then never was. Says how much that is.
    fn rewind(&self, to: Moment) -> Duration;
}

/// The system's monotonic clock (`CLOCK_MONOTONIC`, which stands still while the machine sleeps), without the time for
/// which devloop was stopped.
#[derive(Clone, Debug)]
pub struct SessionClock {
    began: Cell<Instant>,
}

impl SessionClock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { began: Cell::new(Instant::now()) }
    }
}

impl Clock for SessionClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.began.get().elapsed()
    }

    async fn sleep_until(&self, moment: Moment) {
        tokio::time::sleep_until(self.began.get() + Duration::from_micros(moment.as_micros())).await;
    }

    fn rewind(&self, to: Moment) -> Duration {
        let skipped = self.now().since(to);
        self.began.set(self.began.get() + skipped);
        skipped
    }
}
