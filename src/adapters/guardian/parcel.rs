//! Bytes with descriptors through a socket (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// The most descriptors in one parcel.
const DESCRIPTORS_MAX: usize = 2;

/// Sends what fits of `bytes`, and `ends` with the first of them; says how many bytes went.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], ends: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if !ends.is_empty() && !attached.push(SendAncillaryMessage::ScmRights(ends)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut attached, SendFlags::empty()) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// Receives into `bytes`; descriptors that come along are added to `ends`, closed on exec. 0 is the end of the stream.
pub(super) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8], ends: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let count = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut attached, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            received => break received?.bytes,
        }
    };
    for message in attached.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            // Not every system can do this with the receive itself; with one thread it is the same.
            ends.extend(received.inspect(|end| {
                let _ = fcntl_setfd(end, FdFlags::CLOEXEC);
            }));
        }
    }
    Ok(count)
}
