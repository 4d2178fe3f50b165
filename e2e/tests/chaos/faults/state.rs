//! The state folder and what is in it is removed, exchanged, or written by somebody else.
#![expect(clippy::unnecessary_wraps, reason = "all faults have one form")]

use super::pass;
use crate::dice::Dice;
use crate::world::{Outcome, World};
use std::fs;
use std::sync::atomic::Ordering;

/// The state file is edited, torn, removed, or a folder of that name is there.
pub(crate) fn file(world: &mut World, dice: &mut Dice) -> Outcome {
    world.load.is_lenient.store(true, Ordering::SeqCst);
    let path = world.project.path(".devloop/state.json");
    let kind = *dice.pick(&["removed", "torn", "emptied", "edited", "a folder", "a link"]);
    world.tell(format!("  it is {kind}"));
    let _ = match kind {
        "removed" => fs::remove_file(&path),
        "torn" => fs::read(&path).and_then(|bytes| fs::write(&path, &bytes[..bytes.len() / 2])),
        "emptied" => fs::write(&path, ""),
        "edited" => fs::write(&path, r#"{"e0": "of somebody else", "e2": 5}"#),
        "a folder" => fs::remove_file(&path).and_then(|()| fs::create_dir_all(path.join("in/the/way"))),
        _ => fs::remove_file(&path).and_then(|()| std::os::unix::fs::symlink("/dev/null", &path)),
    };
    pass(dice, 800);
    if path.is_dir() {
        fs::remove_dir_all(&path).unwrap();
    }
    Ok(())
}

/// The folder is removed, renamed, or a file of that name is there.
pub(crate) fn folder(world: &mut World, dice: &mut Dice) -> Outcome {
    world.load.is_lenient.store(true, Ordering::SeqCst);
    world.session().has_lost_files = true;
    let (path, aside) = (world.project.path(".devloop"), world.project.path("devloop-aside"));
    let _ = fs::remove_dir_all(&aside);
    let kind = *dice.pick(&["removed", "moved", "moved and back", "a file"]);
    world.tell(format!("  it is {kind}"));
    match kind {
        "removed" => remove(&path),
        "moved" => fs::rename(&path, &aside).unwrap(),
        "moved and back" => {
            fs::rename(&path, &aside).unwrap();
            pass(dice, 500);
            // devloop may have made a new one in between, and again.
            while fs::rename(&aside, &path).is_err() {
                remove(&path);
            }
        }
        _ => {
            fs::rename(&path, &aside).unwrap();
            // devloop may be faster in making a new one.
            remove(&path);
            let _ = fs::write(&path, "in the way");
            pass(dice, 1000);
            let _ = fs::remove_file(&path);
        }
    }
    pass(dice, 500);
    Ok(())
}

/// Removes a folder that somebody else fills at the same time.
fn remove(path: &std::path::Path) {
    while path.exists() {
        let _ = fs::remove_dir_all(path);
    }
}

pub(crate) fn logs(world: &mut World, dice: &mut Dice) -> Outcome {
    let path = world.project.path(".devloop/logs");
    let _ = fs::remove_dir_all(&path);
    if dice.one_in(2) {
        let _ = fs::write(&path, "in the way");
        pass(dice, 500);
        let _ = fs::remove_file(&path);
    }
    Ok(())
}
