//! `[process.NAME]`.

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::graph::{Edge, Link};
use crate::reader::Reader;
use crate::resolve::Sort;
use devloop_core::names::ProcessName;
use devloop_core::plan::output::BodyStyle;
use devloop_core::plan::process::{Contain, ProcessPlan, RestartPolicy, StopSignal};
use std::collections::BTreeSet;
use std::time::Duration;

const POLICIES: [(&str, RestartPolicy); 3] =
    [("never", RestartPolicy::Never), ("on_failure", RestartPolicy::OnFailure), ("always", RestartPolicy::Always)];
const CONTAINS: [(&str, Contain); 2] = [("tree", Contain::Tree), ("group", Contain::Group)];

impl<'a> Lowering<'a> {
    pub(super) fn process(&self, name: &'a str, mut reader: Reader<'a>) -> Option<ProcessPlan> {
        let command = self.command(&mut reader);
        let readiness = self.probe(&mut reader, "readiness", command.as_ref());
        let liveness = self.probe(&mut reader, "liveness", command.as_ref());
        let autostart = reader.switch("autostart");
        let restart = reader.choice("restart", &POLICIES);
        let mut output = self.output(&mut reader, BodyStyle::Plain);
        output.raw = reader.switch("raw_output");
        let depends_on = self.depends_on(name, &mut reader);
        let contain = reader.choice("contain", &CONTAINS);
        let locks = self.locks(&mut reader);
        let stop_signal = reader.choice("stop_signal", &StopSignal::NAMES);
        let stop_timeout = reader.millis("stop_timeout_ms");
        let (restart_delay, restart_delay_max) = self.restart_delays(&mut reader);
        reader.finish();
        Some(ProcessPlan {
            command: command?,
            autostart,
            restart: restart?,
            readiness,
            liveness,
            output,
            depends_on,
            contain: contain?,
            locks,
            stop_signal: stop_signal?,
            stop_timeout,
            restart_delay,
            restart_delay_max,
        })
    }

    fn depends_on(&self, name: &'a str, reader: &mut Reader<'a>) -> BTreeSet<ProcessName> {
        let mut needed = BTreeSet::new();
        for text in reader.texts("depends_on").into_iter().flat_map(|(_, texts)| texts) {
            if let Some(to) = self.resolve(Sort::Process, &text) {
                self.link(Edge { from: name, to, link: Link::Needs, span: text.span });
                needed.insert(ProcessName::from(to));
            }
        }
        needed
    }

    fn restart_delays(&self, reader: &mut Reader<'a>) -> (Duration, Duration) {
        let span = reader.place("restart_delay_ms").or_else(|| reader.place("restart_delay_max_ms"));
        let (first, longest) = (reader.millis("restart_delay_ms"), reader.millis("restart_delay_max_ms"));
        if let Some(span) = span.filter(|_| first > longest) {
            let message = format!(
                "`{}`: restart_delay_ms ({}) is greater than restart_delay_max_ms ({})",
                reader.path(),
                first.as_millis(),
                longest.as_millis()
            );
            let swapped = Diagnostic::error(span, message).saying("the first wait cannot be longer than the longest");
            self.bag.add(swapped.hint("raise `restart_delay_max_ms` or lower `restart_delay_ms`"));
        }
        (first, longest)
    }
}
