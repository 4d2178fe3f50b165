//! What `devloop graph` shows: which input starts which workflow, what its steps touch, and who waits for whom.
//!
//! [`Graph::of`] works it out from the plan alone; each format has a file of its own.

mod dot;
mod mermaid;
mod text;

pub use dot::dot;
pub use mermaid::mermaid;
pub use text::text;

use devloop_core::names::{EventName, HookName, ProcessName, WatchName, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::footprint::{Footprint, Resource};
use devloop_core::plan::workflow::Step;
use std::collections::BTreeSet;

/// Something that is drawn.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The beginning of a session.
    Startup,
    /// A watch group.
    Watch(WatchName),
    /// An event.
    Event(EventName),
    /// A hook that is polled, as an input.
    Observer(HookName),
    /// A workflow.
    Workflow(WorkflowName),
    /// A hook.
    Hook(HookName),
    /// A process.
    Process(ProcessName),
}

/// Why one thing leads to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bond {
    /// An input starts a workflow.
    Starts,
    /// A step: its number, as `2` or `2.1` inside a parallel group, and its action.
    Step(String, &'static str),
    /// After the last step.
    Triggers,
    /// A process needs another one.
    DependsOn,
}

/// One arrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// From what.
    pub from: Node,
    /// To what.
    pub to: Node,
    /// Why.
    pub bond: Bond,
}

/// Two workflows that never run at the same time, and what they meet at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The two, in the order of their names.
    pub between: (WorkflowName, WorkflowName),
    /// What one changes, and the other changes or reads.
    pub over: Vec<String>,
}

/// All arrows of a plan, and the conflicts of its workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// In the order of the config's sections, then of names, then of steps.
    pub edges: Vec<Edge>,
    /// Pairs that conflict.
    pub conflicts: Vec<Conflict>,
}

impl Graph {
    /// The graph of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut graph = Self::default();
        graph.add_inputs(plan);
        for (name, workflow) in &plan.workflows {
            let from = Node::Workflow(name.clone());
            graph.add_steps(plan, &from, &workflow.steps, "");
            for target in &workflow.triggers {
                graph.add(from.clone(), Node::Workflow(target.clone()), Bond::Triggers);
            }
        }
        for (name, process) in &plan.processes {
            for needed in &process.depends_on {
                graph.add(Node::Process(name.clone()), Node::Process(needed.clone()), Bond::DependsOn);
            }
        }
        graph.conflicts = conflicts(plan);
        graph
    }

    /// Everything that an arrow begins or ends at, each once.
    pub fn nodes(&self) -> BTreeSet<&Node> {
        self.edges.iter().flat_map(|edge| [&edge.from, &edge.to]).collect()
    }

    fn add(&mut self, from: Node, to: Node, bond: Bond) {
        self.edges.push(Edge { from, to, bond });
    }

    fn add_inputs(&mut self, plan: &Plan) {
        for workflow in &plan.startup_workflows {
            self.add(Node::Startup, Node::Workflow(workflow.clone()), Bond::Starts);
        }
        for (name, watch) in &plan.watches {
            self.add(Node::Watch(name.clone()), Node::Workflow(watch.workflow.clone()), Bond::Starts);
        }
        for (name, event) in &plan.events {
            self.add(Node::Event(name.clone()), Node::Workflow(event.workflow.clone()), Bond::Starts);
        }
        for (name, hook) in &plan.hooks {
            if let Some(observe) = &hook.observe {
                self.add(Node::Observer(name.clone()), Node::Workflow(observe.workflow.clone()), Bond::Starts);
            }
        }
    }

    fn add_steps(&mut self, plan: &Plan, from: &Node, steps: &[Step], above: &str) {
        for (index, step) in steps.iter().enumerate() {
            let number = format!("{above}{}", index + 1);
            if let Step::Parallel(steps) = step {
                self.add_steps(plan, from, steps, &format!("{number}."));
            } else {
                for to in targets_of(plan, step) {
                    self.add(from.clone(), to, Bond::Step(number.clone(), step.action()));
                }
            }
        }
    }
}

/// What a step is about, as far as that is drawn; for an artifact, what builds and what serves it.
fn targets_of(plan: &Plan, step: &Step) -> Vec<Node> {
    match step {
        Step::StartProcess(name)
        | Step::StopProcess(name)
        | Step::RestartProcess(name)
        | Step::WaitForProcess(name) => vec![Node::Process(name.clone())],
        Step::RunHook(name) => vec![Node::Hook(name.clone())],
        Step::RunWorkflow(name) => vec![Node::Workflow(name.clone())],
        Step::PublishArtifact(name) => {
            let hook = plan.artifacts.get(name).map(|artifact| Node::Hook(artifact.build_hook.clone()));
            hook.into_iter().chain(plan.consumers(name).cloned().map(Node::Process)).collect()
        }
        Step::Sleep(_) | Step::WriteState { .. } | Step::Log { .. } | Step::NotifyReload | Step::Parallel(_) => {
            Vec::new()
        }
    }
}

fn conflicts(plan: &Plan) -> Vec<Conflict> {
    let footprints: Vec<_> = plan.workflows.keys().map(|name| (name, Footprint::of(plan, name))).collect();
    let mut conflicts = Vec::new();
    for (index, (one, footprint)) in footprints.iter().enumerate() {
        for (other, beside) in &footprints[index + 1..] {
            if footprint.conflicts_with(beside) {
                let over = meeting(footprint, beside).into_iter().collect();
                conflicts.push(Conflict { between: ((*one).clone(), (*other).clone()), over });
            }
        }
    }
    conflicts
}

/// What two footprints meet at, in words.
fn meeting(one: &Footprint, other: &Footprint) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (writer, beside) in [(one, other), (other, one)] {
        let is_shared = |resource: &&Resource| beside.writes.contains(resource) || beside.reads.contains(resource);
        all.extend(writer.writes.iter().filter(is_shared).map(resource));
        if writer.writes_every_key {
            all.insert("any state key".to_owned());
        }
    }
    all
}

fn resource(resource: &Resource) -> String {
    match resource {
        Resource::Process(name) => format!("process {name}"),
        Resource::Hook(name) => format!("hook {name}"),
        Resource::Workflow(name) => format!("workflow {name}"),
        Resource::Key(key) => format!("state key {key}"),
        Resource::Artifact(name) => format!("artifact {name}"),
        Resource::Lock(lock) => format!("lock {lock}"),
    }
}

/// What stands in a box: the kind of a node, and its name.
fn title(node: &Node) -> (&'static str, &str) {
    match node {
        Node::Startup => ("session", "startup"),
        Node::Watch(name) => ("watch", name.as_str()),
        Node::Event(name) => ("event", name.as_str()),
        Node::Observer(name) => ("observe", name.as_str()),
        Node::Workflow(name) => ("workflow", name.as_str()),
        Node::Hook(name) => ("hook", name.as_str()),
        Node::Process(name) => ("process", name.as_str()),
    }
}

/// What stands beside an arrow.
fn caption(bond: &Bond) -> String {
    match bond {
        Bond::Starts => String::new(),
        Bond::Step(number, action) => format!("{number} {action}"),
        Bond::Triggers => "triggers".to_owned(),
        Bond::DependsOn => "depends on".to_owned(),
    }
}

#[cfg(test)]
mod tests;
