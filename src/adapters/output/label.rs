//! The label in front of each line of a child, and its colour.

use super::super::log_index::LabelLook;
use super::filter::{self, Look};

/// Green, yellow, blue, magenta, cyan and their bright forms; red is left to errors, white and black to terminals.
const COLOURS: [u8; 10] = [32, 33, 34, 35, 36, 92, 93, 94, 95, 96];

/// `[EXE NAME] `, plain and painted.
#[derive(Debug, Clone)]
pub(super) struct Label {
    plain: Vec<u8>,
    painted: Vec<u8>,
    colour: u8,
}

impl Label {
    /// `words` is what stands between the brackets; control characters in it (a file name may hold any) are shown, not
    /// obeyed.
    pub(super) fn new(words: &str) -> Self {
        let mut shown = Vec::from(*b"[");
        for line in words.split(['\n', '\r', '\t']) {
            if shown.len() > 1 {
                shown.push(b' ');
            }
            filter::show(line.as_bytes(), Look::default(), &mut shown);
        }
        shown.push(b']');
        let colour = COLOURS[usize::from(hash(words.as_bytes())) % COLOURS.len()];
        Self::painted(shown, colour)
    }

    /// A label that was made before, with its brackets.
    pub(super) fn painted(mut label: Vec<u8>, colour: u8) -> Self {
        let painted = [format!("\x1b[{colour}m").as_bytes(), &label, b"\x1b[0m "].concat();
        label.push(b' ');
        Self { plain: label, painted, colour }
    }

    /// Whether a label may have that colour.
    pub(super) fn is_colour(colour: u8) -> bool {
        COLOURS.contains(&colour)
    }

    /// How it looks, for those who read the log later. Its last word is the name.
    pub(super) fn look(&self, is_dim: bool) -> LabelLook {
        let label = String::from_utf8_lossy(self.plain.trim_ascii_end()).into_owned();
        let name = label.trim_end_matches(']').rsplit(' ').next().unwrap_or_default().to_owned();
        LabelLook { label, name, colour: self.colour, is_dim }
    }

    /// The label with the space behind it.
    pub(super) fn bytes(&self, colours: bool) -> &[u8] {
        if colours { &self.painted } else { &self.plain }
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
        let painted = String::from_utf8(Label::new("node web").bytes(true).to_vec()).unwrap();
        assert_eq!(painted, String::from_utf8(Label::new("node web").bytes(true).to_vec()).unwrap());
        let code = painted.strip_prefix("\x1b[").unwrap().split('m').next().unwrap();
        assert!(COLOURS.contains(&code.parse().unwrap()), "{painted:?}");
        assert!(COLOURS.iter().all(|code| ![30, 37, 39, 90, 97].contains(code)));
        assert!(painted.ends_with("[node web]\x1b[0m "), "{painted:?}");
    }

    #[test]
    fn different_labels_get_different_colours() {
        let mut colours: Vec<_> = (0..40).map(|n| Label::new(&format!("sh p{n}")).bytes(true)[..4].to_vec()).collect();
        colours.sort();
        colours.dedup();
        assert!(colours.len() >= 6, "{colours:?}");
    }

    #[test]
    fn a_label_cannot_carry_controls() {
        assert_eq!(Label::new("a\x1b[2Jb\nc\x07 d").bytes(false), b"[ab c^G d] ");
    }
}
