//! Linux: an end of inotify that nobody waits for.
//!
//! The last `close(2)` of a queue that has watches takes up to 15 ms: the kernel waits until no processor can still be
//! looking at one of them, and a program that ends waits with it. A descriptor on its way through a socket that only
//! this way itself keeps alive is closed by the kernel's collector of such circles instead (unix(7), `SCM_RIGHTS`), in
//! a thread of the kernel. Where a kernel collects at once, it takes as long as the close would have.

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};

/// Lets the kernel close this queue some time after its owner has. Where that cannot be had, the owner's close is the
/// last one.
pub(super) fn close_later(queue: BorrowedFd<'_>) {
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let Ok((near, far)) = pair else { return };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    let circle = [far.as_fd(), queue];
    if attached.push(SendAncillaryMessage::ScmRights(&circle)) {
        let _ = sendmsg(&near, &[IoSlice::new(&[0])], &mut attached, SendFlags::empty());
    }
}
