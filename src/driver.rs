//! The loop: a fact or a deadline comes, the engine thinks, the hands begin what it asks. Nothing here waits for an effect.

pub mod clock;
pub mod inbox;

use crate::hands::Hands;
use clock::Clock;
use devloop_core::effect::{Effect, Ending};
use devloop_core::engine::Engine;
use devloop_core::fact::Fact;
use devloop_core::protocol::Protocol;
use inbox::Inbox;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether adapters and engine are held to the protocol.
static IS_HELD: AtomicBool = AtomicBool::new(false);

/// From now on a fact or an effect out of its order is a panic. For tests of the whole program: the world must be no
/// other than the simulated one. A user's session goes on instead.
pub fn hold_to_protocol() {
    IS_HELD.store(true, Ordering::Relaxed);
}

/// Runs a session to its end.
pub async fn run(engine: &mut Engine, inbox: &mut Inbox, hands: &mut impl Hands, clock: &impl Clock) -> Ending {
    let mut fact = Fact::SessionBegan;
    let mut protocol = Protocol::new();
    let is_held = IS_HELD.load(Ordering::Relaxed);
    loop {
        if is_held {
            assert_eq!(protocol.fact(&fact), Ok(()), "an adapter told {fact:?}");
        }
        for effect in engine.step(clock.now(), fact) {
            if is_held {
                assert_eq!(protocol.effect(&effect), Ok(()), "the engine asked for {effect:?}");
            }
            if let Effect::EndSession(ending) = effect {
                return ending;
            }
            hands.perform(effect);
        }
        hands.settle();
        fact = next(inbox, engine, clock).await;
    }
}

/// The next fact: urgent ones first, then a deadline that has come, then path changes.
async fn next(inbox: &mut Inbox, engine: &Engine, clock: &impl Clock) -> Fact {
    let deadline = engine.next_deadline();
    let sleep = async {
        match deadline {
            Some(moment) => clock.sleep_until(moment).await,
            None => std::future::pending().await,
        }
    };
    let (urgent, ordinary) = inbox.lanes();
    tokio::select! {
        biased;
        fact = urgent => fact,
        () = sleep => Fact::DeadlineReached,
        fact = ordinary => fact,
    }
}
