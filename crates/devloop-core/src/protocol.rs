//! The legal order of facts and effects, as a small automaton: who answers what, and how often.
//!
//! It watches both directions and knows nothing of plans. The simulator runs it in every session, and the driver in
//! debug builds, so that the simulated world and the real adapters keep the same promises.

use crate::effect::{ArtifactOrder, Effect, Ending, Verdict};
use crate::fact::{ArtifactAnswer, Fact, LoadedPlan, ProcessFact};
use crate::names::{ArtifactName, Generation, Incarnation, ProcessName, RequestId, RunId, StateVersion, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// Answers to cancelled probes that may still be on their way; older ones are forgotten.
const CANCELLED_PROBES_MAX: usize = 64;

/// Watches one session from its first fact to its last effect.
#[derive(Clone, Debug, Default)]
pub struct Protocol {
    has_begun: bool,
    has_ended: bool,
    watching: Watching,
    lives: BTreeMap<ProcessName, Life>,
    hooks: BTreeMap<TaskId, Asked>,
    probes: BTreeSet<TaskId>,
    cancelled_probes: BTreeSet<TaskId>,
    orders: BTreeMap<TaskId, (ArtifactName, ArtifactOrder)>,
    /// Generations that are being built, or are whole.
    generations: BTreeMap<(ArtifactName, Generation), Build>,
    requests: BTreeSet<RequestId>,
    save_in_flight: Option<StateVersion>,
    newest_save: StateVersion,
    sync_in_flight: Option<StateVersion>,
    plan_file: PlanFile,
}

/// What was asked of the config file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PlanFile {
    #[default]
    Quiet,
    /// `LoadPlan` is not answered.
    Asked,
    /// A plan came and was not applied.
    Valid,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Watching {
    #[default]
    NotAsked,
    Asked,
    Began,
}

/// How far a generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Build {
    /// Its folder is there for a hook to fill.
    Candidate,
    /// It is to go into its place.
    Going,
    /// It is in its place.
    Whole,
}

/// How hard a child was asked to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    #[default]
    Nothing,
    Stop,
    Kill,
}

#[derive(Clone, Debug)]
struct Life {
    incarnation: Incarnation,
    stage: Stage,
    asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `StartProcess` is not answered.
    Requested,
    /// `Started`.
    Running,
    /// `Exited`.
    Exited,
    /// `StartFailed`, or `Gone`.
    Over,
}

impl Protocol {
    /// A session that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a fact before the engine hears it. The error says which promise the world broke.
    pub fn fact(&mut self, fact: &Fact) -> Result<(), String> {
        if self.has_ended {
            return Err(format!("a fact after the end of the session: {fact:?}"));
        }
        if self.has_begun == (*fact == Fact::SessionBegan) {
            return Err(format!("`SessionBegan` is the first fact, once; this came: {fact:?}"));
        }
        match fact {
            Fact::SessionBegan => self.has_begun = true,
            Fact::DeadlineReached
            | Fact::InterruptRequested(_)
            | Fact::SuspendRequested
            | Fact::Typed(_)
            | Fact::Slept(_)
            | Fact::GuardianLost
            | Fact::PlanTouched => {}
            Fact::WatchingBegan => {
                if self.watching != Watching::Asked {
                    return Err(format!(
                        "`WatchingBegan` answers `WatchPaths` once, but watching is {:?}",
                        self.watching
                    ));
                }
                self.watching = Watching::Began;
            }
            Fact::PathsTouched(_) => {
                if self.watching != Watching::Began {
                    return Err("`PathsTouched` before `WatchingBegan`".to_owned());
                }
            }
            Fact::Process(process, incarnation, fact) => self.process_fact(process, *incarnation, fact)?,
            Fact::HookFinished { task, .. } => {
                self.hooks.remove(task).ok_or_else(|| format!("hook {task} finished, but it does not run"))?;
            }
            Fact::ProbeAnswered { task, .. } => {
                if !self.probes.remove(task) && !self.cancelled_probes.remove(task) {
                    return Err(format!("probe {task} was answered, but nobody asks"));
                }
            }
            Fact::ArtifactAnswered { task, answer } => self.artifact_answered(*task, answer)?,
            Fact::EventPosted { request, .. } => self.post(*request)?,
            Fact::PlanLoaded(loaded) => self.plan_loaded(loaded)?,
            Fact::StateSaved(version) | Fact::StateSaveFailed { version, .. } => {
                if self.save_in_flight.take() != Some(*version) {
                    return Err(format!("the save of {version} was answered, but it is not in flight"));
                }
            }
            Fact::StateSynced(version) | Fact::StateSyncFailed(version) => {
                if self.sync_in_flight.take() != Some(*version) {
                    return Err(format!("the sync of {version} was answered, but it is not in flight"));
                }
            }
        }
        Ok(())
    }

