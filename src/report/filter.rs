//! `RUST_LOG`: which of devloop's own lines are shown.

use devloop_core::notice::Level;

/// What `RUST_LOG` lets through; without it, `info`.
#[derive(Debug)]
pub struct Filter(env_filter::Filter);

impl Filter {
    /// Reads a filter such as `warn` or `info,devloop::processes=debug`. The second part is what was wrong with it;
    /// the filter is then the default.
    pub fn parse(text: Option<&str>) -> (Self, Option<String>) {
        let text = text.filter(|text| !text.trim().is_empty()).unwrap_or("info");
        let mut builder = env_filter::Builder::new();
        let trouble = builder.try_parse(text).err().map(|error| error.to_string());
        if trouble.is_some() {
            builder = env_filter::Builder::new();
            builder.filter_level(log::LevelFilter::Info);
        }
        (Self(builder.build()), trouble)
    }

    /// Whether a line of a part is shown.
    pub fn lets_through(&self, part: &str, level: Level) -> bool {
        let level = match level {
            Level::Error => log::Level::Error,
            Level::Warn => log::Level::Warn,
            Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
        };
        let target = format!("devloop::{part}");
        self.0.enabled(&log::Metadata::builder().level(level).target(&target).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rust_log_info_is_shown_and_debug_is_not() {
        let (filter, trouble) = Filter::parse(None);
        assert!(trouble.is_none());
        assert!(filter.lets_through("processes", Level::Info));
        assert!(!filter.lets_through("processes", Level::Debug));
    }

    #[test]
    fn one_part_can_be_made_louder_than_the_rest() {
        let (filter, _) = Filter::parse(Some("warn,devloop::workflows=debug"));
        assert!(filter.lets_through("workflows", Level::Debug));
        assert!(!filter.lets_through("processes", Level::Info));
    }

    #[test]
    fn a_bad_filter_is_told_and_the_default_holds() {
        let (filter, trouble) = Filter::parse(Some("devloop=loud"));
        assert!(trouble.is_some());
        assert!(filter.lets_through("processes", Level::Info));
    }
}
