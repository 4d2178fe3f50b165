//! How a child ends while devloop lives.

use devloop::adapters::guardian::{Contain, ExitStatus, Report, StopSignal};
use rustix::process::Signal;

use super::Case;
use super::stage::{Stage, children, exited, play, signal, status, until, with_token, within};

pub(crate) const CASES: &[Case] = &[
    ("an_exit_code_and_a_signal_are_told", an_exit_code_and_a_signal_are_told),
    ("what_is_left_of_the_group_is_killed_at_the_exit", what_is_left_of_the_group_is_killed_at_the_exit),
    ("an_own_session_outlives_the_command_until_it_is_killed", an_own_session_outlives_the_command_until_it_is_killed),
    ("gone_means_that_hidden_descendants_are_gone", gone_means_that_hidden_descendants_are_gone),
    ("a_group_leaves_own_sessions_alone", a_group_leaves_own_sessions_alone),
    ("a_stopped_child_is_continued_and_ends", a_stopped_child_is_continued_and_ends),
    ("p12_a_paused_tree_stops_whole_goes_on_and_can_be_ended", p12_a_paused_tree_stops_whole_goes_on_and_can_be_ended),
    ("each_process_gets_the_stop_signal_once", each_process_gets_the_stop_signal_once),
    ("a_stopping_group_has_time_after_its_leader", a_stopping_group_has_time_after_its_leader),
    ("a_forker_does_not_outrun_the_kill", a_forker_does_not_outrun_the_kill),
    ("a_dropped_child_is_killed", a_dropped_child_is_killed),
    ("many_launches_leave_no_zombies_and_no_descriptors", many_launches_leave_no_zombies_and_no_descriptors),
    ("p9_orphans_that_end_are_reaped_while_the_command_runs", orphans_that_end_are_reaped_while_the_command_runs),
];

fn an_exit_code_and_a_signal_are_told() {
    play(async |stage: Stage| {
        assert_eq!(stage.run(stage.sh("exit 77")).await, ExitStatus::Code(77));
        assert_eq!(stage.run(stage.sh("kill -USR1 $$; sleep TOKEN")).await, ExitStatus::Signal(libc::SIGUSR1));
    });
}

fn what_is_left_of_the_group_is_killed_at_the_exit() {
    play(async |stage: Stage| {
        for contain in [Contain::Tree, Contain::Group] {
            let mut launch = stage.sh("trap '' TERM; sleep TOKEN & (sleep TOKEN &) ; exit 3");
            launch.contain = contain;
            assert_eq!(stage.run(launch).await, ExitStatus::Code(3));
            assert_eq!(with_token(&stage.token), Vec::<u32>::new());
        }
    });
}

fn an_own_session_outlives_the_command_until_it_is_killed() {
    play(async |stage: Stage| {
        // The session is opened before the command ends, or it would still be in the group.
        let script = "setsid sh -c 'echo up > up; exec sleep TOKEN' & while ! [ -s up ]; do sleep 0.01; done; exit 0";
        let (mut child, _) = stage.start(stage.sh(script)).await;
        assert_eq!(exited(&mut child).await, ExitStatus::Code(0));
        stage.count_is(1).await;
        let early = tokio::time::timeout(std::time::Duration::from_millis(100), child.next_report()).await;
        assert!(early.is_err(), "{early:?}");
        child.control().kill();
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(with_token(&stage.token), Vec::<u32>::new());
    });
}

fn gone_means_that_hidden_descendants_are_gone() {
    play(async |stage: Stage| {
        let hidden = "setsid env -i /bin/sh -c 'trap \"\" TERM; (sleep TOKEN; :) & sleep TOKEN; :' &";
        let (mut child, _) = stage.start(stage.sh(&format!("({hidden}); sleep TOKEN; :"))).await;
        // Both shells have the token in their script, and so has the one in brackets; and three sleep.
        stage.count_is(6).await;
        child.stop(StopSignal::Term);
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGTERM));
        let early = tokio::time::timeout(std::time::Duration::from_millis(100), child.next_report()).await;
        assert!(early.is_err(), "{early:?}");
        child.kill();
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(with_token(&stage.token), Vec::<u32>::new());
    });
}

fn a_group_leaves_own_sessions_alone() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("setsid sleep TOKEN & sleep TOKEN & sleep TOKEN; :");
        launch.contain = Contain::Group;
        let (mut child, pid) = stage.start(launch).await;
        stage.count_is(4).await;
        let is_apart = |found: &u32| status(*found, "NSsid").is_some_and(|session| session == found.to_string());
        until(|| with_token(&stage.token).iter().any(is_apart), || "a session of its own".to_owned()).await;
        child.kill();
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGKILL));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        let left = with_token(&stage.token);
        assert_eq!(left.len(), 1, "of {pid}: {left:?}");
        signal(left[0], Signal::KILL);
        stage.count_is(0).await;
    });
}

fn a_stopped_child_is_continued_and_ends() {
    play(async |stage: Stage| {
        // Without a child: a shell that waits for the `exec` of a stopped one would never be stopped itself.
        let script = "mkfifo pipe; trap 'exit 9' TERM; echo up; while :; do read x < pipe; done";
        let (mut child, pid) = stage.start(stage.sh(script)).await;
        until(|| stage.written() == "up\n", || stage.written()).await;
        signal(pid, Signal::STOP);
        until(|| status(pid, "State").is_some_and(|state| state.starts_with('T')), || "stopped".to_owned()).await;
        child.stop(StopSignal::Term);
        assert_eq!(exited(&mut child).await, ExitStatus::Code(9));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
    });
}

