//! A plan for each seed. Steps that an oracle must see are announced by a `log` step right before or after them.

use crate::dice::Dice;
use crate::marks::Mark;
use devloop_core::names::{
    ArtifactName, EventName, HookName, LockName, ProcessName, StateKey, WatchName, WorkflowName,
};
use devloop_core::plan::Plan;
use devloop_core::plan::artifact::ArtifactPlan;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::event::{EventPlan, ValuePattern};
use devloop_core::plan::hook::{Capture, HookPlan, ObservePlan};
use devloop_core::plan::output::{BodyStyle, Extract, OutputPlan, Pattern, RulePlan};
use devloop_core::plan::probe::{ProbeKind, ProbePlan};
use devloop_core::plan::process::{Contain, ProcessPlan, RestartPolicy, StopSignal};
use devloop_core::plan::watch::{PathPattern, WatchPlan};
use devloop_core::plan::words::Words;
use devloop_core::plan::workflow::{MessageStyle, OnBusy, Step, WorkflowPlan};
use devloop_core::template::Template;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Folders that watch groups name.
pub(crate) const FOLDERS: [&str; 3] = ["a", "b", "c"];

/// Draws a plan.
pub(crate) fn draw(dice: &mut Dice) -> Plan {
    let mut plan = Plan::empty(PathBuf::from("/project"));
    plan.debounce = *dice.pick(&[0, 20, 100, 250, 250, 1000].map(Duration::from_millis));
    plan.concurrent = !dice.percent(15);
    let workflow_names: Vec<WorkflowName> = (0..=dice.below(5)).map(|n| WorkflowName::new(format!("w{n}"))).collect();
    for number in 0..dice.below(5) {
        let name = ProcessName::new(format!("p{number}"));
        let process = draw_process(dice, number);
        plan.processes.insert(name, Arc::new(process));
    }
    for number in 0..dice.below(4) {
        let hook = draw_hook(dice, number, &workflow_names);
        plan.hooks.insert(HookName::new(format!("h{number}")), Arc::new(hook));
    }
    for (number, name) in workflow_names.iter().enumerate() {
        let workflow = draw_workflow(dice, &plan, name, &workflow_names[number + 1..]);
        plan.workflows.insert(name.clone(), Arc::new(workflow));
    }
    untangle(&mut plan);
    draw_artifacts(&mut dice.clone(), &mut plan, &workflow_names);
    for number in 0..=dice.below(4) {
        let watch = draw_watch(dice, &workflow_names);
        plan.watches.insert(WatchName::new(format!("g{number}")), watch);
    }
    for name in &workflow_names {
        if dice.percent(25) {
            let at = dice.below(plan.startup_workflows.len() + 1);
            plan.startup_workflows.insert(at, name.clone());
        }
    }
    draw_events(&mut dice.clone(), &mut plan);
    plan
}

/// Draws artifacts of hooks that are not polled, for processes that have no other; each is published by a workflow or two.
fn draw_artifacts(dice: &mut Dice, plan: &mut Plan, workflows: &[WorkflowName]) {
    let is_builder = |(_, hook): &(&HookName, &Arc<HookPlan>)| hook.observe.is_none();
    let hooks: Vec<HookName> = plan.hooks.iter().filter(is_builder).map(|(name, _)| name.clone()).collect();
    if hooks.is_empty() || dice.percent(60) {
        return;
    }
    let mut processes: Vec<ProcessName> = plan.processes.keys().cloned().collect();
    for number in 0..=dice.below(2) {
        let name = ArtifactName::new(format!("a{number}"));
        let consumers: BTreeSet<ProcessName> = processes.extract_if(.., |_| dice.percent(40)).collect();
        for consumer in &consumers {
            let Some(process) = plan.processes.get_mut(consumer) else { continue };
            let process = Arc::make_mut(process);
            let expect_body = Some(Template::parse(&format!("{{{{ artifact.{name}.generation }}}}")));
            let kind = ProbeKind::Http { url: words("http://127.0.0.1:8080/"), expect_body };
            process.autostart = false;
            process.readiness =
                Some(ProbePlan { kind, interval: dice.millis(10, 600), timeout: dice.millis(300, 8000) });
        }
        for _ in 0..=dice.below(2) {
            let Some(workflow) = plan.workflows.get_mut(dice.pick(workflows)) else { continue };
            let steps = &mut Arc::make_mut(workflow).steps;
            let at = if dice.percent(50) { 1 } else { steps.len() };
            steps.insert(at, Step::PublishArtifact(name.clone()));
            for consumer in &consumers {
                steps.insert(at, Mark::Unsure.step(consumer.as_str()));
            }
        }
        let build_hook = dice.pick(&hooks).clone();
        let retain = 1 + dice.below(3);
        plan.artifacts.insert(name, Arc::new(ArtifactPlan { build_hook, consumers, retain }));
    }
}

