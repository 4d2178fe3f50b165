//! What must hold after every fault, and after every end. The letters are those of the fault table.

use crate::census::{self, Usage};
use crate::load::KEYS;
use crate::world::{ALWAYS, Outcome, World};
use e2e::tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How much more of these devloop may use than at the first rest of its session.
const DESCRIPTORS_MORE: usize = 3;
const THREADS_MORE: u64 = 1;

/// What no session may ever need, whatever is done to it (a debug build), in KiB.
const RESIDENT_MAX_KIB: u64 = 160 * 1024;

/// How much a session's memory may grow in ten minutes, in KiB, once it has lived for these seconds after its first third.
const SLOPE_MAX_KIB: f64 = 1024.0;
const SLOPE_SECONDS: f64 = 600.0;

/// Until nothing is left of a session that ended: a second is promised, and a machine that is busy with other things gets
/// some more.
const CLEAN_WITHIN: Duration = Duration::from_secs(10);

/// Processor time of a session at rest, in ticks of 10 ms for each 300 ms.
const IDLE_TICKS_MAX: u64 = 4;

/// Everything has been repaired: the session comes to rest, and is as it should be.
pub(crate) fn at_rest(world: &mut World) -> Outcome {
    world.load.pause(true);
    all_run(world)?;
    posts_are_taken(world)?;
    changes_have_led_to_runs(world)?;
    lines_are_complete(world, false)?;
    nothing_grows(world)?;
    nothing_was_wrong(world)?;
    if std::mem::take(&mut world.session().has_lost_files) {
        // What was in the log is gone; from here on everything is in the new one.
        world.count_posts_from_here();
    }
    world.has_leftovers = false;
    world.session().has_lost_records = false;
    world.figures.rests += 1;
    let trees = world.trees();
    let runs = world.runs().len();
    world.session().trees_before = trees;
    world.session().runs_before = runs;
    world.load.pause(false);
    Ok(())
}

/// N-P while the session runs: exactly what the config asks for, and one keeper for each.
fn all_run(world: &mut World) -> Outcome {
    let mut expected = BTreeMap::from([("devloop".to_owned(), 2 + ALWAYS.len())]);
    for role in ALWAYS.iter().flat_map(|(name, below)| below.iter().chain([name])) {
        expected.insert((*role).to_owned(), 1);
    }
    let mut found = BTreeMap::new();
    let result = world.until_up("all processes, and only they, run", |world| {
        found = census::roles(&world.census());
        (found == expected).then_some(())
    });
    result.map_err(|words| format!("{words}: {found:?}"))?;
    for name in ["db", "web"] {
        let address = format!("127.0.0.1:{}", world.ports[name]);
        world.until_up(&format!("{name} answers"), |_| e2e::wait::get(&address, "/"))?;
    }
    let mut left = Vec::new();
    let result = world.until_up("no zombie is left", |world| {
        left = census::zombies(&world.census());
        left.is_empty().then_some(())
    });
    result.map_err(|words| format!("{words}: {left:?}"))
}

/// N-E: every event is taken, the state has it, the last run saw it, and the audit log knows of all of them.
fn posts_are_taken(world: &mut World) -> Outcome {
    for key in 0..KEYS {
        let mut status = None;
        let result = world.until_up(&format!("a post to e{key} is accepted"), |world| {
            status = world.load.post(key);
            (status == Some(204)).then_some(())
        });
        result.map_err(|words| format!("{words}: {status:?}"))?;
    }
    let polled = std::fs::read_to_string(world.project.path("polled")).unwrap();
    let address = format!("127.0.0.1:{}", world.ports["web"]);
    let mut state = None;
    let result = world.until_up("the state has what was accepted, and the last runs saw it", |world| {
        state = world.load.state();
        let text = |key: &str| state.as_ref().and_then(|state| state.get(key)?.as_str()).unwrap_or_default();
        let is_seen = |key: usize| {
            let value = text(&format!("e{key}"));
            world.load.key(key).allows(value) && text(&format!("saw_e{key}")) == value
        };
        let are_others = text("polled") == polled && text("saw_polled") == polled && text("web_address") == address;
        ((0..KEYS).all(is_seen) && are_others).then_some(())
    });
    let keys: Vec<_> = (0..KEYS).map(|key| world.load.key(key)).collect();
    result.map_err(|words| format!("{words}: {state:?} for {keys:?}"))?;
    settle(world);
    world.load.is_lenient.store(false, Ordering::SeqCst);
    if world.session().has_lost_files {
        return Ok(());
    }
    let (accepted, unanswered, audited) = world.session().posts_before;
    let accepted = world.load.accepted.load(Ordering::SeqCst) - accepted;
    let unanswered = world.load.unanswered.load(Ordering::SeqCst) - unanswered;
    let mut lines = 0;
    let result = world.until_up("the audit log has each accepted post", |world| {
        lines = world.audited() - audited;
        (accepted..=accepted + unanswered).contains(&lines).then_some(())
    });
    result.map_err(|words| format!("{words}: {lines} lines, {accepted} answers with 204, {unanswered} without any"))
}

