//! The file of a session, as another process reads it.

use super::*;
use devloop_core::effect::Values;
use devloop_core::notice::Notice;
use devloop_core::plan::Plan;
use devloop_core::value::Value;
use devloop_core::view::{Phase, View};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

const CONFIG: &str = r#"
root = "."
[watch.a]
paths = ["src/"]
[process.server]
command = ["server"]
[event.publish]
state_key = "slug"
workflow = "a"
[workflow.a]
steps = []
"#;

fn snapshot() -> Snapshot {
    let place = devloop_config::Place { folder: PathBuf::from("/p") };
    let plan: Arc<Plan> = Arc::new(devloop_config::load(CONFIG, &place).plan.unwrap());
    let view = View {
        phase: Phase::Arming,
        processes: BTreeMap::new(),
        runs: Vec::new(),
        waiting: Vec::new(),
        values: Arc::new(Values::new()),
    };
    let mut chronicle = Chronicle::default();
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let files: Arc<[Arc<str>]> = vec![Arc::from("src/a")].into();
    for (at, notice) in [
        (0, Notice::ProcessStarted { process: "server".into(), pid: 7 }),
        (1, Notice::WorkflowBegan { workflow: "a".into(), changed_files: files }),
        (2, Notice::WorkflowCancelled { workflow: "a".into() }),
        (3, Notice::ProcessStopped { process: "server".into() }),
        (4, Notice::ProcessStarted { process: "server".into(), pid: 8 }),
    ] {
        chronicle.heard(began + Duration::from_millis(at), &notice, &|| "words".to_owned());
    }
    let session = Session { pid: 5, config: "/p/devloop.toml".to_owned(), ..Session::default() };
    Snapshot { session: Arc::new(session), plan, view, chronicle }
}

fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, key| match value {
        Value::Object(fields) => &fields[*key],
        _ => panic!("{key} is in no object"),
    })
}

#[test]
fn a_snapshot_says_what_has_happened_and_what_is_going_on() {
    let value = snapshot().into_value();
    assert_eq!(at(&value, &["session", "phase"]), &"starting".into());
    assert_eq!(at(&value, &["processes", "server", "restarts"]).to_string(), "1");
    assert_eq!(at(&value, &["processes", "server", "last_exit"]), &"stopped, as asked".into());
    assert_eq!(at(&value, &["processes", "server", "since"]), &"1970-01-01T00:00:01.004Z".into());
    assert_eq!(at(&value, &["workflows", "a", "last", "result"]), &"cancelled".into());
    assert_eq!(at(&value, &["workflows", "a", "last", "took_ms"]).to_string(), "1");
    assert_eq!(at(&value, &["workflows", "a", "changed_files"]).to_string(), "[\"src/a\"]");
    assert_eq!(at(&value, &["events", "publish", "state_key"]), &"slug".into());
}

#[test]
fn the_file_is_whole_private_and_gone_with_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let state_file = folder.path().join("own/state.json");
    let file = StatusFile::start(&state_file).unwrap();
    file.show(snapshot());
    let began = Instant::now();
    let text = loop {
        if let Some(text) = read(&state_file).unwrap() {
            break text;
        }
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(json::object(&text).is_ok(), "{text}");
    let mode = std::fs::metadata(folder.path().join("own/state.json.status")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(file);
    assert_eq!(read(&state_file).unwrap(), None);
}
