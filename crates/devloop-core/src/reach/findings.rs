//! What is to be said about a plan's inputs, as data.

use super::held::{Admits, Answer};
use super::{Held, Poster, Reach, Source};
use crate::names::{HookName, ProcessName, StateKey};
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What kind of thing was found; the words of `--deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An event takes any text.
    UnconstrainedInput,
    /// An event's pattern is searched for in the value.
    SearchPattern,
    /// A value may begin with `-`.
    LeadingDash,
    /// A value may hold what a shell gives a meaning to.
    ShellMetacharacters,
    /// A value may hold white space.
    WhiteSpace,
    /// A value's length has no bound but devloop's own.
    AnyLength,
    /// A hook's output goes into the state as it is.
    UncheckedCapture,
    /// A hook's output says itself which keys it writes.
    AnyKey,
    /// More than one input writes a key.
    SharedKey,
    /// A child has a token for every event.
    EveryEvent,
    /// What an event starts may post to it.
    SelfPost,
    /// A folder or file lies outside the project.
    OutsideRoot,
}

impl Kind {
    /// All of them, as they are written.
    pub const NAMES: [(&'static str, Self); 12] = [
        ("unconstrained-input", Self::UnconstrainedInput),
        ("search-pattern", Self::SearchPattern),
        ("leading-dash", Self::LeadingDash),
        ("shell-metacharacters", Self::ShellMetacharacters),
        ("white-space", Self::WhiteSpace),
        ("any-length", Self::AnyLength),
        ("unchecked-capture", Self::UncheckedCapture),
        ("any-key", Self::AnyKey),
        ("shared-key", Self::SharedKey),
        ("every-event", Self::EveryEvent),
        ("self-post", Self::SelfPost),
        ("outside-root", Self::OutsideRoot),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// The kinds that are true whenever this one is: any text may begin with `-`.
    pub fn implies(self) -> &'static [Self] {
        match self {
            Self::UnconstrainedInput | Self::SearchPattern => {
                &[Self::LeadingDash, Self::ShellMetacharacters, Self::WhiteSpace, Self::AnyLength]
            }
            Self::LeadingDash
            | Self::ShellMetacharacters
            | Self::WhiteSpace
            | Self::AnyLength
            | Self::UncheckedCapture
            | Self::AnyKey
            | Self::SharedKey
            | Self::EveryEvent
            | Self::SelfPost
            | Self::OutsideRoot => &[],
        }
    }
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At an input.
    Input(Source),
    /// At a process.
    Process(ProcessName),
    /// At a hook.
    Hook(HookName),
    /// At a key of the top level.
    Key(&'static str),
}

/// What was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The kind says it all.
    Plain,
    /// A value like this one gets through; none: it could not be decided, and counts as if it did.
    Admitted(Option<String>),
    /// This key is written by all of these.
    Shared(StateKey, Vec<Source>),
    /// These may post to the event that starts them.
    Posts(Vec<Poster>),
    /// The path is outside.
    Path(PathBuf),
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

impl Finding {
    /// Whether `--deny` of a kind denies it.
    pub fn is_denied_by(&self, kind: Kind) -> bool {
        self.kind == kind || self.kind.implies().contains(&kind)
    }
}

/// All findings of a plan.
pub(super) fn of(plan: &Plan, folder: &Path, inputs: &[Reach]) -> Vec<Finding> {
    let mut found = Vec::new();
    for reach in inputs {
        add_values(reach, &mut found);
        add_self_posts(reach, &mut found);
    }
    add_shared_keys(inputs, &mut found);
    if !plan.events.is_empty() {
        let processes = plan.processes.iter().filter(|(_, process)| process.events.is_none());
        let hooks = plan.hooks.iter().filter(|(_, hook)| hook.events.is_none());
        let places = processes
            .map(|(name, _)| Place::Process(name.clone()))
            .chain(hooks.map(|(name, _)| Place::Hook(name.clone())));
        found.extend(places.map(|place| Finding { kind: Kind::EveryEvent, place, problem: Problem::Plain }));
    }
    add_paths(plan, folder, &mut found);
    found
}

fn add_values(reach: &Reach, found: &mut Vec<Finding>) {
    let mut add = |kind, problem| found.push(Finding { kind, place: Place::Input(reach.source.clone()), problem });
    match (&reach.held, &reach.source) {
        (Held::Paths, _) => {}
        (Held::Free, Source::Observed(_) | Source::Capture(_)) => {
            if reach.writes.is_any {
                add(Kind::AnyKey, Problem::Plain);
            }
            if reach.writes != super::Keys::default() {
                add(Kind::UncheckedCapture, Problem::Plain);
            }
        }
        (Held::Free, _) => add(Kind::UnconstrainedInput, Problem::Plain),
        (Held::Search { .. }, _) => add(Kind::SearchPattern, Problem::Plain),
        (Held::Whole { admits, .. } | Held::Group { admits, .. } | Held::Url { admits }, _) => {
            let Admits { leading_dash, shell_metacharacters, white_space, any_length } = admits;
            for (kind, answer) in [
                (Kind::LeadingDash, leading_dash),
                (Kind::ShellMetacharacters, shell_metacharacters),
                (Kind::WhiteSpace, white_space),
                (Kind::AnyLength, any_length),
            ] {
                match answer {
                    Answer::No => {}
                    Answer::Yes(_) if kind == Kind::AnyLength => add(kind, Problem::Plain),
                    Answer::Yes(example) => add(kind, Problem::Admitted(Some(example.clone()))),
                    Answer::Undecided => add(kind, Problem::Admitted(None)),
                }
            }
        }
    }
}

fn add_self_posts(reach: &Reach, found: &mut Vec<Finding>) {
    let is_started = |poster: &&Poster| match poster {
        Poster::Process(name) => reach.starts.processes.contains_key(name),
        Poster::Hook(name) => reach.starts.hooks.contains_key(name),
    };
    let posters: Vec<Poster> = reach.posters.iter().filter(is_started).cloned().collect();
    if !posters.is_empty() {
        let place = Place::Input(reach.source.clone());
        found.push(Finding { kind: Kind::SelfPost, place, problem: Problem::Posts(posters) });
    }
}

fn add_shared_keys(inputs: &[Reach], found: &mut Vec<Finding>) {
    let mut writers: BTreeMap<&StateKey, Vec<Source>> = BTreeMap::new();
    for reach in inputs.iter().filter(|reach| !matches!(reach.source, Source::Watch(_))) {
        for key in &reach.writes.named {
            writers.entry(key).or_default().push(reach.source.clone());
        }
    }
    for (key, sources) in writers {
        if let [first, _, ..] = sources.as_slice() {
            let place = Place::Input(first.clone());
            found.push(Finding { kind: Kind::SharedKey, place, problem: Problem::Shared(key.clone(), sources) });
        }
    }
}

fn add_paths(plan: &Plan, folder: &Path, found: &mut Vec<Finding>) {
    let mut add = |place, path: &Path, inside: &Path| {
        if !path.starts_with(inside) {
            found.push(Finding { kind: Kind::OutsideRoot, place, problem: Problem::Path(path.to_path_buf()) });
        }
    };
    add(Place::Key("root"), &plan.root, folder);
    add(Place::Key("state_file"), &plan.state_file, &plan.root);
    for (name, process) in &plan.processes {
        add(Place::Process(name.clone()), &process.command.cwd, &plan.root);
    }
    for (name, hook) in &plan.hooks {
        add(Place::Hook(name.clone()), &hook.command.cwd, &plan.root);
    }
}
