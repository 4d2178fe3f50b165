//! What happens when devloop, the guardian, or a keeper is killed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use devloop::adapters::guardian::{Contain, ExitStatus, Report, StopSignal};
use rustix::process::Signal;

use super::stage::{Stage, children, exited, play, signal, status, until, with_token, with_trace, within};
use super::{CASE, Case};

pub(crate) const CASES: &[Case] = &[
    ("a_killed_devloop_leaves_nothing_of_a_plain_tree", || kill_devloop("plain", 2)),
    ("a_killed_devloop_leaves_nothing_of_a_group", || kill_devloop("group", 3)),
    ("a_killed_devloop_leaves_nothing_of_own_sessions", || kill_devloop("setsid", 3)),
    ("a_killed_devloop_leaves_nothing_of_a_double_fork", || kill_devloop("double", 2)),
    ("a_killed_devloop_leaves_nothing_of_what_ignores_term", || kill_devloop("deaf", 4)),
    ("a_killed_devloop_leaves_nothing_of_a_forker", || kill_devloop("forker", 3)),
    ("a_devloop_killed_at_any_moment_leaves_nothing", a_devloop_killed_at_any_moment_leaves_nothing),
    ("a_killed_guardian_is_noticed_and_children_still_obey", a_killed_guardian_is_noticed_and_children_still_obey),
    ("a_killed_keeper_takes_its_marked_tree_along", a_killed_keeper_takes_its_marked_tree_along),
    ("a_killed_keeper_of_a_group_leaves_own_sessions_alone", a_killed_keeper_of_a_group_leaves_own_sessions_alone),
    ("a_guardian_that_is_dismissed_ends_with_its_children", a_guardian_that_is_dismissed_ends_with_its_children),
    ("the_guardian_is_deaf_and_holds_nothing_of_devloop", the_guardian_is_deaf_and_holds_nothing_of_devloop),
];

/// Before the name of a tree: the case is to be a devloop that launches that tree and waits to be killed.
pub(crate) const VICTIM: &str = "victim ";

fn tree(name: &str) -> &'static str {
    match name {
        "plain" => "sleep TOKEN; :",
        "group" => "sleep TOKEN & sleep TOKEN; :",
        "setsid" => "setsid sleep TOKEN & sleep TOKEN; :",
        "double" => "(setsid env -i sleep TOKEN &) ; exec sleep TOKEN",
        "deaf" => "trap '' TERM INT HUP; setsid sh -c 'sleep TOKEN; :' & sleep TOKEN; :",
        "forker" => "echo 'setsid sh ./again TOKEN & :' > again; sh ./again TOKEN; sh ./again TOKEN; sleep TOKEN; :",
        other => panic!("no tree '{other}'"),
    }
}

/// Launches the tree, with the token of the process that started this one, and waits.
pub(crate) fn be_victim(name: &str) {
    play(async |mut stage: Stage| {
        stage.token = std::env::var("VICTIM_TOKEN").unwrap();
        let folder = std::env::var("VICTIM_FOLDER").unwrap();
        let mut launch = stage.sh(tree(name));
        launch.cwd = folder.into();
        let (mut child, _) = stage.start(launch).await;
        child.next_report().await;
    });
}

/// A devloop that launches the tree in that folder; it, its guardian and its keepers have the token in their environment.
fn victim(name: &str, token: &str, folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .env(CASE, format!("{VICTIM}{name}"))
        .env("VICTIM_TOKEN", token)
        .env("VICTIM_FOLDER", folder)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill_devloop(name: &str, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let token = format!("1000{}", std::process::id());
    let devloop = victim(name, &token, folder.path());
    let began = Instant::now();
    while with_token(&token).len() < count {
        assert!(began.elapsed() < Duration::from_secs(20), "the tree never stood: {:?}", with_token(&token));
        std::thread::sleep(Duration::from_millis(2));
    }
    kill_and_look(devloop, &token);
}

/// Wherever the start happens to be: a launch on its way, a keeper just forked, a command about to execute.
fn a_devloop_killed_at_any_moment_leaves_nothing() {
    let trees = ["plain", "group", "setsid", "double", "deaf", "forker"];
    for (turn, name) in trees.iter().cycle().take(30).enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let token = format!("1000{turn}000{}", std::process::id());
        let devloop = victim(name, &token, folder.path());
        std::thread::sleep(Duration::from_millis(turn as u64));
        kill_and_look(devloop, &token);
    }
}

