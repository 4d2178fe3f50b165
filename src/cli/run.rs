//! `devloop run`: puts a session together, runs it, takes it apart.

mod asked;

pub(super) use asked::{Asked, label_width};

use super::config_file::{self, Checked};
use super::saved_config::SavedConfig;
use super::{complain, stderr_colors, stdout_colors, watched_paths};
use crate::adapters::environment::Environment;
use crate::adapters::guardian::{self, Guardian};
use crate::adapters::http::Listeners;
use crate::adapters::interrupts::Interrupts;
use crate::adapters::keyboard;
use crate::adapters::launch::Launcher;
use crate::adapters::leftovers::Sweep;
use crate::adapters::output::{Output, OutputEnd, OwnLine, Secrets, SinkOptions, Stamp};
use crate::adapters::plan_file::ReadPlan;
use crate::adapters::session_file::{Answer, SessionFile, StateError, StateFolder};
use crate::adapters::session_log::{self, SessionLog};
use crate::adapters::status_file::{self, Session};
use crate::adapters::watcher::OwnFiles;
use crate::adapters::{Adapters, Parts};
use crate::driver;
use crate::driver::clock::SessionClock;
use crate::driver::inbox::Inbox;
use crate::env_vars;
use crate::failure::Failure;
use crate::report::filter::Filter;
use crate::report::first_screen::Beginning;
use crate::report::local::Zone;
use crate::report::{self, LineSink, Look, Reporter};
use devloop_core::effect::{Ending, Values};
use devloop_core::engine::Engine;
use devloop_core::names::ProcessName;
use devloop_core::notice::Level;
use devloop_core::plan::Plan;
use devloop_core::plan::words::Words;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::{JoinSet, LocalSet};

/// How long the end of a session waits for a terminal that takes nothing.
const FLUSH_MAX: Duration = Duration::from_millis(450);

/// How long the end of a session waits for the guardian, which ends when no child is left.
const DISMISSAL_MAX: Duration = Duration::from_secs(1);

pub(super) fn main(config: Option<&PathBuf>, asked: Asked) -> Result<(), Failure> {
    let checked = config_file::check(config)?;
    complain(&checked.warnings);
    let (plan, left_out) = asked.plan(&checked.plan)?;
    let plan = Arc::new(plan);
    if let Err(error) = std::fs::read_dir(&plan.root) {
        let why = format!("`root` names the folder {}, which cannot be read: {error}", plan.root.display());
        return Err(Failure::cannot_begin(why));
    }
    // Before there are threads; children that it keeps end with us, whatever ends us.
    let guardian =
        guardian::fork().map_err(|error| Failure::cannot_begin(format!("the guardian cannot be started: {error}")))?;
    guardian::return_large_memory();
    // While the rest of the session is put together, on another processor; more of them would take ours as well.
    guardian.prepare(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::cannot_begin(format!("the runtime cannot be started: {error}")))?;
    let local = LocalSet::new();
    local.block_on(&runtime, session((checked, plan), guardian, (asked, left_out)))
}

