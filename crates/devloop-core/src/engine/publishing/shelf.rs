//! The generations of one artifact: which are on disk, which is served, and which are to go.

use crate::effect::{ArtifactOrder, Effect};
use crate::engine::processes::Processes;
use crate::engine::turn::Turn;
use crate::fact::ArtifactAnswer;
use crate::names::{ArtifactName, Generation, Incarnation, ProcessName, StateVersion, TaskId};
use crate::notice::{ArtifactNews, Notice};
use crate::plan::artifact::{ArtifactKey, generation_folder};
use crate::value::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Lives that serve something.
pub(super) type Lives = Vec<(ProcessName, Incarnation)>;

/// How a generation comes to be served.
#[derive(Clone, Copy)]
pub(super) enum Switch {
    /// All consumers have answered with it, or did in their time.
    Verified,
    /// From another one, or from none, to which it goes back unless all consumers answer.
    From(Option<Generation>),
}

/// All generations of an artifact.
pub(super) struct Shelf {
    artifact: ArtifactName,
    state_file: PathBuf,
    /// The question what is on disk, until it is answered.
    search: Option<TaskId>,
    /// Whole folders on disk, and whether all consumers once answered with them.
    on_disk: BTreeMap<Generation, bool>,
    /// What the state names.
    pub(super) served: Option<Generation>,
    doomed: Vec<Doomed>,
}

/// Generations that go as soon as nothing needs them.
struct Doomed {
    /// Whose publish waits for it; none: nobody's.
    by: Option<TaskId>,
    generations: Vec<Generation>,
    /// Who may still serve them.
    lives: Lives,
    /// The versions of the state that name them, if any does.
    named: Option<Named>,
    removal: Option<TaskId>,
}

/// From which version of the state on something was named, and from which on no longer.
#[derive(Clone, Copy, Default)]
pub(super) struct Named {
    pub(super) from: StateVersion,
    pub(super) until: StateVersion,
}

impl Named {
    /// Whether no file names it, also after a loss of power; none: a save that could say so failed.
    fn is_over(self, turn: &Turn) -> Option<bool> {
        if !turn.session.may_be_on_disk(self.from..self.until) {
            return Some(true);
        }
        match turn.session.is_durable(self.until) {
            Some(true) => Some(true),
            Some(false) => None,
            None => Some(false),
        }
    }
}

impl Doomed {
    /// Whether it cannot be removed for now: the state file, which may name it, cannot be written.
    fn is_stalled(&self, turn: &Turn) -> bool {
        self.named.is_some_and(|named| named.is_over(turn).is_none())
    }

    fn is_unnamed(&self, turn: &Turn) -> bool {
        self.named.is_none_or(|named| named.is_over(turn) == Some(true))
    }

    fn is_free(&self, turn: &Turn, processes: &Processes) -> bool {
        self.is_unnamed(turn) && self.lives.iter().all(|(name, incarnation)| processes.is_gone(name, *incarnation))
    }
}

impl Shelf {
    /// Asks what is there.
    pub(super) fn new(turn: &mut Turn, artifact: &ArtifactName, state_file: &std::path::Path) -> Self {
        let mut shelf = Self {
            artifact: artifact.clone(),
            state_file: state_file.to_owned(),
            search: None,
            on_disk: BTreeMap::new(),
            served: None,
            doomed: Vec::new(),
        };
        shelf.search = Some(shelf.ask(turn, ArtifactOrder::Find));
        shelf
    }

    /// Asks for file work.
    pub(super) fn ask(&self, turn: &mut Turn, order: ArtifactOrder) -> TaskId {
        let task = turn.new_task();
        turn.ask(Effect::Artifact(task, self.artifact.clone(), order));
        task
    }

    /// Whether it is known what is there.
    pub(super) fn is_known(&self) -> bool {
        self.search.is_none()
    }