fn kill_and_look(mut devloop: std::process::Child, token: &str) {
    devloop.kill().unwrap();
    devloop.wait().unwrap();
    let killed = Instant::now();
    // The promise is one second; a machine that tests everything at once gets some more.
    while !with_trace(token).is_empty() {
        assert!(killed.elapsed() < Duration::from_secs(5), "left: {:?}", with_trace(token));
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn a_killed_guardian_is_noticed_and_children_still_obey() {
    play(async |stage: Stage| {
        let (mut child, _) = stage.start(stage.sh("setsid sleep TOKEN & sleep TOKEN; :")).await;
        stage.count_is(3).await;
        let guard = stage.guardian.pid();
        assert!(tokio::time::timeout(Duration::from_millis(50), stage.guardian.lost()).await.is_err());
        signal(guard, Signal::KILL);
        within(stage.guardian.lost()).await;
        assert_eq!(status(guard, "State"), None, "it is reaped");
        child.stop(StopSignal::Term);
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGTERM));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(with_token(&stage.token), Vec::<u32>::new());
    });
}

fn a_killed_keeper_takes_its_marked_tree_along() {
    play(async |stage: Stage| {
        let hidden = "(setsid sh -c 'trap \"\" TERM; sleep TOKEN; :' &) ";
        let mut launch = stage.sh(&format!("{hidden}; sleep TOKEN & sleep TOKEN; :"));
        let marker = format!("MARK={}", stage.token);
        launch.env.push(("MARK".into(), stage.token.clone().into()));
        launch.marker = Some(marker);
        let (mut child, pid) = stage.start(launch).await;
        let (other, _) = stage.start(stage.sh("setsid sleep 2TOKEN & sleep 2TOKEN; :")).await;
        stage.count_is(8).await;
        signal(status(pid, "PPid").unwrap().parse().unwrap(), Signal::KILL);
        assert_eq!(within(child.next_report()).await, None);
        stage.count_is(3).await;
        assert_eq!(with_token(&format!("2{}", stage.token)).len(), 3, "another's tree");
        drop(other);
        stage.count_is(0).await;
    });
}

fn a_killed_keeper_of_a_group_leaves_own_sessions_alone() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("setsid sh -c 'echo up; exec sleep TOKEN' & sleep TOKEN & sleep TOKEN; :");
        launch.contain = Contain::Group;
        launch.env.push(("MARK".into(), "1".into()));
        launch.marker = Some("MARK=1".to_owned());
        let (mut child, pid) = stage.start(launch).await;
        stage.count_is(4).await;
        until(|| stage.written() == "up\n", || stage.written()).await;
        signal(status(pid, "PPid").unwrap().parse().unwrap(), Signal::KILL);
        assert_eq!(within(child.next_report()).await, None);
        stage.count_is(1).await;
        // Time for the guardian to err: another launch means that it has turned since.
        assert_eq!(stage.run(stage.sh("exit 0")).await, ExitStatus::Code(0));
        let left = with_token(&stage.token);
        assert_eq!(left.len(), 1);
        signal(left[0], Signal::KILL);
        stage.count_is(0).await;
    });
}

fn a_guardian_that_is_dismissed_ends_with_its_children() {
    play(async |stage: Stage| {
        let (mut child, _) = stage.start(stage.sh("sleep TOKEN; :")).await;
        stage.guardian.dismiss();
        assert!(tokio::time::timeout(Duration::from_millis(100), stage.guardian.lost()).await.is_err());
        child.kill();
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGKILL));
        within(stage.guardian.lost()).await;
        assert_eq!(children(std::process::id()), Vec::<(u32, String)>::new());
    });
}

fn the_guardian_is_deaf_and_holds_nothing_of_devloop() {
    play(async |stage: Stage| {
        let guard = stage.guardian.pid();
        let (mut child, pid) = stage.start(stage.sh("exec sleep TOKEN")).await;
        let keeper = status(pid, "PPid").unwrap().parse().unwrap();
        assert_eq!(status(guard, "Name").as_deref(), Some("devloop-guard"));
        assert_eq!(status(keeper, "Name").as_deref(), Some("devloop-keep"));
        for number in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::TSTP, Signal::PIPE] {
            signal(guard, number);
            signal(keeper, number);
        }
        for ours in [guard, keeper] {
            // The guardian may just have the next keeper's socket in its hands.
            until(
                || open_files(ours) == ["/dev/null", "/dev/null", "/dev/null", "signalfd", "socket"],
                || format!("only its own files: {:?}", open_files(ours)),
            )
            .await;
        }
        child.stop(StopSignal::Term);
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGTERM));
        assert_eq!(stage.run(stage.sh("exit 0")).await, ExitStatus::Code(0));
    });
}

/// What a process has open, without numbers.
fn open_files(pid: u32) -> Vec<String> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let targets = links.filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()));
    let mut kinds: Vec<String> = targets
        .map(|target| match target.as_str() {
            kind if kind.starts_with("socket:") => "socket".to_owned(),
            kind if kind.contains("signalfd") => "signalfd".to_owned(),
            path => path.to_owned(),
        })
        .collect();
    kinds.sort();
    kinds
}
