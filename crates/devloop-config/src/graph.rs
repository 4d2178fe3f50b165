//! What only the whole shows: cycles, and workflows that one execution could reach in two ways.

use crate::diagnostic::{Bag, Diagnostic};
use crate::span::Span;
use std::collections::BTreeMap;

/// How many cycles are told; a dense tangle has more than anyone could read.
const CYCLES_MAX: usize = 50;

/// How one item refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A workflow runs another there and then.
    Runs,
    /// A workflow triggers another.
    Triggers,
    /// A process depends on another.
    Needs,
}

/// A reference.
#[derive(Clone, Debug)]
pub(crate) struct Edge<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) link: Link,
    /// Where it is written.
    pub(crate) span: Span,
}

/// Reports cycles, and if there are none, ambiguous triggers.
pub(crate) fn check(bag: &Bag<'_>, edges: &[Edge<'_>]) {
    let (needs, workflows): (Vec<&Edge<'_>>, Vec<&Edge<'_>>) = edges.iter().partition(|edge| edge.link == Link::Needs);
    let needs = Graph::of(&needs);
    for cycle in needs.order().1 {
        bag.add(cycle_problem(&cycle, "process dependency cycle", "make one of them not depend on the next"));
    }
    let workflows = Graph::of(&workflows);
    let (order, cycles) = workflows.order();
    for cycle in &cycles {
        bag.add(cycle_problem(cycle, "workflow recursion detected", "remove one of these references"));
    }
    if cycles.is_empty() {
        workflows.report_ambiguous(bag, &order);
    }
}

fn cycle_problem(cycle: &[&Edge<'_>], what: &str, hint: &str) -> Diagnostic {
    let mut path: Vec<&str> = cycle.iter().map(|edge| edge.from).collect();
    path.extend(cycle.last().map(|edge| edge.to));
    let saying = |edge: &Edge<'_>| match edge.link {
        Link::Runs => format!("'{}' runs '{}'", edge.from, edge.to),
        Link::Triggers => format!("'{}' triggers '{}'", edge.from, edge.to),
        Link::Needs => format!("'{}' depends on '{}'", edge.from, edge.to),
    };
    let mut edges = cycle.iter();
    let first = edges.next();
    let problem =
        Diagnostic::error(first.map_or(0..0, |edge| edge.span.clone()), format!("{what}: {}", path.join(" -> ")))
            .saying(first.map(|edge| saying(edge)).unwrap_or_default());
    // A long cycle is told by its path; more than a few marks would bury it.
    edges.take(7).fold(problem, |problem, edge| problem.label(edge.span.clone(), saying(edge))).hint(hint)
}

/// References with names numbered in name order.
struct Graph<'e, 'a> {
    names: Vec<&'a str>,
    /// Number of the target, and the first reference of its kind.
    outgoing: Vec<Vec<(usize, &'e Edge<'a>)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unseen,
    OnPath,
    Done,
}

impl<'e, 'a> Graph<'e, 'a> {
    fn of(edges: &[&'e Edge<'a>]) -> Self {
        let mut numbers: BTreeMap<&'a str, usize> = BTreeMap::new();
        for edge in edges {
            numbers.insert(edge.from, 0);
            numbers.insert(edge.to, 0);
        }
        for (number, slot) in numbers.values_mut().enumerate() {
            *slot = number;
        }
        let mut outgoing: Vec<Vec<(usize, &'e Edge<'a>)>> = vec![Vec::new(); numbers.len()];
        let mut sorted = edges.to_vec();
        // A workflow that runs another a thousand times refers to it once.
        sorted.sort_by_key(|edge| (edge.from, edge.to, edge.link != Link::Runs, edge.span.start));
        sorted.dedup_by_key(|edge| (edge.from, edge.to, edge.link != Link::Runs));
        sorted.sort_by_key(|edge| edge.span.start);
        for edge in sorted {
            outgoing[numbers[edge.from]].push((numbers[edge.to], edge));
        }
        Self { names: numbers.into_keys().collect(), outgoing }
    }

    /// All items, each after those that it refers to, and the first cycles that were met on the way.
    fn order(&self) -> (Vec<usize>, Vec<Vec<&'e Edge<'a>>>) {
        let mut marks = vec![Mark::Unseen; self.names.len()];
        let (mut order, mut cycles) = (Vec::new(), Vec::new());
        for start in 0..self.names.len() {
            if marks[start] != Mark::Unseen {
                continue;
            }
            marks[start] = Mark::OnPath;
            // The path from `start`: an item and how many of its references were followed.
            let mut path: Vec<(usize, usize)> = vec![(start, 0)];
            while let Some((item, followed)) = path.last_mut() {
                let Some(&(to, _)) = self.outgoing[*item].get(*followed) else {
                    marks[*item] = Mark::Done;
                    order.push(*item);
                    path.pop();
                    continue;
                };
                *followed += 1;
                match marks[to] {
                    Mark::Done => {}
                    Mark::Unseen => {
                        marks[to] = Mark::OnPath;
                        path.push((to, 0));
                    }
                    Mark::OnPath => {
                        if cycles.len() == CYCLES_MAX {
                            continue;
                        }
                        let begin = path.iter().position(|(item, _)| *item == to).unwrap_or(0);
                        let cycle = path[begin..].iter().map(|&(item, next)| self.outgoing[item][next - 1].1);
                        cycles.push(cycle.collect());
                    }
                }
            }
        }
        (order, cycles)
    }