    /// Takes note of an effect before the world carries it out. The error says which promise the engine broke.
    pub fn effect(&mut self, effect: &Effect) -> Result<(), String> {
        if !self.has_begun || self.has_ended {
            return Err(format!("an effect outside of the session: {effect:?}"));
        }
        match effect {
            Effect::WatchPaths => {
                if self.watching != Watching::NotAsked {
                    return Err("`WatchPaths` twice".to_owned());
                }
                self.watching = Watching::Asked;
            }
            Effect::StartProcess(process, incarnation) => self.start_process(process, *incarnation)?,
            Effect::StopProcess(process, incarnation) => self.ask_process(process, *incarnation, Asked::Stop)?,
            Effect::KillProcess(process, incarnation) => self.ask_process(process, *incarnation, Asked::Kill)?,
            Effect::StartHook { task, errand, .. } => {
                self.open_task(*task)?;
                if let Some(candidate) = &errand.candidate
                    && self.generations.get(candidate) != Some(&Build::Candidate)
                {
                    return Err(format!("hook {task} builds {candidate:?}, which has no empty folder"));
                }
                self.hooks.insert(*task, Asked::Nothing);
            }
            Effect::StopHook(task) => self.ask_hook(*task, Asked::Stop)?,
            Effect::KillHook(task) => self.ask_hook(*task, Asked::Kill)?,
            Effect::StartProbe { task, .. } => {
                self.open_task(*task)?;
                self.probes.insert(*task);
            }
            Effect::CancelProbe(task) => self.cancel_probe(*task)?,
            Effect::SaveState { version, .. } => self.save(*version)?,
            Effect::SyncState(version) => {
                if let Some(other) = self.sync_in_flight.replace(*version) {
                    return Err(format!("the sync of {version} begins while that of {other} is in flight"));
                }
            }
            Effect::AnswerRequest { request, verdict, run } => self.answer_request(*request, *verdict, *run)?,
            Effect::LoadPlan => self.load_plan()?,
            Effect::ApplyPlan(_) => self.apply_plan()?,
            Effect::Artifact(task, artifact, order) => self.order(*task, artifact, order)?,
            Effect::ServeArtifact(artifact, generation) => self.serve(artifact, *generation)?,
            Effect::Report(_) | Effect::BroadcastReload | Effect::Suspend => {}
            Effect::EndSession(ending) => self.end(ending)?,
        }
        Ok(())
    }

    fn process_fact(
        &mut self,
        process: &ProcessName,
        incarnation: Incarnation,
        fact: &ProcessFact,
    ) -> Result<(), String> {
        let life = self
            .lives
            .get_mut(process)
            .filter(|life| life.incarnation == incarnation)
            .ok_or_else(|| format!("{process}{incarnation} was never started, or another life came after it"))?;
        let (from, to) = match fact {
            ProcessFact::Started { .. } => (Stage::Requested, Stage::Running),
            ProcessFact::StartFailed(_) => (Stage::Requested, Stage::Over),
            ProcessFact::Captured { .. } | ProcessFact::LineMatched(_) => (Stage::Running, Stage::Running),
            ProcessFact::Exited(_) => (Stage::Running, Stage::Exited),
            ProcessFact::Gone => (Stage::Exited, Stage::Over),
            ProcessFact::Stuck { .. } if life.stage == Stage::Running => (Stage::Running, Stage::Running),
            ProcessFact::Stuck { .. } => (Stage::Exited, Stage::Exited),
        };
        if life.stage != from {
            return Err(format!("{process}{incarnation} is {:?}, so this cannot be: {fact:?}", life.stage));
        }
        life.stage = to;
        Ok(())
    }