fn p12_a_paused_tree_stops_whole_goes_on_and_can_be_ended() {
    play(async |stage: Stage| {
        let (child, _) = stage.start(stage.sh("setsid sleep TOKEN & sleep TOKEN & sleep TOKEN; :")).await;
        stage.count_is(4).await;
        // One that is just about to open its session is in no place where a pause finds it.
        let asleep = || {
            let is_asleep = |pid: &u32| status(*pid, "Name").is_some_and(|name| name == "sleep");
            with_token(&stage.token).iter().filter(|pid| is_asleep(pid)).count()
        };
        until(|| asleep() == 3, || format!("{} of 3 are asleep", asleep())).await;
        let stopped = || {
            let is_stopped = |pid: &u32| status(*pid, "State").is_some_and(|state| state.starts_with('T'));
            with_token(&stage.token).iter().filter(|pid| is_stopped(pid)).count()
        };
        stage.guardian.suspend_all();
        until(|| stopped() == 4, || format!("{} of 4 are stopped", stopped())).await;
        stage.guardian.resume_all();
        until(|| stopped() == 0, || format!("{} of 4 are stopped", stopped())).await;
        stage.count_is(4).await;
        stage.guardian.suspend_all();
        drop(child);
        stage.count_is(0).await;
    });
}

fn each_process_gets_the_stop_signal_once() {
    play(async |stage: Stage| {
        let deaf = "trap \"echo got\" INT; echo up; while :; do read x < pipe; done; : TOKEN";
        let script = format!(
            "mkfifo pipe; setsid sh -c '{deaf}' & sh -c '{deaf}' & trap 'echo got' INT; echo up; \
                              while :; do read x < pipe; done"
        );
        // A shell ignores SIGINT in what it starts with `&`, and then a trap cannot be set: so USR1.
        let (mut child, _) = stage.start(stage.sh(&script.replace("INT", "USR1"))).await;
        until(|| stage.written().matches("up").count() == 3, || stage.written()).await;
        child.stop(StopSignal::Usr1);
        until(|| stage.written().matches("got").count() >= 3, || stage.written()).await;
        child.kill();
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGKILL));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(stage.written().matches("got").count(), 3);
    });
}

fn a_stopping_group_has_time_after_its_leader() {
    play(async |stage: Stage| {
        let slow = "trap \"sleep 0.2; echo saved; exit\" TERM; echo up; while :; do sleep 0.01; done";
        let (mut child, _) = stage.start(stage.sh(&format!("sh -c '{slow}' & sleep TOKEN; :"))).await;
        until(|| stage.written() == "up\n", || stage.written()).await;
        child.stop(StopSignal::Term);
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGTERM));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert!(stage.written().ends_with("saved\n"), "{}", stage.written());
    });
}

fn a_forker_does_not_outrun_the_kill() {
    play(async |stage: Stage| {
        let again =
            "#!/bin/sh\n# In sessions of their own, each starts the next and ends.\nsetsid sh ./again TOKEN &\n";
        std::fs::write(stage.folder.path().join("again"), again.replace("TOKEN", &stage.token)).unwrap();
        let (mut child, _) = stage.start(stage.sh("sh ./again TOKEN; sh ./again TOKEN; sleep TOKEN; :")).await;
        until(|| with_token(&stage.token).len() > 2, || "a few of them".to_owned()).await;
        child.kill();
        assert_eq!(exited(&mut child).await, ExitStatus::Signal(libc::SIGKILL));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(with_token(&stage.token), Vec::<u32>::new());
    });
}

fn a_dropped_child_is_killed() {
    play(async |stage: Stage| {
        let (child, _) = stage.start(stage.sh("trap '' TERM; setsid sleep TOKEN & sleep TOKEN; :")).await;
        stage.count_is(3).await;
        let control = child.control();
        drop(child);
        stage.count_is(0).await;
        control.kill();
    });
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn many_launches_leave_no_zombies_and_no_descriptors() {
    play(async |stage: Stage| {
        assert_eq!(stage.run(stage.sh("exit 0")).await, ExitStatus::Code(0));
        let before = descriptors();
        for turn in 0..200 {
            let code = turn % 7;
            assert_eq!(stage.run(stage.sh(&format!("(setsid true &); exit {code}"))).await, ExitStatus::Code(code));
        }
        assert_eq!(descriptors(), before);
        stage.guardian.prepare(1);
        let guard = stage.guardian.pid();
        until(|| children(guard).len() == 1, || format!("only the spare keeper: {:?}", children(guard))).await;
        assert_eq!(children(std::process::id()), [(guard, "devloop-guard".to_owned())]);
    });
}

fn orphans_that_end_are_reaped_while_the_command_runs() {
    play(async |stage: Stage| {
        let script = "for n in 1 2 3 4 5; do (setsid true &); done; echo up; sleep TOKEN; :";
        let (child, pid) = stage.start(stage.sh(script)).await;
        until(|| stage.written() == "up\n", || stage.written()).await;
        let keeper = status(pid, "PPid").unwrap().parse().unwrap();
        until(|| children(keeper).len() == 1, || format!("{:?}", children(keeper))).await;
        drop(child);
        stage.count_is(0).await;
    });
}
