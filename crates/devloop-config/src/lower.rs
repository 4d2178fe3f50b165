//! Spanned tables → plan. One file a section; each reports all it finds and goes on.

mod artifact;
mod command;
mod event;
mod hook;
mod output;
mod pattern;
mod probe;
mod process;
mod server;
mod watch;
mod workflow;

use crate::VariableUse;
use crate::diagnostic::{Bag, Diagnostic};
use crate::graph::{self, Edge};
use crate::place::{Place, cleaned};
use crate::reader::{Reader, Text};
use crate::resolve::{self, Names, Sort};
use crate::span::{self, Span};
use crate::words;
use devloop_core::names::{
    ArtifactName, EventName, HookName, LockName, ProcessName, StateKey, WatchName, WorkflowName,
};
use devloop_core::plan::process::ProcessPlan;
use devloop_core::plan::watch::{WatchPlan, WatcherKind, WatcherPlan};
use devloop_core::plan::words::Words;
use devloop_core::plan::{Plan, is_reserved};
use devloop_core::template::{self, Template};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::de::DeTable;

/// How many tables a section may have. Everything that walks the plan stays fast, and no chain overflows a stack.
const TABLES_MAX: usize = 1000;

/// How many globs and regular expressions a text may have: each costs memory and time to compile.
const PATTERNS_MAX: usize = 2000;

/// What all sections share while one text is lowered.
pub(crate) struct Lowering<'a> {
    bag: &'a Bag<'a>,
    names: Names<'a>,
    /// The project's folder; the config's own folder where the text does not say.
    root: PathBuf,
    /// Who refers to whom.
    edges: RefCell<Vec<Edge<'a>>>,
    /// Processes that some step waits for.
    awaited: RefCell<Vec<(&'a str, Span)>>,
    /// Where artifacts say what.
    artifacts: RefCell<Vec<artifact::ArtifactPlaces<'a>>>,
    /// Where events say what.
    events: RefCell<Vec<event::EventPlaces>>,
    variables: RefCell<Vec<VariableUse>>,
    /// How many globs and regular expressions were met.
    patterns: Cell<usize>,
    /// Where the state file is.
    state_folder: RefCell<PathBuf>,
}

/// Lowers a whole text. The plan is only worth something when the bag holds no error.
/// `fixed_root`: what counts instead of the root that the text names.
pub(crate) fn lower<'a>(
    table: &'a DeTable<'a>,
    (place, fixed_root): (&Place, Option<&Path>),
    bag: &'a Bag<'a>,
) -> (Option<Plan>, Vec<VariableUse>) {
    let mut top = Reader::top(bag, table);
    let root = top.text("root").and_then(|root| path_of(bag, &root)).map(|root| cleaned(&place.folder, root));
    let root = root.map(|root| fixed_root.map_or(root, Path::to_path_buf));
    let lowering = Lowering {
        bag,
        names: Names::of(table),
        root: root.clone().unwrap_or_else(|| place.folder.clone()),
        edges: RefCell::default(),
        awaited: RefCell::default(),
        artifacts: RefCell::default(),
        events: RefCell::default(),
        variables: RefCell::default(),
        patterns: Cell::new(0),
        state_folder: RefCell::default(),
    };
    let mut plan = lowering.plan(&mut top, place);
    let servers = lowering.servers(&mut top);
    lowering.place_servers(&mut plan, servers);
    top.finish();
    lowering.check_graph(&plan.processes);
    lowering.check_artifacts(&plan);
    lowering.check_events(&plan);
    let mut variables = lowering.variables.into_inner();
    variables.sort_by_key(|used| used.span.start);
    (root.map(|_| plan), variables)
}

impl<'a> Lowering<'a> {
    fn plan(&self, top: &mut Reader<'a>, place: &Place) -> Plan {
        let state_file = self.state_file(top, place);
        self.state_folder.replace(state_file.parent().unwrap_or(&state_file).to_owned());
        Plan {
            root: self.root.clone(),
            state_file,
            debounce: top.millis("debounce_ms"),
            concurrent: top.switch("concurrent"),
            startup_workflows: self.workflows(top, "startup_workflows"),
            watcher: watcher(top),
            watches: self.watches(top),
            processes: self.lowered(top, "process", ProcessName::new, Self::process),
            hooks: self.lowered(top, "hook", HookName::new, Self::hook),
            artifacts: self.lowered(top, "artifact", ArtifactName::new, Self::artifact),
            workflows: self.lowered(top, "workflow", WorkflowName::new, Self::workflow),
            events: self.lowered(top, "event", EventName::new, Self::event),
            event_server: None,
            reload_server: None,
        }
    }

    fn state_file(&self, top: &mut Reader<'a>, place: &Place) -> PathBuf {
        let default = self.root.join(".devloop/state.json");
        let Some(written) = top.text("state_file") else { return default };
        let Some(path) = path_of(self.bag, &written) else { return default };
        let file = cleaned(&place.folder, path);
        let last = path.rsplit('/').next();
        if matches!(last, Some("" | "." | "..")) || file == self.root {
            let folder = Diagnostic::error(written.span, "`state_file` names a folder").saying("a folder");
            self.bag.add(folder.hint("name a file, as in \".devloop/state.json\""));
        }
        file
    }

