//! What the system does to watching: full queues, limits, a lost root, comparing at intervals, the end.

use super::super::inotify::Inotify;
use super::super::native::Native;
use super::super::thread::run_with;
use super::super::{Post, hints, stamps, tree};
use super::*;

impl Stage {
    fn post(&mut self) -> Post {
        let own = OwnFiles::of_state_file(&self.plan.state_file).below(&self.root);
        Post { plan: Arc::new(self.plan.clone()), own, root: self.root.clone(), heard: self.ears() }
    }

    /// Starts a watcher that has so many watches.
    fn watched_with(mut self, watches_max: usize) -> (Self, std::io::PipeWriter) {
        let (ended, alive) = std::io::pipe().unwrap();
        let post = self.post();
        std::thread::spawn(move || run_with(post, &ended, watches_max));
        self.until_began();
        (self, alive)
    }
}

#[test]
fn w1_after_lost_events_every_difference_is_found_and_nothing_else() {
    let mut stage = Stage::new(&["one/"]);
    stage.group("two", &["two/**/*.txt"]);
    stage.file("one/same", "s").file("one/gone", "g").file("one/changed", "c").file("two/deep/gone/a.txt", "a");
    // A file that changed long before is older than any stamp of the lost moment.
    stage.sh("touch -d '2001-01-01' one/same");
    stage.until_past("one/same");
    let post = stage.post();
    let eyes = Inotify::new(&stage.root, Duration::from_millis(20), usize::MAX).unwrap();
    let mut native = Native::new(post, eyes);
    native.begin();
    stage.until_began();
    stage.sh("rm one/gone; echo new > one/changed; rm -r two/deep/gone; mkdir -p two/new/er; echo > two/new/er/b.txt");
    native.lose_events();
    native.turn();
    let paths = ["one/gone", "one/changed", "two/deep/gone/a.txt", "two/new/er/b.txt"];
    let seen = stage.until_settled(&paths);
    assert_eq!(seen.iter().map(|touch| touch.path.as_ref()).collect::<BTreeSet<_>>(), BTreeSet::from(paths));
    assert_eq!(stage.troubles, [WatcherTrouble::Overflow]);
    // New folders are watched from then on, and a second rescan finds nothing.
    stage.until_past("two/new/er/b.txt");
    native.turn();
    native.lose_events();
    native.turn();
    assert!(stage.heard.try_iter().all(|heard| heard == Heard::Trouble(WatcherTrouble::Overflow)));
    stage.sh("echo > two/new/er/c.txt");
    native.turn();
    stage.until_settled(&["two/new/er/c.txt"]);
}

