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
use access::Urls;
use devloop_core::effect::Verdict;
use devloop_core::names::{RequestId, RunId};
use devloop_core::notice::Level;
use devloop_core::plan::Plan;
use events::Events;
use guard::Hosts;
use refusals::{Records, Warnings};
use reload::Reloads;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
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

impl NoListener {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Bind { .. } => Some("choose another port in `bind`, or port 0 for a free one"),
            Self::Random(_) => None,
        }
    }
}

impl fmt::Display for NoListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { table, address, source } => write!(f, "`[{table}]` cannot listen on {address}: {source}"),
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
    events: Option<Bound>,
    reload: Option<Bound>,
    tokens: Rc<Tokens>,
    urls: Rc<RefCell<Urls>>,
}

type Bound = (TcpListener, SocketAddr);

impl Listeners {
    /// Binds what the plan asks for. Tokens are hidden in `secrets` as long as they live.
    pub fn bind(plan: &Plan, secrets: Arc<Secrets>) -> Result<Self, NoListener> {
        let events = plan.event_server.as_ref().map(|server| listen("event_server", server.bind)).transpose()?;
        let reload =
            plan.reload_server.as_ref().map(|server| listen("browser_reload_server", server.bind)).transpose()?;
        let urls = Urls {
            events: events.as_ref().map(|(_, bound)| events_url(*bound)),
            reload: reload.as_ref().map(|(_, bound)| reload_url(*bound)),
        };
        Ok(Self { events, reload, tokens: Rc::new(Tokens::new(secrets)), urls: Rc::new(RefCell::new(urls)) })
    }

    /// What children are told about the listeners.
    pub fn access(&self) -> Access {
        Access::new(Rc::clone(&self.urls), Rc::clone(&self.tokens))
    }

    /// Tells where they listen.
    pub fn announce(&self, reporter: &Reporter) {
        let urls = self.urls.borrow();
        urls.events.iter().for_each(|url| announce_events(reporter, url));
        urls.reload.iter().for_each(|url| announce_reload(reporter, url));
    }

    /// Where values are posted.
    pub fn events_url(&self) -> Option<String> {
        self.urls.borrow().events.clone()
    }

    /// Where browsers listen.
    pub fn reload_url(&self) -> Option<String> {
        self.urls.borrow().reload.clone()
    }
}

fn events_url(bound: SocketAddr) -> String {
    format!("http://{bound}")
}

fn reload_url(bound: SocketAddr) -> String {
    format!("http://{bound}{}", reload::PATH)
}

/// The words are fixed.
fn announce_events(reporter: &Reporter, url: &str) {
    reporter.line("events", Level::Info, &format!("listening for external events at {url}"));
}

/// The words are fixed.
fn announce_reload(reporter: &Reporter, url: &str) {
    reporter.line("reload", Level::Info, &format!("listening for browser reload events at {url}"));
}

/// A socket that listens; whoever listens makes tokens or numbers, so the system must give random bytes.
fn listen(table: &'static str, address: SocketAddr) -> Result<Bound, NoListener> {
    random::fill(&mut [0; 16]).map_err(NoListener::Random)?;
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, bound))
    };
    listen().map_err(|source| NoListener::Bind { table, address, source })
}

/// Both servers, while the session lasts.
pub struct Servers {
    events: Option<Served<Events>>,
    reloads: Option<Served<Reloads>>,
    /// Event servers that the config dropped while values waited for their verdicts.
    leaving: Vec<Rc<Events>>,
    shared: Shared,
    /// Lets servers that were dropped answer what they have accepted.
    farewells: JoinSet<()>,
}

/// A server with its accept loop and all its connections, which end with it.
struct Served<T> {
    room: Rc<T>,
    _tasks: JoinSet<()>,
}

/// What a server is made of, whenever it begins.
struct Shared {
    tokens: Rc<Tokens>,
    urls: Rc<RefCell<Urls>>,
    newest: Rc<Cell<RequestId>>,
    state_folder: PathBuf,
    reporter: Arc<Reporter>,
    facts: FactSender,
}

/// How long a server that was dropped takes to look whether all its values are answered, and to write the last answer.
const FAREWELL: Duration = Duration::from_millis(20);

impl Servers {
    /// Begins to answer.
    pub fn start(listeners: Listeners, plan: &Plan, reporter: &Arc<Reporter>, facts: FactSender) -> Self {
        let Listeners { events, reload, tokens, urls } = listeners;
        let state_folder = plan.state_file.parent().unwrap_or(&plan.root).to_path_buf();
        let newest = Rc::new(Cell::new(RequestId::default()));
        let shared = Shared { tokens, urls, newest, state_folder, reporter: Arc::clone(reporter), facts };
        Self {
            events: events.map(|bound| shared.serve_events(bound)),
            reloads: reload.and_then(|bound| shared.serve_reloads(bound, origins(plan))),
            leaving: Vec::new(),
            shared,
            farewells: JoinSet::new(),
        }
    }