/// Draws events for workflows that do not skip; each such workflow says first what it sees.
fn draw_events(dice: &mut Dice, plan: &mut Plan) {
    let takes = |workflow: &Arc<WorkflowPlan>| workflow.on_busy != OnBusy::Skip;
    let names: Vec<WorkflowName> =
        plan.workflows.iter().filter(|(_, workflow)| takes(workflow)).map(|(name, _)| name.clone()).collect();
    if names.is_empty() || dice.percent(40) {
        return;
    }
    for number in 0..=dice.below(3) {
        // Now and then two events write one key.
        let key = format!("e{}", if dice.percent(15) { 0 } else { number });
        let workflow = dice.pick(&names).clone();
        let says = says(&key);
        if let Some(plan) = plan.workflows.get_mut(&workflow) {
            Arc::make_mut(plan).steps.insert(1, says);
        }
        let pattern = numbers();
        let event = EventPlan { state_key: StateKey::new(key), workflow, pattern };
        plan.events.insert(EventName::new(format!("post{number}")), Arc::new(event));
    }
    for process in plan.processes.values_mut() {
        Arc::make_mut(process).events = draw_grant(dice);
    }
    for hook in plan.hooks.values_mut() {
        Arc::make_mut(hook).events = draw_grant(dice);
    }
}

/// What a workflow says first of an event's key.
pub(crate) fn says(key: &str) -> Step {
    Mark::Saw.step(&format!("{key} {{{{{key}}}}}"))
}

/// Values are numbers.
pub(crate) fn numbers() -> Option<ValuePattern> {
    ValuePattern::new("^[0-9]+$", false, 1 << 20).ok()
}

pub(crate) fn draw_grant(dice: &mut Dice) -> Option<BTreeSet<EventName>> {
    match dice.below(4) {
        0 => Some(BTreeSet::from(["post0".into()])),
        1 if dice.percent(50) => Some(BTreeSet::new()),
        _ => None,
    }
}

pub(crate) fn draw_process(dice: &mut Dice, number: usize) -> ProcessPlan {
    let mut rules: Vec<RulePlan> = Vec::new();
    if dice.percent(40) {
        rules.push(rule(&format!("r{number}")));
    }
    if dice.percent(10) {
        rules.push(rule("shared"));
    }
    let delay = dice.millis(10, 500);
    ProcessPlan {
        command: command(&format!("server-{number}")),
        autostart: dice.percent(60),
        restart: *dice.pick(&[RestartPolicy::Never, RestartPolicy::OnFailure, RestartPolicy::Always]),
        readiness: dice.percent(65).then(|| draw_probe(dice, &rules, true)),
        liveness: dice.percent(25).then(|| draw_probe(dice, &rules, false)),
        output: output(rules),
        depends_on: (0..number)
            .filter(|_| dice.percent(30))
            .map(|other| ProcessName::new(format!("p{other}")))
            .collect(),
        contain: *dice.pick(&[Contain::Tree, Contain::Group]),
        locks: draw_locks(dice),
        events: None,
        stop_signal: StopSignal::Term,
        stop_timeout: dice.millis(0, 3000),
        restart_delay: delay,
        restart_delay_max: delay * *dice.pick(&[1, 4, 16]),
    }
}

fn draw_probe(dice: &mut Dice, rules: &[RulePlan], is_readiness: bool) -> ProbePlan {
    let key = rules.first().map_or(StateKey::from("k0"), |rule| rule.state_key.clone());
    let kind = match dice.below(if is_readiness { 5 } else { 4 }) {
        0 => ProbeKind::Http {
            url: words("http://127.0.0.1:8080/"),
            expect_body: dice.percent(30).then(|| Template::parse("{{ k1 }}")),
        },
        1 => ProbeKind::Tcp { address: words("127.0.0.1:5432") },
        2 => ProbeKind::Exec { command: command("check") },
        3 => ProbeKind::StateKey { key },
        _ => ProbeKind::Output { pattern: pattern("ready") },
    };
    let interval = if is_readiness { dice.millis(10, 600) } else { dice.millis(200, 2000) };
    ProbePlan { kind, interval, timeout: dice.millis(300, 8000) }
}

