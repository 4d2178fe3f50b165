//! What others ask of the reader thread, and how they wake it from its `poll`.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::oneshot;

use super::{ChildStreams, Drained, OwnLine, Recalled, StreamsId};
use devloop_core::notice::Who;

/// One wish to the reader thread; they are met in order.
pub(super) enum Command {
    /// Read these pipes.
    Attach(StreamsId, Box<ChildStreams>),
    /// The child is dead: read all there is, then answer.
    Drain(StreamsId, oneshot::Sender<Drained>),
    /// A line of devloop's own, made of the last lines of a child.
    Recall(Who, Recalled),
    /// A line of devloop's own.
    Line(OwnLine),
    /// A writer could not write to its file and writes no more.
    Failed { sink: usize, error: io::Error },
    /// The session ends: read all there is, then answer.
    Finish(mpsc::Sender<()>),
}

#[derive(Default)]
struct State {
    commands: Vec<Command>,
    /// Nobody is woken for what comes: more is about to.
    held: bool,
    closed: bool,
}

/// The list of wishes and the pipe that wakes the reader.
pub(super) struct Inbox {
    state: Mutex<State>,
    wake: PipeWriter,
}

/// An empty inbox and what the reader polls.
pub(super) fn open() -> io::Result<(Arc<Inbox>, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    rustix::io::ioctl_fionbio(&writer, true)?;
    Ok((Arc::new(Inbox { state: Mutex::default(), wake: writer }), reader))
}

impl Inbox {
    /// Puts the wish behind the others. After the end it is dropped, and with it whoever waits for its answer is told.
    pub(super) fn send(&self, command: Command) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let wakes = state.commands.is_empty() && !state.held;
        state.commands.push(command);
        drop(state);
        if wakes {
            self.wake();
        }
    }

    /// Lets wishes gather until [`Self::release`].
    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    /// Wakes the reader for what has gathered.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        let wakes = std::mem::take(&mut state.held) && !state.commands.is_empty();
        drop(state);
        if wakes {
            self.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the reader look around. A full pipe means that it will anyway.
    pub(super) fn wake(&self) {
        let _ = (&self.wake).write(&[1]);
    }

    /// Ends the reader.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake();
    }

    /// All wishes since the last time; nothing when the inbox is closed.
    pub(super) fn take(&self) -> Option<Vec<Command>> {
        let mut state = self.lock();
        let commands = std::mem::take(&mut state.commands);
        (!state.closed).then_some(commands)
    }
}

/// Empties the wake pipe; done before the wishes are taken, so that none is slept through.
pub(super) fn hush(wake: &mut PipeReader) {
    let mut bytes = [0; 64];
    while wake.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
}