    fn start_process(&mut self, process: &ProcessName, incarnation: Incarnation) -> Result<(), String> {
        if let Some(life) = self.lives.get(process) {
            if life.stage != Stage::Over {
                return Err(format!(
                    "{process}{incarnation} is started while {process}{} is {:?}",
                    life.incarnation, life.stage
                ));
            }
            if incarnation <= life.incarnation {
                return Err(format!("{process}{incarnation} is started after {process}{}", life.incarnation));
            }
        }
        self.lives.insert(process.clone(), Life { incarnation, stage: Stage::Requested, asked: Asked::Nothing });
        Ok(())
    }

    fn ask_process(&mut self, process: &ProcessName, incarnation: Incarnation, asked: Asked) -> Result<(), String> {
        let life = self
            .lives
            .get_mut(process)
            .filter(|life| life.incarnation == incarnation && life.stage != Stage::Over)
            .ok_or_else(|| format!("{asked:?} for {process}{incarnation}, which does not live"))?;
        if life.asked >= asked {
            return Err(format!("{asked:?} for {process}{incarnation} after {:?}", life.asked));
        }
        life.asked = asked;
        Ok(())
    }

    fn open_task(&self, task: TaskId) -> Result<(), String> {
        let is_open = self.hooks.contains_key(&task)
            || self.probes.contains(&task)
            || self.cancelled_probes.contains(&task)
            || self.orders.contains_key(&task);
        if is_open { Err(format!("task {task} is used twice")) } else { Ok(()) }
    }

    fn ask_hook(&mut self, task: TaskId, asked: Asked) -> Result<(), String> {
        let before =
            self.hooks.get_mut(&task).ok_or_else(|| format!("{asked:?} for hook {task}, which does not run"))?;
        if *before >= asked {
            return Err(format!("{asked:?} for hook {task} after {before:?}"));
        }
        *before = asked;
        Ok(())
    }

    fn cancel_probe(&mut self, task: TaskId) -> Result<(), String> {
        if !self.probes.remove(&task) {
            return Err(format!("probe {task} is cancelled, but nobody asks"));
        }
        // Its answer may be in the inbox already.
        self.cancelled_probes.insert(task);
        if self.cancelled_probes.len() > CANCELLED_PROBES_MAX {
            self.cancelled_probes.pop_first();
        }
        Ok(())
    }

    fn save(&mut self, version: StateVersion) -> Result<(), String> {
        if let Some(other) = self.save_in_flight {
            return Err(format!("the save of {version} begins while {other} is in flight"));
        }
        if version < self.newest_save {
            return Err(format!("{version} is saved after {}", self.newest_save));
        }
        self.save_in_flight = Some(version);
        self.newest_save = version;
        Ok(())
    }

    fn load_plan(&mut self) -> Result<(), String> {
        if self.plan_file == PlanFile::Asked {
            return Err("`LoadPlan` while one is under way".to_owned());
        }
        self.plan_file = PlanFile::Asked;
        Ok(())
    }

    fn plan_loaded(&mut self, loaded: &LoadedPlan) -> Result<(), String> {
        if self.plan_file != PlanFile::Asked {
            return Err(format!("`PlanLoaded` answers `LoadPlan`, but the config file is {:?}", self.plan_file));
        }
        self.plan_file = match loaded {
            LoadedPlan::Valid { .. } => PlanFile::Valid,
            LoadedPlan::Same | LoadedPlan::Broken { .. } | LoadedPlan::Unreadable { .. } => PlanFile::Quiet,
        };
        Ok(())
    }

