//! How often a fault of `docs/design/0002-fault-table.md` is made, and what was measured meanwhile.

use std::time::Duration;

/// Rounds of a fault: a few in an ordinary run, the table's number when `FAULT_ROUNDS=full`, or any number that is asked
/// for.
///
/// # Panics
/// When the variable holds something else.
pub fn rounds(few: usize, full: usize) -> usize {
    match std::env::var("FAULT_ROUNDS") {
        Err(_) => few,
        Ok(word) if word == "full" => full,
        Ok(word) => word.parse().unwrap_or_else(|_| panic!("FAULT_ROUNDS is '{word}', not a number and not 'full'")),
    }
}

/// Times that were measured, told as `p50 .. p99 .. slowest ..`; with `--nocapture` a run shows its figures.
pub fn figures(times: &mut [Duration]) -> String {
    times.sort();
    let Some(slowest) = times.last() else { return "nothing was measured".to_owned() };
    let part = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("{} times: p50 {:.1?} p99 {:.1?} slowest {slowest:.1?}", times.len(), part(50), part(99))
}
