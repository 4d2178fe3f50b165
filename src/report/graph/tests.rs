//! The three drawings of one small plan.

use super::*;
use devloop_config::Place;
use expect_test::expect;
use std::path::PathBuf;

const CONFIG: &str = r#"
root = "."
startup_workflows = ["serve"]
[watch.pages]
paths = ["content/", "style.css"]
workflow = "pages"
[event.publish]
state_key = "slug"
workflow = "share"
pattern = "^[a-z]+$"
[process.db]
command = ["postgres"]
[process.server]
command = ["cargo", "run"]
depends_on = ["db"]
[hook.build]
command = ["sh", "-c", "make all"]
[workflow.serve]
steps = [{ action = "start_process", process = "server" }]
[workflow.pages]
steps = [{ action = "parallel", steps = [{ action = "run_hook", hook = "build" }, { action = "sleep_ms", duration_ms = 5 }] }]
triggers = ["share"]
[workflow.share]
steps = [{ action = "run_hook", hook = "build" }, { action = "log", message = "see {{slug}}" }]
"#;

fn plan() -> Plan {
    devloop_config::load(CONFIG, &Place { folder: PathBuf::from("/p") }).plan.unwrap()
}

#[test]
fn as_text_it_is_a_page_of_inputs_workflows_and_conflicts() {
    let plan = plan();
    expect![[r"
        inputs
          startup   -> serve
          watch     pages (content/, style.css) -> pages
          event     publish (^[a-z]+$) -> share

        workflow pages
          1 at the same time:
            1.1 run_hook build: sh -c 'make all'
            1.2 sleep_ms 5
          then share

        workflow serve
          1 start_process server: cargo run

        workflow share
          1 run_hook build: sh -c 'make all'
          2 log 'see {{slug}}'

        processes that need others
          server: db

        never at the same time
          pages and share: hook build, workflow share
    "]]
    .assert_eq(&text(&plan, &Graph::of(&plan), 80, false));
}

#[test]
fn as_dot_every_node_and_arrow_is_there_once() {
    let plan = plan();
    expect![[r#"
        digraph devloop {
          rankdir=LR;
          node [fontname="sans-serif"];
          "session startup" [label="session\nstartup", shape=ellipse];
          "watch pages" [label="watch\npages", shape=ellipse];
          "event publish" [label="event\npublish", shape=ellipse];
          "workflow pages" [label="workflow\npages", shape=box];
          "workflow serve" [label="workflow\nserve", shape=box];
          "workflow share" [label="workflow\nshare", shape=box];
          "hook build" [label="hook\nbuild", shape=note];
          "process db" [label="process\ndb", shape=component];
          "process server" [label="process\nserver", shape=component];
          "session startup" -> "workflow serve" [label=""];
          "watch pages" -> "workflow pages" [label=""];
          "event publish" -> "workflow share" [label=""];
          "workflow pages" -> "hook build" [label="1.1 run_hook"];
          "workflow pages" -> "workflow share" [label="triggers"];
          "workflow serve" -> "process server" [label="1 start_process"];
          "workflow share" -> "hook build" [label="1 run_hook"];
          "process server" -> "process db" [label="depends on"];
          "workflow pages" -> "workflow share" [dir=none, style=dashed, constraint=false, label="hook build\nworkflow share"];
        }
    "#]].assert_eq(&dot(&Graph::of(&plan)));
}

#[test]
fn as_mermaid_names_cannot_be_words_of_the_language() {
    let plan = plan();
    expect![[r#"
        flowchart LR
          n0(["session<br>startup"])
          n1(["watch<br>pages"])
          n2(["event<br>publish"])
          n3["workflow<br>pages"]
          n4["workflow<br>serve"]
          n5["workflow<br>share"]
          n6[/"hook<br>build"/]
          n7[["process<br>db"]]
          n8[["process<br>server"]]
          n0 --> n4
          n1 --> n3
          n2 --> n5
          n3 -->|"1.1 run_hook"| n6
          n3 -->|"triggers"| n5
          n4 -->|"1 start_process"| n8
          n5 -->|"1 run_hook"| n6
          n8 -->|"depends on"| n7
          n3 -.-|"hook build<br>workflow share"| n5
    "#]]
    .assert_eq(&mermaid(&Graph::of(&plan)));
}
