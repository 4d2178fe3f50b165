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
    /// An `[artifact.NAME]`: `[a-z][a-z0-9_]*`, so that it can be a folder and a part of a variable's name.
    ArtifactName;
}

/// The most digits of a generation's time: enough for thirty thousand years.
const MILLIS_DIGITS_MAX: usize = 15;

/// One build of an artifact: when it began, and a number that nobody can guess. Later ones are greater.
///
/// It can be nothing else than `<unix ms>-<8 hexadecimal digits>`, so a folder of that name is never outside of the
/// folder that it is looked up in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    millis: u64,
    random: u32,
}

impl Generation {
    /// A generation that begins `millis` after the Unix epoch; more digits than are read are cut to the most.
    pub fn new(millis: u64, random: u32) -> Self {
        Self { millis: millis.min(10_u64.pow(15) - 1), random }
    }

    /// Reads a generation in exactly the form in which it is written.
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, random) = text.split_once('-')?;
        let is_number = !millis.is_empty() && millis.len() <= MILLIS_DIGITS_MAX;
        if !is_number || !millis.bytes().all(|b| b.is_ascii_digit()) || random.len() != 8 {
            return None;
        }
        let generation = Self { millis: millis.parse().ok()?, random: u32::from_str_radix(random, 16).ok()? };
        // No sign, no leading zero, no capital.
        (generation.to_string() == text).then_some(generation)
    }

    /// Milliseconds since the Unix epoch.
    pub fn millis(self) -> u64 {
        self.millis
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.millis, self.random)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_in_one_form_only() {
        let generation = Generation::new(1_763_800_000_123, 0x00c0_ffee);
        assert_eq!(generation.to_string(), "1763800000123-00c0ffee");
        assert_eq!(Generation::parse("1763800000123-00c0ffee"), Some(generation));
        for text in [
            "",
            "-",
            "1-0",
            "../../etc",
            "/etc",
            "1763800000123-00c0ffee/",
            "1763800000123-00c0ffee/..",
            "/1763800000123-00c0ffee",
            "./1763800000123-00c0ffee",
            " 1763800000123-00c0ffee",
            "1763800000123-00c0ffee\n",
            "1763800000123-00C0FFEE",
            "01763800000123-00c0ffee",
            "+1763800000123-00c0ffee",
            "1763800000123-+0c0ffee",
            "1763800000123-00c0ffe",
            "1763800000123-00c0ffee0",
            "1763800000123_00c0ffee",
            "9999999999999999-00c0ffee",
            "1763800000123-00c0ffe\u{0}",
        ] {
            assert_eq!(Generation::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn later_generations_are_greater() {
        assert!(Generation::new(9, u32::MAX) < Generation::new(10, 0));
        assert!(Generation::new(10, 0) < Generation::new(10, 1));
    }
}
