//! What the loop hears, in two lanes: a signal is never stuck behind ten thousand path changes.

use crate::hands::{ChangeSender, FactSender};
use devloop_core::fact::Fact;
use tokio::sync::mpsc;

/// Facts of the ordinary lane that may wait; each may carry many paths.
const ORDINARY_FACTS_MAX: usize = 64;

/// The receiving end of both lanes.
#[derive(Debug)]
pub struct Inbox {
    urgent: mpsc::UnboundedReceiver<Fact>,
    ordinary: mpsc::Receiver<Fact>,
}

impl Inbox {
    /// An inbox with a sender for each lane.
    pub fn open() -> (Self, FactSender, ChangeSender) {
        let (urgent_sender, urgent) = mpsc::unbounded_channel();
        let (ordinary_sender, ordinary) = mpsc::channel(ORDINARY_FACTS_MAX);
        (Self { urgent, ordinary }, FactSender::new(urgent_sender), ChangeSender::new(ordinary_sender))
    }

    /// The next fact of each lane: urgent, ordinary.
    pub(super) fn lanes(&mut self) -> (impl Future<Output = Fact>, impl Future<Output = Fact>) {
        let Self { urgent, ordinary } = self;
        (async { heard(urgent.recv().await).await }, async { heard(ordinary.recv().await).await })
    }
}

/// A lane whose senders are all gone stays silent.
async fn heard(fact: Option<Fact>) -> Fact {
    match fact {
        Some(fact) => fact,
        None => std::future::pending().await,
    }
}
