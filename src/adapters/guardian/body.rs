//! What the guardian does all its life: fork keepers, reap, and end what the keepers that were killed have left.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::marks::{Marks, Slot};
use super::platform::{self, ChildSignal};
use super::signals::{self, Reaped};
use super::spawn::{self, Failure};
use super::{ExitStatus, Report, Step, keeper, parcel, rest, tree};

/// Between two looks for what a killed keeper left; the next look is usually the last.
const SWEEP_EVERY: Duration = Duration::from_millis(2);

/// Sweeps in a row that must find nothing of a killed keeper. One is not enough: while the list of our children is read,
/// a process may die, and what was below it comes to us too late to be on that list.
const CALM_SWEEPS: u32 = 25;

struct Kept {
    pid: i32,
    slot: Option<Slot>,
}

/// A keeper that did not end by itself.
struct Fallen {
    /// The keeper's session, in which its child's group is.
    session: i32,
    marker: Option<Vec<u8>>,
    /// How many sweeps in a row have found nothing of it.
    calm: u32,
}

struct Guard {
    /// Held until we end, which is how devloop notices that.
    socket: OwnedFd,
    /// Devloop is gone, or wants no more keepers.
    is_dismissed: bool,
    child_signal: ChildSignal,
    marks: Marks,
    keepers: Vec<Kept>,
    fallen: Vec<Fallen>,
}

/// Is the guardian, until devloop and all keepers are gone.
pub(super) fn guard(socket: BorrowedFd<'_>) -> ! {
    let settled = settle(socket).and_then(|socket| Ok((socket, ChildSignal::new()?)));
    let Ok((socket, child_signal)) = settled else { spawn::end(1) };
    let mut guard = Guard {
        socket,
        is_dismissed: false,
        child_signal,
        marks: Marks::new(),
        keepers: Vec::new(),
        fallen: Vec::new(),
    };
    while !guard.is_dismissed || !guard.keepers.is_empty() || !guard.fallen.is_empty() {
        guard.turn();
    }
    spawn::end(0)
}

/// Leaves everything behind that was devloop's: session, terminal, descriptors, folder, signals.
fn settle(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    signals::deafen();
    rustix::process::setsid()?;
    platform::settle(c"devloop-guard");
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let socket = spawn::hold_only(socket)?;
    // A number that `hold_only` has closed already.
    std::mem::forget(null);
    rustix::process::chdir("/")?;
    Ok(socket)
}

impl Guard {
    fn turn(&mut self) {
        let mut watched = vec![PollFd::from_borrowed_fd(self.child_signal.as_fd(), PollFlags::IN)];
        watched.extend((!self.is_dismissed).then(|| PollFd::new(&self.socket, PollFlags::IN)));
        let timeout = (!self.fallen.is_empty()).then_some(SWEEP_EVERY);
        rest::wait(&mut watched, timeout);
        let is_asked = watched.get(1).is_some_and(|socket| !socket.revents().is_empty());
        self.child_signal.drain();
        self.reap();
        self.wake();
        self.sweep();
        if is_asked {
            self.take_wish();
        }
    }

    fn reap(&mut self) {
        while let Reaped::Child(pid, status) = signals::reap_any() {
            let Some(place) = self.keepers.iter().position(|kept| kept.pid == pid) else { continue };
            let kept = self.keepers.swap_remove(place);
            if status != ExitStatus::Code(0) {
                let marker = kept.slot.and_then(|slot| self.marks.read(slot));
                self.fallen.push(Fallen { session: pid, marker, calm: 0 });
            }
        }
    }

    /// Wakes keepers that somebody has stopped: a stopped one would hear neither an order nor the end of devloop, and a
    /// child may well stop its parent.
    fn wake(&self) {
        for kept in &self.keepers {
            signals::wake_if_stopped(kept.pid);
        }
    }

    /// Kills what came to us from killed keepers, and forgets those of whom nothing lives.
    ///
    /// The number of a dead keeper's session is not given away as long as somebody is in that session. If it is given to
    /// a new keeper right after, that one's tree is left out.
    fn sweep(&mut self) {
        if self.fallen.is_empty() {
            return;
        }
        let mut lives = vec![false; self.fallen.len()];
        let (keepers, fallen) = (&self.keepers, &self.fallen);
        tree::walk(&|pid| keepers.iter().any(|kept| kept.pid == pid), &mut |member| {
            let is_left_by = |dead: &Fallen| {
                member.session == dead.session || dead.marker.as_ref().is_some_and(|marker| member.is_marked(marker))
            };
            if !member.is_zombie
                && let Some(place) = fallen.iter().position(is_left_by)
            {
                member.send(libc::SIGKILL);
                lives[place] = true;
            }
        });
        for (dead, lives) in self.fallen.iter_mut().zip(lives) {
            dead.calm = if lives { 0 } else { dead.calm + 1 };
        }
        self.fallen.retain(|dead| dead.calm < CALM_SWEEPS);
    }

    fn take_wish(&mut self) {
        let mut ends = Vec::new();
        match parcel::receive(self.socket.as_fd(), &mut [0], &mut ends) {
            Ok(1..) => ends.into_iter().for_each(|control| self.fork_keeper(&control)),
            Ok(0) | Err(_) => self.is_dismissed = true,
        }
    }

    fn fork_keeper(&mut self, control: &OwnedFd) {
        let slot = self.marks.free_slot(&|slot| self.keepers.iter().any(|kept| kept.slot == Some(slot)));
        let forked = spawn::fork(|| keeper::keep(control.as_fd(), slot.map(|slot| (&self.marks, slot))));
        if let Ok(pid) = forked {
            self.keepers.push(Kept { pid, slot });
        } else {
            let Failure { step, errno } = Failure::last(Step::Fork);
            let _ = rustix::io::write(control, &Report::StartFailed { step, errno }.encode());
        }
    }
}
