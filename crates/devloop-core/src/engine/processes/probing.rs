//! The questions that are asked about one life: is it ready, is it still well.

use crate::effect::Effect;
use crate::engine::turn::Turn;
use crate::fact::{ProbeAnswer, ProbeRole};
use crate::moment::Moment;
use crate::names::{ProcessName, StateKey, TaskId};
use crate::plan::probe::{ProbeKind, ProbePlan};
use crate::plan::process::ProcessPlan;
use std::time::Duration;

/// The shortest gap after a refused connection.
const REFUSED_GAP_MIN: Duration = Duration::from_millis(1);

/// The shortest gap after any other answer.
const UNWELL_GAP_MIN: Duration = Duration::from_millis(5);

/// The shortest gap between two commands that ask: each of them costs a child.
const EXEC_GAP_MIN: Duration = Duration::from_millis(20);

/// The gap grows to this part of the time waited: 2 %.
const GAP_PART: u32 = 50;

/// Whose questions these are.
pub(crate) struct Asked<'a> {
    pub(crate) process: &'a ProcessName,
    pub(crate) plan: &'a ProcessPlan,
}

/// The questions of one life.
pub(crate) struct Probing {
    since: Moment,
    stage: Stage,
    last: Option<String>,
    readiness: Attempt,
    liveness: Attempt,
    /// What the first of two attempts in a row said.
    suspicion: Option<String>,
    is_unwell: bool,
    was_present: bool,
}

/// How far a life is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It may become ready in time.
    Early,
    /// It may become ready.
    Late,
    /// It is ready.
    Ready,
    /// Nobody asks any more.
    Over,
}

enum Attempt {
    /// Nothing is asked, or something that is not asked for but seen.
    Idle,
    /// Something is asked then; for `output` liveness: then it has been silent for too long.
    Due(Moment),
    /// An answer is awaited.
    Going(TaskId),
}

/// What became clear.
pub(crate) enum Finding {
    /// It is ready.
    Ready,
    /// It is not ready in time.
    Late,
    /// It is not well any more.
    Unwell(String),
}

/// How a probe is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By attempts.
    Asked,
    /// By a state key.
    Key,
    /// By a line of output.
    Line,
}

fn way(probe: &ProbePlan) -> Way {
    match probe.kind {
        ProbeKind::Http { .. } | ProbeKind::Tcp { .. } | ProbeKind::Exec { .. } => Way::Asked,
        ProbeKind::StateKey { .. } => Way::Key,
        ProbeKind::Output { .. } => Way::Line,
    }
}

impl Probing {
    /// A life began.
    pub(crate) fn new(plan: &ProcessPlan, now: Moment) -> Self {
        let is_asked = plan.readiness.as_ref().is_some_and(|probe| way(probe) == Way::Asked);
        let mut probing = Self {
            since: now,
            stage: Stage::Early,
            last: None,
            readiness: if is_asked { Attempt::Due(now) } else { Attempt::Idle },
            liveness: Attempt::Idle,
            suspicion: None,
            is_unwell: false,
            was_present: false,
        };
        if plan.readiness.is_none() {
            probing.become_ready(plan, now);
        }
        probing
    }

    /// Whether it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// What the last attempt said.
    pub(crate) fn last(&self) -> Option<String> {
        self.last.clone()
    }

    fn become_ready(&mut self, plan: &ProcessPlan, now: Moment) {
        self.stage = Stage::Ready;
        self.readiness = Attempt::Idle;
        if let Some(probe) = &plan.liveness {
            self.liveness = match way(probe) {
                Way::Asked => Attempt::Due(now + probe.interval),
                Way::Line => Attempt::Due(now + probe.timeout),
                Way::Key => Attempt::Idle,
            };
        }
    }

