//! Messages by which a plan announces its steps to the checkers.

use devloop_core::effect::Effect;
use devloop_core::names::WorkflowName;
use devloop_core::notice::Notice;
use devloop_core::plan::workflow::{MessageStyle, Step};
use devloop_core::template::Template;

/// What is announced. `Up`, `Down`, `Again`, `Unsure`, `Hook` and `Write` come right before their step, the others
/// right after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The first step of a workflow; names it, the run's workflow, and the run's changed files.
    Began,
    /// `start_process`.
    Up,
    /// `stop_process`.
    Down,
    /// `restart_process`.
    Again,
    /// One of the three above in a parallel group.
    Unsure,
    /// `stop_process` is done.
    Stopped,
    /// `wait_for_process` is done.
    Ready,
    /// `run_hook`.
    Hook,
    /// `run_hook` is done.
    HookDone,
    /// `write_state`, as `key value`.
    Write,
    /// What an event's key holds, as `key value`.
    Saw,
}

const ALL: [(Mark, &str); 11] = [
    (Mark::Began, "@began "),
    (Mark::Up, "@up "),
    (Mark::Down, "@down "),
    (Mark::Again, "@again "),
    (Mark::Unsure, "@unsure "),
    (Mark::Stopped, "@stopped "),
    (Mark::Ready, "@ready "),
    (Mark::Hook, "@hook "),
    (Mark::HookDone, "@done "),
    (Mark::Write, "@write "),
    (Mark::Saw, "@saw "),
];

impl Mark {
    /// The step that announces it; the template behind it is a name, mostly.
    pub(crate) fn step(self, template: &str) -> Step {
        let prefix = ALL.iter().find(|(mark, _)| *mark == self).map_or("", |(_, prefix)| prefix);
        Step::Log { message: Template::parse(&format!("{prefix}{template}")), style: MessageStyle::Plain }
    }
}

/// The announcement that an effect makes: by which workflow, what, and of whom.
pub(crate) fn announced(effect: &Effect) -> Option<(&WorkflowName, Mark, &str)> {
    let Effect::Report(Notice::Message { workflow, text, .. }) = effect else { return None };
    ALL.iter().find_map(|(mark, prefix)| Some((workflow, *mark, text.strip_prefix(prefix)?)))
}
