//! What Linux can and other systems cannot: the only place that asks which system this is.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub(super) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::*;

/// A process below us, as it was when we looked.
#[derive(Debug)]
pub(super) struct Member {
    /// Its number.
    pub(super) pid: i32,
    /// Its process group.
    pub(super) group: i32,
    /// Its session.
    pub(super) session: i32,
    /// Ended, and waiting for its parent to notice.
    pub(super) is_zombie: bool,
    /// What stands for this process even when its number has gone to another one.
    handle: Handle,
}
