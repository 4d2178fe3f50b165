//! Fixed pieces of work on the paths that run for every change, every value and every line.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use devloop::adapters::log_index::IndexWriter;
use devloop::adapters::output::{BodyStyle, ChildStreams, Output, SinkOptions};
use devloop_config::Place;
use devloop_core::effect::{Effect, Values};
use devloop_core::engine::Engine;
use devloop_core::fact::{Captured, ExitStatus, Fact, Holder, HookOutcome, ProcessFact, Touch, TouchKind};
use devloop_core::moment::Moment;
use devloop_core::names::{EventName, Incarnation, ProcessName, RequestId, StateKey};
use devloop_core::notice::Who;
use devloop_core::plan::Plan;
use devloop_core::plan::watch::PathPattern;
use devloop_core::template::Template;
use devloop_core::value::Value;

/// One round of a piece of work; the preparation is done.
pub(crate) type Round = Box<dyn FnMut() -> io::Result<()>>;

/// Prepares a piece of work.
pub(crate) type Prepare = fn() -> io::Result<Round>;

/// All pieces: what each is called, and how it is prepared.
pub(crate) const PIECES: &[(&str, Prepare)] = &[
    ("step_save", step_save),
    ("step_burst", step_burst),
    ("step_event", step_event),
    ("template", template),
    ("glob", glob),
    ("output_plain", || output(&plain_line(), false)),
    ("output_coloured", || output(b"\x1b[32m   Compiling\x1b[0m something \x1b[1mv0.1.0\x1b[0m\n", true)),
];

/// A project of a usual size: ten groups with ignores, a hook and a process for each, one event.
fn plan() -> io::Result<Arc<Plan>> {
    let mut text = "root = '/project'\n[event.value]\nstate_key = 'value'\nworkflow = 'posted'\n\
                    [workflow.posted]\nsteps = [{ action = 'log', message = 'now {{value}}' }]\n"
        .to_owned();
    for part in 0..10 {
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "[watch.part{part}]\npaths = ['part{part}/**/*.rs', 'part{part}/templates/', 'shared/*.toml']\nignore = ['**/*.tmp']\n\
             [hook.build{part}]\ncommand = ['build', 'part{part}']\n\
             [process.server{part}]\ncommand = ['server', 'part{part}']\n\
             [workflow.part{part}]\nsteps = [{{ action = 'run_hook', hook = 'build{part}' }}, {{ action = 'log', message = 'built {{{{last_workflow}}}}' }}]\n"
        );
    }
    let loaded = devloop_config::load(&text, &Place { folder: PathBuf::from("/project") });
    let told = || io::Error::other(format!("{:?}", loaded.diagnostics));
    loaded.plan.as_ref().map(|plan| Arc::new(plan.clone())).ok_or_else(told)
}

/// An engine and a world in which all goes well at once.
struct Session {
    engine: Engine,
    now: Moment,
    hooks: u32,
    answers: u32,
}

impl Session {
    fn begun() -> io::Result<Self> {
        let mut session =
            Self { engine: Engine::new(plan()?, Values::new(), 7), now: Moment::ZERO, hooks: 0, answers: 0 };
        session.tell(Fact::SessionBegan);
        session.rest();
        Ok(session)
    }

    /// A fact, and all that follows from it without waiting.
    fn tell(&mut self, fact: Fact) {
        let mut facts = vec![fact];
        while let Some(fact) = facts.pop() {
            for effect in self.engine.step(self.now, fact) {
                match effect {
                    Effect::WatchPaths => facts.push(Fact::WatchingBegan),
                    Effect::StartProcess(name, life) => {
                        facts.push(Fact::Process(name, life, ProcessFact::Started { pid: 7 }));
                    }
                    Effect::StartHook { task, .. } => {
                        self.hooks += 1;
                        let outcome = HookOutcome::Exited { status: ExitStatus::Code(0), captured: Captured::Nothing };
                        facts.push(Fact::HookFinished { task, outcome });
                    }
                    Effect::SaveState { version, .. } => facts.push(Fact::StateSaved(version)),
                    Effect::SyncState(version) => facts.push(Fact::StateSynced(version)),
                    Effect::AnswerRequest { .. } => self.answers += 1,
                    _ => {}
                }
            }
        }
    }

    /// Lets two seconds pass, from deadline to deadline.
    fn rest(&mut self) {
        let end = self.now + Duration::from_secs(2);
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= end) {
            self.now = due;
            self.tell(Fact::DeadlineReached);
        }
        self.now = end;
    }
}

/// Work that did not happen must not be counted as fast.
fn must(happened: bool, what: &str) -> io::Result<()> {
    if happened { Ok(()) } else { Err(io::Error::other(format!("no {what}"))) }
}

fn touched(path: String) -> Touch {
    Touch { path: path.into(), kind: TouchKind::Settled }
}

