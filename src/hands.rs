//! What the loop needs from the world, and how the world answers: the only thing that adapters and loop share.

use devloop_core::effect::Effect;
use devloop_core::fact::Fact;
use devloop_core::view::View;
use tokio::sync::mpsc;

/// Carries effects out.
pub trait Hands {
    /// Begins an effect. Returns at once and never fails: what goes wrong becomes a fact.
    fn perform(&mut self, effect: Effect);

    /// All effects of a step have begun: what could wait for the last of them goes now. `look` takes a picture of the session, for whoever shows one.
    fn stepped(&mut self, look: &dyn Fn() -> View) {
        let _ = look;
    }
}

/// Where an adapter's facts go. The lane belongs to the sender, never to the kind of fact, so that one child's captures
/// and its exit keep their order.
#[derive(Clone, Debug)]
pub struct FactSender {
    urgent: mpsc::UnboundedSender<Fact>,
}

impl FactSender {
    /// A sender for the urgent lane: signals, children, probes, the state file.
    pub fn new(urgent: mpsc::UnboundedSender<Fact>) -> Self {
        Self { urgent }
    }

    /// Hands a fact to the loop. Never waits; a loop that has ended hears nothing any more.
    pub fn send(&self, fact: Fact) {
        // The receiver is dropped only when the session is over, and then nobody needs to know.
        drop(self.urgent.send(fact));
    }
}

/// Where path changes go: a bounded lane, so that a storm of changes slows the watcher (whose kernel queue overflows
/// into a rescan) instead of filling memory or standing before a signal.
#[derive(Clone, Debug)]
pub struct ChangeSender {
    ordinary: mpsc::Sender<Fact>,
}

impl ChangeSender {
    /// A sender for the ordinary lane.
    pub fn new(ordinary: mpsc::Sender<Fact>) -> Self {
        Self { ordinary }
    }

    /// Hands a fact to the loop from a thread of the adapter's own; waits while the lane is full.
    pub fn send_from_thread(&self, fact: Fact) {
        drop(self.ordinary.blocking_send(fact));
    }
}