    /// Looks whether one of its own questions is answered.
    pub(super) fn look_for(&mut self, turn: &mut Turn, answers: &mut BTreeMap<TaskId, ArtifactAnswer>) {
        if let Some(answer) = self.search.and_then(|task| answers.remove(&task)) {
            self.search = None;
            let found = match answer {
                ArtifactAnswer::Found(found) => found,
                other @ (ArtifactAnswer::Prepared(_)
                | ArtifactAnswer::Installed(_)
                | ArtifactAnswer::Removed
                | ArtifactAnswer::Failed(_)) => {
                    self.tell_trouble(turn, other);
                    Vec::new()
                }
            };
            self.recover(turn, &found);
        }
        for at in (0..self.doomed.len()).rev() {
            let Some(answer) = self.doomed[at].removal.and_then(|task| answers.remove(&task)) else { continue };
            let doomed = self.doomed.remove(at);
            if answer == ArtifactAnswer::Removed {
                doomed.generations.iter().for_each(|generation| {
                    self.on_disk.remove(generation);
                });
            } else {
                self.tell_trouble(turn, answer);
            }
        }
    }

    fn tell_trouble(&self, turn: &mut Turn, answer: ArtifactAnswer) {
        if let ArtifactAnswer::Failed(error) = answer {
            self.tell(turn, ArtifactNews::Trouble { error });
        }
    }

    pub(super) fn tell(&self, turn: &mut Turn, news: ArtifactNews) {
        turn.report(Notice::Artifact { artifact: self.artifact.clone(), news });
    }

    /// Goes by what an earlier session saved, as far as it is true: a switch that nobody verified is undone, and what
    /// came after the served generation goes, for nobody verified it either.
    fn recover(&mut self, turn: &mut Turn, found: &[Generation]) {
        let value = |turn: &Turn, key: ArtifactKey| turn.session.value(key.of(&self.artifact).as_str()).cloned();
        let claim = |turn: &Turn, key: ArtifactKey| match &value(turn, key) {
            None => Claim::Nothing,
            Some(Value::String(text)) => Generation::parse(text).map_or(Claim::False, Claim::of(found)),
            Some(_) => Claim::False,
        };
        let (current, switching) = (claim(turn, ArtifactKey::Generation), claim(turn, ArtifactKey::Switching));
        let is_switching = !matches!(switching, Claim::Nothing);
        let key = if is_switching { ArtifactKey::Rollback } else { ArtifactKey::Generation };
        let target = claim(turn, key);
        if matches!(target, Claim::False) {
            let named = match value(turn, key) {
                Some(Value::String(text)) => text,
                other => other.map_or_else(String::new, |value| value.to_string()),
            };
            self.tell(turn, ArtifactNews::Lost { named });
        }
        let served = target.generation();
        if is_switching {
            self.tell(turn, ArtifactNews::Undone { restored: served });
        }
        let is_leftover = |generation: &&Generation| match served {
            Some(served) => **generation > served,
            None => is_switching && [current.generation(), switching.generation()].contains(&Some(**generation)),
        };
        let leftovers: Vec<Generation> = found.iter().filter(is_leftover).copied().collect();
        self.on_disk = found.iter().map(|generation| (*generation, !leftovers.contains(generation))).collect();
        let needs = self.serve(turn, served, Switch::Verified);
        if served.is_some() {
            self.tell_children(turn, served);
        }
        let named = needs.map(|until| Named { until, ..Named::default() });
        self.doom(None, leftovers, Vec::new(), named);
    }

    /// Writes what is served, and what it is switched from as long as nobody verified it: all in one version of the
    /// state, which is to survive a loss of power. Gives the version; none when it was so already.
    pub(super) fn serve(
        &mut self,
        turn: &mut Turn,
        generation: Option<Generation>,
        switch: Switch,
    ) -> Option<StateVersion> {
        let folder = |generation: Generation| {
            let folder = generation_folder(&self.state_file, &self.artifact, generation);
            Value::String(folder.to_string_lossy().into_owned())
        };
        let name = |generation: Generation| Value::String(generation.to_string());
        let (is_verified, rollback) = match switch {
            Switch::Verified => (true, None),
            Switch::From(before) => (false, before),
        };
        let before = turn.session.version();
        for (key, value) in [
            (ArtifactKey::Generation, generation.map(name)),
            (ArtifactKey::Path, generation.map(folder)),
            (ArtifactKey::Switching, generation.filter(|_| !is_verified).map(name)),
            (ArtifactKey::Rollback, rollback.map(name)),
            (ArtifactKey::RollbackPath, rollback.map(folder)),
        ] {
            let key = key.of(&self.artifact);
            if turn.session.value(key.as_str()) != value.as_ref() {
                turn.session.restore(&key, value);
                turn.stir();
            }
        }
        self.served = generation;
        (turn.session.version() != before).then(|| turn.session.want_durable())
    }