pub(crate) fn draw_hook(dice: &mut Dice, number: usize, workflows: &[WorkflowName]) -> HookPlan {
    // An observer captures a key of its own: one that others write too would make its workflow run for ever.
    let is_observed = dice.percent(30);
    let capture = match dice.below(5) {
        _ if is_observed => Capture::Text { state_key: StateKey::new(format!("o{number}")) },
        0 | 1 => Capture::Ignore,
        2 | 3 => Capture::Text { state_key: StateKey::new(format!("k{}", dice.below(4))) },
        _ => Capture::Json,
    };
    HookPlan {
        command: command(&format!("build-{number}")),
        output: output(Vec::new()),
        capture,
        observe: is_observed
            .then(|| ObservePlan { workflow: dice.pick(workflows).clone(), interval: dice.millis(100, 2000) }),
        timeout: dice.percent(40).then(|| dice.millis(50, 4000)),
        locks: draw_locks(dice),
        events: None,
    }
}

fn draw_locks(dice: &mut Dice) -> BTreeSet<LockName> {
    ["dist", "db"].into_iter().filter(|_| dice.percent(20)).map(LockName::from).collect()
}

pub(crate) fn draw_watch(dice: &mut Dice, workflows: &[WorkflowName]) -> WatchPlan {
    let mut patterns = vec![folder(dice.pick::<&str>(&FOLDERS))];
    if dice.percent(20) {
        patterns.push(path_pattern("**/*.css"));
    }
    WatchPlan {
        patterns,
        ignore: if dice.percent(30) { vec![path_pattern("**/*.tmp")] } else { Vec::new() },
        workflow: dice.pick(workflows).clone(),
        leading: dice.percent(70),
    }
}

/// Draws steps and triggers; both may only name workflows of `later`, so that there is no cycle.
pub(crate) fn draw_workflow(dice: &mut Dice, plan: &Plan, name: &WorkflowName, later: &[WorkflowName]) -> WorkflowPlan {
    let mut steps = vec![Mark::Began.step(&format!("{name} of {{{{last_workflow}}}} {{{{last_changed_files}}}}"))];
    for _ in 0..dice.below(5) {
        draw_step(dice, plan, later, &mut steps);
    }
    let triggers = later.iter().filter(|_| dice.percent(20)).cloned().collect();
    WorkflowPlan { steps, triggers, on_busy: *dice.pick(&[OnBusy::Queue, OnBusy::Restart, OnBusy::Skip]) }
}

fn draw_step(dice: &mut Dice, plan: &Plan, later: &[WorkflowName], steps: &mut Vec<Step>) {
    let processes: Vec<&ProcessName> = plan.processes.keys().collect();
    let kind = dice.below(10);
    if kind <= 4 && !processes.is_empty() {
        let process = (*dice.pick(&processes)).clone();
        draw_process_step(dice, process, steps);
    } else if kind == 9 {
        // Steps of one group must not wish against each other: an oracle could not tell whose wish came last.
        let holds_run = !later.is_empty() && dice.percent(30);
        let mut all = Vec::new();
        if holds_run {
            all.push(Step::RunWorkflow(dice.pick(later).clone()));
        }
        for _ in 0..=dice.below(3) {
            if !holds_run && dice.percent(35) && !processes.is_empty() {
                let process = (*dice.pick(&processes)).clone();
                // An earlier step of the group may fail at once, so this one may or may not have its wish.
                steps.push(Mark::Unsure.step(process.as_str()));
                all.push(match dice.below(3) {
                    0 => Step::StartProcess(process),
                    1 => Step::RestartProcess(process),
                    _ => Step::StopProcess(process),
                });
            } else {
                all.push(draw_plain_step(dice, plan, &[]));
            }
        }
        let at = dice.below(all.len());
        all.swap(0, at);
        steps.push(Step::Parallel(all));
    } else {
        let step = draw_plain_step(dice, plan, later);
        match &step {
            Step::RunHook(hook) => {
                let after = Mark::HookDone.step(hook.as_str());
                steps.extend([Mark::Hook.step(hook.as_str()), step, after]);
            }
            Step::WriteState { key, value } => {
                let write = format!("{key} {}", value.source());
                steps.extend([Mark::Write.step(&write), step]);
            }
            _ => steps.push(step),
        }
    }
}