/// Everything that is needed before the first thing is started or written, in that order.
async fn session(
    (checked, plan): (Checked, Arc<Plan>),
    guardian: Guardian,
    (asked, left_out): (Asked, Vec<String>),
) -> Result<(), Failure> {
    // The handler of a signal is there a moment before those who hear it, and what comes in between would be lost.
    let interrupts = guardian::undisturbed(|| Interrupts::install(guardian::is_ignored))
        .map_err(|error| Failure::cannot_begin(format!("signals cannot be heard: {error}")))?;
    let opened = open_state(&plan.state_file);
    let mut log = session_log::create(&plan.state_file);
    let (folder, values, sweep) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let failure = Failure::CannotBegin { why: error.with_causes(), hint: error.hint() };
            return Err(recorded(log.as_ref().ok(), failure));
        }
    };
    let secrets = Arc::new(Secrets::default());
    let (output, end) = open_output(log.as_mut().ok(), &secrets, (&asked, &plan))
        .map_err(|failure| recorded(log.as_ref().ok(), failure))?;
    let environment = Arc::new(Environment::capture(&plan.root, &plan.state_file));
    environment.remove_stale_files();
    let reporter = Arc::new(reporter(&plan, &output, &environment, asked.is_quiet));
    match &log {
        // Fixed: `writing session log: PATH`, in both forms.
        Ok(log) => {
            let told = format!("writing session log: {}", log.path.display());
            reporter.always(&format!("devloop: {told}"), &format!("[devloop] {told}"));
        }
        Err(error) => reporter.line("log", Level::Warn, &format!("this session has no log: {error}")),
    }
    let config = checked.folder.join(checked.path.file_name().unwrap_or_default());
    reporter.first_screen(&Beginning {
        config: &config,
        log: log.as_ref().ok().map(|log| log.path.as_path()),
        left_out: &left_out,
        has_keys: keyboard::is_there(),
    });
    watched_paths::tell(&plan, None, &reporter);
    let listeners = match Listeners::bind(&plan, secrets) {
        Ok(listeners) => listeners,
        Err(error) => {
            let failure = Failure::CannotBegin { why: error.to_string(), hint: error.hint().map(str::to_owned) };
            return finish(&reporter, end, Err(failure));
        }
    };
    listeners.announce(&reporter);
    let shown = Session {
        pid: std::process::id(),
        began_ticks: status_file::began(std::process::id()),
        began: Some(SystemTime::now()),
        config: config.to_string_lossy().into_owned(),
        log: log.as_ref().ok().map(|log| log.path.to_string_lossy().into_owned()),
        events_url: listeners.events_url(),
        reload_url: listeners.reload_url(),
    };
    let launcher = Launcher::new(Rc::new(guardian), output, environment, listeners.access(), &plan.root);
    let config =
        (checked.absolute.clone(), SavedConfig::new(checked, Arc::clone(&plan), Arc::clone(&reporter), asked.only));
    let parts = (launcher.clone(), listeners, shown);
    let ending = live((&plan, config), &reporter, parts, (folder, values, sweep), interrupts).await;
    if launcher.dismiss_guardian(DISMISSAL_MAX).await.is_err() {
        reporter.line("engine", Level::Warn, "the guardian still keeps something that does not end");
    }
    finish(&reporter, end, ending)
}

/// The state and its lock, and the sweep of what earlier sessions have left, which ends before the lock does.
fn open_state(state_file: &Path) -> Result<(StateFolder, Values, Sweep), StateError> {
    let folder = StateFolder::open(state_file)?;
    let sweep = Sweep::begin(state_file);
    let values = folder.load()?;
    Ok((folder, values, sweep))
}

/// The session itself.
async fn live(
    (plan, (config, saved_config)): (&Arc<Plan>, (PathBuf, SavedConfig)),
    reporter: &Arc<Reporter>,
    (launcher, listeners, session): (Launcher, Listeners, Session),
    (folder, values, sweep): (StateFolder, Values, Sweep),
    interrupts: Interrupts,
) -> Result<Ending, Failure> {
    if let Some(warning) = folder.warning() {
        reporter.line("state", Level::Warn, &format!("{warning}; {}", warning.hint()));
    }
    let (mut inbox, facts, changes) = Inbox::open();
    let mut tasks = JoinSet::new();
    interrupts.listen(&facts, &mut tasks);
    let saved = facts.clone();
    let session_file = SessionFile::start(folder, Arc::new(move |answer: Answer| saved.send(answer.into())))
        .map_err(|error| Failure::cannot_begin(format!("the state file has no thread: {error}")))?;
    let own_files = OwnFiles::of_state_file(&plan.state_file);
    let (plan, reporter) = (Arc::clone(plan), Arc::clone(reporter));
    let mut engine = Engine::new(Arc::clone(&plan), values, seed());
    let config = (config, Arc::new(saved_config) as Arc<dyn ReadPlan>);
    let parts = Parts { plan, reporter, launcher, session_file, own_files, listeners, config, session, sweep };
    let mut adapters = Adapters::new(parts, facts, changes, tasks);
    if keyboard::is_there() {
        adapters.listen_to_keys(std::env::var_os(env_vars::TERM).is_some_and(|it| !it.is_empty() && it != "dumb"));
    }
    let ending = driver::run(&mut engine, &mut inbox, &mut adapters, &SessionClock::start()).await;
    adapters.let_answers_go().await;
    Ok(ending)
}

