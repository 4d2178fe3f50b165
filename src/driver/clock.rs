//! The only clock. Monotonic: a change of the wall clock moves nothing (RELIABILITY T1).

use devloop_core::moment::Moment;
use std::time::Duration;
use tokio::time::Instant;

/// Tells the time and waits for it.
pub trait Clock {
    /// How long the session has been going.
    fn now(&self) -> Moment;
    /// Waits until a moment; at once when it is past.
    fn sleep_until(&self, moment: Moment) -> impl Future<Output = ()>;
}

/// The system's monotonic clock (`CLOCK_MONOTONIC`, which stands still while the machine sleeps).
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    began: Instant,
}

impl SessionClock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }
}

impl Clock for SessionClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    async fn sleep_until(&self, moment: Moment) {
        tokio::time::sleep_until(self.began + Duration::from_micros(moment.as_micros())).await;
    }
}