    /// Reports workflows that one execution could reach both as a trigger target and through `run_workflow`: the rule
    /// that a target runs once in a run would then depend on who comes first.
    fn report_ambiguous(&self, bag: &Bag<'_>, order: &[usize]) {
        let count = self.names.len();
        let none = Reached::none(count);
        let mut reached: Vec<Reached> = vec![none; count];
        for &root in order {
            let mut own = Reached::none(count);
            let mut told = Set::none(count);
            for &(to, edge) in &self.outgoing[root] {
                own.follow(to, edge.link, &reached[to]);
                told.join(&reached[to].ambiguous());
            }
            // What is ambiguous below was reported there.
            let ambiguous = own.ambiguous();
            for target in (0..count).filter(|&item| ambiguous.has(item) && !told.has(item)) {
                if bag.is_full() {
                    bag.count_error();
                } else {
                    bag.add(self.ambiguous_problem(root, target, &own));
                }
            }
            reached[root] = own;
        }
    }

    fn ambiguous_problem(&self, root: usize, target: usize, own: &Reached) -> Diagnostic {
        let (root_name, name) = (self.names[root], self.names[target]);
        // References into the target from all that the root's execution reaches, with whether they lie under a
        // `run_workflow`.
        let into: Vec<(&Edge<'_>, bool)> = (0..self.names.len())
            .filter(|&item| item == root || own.all.has(item))
            .flat_map(|item| self.outgoing[item].iter().map(move |&(to, edge)| (item, to, edge)))
            .filter(|&(_, to, _)| to == target)
            .map(|(item, _, edge)| (edge, item != root && own.inline.has(item)))
            .collect();
        let triggered = into
            .iter()
            .filter(|(edge, _)| edge.link == Link::Triggers)
            .min_by_key(|(_, is_under_run)| *is_under_run)
            .map(|(edge, _)| *edge);
        let run = into
            .iter()
            .filter(|(edge, is_under_run)| edge.link == Link::Runs || *is_under_run)
            .filter(|(edge, _)| !triggered.is_some_and(|triggered| std::ptr::eq(*edge, triggered)))
            .min_by_key(|(edge, _)| edge.link != Link::Runs)
            .map(|(edge, _)| *edge);
        let message = format!(
            "workflow '{name}' is reachable both as a trigger target and via run_workflow in one run of '{root_name}'"
        );
        let place = triggered.or(run).map_or(0..0, |edge| edge.span.clone());
        let problem = Diagnostic::error(place, message).saying(format!("'{name}' is triggered here"));
        let problem = match run {
            Some(edge) if edge.link == Link::Runs => problem.label(edge.span.clone(), "and run here"),
            Some(edge) => {
                problem.label(edge.span.clone(), format!("and here, by '{}', which is run inline", edge.from))
            }
            None => problem,
        };
        problem.hint("choose one way: remove the trigger or the `run_workflow` step")
    }
}

/// What one execution of a workflow can reach, by the way it gets there.
#[derive(Clone)]
struct Reached {
    /// Everything.
    all: Set,
    /// Through triggers alone.
    triggered: Set,
    /// Through at least one `run_workflow`.
    inline: Set,
    /// Targets of some reached trigger.
    trigger_targets: Set,
    /// Targets of some reached `run_workflow`.
    run_targets: Set,
}

impl Reached {
    fn none(count: usize) -> Self {
        let none = Set::none(count);
        Self {
            all: none.clone(),
            triggered: none.clone(),
            inline: none.clone(),
            trigger_targets: none.clone(),
            run_targets: none,
        }
    }

    /// Adds what lies behind one reference.
    fn follow(&mut self, to: usize, link: Link, behind: &Self) {
        self.all.add(to);
        self.all.join(&behind.all);
        self.trigger_targets.join(&behind.trigger_targets);
        self.run_targets.join(&behind.run_targets);
        self.inline.join(&behind.inline);
        match link {
            Link::Triggers => {
                self.triggered.add(to);
                self.triggered.join(&behind.triggered);
                self.trigger_targets.add(to);
            }
            Link::Runs | Link::Needs => {
                self.inline.add(to);
                self.inline.join(&behind.all);
                self.run_targets.add(to);
            }
        }
    }

    /// What can be reached in two ways. A trigger inside an inline workflow is one way, so only another `run_workflow`
    /// of its target, or a trigger outside, makes two.
    fn ambiguous(&self) -> Set {
        let mut ambiguous = self.triggered.clone();
        ambiguous.meet(&self.inline);
        let mut targets = self.trigger_targets.clone();
        targets.meet(&self.run_targets);
        ambiguous.join(&targets);
        ambiguous
    }
}

/// A set of small numbers.
#[derive(Clone)]
struct Set(Vec<u64>);

impl Set {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn has(&self, item: usize) -> bool {
        self.0[item / 64] >> (item % 64) & 1 == 1
    }

    fn add(&mut self, item: usize) {
        self.0[item / 64] |= 1 << (item % 64);
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }

    fn meet(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= other);
    }
}
