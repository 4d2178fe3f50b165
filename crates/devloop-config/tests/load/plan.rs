//! What a sound text becomes.

use crate::loaded;
use devloop_config::{Place, load};
use devloop_core::plan::Plan;
use devloop_core::plan::hook::Capture;
use devloop_core::plan::output::{BodyStyle, Extract};
use devloop_core::plan::probe::ProbeKind;
use devloop_core::plan::process::{Contain, RestartPolicy, StopSignal};
use devloop_core::plan::watch::{WatcherKind, WatcherPlan};
use devloop_core::plan::words::Words;
use devloop_core::plan::workflow::{OnBusy, Step};
use expect_test::expect;
use std::path::Path;
use std::time::Duration;

const EVERY_KEY: &str = include_str!("../accepts/every_key.toml");
const BASE: &str = "root = \".\"\n[watch.a]\npaths = [\"a\"]\n[workflow.a]\n";

fn plan(text: &str) -> Plan {
    let loaded = loaded(text);
    assert_eq!(loaded.diagnostics, []);
    loaded.plan.unwrap()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn what_is_not_said_has_its_default() {
    let plan = plan(&format!("{BASE}[process.p]\ncommand = [\"p\"]\n[hook.h]\ncommand = [\"h\"]\n"));
    assert_eq!(plan.root, Path::new("/home/me/site"));
    assert_eq!(plan.state_file, Path::new("/home/me/site/.devloop/state.json"));
    assert_eq!((plan.debounce, plan.concurrent), (millis(250), true));
    assert_eq!(plan.watcher, WatcherPlan { kind: WatcherKind::Native, poll_interval: millis(250), gitignore: true });
    let watch = &plan.watches["a"];
    assert_eq!((watch.workflow.as_str(), watch.leading, watch.ignore.len()), ("a", true, 0));
    let process = &plan.processes["p"];
    assert!(process.autostart && process.output.inherit && !process.output.raw);
    assert_eq!(process.command.cwd, Path::new("/home/me/site"));
    assert_eq!((process.restart, process.contain), (RestartPolicy::Never, Contain::Tree));
    assert_eq!((process.stop_signal, process.stop_timeout), (StopSignal::Term, millis(5000)));
    assert_eq!((process.restart_delay, process.restart_delay_max), (millis(250), millis(30_000)));
    assert_eq!((&process.readiness, &process.liveness), (&None, &None));
    assert_eq!(process.output.body_style, BodyStyle::Plain);
    let hook = &plan.hooks["h"];
    assert_eq!((hook.output.inherit, hook.output.body_style), (true, BodyStyle::Dim));
    assert_eq!((&hook.capture, &hook.observe, hook.timeout), (&Capture::Ignore, &None, None));
    let workflow = &plan.workflows["a"];
    assert_eq!((workflow.on_busy, workflow.steps.len(), workflow.triggers.len()), (OnBusy::Queue, 0, 0));
}

#[test]
fn a_process_is_what_its_table_says() {
    let plan = plan(EVERY_KEY);
    expect![[r#"
        ProcessPlan {
            command: CommandPlan {
                argv: [
                    "cargo",
                    "run",
                ],
                env: {
                    "DATA": "${HOME}/data",
                    "PRICE": "5$$",
                    "RUST_LOG": "info",
                },
                cwd: "/home/me/site/crates/server",
            },
            autostart: true,
            restart: OnFailure,
            readiness: None,
            liveness: Some(
                ProbePlan {
                    kind: StateKey {
                        key: port,
                    },
                    interval: 500ms,
                    timeout: 15s,
                },
            ),
            output: OutputPlan {
                inherit: false,
                body_style: Dim,
                rules: [],
                raw: true,
            },
            depends_on: {
                db,
                tunnel,
            },
            contain: Group,
            locks: {
                dist,
            },
            events: Some(
                {
                    url,
                },
            ),
            stop_signal: Int,
            stop_timeout: 0ns,
            restart_delay: 100ms,
            restart_delay_max: 1s,
        }
    "#]]
    .assert_debug_eq(&{
        let mut process = plan.processes["server"].as_ref().clone();
        process.readiness = None;
        process.output.rules.clear();
        process
    });
    let rules = &plan.processes["server"].output.rules;
    let groups: Vec<(&str, usize)> = rules
        .iter()
        .filter_map(|rule| match &rule.extract {
            Extract::Regex { pattern, capture_group } => Some((pattern.regex().as_str(), *capture_group)),
            Extract::UrlToken => None,
        })
        .collect();
    assert_eq!(groups, [("^port ([0-9]+)$", 1), (".+", 0)]);
    assert_eq!(plan.processes["tunnel"].output.rules[0].extract, Extract::UrlToken);
}

#[test]
fn probes_are_what_their_tables_say() {
    let plan = plan(EVERY_KEY);
    let readiness = plan.processes["server"].readiness.as_ref().unwrap();
    assert_eq!((readiness.interval, readiness.timeout), (millis(100), millis(5000)));
    let ProbeKind::Http { url, expect_body } = &readiness.kind else { panic!("{readiness:?}") };
    assert_eq!(url.source(), "http://127.0.0.1:8080/health");
    assert_eq!(expect_body.as_ref().unwrap().source(), "{{ version }}");
    let db = &plan.processes["db"];
    assert!(
        matches!(&db.readiness.as_ref().unwrap().kind, ProbeKind::Tcp { address } if address.source().ends_with(":5432"))
    );
    // An `exec` probe shares the folder and the environment of its process.
    let ProbeKind::Exec { command } = &db.liveness.as_ref().unwrap().kind else { panic!("{db:?}") };
    assert_eq!((&command.cwd, &command.env), (&db.command.cwd, &db.command.env));
    assert!(matches!(&plan.processes["tunnel"].readiness.as_ref().unwrap().kind, ProbeKind::Output { .. }));
}

#[test]
fn a_hook_is_what_its_table_says() {
    let plan = plan(EVERY_KEY);
    expect![[r#"
        HookPlan {
            command: CommandPlan {
                argv: [
                    "/home/me/site/slug.sh",
                ],
                env: {},
                cwd: "/opt",
            },
            output: OutputPlan {
                inherit: true,
                body_style: Plain,
                rules: [],
                raw: false,
            },
            capture: Text {
                state_key: slug,
            },
            observe: Some(
                ObservePlan {
                    workflow: publish,
                    interval: 2s,
                },
            ),
            timeout: Some(
                1s,
            ),
            locks: {
                dist,
            },
            events: Some(
                {},
            ),
        }
    "#]]
    .assert_debug_eq(&plan.hooks["slug"]);
}

#[test]
fn steps_keep_their_order() {
    let workflow = &plan(EVERY_KEY).workflows["content"];
    let actions: Vec<&str> = workflow.steps.iter().map(Step::action).collect();
    assert_eq!(
        actions,
        [
            "start_process",
            "restart_process",
            "wait_for_process",
            "stop_process",
            "run_hook",
            "write_state",
            "log",
            "run_workflow",
            "sleep_ms",
            "notify_reload",
            "publish_artifact",
            "parallel"
        ]
    );
    assert_eq!(workflow.steps[8], Step::Sleep(millis(50)));
    assert_eq!((workflow.on_busy, workflow.triggers[0].as_str()), (OnBusy::Restart, "after"));
}

#[test]
fn an_artifact_names_its_hook_and_its_consumers() {
    let plan = plan(EVERY_KEY);
    let pages = &plan.artifacts["pages"];
    let consumers: Vec<&str> = pages.consumers.iter().map(devloop_core::names::ProcessName::as_str).collect();
    assert_eq!((pages.build_hook.as_str(), &consumers[..], pages.retain), ("build", &["site"][..], 3));
}

#[test]
fn watch_patterns_are_relative_to_root_however_they_are_written() {
    let watch = &plan(EVERY_KEY).watches["content"];
    for path in ["content/a/b.md", "templates/x/y.html", "config.toml"] {
        assert!(watch.matches(path), "{path}");
    }
    for path in ["content/a.tmp", "templates/x.css", "config.toml.bak"] {
        assert!(!watch.matches(path), "{path}");
    }
    assert!(!watch.leading);
}

#[test]
fn paths_resolve_against_the_config_or_root() {
    let text = "root = \"../app/./x\"\nstate_file = \"s/../state.json\"\n[watch.a]\npaths = [\"a\"]\n[workflow.a]\n\
                [process.p]\ncommand = [\"./bin/../tool\", \"./arg\"]\ncwd = \"sub\"\n\
                [process.q]\ncommand = [\"bin/$ARCH/tool\"]\n[process.r]\ncommand = [\"$DIR/tool\"]\n\
                [process.s]\ncommand = [\"tool\"]\n";
    let loaded = loaded(text);
    let plan = loaded.plan.unwrap();
    assert_eq!(plan.root, Path::new("/home/me/app/x"));
    assert_eq!(plan.state_file, Path::new("/home/me/site/state.json"));
    let argv = |name: &str| -> Vec<String> {
        plan.processes[name].command.argv.iter().map(|word| word.source().to_owned()).collect()
    };
    assert_eq!(argv("p"), ["/home/me/app/x/tool", "./arg"]);
    assert_eq!(plan.processes["p"].command.cwd, Path::new("/home/me/app/x/sub"));
    assert_eq!(argv("q"), ["/home/me/app/x/bin/$ARCH/tool"]);
    assert_eq!(argv("r"), ["$DIR/tool"]);
    assert_eq!(argv("s"), ["tool"]);
}

#[test]
fn a_dollar_in_the_path_of_root_is_no_variable() {
    let text = format!("{BASE}[process.p]\ncommand = [\"bin/$X/p\"]\n[process.q]\ncommand = [\"bin/q\"]\n");
    let loaded = load(&text, &Place { folder: "/home/$me".into() });
    let plan = loaded.plan.unwrap();
    let program = |name: &str| -> Words { plan.processes[name].command.argv[0].clone() };
    let resolve = |words: Words| words.resolve(|name| (name == "X").then(|| "x".to_owned()), |_| false).unwrap();
    assert_eq!(resolve(program("p")), "/home/$me/bin/x/p");
    assert_eq!(resolve(program("q")), "/home/$me/bin/q");
}

#[test]
fn variables_are_known_with_their_places() {
    let uses: Vec<(String, String)> = loaded(EVERY_KEY)
        .variables
        .iter()
        .map(|used| (used.key.clone(), EVERY_KEY[used.span.clone()].to_owned()))
        .collect();
    // `$PORT` of the db is set by its own `env`, `$1` and `$DEVLOOP_STATE` belong to its script.
    let expected = [("process.db.command", "$HOME"), ("process.server.env.DATA", "${HOME}")];
    assert_eq!(uses, expected.map(|(key, written)| (key.to_owned(), written.to_owned())));
}

#[test]
fn events_and_their_listeners_are_in_the_plan() {
    let plan = plan(EVERY_KEY);
    let url = &plan.events["url"];
    assert_eq!((url.state_key.as_str(), url.workflow.as_str()), ("opened", "publish"));
    assert!(url.accepts("posts/a-1") && !url.accepts("posts/a-1\n") && !url.accepts("x posts/a"));
    assert!(plan.events["note"].accepts("1 a 2"));
    assert_eq!(plan.event_server.unwrap().bind.to_string(), "127.0.0.1:7001");
    let reload = plan.reload_server.as_ref().unwrap();
    assert_eq!(reload.bind.to_string(), "[::1]:0");
    assert_eq!(reload.allow_origins, ["http://app.test:8080", "https://dev.example.com"]);
    let granted = |list: Option<&_>| plan.granted(list).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(granted(plan.processes["server"].events.as_ref()), ["url"]);
    assert_eq!(granted(plan.processes["db"].events.as_ref()), ["note", "url"]);
    assert_eq!(granted(plan.hooks["slug"].events.as_ref()), [""; 0]);
}

// promise: reload.check.1
#[test]
fn listeners_are_there_only_when_someone_needs_them() {
    let listeners = |rest: &str| {
        let plan = plan(&format!("root = \".\"\n[watch.w]\npaths = [\"a/\"]\n{rest}"));
        (
            plan.event_server.map(|server| server.bind.to_string()),
            plan.reload_server.map(|server| server.bind.to_string()),
        )
    };
    let default = Some("127.0.0.1:0".to_owned());
    assert_eq!(listeners("[workflow.w]\n"), (None, None));
    assert_eq!(listeners("[workflow.w]\n[event_server]\n"), (default.clone(), None));
    assert_eq!(listeners("[workflow.w]\n[event.e]\nstate_key = \"k\"\nworkflow = \"w\"\n"), (default.clone(), None));
    assert_eq!(listeners("[workflow.w]\nsteps = [{ action = \"notify_reload\" }]\n"), (None, default));
}
