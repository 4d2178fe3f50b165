//! Times and counts as people say them.

use std::time::Duration;

/// A length of time by its two largest units: `350 ms`, `12 s`, `3 min`, `2 h 5 min`, `4 d 3 h`.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..600 => two(seconds / 60, "min", seconds % 60, "s"),
        600..3600 => format!("{} min", seconds / 60),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A count with its word: `1 process`, `2 processes`.
pub fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A number of bytes: `512 B`, `1.4 KiB`, `64 MiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(amount < 10.0);
    format!("{} {}", format!("{amount:.digits$}").trim_end_matches(".0"), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_counts_and_sizes_read_as_people_say_them() {
        let said = [0, 999, 1000, 59_999, 61_000, 120_000, 700_000, 3_600_000, 7_500_000, 90_000_000];
        let said = said.map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(
            said,
            ["0 ms", "999 ms", "1 s", "59 s", "1 min 1 s", "2 min", "11 min", "1 h", "2 h 5 min", "1 d 1 h"]
        );
        assert_eq!([count(1, "process", "processes"), count(2, "process", "processes")], ["1 process", "2 processes"]);
        assert_eq!([512, 1434, 2048, 67_108_864].map(bytes), ["512 B", "1.4 KiB", "2 KiB", "64 MiB"]);
    }
}
