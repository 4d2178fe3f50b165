//! The accept loop: HTTP/1 and nothing else, so many connections and no more.
//!
//! When all places are taken, the oldest connection that has not sent a complete head makes room: whoever only holds
//! places cannot keep out who has something to say.

use super::answer::Answer;
use super::connection::{Connection, write_by};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};

/// Connections over the limit that are being told so.
const TURNED_AWAY_MAX: usize = 8;
/// How long telling them may take.
const TURNING_AWAY_MAX: Duration = Duration::from_millis(250);
/// How long to wait when the system gives no connection (no descriptor is left).
const REST: Duration = Duration::from_millis(20);

/// How a connection stands, least dear first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It has its last answer.
    Leaving,
    /// Its head is not complete.
    Stranger,
    /// It had answers, and is between two requests.
    Idle,
    /// It waits for an answer, or listens.
    Asking,
}

#[derive(Debug)]
struct Place {
    standing: Rc<Cell<Standing>>,
    abort: Option<AbortHandle>,
}

/// All places of one server, by age.
#[derive(Debug, Default)]
struct Places(RefCell<BTreeMap<u64, Place>>);

impl Places {
    fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Ends the oldest of the least dear connections, unless all wait for an answer.
    fn make_room(&self) -> bool {
        let mut places = self.0.borrow_mut();
        let least = places.iter().min_by_key(|(age, place)| (place.standing.get(), **age));
        let Some((&age, place)) = least else { return false };
        if place.standing.get() == Standing::Asking {
            return false;
        }
        if let Some(place) = places.remove(&age)
            && let Some(abort) = place.abort
        {
            abort.abort();
        }
        true
    }
}

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    age: u64,
    standing: Rc<Cell<Standing>>,
    places: Rc<Places>,
}

impl Slot {
    /// Says how the connection stands from now on.
    pub(super) fn stands(&self, standing: Standing) {
        self.standing.set(standing);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.places.0.borrow_mut().remove(&self.age);
    }
}

/// Accepts for ever; ends with the task.
pub(super) async fn run<F: Future<Output = ()> + 'static>(
    listener: TcpListener,
    places_max: usize,
    serve: impl Fn(Connection) -> F,
    told_busy: impl Fn(),
) {
    let places = Rc::new(Places::default());
    let mut connections = JoinSet::new();
    let mut turned_away = JoinSet::new();
    let mut age = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        while turned_away.try_join_next().is_some() {}
        if places.count() >= places_max {
            if !places.make_room() {
                told_busy();
                if turned_away.len() < TURNED_AWAY_MAX {
                    turned_away.spawn_local(turn_away(stream));
                }
                continue;
            }
            // The one that makes room closes its socket in a turn of its own, before the next is accepted.
            tokio::task::yield_now().await;
        }
        age += 1;
        let standing = Rc::new(Cell::new(Standing::Stranger));
        let slot = Slot { age, standing: Rc::clone(&standing), places: Rc::clone(&places) };
        places.0.borrow_mut().insert(age, Place { standing, abort: None });
        let abort = connections.spawn_local(serve(Connection::new(stream, slot)));
        if let Some(place) = places.0.borrow_mut().get_mut(&age) {
            place.abort = Some(abort);
        }
    }
}

/// Says that there is no place, and waits a moment for the client to hear it.
async fn turn_away(mut stream: TcpStream) {
    let mut out = Vec::new();
    Answer::Busy.write(false, true, &mut out);
    let told = async {
        write_by(&stream, &out, Instant::now() + TURNING_AWAY_MAX).await?;
        stream.shutdown().await?;
        let mut thrown = [0; 1024];
        while stream.read(&mut thrown).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A client that does not listen has lost nothing.
    let _ = timeout(TURNING_AWAY_MAX, told).await;
}