    /// Asks what is due, and notices what is late.
    pub(crate) fn expire(&mut self, turn: &mut Turn, asked: &Asked<'_>) -> Option<Finding> {
        if self.stage == Stage::Over {
            return None;
        }
        let now = turn.now;
        if let (Attempt::Due(at), Some(probe)) = (&self.readiness, &asked.plan.readiness)
            && *at <= now
        {
            self.readiness = Attempt::Going(ask(turn, asked, ProbeRole::Readiness, probe));
        }
        if let (Attempt::Due(at), Some(probe)) = (&self.liveness, &asked.plan.liveness)
            && *at <= now
        {
            if way(probe) == Way::Line {
                self.liveness = Attempt::Idle;
                return self.unwell(format!("no line matched within {} ms", probe.timeout.as_millis()));
            }
            self.liveness = Attempt::Going(ask(turn, asked, ProbeRole::Liveness, probe));
        }
        let is_late = self.late_at(asked.plan).is_some_and(|at| at <= now);
        is_late.then(|| {
            self.stage = Stage::Late;
            Finding::Late
        })
    }

    fn late_at(&self, plan: &ProcessPlan) -> Option<Moment> {
        let probe = plan.readiness.as_ref().filter(|_| self.stage == Stage::Early)?;
        Some(self.since + probe.timeout)
    }

    /// Looks at the state keys that are probes.
    pub(crate) fn look_at_keys(&mut self, turn: &Turn, asked: &Asked<'_>) -> Option<Finding> {
        if self.stage == Stage::Over {
            return None;
        }
        if !self.is_ready() {
            let key = key_of(asked.plan.readiness.as_ref())?;
            return turn.is_present(key).then(|| {
                self.become_ready(asked.plan, turn.now);
                Finding::Ready
            });
        }
        let key = key_of(asked.plan.liveness.as_ref())?;
        let is_present = turn.is_present(key);
        if std::mem::replace(&mut self.was_present, is_present) && !is_present {
            return self.unwell(format!("state key '{key}' is empty"));
        }
        self.is_unwell &= !is_present;
        None
    }

    /// Whether an answer is awaited here.
    pub(crate) fn role_of(&self, task: TaskId) -> Option<ProbeRole> {
        let is_it = |attempt: &Attempt| matches!(attempt, Attempt::Going(going) if *going == task);
        if is_it(&self.readiness) {
            Some(ProbeRole::Readiness)
        } else {
            is_it(&self.liveness).then_some(ProbeRole::Liveness)
        }
    }

    /// An attempt is over.
    pub(crate) fn answered(
        &mut self,
        turn: &mut Turn,
        asked: &Asked<'_>,
        role: ProbeRole,
        answer: ProbeAnswer,
    ) -> Option<Finding> {
        match role {
            ProbeRole::Readiness => self.readiness_answered(turn.now, asked, answer),
            ProbeRole::Liveness => self.liveness_answered(turn, asked, answer),
        }
    }

    fn readiness_answered(&mut self, now: Moment, asked: &Asked<'_>, answer: ProbeAnswer) -> Option<Finding> {
        let probe = asked.plan.readiness.as_ref()?;
        let least = match answer {
            ProbeAnswer::Well => {
                self.become_ready(asked.plan, now);
                return Some(Finding::Ready);
            }
            ProbeAnswer::Refused => {
                self.last = Some("connection refused".to_owned());
                REFUSED_GAP_MIN
            }
            ProbeAnswer::Unwell(words) => {
                self.last = Some(words);
                if matches!(probe.kind, ProbeKind::Exec { .. }) { EXEC_GAP_MIN } else { UNWELL_GAP_MIN }
            }
        };
        let growing = (now.since(self.since) / GAP_PART).max(least).min(probe.interval);
        let gap = if self.stage == Stage::Late { probe.interval } else { growing };
        self.readiness = Attempt::Due(now + gap);
        None
    }

    fn liveness_answered(&mut self, turn: &mut Turn, asked: &Asked<'_>, answer: ProbeAnswer) -> Option<Finding> {
        let probe = asked.plan.liveness.as_ref()?;
        self.liveness = Attempt::Due(turn.now + probe.interval);
        let words = match answer {
            ProbeAnswer::Well => {
                self.suspicion = None;
                self.is_unwell = false;
                return None;
            }
            ProbeAnswer::Refused => "connection refused".to_owned(),
            ProbeAnswer::Unwell(words) => words,
        };
        if self.suspicion.take().is_some() {
            return self.unwell(words);
        }
        self.suspicion = Some(words);
        self.liveness = Attempt::Going(ask(turn, asked, ProbeRole::Liveness, probe));
        None
    }

