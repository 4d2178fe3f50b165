//! The config file while the session lasts: when it is read again, what of a new plan can be taken, and what it changes.
//!
//! Applying a change is the work of the room that it is about; here is only what is decided from two plans.

use super::turn::Turn;
use crate::effect::Effect;
use crate::fact::LoadedPlan;
use crate::moment::Moment;
use crate::notice::{Edit, Follows, Kept, Notice, PlanChange, PlanRejection};
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// The file is read when nobody has touched it for so long: what is saved in two writes is read once, and whole.
pub const PLAN_QUIET: Duration = Duration::from_millis(50);

/// It is read at the latest so long after the first touch.
pub const PLAN_QUIET_MAX: Duration = Duration::from_millis(500);

/// What is known about the config file.
#[derive(Default)]
pub(crate) struct Reload {
    touched: Option<Touched>,
    is_loading: bool,
    /// The file could not be used when it was read last.
    is_rejected: bool,
    /// What the user was told cannot change, and the value that the file named then.
    told: BTreeMap<&'static str, String>,
}

#[derive(Clone, Copy)]
struct Touched {
    first: Moment,
    last: Moment,
}

impl Reload {
    /// The file may hold something else.
    pub(crate) fn touched(&mut self, now: Moment) {
        let first = self.touched.map_or(now, |touched| touched.first);
        self.touched = Some(Touched { first, last: now });
    }

    /// Has the file read when that is due.
    pub(crate) fn expire(&mut self, turn: &mut Turn) {
        if self.next_deadline().is_some_and(|at| at <= turn.now) {
            self.touched = None;
            self.is_loading = true;
            turn.ask(Effect::LoadPlan);
        }
    }

    /// When the file is read next.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let Touched { first, last } = self.touched.filter(|_| !self.is_loading)?;
        Some((last + PLAN_QUIET).min(first + PLAN_QUIET_MAX))
    }

    /// The file was read. Gives the plan that replaces `old`, if it is another.
    pub(crate) fn loaded(&mut self, turn: &mut Turn, old: &Plan, loaded: LoadedPlan) -> Option<Arc<Plan>> {
        self.is_loading = false;
        let rejection = match loaded {
            LoadedPlan::Same => return None,
            LoadedPlan::Valid { plan, other_root } => {
                let was_rejected = std::mem::take(&mut self.is_rejected);
                let (plan, mut kept) = keep_fixed(old, plan);
                kept.extend(other_root.map(|root| kept_key("root", old.root.display(), root.display())));
                self.tell_kept(turn, kept);
                let is_other = *plan != *old;
                if was_rejected && !is_other {
                    turn.report(Notice::PlanRestored);
                }
                return is_other.then_some(plan);
            }
            LoadedPlan::Broken { errors } => PlanRejection::Broken { errors },
            LoadedPlan::Unreadable { error } => PlanRejection::Unreadable { error },
        };
        self.is_rejected = true;
        turn.report(Notice::PlanRejected(rejection));
        None
    }

    /// Says once what cannot change, and again when the file names something else for it.
    fn tell_kept(&mut self, turn: &mut Turn, kept: Vec<Kept>) {
        let told = std::mem::take(&mut self.told);
        for kept in kept {
            self.told.insert(kept.key, kept.wanted.clone());
            if told.get(kept.key) != Some(&kept.wanted) {
                turn.report(Notice::PlanKept(kept));
            }
        }
    }
}

/// Puts back what cannot change while a session lasts.
fn keep_fixed(old: &Plan, mut new: Arc<Plan>) -> (Arc<Plan>, Vec<Kept>) {
    let mut kept = Vec::new();
    if new.state_file != old.state_file {
        kept.push(kept_key("state_file", old.state_file.display(), new.state_file.display()));
        Arc::make_mut(&mut new).state_file.clone_from(&old.state_file);
    }
    if let (Some(was), Some(is)) = (&old.event_server, &new.event_server)
        && was.bind != is.bind
    {
        kept.push(kept_key("event_server.bind", was.bind, is.bind));
        let bind = was.bind;
        Arc::make_mut(&mut new).event_server.iter_mut().for_each(|server| server.bind = bind);
    }
    if let (Some(was), Some(is)) = (&old.reload_server, &new.reload_server)
        && was.bind != is.bind
    {
        kept.push(kept_key("browser_reload_server.bind", was.bind, is.bind));
        let bind = was.bind;
        Arc::make_mut(&mut new).reload_server.iter_mut().for_each(|server| server.bind = bind);
    }
    (new, kept)
}

fn kept_key(key: &'static str, kept: impl Display, wanted: impl Display) -> Kept {
    Kept { key, kept: kept.to_string(), wanted: wanted.to_string() }
}

/// All that is not as it was, in the order in which the reference names the tables.
pub(crate) fn difference(old: &Plan, new: &Plan) -> Vec<PlanChange> {
    let mut all = Difference::default();
    all.key("debounce_ms", old.debounce == new.debounce);
    all.key("concurrent", old.concurrent == new.concurrent);
    all.key("startup_workflows", old.startup_workflows == new.startup_workflows);
    all.key("watcher", old.watcher == new.watcher);
    all.tables("watch", &old.watches, &new.watches);
    all.tables("process", &old.processes, &new.processes);
    all.tables("hook", &old.hooks, &new.hooks);
    all.table("event_server", old.event_server.as_ref(), new.event_server.as_ref());
    all.table("browser_reload_server", old.reload_server.as_ref(), new.reload_server.as_ref());
    all.tables("event", &old.events, &new.events);
    all.tables("artifact", &old.artifacts, &new.artifacts);
    all.tables("workflow", &old.workflows, &new.workflows);
    all.0
}

#[derive(Default)]
struct Difference(Vec<PlanChange>);

impl Difference {
    fn push(&mut self, section: &'static str, name: Option<Arc<str>>, what: Edit) {
        self.0.push(PlanChange { section, name, what, follows: Follows::Nothing });
    }

    fn key(&mut self, key: &'static str, is_same: bool) {
        if !is_same {
            self.push(key, None, Edit::Changed);
        }
    }

    fn table<T: PartialEq>(&mut self, section: &'static str, old: Option<&T>, new: Option<&T>) {
        self.0.extend(edit(old, new).map(|what| PlanChange { section, name: None, what, follows: Follows::Nothing }));
    }

    fn tables<N: Ord + AsRef<str>, T: PartialEq>(
        &mut self,
        section: &'static str,
        old: &BTreeMap<N, T>,
        new: &BTreeMap<N, T>,
    ) {
        let mut names: Vec<&N> = old.keys().chain(new.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            if let Some(what) = edit(old.get(name), new.get(name)) {
                self.push(section, Some(Arc::from(name.as_ref())), what);
            }
        }
    }
}

fn edit<T: PartialEq>(old: Option<&T>, new: Option<&T>) -> Option<Edit> {
    match (old, new) {
        (None, Some(_)) => Some(Edit::Added),
        (Some(_), None) => Some(Edit::Removed),
        (Some(old), Some(new)) if old != new => Some(Edit::Changed),
        (Some(_), Some(_)) | (None, None) => None,
    }
}
