//! Markers of the keepers' trees, in memory that the guardian shares with them: a keeper that is killed cannot say
//! whose the orphans are, so it writes that down when it starts.
#![expect(unsafe_code, reason = "memory that is shared over a fork")]

use std::ptr;

/// Keepers that can have a marker at the same time; more have none.
const SLOTS: usize = 256;
/// Bytes of a slot: a length, then the marker.
const SLOT_LEN: usize = 241;

/// The table. Pages that nobody wrote cost nothing.
#[derive(Debug)]
pub(super) struct Marks(*mut u8);

/// One keeper's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(usize);

impl Marks {
    /// An empty table; without memory for it nobody has a marker.
    pub(super) fn new() -> Self {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANON);
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let base = unsafe { libc::mmap(ptr::null_mut(), SLOTS * SLOT_LEN, access, kind, -1, 0) };
        Self(if base == libc::MAP_FAILED { ptr::null_mut() } else { base.cast() })
    }

    /// An empty slot that is not among `taken`.
    pub(super) fn free_slot(&self, taken: &dyn Fn(Slot) -> bool) -> Option<Slot> {
        if self.0.is_null() {
            return None;
        }
        let slot = (0..SLOTS).map(Slot).find(|slot| !taken(*slot))?;
        // SAFETY: the slot lies inside the table, and nobody else uses it.
        unsafe { self.0.add(slot.0 * SLOT_LEN).write_volatile(0) };
        Some(slot)
    }

    /// Writes a marker down, unless it is too long.
    pub(super) fn write(&self, slot: Slot, marker: &[u8]) {
        let Ok(length) = u8::try_from(marker.len()) else { return };
        if marker.len() >= SLOT_LEN {
            return;
        }
        // SAFETY: the slot lies inside the table and has room; the length comes last, so a marker is whole or absent.
        unsafe {
            let start = self.0.add(slot.0 * SLOT_LEN);
            ptr::copy_nonoverlapping(marker.as_ptr(), start.add(1), marker.len());
            start.write_volatile(length);
        }
    }

    /// The marker of a keeper that has ended, if it wrote one.
    pub(super) fn read(&self, slot: Slot) -> Option<Vec<u8>> {
        // SAFETY: the slot lies inside the table, and its only writer has ended.
        unsafe {
            let start = self.0.add(slot.0 * SLOT_LEN);
            let length = usize::from(start.read_volatile());
            (length > 0).then(|| std::slice::from_raw_parts(start.add(1), length.min(SLOT_LEN - 1)).to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_written_and_a_slot_is_empty_when_it_is_given_again() {
        let marks = Marks::new();
        let first = marks.free_slot(&|_| false).unwrap();
        let second = marks.free_slot(&|slot| slot == first).unwrap();
        marks.write(first, b"MARK=1");
        marks.write(second, &[b'x'; SLOT_LEN]);
        assert_eq!(marks.read(first).as_deref(), Some(&b"MARK=1"[..]));
        assert_eq!(marks.read(second), None);
        assert_eq!(marks.free_slot(&|_| false), Some(first));
        assert_eq!(marks.read(first), None);
    }
}