fn draw_process_step(dice: &mut Dice, process: ProcessName, steps: &mut Vec<Step>) {
    let name = process.as_str().to_owned();
    match dice.below(4) {
        0 => steps.extend([Mark::Up.step(&name), Step::StartProcess(process)]),
        1 => steps.extend([Mark::Down.step(&name), Step::StopProcess(process), Mark::Stopped.step(&name)]),
        2 => steps.extend([Mark::Again.step(&name), Step::RestartProcess(process)]),
        _ => steps.extend([Step::WaitForProcess(process), Mark::Ready.step(&name)]),
    }
}

/// A step that starts and stops no process by itself.
fn draw_plain_step(dice: &mut Dice, plan: &Plan, later: &[WorkflowName]) -> Step {
    let hooks: Vec<&HookName> = plan.hooks.keys().collect();
    let processes: Vec<&ProcessName> = plan.processes.keys().collect();
    match dice.below(8) {
        0..=2 if !hooks.is_empty() => Step::RunHook((*dice.pick(&hooks)).clone()),
        3 if !processes.is_empty() => Step::WaitForProcess((*dice.pick(&processes)).clone()),
        4 | 5 if !later.is_empty() => Step::RunWorkflow(dice.pick(later).clone()),
        6 => Step::Log { message: Template::parse("{{ k0 }}-{{ k1 }}-{{ gone.away }}"), style: MessageStyle::Plain },
        7 => Step::Sleep(dice.millis(0, 800)),
        _ => Step::WriteState {
            key: StateKey::new(format!("k{}", dice.below(4))),
            value: Template::parse(dice.pick::<&str>(&["one", "two", "{{ k2 }}!", "{{ last_workflow }}"])),
        },
    }
}

/// Takes triggers away until no workflow is reachable both as a trigger's target and through `run_workflow`.
pub(crate) fn untangle(plan: &mut Plan) {
    let names: Vec<WorkflowName> = plan.workflows.keys().cloned().collect();
    for name in names.iter().rev() {
        let mut targets = BTreeSet::new();
        let mut inlined = BTreeSet::new();
        reach(plan, name, false, &mut targets, &mut inlined);
        if targets.is_disjoint(&inlined) {
            continue;
        }
        let mut workflow = WorkflowPlan::clone(&plan.workflows[name]);
        workflow.triggers.clear();
        plan.workflows.insert(name.clone(), Arc::new(workflow));
    }
}

fn reach(
    plan: &Plan,
    from: &WorkflowName,
    is_inlined: bool,
    targets: &mut BTreeSet<WorkflowName>,
    inlined: &mut BTreeSet<WorkflowName>,
) {
    let mut children = BTreeSet::new();
    children_of(&plan.workflows[from].steps, &mut children);
    for child in children {
        inlined.insert(child.clone());
        reach(plan, &child, true, targets, inlined);
    }
    for target in &plan.workflows[from].triggers {
        if is_inlined {
            inlined.insert(target.clone())
        } else {
            targets.insert(target.clone())
        };
        reach(plan, target, is_inlined, targets, inlined);
    }
}

fn children_of(steps: &[Step], children: &mut BTreeSet<WorkflowName>) {
    for step in steps {
        match step {
            Step::RunWorkflow(child) => {
                children.insert(child.clone());
            }
            Step::Parallel(steps) => children_of(steps, children),
            _ => {}
        }
    }
}

fn command(program: &str) -> CommandPlan {
    CommandPlan { argv: vec![Words::command(program)], env: BTreeMap::new(), cwd: PathBuf::from("/project") }
}

fn output(rules: Vec<RulePlan>) -> OutputPlan {
    OutputPlan { inherit: true, body_style: BodyStyle::Plain, rules, raw: false }
}

fn rule(key: &str) -> RulePlan {
    RulePlan { state_key: StateKey::from(key), extract: Extract::Regex { pattern: pattern("(.)"), capture_group: 1 } }
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(regex::Regex::new(text).unwrap())
}

fn words(text: &str) -> Words {
    Words::strict(text).unwrap()
}

fn folder(name: &str) -> PathPattern {
    path_pattern(&format!("{name}/"))
}

fn path_pattern(text: &str) -> PathPattern {
    PathPattern::new(text, text).unwrap()
}
