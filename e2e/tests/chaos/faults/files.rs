//! Files change in every way that editors, tools and version control have.
#![expect(clippy::unnecessary_wraps, reason = "all faults have one form")]

use super::pass;
use crate::dice::Dice;
use crate::world::{Outcome, World};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Files are made, changed and removed, in many folders.
pub(crate) fn storm(world: &mut World, dice: &mut Dice) -> Outcome {
    for _ in 0..dice.between(50, 1000) {
        let folder = *dice.pick(&["src", "src/d0", "src/storm", "src/storm/deep/er", "page", "page/sub"]);
        let path = format!("{folder}/s{}.html", dice.below(60));
        if dice.one_in(4) {
            let _ = fs::remove_file(world.project.path(&path));
        } else {
            world.project.file(&path, &world.load.new_value());
        }
        if dice.one_in(20) {
            pass(dice, 20);
        }
    }
    Ok(())
}

/// Hundreds of files are exchanged, back and forth.
pub(crate) fn switch(world: &mut World, dice: &mut Dice) -> Outcome {
    let files = dice.between(50, 400);
    for branch in 0..dice.between(1, 5) {
        let keeps = format!("b{}-", branch % 2);
        for number in 0..files {
            let folder = format!("src/branch/k{}", number % 13);
            world.project.file(&format!("{folder}/f{number}"), &format!("{keeps}{number}"));
            world.project.file(&format!("{folder}/{keeps}{number}"), &world.load.new_value());
            let _ = fs::remove_file(world.project.path(&format!("{folder}/b{}-{number}", (branch + 1) % 2)));
        }
        pass(dice, 200);
    }
    if dice.one_in(3) {
        fs::remove_dir_all(world.project.path("src/branch")).unwrap();
    }
    Ok(())
}

pub(crate) fn remove_and_make(world: &mut World, dice: &mut Dice) -> Outcome {
    let folder = *dice.pick(&["src/d0", "src/d1", "src", "page", "src/storm"]);
    world.tell(format!("  {folder}"));
    for _ in 0..dice.between(1, 4) {
        let _ = fs::remove_dir_all(world.project.path(folder));
        if dice.one_in(2) {
            pass(dice, 60);
        }
        fs::create_dir_all(world.project.path(folder)).unwrap();
        if dice.one_in(2) {
            pass(dice, 60);
        }
        for number in 0..dice.between(1, 20) {
            world.project.file(&format!("{folder}/n{number}.html"), &world.load.new_value());
        }
    }
    Ok(())
}

pub(crate) fn rename_folder(world: &mut World, dice: &mut Dice) -> Outcome {
    let folder = *dice.pick(&["src/d2", "src/d3", "src/branch", "page", "src"]);
    world.project.file(&format!("{folder}/before.html"), &world.load.new_value());
    let away = *dice.pick(&["aside", "src-renamed", "src/renamed"]);
    let is_into_itself = away.starts_with(&format!("{folder}/"));
    let away = if is_into_itself { "aside" } else { away };
    world.tell(format!("  {folder} to {away}"));
    let (here, there) = (world.project.path(folder), world.project.path(away));
    let _ = fs::remove_dir_all(&there);
    fs::rename(&here, &there).unwrap();
    pass(dice, 150);
    fs::write(there.join("meanwhile.html"), world.load.new_value()).unwrap();
    match dice.below(3) {
        0 => fs::rename(&there, &here).unwrap(),
        1 => {
            fs::create_dir_all(&here).unwrap();
            world.project.file(&format!("{folder}/in-its-place.html"), &world.load.new_value());
        }
        _ => {
            // Another folder takes the name.
            world.project.file("other-tree/x/other.html", &world.load.new_value());
            fs::rename(world.project.path("other-tree"), &here).unwrap();
        }
    }
    pass(dice, 100);
    world.project.file(&format!("{folder}/after.html"), &world.load.new_value());
    Ok(())
}

/// One file is saved a few times, as editors do.
pub(crate) fn saves(world: &mut World, dice: &mut Dice) -> Outcome {
    for _ in 0..dice.between(1, 8) {
        let (folder, name) =
            *dice.pick(&[("src/d0", "f0"), ("src", "main"), ("page", "p1.html"), ("page/sub", "q.html")]);
        let folder = world.project.path(folder);
        fs::create_dir_all(&folder).unwrap();
        let kind = dice.below(10);
        save(&folder, name, &world.load.new_value(), kind);
        pass(dice, 120);
    }
    Ok(())
}

