//! Identities: what the user named, and what devloop numbers itself.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name that the config crate has checked.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name as the user wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A `[process.NAME]`.
    ProcessName;
    /// A `[hook.NAME]`.
    HookName;
    /// A `[watch.NAME]`.
    WatchName;
    /// A `[workflow.NAME]`.
    WorkflowName;
    /// A `[event.NAME]`.
    EventName;
    /// A key of the session state.
    StateKey;
    /// A word of a `locks` list.
    LockName;
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($raw:ty, $sign:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $raw);

        impl $name {
            /// The number after this one.
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($sign, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

numbers! {
    /// The n-th life of a process, counted from 1; every fact and effect about a life carries it.
    Incarnation(u32, "#");
    /// One question to the world that is answered once: a hook, a probe.
    TaskId(u64, "t");
    /// One execution of a workflow.
    RunId(u64, "r");
    /// One posted value that waits for its verdict; the listener numbers them.
    RequestId(u64, "q");
    /// A version of the session state; each change makes a higher one.
    StateVersion(u64, "v");
}
