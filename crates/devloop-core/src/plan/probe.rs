//! Questions about a process: is it ready, is it still well.

use super::command::CommandPlan;
use super::output::Pattern;
use super::words::Words;
use crate::names::StateKey;
use crate::template::Template;
use std::time::Duration;

/// A readiness or liveness table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePlan {
    /// What is asked.
    pub kind: ProbeKind,
    /// The longest gap between two attempts.
    pub interval: Duration,
    /// How long a wait may take in all.
    pub timeout: Duration,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// A GET that must be answered with 2xx.
    Http {
        /// The URL; variables are resolved at each attempt.
        url: Words,
        /// What the trimmed body must be.
        expect_body: Option<Template>,
    },
    /// A state key that must be present (see [`crate::value::Value::is_present`]).
    StateKey {
        /// The key.
        key: StateKey,
    },
    /// An address that must accept a connection.
    Tcp {
        /// `host:port`; variables are resolved at each attempt.
        address: Words,
    },
    /// A command that must exit with 0.
    Exec {
        /// The command.
        command: CommandPlan,
    },
    /// A line of output that must match.
    Output {
        /// A match may begin anywhere in the line.
        pattern: Pattern,
    },
}

impl ProbePlan {
    /// How long one attempt may take: twice the interval, at least a second, at most the timeout.
    pub fn attempt_timeout(&self) -> Duration {
        (self.interval * 2).max(Duration::from_secs(1)).min(self.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_takes_twice_the_interval_within_a_second_and_the_timeout() {
        let attempt = |interval: u64, timeout: u64| {
            let kind = ProbeKind::StateKey { key: "key".into() };
            let [interval, timeout] = [interval, timeout].map(Duration::from_millis);
            ProbePlan { kind, interval, timeout }.attempt_timeout().as_millis()
        };
        assert_eq!(attempt(500, 15_000), 1000);
        assert_eq!(attempt(10, 15_000), 1000);
        assert_eq!(attempt(2000, 15_000), 4000);
        assert_eq!(attempt(9000, 15_000), 15_000);
        assert_eq!(attempt(10, 300), 300);
    }
}
