//! How far a value from outside is held: questions about the language of its pattern, answered on the automaton.
//!
//! An answer is exact or it is [`Answer::Undecided`], which counts as "it does"; none is guessed from how a pattern looks.

use regex_automata::Anchored;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};
use std::collections::{BTreeMap, VecDeque};

/// The largest automaton that is built, in bytes; a larger one leaves all questions undecided.
const AUTOMATON_BYTES_MAX: usize = 8 << 20;

/// What a shell gives a meaning to (POSIX.1-2017, XCU 2.2, with the brackets and marks of its common descendants).
const METACHARACTERS: &str = "|&;<>()$`\\\"'*?[]{}!#~^\n";

/// White space of Unicode 16 (`White_Space`).
const WHITE_SPACE: &str = "\t\n\u{b}\u{c}\r \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

/// Whether a pattern lets something through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It does not.
    No,
    /// It does; the shortest such value that was found.
    Yes(String),
    /// The automaton is too large, or the pattern uses what no automaton can tell: counts as "it does".
    Undecided,
}

impl Answer {
    /// Whether such a value must be reckoned with.
    pub fn is_admitted(&self) -> bool {
        *self != Self::No
    }
}

/// What a pattern lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admits {
    /// A value that begins with `-`, and so could be taken for an option.
    pub leading_dash: Answer,
    /// A value with something in it that a shell gives a meaning to.
    pub shell_metacharacters: Answer,
    /// A value with white space in it.
    pub white_space: Answer,
    /// Values without a bound on their length but devloop's own (8 KiB).
    pub any_length: Answer,
}

impl Admits {
    const fn undecided() -> Self {
        Self {
            leading_dash: Answer::Undecided,
            shell_metacharacters: Answer::Undecided,
            white_space: Answer::Undecided,
            any_length: Answer::Undecided,
        }
    }

    /// Of values that match all of a pattern, which says by itself where they begin and end.
    pub(super) fn of_whole(pattern: &str) -> Self {
        regex_syntax::parse(pattern).map_or_else(|_| Self::undecided(), |hir| Self::of(&hir))
    }

    /// Of what a group of a pattern may be. Assertions inside it look at the line around it, so they are passed over:
    /// that can only let more through.
    pub(super) fn of_group(pattern: &str, group: usize) -> Self {
        let hir = regex_syntax::parse(pattern).ok();
        let found = hir.as_ref().and_then(|hir| if group == 0 { Some(hir) } else { group_of(hir, group) });
        found.map_or_else(Self::undecided, |hir| Self::of(&without_assertions(hir)))
    }

    /// Of the addresses that `url_token` finds: `https://`, then letters of a URL.
    pub(super) fn of_url() -> Self {
        Self::of_whole(r"https://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
    }

    fn of(hir: &Hir) -> Self {
        let Some(language) = Language::of(hir) else { return Self::undecided() };
        let answer = |found: Option<Vec<u8>>| {
            found.map_or(Answer::No, |value| Answer::Yes(String::from_utf8_lossy(&value).into_owned()))
        };
        Self {
            leading_dash: answer(language.beginning_with(b'-')),
            shell_metacharacters: answer(language.containing(METACHARACTERS)),
            white_space: answer(language.containing(WHITE_SPACE)),
            any_length: if language.is_endless() { Answer::Yes("…".to_owned()) } else { Answer::No },
        }
    }
}

fn group_of(hir: &Hir, group: usize) -> Option<&Hir> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.index as usize == group => Some(&capture.sub),
        HirKind::Capture(Capture { sub, .. }) | HirKind::Repetition(Repetition { sub, .. }) => group_of(sub, group),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().find_map(|part| group_of(part, group)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

fn without_assertions(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Look(_) | HirKind::Empty => Hir::empty(),
        HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
        HirKind::Capture(capture) => without_assertions(&capture.sub),
        HirKind::Repetition(repetition) => Hir::repetition(repetition.with(without_assertions(&repetition.sub))),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_assertions).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_assertions).collect()),
    }
}

