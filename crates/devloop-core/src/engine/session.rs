//! The session state: memory is the truth, one save is in flight, what changes meanwhile goes into the next.
//!
//! Who needs a value on disk before a child starts asks for the version that holds it and waits until that version is
//! *settled*: saved, or its save failed, which must not stop the session.

use crate::effect::{Effect, Values};
use crate::moment::Moment;
use crate::names::{StateKey, StateVersion};
use crate::notice::Notice;
use crate::value::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// After a failed save, the next one comes with the next change, or after this.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What is saved is made to survive a loss of power when nothing has changed for so long: the end of a session then
/// finds nothing to do, and it is the end that somebody waits for.
const SETTLE_AFTER: Duration = Duration::from_millis(700);

/// How long files that go on changing can put that off: to sync one file, a file system may write all that changed in it,
/// and who is changing thousands of files would wait for that.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// How long the end of the session waits for the file.
const LAST_SAVE_MAX: Duration = Duration::from_secs(10);

/// The values, and what of them is on disk.
pub(crate) struct Session {
    values: Arc<Values>,
    version: StateVersion,
    /// The newest version that a save was asked for.
    tried: StateVersion,
    /// The newest version whose save was answered, or that needed none.
    settled: StateVersion,
    /// The newest version that is on disk.
    saved: StateVersion,
    /// What is on disk survives a loss of power.
    is_durable: bool,
    on_disk: Arc<Values>,
    in_flight: Option<Flight>,
    /// A save failed that has replaced the file all the same.
    is_unsure: bool,
    /// The newest version that was ever put into the file, also where its save failed after that.
    put: StateVersion,
    /// The newest version that must survive a loss of power, and the newest that does.
    durable_wanted: StateVersion,
    durable: StateVersion,
    retry_at: Option<Moment>,
    /// When what is on disk is made to survive a loss of power, unless something changes until then.
    settling: Option<Settling>,
    /// The version that is being made to, beside the saves, which do not wait for it.
    syncing: Option<StateVersion>,
    /// That failed. A durable save tries once more, and tells why it cannot.
    is_sync_failed: bool,
    /// The error that the user was told of last, until a save works again.
    told: Option<String>,
    last: LastSave,
}

/// What is on disk does not survive a loss of power yet.
struct Settling {
    at: Moment,
    latest: Moment,
}

impl Settling {
    fn since(now: Moment) -> Self {
        Self { at: now + SETTLE_AFTER, latest: now + SETTLE_MAX }
    }
}

/// A save that is not answered.
struct Flight {
    version: StateVersion,
    values: Arc<Values>,
    is_durable: bool,
}

/// How far the save at the end of the session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastSave {
    /// The session goes on.
    NotYet,
    /// The session ends, and something still runs that may write. What is known now is saved durably meanwhile, so that
    /// nobody waits for the disk when the last child has gone. `is_asked`: once more only for what changes.
    Early { is_asked: bool },
    /// It comes as soon as no other save is in flight.
    Wanted { give_up_at: Moment },
    /// It is in flight.
    Asked { give_up_at: Moment },
    /// It was answered, or nobody waits for it any more.
    Over,
}

impl Session {
    /// Takes the values that the state file held.
    pub(crate) fn new(saved: Values) -> Self {
        let values = Arc::new(saved);
        Self {
            on_disk: Arc::clone(&values),
            values,
            version: StateVersion::default(),
            tried: StateVersion::default(),
            settled: StateVersion::default(),
            saved: StateVersion::default(),
            is_durable: false,
            in_flight: None,
            is_unsure: false,
            put: StateVersion::default(),
            durable_wanted: StateVersion::default(),
            durable: StateVersion::default(),
            retry_at: None,
            settling: None,
            syncing: None,
            is_sync_failed: false,
            told: None,
            last: LastSave::NotYet,
        }
    }

    /// The session begins; whether what an earlier one left survives a loss of power is not known.
    pub(crate) fn begin(&mut self, now: Moment) {
        self.settling = Some(Settling::since(now));
    }

    /// Watched files changed.
    pub(crate) fn files_changed(&mut self, now: Moment) {
        if let Some(settling) = &mut self.settling {
            settling.at = (now + SETTLE_AFTER).min(settling.latest);
        }
    }

    /// All values.
    pub(crate) fn values(&self) -> &Arc<Values> {
        &self.values
    }

    /// One value.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Writes a value; says whether that changed it.
    pub(crate) fn write(&mut self, key: &StateKey, value: &Value) -> bool {
        if self.values.get(key) == Some(value) {
            return false;
        }
        Arc::make_mut(&mut self.values).insert(key.clone(), value.clone());
        self.version = self.version.next();
        true
    }

