//! The wall clock of whoever sits in front of the terminal.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::SystemTime;

/// The time of day where the user is (`TZ`, else the system's zone), to the millisecond: `14:02:11.305`.
pub fn clock(time: SystemTime) -> String {
    clock_in(time, &TimeZone::system())
}

fn clock_in(time: SystemTime, zone: &TimeZone) -> String {
    // A clock that is set to a year beyond 9999 shows the beginning of the epoch.
    let zoned = Timestamp::try_from(time).unwrap_or_default().to_zoned(zone.clone());
    let millis = zoned.subsec_nanosecond() / 1_000_000;
    format!("{:02}:{:02}:{:02}.{millis:03}", zoned.hour(), zoned.minute(), zoned.second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::Offset;
    use std::time::Duration;

    #[test]
    fn a_clock_is_that_of_its_zone() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(86_400_000 * 3 + 3_723_004);
        let of = |hours| clock_in(time, &TimeZone::fixed(Offset::constant(hours)));
        assert_eq!([of(0), of(-2), of(12)], ["01:02:03.004", "23:02:03.004", "13:02:03.004"]);
    }
}
