//! What a config may not say, and what is pointed out when it does: H35, V2, V10, V12 to V14.

use e2e::web::Posting;
use e2e::{Project, programs};
use std::process::Output;

/// A project with one event, `e`, of these keys.
fn with_event(keys: &str) -> Project {
    let project = Project::new(programs!());
    project.config(&format!("[event.e]\nworkflow = \"w\"\n{keys}\n[workflow.w]\nsteps = []\n"));
    project
}

fn told(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Refused by `validate` and by `run`, in these words.
fn assert_refused(keys: &str, words: &str) {
    let project = with_event(keys);
    for command in ["validate", "run"] {
        let output = project.call(&[command]);
        assert_eq!(output.status.code(), Some(1), "{command} of {keys}");
        assert!(told(&output).contains(words), "{command} of {keys}: {}", told(&output));
    }
}

/// Findings of `audit` of this kind, as its exit code tells.
fn audit_finds(kind: &str, keys: &str) -> bool {
    let output = with_event(keys).call(&["audit", "--deny", kind]);
    let code = output.status.code();
    assert!(code == Some(0) || code == Some(1), "{}", told(&output));
    code == Some(1)
}

// promise: event.check.2
#[test]
fn h35_no_event_writes_what_is_devloops_own() {
    for key in ["root", "last_workflow", "last_changed_files", "artifact.site.path"] {
        assert_refused(&format!("state_key = \"{key}\""), "is devloop's own");
    }
}

#[test]
fn v2_audit_points_at_values_that_could_be_options_and_the_example_quotes_and_ends_them() {
    for pattern in ["", "pattern = '^.+$'", "pattern = '^[a-z-]+$'", "pattern = '^(a|-rf)$'"] {
        assert!(audit_finds("leading-dash", &format!("state_key = \"e\"\n{pattern}")), "{pattern}");
    }
    for pattern in ["^[a-z][a-z-]*$", "^[^-].*$", "^posts/-$"] {
        assert!(!audit_finds("leading-dash", &format!("state_key = \"e\"\npattern = '{pattern}'")), "{pattern}");
    }
    let docs = told(&with_event("state_key = \"e\"").call(&["docs", "security"]));
    assert!(docs.contains("grep -F -- \"$slug\""), "{docs}");
}

// promise: event.check.1
#[test]
fn audit_points_at_values_that_a_shell_would_read_and_at_patterns_that_search_and_at_none() {
    let finds = |kind: &str, pattern: &str| audit_finds(kind, &format!("state_key = \"e\"\n{pattern}"));
    for pattern in ["", "pattern = '^[a-z;]{1,9}$'", "pattern = '^a.b$'", "pattern = 'x'\nmatch = 'search'"] {
        assert!(finds("shell-metacharacters", pattern), "{pattern}");
    }
    assert!(!finds("shell-metacharacters", "pattern = '^[a-z0-9-]{1,64}$'"));
    assert!(finds("search-pattern", "pattern = 'x'\nmatch = 'search'"));
    assert!(!finds("search-pattern", "pattern = '^x$'"));
    assert!(finds("unconstrained-input", "") && !finds("unconstrained-input", "pattern = '^x$'"));
}

#[test]
fn v10_a_pattern_is_anchored_at_both_ends_or_says_that_it_searches() {
    let open =
        ["posts/[a-z]+", "^posts/[a-z]+", "posts/[a-z]+$", "^a|b$", "(?m)^a$", "^(a$)?", "(^a)?b$", "[^]a$", "^a\\$"];
    for pattern in open {
        let project = with_event(&format!("state_key = \"e\"\npattern = '{pattern}'"));
        assert_eq!(project.call(&["validate"]).status.code(), Some(1), "{pattern}");
    }
    assert_refused("state_key = \"e\"\npattern = 'posts/[a-z]+'", "where a value begins and ends");
    for pattern in ["^posts/[a-z]+$", "^(a|b)$", "^a$|^b$", "\\Aa\\z"] {
        let output = with_event(&format!("state_key = \"e\"\npattern = '{pattern}'")).call(&["validate"]);
        assert_eq!(output.status.code(), Some(0), "{pattern}: {}", told(&output));
    }
    let searching = "state_key = \"e\"\npattern = 'posts/[a-z]+'\nmatch = \"search\"";
    assert_eq!(with_event(searching).call(&["validate"]).status.code(), Some(0));
    assert!(audit_finds("search-pattern", searching));
}

#[test]
fn v12_a_pattern_that_is_too_large_is_refused_and_no_value_makes_a_match_expensive() {
    assert_refused("state_key = \"e\"\npattern = '^(a{1000}){1000}$'", "more than 1 MiB");
    // An engine that backtracks would not be done with these while this machine lives.
    let posting = Posting::with(
        programs!(),
        "\n[event.heavy]\nstate_key = \"heavy\"\nworkflow = \"quiet\"\npattern = '^((a+)+|(a|a)*|[a-z]{1,900})+$'\n",
    );
    assert_eq!(posting.post("heavy", &format!("{}!", "a".repeat(8 * 1024 - 1))).status, 400);
    assert_eq!(posting.post("heavy", &"a".repeat(60 * 1024)).status, 400, "the length comes before the pattern");
    assert_eq!(posting.post("heavy", &"a".repeat(8 * 1024)).status, 204);
    posting.assert_alive();
}

#[test]
fn v13_a_misspelt_pattern_is_no_event_without_one() {
    for key in ["patern", "Pattern", "PATTERN", "patterns"] {
        assert_refused(&format!("state_key = \"e\"\n{key} = '^a$'"), &format!("unknown key `{key}`"));
    }
}

#[test]
fn v14_a_key_of_two_events_or_of_others_is_warned_of_and_in_the_audit() {
    let project = Project::new(programs!());
    project.config(
        r#"
[event.one]
state_key = "shared"
workflow = "w"
[event.two]
state_key = "shared"
workflow = "w"
[event.captured]
state_key = "captured"
workflow = "w"
[event.ruled]
state_key = "ruled"
workflow = "w"
[workflow.w]
steps = []
[hook.h]
command = ["PUPPET"]
capture = "text"
state_key = "captured"
[process.p]
command = ["PUPPET", "hang"]
output = { rules = [{ state_key = "ruled", pattern = "^(.)$" }] }
"#,
    );
    let session = project.run();
    session.wait_for("watching ");
    for others in [
        "event 'two' and event 'one'",
        "event 'captured' and hook 'h'",
        "event 'ruled' and an output rule of process 'p'",
    ] {
        let warning = session.wait_for(others);
        assert!(warning.contains("write the same state key"), "{warning}");
    }
    let output = project.call(&["audit", "--deny", "shared-key"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("3 shared-key"), "{}", told(&output));
}
