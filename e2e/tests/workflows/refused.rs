//! Workflows that would never end or mean two things.

use crate::project;

/// What `validate` says about workflows without steps of their own besides calls.
fn validate(workflows: &[(&str, &[&str], &[&str])]) -> (Option<i32>, String) {
    let mut config = String::new();
    for (name, calls, triggers) in workflows {
        let steps: Vec<String> =
            calls.iter().map(|call| format!("{{ action = \"run_workflow\", workflow = \"{call}\" }}")).collect();
        config.push_str(&format!("[workflow.{name}]\nsteps = [{}]\ntriggers = {triggers:?}\n", steps.join(", ")));
    }
    let output = project(&config).call(&["validate"]);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

// promise: workflow.check.1
#[test]
fn a_cycle_through_calls_and_triggers_is_refused_with_the_way_it_takes() {
    let (code, told) = validate(&[("a", &["b"], &[]), ("b", &[], &["a"])]);
    assert_eq!(code, Some(1));
    assert!(told.contains("workflow recursion detected: a -> b -> a"), "{told}");
    let (code, told) = validate(&[("a", &["a"], &[])]);
    assert_eq!(code, Some(1));
    assert!(told.contains("workflow recursion detected: a -> a"), "{told}");
    let (code, told) = validate(&[("a", &[], &["b"]), ("b", &[], &["c"]), ("c", &["b"], &[])]);
    assert_eq!(code, Some(1));
    assert!(told.contains("workflow recursion detected: b -> c -> b"), "{told}");
}

// promise: workflow.check.2
#[test]
fn a_workflow_that_one_run_reaches_as_trigger_and_by_call_is_refused() {
    let (code, told) = validate(&[("a", &["b"], &["c"]), ("b", &[], &["c"]), ("c", &[], &[])]);
    assert_eq!(code, Some(1));
    assert!(told.contains("reachable both as a trigger target and via run_workflow"), "{told}");
    let accepted = validate(&[("a", &["b"], &["c"]), ("b", &[], &["d"]), ("c", &[], &[]), ("d", &[], &[])]);
    assert_eq!(accepted, (Some(0), String::new()));
}
