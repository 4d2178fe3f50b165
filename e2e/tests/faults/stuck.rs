//! A child that survives SIGKILL. One in an uninterruptible sleep needs a broken disk; one whose tracer does not reap it
//! (ptrace(2), "Death under ptrace") is as immortal for its parent, and any user can make it.
#![expect(unsafe_code, reason = "ptrace is a plain system call")]

use crate::project;
use e2e::{stray, wait};
use rustix::process::Signal;

/// Holds a process as its tracer for as long as this thread lives.
fn hold(pid: u32) {
    // SAFETY: the call takes integers; without options the tracee goes on as before.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid.cast_signed(), 0, 0) };
    assert_eq!(result, 0, "pid {pid} cannot be traced: {}", std::io::Error::last_os_error());
}

// promise: session.exit.1
#[test]
fn p11_what_survives_sigkill_is_named_with_its_pid_and_the_session_ends_without_it() {
    let project = project(
        r#"
[process.mortal]
command = ["PUPPET", "write-pid", "mortal.pid", "hang"]
[process.immortal]
command = ["PUPPET", "ignore-term", "write-pid", "immortal.pid", "hang"]
stop_timeout_ms = 100
"#,
    );
    let mut session = project.run();
    session.wait_for("started process immortal");
    let immortal = wait::pid(&project.path("immortal.pid"));
    let mortal = wait::pid(&project.path("mortal.pid"));
    let (held, is_held) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let tracer = std::thread::spawn(move || {
        hold(immortal);
        held.send(()).unwrap();
        // The tracee is let go with the thread that traces it.
        let _ = released.recv();
    });
    is_held.recv().unwrap();
    let began = std::time::Instant::now();
    session.signal(Signal::INT);
    let line = session.wait_for("waiting for process immortal");
    assert!(line.contains("killed, and still there"), "{line}");
    let status = session.wait();
    eprintln!("P11: exit after {:.1?}", began.elapsed());
    assert_eq!(status.code(), Some(1), "{}", session.told());
    let line = session.wait_for("survives SIGKILL");
    assert!(line.contains(&format!("pid {immortal} of process immortal")), "{line}");
    session.wait_for("immortal survived SIGKILL and was left behind");
    assert!(!wait::is_alive(mortal));
    assert!(stray::signal(immortal, Signal::KILL).is_ok(), "it is there until its tracer lets it go");
    drop(release);
    tracer.join().unwrap();
    wait::nothing_left(&project.root());
}
