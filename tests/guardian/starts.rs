//! What a command finds when it begins, and how a start fails.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use devloop::adapters::guardian::{ExitStatus, Launch, Report, Stdin, Step, StopSignal};

use super::Case;
use super::stage::{Stage, exited, play, status, until, within};

pub(crate) const CASES: &[Case] = &[
    ("words_variables_and_the_folder_arrive_exactly", words_variables_and_the_folder_arrive_exactly),
    ("a_missing_program_is_enoent", a_missing_program_is_enoent),
    ("a_missing_folder_is_told_apart_from_a_missing_program", a_missing_folder_is_told_apart_from_a_missing_program),
    ("candidates_are_tried_in_order_and_a_refusal_is_told", candidates_are_tried_in_order_and_a_refusal_is_told),
    ("a_script_without_its_interpreter_is_told", a_script_without_its_interpreter_is_told),
    ("a_file_that_is_no_program_is_enoexec", a_file_that_is_no_program_is_enoexec),
    ("a_nul_byte_is_a_clean_error", a_nul_byte_is_a_clean_error),
    ("a_child_has_three_descriptors_and_default_signals", a_child_has_three_descriptors_and_default_signals),
    ("a_null_stdin_ends_at_once", a_null_stdin_ends_at_once),
    ("an_open_stdin_ends_when_the_child_is_stopped", an_open_stdin_ends_when_the_child_is_stopped),
    ("a_megabyte_of_environment_arrives", a_megabyte_of_environment_arrives),
    ("a_killed_spare_keeper_is_replaced", a_killed_spare_keeper_is_replaced),
];

fn words_variables_and_the_folder_arrive_exactly() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("");
        let script = "cat /proc/$$/cmdline /proc/$$/environ; pwd -P";
        launch.argv = ["a name", "-c", script, "", "a b\n$x", "ü"].map(Into::into).to_vec();
        launch.env = vec![("B".into(), "1=2".into()), ("A".into(), "".into()), ("PATH".into(), "/bin:/usr/bin".into())];
        assert_eq!(stage.run(launch).await, ExitStatus::Code(0));
        let folder = fs::canonicalize(stage.folder.path()).unwrap();
        let environment = "B=1=2\0A=\0PATH=/bin:/usr/bin\0";
        let expected = format!("a name\0-c\0{script}\0\0a b\n$x\0ü\0{environment}{}\n", folder.display());
        assert_eq!(stage.written(), expected);
    });
}

async fn failure(stage: &Stage, launch: Launch) -> (Step, i32) {
    let mut child = stage.guardian.launch(launch).unwrap();
    let Some(Report::StartFailed { step, errno }) = within(child.next_report()).await else { panic!("it started") };
    assert_eq!(within(child.next_report()).await, None);
    (step, errno)
}

fn a_missing_program_is_enoent() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("");
        launch.program = vec![stage.folder.path().join("absent"), "/dev/null/absent".into()];
        assert_eq!(failure(&stage, launch).await, (Step::Exec, libc::ENOENT));
        let mut nameless = stage.sh("");
        nameless.program.clear();
        assert_eq!(failure(&stage, nameless).await, (Step::Exec, libc::ENOENT));
    });
}

fn a_missing_folder_is_told_apart_from_a_missing_program() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("");
        launch.cwd = stage.folder.path().join("absent");
        assert_eq!(failure(&stage, launch).await, (Step::Chdir, libc::ENOENT));
    });
}

fn candidates_are_tried_in_order_and_a_refusal_is_told() {
    play(async |stage: Stage| {
        let refused = stage.folder.path().join("refused");
        fs::write(&refused, "#!/bin/sh\n").unwrap();
        let absent = stage.folder.path().join("absent");
        let mut launch = stage.sh("exit 4");
        launch.program = vec![absent.clone(), refused.clone(), "/bin/sh".into()];
        assert_eq!(stage.run(launch).await, ExitStatus::Code(4));
        let mut only_refused = stage.sh("");
        only_refused.program = vec![refused, absent];
        assert_eq!(failure(&stage, only_refused).await, (Step::Exec, libc::EACCES));
    });
}

