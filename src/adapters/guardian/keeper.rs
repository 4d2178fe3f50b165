//! What a keeper does all its life: start one command, tell how it ended, and end what it leaves behind.
//!
//! The command stays a zombie until nothing lives in its process group any more, so the group's number cannot become
//! another one's while we signal it. That nothing is left at all is said by `waitpid(2)`: we adopt every orphan below us,
//! so when we have no children we have no descendants.

use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::marks::{Marks, Slot};
use super::platform::{self, ChildSignal, Member};
use super::signals::{self, Reaped};
use super::spawn::{self, Failure, Plan};
use super::wire::{self, HEADER_LEN, ORDER_LEN, Order};
use super::{Contain, Report, Stdin, Step, parcel, rest, tree};

/// After so long something that was killed is stuck: told once, and from then on tried at a slow pace.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// Rounds of killing at the quick pace, which a tree that keeps forking must not outrun.
const QUICK_ROUNDS: u32 = 200;
/// How often the group is looked at when its leader has ended and its other members have a parent that is not us.
const LINGER_MS: u64 = 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Main {
    Running,
    /// A zombie that holds the number of its group.
    Ended,
    Reaped,
}

struct Killing {
    /// All that belongs to the child; else only its group.
    everything: bool,
    since: Instant,
    rounds: u32,
    is_told: bool,
}

struct Keeper {
    /// `None` when devloop is gone, or does not want the child any more.
    control: Option<OwnedFd>,
    child_signal: ChildSignal,
    contain: Contain,
    /// The command's pid, and its group's number.
    main: i32,
    state: Main,
    /// Held open, never written to.
    stdin: Option<PipeWriter>,
    is_asked_to_stop: bool,
    killing: Option<Killing>,
    half_order: Vec<u8>,
}

/// Is a keeper, from the wait for its launch until nothing of its child is left.
pub(super) fn keep(control: BorrowedFd<'_>, mark: Option<(&Marks, Slot)>) -> ! {
    if let Ok(control) = spawn::hold_only(control) {
        // A session of its own, so that no child can join the process group of another one.
        let _ = rustix::process::setsid();
        platform::settle(c"devloop-keep");
        if let Some(mut keeper) = begin(control, mark) {
            while !keeper.is_done() {
                keeper.wait();
            }
            keeper.report(Report::Gone);
        }
    }
    spawn::end(0)
}

/// Waits for the launch and starts the command; `None` when there is nothing to keep.
fn begin(control: OwnedFd, mark: Option<(&Marks, Slot)>) -> Option<Keeper> {
    let mut ends = Vec::new();
    let mut header = [0; HEADER_LEN];
    receive_all(control.as_fd(), &mut header, &mut ends)?;
    let mut body = vec![0; usize::try_from(u32::from_le_bytes(header)).ok()?];
    receive_all(control.as_fd(), &mut body, &mut ends)?;
    let launch = wire::decode(&body)?;
    let (Some(stderr), Some(stdout)) = (ends.pop(), ends.pop()) else { return None };
    if let (Contain::Tree, Some((marks, slot))) = (launch.contain, mark) {
        marks.write(slot, launch.marker.to_bytes());
    }
    let started = start(&launch, stdout.as_fd(), stderr.as_fd());
    let report = match &started {
        Ok((main, ..)) => Report::Started { pid: main.cast_unsigned() },
        Err(Failure { step, errno }) => Report::StartFailed { step: *step, errno: *errno },
    };
    let _ = rustix::io::write(&control, &report.encode());
    let (main, stdin, child_signal) = started.ok()?;
    Some(Keeper {
        control: Some(control),
        child_signal,
        contain: launch.contain,
        main,
        state: Main::Running,
        stdin,
        is_asked_to_stop: false,
        killing: None,
        half_order: Vec::new(),
    })
}

/// Fills `bytes`; `None` when the stream ends before.
fn receive_all(control: BorrowedFd<'_>, bytes: &mut [u8], ends: &mut Vec<OwnedFd>) -> Option<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match parcel::receive(control, &mut bytes[filled..], ends) {
            Ok(count @ 1..) => filled += count,
            Ok(0) | Err(_) => return None,
        }
    }
    Some(())
}

type Begun = (i32, Option<PipeWriter>, ChildSignal);

fn start(launch: &wire::Received<'_>, stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> Result<Begun, Failure> {
    let prepared = || Ok((ChildSignal::new()?, (launch.stdin == Stdin::Open).then(io::pipe).transpose()?));
    let (child_signal, pipe) = prepared().map_err(|_: io::Error| Failure::last(Step::Prepare))?;
    let (reader, writer) = pipe.unzip();
    let plan = Plan::new(launch, (reader.as_ref().map(AsFd::as_fd), stdout, stderr));
    Ok((spawn::start(&plan)?, writer, child_signal))
}

impl Keeper {
    /// Looks at everything below us and does what is due; true when nothing is left that belongs to the child.
    fn is_done(&mut self) -> bool {
        self.child_signal.drain();
        if self.state == Main::Running
            && let Some(status) = signals::ended(self.main)
        {
            self.report(Report::Exited(status));
            self.state = Main::Ended;
            self.stdin = None;
            // A group that was asked to stop has the same time for it as its leader.
            if !self.is_asked_to_stop {
                self.begin_killing(false);
            }
        }
        self.kill();
        self.reap_adopted();
        if self.state == Main::Ended && self.is_group_empty() {
            signals::reap(self.main);
            self.state = Main::Reaped;
            self.killing.take_if(|killing| !killing.everything);
        }
        self.state == Main::Reaped && (self.contain == Contain::Group || has_no_children())
    }

