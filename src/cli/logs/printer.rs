//! Chooses lines of a log and shows them as they looked.

use super::Asked;
use crate::adapters::log_index::Index;
use crate::adapters::output::mask_shapes;
use crate::adapters::output::replay::{Labels, Said, Who};
use crate::adapters::session_log::past::PastLog;
use crate::report::{painted, said_at};
use std::collections::HashSet;
use std::io::{self, Write as _};
use std::ops::ControlFlow;

/// The name by which devloop's own lines are asked for.
pub(super) const OWN_NAME: &str = "devloop";

/// Bytes that are written together.
const BATCH: usize = 64 * 1024;

/// Labels that the index does not know, after which nobody looks into it again: a log without an index has many.
const STRANGERS_MAX: usize = 1000;

/// What goes to stdout.
pub(super) struct Printer<'a> {
    asked: &'a Asked,
    labels: Labels,
    colours: bool,
    out: Vec<u8>,
    /// Labels that the index did not have when it was last read.
    strangers: HashSet<String>,
    trouble: Option<io::Error>,
}

impl<'a> Printer<'a> {
    pub(super) fn new(asked: &'a Asked, index: &Index, colours: bool) -> Self {
        let labels = Labels::new(&index.labels);
        Self { asked, labels, colours, out: Vec::new(), strangers: HashSet::new(), trouble: None }
    }

    /// Whether a line is one of those that are asked for.
    pub(super) fn accepts(&self, line: &[u8]) -> bool {
        is_asked_for(self.asked, &self.labels.said(line, is_own))
    }

    /// Shows a line if it is asked for. A log that is followed may have learned of a label by now.
    pub(super) fn line(&mut self, line: &[u8], followed: Option<&mut PastLog>) -> ControlFlow<()> {
        if let Some(log) = followed {
            self.meet(line, log);
        }
        let said = self.labels.said(line, is_own);
        if !is_asked_for(self.asked, &said) {
            return ControlFlow::Continue(());
        }
        let begin = self.out.len();
        said.show(self.colours, &mut self.out);
        mask_shapes(&mut self.out, begin);
        if self.colours && said.who == Who::Devloop {
            let coloured =
                str::from_utf8(&self.out[begin..]).ok().and_then(|text| painted(text.trim_end_matches('\n')));
            if let Some(coloured) = coloured {
                self.out.truncate(begin);
                self.out.extend_from_slice(coloured.as_bytes());
            }
        }
        if self.out.len() < BATCH { ControlFlow::Continue(()) } else { self.flush() }
    }

    fn meet(&mut self, line: &[u8], log: &mut PastLog) {
        let said = self.labels.said(line, is_own);
        let Who::Child(name) = said.who else { return };
        if !said.is_guess() || self.strangers.len() >= STRANGERS_MAX || self.strangers.contains(name) {
            return;
        }
        self.strangers.insert(name.to_owned());
        log.read_index_again();
        self.labels = Labels::new(&log.index.labels);
    }

    /// Writes what has gathered. A reader that has gone away ends it quietly.
    pub(super) fn flush(&mut self) -> ControlFlow<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&self.out).and_then(|()| stdout.flush());
        self.out.clear();
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.trouble = Some(error).filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
                ControlFlow::Break(())
            }
        }
    }

    /// Why stdout could not be written.
    pub(super) fn trouble(&mut self) -> Option<io::Error> {
        self.trouble.take()
    }
}

fn is_asked_for(asked: &Asked, said: &Said<'_>) -> bool {
    let name = match said.who {
        Who::Child(name) => name,
        Who::Devloop => OWN_NAME,
    };
    (asked.names.is_empty() || asked.names.contains(name))
        && asked.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&said.words()))
}

/// Whether a line has the form of devloop's own.
fn is_own(line: &[u8]) -> bool {
    str::from_utf8(line).ok().and_then(said_at).is_some()
}
