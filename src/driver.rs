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
use std::time::Duration;

/// Whether adapters and engine are held to the protocol.
static IS_HELD: AtomicBool = AtomicBool::new(false);

/// From now on a fact or an effect out of its order is a panic. For tests of the whole program: the world must be no
/// other than the simulated one. A user's session goes on instead.
pub fn hold_to_protocol() {
    IS_HELD.store(true, Ordering::Relaxed);
}

/// A deadline that the loop hears so late means that devloop stood still. A machine that is merely busy is not so slow.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// Runs a session to its end.
pub async fn run(engine: &mut Engine, inbox: &mut Inbox, hands: &mut impl Hands, clock: &impl Clock) -> Ending {
    let mut fact = Fact::SessionBegan;
    // A pause that the engine hears of before the fact that ended it.
    let mut held_back = None;
    let mut protocol = Protocol::new();
    let is_held = IS_HELD.load(Ordering::Relaxed);
    loop {
        if is_held {
            assert_eq!(protocol.fact(&fact), Ok(()), "an adapter told {fact:?}");
        }
        let mut slept = None;
        for effect in engine.step(clock.now(), fact) {
            if is_held {
                assert_eq!(protocol.effect(&effect), Ok(()), "the engine asked for {effect:?}");
            }
            match effect {
                Effect::EndSession(ending) => return ending,
                Effect::Suspend => {
                    let before = clock.now();
                    hands.perform(effect);
                    slept = Some(clock.rewind(before));
                }
                effect => hands.perform(effect),
            }
        }
        hands.stepped(&|| engine.view());
        fact = if let Some(span) = slept {
            Fact::Slept(span)
        } else if let Some(fact) = held_back.take() {
            fact
        } else {
            let fact = next(inbox, engine, clock).await;
            match time_lost(engine, clock) {
                Some(span) => {
                    held_back = Some(fact);
                    Fact::Slept(span)
                }
                None => fact,
            }
        };
    }
}

/// The time for which the loop stood still, taken from the clock: stopped by a signal, it could give nobody the time
/// that it had promised, and nobody could tell it anything.
fn time_lost(engine: &Engine, clock: &impl Clock) -> Option<Duration> {
    let deadline = engine.next_deadline()?;
    (clock.now().since(deadline) >= STOOD_STILL).then(|| clock.rewind(deadline))
}

/// The next fact: urgent ones first, then path changes, then a deadline that has come. A change that is here already
/// must count before the quiet that a deadline stands for; nothing is late for that, since every step expires what is due.
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
        fact = ordinary => fact,
        () = sleep => Fact::DeadlineReached,
    }
}
