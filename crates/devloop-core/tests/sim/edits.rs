//! What somebody does to the config file while a session lasts: small edits, each of which leaves a plan that is right.

use crate::dice::Dice;
use crate::plans;
use devloop_core::names::{EventName, HookName, ProcessName, StateKey, WatchName, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::event::EventPlan;
use devloop_core::plan::workflow::{OnBusy, Step, WorkflowPlan};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A plan after one to four edits.
pub(crate) fn edited(plan: &Plan, dice: &mut Dice) -> Plan {
    let mut plan = plan.clone();
    for _ in 0..=dice.below(4) {
        edit(&mut plan, dice);
    }
    plans::untangle(&mut plan);
    plan
}

/// The newer plan, and beside it all that only the older one names: what lives on has its words there.
pub(crate) fn with_gone(older: &Plan, newer: &Plan) -> Arc<Plan> {
    let mut all = newer.clone();
    for (name, process) in &older.processes {
        all.processes.entry(name.clone()).or_insert_with(|| Arc::clone(process));
    }
    for (name, hook) in &older.hooks {
        all.hooks.entry(name.clone()).or_insert_with(|| Arc::clone(hook));
    }
    Arc::new(all)
}

fn edit(plan: &mut Plan, dice: &mut Dice) {
    match dice.below(12) {
        0 | 1 => put_process(plan, dice),
        2 => {
            if let Some(name) = any(plan.processes.keys(), dice).filter(|name| !is_consumer(plan, name)) {
                remove_process(plan, dice, &name);
            }
        }
        3 => put_hook(plan, dice),
        4 => {
            if let Some(name) = any(plan.hooks.keys(), dice).filter(|name| !is_build(plan, name)) {
                plan.hooks.remove(&name);
                redraw_those_that(plan, dice, |step| matches!(step, Step::RunHook(hook) if *hook == name));
            }
        }
        5 | 6 => {
            let name = WorkflowName::new(format!("w{}", dice.below(6)));
            redraw(plan, dice, &name);
        }
        7 => {
            if let Some(name) = any(plan.workflows.keys(), dice) {
                remove_workflow(plan, dice, &name);
            }
        }
        8 => {
            let name = WatchName::new(format!("g{}", dice.below(5)));
            if dice.percent(30) {
                plan.watches.remove(&name);
            } else {
                let workflows: Vec<WorkflowName> = plan.workflows.keys().cloned().collect();
                plan.watches.insert(name, plans::draw_watch(dice, &workflows));
            }
        }
        9 => edit_events(plan, dice),
        10 => plan.debounce = *dice.pick(&[0, 20, 100, 250, 1000].map(Duration::from_millis)),
        _ => plan.concurrent = !plan.concurrent,
    }
}

/// Artifacts stay as they are, and so do those whom they need.
fn is_consumer(plan: &Plan, name: &ProcessName) -> bool {
    plan.artifacts.values().any(|artifact| artifact.consumers.contains(name))
}

fn is_build(plan: &Plan, name: &HookName) -> bool {
    plan.artifacts.values().any(|artifact| artifact.build_hook == *name)
}

fn any<'n, N: Clone + 'n>(names: impl Iterator<Item = &'n N>, dice: &mut Dice) -> Option<N> {
    let names: Vec<&N> = names.collect();
    if names.is_empty() { None } else { Some((*dice.pick(&names)).clone()) }
}

fn put_process(plan: &mut Plan, dice: &mut Dice) {
    let number = dice.below(5);
    let mut process = plans::draw_process(dice, number);
    process.depends_on.retain(|other| plan.processes.contains_key(other));
    process.events = plans::draw_grant(dice);
    only_known(&mut process.events, plan);
    let name = ProcessName::new(format!("p{number}"));
    if is_consumer(plan, &name) {
        return;
    }
    // Now and then only a small thing is another.
    if let Some(old) = plan.processes.get_mut(&name).filter(|_| dice.percent(30)) {
        Arc::make_mut(old).autostart = process.autostart;
        Arc::make_mut(old).stop_timeout = process.stop_timeout;
    } else {
        plan.processes.insert(name, Arc::new(process));
    }
}

/// No item may name an event that is not there.
fn only_known(list: &mut Option<BTreeSet<EventName>>, plan: &Plan) {
    if let Some(list) = list {
        list.retain(|event| plan.events.contains_key(event));
    }
}

fn remove_process(plan: &mut Plan, dice: &mut Dice, name: &ProcessName) {
    plan.processes.remove(name);
    for process in plan.processes.values_mut().filter(|process| process.depends_on.contains(name)) {
        Arc::make_mut(process).depends_on.remove(name);
    }
    redraw_those_that(plan, dice, |step| match step {
        Step::StartProcess(other)
        | Step::StopProcess(other)
        | Step::RestartProcess(other)
        | Step::WaitForProcess(other) => other == name,
        _ => false,
    });
}

fn put_hook(plan: &mut Plan, dice: &mut Dice) {
    let number = dice.below(4);
    let workflows: Vec<WorkflowName> = plan.workflows.keys().cloned().collect();
    let mut hook = plans::draw_hook(dice, number, &workflows);
    hook.events = plans::draw_grant(dice);
    only_known(&mut hook.events, plan);
    let name = HookName::new(format!("h{number}"));
    if !is_build(plan, &name) {
        plan.hooks.insert(name, Arc::new(hook));
    }
}

fn remove_workflow(plan: &mut Plan, dice: &mut Dice, name: &WorkflowName) {
    if plan.workflows.len() == 1 {
        return;
    }
    plan.workflows.remove(name);
    let left: Vec<WorkflowName> = plan.workflows.keys().cloned().collect();
    plan.startup_workflows.retain(|other| other != name);
    plan.watches.retain(|_, watch| watch.workflow != *name);
    plan.events.retain(|_, event| event.workflow != *name);
    let events: BTreeSet<EventName> = plan.events.keys().cloned().collect();
    for process in plan.processes.values_mut().filter(|process| process.events.is_some()) {
        Arc::make_mut(process).events.iter_mut().for_each(|list| list.retain(|event| events.contains(event)));
    }
    for hook in plan.hooks.values_mut() {
        let hook = Arc::make_mut(hook);
        hook.events.iter_mut().for_each(|list| list.retain(|event| events.contains(event)));
        for observe in hook.observe.iter_mut().filter(|observe| observe.workflow == *name) {
            observe.workflow = dice.pick(&left).clone();
        }
    }
    redraw_those_that(plan, dice, |step| matches!(step, Step::RunWorkflow(other) if other == name));
    let triggering: Vec<WorkflowName> = plan
        .workflows
        .iter()
        .filter(|(_, workflow)| workflow.triggers.contains(name))
        .map(|(name, _)| name.clone())
        .collect();
    for other in triggering {
        if let Some(workflow) = plan.workflows.get_mut(&other) {
            Arc::make_mut(workflow).triggers.retain(|target| target != name);
        }
    }
}

fn edit_events(plan: &mut Plan, dice: &mut Dice) {
    let takes = |workflow: &Arc<WorkflowPlan>| workflow.on_busy != OnBusy::Skip;
    let able: Vec<WorkflowName> =
        plan.workflows.iter().filter(|(_, workflow)| takes(workflow)).map(|(name, _)| name.clone()).collect();
    let number = dice.below(3);
    let name = EventName::new(format!("post{number}"));
    let is_named =
        plan.processes.values().any(|process| process.events.as_ref().is_some_and(|list| list.contains(&name)))
            || plan.hooks.values().any(|hook| hook.events.as_ref().is_some_and(|list| list.contains(&name)));
    if dice.percent(30) && !is_named {
        plan.events.remove(&name);
    } else if !able.is_empty() {
        let workflow = dice.pick(&able).clone();
        let pattern = if dice.percent(50) { plans::numbers() } else { None };
        let event = EventPlan { state_key: StateKey::new(format!("e{number}")), workflow: workflow.clone(), pattern };
        plan.events.insert(name, Arc::new(event));
        let says = plans::says(&format!("e{number}"));
        if let Some(workflow) = plan.workflows.get_mut(&workflow)
            && !workflow.steps.contains(&says)
        {
            Arc::make_mut(workflow).steps.insert(1, says);
        }
    }
}

/// Draws a workflow, and lets it say what it sees of its events.
fn redraw(plan: &mut Plan, dice: &mut Dice, name: &WorkflowName) {
    let later: Vec<WorkflowName> = plan.workflows.keys().filter(|other| *other > name).cloned().collect();
    let mut workflow = plans::draw_workflow(dice, plan, name, &later);
    let keys: BTreeSet<&StateKey> =
        plan.events.values().filter(|event| event.workflow == *name).map(|event| &event.state_key).collect();
    for key in keys {
        workflow.steps.insert(1, plans::says(key.as_str()));
        workflow.on_busy = OnBusy::Queue;
    }
    plan.workflows.insert(name.clone(), Arc::new(workflow));
}

/// Draws every workflow anew that has such a step, the last ones first.
fn redraw_those_that(plan: &mut Plan, dice: &mut Dice, has: impl Fn(&Step) -> bool) {
    fn holds(steps: &[Step], has: &dyn Fn(&Step) -> bool) -> bool {
        steps.iter().any(|step| has(step) || matches!(step, Step::Parallel(steps) if holds(steps, has)))
    }
    let names: Vec<WorkflowName> = plan.workflows.keys().rev().cloned().collect();
    for name in names {
        if plan.workflows.get(&name).is_some_and(|workflow| holds(&workflow.steps, &has)) {
            redraw(plan, dice, &name);
        }
    }
}