/// A save, its hook, and the rest after it.
fn step_save() -> io::Result<Round> {
    let mut session = Session::begun()?;
    Ok(Box::new(move || {
        let before = session.hooks;
        session.tell(Fact::PathsTouched(vec![touched("part7/src/deep/file.rs".to_owned())]));
        session.rest();
        must(session.hooks == before + 1, "hook for a save")
    }))
}

/// A thousand files of ten groups, in ten pieces as a watcher reads them.
fn step_burst() -> io::Result<Round> {
    let mut session = Session::begun()?;
    Ok(Box::new(move || {
        let before = session.hooks;
        for piece in 0..10 {
            let files = (0..100).map(|file| touched(format!("part{piece}/src/folder/file{file:03}.rs")));
            session.tell(Fact::PathsTouched(files.collect()));
            session.now = session.now + Duration::from_millis(1);
        }
        session.rest();
        must(session.hooks >= before + 10, "hooks for a burst")
    }))
}

/// A value that is posted, saved and answered, and its workflow.
fn step_event() -> io::Result<Round> {
    let mut session = Session::begun()?;
    let mut number = 0;
    Ok(Box::new(move || {
        let before = session.answers;
        number += 1;
        session.tell(Fact::EventPosted {
            request: RequestId(number),
            holder: Holder::Process(ProcessName::from("server3"), Incarnation(1)),
            event: EventName::from("value"),
            value: format!("value-{number:012}"),
        });
        must(session.answers == before + 1, "answer to a post")
    }))
}

/// A message with texts, a number and a nested value, read and rendered a hundred times.
#[expect(clippy::unnecessary_wraps, reason = "each path begins in the same way")]
fn template() -> io::Result<Round> {
    let mut values = Values::new();
    values.insert(StateKey::from("url"), Value::from("http://127.0.0.1:8080"));
    values.insert(StateKey::from("slug"), Value::from("a-post-about-something"));
    values.insert(StateKey::from("count"), Value::Number("42".to_owned()));
    Ok(Box::new(move || {
        for _ in 0..100 {
            let template =
                Template::parse("{{url}}/posts/{{ slug }} has {{count}} words, {{ not.there }} and { braces }");
            let rendered = template.render(|key| values.get(key)).map_err(|_| io::Error::other("too long"))?;
            must(rendered.text.contains("/posts/a-post"), "rendered text")?;
        }
        Ok(())
    }))
}

/// Four kinds of patterns against a hundred paths.
fn glob() -> io::Result<Round> {
    let patterns = ["src/**/*.rs", "templates/", "**/*.{html,css}", "Cargo.toml"]
        .map(|source| PathPattern::new(source, source).map_err(io::Error::other));
    let patterns: Vec<PathPattern> = patterns.into_iter().collect::<io::Result<_>>()?;
    let paths: Vec<String> = (0..25)
        .flat_map(|n| {
            [
                format!("src/a/b/file{n}.rs"),
                format!("templates/x/{n}.txt"),
                format!("web/p{n}/page.html"),
                format!("docs/{n}.md"),
            ]
        })
        .collect();
    Ok(Box::new(move || {
        let matches =
            paths.iter().map(|path| patterns.iter().filter(|pattern| pattern.matches(path)).count()).sum::<usize>();
        must(matches == 75, "match of 75")
    }))
}

fn plain_line() -> Vec<u8> {
    let mut line = vec![b'x'; 99];
    line.push(b'\n');
    line
}

/// As many lines as fit into a pipe, which is full and closed before it is read: so the reads are the same each time.
#[expect(clippy::unnecessary_wraps, reason = "each path begins in the same way")]
fn output(line: &[u8], colours: bool) -> io::Result<Round> {
    let block = line.repeat(60_000 / line.len());
    Ok(Box::new(move || {
        let nowhere = || File::options().write(true).open("/dev/null");
        let (output, end) = Output::start(SinkOptions {
            stdout: nowhere()?.into(),
            stderr: nowhere()?.into(),
            log: Some(nowhere()?),
            log_bytes_max: u64::MAX,
            log_index: Some(IndexWriter::new(nowhere()?, "state.json")),
            stdout_colours: colours,
            stderr_colours: colours,
            label_width: 0,
            stamp: None,
            warning: Box::new(|words| words.as_bytes().to_vec()),
            secrets: Arc::default(),
        })?;
        for _ in 0..10 {
            let (stdout, mut writer) = io::pipe()?;
            let (stderr, _) = io::pipe()?;
            writer.write_all(&block)?;
            drop(writer);
            let id = output.attach(ChildStreams {
                label: "bench child".to_owned(),
                who: Some(Who::Process("child".into())),
                stdout: stdout.into(),
                stderr: stderr.into(),
                inherit: true,
                style: BodyStyle::Plain,
                raw: false,
                rules: Vec::new(),
                patterns: Vec::new(),
                capture: false,
                heard: Box::new(drop),
            });
            let (done, is_done) = tokio::sync::oneshot::channel();
            output.drain(id, done);
            is_done.blocking_recv().map_err(io::Error::other)?;
        }
        must(end.flush_and_stop(Duration::from_secs(60)), "whole output")
    }))
}
