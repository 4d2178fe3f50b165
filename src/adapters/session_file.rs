//! The session state on disk: one writer thread, a new file for each save, renamed into place.
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

impl From<Saved> for Fact {
    fn from(saved: Saved) -> Self {
        match saved.result {
            Ok(()) => Self::StateSaved(saved.version),
            Err(NotSaved { error, is_replaced }) => {
                Self::StateSaveFailed { version: saved.version, error, is_replaced }
            }
        }
    }
}

/// The state file of a running session, and the thread that writes it. Dropping it waits for the save in flight, ends
/// the thread and frees the lock.
#[derive(Debug)]
pub struct SessionFile {
    orders: Option<Sender<Order>>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Order {
    version: StateVersion,
    values: Arc<Values>,
    durable: bool,
}

impl SessionFile {
    /// Starts the writer. `heard` is called on its thread, once for each save, in the order of the saves.
    pub fn start(folder: StateFolder, heard: Box<dyn Fn(Saved) + Send>) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let writer = std::thread::Builder::new()
            .name("session file".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || write_all(folder, &inbox, &*heard))?;
        Ok(Self { orders: Some(orders), writer: Some(writer) })
    }

    /// Orders a save and returns at once. `durable`: the answer comes when it survives a loss of power.
    pub fn save(&self, version: StateVersion, values: Arc<Values>, durable: bool) {
        if let Some(orders) = &self.orders {
            // The receiver lives until the sender is dropped: only `heard` could end its thread earlier, by a panic.
            let _ = orders.send(Order { version, values, durable });
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

fn write_all(mut folder: StateFolder, inbox: &Receiver<Order>, heard: &dyn Fn(Saved)) {
    let mut text = Vec::new();
    for Order { version, values, durable } in inbox {
        text.clear();
        json::write_pretty(&values, &mut text);
        drop(values);
        let result = folder.replace(&text, durable).map_err(|error| NotSaved {
            error: error.with_causes(),
            is_replaced: matches!(error, StateError::Sync { .. }),
        });
        heard(Saved { version, result });
    }
}