    /// Puts a key back to what it held before something that is undone.
    pub(crate) fn restore(&mut self, key: &StateKey, before: Option<Value>) {
        let values = Arc::make_mut(&mut self.values);
        match before {
            Some(value) => values.insert(key.clone(), value),
            None => values.remove(key),
        };
        self.version = self.version.next();
    }

    /// Whether the file holds this value of a key and will after the save in flight.
    pub(crate) fn is_on_disk(&self, key: &str, value: &Value) -> bool {
        let holds = |values: &Values| values.get(key) == Some(value);
        !self.is_unsure && holds(&self.on_disk) && self.in_flight.as_ref().is_none_or(|flight| holds(&flight.values))
    }

    /// Whether the file holds a version.
    pub(crate) fn is_saved(&self, version: StateVersion) -> bool {
        self.saved >= version
    }

    /// Wants all that was written so far to survive a loss of power, with the next save; gives the version to wait for.
    pub(crate) fn want_durable(&mut self) -> StateVersion {
        self.durable_wanted = self.version;
        self.version
    }

    /// Whether a version survives a loss of power; none as long as nobody knows. What is wanted durable is settled by a
    /// durable save or by a failure, never by one that does not matter.
    pub(crate) fn is_durable(&self, version: StateVersion) -> Option<bool> {
        if self.durable >= version {
            return Some(true);
        }
        self.is_settled(version).then_some(false)
    }

    /// Whether what only these versions say may be in the file, now or after a loss of power: `false` when every save of
    /// them failed before it touched the file.
    pub(crate) fn may_be_on_disk(&self, versions: Range<StateVersion>) -> bool {
        self.put >= versions.start || self.in_flight.as_ref().is_some_and(|flight| versions.contains(&flight.version))
    }

    /// The error of the last save, if it failed.
    pub(crate) fn last_error(&self) -> String {
        self.told.clone().unwrap_or_default()
    }

    /// Whether the file holds all that was written so far.
    pub(crate) fn is_whole_on_disk(&self) -> bool {
        self.is_saved(self.version) || (self.values == self.on_disk && !self.is_unsure)
    }

    /// The version that holds all that was written so far.
    pub(crate) fn version(&self) -> StateVersion {
        self.version
    }

    /// The newest version that nobody needs to wait for.
    pub(crate) fn settled(&self) -> StateVersion {
        self.settled
    }

    /// Whether nobody needs to wait for a version.
    pub(crate) fn is_settled(&self, version: StateVersion) -> bool {
        self.settled >= version
    }

    /// A save worked; says whether that is news for the user.
    pub(crate) fn saved(&mut self, version: StateVersion, now: Moment) -> Option<Notice> {
        let flight = self.take_flight(version)?;
        (self.saved, self.put) = (version, version);
        self.is_durable = flight.is_durable;
        self.on_disk = flight.values;
        self.is_unsure = false;
        if flight.is_durable {
            self.durable = version;
        } else {
            self.settling = Some(Settling::since(now));
        }
        self.retry_at = None;
        self.told.take().map(|_| Notice::StateSaveRecovered)
    }

    /// The file with this version survives a loss of power, or may not.
    pub(crate) fn synced(&mut self, version: StateVersion, is_synced: bool, now: Moment) {
        self.syncing = None;
        if version != self.saved {
            // What came since has its own time.
            self.settling.get_or_insert(Settling::since(now));
        } else if is_synced {
            self.is_durable = true;
            self.durable = version;
        } else {
            self.is_sync_failed = true;
        }
    }

    /// A save failed; says whether that is news for the user.
    pub(crate) fn save_failed(
        &mut self,
        version: StateVersion,
        (error, is_replaced): (String, bool),
        now: Moment,
    ) -> Option<Notice> {
        let flight = self.take_flight(version)?;
        if is_replaced {
            self.put = version;
            self.is_unsure |= flight.values != self.on_disk;
        }
        self.retry_at = Some(now + RETRY_AFTER);
        self.tell_failure(error)
    }

    /// Answers to saves that nobody waits for end here.
    fn take_flight(&mut self, version: StateVersion) -> Option<Flight> {
        let flight = self.in_flight.take_if(|flight| flight.version == version)?;
        self.settled = self.settled.max(version);
        if matches!(self.last, LastSave::Asked { .. }) {
            self.last = LastSave::Over;
        }
        Some(flight)
    }