    /// From now on this plan says who listens, who may post what, and which pages may hear of reloads. Where a listener
    /// is bound stays as it is.
    pub fn renew(&mut self, plan: &Plan) {
        self.shared.tokens.grant_anew(|holder| holder.granted(plan));
        match (&plan.event_server, self.events.take()) {
            (Some(_), Some(served)) => self.events = Some(served),
            (Some(server), None) => {
                self.events = self.shared.late("event_server", server.bind).map(|bound| {
                    let url = events_url(bound.1);
                    announce_events(&self.shared.reporter, &url);
                    self.shared.urls.borrow_mut().events = Some(url);
                    self.shared.serve_events(bound)
                });
            }
            (None, served) => {
                self.shared.urls.borrow_mut().events = None;
                if let Some(served) = served {
                    self.let_go(served);
                }
            }
        }
        match (&plan.reload_server, self.reloads.take()) {
            (Some(_), Some(served)) => {
                served.room.allow(&origins(plan));
                self.reloads = Some(served);
            }
            (Some(server), None) => {
                self.reloads = self.shared.late("browser_reload_server", server.bind).and_then(|bound| {
                    let url = reload_url(bound.1);
                    announce_reload(&self.shared.reporter, &url);
                    self.shared.urls.borrow_mut().reload = Some(url);
                    self.shared.serve_reloads(bound, origins(plan))
                });
            }
            (None, _) => self.shared.urls.borrow_mut().reload = None,
        }
    }

    /// Where values are posted, and where browsers listen.
    pub fn urls(&self) -> (Option<String>, Option<String>) {
        let urls = self.shared.urls.borrow();
        (urls.events.clone(), urls.reload.clone())
    }

    /// Ends an event server when all that it has taken is answered. Nobody is granted anything by then.
    fn let_go(&mut self, served: Served<Events>) {
        self.leaving.retain(|left| !left.is_idle());
        self.leaving.push(Rc::clone(&served.room));
        self.farewells.spawn_local(async move {
            while !served.room.is_idle() {
                tokio::time::sleep(FAREWELL).await;
            }
            tokio::time::sleep(FAREWELL).await;
        });
    }

    /// The engine's verdict on a request.
    pub fn answer(&self, request: RequestId, verdict: Verdict, run: Option<RunId>) {
        for events in self.events.iter().map(|served| &served.room).chain(&self.leaving) {
            events.decided(request, verdict, run);
        }
    }

    /// Tells all browsers that listen.
    pub fn broadcast_reload(&self) {
        if let Some(reloads) = &self.reloads {
            reloads.room.broadcast();
        }
    }
}

fn origins(plan: &Plan) -> Vec<String> {
    plan.reload_server.as_ref().map_or(Vec::new(), |server| server.allow_origins.clone())
}

impl Shared {
    /// Binds what a saved config asks for. What cannot be bound is told; the next save tries again.
    fn late(&self, table: &'static str, address: SocketAddr) -> Option<Bound> {
        listen(table, address)
            .map_err(|error| {
                let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
                self.reporter.line("engine", Level::Error, &format!("{error}{hint}"));
            })
            .ok()
    }

    fn serve_events(&self, (listener, bound): Bound) -> Served<Events> {
        let mut tasks = JoinSet::new();
        let warnings = Rc::new(Warnings::new("events", "the event server", Arc::clone(&self.reporter)));
        tasks.spawn_local(Rc::clone(&warnings).tell());
        let records = Records::new(audit_log(&self.state_folder, &self.reporter), warnings);
        let (tokens, facts) = (Rc::clone(&self.tokens), self.facts.clone());
        let room = Rc::new(Events::new(Hosts::new(bound), tokens, facts, records, Rc::clone(&self.newest)));
        let (served, busy) = (Rc::clone(&room), Rc::clone(&room));
        tasks.spawn_local(accept::run(
            listener,
            EVENT_CONNECTIONS_MAX,
            move |connection| Rc::clone(&served).serve(connection),
            move || busy.records.refused(answer::Answer::Busy, refusals::About::default()),
        ));
        Served { room, _tasks: tasks }
    }

    fn serve_reloads(&self, (listener, bound): Bound, origins: Vec<String>) -> Option<Served<Reloads>> {
        let mut tasks = JoinSet::new();
        let warnings = Rc::new(Warnings::new("reload", "the browser reload server", Arc::clone(&self.reporter)));
        tasks.spawn_local(Rc::clone(&warnings).tell());
        // Random bytes were there a moment ago, when it was bound.
        let room = Rc::new(Reloads::new(Hosts::new(bound), origins, warnings).ok()?);
        let (served, busy) = (Rc::clone(&room), Rc::clone(&room));
        tasks.spawn_local(accept::run(
            listener,
            RELOAD_CONNECTIONS_MAX,
            move |connection| Rc::clone(&served).serve(connection),
            move || busy.warnings.add("too many connections (503)".to_owned()),
        ));
        Some(Served { room, _tasks: tasks })
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