fn save(folder: &Path, name: &str, text: &str, kind: usize) {
    let file = folder.join(name);
    let beside = |suffix: &str| folder.join(format!("{name}{suffix}"));
    match kind {
        // A new file is renamed over the old one.
        0 => {
            fs::write(beside(".new"), text).unwrap();
            fs::rename(beside(".new"), &file).unwrap();
        }
        // The same, with its bytes on disk first.
        1 => {
            let mut new = fs::File::create(beside("___jb_tmp___")).unwrap();
            new.write_all(text.as_bytes()).unwrap();
            new.sync_all().unwrap();
            let _ = fs::rename(&file, beside("___jb_old___"));
            fs::rename(beside("___jb_tmp___"), &file).unwrap();
            let _ = fs::remove_file(beside("___jb_old___"));
        }
        // The old file becomes a backup.
        2 => {
            fs::write(beside(".swp"), "").unwrap();
            let _ = fs::rename(&file, beside("~"));
            fs::write(&file, text).unwrap();
            let _ = fs::remove_file(beside("~"));
            fs::remove_file(beside(".swp")).unwrap();
        }
        // Truncated, written in pieces.
        3 => {
            let mut open = fs::File::create(&file).unwrap();
            for byte in text.as_bytes() {
                open.write_all(&[*byte]).unwrap();
            }
        }
        // Removed, made again.
        4 => {
            let _ = fs::remove_file(&file);
            fs::write(&file, text).unwrap();
        }
        // A link takes the name.
        5 => {
            fs::write(beside(".linked"), text).unwrap();
            let _ = fs::remove_file(&file);
            fs::hard_link(beside(".linked"), &file).unwrap();
            fs::remove_file(beside(".linked")).unwrap();
        }
        // A lock beside it, which leads nowhere.
        6 => {
            let lock = folder.join(format!(".#{name}"));
            let _ = std::os::unix::fs::symlink("somebody@somewhere.1234", &lock);
            fs::write(&file, text).unwrap();
            let _ = fs::remove_file(&lock);
        }
        // Appended.
        7 => {
            let mut open = fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
            open.write_all(text.as_bytes()).unwrap();
        }
        // A file without a name gets one (open(2), `O_TMPFILE`).
        8 => nameless(folder, &file, text),
        // Nothing but a new time.
        _ => {
            let open = fs::OpenOptions::new().append(true).create(true).open(&file).unwrap();
            open.set_modified(std::time::SystemTime::now()).unwrap();
        }
    }
}

fn nameless(folder: &Path, file: &Path, text: &str) {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags};
    use std::os::fd::AsRawFd;
    let Ok(open) = rustix::fs::open(folder, OFlags::TMPFILE | OFlags::WRONLY, Mode::from_raw_mode(0o644)) else {
        // Not every file system can.
        return fs::write(file, text).unwrap();
    };
    let mut open = fs::File::from(open);
    open.write_all(text.as_bytes()).unwrap();
    let _ = fs::remove_file(file);
    let itself = format!("/proc/self/fd/{}", open.as_raw_fd());
    rustix::fs::linkat(CWD, itself, CWD, file, AtFlags::SYMLINK_FOLLOW).unwrap();
}

/// Folders, three deep, each with a file at once, before anybody can look.
pub(crate) fn new_folders(world: &mut World, dice: &mut Dice) -> Outcome {
    for _ in 0..dice.between(1, 10) {
        // Few names, so that the tree of a long session does not grow.
        let folder = format!("{}/new-{}", dice.pick(&["src", "page", "src/d1"]), dice.below(10));
        let _ = fs::remove_dir_all(world.project.path(&folder));
        world.project.file(&format!("{folder}/b/c/f.html"), &world.load.new_value());
        if dice.one_in(2) {
            pass(dice, 30);
        }
        if dice.one_in(3) {
            fs::remove_dir_all(world.project.path(&folder)).unwrap();
        }
    }
    Ok(())
}

pub(crate) fn polled(world: &mut World, _dice: &mut Dice) -> Outcome {
    let value = world.load.new_value();
    world.project.file("polled.part", &value);
    fs::rename(world.project.path("polled.part"), world.project.path("polled")).unwrap();
    Ok(())
}
