//! Times as the wall clock of the user shows them, and moments as users name them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tz::{DateTime, TimeZone, UtcDateTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The user's time zone.
#[derive(Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The one that `TZ` names, else the system's (`/etc/localtime`), else UTC. `TZ` as in tzset(3).
    pub fn of_user(variable: Option<&str>) -> Self {
        let named = variable.filter(|name| !name.is_empty()).map(TimeZone::from_posix_tz);
        Self(named.unwrap_or_else(TimeZone::local).unwrap_or_else(|_| TimeZone::utc()))
    }

    /// `2026-11-22 14:30:05`.
    pub fn stamp(&self, time: SystemTime) -> String {
        let at = self.local(time);
        at.map_or_else(String::new, |at| {
            let date = format!("{}-{:02}-{:02}", at.year(), at.month(), at.month_day());
            format!("{date} {:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
        })
    }

    /// The time of day to the millisecond: `14:30:05.123`.
    pub fn clock(&self, time: SystemTime) -> String {
        let millis = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_millis());
        let at = self.local(time);
        at.map_or_else(String::new, |at| format!("{:02}:{:02}:{:02}.{millis:03}", at.hour(), at.minute(), at.second()))
    }

    fn local(&self, time: SystemTime) -> Option<DateTime> {
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        DateTime::from_timespec(i64::try_from(seconds).ok()?, 0, self.0.as_ref()).ok()
    }

    /// The moment that a user names: a span before now (`10m`, `2h 30m`), a time of day (`14:30`, `14:30:05`: the last
    /// one that was), a day (`2026-11-22`), both with `T` or a blank between, or RFC 3339 with its own offset.
    pub fn moment(&self, text: &str, now: SystemTime) -> Option<SystemTime> {
        if let Some(span) = super::span_of(text) {
            return now.checked_sub(span);
        }
        if let Some(clock) = clock(text) {
            let today = self.local(now)?;
            let at = self.unix((today.year(), today.month(), today.month_day()), clock)?;
            if at <= now {
                return Some(at);
            }
            // Not a day in seconds: the clock may have been put forward or back between.
            let before = self.local(now.checked_sub(DAY)?)?;
            return self.unix((before.year(), before.month(), before.month_day()), clock);
        }
        let (day, rest) = text.split_at_checked(10)?;
        let day = date(day)?;
        if rest.is_empty() {
            return self.unix(day, (0, 0, 0));
        }
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let (time, offset) = split_offset(rest)?;
        let time = clock(time)?;
        match offset {
            None => self.unix(day, time),
            Some(offset) => {
                let utc = UtcDateTime::new(day.0, day.1, day.2, time.0, time.1, time.2, 0).ok()?;
                at_unix(utc.unix_time() - offset)
            }
        }
    }

    /// A local time; of one that there is twice the first, of one that there is not the moment of the change.
    fn unix(&self, day: (i32, u8, u8), time: (u8, u8, u8)) -> Option<SystemTime> {
        let found = DateTime::find(day.0, day.1, day.2, time.0, time.1, time.2, 0, self.0.as_ref()).ok()?;
        at_unix(found.earliest()?.unix_time())
    }
}

fn at_unix(seconds: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// `HH:MM` or `HH:MM:SS`, fractions of a second dropped.
fn clock(text: &str) -> Option<(u8, u8, u8)> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let mut parts = whole.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |part| number(part, 2))?;
    let is_time = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
    is_time.then_some((hour, minute, second))
}

fn date(text: &str) -> Option<(i32, u8, u8)> {
    let mut parts = text.split('-');
    let day = (number::<u16>(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    parts.next().is_none().then_some((i32::from(day.0), day.1, day.2))
}

/// The time before `Z` or `+HH:MM`, and that offset in seconds.
fn split_offset(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, None)) };
    let (hour, minute, _) = clock(&text[at + 1..])?;
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60;
    Some((&text[..at], Some(if text[at..].starts_with('-') { -seconds } else { seconds })))
}

/// Exactly so many digits.
fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Option<T> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{moment_of, time_stamp_of};

    /// Berlin, by its rule alone: a machine need not have the zones' files.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn moment(text: &str, now: &str) -> Option<String> {
        let zone = Zone::of_user(Some(BERLIN));
        zone.moment(text, moment_of(now).unwrap()).map(time_stamp_of)
    }

    #[test]
    fn spans_times_of_day_days_and_whole_stamps_are_moments() {
        let now = "2026-11-22T19:30:00Z";
        for (text, expected) in [
            ("10m", "2026-11-22T19:20:00.000Z"),
            ("2h 30m", "2026-11-22T17:00:00.000Z"),
            ("1d", "2026-11-21T19:30:00.000Z"),
            ("14:30", "2026-11-22T13:30:00.000Z"),
            ("20:30:00", "2026-11-22T19:30:00.000Z"),
            // It has not been this time yet today.
            ("23:15:10", "2026-11-21T22:15:10.000Z"),
            ("2026-11-22", "2026-11-21T23:00:00.000Z"),
            ("2026-07-01 12:00", "2026-07-01T10:00:00.000Z"),
            ("2026-11-22T14:30:05", "2026-11-22T13:30:05.000Z"),
            ("2026-11-22T14:30:05Z", "2026-11-22T14:30:05.000Z"),
            ("2026-11-22T14:30:05.123+02:00", "2026-11-22T12:30:05.000Z"),
            ("2026-11-22t14:30:05-05:30", "2026-11-22T20:00:05.000Z"),
        ] {
            assert_eq!(moment(text, now).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_right_around_the_change_of_the_clocks() {
        // On 25 October 2026 at 03:00 the clocks of Berlin went back to 02:00.
        assert_eq!(moment("23:00", "2026-10-25T12:00:00Z").as_deref(), Some("2026-10-24T21:00:00.000Z"));
        assert_eq!(moment("02:30", "2026-10-25T12:00:00Z").as_deref(), Some("2026-10-25T00:30:00.000Z"));
        // On 29 March 2026 there was no half past two.
        assert!(moment("02:30", "2026-03-29T12:00:00Z").is_some());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "x",
            "10",
            "25:00",
            "14:60",
            "1:30",
            "2026-13-01",
            "2026-11-2",
            "2026-11-22T",
            "2026-11-22T14:30+x",
            "é:30",
        ] {
            assert_eq!(moment(text, "2026-11-22T19:30:00Z"), None, "{text}");
        }
    }

    #[test]
    fn stamps_are_those_of_the_wall_clock() {
        let stamp = |zone: &str| Zone::of_user(Some(zone)).stamp(moment_of("2026-11-22T19:30:05.9Z").unwrap());
        assert_eq!(stamp(BERLIN), "2026-11-22 20:30:05");
        assert_eq!(stamp("UTC0"), "2026-11-22 19:30:05");
        assert_eq!(stamp("no/such zone"), "2026-11-22 19:30:05");
        let clock = Zone::of_user(Some(BERLIN)).clock(moment_of("2026-11-22T19:30:05.009Z").unwrap());
        assert_eq!(clock, "20:30:05.009");
    }
}