fn script(stage: &Stage, text: &str) -> Launch {
    let path = stage.folder.path().join("script");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut launch = stage.sh("");
    launch.program = vec![path];
    launch
}

fn a_script_without_its_interpreter_is_told() {
    play(async |stage: Stage| {
        let launch = script(&stage, "#!/nowhere/at/all\n");
        assert_eq!(failure(&stage, launch).await, (Step::Interpreter, libc::ENOENT));
    });
}

fn a_file_that_is_no_program_is_enoexec() {
    play(async |stage: Stage| {
        let launch = script(&stage, "echo I am no program\n");
        assert_eq!(failure(&stage, launch).await, (Step::Exec, libc::ENOEXEC));
        assert_eq!(stage.written(), "");
    });
}

fn a_nul_byte_is_a_clean_error() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("exit 0");
        launch.argv.push("a\0b".into());
        let error = stage.guardian.launch(launch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(stage.run(stage.sh("exit 0")).await, ExitStatus::Code(0));
    });
}

fn a_child_has_three_descriptors_and_default_signals() {
    play(async |stage: Stage| {
        // Held by devloop, and not closed on exec: what a careless library would leave open.
        let leak = fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
        let mut launch = stage.sh("");
        launch.program = vec!["/bin/sleep".into(), "/usr/bin/sleep".into()];
        launch.argv = vec!["sleep".into(), stage.token.clone().into()];
        let (child, pid) = stage.start(launch).await;
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut open: Vec<String> = open.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        for set in ["SigBlk", "SigIgn", "SigPnd"] {
            assert_eq!(status(pid, set).as_deref(), Some("0000000000000000"), "{set}");
        }
        let group = rustix::process::getpgid(rustix::process::Pid::from_raw(pid.cast_signed())).unwrap();
        assert_eq!(group.as_raw_pid().cast_unsigned(), pid);
        drop(child);
        stage.count_is(0).await;
    });
}

fn a_null_stdin_ends_at_once() {
    play(async |stage: Stage| {
        assert_eq!(stage.run(stage.sh("cat; echo end")).await, ExitStatus::Code(0));
        assert_eq!(stage.written(), "end\n");
    });
}

fn an_open_stdin_ends_when_the_child_is_stopped() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("trap '' TERM; echo begin; cat; echo end; exit 5");
        launch.stdin = Stdin::Open;
        let (mut child, pid) = stage.start(launch).await;
        until(|| stage.written() == "begin\n" && !super::stage::children(pid).is_empty(), || stage.written()).await;
        let early = tokio::time::timeout(std::time::Duration::from_millis(100), child.next_report()).await;
        assert!(early.is_err(), "{early:?}");
        child.stop(StopSignal::Term);
        assert_eq!(exited(&mut child).await, ExitStatus::Code(5));
        assert_eq!(within(child.next_report()).await, Some(Report::Gone));
        assert_eq!(stage.written(), "begin\nend\n");
    });
}

fn a_megabyte_of_environment_arrives() {
    play(async |stage: Stage| {
        let mut launch = stage.sh("tr '\\0' '\\n' </proc/$$/environ | grep ^BIG | tr -cd x | wc -c");
        launch.env.extend((0..12).map(|n| (format!("BIG{n}").into(), "x".repeat(100_000).into())));
        assert_eq!(stage.run(launch).await, ExitStatus::Code(0));
        assert_eq!(stage.written().trim(), "1200000");
    });
}

fn a_killed_spare_keeper_is_replaced() {
    play(async |stage: Stage| {
        let guard = stage.guardian.pid();
        until(|| super::stage::children(guard).len() == 1, || "a spare keeper".to_owned()).await;
        super::stage::signal(super::stage::children(guard)[0].0, rustix::process::Signal::KILL);
        until(|| super::stage::children(guard).is_empty(), || "no keeper".to_owned()).await;
        assert_eq!(stage.run(stage.sh("exit 6")).await, ExitStatus::Code(6));
    });
}