/// Says why a session failed, and waits until everything that was said is written.
fn finish(reporter: &Reporter, end: OutputEnd, ending: Result<Ending, Failure>) -> Result<(), Failure> {
    let result = match ending {
        Ok(Ending::AsAsked) => Ok(()),
        Ok(Ending::Unsaved) => {
            Err(("the state file does not have the last values; the error above says why".to_owned(), None))
        }
        Ok(Ending::Failed) => Err(("it cannot go on; the error above says why".to_owned(), None)),
        Ok(Ending::Abandoned { processes }) => {
            let names: Vec<&str> = processes.iter().map(ProcessName::as_str).collect();
            let left = if names.is_empty() { "a hook".to_owned() } else { names.join(", ") };
            Err((format!("{left} survived SIGKILL and was left behind"), None))
        }
        Err(failure) => Err((failure.to_string(), failure.hint())),
    };
    let result = result.map_err(|(why, hint)| {
        let told = [Some(format!("{}: {why}", super::RUN_FAILED)), hint.map(|hint| format!("hint: {hint}"))];
        told.iter().flatten().for_each(|line| reporter.always(line, line));
        Failure::SessionFailed
    });
    end.flush_and_stop(FLUSH_MAX);
    result
}

fn open_output(
    log: Option<&mut SessionLog>,
    secrets: &Arc<Secrets>,
    (asked, plan): (&Asked, &Plan),
) -> Result<(Output, OutputEnd), Failure> {
    let (log, log_index) = log.map_or((None, None), |log| (Some(&log.file), log.index.take()));
    let options = move || -> std::io::Result<SinkOptions> {
        Ok(SinkOptions {
            stdout: std::io::stdout().as_fd().try_clone_to_owned()?,
            stderr: std::io::stderr().as_fd().try_clone_to_owned()?,
            log: log.map(std::fs::File::try_clone).transpose()?,
            log_bytes_max: session_log::LOG_BYTES_MAX,
            log_index,
            stdout_colours: stdout_colors(),
            stderr_colours: stderr_colors(),
            label_width: asked.columns(plan),
            stamp: asked.has_timestamps.then(|| {
                let zone = zone();
                Box::new(move || format!("{} ", zone.clock(SystemTime::now())).into_bytes()) as Stamp
            }),
            warning: Box::new(|message| report::warning("output", message).into_bytes()),
            secrets: Arc::clone(secrets),
        })
    };
    options()
        .and_then(Output::start)
        .map_err(|error| Failure::cannot_begin(format!("its output cannot be opened: {error}")))
}

fn reporter(plan: &Arc<Plan>, output: &Output, environment: &Arc<Environment>, is_quiet: bool) -> Reporter {
    let (filter, trouble) = Filter::parse(std::env::var(env_vars::RUST_LOG).ok().as_deref());
    let columns = rustix::termios::tcgetwinsize(std::io::stderr()).ok().map(|size| usize::from(size.ws_col));
    let (colors, is_terminal) = (stderr_colors(), std::io::stderr().is_terminal());
    let look = Look { colors, columns: columns.filter(|&columns| columns > 0), is_terminal, is_quiet, zone: zone() };
    let environment = Arc::clone(environment);
    let resolve = Box::new(move |words: &Words| {
        environment.resolve_words(words, "").unwrap_or_else(|_| words.source().to_owned())
    });
    let reporter = Reporter::new(Box::new(Lines(output.clone())), filter, Arc::clone(plan), resolve, look);
    if let Some(trouble) = trouble {
        reporter.line("log", Level::Warn, &format!("RUST_LOG is not understood and counts as `info`: {trouble}"));
    }
    reporter
}

fn zone() -> Zone {
    Zone::of_user(std::env::var(env_vars::TZ).ok().as_deref())
}

/// devloop's own lines on their way to stderr and the session log.
struct Lines(Output);

impl LineSink for Lines {
    fn line(&self, shown: String, recorded: String) {
        self.0.line(OwnLine { stderr: shown.into_bytes(), log: recorded.into_bytes() });
    }
}

/// A failure that the session log has, too.
fn recorded(log: Option<&SessionLog>, failure: Failure) -> Failure {
    if let Some(mut file) = log.map(|log| &log.file) {
        // The user hears of the failure on stderr; a log that cannot be written changes nothing about it.
        let hint = failure.hint().map_or_else(String::new, |hint| format!("hint: {hint}\n"));
        drop(write!(file, "{}: {failure}\n{hint}", super::RUN_FAILED));
    }
    failure
}

/// For the jitter of restarts: another one in each session.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
