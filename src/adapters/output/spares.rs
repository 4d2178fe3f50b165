//! Empty buffers that are kept for the next lines, so that a flood costs no allocation; and let go when it is over, so
//! that a session does not keep the most that any of its floods has ever needed.

use std::time::{Duration, Instant};

/// Buffers kept, and the largest that is.
const COUNT_MAX: usize = 4;
const BYTES_MAX: usize = 1024 * 1024;

/// Buffers up to this size are kept for good.
const SMALL: usize = 16 * 1024;

/// How long no lines came that needed a large buffer until all of those are let go.
const CALM: Duration = Duration::from_millis(500);

/// Empty buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Spares {
    buffers: Vec<Vec<u8>>,
    /// When the last large buffer came that was needed as such; none while no large one is kept.
    flood: Option<Instant>,
}

impl Spares {
    /// An empty buffer.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        self.buffers.pop()
    }

    /// Keeps a buffer that has served, with what was in it, or lets it go.
    pub(super) fn keep(&mut self, mut used: Vec<u8>, now: Instant) {
        if self.buffers.len() >= COUNT_MAX || used.capacity() > BYTES_MAX {
            return;
        }
        if used.capacity() > SMALL && (used.len() > SMALL || self.flood.is_none()) {
            self.flood = Some(now);
        }
        used.clear();
        self.buffers.push(used);
    }

    /// When large buffers are let go, if there are any.
    pub(super) fn release_at(&self) -> Option<Instant> {
        self.flood.map(|flood| flood + CALM)
    }

    /// Lets large buffers go once it is time.
    pub(super) fn release(&mut self, now: Instant) {
        if self.release_at().is_some_and(|at| at <= now) {
            self.buffers.retain(|buffer| buffer.capacity() <= SMALL);
            self.flood = None;
        }
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(length: usize, capacity: usize) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(capacity);
        buffer.resize(length, b'x');
        buffer
    }

    #[test]
    fn large_buffers_last_as_long_as_large_lines_come_and_small_ones_stay() {
        let (mut spares, began) = (Spares::default(), Instant::now());
        spares.keep(used(100, SMALL), began);
        assert_eq!(spares.release_at(), None);
        spares.keep(used(300_000, 500_000), began);
        // Little in a large buffer is no flood.
        let buffer = spares.take().unwrap();
        assert!(buffer.is_empty() && buffer.capacity() >= 500_000);
        spares.keep(used(100, 500_000), began + CALM / 2);
        assert_eq!(spares.release_at(), Some(began + CALM));
        spares.release(began + CALM / 2);
        assert!(spares.bytes() >= 500_000);
        spares.release(began + CALM);
        assert_eq!((spares.bytes(), spares.release_at()), (SMALL, None));
    }

    #[test]
    fn neither_too_many_nor_too_large_buffers_are_kept() {
        let (mut spares, now) = (Spares::default(), Instant::now());
        spares.keep(used(10, BYTES_MAX + 1), now);
        assert_eq!(spares.bytes(), 0);
        for _ in 0..2 * COUNT_MAX {
            spares.keep(used(10, SMALL), now);
        }
        assert_eq!(spares.bytes(), COUNT_MAX * SMALL);
    }
}