    fn tell_failure(&mut self, error: String) -> Option<Notice> {
        if self.told.as_ref() == Some(&error) {
            return None;
        }
        self.told = Some(error.clone());
        Some(Notice::StateSaveFailed { error })
    }

    /// The session begins to end: from now on what is saved survives a loss of power.
    pub(crate) fn begin_to_end(&mut self) {
        if self.last == LastSave::NotYet {
            self.last = LastSave::Early { is_asked: false };
        }
    }

    /// From now on only the last save matters.
    pub(crate) fn want_last_save(&mut self, now: Moment) {
        if matches!(self.last, LastSave::NotYet | LastSave::Early { .. }) {
            self.last = LastSave::Wanted { give_up_at: now + LAST_SAVE_MAX };
        }
    }

    /// Whether the last save is over.
    pub(crate) fn is_over(&self) -> bool {
        self.last == LastSave::Over
    }

    /// Gives up on a last save that is not answered.
    pub(crate) fn expire(&mut self, now: Moment) -> Option<Notice> {
        match self.last {
            LastSave::Wanted { give_up_at } | LastSave::Asked { give_up_at } if give_up_at <= now => {
                self.last = LastSave::Over;
                self.tell_failure(format!("not written within {} s", LAST_SAVE_MAX.as_secs()))
            }
            LastSave::NotYet
            | LastSave::Early { .. }
            | LastSave::Wanted { .. }
            | LastSave::Asked { .. }
            | LastSave::Over => None,
        }
    }

    /// The save that is due, if one is.
    pub(crate) fn next_save(&mut self, now: Moment) -> Option<Effect> {
        if self.in_flight.is_some() {
            return None;
        }
        match self.last {
            LastSave::Over | LastSave::Asked { .. } => None,
            LastSave::Wanted { .. } if self.lasts() => {
                self.last = LastSave::Over;
                None
            }
            LastSave::Wanted { give_up_at } => {
                self.last = LastSave::Asked { give_up_at };
                Some(self.save(true))
            }
            LastSave::Early { is_asked } => {
                self.last = LastSave::Early { is_asked: true };
                (!is_asked && !self.lasts() || self.is_save_due(now)).then(|| self.save(true))
            }
            LastSave::NotYet => {
                if self.is_save_due(now) {
                    return Some(self.save(self.durable_wanted > self.durable));
                }
                if std::mem::take(&mut self.is_sync_failed) && !self.lasts() {
                    return Some(self.save(true));
                }
                if self.syncing.is_some() {
                    return None;
                }
                self.settling.take_if(|settling| settling.at <= now)?;
                self.sync()
            }
        }
    }

    /// What could not be saved is left to the save that tries it again.
    fn sync(&mut self) -> Option<Effect> {
        if self.lasts() || !self.is_whole_on_disk() || self.is_unsure {
            return None;
        }
        self.syncing = Some(self.saved);
        Some(Effect::SyncState(self.saved))
    }

    /// Whether all that was written so far is on disk and survives a loss of power.
    fn lasts(&self) -> bool {
        self.is_durable && !self.is_unsure && self.values == self.on_disk
    }

    fn is_save_due(&mut self, now: Moment) -> bool {
        let is_retry_due = self.retry_at.is_some_and(|at| at <= now);
        if self.version == self.saved {
            // All that failed was making it survive a loss of power, which the last save tries again.
            self.retry_at = None;
            return false;
        }
        if self.version == self.tried && !is_retry_due {
            return false;
        }
        // Written back and forth: the file is right already.
        if self.values == self.on_disk && !self.is_unsure && self.durable_wanted <= self.durable {
            self.saved = self.version;
            self.tried = self.version;
            self.settled = self.version;
            self.retry_at = None;
            return false;
        }
        true
    }

    fn save(&mut self, durable: bool) -> Effect {
        self.tried = self.version;
        self.retry_at = None;
        self.settling = None;
        let (version, values) = (self.version, Arc::clone(&self.values));
        self.in_flight = Some(Flight { version, values: Arc::clone(&values), is_durable: durable });
        Effect::SaveState { version, values, durable }
    }

    /// When a save is tried again, or given up.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        match self.last {
            LastSave::NotYet if self.in_flight.is_none() => {
                let settle_at = self.settling.as_ref().filter(|_| self.syncing.is_none()).map(|settling| settling.at);
                self.retry_at.into_iter().chain(settle_at).min()
            }
            LastSave::Early { .. } if self.in_flight.is_none() => self.retry_at,
            LastSave::Wanted { give_up_at } | LastSave::Asked { give_up_at } => Some(give_up_at),
            LastSave::NotYet | LastSave::Early { .. } | LastSave::Over => None,
        }
    }
}
