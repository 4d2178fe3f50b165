//! The label in front of each line of a child, and its colour.

use super::super::log_index::LabelLook;
use super::filter::{self, Look};
use crate::report::columns;

/// Green, yellow, blue, magenta, cyan and their bright forms; red is left to errors, white and black to terminals.
const COLOURS: [u8; 10] = [32, 33, 34, 35, 36, 92, 93, 94, 95, 96];

/// `[EXE NAME] `: as the log has it, and as a stream shows it, plain and painted.
#[derive(Debug, Clone)]
pub(super) struct Label {
    logged: Vec<u8>,
    plain: Vec<u8>,
    painted: Vec<u8>,
    colour: u8,
}

impl Label {
    /// `words` is what stands between the brackets; control characters in it (a file name may hold any) are shown, not
    /// obeyed. Where it is shown, blanks behind it make it `width` columns wide; a wider one stays whole.
    pub(super) fn new(words: &str, width: usize) -> Self {
        let mut shown = Vec::from(*b"[");
        for line in words.split(['\n', '\r', '\t']) {
            if shown.len() > 1 {
                shown.push(b' ');
            }
            filter::show(line.as_bytes(), Look::default(), &mut shown);
        }
        shown.push(b']');
        let colour = COLOURS[usize::from(hash(words.as_bytes())) % COLOURS.len()];
        Self::painted(shown, colour, width)
    }

    /// A label that was made before, with its brackets.
    pub(super) fn painted(mut label: Vec<u8>, colour: u8, width: usize) -> Self {
        let blanks = " ".repeat(1 + columns::lacking(&String::from_utf8_lossy(&label), width));
        let painted = [format!("\x1b[{colour}m").as_bytes(), &label, b"\x1b[0m", blanks.as_bytes()].concat();
        let plain = [&label, blanks.as_bytes()].concat();
        label.push(b' ');
        Self { logged: label, plain, painted, colour }
    }

    /// Whether a label may have that colour.
    pub(super) fn is_colour(colour: u8) -> bool {
        COLOURS.contains(&colour)
    }

    /// How it looks, for those who read the log later. Its last word is the name.
    pub(super) fn look(&self, is_dim: bool) -> LabelLook {
        let label = String::from_utf8_lossy(self.logged.trim_ascii_end()).into_owned();
        let name = label.trim_end_matches(']').rsplit(' ').next().unwrap_or_default().to_owned();
        LabelLook { label, name, colour: self.colour, is_dim }
    }

    /// The label with what is between it and the line, as a stream shows it.
    pub(super) fn shown(&self, colours: bool) -> &[u8] {
        if colours { &self.painted } else { &self.plain }
    }

    /// The same as the log has it, whatever the terminal looks like.
    pub(super) fn logged(&self) -> &[u8] {
        &self.logged
    }
}

/// FNV-1a, folded: the same in every session and build, which the standard hasher does not promise.
fn hash(bytes: &[u8]) -> u16 {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, d] = hash.to_le_bytes();
    u16::from_le_bytes([a ^ c, b ^ d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_one_stable_colour_that_is_not_white() {
        let painted = String::from_utf8(Label::new("node web", 0).shown(true).to_vec()).unwrap();
        assert_eq!(painted, String::from_utf8(Label::new("node web", 0).shown(true).to_vec()).unwrap());
        let code = painted.strip_prefix("\x1b[").unwrap().split('m').next().unwrap();
        assert!(COLOURS.contains(&code.parse().unwrap()), "{painted:?}");
        assert!(COLOURS.iter().all(|code| ![30, 37, 39, 90, 97].contains(code)));
        assert!(painted.ends_with("[node web]\x1b[0m "), "{painted:?}");
    }

    #[test]
    fn different_labels_get_different_colours() {
        let mut colours: Vec<_> =
            (0..40).map(|n| Label::new(&format!("sh p{n}"), 0).shown(true)[..4].to_vec()).collect();
        colours.sort();
        colours.dedup();
        assert!(colours.len() >= 6, "{colours:?}");
    }

    #[test]
    fn a_label_cannot_carry_controls() {
        assert_eq!(Label::new("a\x1b[2Jb\nc\x07 d", 0).shown(false), b"[ab c^G d] ");
    }

    #[test]
    fn a_label_is_as_wide_as_it_is_told_where_it_is_shown_and_a_wider_one_stays_whole() {
        let of = |words: &str, colours: bool| String::from_utf8(Label::new(words, 9).shown(colours).to_vec()).unwrap();
        assert_eq!([of("sh a", false), of("日本 a", false)], ["[sh a]    ", "[日本 a]  "]);
        assert!(of("sh a", true).ends_with("[sh a]\x1b[0m    "));
        assert_eq!(of("a-long-name", false), "[a-long-name] ");
        assert_eq!(Label::new("sh a", 9).logged(), b"[sh a] ");
    }
}