    /// A line matched the pattern of a probe.
    pub(crate) fn line_matched(&mut self, now: Moment, plan: &ProcessPlan, role: ProbeRole) -> Option<Finding> {
        if self.stage == Stage::Over {
            return None;
        }
        match role {
            ProbeRole::Readiness => {
                let is_news = !self.is_ready() && plan.readiness.as_ref().is_some_and(|probe| way(probe) == Way::Line);
                is_news.then(|| {
                    self.become_ready(plan, now);
                    Finding::Ready
                })
            }
            ProbeRole::Liveness => {
                if let Some(probe) = plan.liveness.as_ref().filter(|probe| self.is_ready() && way(probe) == Way::Line) {
                    self.liveness = Attempt::Due(now + probe.timeout);
                    self.is_unwell = false;
                }
                None
            }
        }
    }

    /// Tells once, until it is well again.
    fn unwell(&mut self, reason: String) -> Option<Finding> {
        let was_unwell = std::mem::replace(&mut self.is_unwell, true);
        (!was_unwell).then_some(Finding::Unwell(reason))
    }

    /// Devloop stood still, and perhaps this life with it: answers that are under way may be late for that alone, and
    /// lines were not heard.
    pub(crate) fn slept(&mut self, turn: &mut Turn, plan: &ProcessPlan) {
        self.suspicion = None;
        for attempt in [&mut self.readiness, &mut self.liveness] {
            if let Attempt::Going(task) = *attempt {
                turn.ask(Effect::CancelProbe(task));
                *attempt = Attempt::Due(turn.now);
            }
        }
        if let (Attempt::Due(at), Some(probe)) = (&mut self.liveness, &plan.liveness)
            && way(probe) == Way::Line
        {
            *at = turn.now + probe.timeout;
        }
    }

    /// No more questions about this life.
    pub(crate) fn stop(&mut self, turn: &mut Turn) {
        self.stage = Stage::Over;
        for attempt in [&mut self.readiness, &mut self.liveness] {
            if let Attempt::Going(task) = std::mem::replace(attempt, Attempt::Idle) {
                turn.ask(Effect::CancelProbe(task));
            }
        }
    }

    /// When something is due.
    pub(crate) fn next_deadline(&self, plan: &ProcessPlan) -> Option<Moment> {
        if self.stage == Stage::Over {
            return None;
        }
        let due = |attempt: &Attempt| match attempt {
            Attempt::Due(at) => Some(*at),
            Attempt::Idle | Attempt::Going(_) => None,
        };
        [due(&self.readiness), due(&self.liveness), self.late_at(plan)].into_iter().flatten().min()
    }
}

fn key_of(probe: Option<&ProbePlan>) -> Option<&StateKey> {
    match &probe?.kind {
        ProbeKind::StateKey { key } => Some(key),
        ProbeKind::Http { .. } | ProbeKind::Tcp { .. } | ProbeKind::Exec { .. } | ProbeKind::Output { .. } => None,
    }
}

fn ask(turn: &mut Turn, asked: &Asked<'_>, role: ProbeRole, probe: &ProbePlan) -> TaskId {
    let task = turn.new_task();
    let expect_body = expected_body(turn, probe);
    let process = asked.process.clone();
    turn.ask(Effect::StartProbe { task, process, role, expect_body, within: probe.attempt_timeout() });
    task
}

fn expected_body(turn: &Turn, probe: &ProbePlan) -> Option<String> {
    match &probe.kind {
        // A body too long to be rendered is one that no server can answer: its source stands for it.
        ProbeKind::Http { expect_body: Some(template), .. } => Some(
            template
                .render(|key| turn.session.value(key))
                .map_or_else(|_| template.source().to_owned(), |rendered| rendered.text),
        ),
        ProbeKind::Http { expect_body: None, .. }
        | ProbeKind::Tcp { .. }
        | ProbeKind::Exec { .. }
        | ProbeKind::Output { .. }
        | ProbeKind::StateKey { .. } => None,
    }
}
