//! `devloop run`: puts a session together, runs it, takes it apart.

use super::config_file::{self, Checked};
use super::{complain, stderr_colors, stdout_colors};
use crate::adapters::environment::Environment;
use crate::adapters::guardian::{self, Guardian};
use crate::adapters::interrupts::Interrupts;
use crate::adapters::launch::Launcher;
use crate::adapters::output::{Output, OutputEnd, OwnLine, SinkOptions};
use crate::adapters::session_file::{SessionFile, StateFolder};
use crate::adapters::session_log::{self, SessionLog};
use crate::adapters::{Adapters, Parts};
use crate::driver::clock::SessionClock;
use crate::driver::inbox::Inbox;
use crate::driver;
use crate::env_vars;
use crate::failure::Failure;
use crate::report::filter::Filter;
use crate::report::{LineSink, Look, Reporter};
use devloop_core::effect::{Ending, Values};
use devloop_core::engine::Engine;
use devloop_core::notice::Level;
use devloop_core::plan::Plan;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, LocalSet};

/// How long the end of a session waits for a terminal that takes nothing.
const FLUSH_MAX: Duration = Duration::from_secs(2);

pub(super) fn main(config: Option<&PathBuf>) -> Result<(), Failure> {
    let Checked { plan, warnings } = config_file::check(config)?;
    complain(&warnings);
    if let Err(error) = std::fs::read_dir(&plan.root) {
        return Err(cannot_begin(format!(
            "`root` names the folder {}, which cannot be read: {error}",
            plan.root.display()
        )));
    }
    // Before there are threads; children that it keeps end with us, whatever ends us.
    let guardian =
        guardian::fork().map_err(|error| cannot_begin(format!("the guardian cannot be started: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| cannot_begin(format!("the runtime cannot be started: {error}")))?;
    let local = LocalSet::new();
    local.block_on(&runtime, session(Arc::new(plan), guardian))
}

/// Everything that is needed before the first thing is started or written, in that order.
async fn session(plan: Arc<Plan>, guardian: Guardian) -> Result<(), Failure> {
    let interrupts = Interrupts::install(guardian::is_hangup_ignored())
        .map_err(|error| cannot_begin(format!("signals cannot be heard: {error}")))?;
    let folder = StateFolder::open(&plan.state_file);
    let log = session_log::create(&plan.state_file);
    let opened = folder.and_then(|folder| folder.load().map(|values| (folder, values)));
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return Err(told_to_log(log.as_ref().ok(), &error.to_string())),
    };
    let (output, end) = open_output(log.as_ref().ok())?;
    let environment = Rc::new(Environment::capture(&plan));
    let reporter = Arc::new(reporter(&plan, &output, &environment));
    match &log {
        // Fixed: `writing session log: PATH`, in both forms.
        Ok(log) => {
            let path = log.path.display();
            reporter.always(&format!("devloop: writing session log: {path}"), &format!("[devloop] writing session log: {path}"));
        }
        Err(error) => reporter.line("log", Level::Warn, &format!("there is no session log: {error}")),
    }
    let (folder, values) = opened;
    for warning in folder.warnings() {
        reporter.line("state", Level::Warn, &warning);
    }
    let launcher = Launcher::new(Rc::new(guardian), output, environment, &plan.root);
    let ending = live(&plan, &reporter, launcher, folder, values, interrupts).await;
    finish(&reporter, end, ending)
}

/// The session itself.
async fn live(
    plan: &Arc<Plan>,
    reporter: &Arc<Reporter>,
    launcher: Launcher,
    (folder, values): (StateFolder, Values),
    interrupts: Interrupts,
) -> Ending {
    let (mut inbox, facts, changes) = Inbox::open();
    let mut tasks = JoinSet::new();
    interrupts.listen(&facts, &mut tasks);
    let own_files = folder.own_files();
    let saved = facts.clone();
    let session_file = SessionFile::start(folder, Box::new(move |fact| saved.send(fact)));
    let parts = Parts { plan: Arc::clone(plan), reporter: Arc::clone(reporter), launcher, session_file, own_files };
    let mut adapters = Adapters::new(parts, facts, changes, tasks);
    let mut engine = Engine::new(Arc::clone(plan), values, seed());
    driver::run(&mut engine, &mut inbox, &mut adapters, &SessionClock::start()).await
}