    fn watches(&self, top: &mut Reader<'a>) -> BTreeMap<WatchName, WatchPlan> {
        let watches = self.section(top, "watch");
        if let Some(watches) = &watches
            && watches.is_empty()
        {
            let none = Diagnostic::error(0..0, "the config has no watch group");
            self.bag.add_missing(none.saying("no `[watch.NAME]`").hint("add `[watch.NAME]` with `paths = [\"src/\"]`"));
        }
        let lowered = watches.into_iter().flatten();
        lowered.filter_map(|(name, reader)| Some((WatchName::new(name), self.watch(name, reader)?))).collect()
    }

    /// Lowers each table of a section.
    fn lowered<N: Ord, P>(
        &self,
        top: &mut Reader<'a>,
        section: &'static str,
        named: impl Fn(&'a str) -> N,
        lower: impl Fn(&Self, &'a str, Reader<'a>) -> Option<P>,
    ) -> BTreeMap<N, Arc<P>> {
        let tables = self.section(top, section).into_iter().flatten();
        tables.filter_map(|(name, reader)| Some((named(name), Arc::new(lower(self, name, reader)?)))).collect()
    }

    /// The tables of a section; none when it is no section at all, which is reported.
    fn section(&self, top: &mut Reader<'a>, section: &'static str) -> Option<Vec<(&'a str, Reader<'a>)>> {
        let entries = top.own_entries(section)?;
        if let Some((first, _)) = entries.get(TABLES_MAX) {
            let many =
                format!("the config has {} `[{section}.NAME]` tables, at most {TABLES_MAX} are read", entries.len());
            self.bag.add(Diagnostic::error(first.span.clone(), many).saying("one too many").hint("remove some"));
            return None;
        }
        let readers = entries.into_iter().filter_map(|(name, item)| {
            match section {
                "watch" => resolve::check_name(self.bag, "watch group", &name),
                "artifact" => resolve::check_artifact_name(self.bag, &name),
                "event" => resolve::check_event_name(self.bag, &name),
                _ => resolve::check_name(self.bag, section, &name),
            };
            Some((name.value, Reader::of(self.bag, &item, section)?))
        });
        Some(readers.collect())
    }

    /// A list of workflows that exist.
    fn workflows(&self, reader: &mut Reader<'a>, key: &'static str) -> Vec<WorkflowName> {
        let named = reader.texts(key).into_iter().flat_map(|(_, texts)| texts);
        named.filter_map(|name| self.resolve(Sort::Workflow, &name)).map(WorkflowName::from).collect()
    }

    fn resolve(&self, sort: Sort, name: &Text<'a>) -> Option<&'a str> {
        self.names.resolve(self.bag, sort, name)
    }

    fn locks(&self, reader: &mut Reader<'a>) -> BTreeSet<LockName> {
        let named = reader.texts("locks").into_iter().flat_map(|(_, texts)| texts);
        named.filter(|name| resolve::check_name(self.bag, "lock", name)).map(|name| LockName::new(name.value)).collect()
    }

    /// A state key that is read.
    fn read_key(&self, key: &Text<'a>) -> Option<StateKey> {
        resolve::check_name(self.bag, "state key", key).then(|| StateKey::new(key.value))
    }

    /// A state key that is written, which may not be one of devloop's own.
    fn written_key(&self, key: &Text<'a>) -> Option<StateKey> {
        if is_reserved(key.value) {
            let message = format!("`{}`: the state key '{}' is devloop's own", key.path, words::quoted(key.value));
            let reserved = Diagnostic::error(key.span.clone(), message).saying("reserved");
            self.bag.add(reserved.hint(
                "write another key; `root`, `last_workflow`, `last_changed_files` and `artifact.*` are reserved",
            ));
            return None;
        }
        self.read_key(key)
    }

    /// A template; braces that enclose no key are a warning, for they stay text.
    fn template(&self, text: &Text<'a>) -> Template {
        let mut from = 0;
        while let Some(open) = text.value[from..].find("{{").map(|found| from + found) {
            let inner = &text.value[open + 2..];
            let Some(close) = inner.find("}}") else {
                let span = span::inside(self.bag.text(), &text.span, text.value, open, 2);
                let message = format!("`{}`: `{{{{` is never closed, so the text stays as it is", text.path);
                let odd = Diagnostic::warning(span, message).saying("no `}}` follows");
                self.bag.add(odd.hint("write `{{ key }}` to put in a value of the state"));
                break;
            };
            if inner.starts_with('{') {
                from = open + 1;
                continue;
            }
            let key = inner[..close].trim();
            if !template::is_key(key) {
                let span = span::inside(self.bag.text(), &text.span, text.value, open, close + 4);
                let message = format!(
                    "`{}`: '{}' is no state key, so the braces stay as they are",
                    text.path,
                    words::quoted(key)
                );
                let odd = Diagnostic::warning(span, message).saying("stays as it is");
                self.bag.add(odd.hint("write `{{ key }}` with a key of letters, digits, `_`, `.` and `-`"));
            }
            from = open + close + 4;
        }
        Template::parse(text.value)
    }

    /// A text outside a command in which variables are replaced.
    fn strict_words(&self, text: &Text<'a>) -> Option<Words> {
        match Words::strict(text.value) {
            Ok(words) => {
                self.note_variables(text, &words, |_| false);
                Some(words)
            }
            Err(stray) => {
                let span = span::inside(self.bag.text(), &text.span, text.value, stray.at, 1);
                let message = format!("`{}`: a `$` that no variable name follows", text.path);
                let stray = Diagnostic::error(span, message).saying("stray `$`");
                self.bag.add(stray.hint("write `$$` to mean one `$`, or `$NAME` for a variable"));
                None
            }
        }
    }

    /// Remembers which variables a text uses, except those that `kept` says are the child's own.
    fn note_variables(&self, text: &Text<'a>, words: &Words, kept: impl Fn(&str) -> bool) {
        for name in words.variables().filter(|name| !kept(name)) {
            let braced = format!("${{{name}}}");
            let bare = format!("${name}");
            let found =
                [&braced, &bare].into_iter().find_map(|form| Some((text.value.find(form.as_str())?, form.len())));
            let (at, length) = found.unwrap_or((0, text.value.len()));
            let span = span::inside(self.bag.text(), &text.span, text.value, at, length);
            let used = VariableUse { key: text.path.clone(), name: name.to_owned(), span };
            self.variables.borrow_mut().push(used);
        }
    }

    /// Whether one more pattern may be compiled; the first one too many is reported.
    fn may_compile(&self, pattern: &Text<'a>) -> bool {
        self.patterns.set(self.patterns.get() + 1);
        if self.patterns.get() == PATTERNS_MAX + 1 {
            let message = format!("the config has more than {PATTERNS_MAX} globs and regular expressions");
            let many = Diagnostic::error(pattern.span.clone(), message).saying("one too many");
            self.bag.add(many.hint("remove some, or say the same with fewer: `dir/` is everything below a folder"));
        }
        self.patterns.get() <= PATTERNS_MAX
    }

    fn link(&self, edge: Edge<'a>) {
        self.edges.borrow_mut().push(edge);
    }

    /// Checks what only the whole can show.
    fn check_graph(&self, processes: &BTreeMap<ProcessName, Arc<ProcessPlan>>) {
        graph::check(self.bag, &self.edges.borrow());
        for (name, span) in self.awaited.borrow().iter() {
            if processes.get(*name).is_some_and(|process| process.readiness.is_none()) {
                let message = format!("process '{name}' has no `readiness`, so the step waits for its start only");
                let pointless = Diagnostic::warning(span.clone(), message).saying("ready as soon as it is started");
                self.bag.add(
                    pointless.hint(format!("add `[process.{}.readiness]`, or remove the step", resolve::as_key(name))),
                );
            }
        }
    }
}

/// The `[watcher]` table.
fn watcher(top: &mut Reader<'_>) -> WatcherPlan {
    let Some(mut reader) = top.table("watcher", "watcher") else { return WatcherPlan::default() };
    let kinds = [("native", WatcherKind::Native), ("poll", WatcherKind::Poll)];
    let watcher = WatcherPlan {
        kind: reader.choice("kind", &kinds).unwrap_or(WatcherKind::Native),
        poll_interval: reader.millis("poll_interval_ms"),
        gitignore: reader.switch("gitignore"),
    };
    reader.finish();
    watcher
}

/// A path that is not empty.
fn path_of<'a>(bag: &Bag<'_>, path: &Text<'a>) -> Option<&'a str> {
    if path.value.is_empty() {
        let empty = Diagnostic::error(path.span.clone(), format!("`{}` is empty", path.path)).saying("empty");
        bag.add(empty.hint("name a path; `.` is the folder itself"));
        return None;
    }
    warn_of_shell_words(bag, path);
    Some(path.value)
}

/// Warns of a path that only a shell would read as it is meant.
fn warn_of_shell_words(bag: &Bag<'_>, path: &Text<'_>) {
    // Only a whole first part looks like one: `routes/$id.tsx` is a name that web frameworks use.
    let first = path.value.split('/').next().unwrap_or_default();
    let is_home = first == "~";
    let variable = Words::command(first).variables().next().map(|name| [format!("${name}"), format!("${{{name}}}")]);
    let is_variable = variable.is_some_and(|forms| forms.iter().any(|form| form == first));
    if is_home || is_variable {
        let what = if is_home { "`~`" } else { "a variable" };
        let literal = Diagnostic::warning(path.span.clone(), format!("`{}`: {what} is not replaced here", path.path));
        bag.add(literal.saying("taken as it is written").hint("write the path itself, relative or absolute"));
    }
}
