//! Children, keepers and devloop itself are killed, stopped and hindered.
#![expect(clippy::unnecessary_wraps, reason = "all faults have one form")]

use super::pass;
use crate::dice::Dice;
use crate::world::{ALWAYS, Outcome, World};
use rustix::process::{Pid, Signal, kill_process_group};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

/// A process that always runs, or one that it has left below itself.
fn victim(dice: &mut Dice) -> &'static str {
    let roles: Vec<&str> = ALWAYS.iter().flat_map(|(name, below)| below.iter().chain([name])).copied().collect();
    roles[dice.below(roles.len())]
}

fn process(dice: &mut Dice) -> &'static str {
    dice.pick(ALWAYS).0
}

pub(crate) fn kill_child(world: &mut World, dice: &mut Dice) -> Outcome {
    let name = process(dice);
    world.tell(format!("  {name} is killed"));
    let pid = world.pid_of(name);
    world.signal(pid, Signal::KILL);
    Ok(())
}

pub(crate) fn kill_group(world: &mut World, dice: &mut Dice) -> Outcome {
    let name = process(dice);
    world.tell(format!("  the group of {name} is killed"));
    if let Some(pid) = world.pid_of(name).and_then(|pid| Pid::from_raw(i32::try_from(pid).unwrap())) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    Ok(())
}

pub(crate) fn kill_keeper(world: &mut World, dice: &mut Dice) -> Outcome {
    let which = dice.below(ALWAYS.len());
    let keepers = world.keepers().1;
    if let Some(keeper) = keepers.get(which) {
        world.tell(format!("  the keeper {keeper}"));
        world.signal(*keeper, Signal::KILL);
    }
    Ok(())
}

pub(crate) fn stop_child(world: &mut World, dice: &mut Dice) -> Outcome {
    let role = victim(dice);
    let name = role.split('-').next().unwrap();
    world.tell(format!("  {role} is stopped, {name} is restarted"));
    let stopped = world.pid_of(role);
    world.signal(stopped, Signal::STOP);
    world.control(&format!("restart-{name}"));
    // Another life, also where it died by itself meanwhile.
    world.until_up(&format!("the stopped {role} is gone"), |world| {
        let is_there = stopped.is_some_and(|pid| world.census().iter().any(|m| m.pid == pid && m.role == role));
        (!is_there).then_some(())
    })
}

pub(crate) fn stop_devloop(world: &mut World, dice: &mut Dice) -> Outcome {
    let pid = world.session().pid();
    world.signal(pid, Signal::STOP);
    for number in 0..dice.between(1, 20) {
        world.project.file(&format!("src/asleep/f{number}"), &world.load.new_value());
    }
    let name = process(dice);
    if dice.one_in(2) {
        let child = world.pid_of(name);
        world.signal(child, Signal::KILL);
    }
    world.control(&format!("restart-{}", process(dice)));
    pass(dice, 2000);
    world.signal(pid, Signal::CONT);
    Ok(())
}

pub(crate) fn restart_storm(world: &mut World, dice: &mut Dice) -> Outcome {
    for _ in 0..dice.between(5, 60) {
        world.control(&format!("restart-{}", process(dice)));
        pass(dice, 30);
    }
    Ok(())
}

