//! The only clock. Monotonic: a change of the wall clock moves nothing (RELIABILITY T1).

#[cfg(any(target_os = "linux", target_os = "android"))]
mod alarm;

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
#[derive(Debug)]
pub struct SessionClock {
    began: Cell<Instant>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    alarm: Option<alarm::Alarm>,
}

impl SessionClock {
    /// A clock that begins now. Must be called inside a Tokio runtime.
    pub fn start() -> Self {
        Self {
            began: Cell::new(Instant::now()),
            // Without a descriptor for it moments come up to two milliseconds late, and none is lost.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            alarm: alarm::Alarm::new().ok(),
        }
    }
}

impl Clock for SessionClock {
    fn now(&self) -> Moment {
        Moment::ZERO + self.began.get().elapsed()
    }

    /// To the microsecond on Linux. Elsewhere the runtime's own timers have to do, which round up to whole milliseconds.
    async fn sleep_until(&self, moment: Moment) {
        let until = self.began.get() + Duration::from_micros(moment.as_micros());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(alarm) = &self.alarm
            && alarm.sleep_until(until).await.is_ok()
        {
            return;
        }
        tokio::time::sleep_until(until).await;
    }

    fn rewind(&self, to: Moment) -> Duration {
        let skipped = self.now().since(to);
        self.began.set(self.began.get() + skipped);
        skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_runtime(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn a_moment_is_never_told_before_it_has_come() {
        in_runtime(async {
            let clock = SessionClock::start();
            for step in [0, 1, 20, 300, 999, 1_000, 2_001] {
                let moment = clock.now() + Duration::from_micros(step);
                clock.sleep_until(moment).await;
                assert!(clock.now() >= moment, "{step} us");
            }
        });
    }

    #[test]
    fn a_wait_that_was_given_up_disturbs_none_of_the_next() {
        in_runtime(async {
            let clock = SessionClock::start();
            for step in 0..50 {
                let (near, far) = (Duration::from_micros(step * 10), Duration::from_secs(3_600));
                for given_up in [far, near] {
                    let moment = clock.now() + given_up;
                    tokio::select! {
                        biased;
                        () = clock.sleep_until(moment) => assert!(clock.now() >= moment),
                        () = tokio::task::yield_now() => {}
                    }
                }
                // The last alarm may ring before or after this one is set.
                let moment = clock.now() + Duration::from_micros(200);
                clock.sleep_until(moment).await;
                assert!(clock.now() >= moment);
            }
        });
    }
}
