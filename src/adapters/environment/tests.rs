//! What children are told, with real files.

use super::*;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

struct World {
    temp: TempDir,
    pairs: Vec<(OsString, OsString)>,
}

impl World {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap(), pairs: Vec::new() }.with("PATH", "/bin:/usr/bin").with("HOME", "/h")
    }

    fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.pairs.push((name.into(), value.into()));
        self
    }

    fn root(&self) -> &Path {
        self.temp.path()
    }

    fn environment(&self) -> Environment {
        Environment::new(self.pairs.clone(), self.root(), &self.root().join(".devloop/state.json"))
    }

    fn command(&self, argv: &[&str], env: &[(&str, &str)]) -> CommandPlan {
        CommandPlan {
            argv: argv.iter().map(|word| Words::command(word)).collect(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), Words::strict(value).unwrap())).collect(),
            cwd: self.root().to_owned(),
        }
    }

    fn program(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn resolve(&self, argv: &[&str], env: &[(&str, &str)]) -> Result<Resolved, StartFailure> {
        self.environment().resolve(&self.command(argv, env), "", &Environment::startup_errand())
    }
}

/// A variable of another devloop, around this one.
fn outer(name: &str) -> String {
    env_vars::PREFIX.to_owned() + name
}

fn errand(files: &[&str]) -> Errand {
    Errand {
        workflow: "css".into(),
        changed_files: files.iter().map(|&file| Arc::from(file)).collect(),
        candidate: None,
    }
}

fn get<'a>(resolved: &'a Resolved, name: &str) -> Option<&'a str> {
    resolved.env.iter().find(|(found, _)| found == name).map(|(_, value)| value.to_str().unwrap())
}

fn unset(key: &str, variable: &str) -> StartFailure {
    StartFailure::UnsetVariable { key: key.to_owned(), variable: variable.to_owned() }
}

#[test]
fn a_child_sees_devloops_environment_then_its_own_then_ours() {
    let world = World::new().with("KEPT", "1").with("CHANGED", "old").with(&outer("EVENTS_TOKEN"), "outer");
    let resolved = world.resolve(&["sh"], &[("CHANGED", "$HOME/new"), ("ADDED", "a$$b")]).unwrap();
    let root = world.root().to_str().unwrap();
    let state = format!("{root}/.devloop/state.json");
    let expected = [
        ("ADDED", "a$b"),
        ("CHANGED", "/h/new"),
        (env_vars::CHANGED_FILES_JSON, "[]"),
        (env_vars::ROOT, root),
        (env_vars::STATE, &state),
        (env_vars::WORKFLOW, "startup"),
        ("HOME", "/h"),
        ("KEPT", "1"),
        ("PATH", "/bin:/usr/bin"),
    ];
    assert_eq!(resolved.env, expected.map(|(name, value)| (name.into(), value.into())));
    assert_eq!(resolved.cwd, world.root());
}

#[test]
fn a_hook_is_told_its_workflow_and_files() {
    let world = World::new();
    let errand = errand(&["a b.css", "line\n\"quote\".css", "\u{fffd}"]);
    let resolved = world.environment().resolve(&world.command(&["sh"], &[]), "", &errand).unwrap();
    assert_eq!(get(&resolved, env_vars::WORKFLOW), Some("css"));
    let list = r#"["a b.css","line\n\"quote\".css","#.to_owned() + "\"\u{fffd}\"]";
    assert_eq!(get(&resolved, env_vars::CHANGED_FILES_JSON), Some(&*list));
    assert_eq!(get(&resolved, env_vars::CHANGED_FILES_TRUNCATED), None);
    assert_eq!(get(&resolved, env_vars::CHANGED_FILES_PATH), None);
}