    /// Lets children that start from now on know what is served.
    pub(super) fn tell_children(&self, turn: &mut Turn, generation: Option<Generation>) {
        turn.ask(Effect::ServeArtifact(self.artifact.clone(), generation));
    }

    /// A generation is in its place. What somebody removed or exchanged meanwhile is nothing to go back to.
    pub(super) fn installed(&mut self, turn: &mut Turn, generation: Generation, found: &[Generation]) {
        self.on_disk.retain(|other, _| found.contains(other));
        self.on_disk.insert(generation, false);
        if let Some(lost) = self.served.filter(|served| !found.contains(served)) {
            self.tell(turn, ArtifactNews::Lost { named: lost.to_string() });
            self.served = None;
        }
    }

    /// All consumers answered with a generation: what is older than the newest `retain` goes, and nobody waits for it.
    pub(super) fn verified(&mut self, generation: Generation, retain: usize) {
        self.on_disk.insert(generation, true);
        let mut kept: Vec<Generation> =
            self.on_disk.iter().rev().filter(|(_, is_verified)| **is_verified).map(|(&kept, _)| kept).collect();
        kept.truncate(retain.max(1));
        let is_asked = |generation: &Generation| self.doomed.iter().any(|other| other.generations.contains(generation));
        let is_old = |old: &Generation| !kept.contains(old) && *old != generation && !is_asked(old);
        let old = self.on_disk.keys().copied().filter(is_old).collect();
        self.doom(None, old, Vec::new(), None);
    }

    /// Generations are to go.
    pub(super) fn doom(
        &mut self,
        by: Option<TaskId>,
        generations: Vec<Generation>,
        lives: Lives,
        named: Option<Named>,
    ) {
        if !generations.is_empty() {
            self.doomed.push(Doomed { by, generations, lives, named, removal: None });
        }
    }

    /// Removes what nothing needs any more.
    pub(super) fn clear_out(&mut self, turn: &mut Turn, processes: &Processes) {
        for at in 0..self.doomed.len() {
            let doomed = &self.doomed[at];
            if doomed.removal.is_none() && doomed.is_free(turn, processes) {
                let task = self.ask(turn, ArtifactOrder::Remove(doomed.generations.clone()));
                self.doomed[at].removal = Some(task);
            }
        }
    }

    /// Whether a publish waits for a removal that can still be done.
    pub(super) fn is_clearing(&self, turn: &Turn, by: TaskId) -> bool {
        self.doomed.iter().any(|doomed| doomed.by == Some(by) && !doomed.is_stalled(turn))
    }

    /// Whether nothing is under way, and nothing can be when no process lives: what has not gone by then is stuck, or the
    /// state file cannot be written. The next session removes it.
    pub(super) fn is_left(&self, turn: &Turn) -> bool {
        let is_left =
            |doomed: &Doomed| doomed.removal.is_none() && (doomed.is_stalled(turn) || doomed.is_unnamed(turn));
        self.is_known() && self.doomed.iter().all(is_left)
    }
}

/// What the state says of a generation.
#[derive(Clone, Copy)]
enum Claim {
    /// Nothing.
    Nothing,
    /// One that is on disk.
    True(Generation),
    /// One that is not, or something else.
    False,
}

impl Claim {
    fn of(found: &[Generation]) -> impl Fn(Generation) -> Self {
        |generation| if found.contains(&generation) { Self::True(generation) } else { Self::False }
    }

    fn generation(self) -> Option<Generation> {
        match self {
            Self::True(generation) => Some(generation),
            Self::Nothing | Self::False => None,
        }
    }
}
