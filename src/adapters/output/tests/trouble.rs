//! Files that stall, close or fill up: the children that write to them wait or are dropped, and nobody else notices.

use super::*;

#[test]
fn a_stalled_stdout_makes_its_child_wait_and_nobody_else_and_loses_nothing() {
    const LINES: usize = 100_000;
    let (mut terminal, stdout) = pipe().unwrap();
    let stage = Stage::open(Wish { stdout: Some(stdout.into()), ..Wish::default() });
    let mut loud = stage.child("sh loud", |_| {});
    let mut quiet = stage.child("sh quiet", |streams| streams.rules = vec![port_rule()]);
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    let speaker = thread::spawn(move || {
        let text: Vec<u8> =
            (0..LINES).flat_map(|number| format!("{number:06} {}\n", "x".repeat(93)).into_bytes()).collect();
        // Pieces that end in the middle of lines.
        for piece in text.chunks(4093) {
            loud.stdout.write_all(piece).unwrap();
            counter.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    eventually(|| accepted.load(Ordering::Relaxed) > 1_000_000, || "the child writes".to_owned());
    quiet.stderr.write_all(b"port 1\n").unwrap();
    assert_eq!(quiet.heard.recv_timeout(DEADLINE).unwrap(), captured("1"));
    stage.output.line(own("still here"));
    stage.waits_for("err", "still here\n");
    // The loud child is in the middle of a line and not silent, however long it waits.
    for prompt in ["first> ", "second> "] {
        quiet.stderr.write_all(prompt.as_bytes()).unwrap();
        stage.waits_for("err", prompt);
    }
    assert!(accepted.load(Ordering::Relaxed) < LINES * 50, "the child did not wait");

    // A child that dies meanwhile is read to its end and answered for, though nobody reads its lines.
    let mut dead = stage.child("sh dead", |streams| streams.rules = vec![port_rule()]);
    dead.stdout.write_all(b"port 2").unwrap();
    drop((dead.stdout, dead.stderr));
    stage.drain(dead.id);
    assert_eq!(dead.heard.try_recv(), Ok(captured("2")));

    let reader = thread::spawn(move || {
        let mut text = String::new();
        terminal.read_to_string(&mut text).unwrap();
        text
    });
    speaker.join().unwrap();
    stage.drain(loud.id);
    stage.ends();
    let text = reader.join().unwrap();
    let loud: Vec<&str> = text.lines().filter(|line| line.starts_with("[sh loud] ")).collect();
    assert_eq!(loud.len(), LINES);
    for (number, line) in loud.iter().enumerate() {
        assert_eq!(line[10..16].parse(), Ok(number));
    }
    assert!(text.contains("[sh dead] port 2\n"));
}

#[test]
fn a_dead_child_with_a_megabyte_in_its_pipe_is_read_to_the_end_before_the_answer() {
    let (mut terminal, stdout) = pipe().unwrap();
    let stage = Stage::open(Wish { stdout: Some(stdout.into()), ..Wish::default() });
    let mut child = stage.child("sh hook", |streams| streams.capture = true);
    let written = [b"0123456789abcde\n".repeat(65_530), b"the end".to_vec()].concat();
    let bytes = written.clone();
    let speaker = thread::spawn(move || {
        child.stdout.write_all(&bytes).unwrap();
    });
    speaker.join().unwrap();
    let drained = stage.drain(child.id);
    assert_eq!(drained, Drained { captured: Some(written), overflowed: false });
    let reader = thread::spawn(move || {
        let mut text = String::new();
        terminal.read_to_string(&mut text).unwrap();
        text
    });
    let [_, _, log] = stage.ends();
    let text = reader.join().unwrap();
    assert_eq!(text.lines().count(), 65_531);
    assert!(text.ends_with("[sh hook] the end\n"));
    assert_eq!(text, log);
}

#[test]
fn a_closed_stdout_costs_one_warning_in_the_log_and_the_session_goes_on() {
    let (terminal, stdout) = pipe().unwrap();
    drop(terminal);
    let stage = Stage::open(Wish { stdout: Some(stdout.into()), ..Wish::default() });
    let mut child = stage.child("sh web", |streams| streams.rules = vec![port_rule()]);
    for number in 0..50 {
        child.stdout.write_all(format!("port {number}\n").as_bytes()).unwrap();
        stage.waits_for("log", &format!("port {number}\n"));
    }
    child.stdout.write_all(&b"z\n".repeat(150_000)).unwrap();
    child.stderr.write_all(b"on stderr\n").unwrap();
    stage.drain(child.id);
    assert_eq!(child.heard.try_iter().last(), Some(captured("49")));
    let [_, err, log] = stage.ends();
    assert_eq!(err, "[sh web] on stderr\n");
    assert_eq!(log.matches("cannot write to stdout: ").count(), 1);
    assert_eq!(log.matches("z\n").count(), 150_000);
}

#[test]
fn with_both_streams_closed_rules_still_run() {
    let (terminal, stdout) = pipe().unwrap();
    let (other, stderr) = pipe().unwrap();
    drop((terminal, other));
    let stage = Stage::open(Wish { stdout: Some(stdout.into()), stderr: Some(stderr.into()), ..Wish::default() });
    let mut child = stage.child("sh web", |streams| streams.rules = vec![port_rule()]);
    stage.output.line(own("devloop speaks"));
    child.stdout.write_all(&b"fill\n".repeat(100_000)).unwrap();
    child.stderr.write_all(b"port 7\n").unwrap();
    assert_eq!(child.heard.recv_timeout(DEADLINE).unwrap(), captured("7"));
    let [_, _, log] = stage.ends();
    assert_eq!(log.matches("cannot write to ").count(), 2, "{log:.300}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_the_log_costs_one_warning_and_no_line_on_the_terminal() {
    let log = File::options().write(true).open("/dev/full").unwrap();
    let stage = Stage::open(Wish { log: Some(log), ..Wish::default() });
    let mut child = stage.child("sh web", |_| {});
    child.stdout.write_all(&b"line\n".repeat(150_000)).unwrap();
    stage.waits_for("err", "the session log");
    stage.drain(child.id);
    let [out, err, _] = stage.ends();
    assert_eq!(out.lines().count(), 150_000);
    assert_eq!(err.matches("cannot write to the session log: ").count(), 1, "{err}");
    assert!(err.contains("No space left"), "{err}");
}

#[test]
fn a_stdout_that_someone_made_non_blocking_is_written_whole() {
    let (mut terminal, stdout) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&stdout, true).unwrap();
    let stage = Stage::open(Wish { stdout: Some(stdout.into()), ..Wish::default() });
    let mut child = stage.child("sh web", |_| {});
    let speaker = thread::spawn(move || child.stdout.write_all(&b"line\n".repeat(150_000)).unwrap());
    let reader = thread::spawn(move || {
        let mut text = String::new();
        terminal.read_to_string(&mut text).unwrap();
        text
    });
    speaker.join().unwrap();
    stage.ends();
    assert_eq!(reader.join().unwrap(), "[sh web] line\n".repeat(150_000));
}

#[test]
fn the_end_is_not_held_up_by_a_stalled_terminal() {
    let (terminal, stdout) = pipe().unwrap();
    let stage = Stage::open(Wish { stdout: Some(stdout.into()), ..Wish::default() });
    let mut child = stage.child("sh web", |_| {});
    child.stdout.write_all(&b"line\n".repeat(10_000)).unwrap();
    let log = stage.path("log");
    assert!(!stage.end.flush_and_stop(Duration::from_millis(300)));
    assert_eq!(fs::read_to_string(log).unwrap().lines().count(), 10_000);
    drop(terminal);
}

#[test]
fn own_lines_beyond_the_limit_are_counted_and_told() {
    const LINES: usize = 60_000;
    let (mut terminal, stderr) = pipe().unwrap();
    let stage = Stage::open(Wish { stderr: Some(stderr.into()), ..Wish::default() });
    for number in 0..LINES {
        stage.output.line(own(&format!("{number:06} {}", "x".repeat(92))));
    }
    // The reader thread has met all wishes once it answers this one.
    let child = stage.child("sh x", |_| {});
    stage.drain(child.id);
    let reader = thread::spawn(move || {
        let mut text = String::new();
        terminal.read_to_string(&mut text).unwrap();
        text
    });
    stage.ends();
    let text = reader.join().unwrap();
    let kept = text.lines().filter(|line| line.ends_with('x')).count();
    let told: usize = text
        .lines()
        .filter_map(|line| line.strip_prefix("[devloop output] WARN ")?.split_once(" line"))
        .map(|(count, _)| count.parse::<usize>().unwrap())
        .sum();
    assert!(kept > 40_000 && kept < LINES, "{kept}");
    assert_eq!(kept + told, LINES);
}
