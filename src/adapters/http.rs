//! The two listeners of the config: values that children post, and browsers that wait for a reload.
//!
//! HTTP/1 over loopback, on a connection of our own, so that every limit and every answer is the one that SECURITY.md
//! names. Absent on purpose: TLS, HTTP/2, upgrades, redirects, a router, and any answer that a client could shape.

mod accept;
mod access;
mod answer;
mod body;
mod connection;
mod events;
#[cfg(test)]
mod fuzz;
mod guard;
mod head;
mod random;
mod refusals;
mod reload;
#[cfg(test)]
mod tests;
mod tokens;
mod wire;

pub use access::{Access, Grant};
pub use tokens::Pass;

use crate::adapters::audit_log::AuditLog;
use crate::adapters::output::Secrets;
use crate::hands::FactSender;
use crate::report::Reporter;
use devloop_core::effect::Verdict;
use devloop_core::names::{RequestId, RunId};
use devloop_core::notice::Level;
use devloop_core::plan::Plan;
use events::Events;
use guard::Hosts;
use refusals::{Records, Warnings};
use reload::Reloads;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tokens::Tokens;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Connections to the event server.
const EVENT_CONNECTIONS_MAX: usize = 64;
/// Connections to the reload server: all listeners, and some that are not yet known as one.
const RELOAD_CONNECTIONS_MAX: usize = reload::LISTENERS_MAX + 16;

/// A listener that cannot be had: the session does not begin.
#[derive(Debug)]
pub enum NoListener {
    /// The address cannot be bound.
    Bind {
        /// The table of the config that names it.
        table: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// The system gives no random bytes, so there can be no tokens.
    Random(io::Error),
}

impl fmt::Display for NoListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { table, address, source } => write!(
                f,
                "`[{table}]` cannot listen on {address}: {source}; choose another port in `bind`, or port 0 for a free one"
            ),
            Self::Random(source) => write!(f, "tokens for external events cannot be made: {source}"),
        }
    }
}

impl std::error::Error for NoListener {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { source, .. } | Self::Random(source) => Some(source),
        }
    }
}

/// Listeners that are bound; nobody is answered yet.
#[derive(Debug)]
pub struct Listeners {
    events: Option<(TcpListener, SocketAddr)>,
    reload: Option<(TcpListener, SocketAddr)>,
    tokens: Rc<Tokens>,
}

impl Listeners {
    /// Binds what the plan asks for. Tokens are hidden in `secrets` as long as they live.
    pub fn bind(plan: &Plan, secrets: Arc<Secrets>) -> Result<Self, NoListener> {
        let events = plan.event_server.as_ref().map(|server| listen("event_server", server.bind)).transpose()?;
        let reload =
            plan.reload_server.as_ref().map(|server| listen("browser_reload_server", server.bind)).transpose()?;
        if events.is_some() || reload.is_some() {
            random::fill(&mut [0; 16]).map_err(NoListener::Random)?;
        }
        Ok(Self { events, reload, tokens: Rc::new(Tokens::new(secrets)) })
    }

    /// What children are told about the listeners.
    pub fn access(&self) -> Access {
        Access::new(self.events_url(), self.reload_url(), Rc::clone(&self.tokens))
    }

    /// Tells where they listen; the words are fixed.
    pub fn announce(&self, reporter: &Reporter) {
        if let Some(url) = self.events_url() {
            reporter.line("events", Level::Info, &format!("listening for external events at {url}"));
        }
        if let Some(url) = self.reload_url() {
            reporter.line("reload", Level::Info, &format!("listening for browser reload events at {url}"));
        }
    }

    /// Where values are posted.
    pub fn events_url(&self) -> Option<String> {
        self.events.as_ref().map(|(_, bound)| format!("http://{bound}"))
    }

    /// Where browsers listen.
    pub fn reload_url(&self) -> Option<String> {
        self.reload.as_ref().map(|(_, bound)| format!("http://{bound}{}", reload::PATH))
    }
}

fn listen(table: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), NoListener> {
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, bound))
    };
    listen().map_err(|source| NoListener::Bind { table, address, source })
}

/// Both servers, while the session lasts.
#[derive(Debug)]
pub struct Servers {
    events: Option<Rc<Events>>,
    reloads: Option<Rc<Reloads>>,
    /// The accept loops and all connections; they end with the session.
    _tasks: JoinSet<()>,
}

impl Servers {
    /// Begins to answer.
    pub fn start(listeners: Listeners, plan: &Plan, reporter: &Arc<Reporter>, facts: FactSender) -> Self {
        let mut tasks = JoinSet::new();
        let Listeners { events, reload, tokens } = listeners;
        let events = events.map(|(listener, bound)| {
            let warnings = Rc::new(Warnings::new("events", "the event server", Arc::clone(reporter)));
            tasks.spawn_local(Rc::clone(&warnings).tell());
            let records = Records::new(audit_log(plan.state_file.parent().unwrap_or(&plan.root), reporter), warnings);
            let events = Rc::new(Events::new(Hosts::new(bound), tokens, facts, records));
            let (served, busy) = (Rc::clone(&events), Rc::clone(&events));
            tasks.spawn_local(accept::run(
                listener,
                EVENT_CONNECTIONS_MAX,
                move |connection| Rc::clone(&served).serve(connection),
                move || busy.records.refused(answer::Answer::Busy, refusals::About::default()),
            ));
            events
        });
        let reloads = reload.and_then(|(listener, bound)| {
            let warnings = Rc::new(Warnings::new("reload", "the browser reload server", Arc::clone(reporter)));
            tasks.spawn_local(Rc::clone(&warnings).tell());
            let origins = plan.reload_server.as_ref().map_or(Vec::new(), |server| server.allow_origins.clone());
            // Random bytes were there a moment ago, when it was bound.
            let reloads = Rc::new(Reloads::new(Hosts::new(bound), origins, warnings).ok()?);
            let (served, busy) = (Rc::clone(&reloads), Rc::clone(&reloads));
            tasks.spawn_local(accept::run(
                listener,
                RELOAD_CONNECTIONS_MAX,
                move |connection| Rc::clone(&served).serve(connection),
                move || busy.warnings.add("too many connections (503)".to_owned()),
            ));
            Some(reloads)
        });
        Self { events, reloads, _tasks: tasks }
    }

    /// The engine's verdict on a request.
    pub fn answer(&self, request: RequestId, verdict: Verdict, run: Option<RunId>) {
        if let Some(events) = &self.events {
            events.decided(request, verdict, run);
        }
    }

    /// Tells all browsers that listen.
    pub fn broadcast_reload(&self) {
        if let Some(reloads) = &self.reloads {
            reloads.broadcast();
        }
    }
}

/// A session without an audit log is told, and goes on.
fn audit_log(state_folder: &Path, reporter: &Arc<Reporter>) -> Option<AuditLog> {
    let told = Arc::clone(reporter);
    let trouble = Box::new(move |error: &io::Error| {
        told.line("events", Level::Warn, &format!("the audit log cannot be written: {error}"));
    });
    AuditLog::open(state_folder, trouble)
        .map_err(|error| reporter.line("events", Level::Warn, &format!("posted events have no audit log: {error}")))
        .ok()
}