/// What the state holds is what was accepted.
fn settle(world: &World) {
    let state = world.load.state().unwrap_or_default();
    for key in 0..KEYS {
        if let Some(value) = state.get(format!("e{key}")).and_then(|value| value.as_str()) {
            world.load.settle(key, value);
        }
    }
}

/// N-W: the last run of each group saw the files as they are, and each path that differs was told to some run.
fn changes_have_led_to_runs(world: &mut World) -> Outcome {
    let trees = world.trees();
    for (at, workflow) in ["src", "page"].into_iter().enumerate() {
        let sum = tree::sum(&trees[at]).to_string();
        let changed = tree::differences(&world.session().trees_before[at], &trees[at]);
        let changed: Vec<String> = changed.into_iter().map(|path| format!("{workflow}/{path}")).collect();
        // The runs of a start are told of nothing.
        let is_told = world.session().first.is_some() && !world.session().has_lost_records;
        let (mut runs, mut untold, mut is_seen) = (Vec::new(), Vec::new(), false);
        let result = world.until_up(&format!("the runs of {workflow} knew all that changed"), |world| {
            let all = world.runs();
            let last = all.iter().rev().find(|run| run["workflow"] == workflow);
            is_seen = last.is_some_and(|last| last["tree"] == sum.as_str());
            runs = all.get(world.session().runs_before..).unwrap_or_default().to_vec();
            let told = told_of(&runs, workflow);
            untold = changed.iter().filter(|path| is_told && !told.contains(path.as_str())).cloned().collect();
            // A run that was slow to look may have seen what a later one is told.
            (is_seen && untold.is_empty()).then_some(())
        });
        result.map_err(|words| {
            let (changed, untold, runs) = (shown(&changed), shown(&untold), shown(&runs));
            format!(
                "{words}: the last saw it: {is_seen}, it changed {changed}, untold {untold}, its runs since: {runs}"
            )
        })?;
    }
    Ok(())
}

/// The paths of which the runs of a workflow were told.
fn told_of<'r>(runs: &'r [serde_json::Value], workflow: &str) -> BTreeSet<&'r str> {
    let runs = runs.iter().filter(|run| run["workflow"] == workflow);
    runs.flat_map(|run| run["files"].as_array().into_iter().flatten()).filter_map(|path| path.as_str()).collect()
}

fn shown<T: Debug>(list: &[T]) -> String {
    let text = format!("{list:?}");
    let end = (0..=text.len().min(4000)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{} of them: {}", list.len(), &text[..end])
}

/// N-L: each numbered line that was taken from a child has come (that none comes twice, late or torn is heard at once).
fn lines_are_complete(world: &mut World, is_over: bool) -> Outcome {
    let printed = world.printed();
    let mut missing = Vec::new();
    let mut have_come = |world: &mut World| {
        let heard = world.ears.heard();
        let count = |life: &str| heard.lives.get(life).copied().unwrap_or_default();
        let shown = printed.iter().map(|(life, taken)| (life.clone(), *taken, count(life)));
        missing = shown.filter(|(_, taken, shown)| shown < taken).collect::<Vec<_>>();
        missing.is_empty().then_some(())
    };
    let what = "each line that a child wrote is shown";
    let result = if is_over { have_come(world).ok_or(what.to_owned()) } else { world.until_up(what, have_come) };
    result.map_err(|words| format!("{words}: (life, written, shown) {missing:?}"))
}

/// Descriptors, threads and memory are those of the first rest, and a session at rest does nothing.
fn nothing_grows(world: &mut World) -> Outcome {
    let pid = world.session().pid();
    let first = world.session().first;
    let mut now = Usage::default();
    let result = world.until_up("devloop holds as much as at first", |_| {
        now = census::usage(pid)?;
        let Some(first) = first else { return Some(()) };
        let is_flat =
            now.descriptors <= first.descriptors + DESCRIPTORS_MORE && now.threads <= first.threads + THREADS_MORE;
        is_flat.then_some(())
    });
    result.map_err(|words| format!("{words}: {now:?}, at first {first:?}"))?;
    if now.resident_kib > RESIDENT_MAX_KIB {
        return Err(format!("devloop has grown: {now:?}, at first {first:?}"));
    }
    let mut ticks = 0;
    let result = world.until_up("devloop does nothing at rest", |_| {
        let before = census::usage(pid)?.ticks;
        std::thread::sleep(Duration::from_millis(300));
        ticks = census::usage(pid)?.ticks - before;
        (ticks <= IDLE_TICKS_MAX).then_some(())
    });
    result.map_err(|words| format!("{words}: {ticks} ticks in 300 ms"))?;
    let session = world.session();
    session.memory.push((session.began.elapsed().as_secs_f64(), now.own_kib));
    session.first.get_or_insert(now);
    Ok(())
}

/// What the ears, the clients and the reader of the state saw.
fn nothing_was_wrong(world: &mut World) -> Outcome {
    let mut wrong = world.ears.heard().wrong.clone();
    wrong.extend(world.load.wrong());
    if wrong.is_empty() { Ok(()) } else { Err(shown(&wrong)) }
}

/// How a session was to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// The exit code, or none for a death by a signal.
    pub(crate) code: Option<i32>,
    /// Every line that a child wrote has to be shown.
    pub(crate) is_lossless: bool,
    /// Nothing may be left; only the next session finds what lives on when all that watched over it were killed at once.
    pub(crate) is_clean: bool,
}

