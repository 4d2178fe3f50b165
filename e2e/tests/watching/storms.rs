//! Saves of every kind in a calm tree, many of them, also while both cores are busy: one run each.

use crate::recording_src;
use crate::saves::SAVES;
use e2e::faults::rounds;
use e2e::wait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longer than `debounce_ms`: the tree counts as calm, and a second run would have begun.
const CALM: Duration = Duration::from_millis(300);

/// A save that took longer was interrupted by a machine that is busier than it should be here.
const INTERRUPTED: Duration = Duration::from_millis(15);

/// Keeps as many cores busy.
fn busy(cores: usize) -> Arc<AtomicBool> {
    let is_over = Arc::new(AtomicBool::new(false));
    for _ in 0..cores {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }
    is_over
}

#[expect(clippy::print_stderr, reason = "a long run shows its figures")]
fn storm(cores: usize, rounds: usize) {
    let project = recording_src("");
    let mut session = project.run_watching();
    let is_over = busy(cores);
    let (mut saves, mut interrupted, mut doubles) = (0, 0, Vec::new());
    for round in 0..rounds {
        for (name, save) in SAVES {
            std::thread::sleep(CALM);
            let before = project.runs().len();
            let new = format!("content{round}-{saves}");
            let began = Instant::now();
            save(&project.path("src/file"), &new);
            let is_interrupted = began.elapsed() > INTERRUPTED && *name != "sed -i";
            wait::until(&format!("a run sees the save by {name}"), || {
                project.runs().last().is_some_and(|run| run.content == new).then_some(())
            });
            std::thread::sleep(CALM);
            let runs = project.runs();
            saves += 1;
            interrupted += usize::from(is_interrupted);
            if runs.len() - before > 1 {
                doubles.push(*name);
                assert!(runs.len() - before <= 2 || is_interrupted, "{name}: {:?}", &runs[before..]);
            }
        }
    }
    is_over.store(true, Ordering::Relaxed);
    eprintln!("{saves} saves with {cores} cores busy: double runs {doubles:?}; {interrupted} saves were interrupted");
    assert!(doubles.len() <= interrupted, "{doubles:?}");
    assert_eq!(session.count("feeds itself"), 0, "{}", session.told());
    assert!(session.stop().success(), "{}", session.told());
}

// promise: watch.change.6
#[test]
fn w5_every_kind_of_save_in_a_calm_tree_gives_one_run() {
    storm(0, rounds(1, 80));
}

#[test]
fn w5_every_kind_of_save_gives_one_run_also_while_both_cores_are_busy() {
    storm(2, rounds(1, 80));
}
