//! Who takes long to end, in words to the user: once for each stop, and now and then while the session ends.

use super::turn::Turn;
use crate::moment::Moment;
use crate::notice::{Awaited, Fate, Notice, Who};
use std::time::Duration;

/// From the wish that somebody ends to the first word about it.
const FIRST_WORD_AFTER: Duration = Duration::from_secs(1);

/// From one word to the next while the session ends.
const NEXT_WORD_AFTER: Duration = Duration::from_secs(5);

/// Somebody who was asked to end, or killed, and is still there.
pub(crate) struct Stop {
    pub(crate) who: Who,
    /// When that was.
    pub(crate) since: Moment,
    /// What comes of it.
    pub(crate) stage: StopStage,
}

/// What comes of a stop.
#[derive(Clone, Copy)]
pub(crate) enum StopStage {
    /// SIGKILL, then.
    KilledAt(Moment),
    /// It was killed.
    Killed,
    /// A stop, once the start is answered.
    Starting,
}

/// What the user was told so far.
#[derive(Default)]
pub(crate) struct Patience {
    told: Vec<(Who, Moment)>,
    again_at: Moment,
}

impl Patience {
    /// Says who takes long. `is_ending`: the session ends; `can_be_hurried`: and nobody has asked for SIGKILL yet.
    pub(crate) fn expire(&mut self, turn: &mut Turn, stops: &[Stop], (is_ending, can_be_hurried): (bool, bool)) {
        let now = turn.now;
        let is_overdue = |stop: &&Stop| stop.since + FIRST_WORD_AFTER <= now;
        let is_news = stops.iter().filter(is_overdue).any(|stop| !self.is_told(stop));
        let is_time = is_ending && !self.told.is_empty() && self.again_at <= now;
        let overdue: Vec<&Stop> = stops.iter().filter(is_overdue).collect();
        self.told = overdue.iter().map(|stop| (stop.who.clone(), stop.since)).collect();
        if (is_news || is_time) && !overdue.is_empty() {
            self.again_at = now + NEXT_WORD_AFTER;
            let awaited = overdue.iter().map(|stop| awaited(stop, now)).collect();
            turn.report(Notice::WaitingForStop { awaited, can_be_hurried });
        }
    }

    /// When the next word is due.
    pub(crate) fn next_deadline(&self, stops: &[Stop], is_ending: bool) -> Option<Moment> {
        let first = stops.iter().filter(|stop| !self.is_told(stop)).map(|stop| stop.since + FIRST_WORD_AFTER).min();
        let again = (is_ending && !self.told.is_empty()).then_some(self.again_at);
        first.into_iter().chain(again).min()
    }

    fn is_told(&self, stop: &Stop) -> bool {
        self.told.iter().any(|(who, since)| *who == stop.who && *since == stop.since)
    }
}

fn awaited(stop: &Stop, now: Moment) -> Awaited {
    let fate = match stop.stage {
        StopStage::KilledAt(kill_at) => Fate::KilledIn(kill_at.since(now)),
        StopStage::Killed => Fate::Killed,
        StopStage::Starting => Fate::Starting,
    };
    Awaited { who: stop.who.clone(), fate }
}
