//! What a session says, heard line by line and not kept: numbered lines are counted, the rest is looked at and forgotten.

use e2e::chorus::NUMBERED;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lines that are kept for whoever has to find out what went wrong.
const TAIL: usize = 120;

/// devloop's own lines that are kept of one session.
const OWN_LINES_MAX: usize = 50_000;

/// Words that no session may say.
const NEVER: &[&str] = &["panicked at", "an adapter told", "the engine asked for", "stack overflow"];

#[derive(Default)]
pub(crate) struct Heard {
    /// Numbered lines of each life: the number that has to come next.
    pub(crate) lives: BTreeMap<String, u64>,
    /// devloop's own lines in this session.
    pub(crate) own: VecDeque<String>,
    /// The last lines of all streams, numbered ones aside.
    pub(crate) tail: VecDeque<String>,
    /// Bytes of the line without an end.
    pub(crate) endless: u64,
    /// What should not have been heard.
    pub(crate) wrong: Vec<String>,
}

/// Both streams of devloop, over all sessions.
#[derive(Clone, Default)]
pub(crate) struct Ears {
    heard: Arc<Mutex<Heard>>,
    is_stalled: Arc<AtomicBool>,
}

impl Ears {
    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    /// From now on nobody reads, or somebody does again.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.is_stalled.store(is_stalled, Ordering::SeqCst);
    }

    /// Reads a stream to its end.
    pub(crate) fn listen(&self, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let ears = self.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::with_capacity(64 * 1024, Patient(stream, Arc::clone(&ears.is_stalled)));
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&line);
                // A stream that ends in the middle of a line was killed, or nobody read it.
                if text.ends_with('\n') || !text.contains(NUMBERED) {
                    ears.heard().hear(&text);
                }
                line.clear();
            }
        })
    }

    /// How often devloop itself said something in this session.
    pub(crate) fn count(&self, fragment: &str) -> usize {
        self.heard().own.iter().filter(|line| line.contains(fragment)).count()
    }
}

impl Heard {
    fn hear(&mut self, line: &str) {
        let line = line.trim_end_matches('\n');
        let end = (0..=line.len().min(300)).rev().find(|&at| line.is_char_boundary(at)).unwrap_or_default();
        if let Some((_, numbered)) = line.split_once(&format!("] {NUMBERED} ")) {
            self.hear_numbered(numbered);
        } else if let Some((_, text)) = line.split_once("] eeee") {
            self.endless += 4 + text.bytes().take_while(|byte| *byte == b'e').count() as u64;
        } else {
            self.tail.push_back(line[..end].to_owned());
            if self.tail.len() > TAIL {
                self.tail.pop_front();
            }
        }
        if line.starts_with("[devloop ") {
            self.own.push_back(line.to_owned());
            if self.own.len() > OWN_LINES_MAX {
                self.own.pop_front();
            }
        }
        if NEVER.iter().any(|words| line.contains(words)) {
            self.wrong.push(line[..end].to_owned());
        }
    }

    fn hear_numbered(&mut self, text: &str) {
        let mut words = text.split(' ');
        let life = words.next().unwrap_or_default();
        let number = words.next().and_then(|number| number.parse::<u64>().ok());
        let filling = words.next().unwrap_or_default();
        let expected = self.lives.entry(life.to_owned()).or_default();
        let is_whole = words.next().is_none() && !filling.is_empty() && filling.bytes().all(|byte| byte == b'x');
        if number == Some(*expected) && is_whole {
            *expected += 1;
        } else {
            let shown: String = text.chars().take(120).collect();
            self.wrong.push(format!("line {expected} of {life} should have come, but this did: {shown}"));
            *expected = number.map_or(*expected, |number| number + 1);
        }
    }
}

/// A stream that waits while nobody wants to read.
struct Patient<R>(R, Arc<AtomicBool>);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        while self.1.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.0.read(bytes)
    }
}
