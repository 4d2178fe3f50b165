//! Plans in few words, for stories.

use devloop_core::names::{ArtifactName, EventName, HookName, ProcessName, StateKey, WatchName, WorkflowName};
use devloop_core::plan::Plan;
use devloop_core::plan::artifact::ArtifactPlan;
use devloop_core::plan::command::CommandPlan;
use devloop_core::plan::event::{EventPlan, ValuePattern};
use devloop_core::plan::hook::{Capture, HookPlan};
use devloop_core::plan::output::{BodyStyle, OutputPlan};
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

/// A plan that grows.
#[derive(Clone)]
pub(crate) struct Planned(pub(crate) Plan);

impl Planned {
    pub(crate) fn new() -> Self {
        Self(Plan::empty(PathBuf::from("/project")))
    }

    /// A process with the defaults of the config, changed as the story needs it.
    pub(crate) fn process(mut self, name: &str, change: impl FnOnce(&mut ProcessPlan)) -> Self {
        let mut process = ProcessPlan {
            command: command(name),
            autostart: true,
            restart: RestartPolicy::Never,
            readiness: None,
            liveness: None,
            output: output(),
            depends_on: BTreeSet::new(),
            contain: Contain::Tree,
            locks: BTreeSet::new(),
            events: None,
            stop_signal: StopSignal::Term,
            stop_timeout: Duration::from_secs(5),
            restart_delay: Duration::from_millis(250),
            restart_delay_max: Duration::from_secs(30),
        };
        change(&mut process);
        self.0.processes.insert(ProcessName::from(name), Arc::new(process));
        self
    }

    /// A hook with the defaults of the config, changed as the story needs it.
    pub(crate) fn hook(mut self, name: &str, change: impl FnOnce(&mut HookPlan)) -> Self {
        let mut hook = HookPlan {
            command: command(name),
            output: output(),
            capture: Capture::Ignore,
            observe: None,
            timeout: None,
            locks: BTreeSet::new(),
            events: None,
        };
        change(&mut hook);
        self.0.hooks.insert(HookName::from(name), Arc::new(hook));
        self
    }

    pub(crate) fn workflow(self, name: &str, steps: impl Into<Vec<Step>>) -> Self {
        self.workflow_with(name, steps, |_| {})
    }

    pub(crate) fn workflow_with(
        mut self,
        name: &str,
        steps: impl Into<Vec<Step>>,
        change: impl FnOnce(&mut WorkflowPlan),
    ) -> Self {
        let mut workflow = WorkflowPlan { steps: steps.into(), triggers: Vec::new(), on_busy: OnBusy::Queue };
        change(&mut workflow);
        self.0.workflows.insert(WorkflowName::from(name), Arc::new(workflow));
        self
    }

    /// An artifact of the hook `build` for the process `server`, which is made its consumer.
    pub(crate) fn artifact(mut self, name: &str) -> Self {
        let body = Template::parse(&format!("{{{{ artifact.{name}.generation }}}}"));
        self = self.hook("build", |_| {}).process("server", |server| {
            server.autostart = false;
            let kind =
                ProbeKind::Http { url: Words::strict("http://127.0.0.1:8080/").unwrap(), expect_body: Some(body) };
            let (interval, timeout) = (Duration::from_millis(500), Duration::from_millis(100));
            server.readiness = Some(ProbePlan { kind, interval, timeout });
        });
        let artifact = ArtifactPlan {
            build_hook: HookName::from("build"),
            consumers: [ProcessName::from("server")].into(),
            retain: 2,
        };
        self.0.artifacts.insert(ArtifactName::from(name), Arc::new(artifact));
        self
    }

    /// An event whose values are words of small letters and digits.
    pub(crate) fn event(mut self, name: &str, key: &str, workflow: &str) -> Self {
        let pattern = ValuePattern::new("^[a-z0-9-]+$", false, 1 << 20).ok();
        let event = EventPlan { state_key: StateKey::from(key), workflow: WorkflowName::from(workflow), pattern };
        self.0.events.insert(EventName::from(name), Arc::new(event));
        self
    }

    /// A watch group with the name of its workflow.
    pub(crate) fn watch(self, workflow: &str, pattern: &str) -> Self {
        self.watch_with(workflow, pattern, true)
    }

    pub(crate) fn watch_with(self, workflow: &str, pattern: &str, leading: bool) -> Self {
        self.group(workflow, pattern, workflow, leading)
    }

    /// A watch group with a name of its own.
    pub(crate) fn and_watch(self, name: &str, pattern: &str, workflow: &str) -> Self {
        self.group(name, pattern, workflow, true)
    }

    fn group(mut self, name: &str, pattern: &str, workflow: &str, leading: bool) -> Self {
        let watch = WatchPlan {
            patterns: vec![PathPattern::new(pattern, pattern).unwrap()],
            ignore: Vec::new(),
            workflow: WorkflowName::from(workflow),
            leading,
        };
        self.0.watches.insert(WatchName::from(name), watch);
        self
    }

    pub(crate) fn startup(mut self, names: &[&str]) -> Self {
        self.0.startup_workflows = names.iter().map(|name| WorkflowName::from(*name)).collect();
        self
    }

    pub(crate) fn debounce(mut self, millis: u64) -> Self {
        self.0.debounce = Duration::from_millis(millis);
        self
    }
}

pub(crate) fn http(interval_ms: u64, timeout_ms: u64) -> ProbePlan {
    let kind = ProbeKind::Http { url: Words::strict("http://127.0.0.1:8080/").unwrap(), expect_body: None };
    ProbePlan { kind, interval: Duration::from_millis(interval_ms), timeout: Duration::from_millis(timeout_ms) }
}

pub(crate) fn needs(names: &[&str]) -> BTreeSet<ProcessName> {
    names.iter().map(|name| ProcessName::from(*name)).collect()
}

pub(crate) fn start(name: &str) -> Step {
    Step::StartProcess(ProcessName::from(name))
}

pub(crate) fn stop(name: &str) -> Step {
    Step::StopProcess(ProcessName::from(name))
}

pub(crate) fn restart(name: &str) -> Step {
    Step::RestartProcess(ProcessName::from(name))
}

pub(crate) fn wait(name: &str) -> Step {
    Step::WaitForProcess(ProcessName::from(name))
}

pub(crate) fn hook(name: &str) -> Step {
    Step::RunHook(HookName::from(name))
}

pub(crate) fn run(name: &str) -> Step {
    Step::RunWorkflow(WorkflowName::from(name))
}

pub(crate) fn publish(name: &str) -> Step {
    Step::PublishArtifact(ArtifactName::from(name))
}

pub(crate) fn sleep(millis: u64) -> Step {
    Step::Sleep(Duration::from_millis(millis))
}

pub(crate) fn log(message: &str) -> Step {
    Step::Log { message: Template::parse(message), style: MessageStyle::Plain }
}

pub(crate) fn write(key: &str, value: &str) -> Step {
    Step::WriteState { key: StateKey::from(key), value: Template::parse(value) }
}

pub(crate) fn command(program: &str) -> CommandPlan {
    CommandPlan { argv: vec![Words::command(program)], env: BTreeMap::new(), cwd: PathBuf::from("/project") }
}

fn output() -> OutputPlan {
    OutputPlan { inherit: true, body_style: BodyStyle::Plain, rules: Vec::new(), raw: false }
}