#[test]
fn a_long_list_is_cut_between_two_files_and_whole_in_a_private_file_until_the_child_ends() {
    let world = World::new();
    let names: Vec<String> = (0..20_000).map(|number| format!("src/file \"{number:05}\".rs")).collect();
    let errand = errand(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let resolved = world.environment().resolve(&world.command(&["sh"], &[]), "", &errand).unwrap();
    let shown = get(&resolved, env_vars::CHANGED_FILES_JSON).unwrap();
    assert!(shown.len() <= CHANGED_FILES_BYTES_MAX && shown.len() > CHANGED_FILES_BYTES_MAX - 32);
    let shown: Vec<String> = list_of(shown);
    assert_eq!(shown[..], names[..shown.len()]);
    assert_eq!(get(&resolved, env_vars::CHANGED_FILES_TRUNCATED), Some("1"));
    let path = PathBuf::from(get(&resolved, env_vars::CHANGED_FILES_PATH).unwrap());
    assert!(path.starts_with(world.root().join(".devloop/changed")));
    assert_eq!(list_of(&fs::read_to_string(&path).unwrap()), names);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(resolved);
    assert!(!path.exists());
}

/// Takes a list apart without a parser: the names hold no comma.
fn list_of(json: &str) -> Vec<String> {
    let inner = json.trim().strip_prefix("[\"").unwrap().strip_suffix("\"]").unwrap();
    inner.split("\",\"").map(|name| name.replace("\\\"", "\"")).collect()
}

#[test]
fn a_list_that_just_fits_is_whole() {
    let name = "x".repeat(CHANGED_FILES_BYTES_MAX - 4);
    let fitted = changed_files::fit(&[name.as_str().into()]);
    assert!(fitted.is_whole && fitted.text.len() == CHANGED_FILES_BYTES_MAX);
    let fitted = changed_files::fit(&[format!("{name}x").into()]);
    assert!(!fitted.is_whole && fitted.text == "[]");
}

#[test]
fn a_list_that_cannot_be_written_fails_the_start_in_words() {
    let world = World::new();
    fs::write(world.root().join(".devloop"), "a file").unwrap();
    let long = "x".repeat(CHANGED_FILES_BYTES_MAX);
    let failure = world.environment().resolve(&world.command(&["sh"], &[]), "", &errand(&[&long])).unwrap_err();
    let StartFailure::Refused { what, error } = failure else { panic!("{failure:?}") };
    assert!(
        what.contains("cannot write the list of changed files to '") && error.contains("directory"),
        "{what}: {error}"
    );
}

#[test]
fn lists_that_crashed_sessions_left_are_removed_and_nothing_else() {
    let world = World::new();
    let folder = world.root().join(".devloop/changed");
    world.environment().remove_stale_files();
    assert!(!folder.exists());
    for name in ["state.json.0123456789abcdef.json", "other.json.0123456789abcdef.json", "notes.json"] {
        world.program(&format!(".devloop/changed/{name}"), 0o600);
    }
    world.environment().remove_stale_files();
    let mut left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["notes.json", "other.json.0123456789abcdef.json"]);
}

#[test]
fn arguments_take_values_from_devloop_and_leave_the_childs_own_alone() {
    let world = World::new().with("A", "$HOME; b").with(&outer("X"), "outer");
    let resolved = world.resolve(&["sh", "-c", "$A $OWN $DEVLOOP_X $$f $1"], &[("OWN", "x")]).unwrap();
    assert_eq!(resolved.argv, ["sh", "-c", "$HOME; b $OWN $DEVLOOP_X $f $1"]);
}

#[test]
fn an_unset_variable_is_named_with_its_key() {
    let world = World::new().with(&outer("PORT"), "outer");
    assert_eq!(world.resolve(&["sh", "$NOPE"], &[]).unwrap_err(), unset("command[1]", "NOPE"));
    assert_eq!(world.resolve(&["sh"], &[("PORT", "$NOPE")]).unwrap_err(), unset("env.PORT", "NOPE"));
    // A variable of the item's own `env` is no source for its other variables.
    assert_eq!(world.resolve(&["sh"], &[("A", "x"), ("B", "$A")]).unwrap_err(), unset("env.B", "A"));
    let words = Words::strict("http://localhost:$DEVLOOP_PORT").unwrap();
    let failure = world.environment().resolve_words(&words, "readiness.url");
    assert_eq!(failure, Err(unset("readiness.url", &outer("PORT"))));
    let words = Words::strict("$HOME:1").unwrap();
    assert_eq!(world.environment().resolve_words(&words, "x"), Ok("/h:1".to_owned()));
}

#[test]
fn all_that_would_fail_is_known_before_a_start() {
    let world = World::new();
    let command = world.command(&["sh", "$NO1", "$HOME"], &[("PORT", "$NO2")]);
    let expected = [unset("liveness.command[1]", "NO1"), unset("liveness.env.PORT", "NO2")];
    assert_eq!(world.environment().unresolvable(&command, "liveness."), expected);
}

#[test]
fn a_value_that_is_not_utf8_is_inherited_but_cannot_be_used_in_a_text() {
    let bytes = OsString::from_vec(b"/caf\xe9".to_vec());
    let world = World::new().with("ODD", bytes.clone());
    assert!(world.resolve(&["sh"], &[]).unwrap().env.contains(&("ODD".into(), bytes)));
    let failure = world.resolve(&["sh", "$ODD"], &[]).unwrap_err();
    assert!(
        matches!(&failure, StartFailure::Refused { what, .. } if what.contains("'ODD' of `command[1]`")),
        "{failure:?}"
    );
}

#[test]
fn of_a_name_that_comes_twice_the_first_counts() {
    let world = World::new().with("TWICE", "first").with("TWICE", "second");
    assert_eq!(get(&world.resolve(&["sh"], &[]).unwrap(), "TWICE"), Some("first"));
}
