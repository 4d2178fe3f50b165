//! Devloop's end of one child: reports come in, orders go out, and nothing here waits but [`Child::next_report`].

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use super::wire::{Order, REPORT_LEN};
use super::{Report, StopSignal, parcel};

/// A child, from its launch until it is gone. Dropping it kills whatever is left of it.
#[derive(Debug)]
pub struct Child {
    link: Arc<Link>,
    incoming: [u8; REPORT_LEN],
    filled: usize,
}

/// Gives orders to a child; without effect when that is gone.
#[derive(Clone, Debug)]
pub struct Control(Arc<Link>);

/// All children that live, for orders to all of them.
#[derive(Debug, Default)]
pub(super) struct Living(Mutex<Vec<Weak<Link>>>);

impl Living {
    /// One more.
    pub(super) fn add(&self, child: &Child) {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is dead goes when there is no room, so that this costs each start next to nothing.
        if links.len() == links.capacity() {
            links.retain(|link| link.strong_count() > 0);
        }
        links.push(Arc::downgrade(&child.link));
    }

    /// Gives an order to all.
    pub(super) fn order(&self, order: Order) {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().filter_map(Weak::upgrade).for_each(|link| link.send(&order.encode()));
    }
}

#[derive(Debug)]
struct Link {
    stream: UnixStream,
    /// What the socket had no room for.
    unsent: Mutex<Vec<u8>>,
    /// Rung when `unsent` begins to hold something, for the one that waits for reports.
    has_unsent: Notify,
}

impl Child {
    /// Hands the launch over. The descriptors go with the first bytes, so the keeper has its own copies from here on.
    pub(super) fn begin(stream: StdStream, payload: &[u8], ends: &[BorrowedFd<'_>]) -> io::Result<Self> {
        // Sending is the last thing that can fail, so a launch that failed here never runs.
        let stream = UnixStream::from_std(stream)?;
        let sent = parcel::send(stream.as_fd(), payload, ends)?;
        Ok(Self::holding(stream, &payload[sent..]))
    }

    /// Hands the launch over to a keeper that nobody replaces. Where it could not be made, it has said why and takes
    /// nothing; what it said is the next report.
    pub(super) fn begin_at_last(stream: StdStream, payload: &[u8], ends: &[BorrowedFd<'_>]) -> io::Result<Self> {
        let stream = UnixStream::from_std(stream)?;
        let sent = match parcel::send(stream.as_fd(), payload, ends) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => payload.len(),
            sent => sent?,
        };
        Ok(Self::holding(stream, &payload[sent..]))
    }

    fn holding(stream: UnixStream, unsent: &[u8]) -> Self {
        let link = Arc::new(Link { stream, unsent: Mutex::default(), has_unsent: Notify::new() });
        link.send(unsent);
        Self { link, incoming: [0; REPORT_LEN], filled: 0 }
    }

    /// The next report, in the order of [`Report`]. `None` when there are no more: after [`Report::Gone`] and
    /// [`Report::StartFailed`], or, without one of these, when the keeper was killed.
    ///
    /// Can be cancelled at any moment without losing a report.
    pub async fn next_report(&mut self) -> Option<Report> {
        loop {
            if self.filled == REPORT_LEN {
                self.filled = 0;
                return Report::decode(self.incoming);
            }
            let Link { stream, .. } = &*self.link;
            let room = &mut self.incoming[self.filled..];
            match stream.try_io(Interest::READABLE, || Ok(rustix::io::read(stream, room)?)) {
                Ok(count @ 1..) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.link.wait().await?,
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// What gives orders while somebody else waits for reports.
    pub fn control(&self) -> Control {
        Control(Arc::clone(&self.link))
    }

    /// See [`Control::stop`].
    pub fn stop(&self, signal: StopSignal) {
        self.link.send(&Order::Stop(signal.number()).encode());
    }

    /// See [`Control::kill`].
    pub fn kill(&self) {
        self.link.send(&Order::Kill.encode());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A control that somebody still holds must not keep the child alive.
        let _ = rustix::net::shutdown(&self.link.stream, rustix::net::Shutdown::Both);
    }
}

impl Control {
    /// Asks the child to end: the signal and SIGCONT to its process group, and to each descendant outside of it if it is
    /// contained as a tree; then its stdin ends.
    pub fn stop(&self, signal: StopSignal) {
        self.0.send(&Order::Stop(signal.number()).encode());
    }

    /// Ends all that belongs to the child, also when its command has ended before. [`Report::Gone`] says it is done.
    pub fn kill(&self) {
        self.0.send(&Order::Kill.encode());
    }
}

impl Link {
    /// Sends at once what the socket takes; the rest goes when there is room, while somebody waits for reports.
    fn send(&self, bytes: &[u8]) {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        unsent.extend_from_slice(bytes);
        self.flush(&mut unsent);
        if !unsent.is_empty() {
            self.has_unsent.notify_one();
        }
    }

    /// Sends what the socket takes; false when something is left.
    fn flush(&self, unsent: &mut Vec<u8>) -> bool {
        // Straight to the system: the runtime's own idea of readiness is older.
        while !unsent.is_empty() {
            match rustix::io::write(&self.stream, unsent) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                // The keeper is gone, which the next read says.
                Err(_) => unsent.clear(),
            }
        }
        true
    }

    /// Waits until there may be something to read, and sends what waits meanwhile.
    async fn wait(&self) -> Option<()> {
        let has_unsent = !self.unsent.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let interest = if has_unsent { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        tokio::select! {
            ready = self.stream.ready(interest) => {
                if ready.ok()?.is_writable() {
                    let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
                    let _ = self.stream.try_io(Interest::WRITABLE, || {
                        if self.flush(&mut unsent) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
                    });
                }
            }
            () = self.has_unsent.notified() => {}
        }
        Some(())
    }
}
