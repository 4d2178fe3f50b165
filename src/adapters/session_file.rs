//! The session state on disk: one writer thread, a new file for each save, renamed into place.
//!
//! What survives a loss of power is made so beside the saves.
//!
//! At every instant the file is whole JSON that holds everything that was answered as saved. Absent on purpose:
//! merging edits from outside (memory is the truth), and deciding what is saved when (the engine has one save in
//! flight, and what changes meanwhile goes into the next).

mod error;
mod folder;
mod lock;
#[cfg(test)]
mod tests;
mod trust;

pub use error::StateError;
pub use folder::{STATE_BYTES_MAX, StateFolder};
pub use trust::OthersCanWrite;

use crate::adapters::json;
use devloop_core::effect::Values;
use devloop_core::fact::Fact;
use devloop_core::names::StateVersion;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// Enough for writing values as deep as the parser lets in.
const STACK_BYTES: usize = 256 * 1024;

/// How a save ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Which version.
    pub version: StateVersion,
    /// What went wrong.
    pub result: Result<(), NotSaved>,
}

/// Why there is no durable file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSaved {
    /// With all causes.
    pub error: String,
    /// Whether the file is replaced all the same; else it is as it was before.
    pub is_replaced: bool,
}

/// What the state file answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a save.
    Saved(Saved),
    /// To a sync: whether the file with this version survives a loss of power.
    Synced(StateVersion, bool),
}

impl From<Answer> for Fact {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Saved(Saved { version, result: Ok(()) }) => Self::StateSaved(version),
            Answer::Saved(Saved { version, result: Err(NotSaved { error, is_replaced }) }) => {
                Self::StateSaveFailed { version, error, is_replaced }
            }
            Answer::Synced(version, true) => Self::StateSynced(version),
            Answer::Synced(version, false) => Self::StateSyncFailed(version),
        }
    }
}

/// Takes the answers; called on threads of their own, and must not wait.
pub type Heard = Arc<dyn Fn(Answer) + Send + Sync>;

/// The state file of a running session, and the thread that writes it. Dropping it waits for the save in flight, ends
/// the thread and frees the lock.
#[derive(Debug)]
pub struct SessionFile {
    orders: Option<Sender<Order>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Save { version: StateVersion, values: Arc<Values>, durable: bool },
    Sync(StateVersion),
}

impl SessionFile {
    /// Starts the writer. `heard` is called once for each order; for saves in their order.
    pub fn start(folder: StateFolder, heard: Heard) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let writer = std::thread::Builder::new()
            .name("session file".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || write_all(folder, &inbox, &heard))?;
        Ok(Self { orders: Some(orders), writer: Some(writer) })
    }

    /// Orders a save and returns at once. `durable`: the answer comes when it survives a loss of power.
    pub fn save(&self, version: StateVersion, values: Arc<Values>, durable: bool) {
        self.order(Order::Save { version, values, durable });
    }

    /// Has the file of this version, which was saved, made to survive a loss of power, and returns at once. Saves do not
    /// wait for that.
    pub fn sync(&self, version: StateVersion) {
        self.order(Order::Sync(version));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The receiver lives until the sender is dropped: only `heard` could end its thread earlier, by a panic.
            let _ = orders.send(order);
        }
    }
}

impl Drop for SessionFile {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write_all(mut folder: StateFolder, inbox: &Receiver<Order>, heard: &Heard) {
    let mut text = Vec::new();
    for order in inbox {
        let (version, values, durable) = match order {
            Order::Save { version, values, durable } => (version, values, durable),
            Order::Sync(version) => {
                sync(version, &mut folder, heard);
                continue;
            }
        };
        text.clear();
        json::write_pretty(&values, &mut text);
        drop(values);
        let result = folder.replace(&text, durable).map_err(|error| NotSaved {
            error: error.with_causes(),
            is_replaced: matches!(error, StateError::Sync { .. }),
        });
        heard(Answer::Saved(Saved { version, result }));
    }
}

/// Syncs the file on a thread that ends with it: it comes once after a change, and may take as long as all that others
/// have written to the disk. Why it fails is not told: a durable save follows, which fails alike.
fn sync(version: StateVersion, folder: &mut StateFolder, heard: &Heard) {
    let answer = Arc::clone(heard);
    let begun = folder.hold().and_then(|held| {
        let work = move || answer(Answer::Synced(version, held.sync().is_ok()));
        std::thread::Builder::new().name("state sync".to_owned()).stack_size(STACK_BYTES).spawn(work).ok()
    });
    if begun.is_none() {
        heard(Answer::Synced(version, false));
    }
}