// promise: watch.overflow.1
#[test]
fn w1_a_queue_that_runs_over_loses_no_file() {
    let mut stage = Stage::new(&["src/"]);
    stage.folder("src");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let count = limit.trim().parse::<usize>().unwrap().min(40_000) / 3 + 1000;
    let (hold, pause) = channel::<()>();
    let sender = stage.sender.take().unwrap();
    let ears: Ears = Box::new(move |heard| {
        let is_whole = |touch: &Touch| touch.kind != TouchKind::Writing;
        let is_first = matches!(&heard, Heard::Touched(touches) if touches.iter().any(is_whole));
        let _ = sender.send(heard);
        if is_first {
            // The first whole file holds the watcher up until all others are written.
            let _ = pause.recv_timeout(DEADLINE);
        }
    });
    stage.watcher = Some(Watcher::start(Arc::new(stage.plan.clone()), OwnFiles::default(), ears).unwrap());
    stage.until_began();
    stage.file("src/first", "x");
    stage.until_settled(&["src/first"]);
    let paths: Vec<String> = (0..count).map(|number| format!("src/{number}")).collect();
    for path in &paths {
        fs::write(stage.at(path), "x").unwrap();
    }
    drop(hold);
    stage.until_settled(&paths.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The system is short of descriptors.
struct Short;

impl tree::Eyes for Short {
    fn watch(
        &mut self,
        _: &Path,
        _: &tree::Relative,
        _: super::super::targets::Cover,
        _: bool,
    ) -> std::io::Result<tree::Seen> {
        Err(rustix::io::Errno::MFILE.into())
    }

    fn unwatch(&mut self, _: i32, _: &[u8]) {}
}

#[test]
fn w2_a_system_that_is_short_of_descriptors_makes_no_file_look_removed() {
    let mut stage = Stage::new(&["src/"]);
    stage.file("src/a/f", "1").file("src/b/f", "1");
    let post = stage.post();
    let mut tree = tree::Tree::new(&post.plan, post.root, post.own.clone());
    let mut batch = super::super::batch::Batch::new(&post.plan, post.own);
    tree.survey(&mut super::super::polling::Closed, b"", tree::Look::First, &mut batch);
    for _ in 0..3 {
        tree.survey(&mut Short, b"", tree::Look::Poll, &mut batch);
    }
    assert_eq!(batch.take(), []);
    let troubles = tree.troubles();
    assert!(matches!(&troubles[..], [WatcherTrouble::PutOff { .. }]), "told once: {troubles:?}");
    stage.file("src/b/f", "22");
    tree.survey(&mut super::super::polling::Closed, b"", tree::Look::Poll, &mut batch);
    let seen: Vec<String> = batch.take().iter().map(|touch| touch.path.to_string()).collect();
    assert_eq!(seen, ["src/b/f"]);
}

// promise: watch.limit.1
#[test]
fn w2_without_enough_watches_the_rest_is_compared_at_intervals() {
    let mut stage = Stage::new(&["src/"]);
    stage.plan.watcher.poll_interval = Duration::from_millis(20);
    stage.file("src/a/f", "1").file("src/b/f", "1").file("src/c/d/f", "1");
    let (mut stage, _alive) = stage.watched_with(3);
    let trouble = stage.until_trouble(|trouble| matches!(trouble, WatcherTrouble::WatchLimit { .. }));
    assert!(trouble.hint().unwrap().contains("fs.inotify.max_user_watches"), "{trouble:?}");
    stage.sh("echo 2 > src/a/f; echo 2 > src/b/f; echo 2 > src/c/d/f");
    stage.until_settled(&["src/a/f", "src/b/f", "src/c/d/f"]);
    stage.sh("mkdir -p src/e/f; echo > src/e/f/g; rm src/b/f");
    stage.until_settled(&["src/e/f/g", "src/b/f"]);
    stage.sh("chmod 600 src/a/f src/c/d/f; cat src/a/f src/c/d/f > /dev/null");
    let seen = stage.touched_before_marker("src/c/d/marker");
    assert_eq!(seen, BTreeSet::new());
}

#[test]
fn a_root_that_is_moved_away_and_back_is_seen() {
    let mut stage = Stage::new(&["src/"]);
    stage.file("src/a", "1");
    stage = stage.watched();
    stage.sh("cd ..; mv project away; mv away project; echo 2 > project/src/a");
    stage.until_settled(&["src/a"]);
    stage.sh("cd ..; mv project away; echo 3 > away/src/b");
    stage.until_trouble(|trouble| matches!(trouble, WatcherTrouble::RootGone { .. }));
    stage.sh_in_parent("mv away project");
    stage.until_settled(&["src/b"]);
    stage.until_trouble(|trouble| matches!(trouble, WatcherTrouble::RootBack { .. }));
    stage.sh_in_parent("rm -r project");
    stage.until_trouble(|trouble| matches!(trouble, WatcherTrouble::RootGone { .. }));
    stage.file("src/c", "4");
    stage.until_settled(&["src/c"]);
    stage.file("src/c", "5");
    stage.until_settled(&["src/c"]);
}

impl Stage {
    /// Waits until the clock of the file system has left the last change of a file behind.
    fn until_past(&self, path: &str) {
        let changed = stamps::Status::of(&self.at(path)).unwrap().ctime;
        while stamps::wall_clock() < changed + 50_000_000 {
            std::thread::yield_now();
        }
    }

    fn sh_in_parent(&self, script: &str) {
        let parent = self.root.parent().unwrap();
        assert!(Command::new("sh").args(["-euc", script]).current_dir(parent).status().unwrap().success());
    }
}

#[test]
fn a_missing_root_is_refused_at_start() {
    let mut stage = Stage::new(&["src/"]);
    stage.plan.root = stage.at("nowhere");
    let ears = stage.ears();
    let refused = Watcher::start(Arc::new(stage.plan.clone()), OwnFiles::default(), ears).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn dropping_the_watcher_ends_its_thread() {
    for stage in [Stage::new(&["src/"]), Stage::new(&["src/"]).polls()] {
        let mut stage = stage.watched();
        drop(stage.watcher.take());
        // The thread owns the only sender.
        assert_eq!(stage.heard.recv_timeout(DEADLINE), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}

#[test]
fn comparing_at_intervals_sees_what_events_would_tell() {
    let mut stage = Stage::new(&["src/", "later/deep/x.txt"]).polls();
    stage.file("src/a", "1").file("src/gone/b", "1").file("src/mode", "1");
    stage = stage.watched();
    stage.sh("chmod 600 src/mode; cat src/a > /dev/null");
    stage.sh("echo 22 > src/a; rm -r src/gone; mkdir -p src/new/er; echo > src/new/er/c; mkdir -p later/deep");
    stage.sh("echo > later/deep/x.txt; echo > later/deep/other");
    let seen = stage.until_settled(&["src/a", "src/gone/b", "src/new/er/c", "later/deep/x.txt"]);
    assert!(seen.iter().all(|touch| !touch.path.ends_with("mode") && !touch.path.ends_with("other")), "{seen:?}");
}

#[test]
fn comparing_finds_other_content_of_the_same_size_and_time() {
    for age in ["now", "2001-01-01"] {
        let mut stage = Stage::new(&["src/"]).polls();
        stage.file("src/a", "one").file("src/b", "one");
        stage.sh(&format!("touch -d {age} src/a; touch -r src/a keep"));
        stage = stage.watched();
        stage.sh("printf two > src/a; touch -r keep src/a");
        stage.until_settled(&["src/a"]);
        stage.sh("printf 333 > src/a; touch -r keep src/a; touch -d 2001-01-01 src/b");
        stage.until_settled(&["src/a", "src/b"]);
        assert_eq!(stage.touched_before_marker("src/marker"), BTreeSet::new());
    }
}

#[test]
fn hints_of_other_systems_are_compared() {
    let mut stage = Stage::new(&["src/"]);
    stage.file("src/a", "1").file("src/gone/b", "1").file("src/mode", "1");
    let post = stage.post();
    let mut tree = tree::Tree::new(&post.plan, post.root, post.own.clone());
    let mut batch = super::super::batch::Batch::new(&post.plan, post.own);
    tree.survey(&mut hints::Told, b"", tree::Look::First, &mut batch);
    while tree.stamp_some() {}
    stage.sh("echo 22 > src/a; rm -r src/gone; mkdir -p src/new/er; echo > src/new/er/c; chmod 600 src/mode");
    for hint in ["src/a", "src/gone/b", "src/gone", "src/new", "src/new/er", "src/new/er/c", "src/mode", "src"] {
        hints::look(&mut tree, hint.as_bytes(), &mut batch);
    }
    let seen: BTreeSet<String> = batch.take().iter().map(|touch| touch.path.to_string()).collect();
    let expected = ["src/a", "src/gone", "src/gone/b", "src/new", "src/new/er", "src/new/er/c"];
    assert_eq!(seen, expected.map(str::to_owned).into());
    assert!(stamps::Status::of(&stage.at("src/mode")).is_ok());
}

/// A small generator (`SplitMix64`), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)) % limit
    }
}

/// All files below a folder, with their content.
fn files_in(root: &Path, folder: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
        if root.join(&path).is_dir() {
            found.append(&mut files_in(root, &path));
        } else {
            found.insert((path.clone(), fs::read_to_string(root.join(path)).unwrap()));
        }
    }
    found
}

/// One random change; many fail because what they name is not there, which is as good.
fn stir(root: &Path, dice: &mut Dice, round: u64) {
    let folder = |dice: &mut Dice| {
        let deep = ["src/a", "src/a/b", "src/a/b/c", "src/d", "src/d/e", "away"];
        root.join(deep[usize::try_from(dice.below(6)).unwrap()])
    };
    let (one, two) = (folder(dice), folder(dice));
    let (file, other) = (one.join(format!("f{}", dice.below(3))), two.join(format!("f{}", dice.below(3))));
    let _ = match dice.below(9) {
        0 => fs::create_dir_all(&one),
        1 => fs::remove_dir_all(&one),
        2 => fs::rename(&one, &two),
        3 => fs::rename(&file, &other),
        4 => fs::remove_file(&file),
        5 => fs::hard_link(&file, &other),
        6 => fs::write(one.join("new"), round.to_string()).and_then(|()| fs::rename(one.join("new"), &file)),
        _ => {
            // A write through one name of a file is told to the folder of that name alone (inotify(7)).
            let has_names = stamps::Status::of(&file).is_ok_and(|status| status.links > 1);
            if has_names { fs::remove_file(&file) } else { fs::write(&file, round.to_string()) }
        }
    };
}

#[test]
fn random_changes_are_all_seen() {
    for seed in 0..30 {
        let mut stage = Stage::new(&["src/**/f?"]);
        stage.file("src/a/b/c/f0", "old").file("src/d/f1", "old").file("away/f2", "old").folder("src/d/e");
        if seed % 5 == 4 {
            stage = stage.polls();
        }
        stage = stage.watched();
        let mut before = files_in(&stage.root, "src");
        let mut dice = Dice(seed);
        for part in 0..10 {
            for round in 0..20 {
                stir(&stage.root, &mut dice, part * 100 + round + 10);
            }
            let after = files_in(&stage.root, "src");
            let differ: BTreeSet<&str> = before.symmetric_difference(&after).map(|(path, _)| path.as_str()).collect();
            println!("seed {seed}, part {part}");
            stage.until_settled(&differ.into_iter().collect::<Vec<_>>());
            before = after;
            let _ = stage.touched_before_marker(&format!("src/f{part}"));
            before.insert((format!("src/f{part}"), "marker".to_owned()));
        }
    }
}
