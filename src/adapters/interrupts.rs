//! Signals that ask for the end (SIGINT, SIGTERM, SIGHUP) or for a pause (SIGTSTP).

use crate::hands::FactSender;
use devloop_core::fact::{Fact, Interrupt};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// Signals that are heard from its creation on; what came before `listen` is not lost.
pub struct Interrupts {
    signals: Vec<(Fact, Signal)>,
    /// Heard and ignored: a write beyond `ulimit -f` (setrlimit(2)) then fails like any other, and does not end us.
    _file_too_long: Signal,
}

impl Interrupts {
    /// Installs the handlers. A SIGHUP or SIGTSTP that was ignored when devloop began stays ignored: so `nohup` and shells
    /// without job control want it.
    pub fn install(is_ignored: impl Fn(rustix::process::Signal) -> bool) -> io::Result<Self> {
        let asks_for_end = Fact::InterruptRequested;
        let mut signals = vec![
            (asks_for_end(Interrupt::Int), signal(SignalKind::interrupt())?),
            (asks_for_end(Interrupt::Term), signal(SignalKind::terminate())?),
        ];
        if !is_ignored(rustix::process::Signal::HUP) {
            signals.push((asks_for_end(Interrupt::Hup), signal(SignalKind::hangup())?));
        }
        let suspend = rustix::process::Signal::TSTP;
        if !is_ignored(suspend) {
            signals.push((Fact::SuspendRequested, signal(SignalKind::from_raw(suspend.as_raw()))?));
        }
        let file_too_long = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        Ok(Self { signals, _file_too_long: file_too_long })
    }

    /// Stops devloop, as the terminal asked, until it is continued.
    pub fn stop_here() {
        // SIGTSTP itself would be heard again; the shell sees a stopped job either way (wait(2), WIFSTOPPED).
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    }

    /// Tells the loop of each signal.
    pub fn listen(self, facts: &FactSender, tasks: &mut JoinSet<()>) {
        for (fact, mut signal) in self.signals {
            let facts = facts.clone();
            tasks.spawn_local(async move {
                while signal.recv().await.is_some() {
                    facts.send(fact.clone());
                }
            });
        }
    }
}