    fn apply_plan(&mut self) -> Result<(), String> {
        if self.plan_file != PlanFile::Valid {
            return Err(format!("`ApplyPlan` without a plan that came: the config file is {:?}", self.plan_file));
        }
        self.plan_file = PlanFile::Quiet;
        Ok(())
    }

    fn order(&mut self, task: TaskId, artifact: &ArtifactName, order: &ArtifactOrder) -> Result<(), String> {
        self.open_task(task)?;
        let key = |generation: &Generation| (artifact.clone(), *generation);
        match order {
            ArtifactOrder::Find | ArtifactOrder::Prepare => {}
            ArtifactOrder::Install(generation) => match self.generations.get_mut(&key(generation)) {
                Some(build @ Build::Candidate) => *build = Build::Going,
                other => return Err(format!("{artifact} {generation} is to go into its place and is {other:?}")),
            },
            ArtifactOrder::Remove(generations) => {
                for generation in generations {
                    if self.generations.get(&key(generation)).is_none_or(|build| *build == Build::Going) {
                        return Err(format!("{artifact} {generation} is removed before it is there"));
                    }
                }
            }
        }
        self.orders.insert(task, (artifact.clone(), order.clone()));
        Ok(())
    }

    fn serve(&self, artifact: &ArtifactName, generation: Option<Generation>) -> Result<(), String> {
        match generation {
            Some(generation) if self.generations.get(&(artifact.clone(), generation)) != Some(&Build::Whole) => {
                Err(format!("{artifact} {generation} is served and not whole"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn artifact_answered(&mut self, task: TaskId, answer: &ArtifactAnswer) -> Result<(), String> {
        let asked = self.orders.remove(&task).ok_or_else(|| format!("file work {task} is answered and not asked"))?;
        let (artifact, order) = asked;
        let key = |generation: &Generation| (artifact.clone(), *generation);
        match (&order, answer) {
            (ArtifactOrder::Find, ArtifactAnswer::Found(found)) => {
                self.generations.extend(found.iter().map(|generation| (key(generation), Build::Whole)));
            }
            (ArtifactOrder::Prepare, ArtifactAnswer::Prepared(generation)) => {
                let newest =
                    self.generations.keys().filter(|(other, _)| *other == artifact).map(|(_, other)| other).max();
                if newest.is_some_and(|newest| newest >= generation) {
                    return Err(format!("{artifact} {generation} is not newer than {newest:?}"));
                }
                self.generations.insert(key(generation), Build::Candidate);
            }
            (ArtifactOrder::Install(generation), ArtifactAnswer::Installed(_)) => {
                self.generations.insert(key(generation), Build::Whole);
            }
            (ArtifactOrder::Install(generation), ArtifactAnswer::Failed(_)) => {
                self.generations.insert(key(generation), Build::Candidate);
            }
            (ArtifactOrder::Remove(generations), ArtifactAnswer::Removed) => {
                for generation in generations {
                    self.generations.remove(&key(generation));
                }
            }
            (_, ArtifactAnswer::Failed(_)) => {}
            _ => return Err(format!("{artifact} was asked for {order:?} and answers {answer:?}")),
        }
        Ok(())
    }

    fn post(&mut self, request: RequestId) -> Result<(), String> {
        if !self.requests.insert(request) {
            return Err(format!("request {request} came twice and is not answered"));
        }
        Ok(())
    }

    fn answer_request(&mut self, request: RequestId, verdict: Verdict, run: Option<RunId>) -> Result<(), String> {
        if !self.requests.remove(&request) {
            return Err(format!("request {request} is answered, but it is not open"));
        }
        if run.is_some() && verdict != Verdict::Accepted {
            return Err(format!("request {request} is {verdict:?} and names the run {run:?}"));
        }
        Ok(())
    }

    fn end(&mut self, ending: &Ending) -> Result<(), String> {
        self.has_ended = true;
        let left: BTreeSet<&ProcessName> =
            self.lives.iter().filter(|(_, life)| life.stage != Stage::Over).map(|(name, _)| name).collect();
        match ending {
            Ending::Abandoned { processes } => {
                let named: BTreeSet<&ProcessName> = processes.iter().collect();
                if named != left {
                    return Err(format!("the session ends and names {named:?}, but what lives is {left:?}"));
                }
            }
            Ending::AsAsked | Ending::Unsaved | Ending::Failed => {
                if !left.is_empty() {
                    return Err(format!("the session ends as {ending:?} while these live: {left:?}"));
                }
                if !self.hooks.is_empty() {
                    return Err(format!("the session ends while hooks run: {:?}", self.hooks.keys()));
                }
            }
        }
        if !self.requests.is_empty() {
            return Err(format!("the session ends while requests are open: {:?}", self.requests));
        }
        if !self.probes.is_empty() {
            return Err(format!("the session ends while probes are open: {:?}", self.probes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{ExitStatus, Holder, ProbeAnswer, ProbeRole};
    use std::sync::Arc;
    use std::time::Duration;

    fn begun() -> Protocol {
        let mut protocol = Protocol::new();
        protocol.fact(&Fact::SessionBegan).unwrap();
        protocol
    }

    fn life(fact: ProcessFact) -> Fact {
        Fact::Process(ProcessName::from("server"), Incarnation(1), fact)
    }

    fn start(incarnation: u32) -> Effect {
        Effect::StartProcess(ProcessName::from("server"), Incarnation(incarnation))
    }

    #[test]
    fn a_life_is_started_exits_and_is_gone_in_that_order() {
        let mut protocol = begun();
        protocol.effect(&start(1)).unwrap();
        assert!(protocol.clone().fact(&life(ProcessFact::Gone)).is_err());
        protocol.fact(&life(ProcessFact::Started { pid: 1 })).unwrap();
        protocol.fact(&life(ProcessFact::Exited(ExitStatus::Code(0)))).unwrap();
        assert!(protocol.clone().fact(&life(ProcessFact::Exited(ExitStatus::Code(0)))).is_err());
        assert!(protocol.clone().effect(&start(2)).is_err(), "something of the first life may be left");
        protocol.fact(&life(ProcessFact::Gone)).unwrap();
        assert!(protocol.clone().effect(&start(1)).is_err());
        protocol.effect(&start(2)).unwrap();
    }

    #[test]
    fn a_stop_comes_once_and_never_after_a_kill() {
        let mut protocol = begun();
        let server = ProcessName::from("server");
        protocol.effect(&start(1)).unwrap();
        protocol.effect(&Effect::StopProcess(server.clone(), Incarnation(1))).unwrap();
        assert!(protocol.clone().effect(&Effect::StopProcess(server.clone(), Incarnation(1))).is_err());
        protocol.effect(&Effect::KillProcess(server.clone(), Incarnation(1))).unwrap();
        assert!(protocol.clone().effect(&Effect::StopProcess(server.clone(), Incarnation(1))).is_err());
        assert!(protocol.clone().effect(&Effect::KillProcess(server, Incarnation(1))).is_err());
    }

    #[test]
    fn one_save_is_in_flight_and_its_answer_names_it() {
        let mut protocol = begun();
        let save =
            |version| Effect::SaveState { version: StateVersion(version), values: Arc::default(), durable: false };
        protocol.effect(&save(1)).unwrap();
        assert!(protocol.clone().effect(&save(2)).is_err());
        assert!(protocol.clone().fact(&Fact::StateSaved(StateVersion(2))).is_err());
        protocol.fact(&Fact::StateSaved(StateVersion(1))).unwrap();
        protocol.effect(&save(2)).unwrap();
    }

    #[test]
    fn one_sync_is_in_flight_beside_saves_and_its_answer_names_it() {
        let mut protocol = begun();
        let sync = |version| Effect::SyncState(StateVersion(version));
        assert!(protocol.clone().fact(&Fact::StateSynced(StateVersion(1))).is_err());
        protocol.effect(&sync(1)).unwrap();
        assert!(protocol.clone().effect(&sync(2)).is_err());
        assert!(protocol.clone().fact(&Fact::StateSyncFailed(StateVersion(2))).is_err());
        let save = Effect::SaveState { version: StateVersion(2), values: Arc::default(), durable: false };
        protocol.effect(&save).unwrap();
        protocol.fact(&Fact::StateSyncFailed(StateVersion(1))).unwrap();
        protocol.effect(&sync(1)).unwrap();
        protocol.fact(&Fact::StateSynced(StateVersion(1))).unwrap();
    }

    #[test]
    fn an_answer_to_a_cancelled_probe_may_have_been_on_its_way_once() {
        let mut protocol = begun();
        let task = TaskId(7);
        protocol
            .effect(&Effect::StartProbe {
                task,
                process: ProcessName::from("server"),
                role: ProbeRole::Readiness,
                expect_body: None,
                within: Duration::from_secs(1),
            })
            .unwrap();
        protocol.effect(&Effect::CancelProbe(task)).unwrap();
        protocol.fact(&Fact::ProbeAnswered { task, answer: ProbeAnswer::Well }).unwrap();
        assert!(protocol.fact(&Fact::ProbeAnswered { task, answer: ProbeAnswer::Well }).is_err());
    }

    #[test]
    fn a_posted_value_is_answered_once_and_names_a_run_only_when_it_is_accepted() {
        let mut protocol = begun();
        let request = RequestId(1);
        let post = Fact::EventPosted {
            request,
            holder: Holder::Process(ProcessName::from("server"), Incarnation(1)),
            event: "url".into(),
            value: "a".to_owned(),
        };
        let answer = |verdict, run| Effect::AnswerRequest { request, verdict, run };
        protocol.fact(&post).unwrap();
        assert!(protocol.clone().fact(&post).is_err());
        assert!(protocol.clone().effect(&Effect::EndSession(Ending::AsAsked)).is_err());
        assert!(protocol.clone().effect(&answer(Verdict::NotSaved, Some(RunId(1)))).is_err());
        protocol.effect(&answer(Verdict::Accepted, Some(RunId(1)))).unwrap();
        assert!(protocol.effect(&answer(Verdict::Accepted, None)).is_err());
    }

    #[test]
    fn a_plan_is_loaded_when_asked_for_and_applied_once_it_came() {
        let mut protocol = begun();
        let apply = Effect::ApplyPlan(Arc::new(crate::plan::Plan::empty("/project".into())));
        assert!(protocol.clone().fact(&Fact::PlanLoaded(LoadedPlan::Same)).is_err());
        protocol.fact(&Fact::PlanTouched).unwrap();
        protocol.effect(&Effect::LoadPlan).unwrap();
        assert!(protocol.clone().effect(&Effect::LoadPlan).is_err());
        assert!(protocol.clone().effect(&apply).is_err());
        let mut broken = protocol.clone();
        broken.fact(&Fact::PlanLoaded(LoadedPlan::Broken { errors: 1 })).unwrap();
        assert!(broken.effect(&apply).is_err());
        let plan = Arc::new(crate::plan::Plan::empty("/project".into()));
        protocol.fact(&Fact::PlanLoaded(LoadedPlan::Valid { plan, other_root: None })).unwrap();
        protocol.effect(&apply).unwrap();
        assert!(protocol.effect(&apply).is_err());
    }

    #[test]
    fn the_session_ends_once_with_nothing_left_but_what_it_names() {
        let mut protocol = begun();
        protocol.effect(&start(1)).unwrap();
        assert!(protocol.clone().effect(&Effect::EndSession(Ending::AsAsked)).is_err());
        let ending = Ending::Abandoned { processes: vec![ProcessName::from("server")] };
        protocol.effect(&Effect::EndSession(ending)).unwrap();
        assert!(protocol.clone().fact(&Fact::DeadlineReached).is_err());
        assert!(protocol.effect(&Effect::WatchPaths).is_err());
    }
}