pub(crate) fn broken_program(world: &mut World, dice: &mut Dice) -> Outcome {
    let tool = world.project.path("bin/tool");
    let mut writing = None;
    let kind = *dice.pick(&["busy", "missing", "folder", "not executable", "half-written", "no interpreter", "empty"]);
    world.tell(format!("  it is {kind}"));
    std::fs::remove_file(&tool).unwrap();
    match kind {
        "busy" => {
            std::fs::copy(env!("CARGO_BIN_EXE_puppet"), &tool).unwrap();
            writing = Some(std::fs::OpenOptions::new().append(true).open(&tool).unwrap());
        }
        "missing" => {}
        "folder" => std::fs::create_dir(&tool).unwrap(),
        "half-written" => {
            let whole = std::fs::read(env!("CARGO_BIN_EXE_puppet")).unwrap();
            std::fs::write(&tool, &whole[..dice.between(1, whole.len() / 2)]).unwrap();
            std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        other => {
            let text = if other == "no interpreter" { "#!/nowhere/interpreter\n" } else { "" };
            std::fs::write(&tool, text).unwrap();
            let mode = if other == "not executable" { 0o644 } else { 0o755 };
            std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    for _ in 0..dice.between(1, 3) {
        world.control("restart-tool");
        pass(dice, 300);
    }
    drop(writing);
    world.install_tool();
    Ok(())
}

pub(crate) fn fork_tree(world: &mut World, dice: &mut Dice) -> Outcome {
    world.control("start-forker");
    world.until_up("the tree grows", |world| {
        (world.census().iter().filter(|m| m.role == "grown").count() > 5).then_some(())
    })?;
    pass(dice, 200);
    if dice.one_in(2) {
        world.tell("  its root is killed first");
        let pid = world.pid_of("forker");
        world.signal(pid, Signal::KILL);
    }
    world.control("stop-forker");
    Ok(())
}

pub(crate) fn crash_loop(world: &mut World, dice: &mut Dice) -> Outcome {
    let before = world.ears.count("process crasher exited with");
    world.control("start-crasher");
    let count = before + dice.between(2, 8);
    world.until_up("the crasher crashes", |world| {
        (world.ears.count("process crasher exited with") >= count).then_some(())
    })?;
    world.control("stop-crasher");
    Ok(())
}

pub(crate) fn stranger(world: &mut World, dice: &mut Dice) -> Outcome {
    let address = format!("127.0.0.1:{}", world.ports["web"]);
    world.control("stop-web");
    world.until_up("web is stopped", |world| world.pid_of("web").is_none().then_some(()))?;
    let listener = world.until_up("the port is free", |_| TcpListener::bind(&address).ok())?;
    let said = format!("process 'web' cannot start: address {address} is already in use");
    // An order of a fault before this one may come now, too: whoever asks again is told again.
    let refused = "process 'web' was not started: its address is taken";
    let (before, orders_before) = (world.ears.count(&said), world.ears.count(refused));
    world.control("start-web");
    world.until_up("it is said whose port it is not", |world| (world.ears.count(&said) > before).then_some(()))?;
    pass(dice, 300);
    let (times, orders) = (world.ears.count(&said) - before, world.ears.count(refused) - orders_before);
    drop(listener);
    world.control("start-web");
    if times <= orders { Ok(()) } else { Err(format!("'{said}' was said {times} times to {orders} orders")) }
}

pub(crate) fn mood(world: &mut World, dice: &mut Dice) -> Outcome {
    let mood = *dice.pick(&["hang", "drip", "endless", "redirect", "away", "error", "garbage", "close"]);
    world.tell(format!("  its mood: {mood}"));
    let before = world.pid_of("web");
    world.order("web", &format!("mood {mood}"));
    // What begins with a good status and never ends may count as an answer.
    if !matches!(mood, "endless" | "drip") && before.is_some() {
        world.until_up("a failing liveness probe restarts web", |world| {
            let now = world.pid_of("web");
            (now.is_some() && now != before).then_some(())
        })?;
    }
    pass(dice, 1000);
    world.order("web", "mood well");
    Ok(())
}

pub(crate) fn daemon(world: &mut World, dice: &mut Dice) -> Outcome {
    let name = *dice.pick(&["client", "printer", "tool"]);
    let before = world.pid_of(name);
    world.order(name, "daemon left-behind");
    if before.is_some() {
        world.until_up("it is there", |world| {
            (world.pid_of("left-behind").is_some() || world.pid_of(name) != before).then_some(())
        })?;
    }
    // A daemon goes when its process is stopped, not when it dies.
    if dice.one_in(2) {
        let pid = world.pid_of(name);
        world.signal(pid, Signal::KILL);
        pass(dice, 300);
    }
    world.control(&format!("restart-{name}"));
    Ok(())
}

pub(crate) fn kill_hook(world: &mut World, dice: &mut Dice) -> Outcome {
    for round in 0..dice.between(1, 3) {
        world.project.file("src/killed", &format!("{round} {}", world.load.new_value()));
        let hook = (0..50).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            world.pid_of("hook")
        });
        if let Some(pid) = hook {
            world.signal(pid, Signal::KILL);
            world.session().has_lost_records = true;
        }
    }
    // A run that failed has seen its change; the next one makes up for its record.
    pass(dice, 100);
    let failed = world.ears.count("workflow failed");
    world.tell(format!("  {failed} workflows have failed so far"));
    // Whose hook it was is not known: it may have been that of a storm's run.
    for path in ["src/killed", "page/killed.html"] {
        world.project.file(path, &world.load.new_value());
    }
    Ok(())
}

pub(crate) fn second_session(world: &mut World, _dice: &mut Dice) -> Outcome {
    let output = world.project.call(&["run"]);
    let pid = world.session().pid().to_string();
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(1) && told.contains(&pid) {
        Ok(())
    } else {
        Err(format!("a second session of {pid} ended with {}: {told}", output.status))
    }
}
