//! Signals that ask for the end: SIGINT, SIGTERM, SIGHUP.

use crate::hands::FactSender;
use devloop_core::fact::{Fact, Interrupt};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// Signals that are heard from its creation on; what came before `listen` is not lost.
pub struct Interrupts {
    signals: Vec<(Interrupt, Signal)>,
    /// Heard and ignored: a write beyond `ulimit -f` (setrlimit(2)) then fails like any other, and does not end us.
    _file_too_long: Signal,
}

impl Interrupts {
    /// Installs the handlers. A SIGHUP that was ignored when devloop began stays ignored, as `nohup` wants.
    pub fn install(is_hangup_ignored: bool) -> io::Result<Self> {
        let mut signals = vec![
            (Interrupt::Int, signal(SignalKind::interrupt())?),
            (Interrupt::Term, signal(SignalKind::terminate())?),
        ];
        if !is_hangup_ignored {
            signals.push((Interrupt::Hup, signal(SignalKind::hangup())?));
        }
        let file_too_long = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        Ok(Self { signals, _file_too_long: file_too_long })
    }

    /// Tells the loop of each signal.
    pub fn listen(self, facts: &FactSender, tasks: &mut JoinSet<()>) {
        for (interrupt, mut signal) in self.signals {
            let facts = facts.clone();
            tasks.spawn_local(async move {
                while signal.recv().await.is_some() {
                    facts.send(Fact::InterruptRequested(interrupt));
                }
            });
        }
    }
}
