//! What goes on all the time: clients that post, and a reader of the state file. And what they know afterwards.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Events `e0` to `e3`. The first two are posted all the time by one client each, the others by faults.
pub(crate) const KEYS: usize = 4;
const STEADY_KEYS: usize = 2;

/// How long a client waits: beyond it an answer counts as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a key may hold: what was accepted last (several where several clients raced), or what may have been.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    pub(crate) accepted: Vec<String>,
    pub(crate) unanswered: Vec<String>,
}

impl Key {
    pub(crate) fn allows(&self, value: &str) -> bool {
        let is_untouched = self.accepted.is_empty() && value.is_empty();
        is_untouched || self.accepted.iter().chain(&self.unanswered).any(|known| known == value)
    }
}

pub(crate) struct Load {
    root: PathBuf,
    keys: [Mutex<Key>; KEYS],
    next_value: AtomicU64,
    /// Answers with 204.
    pub(crate) accepted: AtomicU64,
    /// Posts without an answer.
    pub(crate) unanswered: AtomicU64,
    /// Reads of the state file that found it whole.
    pub(crate) reads: AtomicU64,
    /// The state file may be anything: a fault is at it.
    pub(crate) is_lenient: AtomicBool,
    is_paused: AtomicBool,
    is_over: AtomicBool,
    wrong: Mutex<Vec<String>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Load {
    pub(crate) fn start(root: &Path) -> Arc<Self> {
        let load = Arc::new(Self {
            root: root.to_owned(),
            keys: Default::default(),
            next_value: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            is_lenient: AtomicBool::new(true),
            is_paused: AtomicBool::new(true),
            is_over: AtomicBool::new(false),
            wrong: Mutex::default(),
            threads: Mutex::default(),
        });
        let mut threads = Vec::new();
        for key in 0..STEADY_KEYS {
            let load = Arc::clone(&load);
            threads.push(std::thread::spawn(move || load.post_steadily(key)));
        }
        let reader = Arc::clone(&load);
        threads.push(std::thread::spawn(move || reader.read_steadily()));
        *load.threads.lock().unwrap() = threads;
        load
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads.lock().unwrap().drain(..) {
            thread.join().unwrap();
        }
    }

    /// After it no steady client posts until it is called with false. One that waits for an answer is waited for.
    pub(crate) fn pause(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::SeqCst);
        if is_paused {
            (0..STEADY_KEYS).for_each(|key| drop(self.keys[key].lock().unwrap()));
        }
    }

    pub(crate) fn key(&self, key: usize) -> Key {
        self.keys[key].lock().unwrap().clone()
    }

    /// From now on a key holds just this.
    pub(crate) fn settle(&self, key: usize, value: &str) {
        *self.keys[key].lock().unwrap() = Key { accepted: vec![value.to_owned()], unanswered: Vec::new() };
    }

    /// What clients and readers saw that should not be.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    pub(crate) fn blame(&self, words: String) {
        self.wrong.lock().unwrap().push(words);
    }

    pub(crate) fn state(&self) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(self.root.join(".devloop/state.json")).ok()?).ok()
    }

    /// Host and port of a server of devloop, as the child that gives its token away was told.
    pub(crate) fn address(&self, file: &str) -> Option<String> {
        let url = std::fs::read_to_string(self.root.join(file)).ok()?;
        let rest = url.strip_prefix("http://")?;
        Some(rest.split('/').next()?.to_owned())
    }

    pub(crate) fn token(&self) -> Option<String> {
        std::fs::read_to_string(self.root.join("client.token")).ok()
    }

    pub(crate) fn new_value(&self) -> String {
        format!("v{}", self.next_value.fetch_add(1, Ordering::SeqCst))
    }

    pub(crate) fn request(&self, key: usize, value: &str) -> Option<(String, Vec<u8>)> {
        let (address, token) = (self.address("client.url")?, self.token()?);
        let body = format!("{{\"value\":\"{value}\"}}");
        let request = format!(
            "POST /events/e{key} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        Some((address, request.into_bytes()))
    }

    /// Posts a new value and remembers what became of it; the status, or none without an answer.
    pub(crate) fn post(&self, key: usize) -> Option<u16> {
        // Held all the time: one client for a key.
        let mut known = self.keys[key].lock().unwrap();
        self.post_as(key, &mut known)
    }

    /// Like `post`, for several clients at the same key, each with its own knowledge.
    pub(crate) fn post_as(&self, key: usize, known: &mut Key) -> Option<u16> {
        let value = self.new_value();
        let (address, request) = self.request(key, &value)?;
        let status = send(&address, &request)?;
        match status {
            Some(204) => {
                self.accepted.fetch_add(1, Ordering::SeqCst);
                known.accepted = vec![value];
            }
            Some(_) => {}
            None => {
                self.unanswered.fetch_add(1, Ordering::SeqCst);
                known.unanswered.push(value);
            }
        }
        status
    }

    /// Several clients have posted to a key: it may hold what each of them knows.
    pub(crate) fn merge(&self, key: usize, theirs: Vec<Key>) {
        let mut known = self.keys[key].lock().unwrap();
        if theirs.iter().any(|key| !key.accepted.is_empty()) {
            known.accepted.clear();
        }
        for their in theirs {
            known.accepted.extend(their.accepted);
            known.unanswered.extend(their.unanswered);
        }
    }

    fn post_steadily(&self, key: usize) {
        while !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(40));
            let mut known = self.keys[key].lock().unwrap();
            if self.is_paused.load(Ordering::SeqCst) {
                continue;
            }
            if self.post_as(key, &mut known) == Some(204) && !self.is_lenient.load(Ordering::SeqCst) {
                let held = self.state().and_then(|state| Some(state.get(format!("e{key}"))?.as_str()?.to_owned()));
                let is_kept = held.as_ref().is_some_and(|held| known.allows(held));
                if !is_kept && !self.is_lenient.load(Ordering::SeqCst) {
                    self.blame(format!("e{key} was accepted as {:?}, but the file has {held:?}", known.accepted));
                }
            }
        }
    }

    fn read_steadily(&self) {
        let path = self.root.join(".devloop/state.json");
        while !self.is_over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
            if self.is_lenient.load(Ordering::SeqCst) {
                continue;
            }
            let read = std::fs::read(&path);
            let is_whole =
                read.as_ref().is_ok_and(|bytes| serde_json::from_slice::<Value>(bytes).is_ok_and(|v| v.is_object()));
            if is_whole {
                self.reads.fetch_add(1, Ordering::Relaxed);
            } else if !self.is_lenient.load(Ordering::SeqCst) {
                let read = read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                self.blame(format!("the state file is not whole: {read:?}"));
            }
        }
    }
}

/// Sends a request: none when nobody could have heard it, otherwise the status, if one came.
#[expect(clippy::option_option, reason = "not sent and not answered are different things")]
pub(crate) fn send(address: &str, request: &[u8]) -> Option<Option<u16>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    Some(answer.split(' ').nth(1).and_then(|status| status.parse().ok()))
}