/// The session was ended: as promised, with nothing left.
pub(crate) fn after_end(world: &mut World, ending: Ending) -> Outcome {
    let (at, status) = world.ended()?;
    exit_is(status, ending.code)?;
    world.has_leftovers |= !ending.is_clean;
    if !world.has_leftovers {
        let mut left = Vec::new();
        let result = world.until("nothing is left of the session", |world| {
            left = world.census();
            left.is_empty().then_some(())
        });
        result.map_err(|words| format!("{words}: {left:?}"))?;
        world.figures.cleanups.push(at.elapsed());
        if at.elapsed() > CLEAN_WITHIN {
            return Err(format!("it took {:?} until nothing was left of the session", at.elapsed()));
        }
    }
    world.load.pause(true);
    if !world.load.is_lenient.load(Ordering::SeqCst) {
        let state = world.load.state().ok_or("the state file is not whole after the end")?;
        for key in 0..KEYS {
            let value = state.get(format!("e{key}")).and_then(|value| value.as_str()).unwrap_or_default();
            let known = world.load.key(key);
            if !known.allows(value) {
                return Err(format!("e{key} is {value:?} after the end, accepted was {known:?}"));
            }
        }
    }
    if ending.is_lossless {
        lines_are_complete(world, true)?;
    }
    nothing_was_wrong(world)?;
    memory_is_flat(world)?;
    world.forget_printed();
    world.session = None;
    Ok(())
}

fn exit_is(status: ExitStatus, code: Option<i32>) -> Outcome {
    if status.code() == code { Ok(()) } else { Err(format!("devloop ended with {status}, not with {code:?}")) }
}

/// The memory of a session that rested often enough to speak of a slope, and its slope where it lived long enough.
fn memory_is_flat(world: &mut World) -> Outcome {
    let memory = std::mem::take(&mut world.session().memory);
    let (Some(first), Some(last)) = (memory.first(), memory.last()) else { return Ok(()) };
    if memory.len() < 8 {
        return Ok(());
    }
    // The first third is warming up: the folders fill, every kind of fault is met for the first time.
    let warm = &memory[memory.len() / 3..];
    let slope = slope(warm) * 600.0;
    let words = format!(
        "memory over {} rests in {:.0} s: {} KiB at first, {} at a third, {} at two thirds, {} at last, slope {slope:.0} KiB in 10 min",
        memory.len(),
        last.0,
        first.1,
        warm[0].1,
        warm[warm.len() / 2].1,
        last.1,
    );
    let is_long = last.0 - warm[0].0 >= SLOPE_SECONDS;
    if is_long && slope >= SLOPE_MAX_KIB {
        return Err(words);
    }
    world.figures.memory.push(words);
    Ok(())
}

/// KiB a second, by least squares.
fn slope(points: &[(f64, u64)]) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1 as f64).sum::<f64>() / count;
    let above: f64 = points.iter().map(|point| (point.0 - mean_x) * (point.1 as f64 - mean_y)).sum();
    let below: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    if below == 0.0 { 0.0 } else { above / below }
}
