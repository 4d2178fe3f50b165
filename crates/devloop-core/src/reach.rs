//! What an input from outside can reach: the keys it writes, who reads them, what runs for it, how far its value is held.
//!
//! Worked out from the plan alone, so it can be known before anything runs; it is the `devloop audit` of the command
//! line. It holds more than will ever happen, never less: each command that an input starts is in the reach of this input
//! (`tests/reach` lives random sessions against it). Absent on purpose: the environment, files, words for people, and
//! what commands do to each other behind devloop's back.

mod findings;
mod held;
mod readers;
mod walk;

pub use findings::{Finding, Kind, Place, Problem};
pub use held::{Admits, Answer};
pub use readers::{ProbeReads, Reader};

use crate::names::{EventName, HookName, ProcessName, StateKey, WatchName, WorkflowName};
use crate::plan::Plan;
use crate::plan::event::ValuePattern;
use crate::plan::hook::Capture;
use crate::plan::output::Extract;
use std::collections::{BTreeMap, BTreeSet};
use walk::Walk;

/// Where a value or a wish from outside comes in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A client posts to an event.
    Event(EventName),
    /// A line of a process matches one of its output rules, counted from 0.
    Rule(ProcessName, usize),
    /// A polled hook prints something else than before.
    Observed(HookName),
    /// A hook that is a step prints what is captured.
    Capture(HookName),
    /// A file of a watch group changes.
    Watch(WatchName),
}

/// The keys that something writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// By name.
    pub named: BTreeSet<StateKey>,
    /// Any key but devloop's own (a `json` capture).
    pub is_any: bool,
}

impl Keys {
    /// Whether a reader of `read` sees something of what is written: the key itself, or a path into its value.
    pub fn feed(&self, read: &StateKey) -> bool {
        let is_below = |key: &StateKey| {
            read.as_str().strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.is_any || self.named.iter().any(is_below)
    }
}

/// What says what a value may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing: any text.
    Free,
    /// A pattern that the whole value must match.
    Whole {
        /// As the user wrote it.
        pattern: String,
        /// What it lets through all the same.
        admits: Admits,
    },
    /// A pattern that is searched for: around a match may be any text.
    Search {
        /// As the user wrote it.
        pattern: String,
    },
    /// A group of an output rule's pattern; the rest of the line is left behind.
    Group {
        /// As the user wrote it.
        pattern: String,
        /// Which group.
        group: usize,
        /// What the group lets through.
        admits: Admits,
    },
    /// The address of a quick tunnel.
    Url {
        /// What such an address may hold.
        admits: Admits,
    },
    /// Names of files, below the root.
    Paths,
}

/// Why something is in the reach of an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// The input names it.
    Named,
    /// A step of this workflow.
    Step(WorkflowName),
    /// A trigger of this workflow.
    Trigger(WorkflowName),
    /// This process depends on it.
    Dependency(ProcessName),
    /// It depends on this process, and may have waited for it.
    Dependant(ProcessName),
    /// Its liveness looks at a key that is written.
    Liveness,
    /// It captures a key that is written, so its next poll may find a change.
    Poll(HookName),
    /// A step of it waits for this process.
    Wait(ProcessName),
    /// It runs or triggered this workflow, and goes on when that one does.
    Caller(WorkflowName),
    /// A startup workflow that comes after this one.
    NextAtStartup(WorkflowName),
}

/// All that an input starts, or lets go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Workflows that run.
    pub workflows: BTreeMap<WorkflowName, Because>,
    /// Hooks that run.
    pub hooks: BTreeMap<HookName, Because>,
    /// Processes that are started, with the commands of their probes.
    pub processes: BTreeMap<ProcessName, Because>,
}

/// The reach of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Which input.
    pub source: Source,
    /// The keys it writes.
    pub writes: Keys,
    /// What says what may be written.
    pub held: Held,
    /// Who may bring it in; only events have such a list.
    pub posters: Vec<Poster>,
    /// What it starts.
    pub starts: Reached,
    /// What has causes of its own, and may have waited for what this input brings or starts.
    pub releases: Reached,
    /// Who reads the value, and what was made of it.
    pub readers: Vec<Reader>,
}

/// A child that is given a token for an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Poster {
    /// Each life of a process.
    Process(ProcessName),
    /// Each run of a hook.
    Hook(HookName),
}

