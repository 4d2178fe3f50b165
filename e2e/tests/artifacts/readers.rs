//! Readers of what is served, while devloop is killed at any moment: each sees the old whole or the new whole.

use crate::{FILES, Site, whole};
use e2e::{Session, faults, wait};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Kills in every `cargo test`, and in a long run (`FAULT_ROUNDS=full`).
const ROUNDS: (usize, usize) = (6, 200);

/// What the readers saw.
#[derive(Default)]
struct Seen {
    over: AtomicBool,
    through_server: AtomicU64,
    through_state: AtomicU64,
}

impl Seen {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Asks the server for all files, again and again.
fn read_through_server(site: &Site, seen: &Seen) {
    while !seen.is_over() {
        if let Some(body) = wait::get(&site.address, "/all").filter(|body| !body.is_empty()) {
            let parts: Vec<&str> = body.split(' ').collect();
            let different: BTreeSet<&&str> = parts.iter().collect();
            assert!(parts.len() == FILES && different.len() == 1, "the server gave a mixture: {body}");
            seen.through_server.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads all files of the folder that the state names, again and again. A folder may go while it is read only when the
/// state no longer names it.
fn read_through_state(site: &Site, seen: &Seen) {
    let named = || {
        let text = std::fs::read_to_string(site.project.state_file()).ok()?;
        let state: serde_json::Value = serde_json::from_str(&text).unwrap();
        let get = |field: &str| state[format!("artifact.site.{field}")].as_str().map(str::to_owned);
        Some((get("generation")?, get("path")?))
    };
    while !seen.is_over() {
        let Some((generation, path)) = named() else { continue };
        if let Some(found) = whole(Path::new(&path)) {
            assert_eq!(found, generation, "the folder of a generation holds another one");
            seen.through_state.fetch_add(1, Ordering::Relaxed);
        } else {
            let now = named();
            assert_ne!(now, Some((generation, path)), "the state names a folder that is not whole");
        }
    }
}

/// Lets devloop publish again and again, and kills it after a while.
fn round(site: &Site, session: &mut Session, chance: u64) {
    let pauses = chance % 12;
    for number in 0..=pauses {
        site.project.file("content/page", &format!("{chance} {number}"));
        std::thread::sleep(Duration::from_micros(chance.rotate_left(u32::try_from(number).unwrap()) % 45_000));
    }
    session.signal(Signal::KILL);
    session.wait();
}

// promise: artifact.whole.1
#[test]
fn readers_see_the_old_whole_or_the_new_whole_whenever_devloop_is_killed() {
    let rounds = faults::rounds(ROUNDS.0, ROUNDS.1);
    let site = Site::with("", "startup_workflows = [\"content\"]\ndebounce_ms = 0");
    let seen = Seen::default();
    let (mut undone, mut published) = (0, 0);
    let random = RandomState::new();
    std::thread::scope(|scope| {
        let readers = [
            scope.spawn(|| read_through_server(&site, &seen)),
            scope.spawn(|| read_through_server(&site, &seen)),
            scope.spawn(|| read_through_state(&site, &seen)),
        ];
        for number in 0..rounds {
            let mut session = site.project.run();
            let chance = random.hash_one(number);
            if chance % 3 > 0 {
                session.wait_for("published artifact site");
            }
            round(&site, &mut session, chance);
            undone += session.count("nobody verified it");
            published += session.count("published artifact site");
            wait::until("the consumer died with devloop", || {
                std::net::TcpListener::bind(&site.address).is_ok().then_some(())
            });
            assert!(
                readers.iter().all(|reader| !reader.is_finished()),
                "a reader saw what must not be, in round {number}"
            );
        }
        let mut session = site.project.run();
        session.wait_for("published artifact site");
        site.publish_again(&session);
        session.wait_for_count("published artifact site", 2);
        assert!(session.stop().success(), "{}", session.told());
        seen.over.store(true, Ordering::Relaxed);
    });
    site.served();
    site.is_settled();
    wait::until("two are kept", || (site.entries().len() == 2).then_some(()));
    let (server, state) = (seen.through_server.into_inner(), seen.through_state.into_inner());
    eprintln!("{rounds} kills, {published} publishes, {undone} switches undone");
    eprintln!("{server} reads through the server, {state} through the state");
    assert!(server > 0 && state > 0);
}
