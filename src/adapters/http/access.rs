//! What children are told about the listeners: URLs for all that may use them, and a token of its own for each that may
//! post.

use super::events;
use super::tokens::{Pass, Tokens};
use crate::env_vars;
use devloop_core::fact::Holder;
use devloop_core::names::EventName;
use devloop_core::plan::event::url_variable;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::rc::Rc;

/// Hosts that no proxy may see: a token is sent to them.
const NOT_PROXIED: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// Who is about to start, and what it may post.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Who.
    pub holder: Holder,
    /// Which events; without any there is no token.
    pub events: BTreeSet<EventName>,
}

/// Where the listeners are, and who makes tokens.
#[derive(Clone, Debug)]
pub struct Access {
    urls: Rc<RefCell<Urls>>,
    tokens: Rc<Tokens>,
}

/// Where the listeners are; one that comes or goes with a saved config is known to every child that starts from then on.
#[derive(Clone, Debug, Default)]
pub(super) struct Urls {
    pub(super) events: Option<String>,
    pub(super) reload: Option<String>,
}

impl Access {
    pub(super) fn new(urls: Rc<RefCell<Urls>>, tokens: Rc<Tokens>) -> Self {
        Self { urls, tokens }
    }

    /// Adds what a child is told to its environment. The token lives as long as the pass that comes back.
    pub fn admit(&self, grant: Option<&Grant>, env: &mut Vec<(OsString, OsString)>) -> io::Result<Option<Pass>> {
        let urls = self.urls.borrow();
        if let Some(url) = &urls.reload {
            env.push((env_vars::BROWSER_EVENTS_URL.into(), url.into()));
        }
        let (Some(base), Some(grant)) = (&urls.events, grant.filter(|grant| !grant.events.is_empty())) else {
            return Ok(None);
        };
        let pass = self.tokens.mint(grant.holder.clone(), grant.events.clone())?;
        env.push((env_vars::EVENTS_BASE_URL.into(), base.into()));
        env.push((env_vars::EVENTS_TOKEN.into(), pass.token().into()));
        for event in &pass.granted() {
            env.push((url_variable(event).into(), format!("{base}{}{event}", events::PATH).into()));
        }
        bypass_proxies(env);
        Ok(Some(pass))
    }
}

/// Clients read one of the two spellings, each its own way round; where one is missing, it takes what the other says.
fn bypass_proxies(env: &mut Vec<(OsString, OsString)>) {
    let found = |env: &[(OsString, OsString)], name: &str| {
        env.iter().position(|(other, _)| other == OsStr::new(name)).map(|at| (at, env[at].1.clone()))
    };
    let both = [env_vars::NO_PROXY, env_vars::NO_PROXY_LOWER];
    let before = both.map(|name| found(env, name));
    for (index, name) in both.into_iter().enumerate() {
        let own = before[index].as_ref().or(before[1 - index].as_ref()).map(|(_, value)| value.clone());
        let list = with_hosts(own.unwrap_or_default());
        match &before[index] {
            Some((at, _)) => env[*at].1 = list,
            None => env.push((name.into(), list)),
        }
    }
}

fn with_hosts(mut list: OsString) -> OsString {
    let known: BTreeSet<String> = list.to_string_lossy().split(',').map(|host| host.trim().to_owned()).collect();
    for host in NOT_PROXIED.iter().filter(|host| !known.contains(**host)) {
        if !list.is_empty() {
            list.push(",");
        }
        list.push(host);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use devloop_core::names::Incarnation;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn told(events: &[&str], env: &[(&str, &str)]) -> (Option<Pass>, BTreeMap<String, String>) {
        let tokens = Rc::new(Tokens::new(Arc::default()));
        let urls = Urls {
            events: Some("http://127.0.0.1:7".into()),
            reload: Some("http://127.0.0.1:8/browser-events".into()),
        };
        let access = Access::new(Rc::new(RefCell::new(urls)), tokens);
        let holder = Holder::Process("p".into(), Incarnation(1));
        let grant = Grant { holder, events: events.iter().map(|&name| name.into()).collect() };
        let mut env: Vec<(OsString, OsString)> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let pass = access.admit(Some(&grant), &mut env).unwrap();
        let text = |text: OsString| text.into_string().unwrap();
        (pass, env.into_iter().map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn a_child_is_told_of_the_events_that_it_may_post_and_of_no_other() {
        let (pass, env) = told(&["a-b"], &[]);
        assert_eq!(env[env_vars::EVENTS_BASE_URL], "http://127.0.0.1:7");
        assert_eq!(env[env_vars::EVENTS_TOKEN], pass.unwrap().token());
        assert_eq!(env[&url_variable(&"a-b".into())], "http://127.0.0.1:7/events/a-b");
        assert_eq!(env[env_vars::BROWSER_EVENTS_URL], "http://127.0.0.1:8/browser-events");
        assert_eq!((&*env["NO_PROXY"], &*env["no_proxy"]), ("127.0.0.1,localhost,::1", "127.0.0.1,localhost,::1"));
    }

    #[test]
    fn without_a_grant_there_is_no_token_and_no_address() {
        let (pass, env) = told(&[], &[("NO_PROXY", "x")]);
        assert!(pass.is_none());
        let names: Vec<&String> = env.keys().collect();
        assert_eq!(names, [env_vars::BROWSER_EVENTS_URL, "NO_PROXY"]);
    }

    #[test]
    fn what_the_user_keeps_from_proxies_stays_so() {
        let (_pass, env) = told(&["e"], &[("no_proxy", "corp.example, localhost")]);
        for name in ["NO_PROXY", "no_proxy"] {
            assert_eq!(env[name], "corp.example, localhost,127.0.0.1,::1");
        }
        let (_pass, env) = told(&["e"], &[("no_proxy", "a"), ("NO_PROXY", "b")]);
        assert_eq!((&*env["NO_PROXY"], &*env["no_proxy"]), ("b,127.0.0.1,localhost,::1", "a,127.0.0.1,localhost,::1"));
    }
}
