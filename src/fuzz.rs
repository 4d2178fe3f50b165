//! Fuzzing with what every machine has: a seeded dice mutates the entries of a corpus, and a target looks at each result.
//!
//! A target is a test, bounded, and beside the code that it attacks; the corpus is in `fuzz/corpus`, a folder a target.
//! `FUZZ_ROUNDS` makes all of them longer. A failure names its seed, and `FUZZ_SEED` plays that one round again.
//! Absent on purpose: feedback from coverage, which only a nightly compiler gives.

mod template;

use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::Path;

/// Mutated entries of one target where `FUZZ_ROUNDS` does not say otherwise.
const ROUNDS: u64 = 10_000;
/// Beyond this a mutated entry does not grow further.
const BYTES_MAX: usize = 32 * 1024;

/// A seeded generator (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }
}

/// The entries of a target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let entries: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(entries.len() >= 4, "{} entries in {}", entries.len(), folder.display());
    entries
}

/// An entry with one to six things done to it.
fn mutated(dice: &mut Dice, corpus: &[Vec<u8>], dictionary: &[&str]) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let insert = |bytes: &mut Vec<u8>, piece: &[u8]| drop(bytes.splice(at..at, piece.iter().copied()));
        match dice.below(8) {
            0 if at < bytes.len() => bytes[at] = dice.next().to_le_bytes()[0],
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            2 if at < bytes.len() => {
                let end = (at + 1 + dice.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 if dice.below(4) == 0 => bytes.truncate(at),
            4 => {
                let end = at + dice.below(bytes.len() - at + 1);
                let copy = bytes[at..end].to_vec();
                insert(&mut bytes, &copy);
            }
            5 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len() + 1);
                insert(&mut bytes, &other[from..]);
            }
            6 if dice.below(8) == 0 => {
                let byte = dictionary[dice.below(dictionary.len())].as_bytes()[0];
                let many = vec![byte; dice.below(3000)];
                insert(&mut bytes, &many);
            }
            _ => insert(&mut bytes, dictionary[dice.below(dictionary.len())].as_bytes()),
        }
        if bytes.len() > BYTES_MAX {
            break;
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Shows `check` each entry of the corpus as it is, and then mutated ones. `dictionary` holds words that the target's
/// readers know.
pub(crate) fn target(name: &str, dictionary: &[&str], check: impl Fn(&[u8]) + RefUnwindSafe) {
    let corpus = corpus(name);
    for entry in &corpus {
        check(entry);
    }
    let seeds = match number("FUZZ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FUZZ_ROUNDS").unwrap_or(ROUNDS),
    };
    for seed in seeds {
        let bytes = mutated(&mut Dice::new(seed), &corpus, dictionary);
        let found = catch_unwind(|| check(&bytes));
        assert!(found.is_ok(), "fuzz target {name}, FUZZ_SEED={seed}: {}", bytes.escape_ascii());
    }
}
