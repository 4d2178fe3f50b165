//! Requests that were mutated by a seeded dice, against everything that reads bytes of a client: no panic, no limit
//! broken, and no value out of a request without a token. Bounded, so that it runs with all other tests;
//! `HTTP_FUZZ_ROUNDS` makes it longer.

use super::body::{BODY_BYTES_MAX, Body};
use super::head::{self, HEAD_BYTES_MAX};
use super::wire;

const ROUNDS: u64 = 60_000;

/// splitmix64.
struct Dice(u64);

impl Dice {
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

const CORPUS: &[&str] = &[
    "POST /events/e HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 13\r\n\r\n{\"value\":\"a\"}",
    "POST /events/e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n{\"v\r\na\r\nalue\":\"a\"}\r\n0\r\nA: b\r\n\r\n",
    "GET /browser-events HTTP/1.0\r\nHost: x\r\nOrigin: http://localhost\r\nLast-Event-ID: 5\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\r\nPOST * HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nSec-Fetch-Site: none\r\nConnection: a, close\r\n\r\n",
];

const JSON: &[&str] = &[
    "{\"value\":\"a\\u0041\\ud83d\\ude00\"}",
    "{\"value\":[1,-0.5e+3,{\"a\":[true,false,null,{}]},[]],\"x\":\"\\n\"}",
    "[[[[{\"value\":\"\"}]]]]",
    " \"\\\"\\\\\\/\\b\\f\" ",
];

const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    ":",
    " ",
    "\t",
    ",",
    ";",
    "chunked",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Host: x",
    "0\r\n\r\n",
    "ffffffffffffffff",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\u",
    "\\ud800",
    "\u{e9}",
    "-",
    "+",
    "1e9",
    "{\"value\":\"x\"}",
];

fn mutate(dice: &mut Dice, seed: &str) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] = dice.next().to_le_bytes()[0],
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let end = at + dice.below(bytes.len() - at + 1);
                let copy = bytes[at..end].to_vec();
                let to = dice.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            4 => bytes.splice(at..at, std::iter::repeat_n(b'[', dice.below(3000))).for_each(drop),
            _ => {
                let piece = PIECES[dice.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes()).for_each(drop);
            }
        }
    }
    bytes
}

fn rounds() -> u64 {
    std::env::var("HTTP_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

#[test]
fn mutated_requests_break_no_limit_and_no_parser() {
    let mut dice = Dice(1);
    for _ in 0..rounds() {
        let seed = CORPUS[dice.below(CORPUS.len())];
        let bytes = mutate(&mut dice, seed);
        let Some(end) = head::end(&bytes, 0) else {
            head::too_long(&bytes);
            continue;
        };
        let Ok(head) = head::read(&bytes[..end]) else { continue };
        assert!(end < HEAD_BYTES_MAX && head.target.is_ascii() && !head.target.contains(['\r', '\n', ' ']));
        // However a body is cut, it is the same body.
        let mut whole = None;
        for piece in [1, 5, bytes.len()] {
            let Ok(mut body) = Body::new(head.framing) else { continue };
            let result = bytes[end..].chunks(piece).try_for_each(|part| body.feed(part).map(drop));
            assert!(body.bytes.len() <= BODY_BYTES_MAX);
            let found = (result.map(|()| body.is_whole()), body.bytes);
            assert_eq!(whole.get_or_insert(found.clone()).0, found.0, "{:?}", String::from_utf8_lossy(&bytes));
            if found.0 == Ok(true) {
                assert_eq!(whole.as_ref().unwrap().1, found.1);
                let _ = wire::value(&found.1);
            }
        }
    }
}

#[test]
fn our_json_and_the_library_agree_on_what_json_is() {
    let mut dice = Dice(2);
    for _ in 0..rounds() {
        let seed = JSON[dice.below(JSON.len())];
        let bytes = mutate(&mut dice, seed);
        let ours = wire::value(&bytes);
        // The library's limits are others: it counts depth differently, and refuses numbers that fit no double.
        let depth = bytes.iter().filter(|byte| b"[{".contains(byte)).count();
        let has_number = bytes.iter().any(|byte| b"eE".contains(byte)) && bytes.iter().any(u8::is_ascii_digit);
        if depth > 120 || has_number && bytes.len() > 60 {
            continue;
        }
        let theirs = crate::adapters::json::is_json(&bytes);
        let is_json = ours != Err(super::answer::Answer::NotJson);
        assert!(is_json == theirs || has_number, "{:?}: ours {ours:?}", String::from_utf8_lossy(&bytes));
    }
}
