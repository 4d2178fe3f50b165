//! Which kinds of saves are seen, wherever the config lies.

use super::{living, project};
use e2e::{Project, Session, programs, wait};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The text of a config with the process `more`, whose root is `root`.
fn more(project: &Project, root: &Path) -> String {
    let root = format!("root = \"{}\"", root.display());
    let text = fs::read_to_string(project.path("devloop.toml")).unwrap().replace("root = \".\"", &root);
    let process = living("more", "").replace("ROOT", project.root().to_str().unwrap());
    let puppet = text.split('"').find(|word| word.ends_with("puppet")).unwrap();
    format!("{text}\n{}", process.replace("PUPPET", puppet))
}

fn starts_more(session: &Session, project: &Project) {
    session.wait_for("applied: process 'more' added: starting it");
    wait::pid(&project.path("more"));
}

// promise: saved.file.1
#[test]
fn a_config_that_is_replaced_by_rename_is_seen() {
    let project = project(&living("server", ""));
    let session = project.run_watching();
    project.file("devloop.toml~new", &more(&project, &project.root()));
    fs::rename(project.path("devloop.toml~new"), project.path("devloop.toml")).unwrap();
    starts_more(&session, &project);
}

// promise: saved.file.2
#[test]
fn a_config_that_is_deleted_is_told_and_the_next_good_save_applies() {
    let project = project(&living("server", ""));
    let session = project.run_watching();
    let server = wait::pid(&project.path("server"));
    let text = more(&project, &project.root());
    fs::remove_file(project.path("devloop.toml")).unwrap();
    session.wait_for("cannot read the config: 'devloop.toml': No such file or directory");
    assert!(wait::is_alive(server));
    project.file("devloop.toml", &text);
    starts_more(&session, &project);
    assert!(wait::is_alive(server));
}

// promise: saved.file.3
#[test]
fn a_config_that_is_a_link_is_seen_when_its_target_is_saved_and_when_the_link_leads_elsewhere() {
    let project = project(&living("server", ""));
    let text = more(&project, &project.root());
    fs::create_dir(project.path("one")).unwrap();
    fs::create_dir(project.path("two")).unwrap();
    fs::rename(project.path("devloop.toml"), project.path("one/real.toml")).unwrap();
    symlink("one/real.toml", project.path("devloop.toml")).unwrap();
    let session = project.run_watching();
    project.file("two/real.toml", &text);
    symlink("two/real.toml", project.path("link")).unwrap();
    fs::rename(project.path("link"), project.path("devloop.toml")).unwrap();
    starts_more(&session, &project);
    fs::write(project.path("two/real.toml"), text.replace("ROOT/more", "ROOT/other")).unwrap();
    project.file("two/real.toml", &format!("{text}\n[process.last]\ncommand = [\"true\"]\n"));
    session.wait_for("applied: process 'last' added: starting it");
}

// promise: saved.file.3
#[test]
fn a_config_behind_a_folder_that_is_a_link_is_seen_when_that_leads_elsewhere() {
    let mut project = project(&living("server", ""));
    let text = more(&project, &project.root());
    fs::create_dir_all(project.path("way/one")).unwrap();
    let old = fs::read_to_string(project.path("devloop.toml")).unwrap();
    project.file(
        "way/one/devloop.toml",
        &old.replacen("root = \".\"", &format!("root = \"{}\"", project.root().display()), 1),
    );
    project.file("way/two/devloop.toml", &text);
    symlink("one", project.path("way/here")).unwrap();
    let session = {
        project.argument("--config").argument("way/here/devloop.toml");
        project.run_watching()
    };
    symlink("two", project.path("way/there")).unwrap();
    fs::rename(project.path("way/there"), project.path("way/here")).unwrap();
    starts_more(&session, &project);
    project.file("way/two/devloop.toml", &format!("{text}\n[process.last]\ncommand = [\"true\"]\n"));
    session.wait_for("applied: process 'last' added: starting it");
}

// promise: saved.file.4
#[test]
fn a_config_outside_of_root_is_watched_and_one_that_is_in_a_group_counts_for_it_too() {
    let mut project = Project::new(programs!());
    project.file("src/file", "old");
    project.record(&["src"], &format!("[watch.src]\npaths = [\"devloop.toml\"]\n{}", living("server", "")));
    project.file(
        "elsewhere/my[1].toml",
        &fs::read_to_string(project.path("devloop.toml")).unwrap().replacen("root = \".\"", "root = \"..\"", 1),
    );
    let session = {
        project.argument("--config").argument("elsewhere/my[1].toml");
        project.run_watching()
    };
    let root = project.root();
    project.file("elsewhere/my[1].toml", &more(&project, &root));
    starts_more(&session, &project);
    project.file("devloop.toml", "root = 1\n");
    let runs = project.wait_for_runs(1);
    assert_eq!(runs[0].files, ["devloop.toml"]);
    assert_eq!(session.count("the saved config has"), 0, "{}", session.told());
}

// promise: saved.file.5
#[test]
fn a_config_that_is_written_in_pieces_is_read_when_it_is_whole() {
    let project = project(&living("server", ""));
    let session = project.run_watching();
    let server = wait::pid(&project.path("server"));
    let text = more(&project, &project.root());
    // What is there after the first piece is a good config without any process.
    let pieces: Vec<&str> = text.split_inclusive('\n').collect();
    let mut file = fs::File::create(project.path("devloop.toml")).unwrap();
    for piece in pieces {
        file.write_all(piece.as_bytes()).unwrap();
        file.flush().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(15));
    }
    drop(file);
    starts_more(&session, &project);
    assert!(wait::is_alive(server));
    assert_eq!((session.count("applied: "), session.count("the saved config has")), (1, 0), "{}", session.told());
}

// promise: saved.file.6
#[test]
fn a_poll_watcher_sees_the_config_too() {
    let project = project(&format!("[watcher]\nkind = \"poll\"\npoll_interval_ms = 30\n{}", living("server", "")));
    let session = project.run_watching();
    project.file("devloop.toml", &more(&project, &project.root()));
    starts_more(&session, &project);
}

// promise: saved.end.1
#[test]
fn a_session_that_ends_ignores_a_save() {
    let project = project(&living("server", "").replace("\"hang\"", "\"ignore-term\", \"hang\"\n").replace("\n]", "]"));
    let mut session = project.run_watching();
    wait::pid(&project.path("server"));
    session.signal(rustix::process::Signal::INT);
    session.wait_for("received ctrl-c, shutting down");
    project.file("devloop.toml", &more(&project, &project.root()));
    session.signal(rustix::process::Signal::INT);
    assert_eq!(session.wait().code(), Some(0), "{}", session.told());
    assert_eq!(session.count("applied: "), 0);
}
