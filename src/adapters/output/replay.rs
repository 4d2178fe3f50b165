//! A line of a session log as its stream showed it. The log has the bytes of children as they were written, so what a
//! terminal may see of them is decided here once more, for every line, whoever wrote it.

use std::borrow::Cow;

use super::super::log_index::LabelLook;
use super::filter::{self, Look};
use super::label::Label;

/// What is known of the labels in a log.
#[derive(Debug, Default)]
pub struct Labels(Vec<Known>);

#[derive(Debug)]
struct Known {
    name: String,
    label: Label,
    is_dim: bool,
}

/// Who said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// A process or hook of this name.
    Child(&'a str),
    /// devloop itself.
    Devloop,
}

/// A line, taken apart.
#[derive(Debug)]
pub struct Said<'a> {
    /// Who said it.
    pub who: Who<'a>,
    /// What: without the label, for a child.
    pub text: &'a [u8],
    label: Option<Cow<'a, Label>>,
    is_dim: bool,
}

impl Labels {
    /// Of what an index says. What could not be a label of ours is left out.
    pub fn new(looks: &[LabelLook]) -> Self {
        let is_label = |look: &&LabelLook| {
            let is_printable =
                filter::is_printable(look.label.as_bytes()) && filter::is_printable(look.name.as_bytes());
            is_printable && look.label.starts_with('[') && look.label.ends_with(']') && Label::is_colour(look.colour)
        };
        let known = |look: &LabelLook| Known {
            name: look.name.clone(),
            label: Label::painted(look.label.clone().into_bytes(), look.colour, 0),
            is_dim: look.is_dim,
        };
        // What was told last holds.
        let mut known: Vec<Known> = looks.iter().rev().filter(is_label).map(known).collect();
        known.sort_by_key(|known| std::cmp::Reverse(known.label.logged().len()));
        Self(known)
    }

    /// All names of processes and hooks, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|known| known.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Takes a line of the log apart. `is_own` tells lines of devloop's own that look as if they had a label.
    pub fn said<'a>(&'a self, line: &'a [u8], is_own: impl Fn(&[u8]) -> bool) -> Said<'a> {
        if let Some(known) = self.0.iter().find(|known| line.starts_with(known.label.logged())) {
            let text = &line[known.label.logged().len()..];
            let label = Some(Cow::Borrowed(&known.label));
            return Said { who: Who::Child(&known.name), text, label, is_dim: known.is_dim };
        }
        match unknown_label(line).filter(|_| !is_own(line)) {
            Some((name, words, text)) => {
                Said { who: Who::Child(name), text, label: Some(Cow::Owned(Label::new(words, 0))), is_dim: false }
            }
            None => Said { who: Who::Devloop, text: line, label: None, is_dim: false },
        }
    }
}

/// The label that a line begins with, by its form alone: the name, the words between the brackets, and what is behind.
fn unknown_label(line: &[u8]) -> Option<(&str, &str, &[u8])> {
    let end = line.windows(2).position(|two| two == b"] ")?;
    let words = str::from_utf8(line[..end].strip_prefix(b"[")?).ok()?;
    let (program, name) = words.rsplit_once(' ')?;
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/@".contains(&byte));
    (is_name && !program.is_empty()).then(|| (name, words, &line[end + 2..]))
}

impl Said<'_> {
    /// Whether its label was not told of, and was recognised by its form alone.
    pub fn is_guess(&self) -> bool {
        matches!(self.label, Some(Cow::Owned(_)))
    }

    /// Its words, without colours and control characters.
    pub fn words(&self) -> Cow<'_, str> {
        filter::words(self.text)
    }

    /// Appends the line as it may be shown, with its end. Lines of devloop's own have no colours here.
    pub fn show(&self, colours: bool, out: &mut Vec<u8>) {
        let is_child = self.label.is_some();
        if let Some(label) = &self.label {
            out.extend_from_slice(label.shown(colours));
        }
        filter::show(self.text, Look { colours: colours && is_child, dim: self.is_dim }, out);
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(words: &str, is_dim: bool) -> LabelLook {
        Label::new(words, 0).look(is_dim)
    }

    fn shown(labels: &Labels, line: &[u8], colours: bool) -> String {
        let mut out = Vec::new();
        labels.said(line, |_| false).show(colours, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_looks_as_it_did_on_its_stream() {
        let labels = Labels::new(&[look("sh web", false), look("cc] build", true)]);
        assert_eq!(labels.names(), ["build", "web"]);
        let painted = |label: &str| String::from_utf8(Label::new(label, 0).shown(true).to_vec()).unwrap();
        let red = b"[sh web] a \x1b[31mred\x1b[0m \x1b[2Jword";
        assert_eq!(shown(&labels, red, true), format!("{}a \x1b[31mred\x1b[0m word\n", painted("sh web")));
        assert_eq!(shown(&labels, red, false), "[sh web] a red word\n");
        let dim = b"[cc] build] 1\x1b[32m2";
        let expected = format!("{}\x1b[2m1\x1b[32m\x1b[2m2\x1b[0m\n", painted("cc] build"));
        assert_eq!(shown(&labels, dim, true), expected);
        // Nobody told of this one; its form says enough.
        assert_eq!(shown(&labels, b"[node api] x", true), format!("{}x\n", painted("node api")));
    }

    #[test]
    fn lines_without_a_label_are_devloops_own_and_carry_nothing_to_the_terminal() {
        let labels = Labels::default();
        for line in ["│ said │", "[x] y", "[a b", "", "[devloop] writing session log: x", "[a b!] c"] {
            assert_eq!(labels.said(line.as_bytes(), |_| false).who, Who::Devloop, "{line}");
        }
        let own = b"[devloop engine] INFO x \x1b]52;c;aGk=\x07\x1b[31m\x07";
        assert_eq!(labels.said(own, |_| false).who, Who::Child("engine"));
        let said = labels.said(own, |_| true);
        let mut out = Vec::new();
        said.show(true, &mut out);
        assert_eq!((said.who, out.as_slice()), (Who::Devloop, b"[devloop engine] INFO x ^G\n".as_slice()));
    }

    #[test]
    fn an_index_that_somebody_else_wrote_brings_nothing_to_the_terminal() {
        let label = |label: &str, name: &str, colour| LabelLook {
            label: label.to_owned(),
            name: name.to_owned(),
            colour,
            is_dim: false,
        };
        let looks =
            [label("[a\x1b[2J b]", "b", 32), label("[a b]", "b\x1b", 32), label("[a b]", "b", 8), label("", "b", 32)];
        assert!(Labels::new(&looks).names().is_empty());
    }
}