/// The automaton of a pattern that must match from the first to the last byte, without the states that lead nowhere.
struct Language {
    automaton: DFA<Vec<u32>>,
    start: StateID,
    /// One byte of each class of bytes that the automaton treats alike, letters first: they make examples readable.
    bytes: Vec<u8>,
    /// Every state that can be reached, with a shortest way to it.
    ways: BTreeMap<StateID, Vec<u8>>,
    /// Of those, every state from which a match can be reached, with a shortest way to it.
    ends: BTreeMap<StateID, Vec<u8>>,
}

impl Language {
    fn of(hir: &Hir) -> Option<Self> {
        let config = thompson::Config::new().nfa_size_limit(Some(AUTOMATON_BYTES_MAX));
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir).ok()?;
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(regex_automata::MatchKind::All)
            .accelerate(false)
            .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
            .determinize_size_limit(Some(AUTOMATON_BYTES_MAX));
        let automaton = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        let start = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        let mut order: Vec<u8> = (b'a'..=b'z').chain(b'0'..=b'9').chain(b' '..=b'~').collect();
        order.extend(0..=255);
        let mut seen = [false; 256];
        let classes = automaton.byte_classes();
        let is_first = |byte: &u8| !std::mem::replace(&mut seen[usize::from(classes.get(*byte))], true);
        let bytes = order.into_iter().filter(is_first).collect();
        let mut language = Self { automaton, start, bytes, ways: BTreeMap::new(), ends: BTreeMap::new() };
        language.look_around()?;
        Some(language)
    }

    /// Finds the shortest ways; none if the automaton gives up somewhere.
    fn look_around(&mut self) -> Option<()> {
        let mut before: BTreeMap<StateID, Vec<(StateID, u8)>> = BTreeMap::new();
        let mut waiting = VecDeque::from([self.start]);
        self.ways.insert(self.start, Vec::new());
        while let Some(state) = waiting.pop_front() {
            for &byte in &self.bytes {
                let next = self.automaton.next_state(state, byte);
                if self.automaton.is_quit_state(next) {
                    return None;
                }
                before.entry(next).or_default().push((state, byte));
                if !self.automaton.is_dead_state(next) && !self.ways.contains_key(&next) {
                    let mut way = self.ways[&state].clone();
                    way.push(byte);
                    self.ways.insert(next, way);
                    waiting.push_back(next);
                }
            }
        }
        let is_end = |state: &&StateID| self.automaton.is_match_state(self.automaton.next_eoi_state(**state));
        let mut waiting: VecDeque<StateID> = self.ways.keys().filter(is_end).copied().collect();
        self.ends = waiting.iter().map(|&state| (state, Vec::new())).collect();
        while let Some(state) = waiting.pop_front() {
            for &(earlier, byte) in before.get(&state).into_iter().flatten() {
                if !self.ends.contains_key(&earlier) {
                    let mut way = vec![byte];
                    way.extend(&self.ends[&state]);
                    self.ends.insert(earlier, way);
                    waiting.push_back(earlier);
                }
            }
        }
        Some(())
    }

    /// A shortest value that goes on from a state with these bytes, and ends well.
    fn through(&self, state: StateID, bytes: &[u8]) -> Option<Vec<u8>> {
        let way = self.ways.get(&state)?;
        let next = bytes.iter().fold(state, |state, &byte| self.automaton.next_state(state, byte));
        let end = self.ends.get(&next)?;
        Some([way, bytes, end].concat())
    }

    fn beginning_with(&self, byte: u8) -> Option<Vec<u8>> {
        self.through(self.start, &[byte])
    }

    fn containing(&self, characters: &str) -> Option<Vec<u8>> {
        let mut buffer = [0; 4];
        characters
            .chars()
            .filter_map(|character| {
                let bytes = character.encode_utf8(&mut buffer).as_bytes().to_vec();
                self.ways.keys().filter_map(move |&state| self.through(state, &bytes)).min_by_key(Vec::len)
            })
            .min_by_key(Vec::len)
    }

    /// Whether a circle lies on a way from the start to a match: then some values are longer than any bound.
    fn is_endless(&self) -> bool {
        // Takes away states that nothing left leads on from, until only circles and what leads into them remain.
        let mut left: BTreeMap<StateID, usize> = BTreeMap::new();
        let mut before: BTreeMap<StateID, Vec<StateID>> = BTreeMap::new();
        for &state in self.ends.keys() {
            let next = self.bytes.iter().map(|&byte| self.automaton.next_state(state, byte));
            let next: Vec<StateID> = next.filter(|next| self.ends.contains_key(next)).collect();
            left.insert(state, next.len());
            for next in next {
                before.entry(next).or_default().push(state);
            }
        }
        let mut waiting: Vec<StateID> =
            left.iter().filter(|(_, count)| **count == 0).map(|(&state, _)| state).collect();
        let mut taken = 0;
        while let Some(state) = waiting.pop() {
            taken += 1;
            for earlier in before.get(&state).into_iter().flatten() {
                if let Some(count) = left.get_mut(earlier) {
                    *count -= 1;
                    if *count == 0 {
                        waiting.push(*earlier);
                    }
                }
            }
        }
        taken < left.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(pattern: &str) -> [bool; 4] {
        let admits = Admits::of_whole(&format!(r"\A(?:{pattern})\z"));
        [&admits.leading_dash, &admits.shell_metacharacters, &admits.white_space, &admits.any_length]
            .map(Answer::is_admitted)
    }

    #[test]
    fn what_a_pattern_lets_through_is_decided_on_its_language() {
        assert_eq!(whole("^[a-z0-9]{1,64}$"), [false; 4]);
        assert_eq!(whole("^[a-z0-9-]{1,64}$"), [true, false, false, false]);
        assert_eq!(whole("^[a-z][a-z0-9-]*$"), [false, false, false, true]);
        assert_eq!(whole("^[^-].*$"), [false, true, true, true]);
        assert_eq!(whole("^.{0,8}$"), [true, true, true, false]);
        assert_eq!(whole("^(a|b c)$"), [false, false, true, false]);
        assert_eq!(whole("^a\u{3000}b$"), [false, false, true, false]);
        assert_eq!(whole("^x(a|;)?y$"), [false, true, false, false]);
    }

    #[test]
    fn what_looks_dangerous_and_can_never_match_is_not() {
        // The dash is behind the beginning, the star is never followed by its end.
        assert_eq!(whole("^a$-b"), [false; 4]);
        assert_eq!(whole(r"^a\Az*$"), [false; 4]);
        assert_eq!(whole("^[^a-z]{0}abc$"), [false; 4]);
    }

    #[test]
    fn an_example_is_a_value_of_the_language() {
        let admits = Admits::of_whole(r"\A(?:^v[0-9]+(-rc [a-z]+)?$)\z");
        assert_eq!(admits.white_space, Answer::Yes("v0-rc a".to_owned()));
        let admits = Admits::of_whole(r"\A(?:[a-z-]{2,3})\z");
        assert_eq!(admits.leading_dash, Answer::Yes("-a".to_owned()));
    }

    #[test]
    fn what_no_automaton_can_tell_counts_as_let_through() {
        let admits = Admits::of_whole(r"\A(?:\bé\b)\z");
        assert_eq!(admits, Admits::undecided());
        assert!(admits.leading_dash.is_admitted());
        assert_eq!(Admits::of_whole(r"\A(?:\w{1,3000})\z"), Admits::undecided());
    }

    #[test]
    fn a_group_is_judged_by_itself_and_its_assertions_are_passed_over() {
        let admits = Admits::of_group("^port: (?:(x)|([0-9]{1,5}$)) -", 2);
        assert_eq!(admits.leading_dash, Answer::No);
        assert_eq!(admits.any_length, Answer::No);
        // `^` stands at the beginning of a line, which need not be the beginning of the value.
        assert!(Admits::of_group("(a(?m:^)-|-)", 1).leading_dash.is_admitted());
        assert!(Admits::of_group("x (.*)", 0).white_space.is_admitted());
        assert_eq!(Admits::of_group("x", 7), Admits::undecided());
    }

    #[test]
    fn an_address_of_a_tunnel_begins_with_no_dash_and_has_no_white_space() {
        let admits = Admits::of_url();
        assert_eq!((&admits.leading_dash, &admits.white_space), (&Answer::No, &Answer::No));
        assert!(admits.shell_metacharacters.is_admitted());
    }
}
