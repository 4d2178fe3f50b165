//! Time and instructions of the paths that run for every change, every value and every line.
//!
//! `cargo bench --bench paths` measures times with criterion. `paths count PIECE ROUNDS` does a fixed number of rounds and
//! nothing else, for `bench/instructions`; `paths list` names the pieces.

mod work;

use std::io;

use criterion::Criterion;
use work::PIECES;

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["count", name, rounds] => count(name, rounds),
        ["list"] => {
            for (name, _) in PIECES {
                println!("{name}");
            }
            Ok(())
        }
        _ => times(),
    }
}

fn count(name: &str, rounds: &str) -> io::Result<()> {
    let unknown = || io::Error::other(format!("no piece of work is called '{name}'"));
    let (_, prepare) = PIECES.iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
    let mut round = prepare()?;
    for _ in 0..rounds.parse::<u32>().map_err(io::Error::other)? {
        round()?;
    }
    Ok(())
}

fn times() -> io::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, prepare) in PIECES {
        let mut round = prepare()?;
        let mut failed = None;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| failed = round().err().or(failed.take()));
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    criterion.final_summary();
    Ok(())
}