    fn reap_adopted(&self) {
        if self.state != Main::Reaped {
            for pid in platform::children(std::process::id().cast_signed()) {
                if pid != self.main {
                    signals::reap(pid);
                }
            }
        }
    }

    /// Whether nothing lives in the group of a command that has ended.
    fn is_group_empty(&self) -> bool {
        if !platform::SEES_DESCENDANTS {
            // The number is not given away as long as the group has members, so the zombie may go.
            signals::reap(self.main);
            return !signals::send_group(self.main, 0);
        }
        let is_alone = platform::children(std::process::id().cast_signed()).iter().all(|pid| *pid == self.main);
        is_alone || tree::find(&|member| member.group == self.main).is_none()
    }

    fn begin_killing(&mut self, everything: bool) {
        let killing = self.killing.get_or_insert_with(|| Killing {
            everything,
            since: Instant::now(),
            rounds: 0,
            is_told: false,
        });
        if everything && !killing.everything {
            *killing = Killing { everything, since: Instant::now(), rounds: 0, is_told: false };
        }
    }

    /// One round of killing, if there is something to kill.
    fn kill(&mut self) {
        let Some(killing) = &mut self.killing else { return };
        killing.rounds = killing.rounds.saturating_add(1);
        if self.state != Main::Reaped {
            signal_group(self.main, libc::SIGKILL);
        }
        let is_whole_tree = killing.everything && self.contain == Contain::Tree;
        if is_whole_tree {
            tree::walk(&|_| false, &mut |member| {
                if !member.is_zombie {
                    member.send(libc::SIGKILL);
                }
            });
        }
        if !killing.is_told && killing.since.elapsed() >= STUCK_AFTER {
            killing.is_told = true;
            let main = self.main;
            let stuck = tree::find(&|member| is_whole_tree || member.group == main).unwrap_or(main);
            self.report(Report::Stuck { pid: stuck.cast_unsigned() });
        }
    }

    /// Asks all that belongs to the command to end. The first to do so changes who is below whom, so that everybody is
    /// found before.
    fn stop(&mut self, signal: i32) {
        self.is_asked_to_stop = true;
        let others = self.others();
        self.signal_command(&[signal, libc::SIGCONT]);
        signal_each(&others, &[signal, libc::SIGCONT]);
        self.stdin = None;
    }

    /// Pauses or continues all that belongs to the command, its group first: who is paused makes nobody.
    fn pace(&self, to_command: i32, to_others: i32) {
        self.signal_command(&[to_command]);
        signal_each(&self.others(), &[to_others]);
    }

    fn signal_command(&self, signals: &[i32]) {
        if self.state != Main::Reaped {
            for signal in signals {
                signal_group(self.main, *signal);
            }
        }
    }

    /// Who belongs to the command outside of its group.
    fn others(&self) -> Vec<Member> {
        let mut others = if self.contain == Contain::Tree { tree::living() } else { Vec::new() };
        others.retain(|member| member.group != self.main);
        others
    }

    /// How long the next look may be away when nothing happens.
    fn timeout(&self) -> Option<Duration> {
        match &self.killing {
            Some(killing) if killing.rounds < QUICK_ROUNDS => Some(Duration::from_millis(1)),
            Some(killing) if !killing.is_told => Some(Duration::from_millis(LINGER_MS)),
            Some(_) => Some(Duration::from_secs(1)),
            None => (self.state == Main::Ended).then_some(Duration::from_millis(LINGER_MS)),
        }
    }

    /// Waits for an order, an end, or the next round.
    fn wait(&mut self) {
        let mut watched = vec![PollFd::from_borrowed_fd(self.child_signal.as_fd(), PollFlags::IN)];
        watched.extend(self.control.as_ref().map(|control| PollFd::new(control, PollFlags::IN)));
        rest::wait(&mut watched, self.timeout());
        if watched.get(1).is_some_and(|control| !control.revents().is_empty()) {
            self.take_orders();
        }
    }

    fn take_orders(&mut self) {
        let Some(control) = &self.control else { return };
        let mut room = [0; 64];
        match rustix::io::read(control, &mut room) {
            Ok(count @ 1..) => self.half_order.extend_from_slice(&room[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) | Err(_) => {
                self.control = None;
                self.begin_killing(true);
            }
        }
        while let Some((order, _)) = self.half_order.split_first_chunk::<ORDER_LEN>() {
            let order = Order::decode(*order);
            self.half_order.drain(..ORDER_LEN);
            match order {
                Some(Order::Stop(signal)) => self.stop(signal),
                Some(Order::Kill) => self.begin_killing(true),
                // Its own group may do what it does for ctrl-z; in others SIGTSTP could be without effect (setpgid(2)).
                Some(Order::Suspend) => self.pace(libc::SIGTSTP, libc::SIGSTOP),
                Some(Order::Resume) => self.pace(libc::SIGCONT, libc::SIGCONT),
                None => {}
            }
        }
    }

    fn report(&self, report: Report) {
        if let Some(control) = &self.control {
            // Small and few: they always fit. An error means that nobody listens, which the next read says too.
            let _ = rustix::io::write(control, &report.encode());
        }
    }
}

fn signal_each(members: &[Member], signals: &[i32]) {
    for member in members {
        for signal in signals {
            member.send(*signal);
        }
    }
}

/// Signals the command's group, or the command alone when it has gone to another group and left nobody in its own.
fn signal_group(main: i32, signal: i32) {
    if !signals::send_group(main, signal) {
        signals::send(main, signal);
    }
}

/// Reaps all that have ended; true when nobody is left, not below them either.
fn has_no_children() -> bool {
    loop {
        match signals::reap_any() {
            Reaped::Child(..) => {}
            Reaped::NothingYet => return false,
            Reaped::NoChildren => return true,
        }
    }
}