/// All inputs of a plan and what is to be said about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Events, output rules, hooks, watch groups, in this order and by name.
    pub inputs: Vec<Reach>,
    /// In the order of the inputs; those of the whole config last.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Looks at a plan. `folder` is the absolute folder of its config file.
    pub fn of(plan: &Plan, folder: &std::path::Path) -> Self {
        let inputs: Vec<Reach> = sources(plan).into_iter().map(|source| reach(plan, source)).collect();
        let findings = findings::of(plan, folder, &inputs);
        Self { inputs, findings }
    }
}

/// All inputs of a plan.
fn sources(plan: &Plan) -> Vec<Source> {
    let mut all: Vec<Source> = plan.events.keys().cloned().map(Source::Event).collect();
    for (name, process) in &plan.processes {
        all.extend((0..process.output.rules.len()).map(|index| Source::Rule(name.clone(), index)));
    }
    for (name, hook) in &plan.hooks {
        if hook.observe.is_some() {
            all.push(Source::Observed(name.clone()));
        } else if hook.capture != Capture::Ignore {
            all.push(Source::Capture(name.clone()));
        }
    }
    all.extend(plan.watches.keys().cloned().map(Source::Watch));
    all
}

fn reach(plan: &Plan, source: Source) -> Reach {
    let (writes, held) = value_of(plan, &source);
    let mut walk = Walk::new(plan, false);
    walk.begin(&source, &writes);
    let starts = walk.finish();
    let mut walk = Walk::new(plan, true);
    walk.begin(&source, &writes);
    let mut releases = walk.finish();
    releases.workflows.retain(|name, _| !starts.workflows.contains_key(name));
    releases.hooks.retain(|name, _| !starts.hooks.contains_key(name));
    releases.processes.retain(|name, _| !starts.processes.contains_key(name));
    let posters = match &source {
        Source::Event(name) => posters(plan, name),
        Source::Rule(..) | Source::Observed(_) | Source::Capture(_) | Source::Watch(_) => Vec::new(),
    };
    let readers = readers::of(plan, &writes);
    Reach { source, writes, held, posters, starts, releases, readers }
}

/// Which keys an input writes, and what says what may be in them.
fn value_of(plan: &Plan, source: &Source) -> (Keys, Held) {
    let one = |key: &StateKey| Keys { named: BTreeSet::from([key.clone()]), is_any: false };
    match source {
        Source::Event(name) => plan
            .events
            .get(name)
            .map(|event| (one(&event.state_key), event.pattern.as_ref().map_or(Held::Free, held_by))),
        Source::Rule(process, index) => {
            let rule = plan.processes.get(process).and_then(|process| process.output.rules.get(*index));
            rule.map(|rule| {
                let held = match &rule.extract {
                    Extract::Regex { pattern, capture_group } => {
                        let pattern = pattern.regex().as_str();
                        let admits = Admits::of_group(pattern, *capture_group);
                        Held::Group { pattern: pattern.to_owned(), group: *capture_group, admits }
                    }
                    Extract::UrlToken => Held::Url { admits: Admits::of_url() },
                };
                (one(&rule.state_key), held)
            })
        }
        Source::Observed(hook) | Source::Capture(hook) => {
            plan.hooks.get(hook).map(|hook| (captured(&hook.capture), Held::Free))
        }
        Source::Watch(_) => Some((one(&StateKey::from("last_changed_files")), Held::Paths)),
    }
    .unwrap_or((Keys::default(), Held::Free))
}

fn held_by(pattern: &ValuePattern) -> Held {
    let source = pattern.source().to_owned();
    if pattern.is_search() {
        return Held::Search { pattern: source };
    }
    Held::Whole { admits: Admits::of_whole(pattern.regex().as_str()), pattern: source }
}

/// The keys that a capture writes.
fn captured(capture: &Capture) -> Keys {
    match capture {
        Capture::Ignore => Keys::default(),
        Capture::Text { state_key } => Keys { named: BTreeSet::from([state_key.clone()]), is_any: false },
        Capture::Json => Keys { named: BTreeSet::new(), is_any: true },
    }
}

fn posters(plan: &Plan, event: &EventName) -> Vec<Poster> {
    let may = |list: &Option<BTreeSet<EventName>>| plan.granted(list.as_ref()).contains(event);
    let processes = plan.processes.iter().filter(|(_, process)| may(&process.events));
    let hooks = plan.hooks.iter().filter(|(_, hook)| may(&hook.events));
    processes
        .map(|(name, _)| Poster::Process(name.clone()))
        .chain(hooks.map(|(name, _)| Poster::Hook(name.clone())))
        .collect()
}
