//! Fuzz target `template`: values are put in once, as they are, and never too much of them.

use devloop_core::names::StateKey;
use devloop_core::template::{RENDERED_BYTES_MAX, Template, is_key};
use devloop_core::value::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;

const DICTIONARY: &[&str] =
    &["{{", "}}", "{", "}", "{{a}}", "{{ a.b }}", "{{{", "}}}", ".", "-", " ", "\t", "é", "\0", "a"];

/// Values that would begin, end or be a template, were they looked at again.
const VALUES: &[&str] = &["", "v", "{{a}}", "{{", "}}", "{{{{x}}}}", "a}}{{b", "{{root}}\n"];

/// Stands for every value, and is no part of a corpus.
const MARK: &str = "\u{e000}";

fn rendered(template: &Template, value: &str) -> Option<String> {
    let value = Value::from(value);
    template.render(|_| Some(&value)).ok().map(|rendered| rendered.text)
}

fn check(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes).replace(MARK, "");
    let template = Template::parse(&source);
    assert_eq!(template.source(), source);
    let keys: BTreeSet<&str> = template.keys().map(StateKey::as_str).collect();
    assert!(keys.iter().all(|key| is_key(key) && source.contains(key)), "{keys:?}");
    let Some(marked) = rendered(&template, MARK) else {
        assert!(source.len() > RENDERED_BYTES_MAX / 2, "{} bytes became too many", source.len());
        return;
    };
    assert_eq!(marked.matches(MARK).count(), template.keys().count());
    if keys.is_empty() {
        assert_eq!(marked, source);
    }
    for value in VALUES {
        // What a reader that puts in each value once would write.
        let wanted = marked.replace(MARK, value);
        let is_short = wanted.len() <= RENDERED_BYTES_MAX;
        assert_eq!(rendered(&template, value), is_short.then_some(wanted), "value {value:?}");
    }
    assert_eq!(rendered(&template, &"x".repeat(RENDERED_BYTES_MAX + 1)).is_none(), !keys.is_empty());
    // Nothing is looked up but a key or where its path begins.
    let asked = RefCell::new(BTreeSet::new());
    let missing = template.render(|key| {
        asked.borrow_mut().insert(key.to_owned());
        None
    });
    let missing = missing.unwrap();
    assert_eq!(missing.text, marked.replace(MARK, ""));
    assert!(missing.missing.iter().map(StateKey::as_str).eq(keys.iter().copied()));
    for key in asked.into_inner() {
        let is_beginning = |whole: &&str| *whole == key || whole.starts_with(&format!("{key}."));
        assert!(keys.iter().any(is_beginning), "{key} was looked up");
    }
}

#[test]
fn mutated_templates_render_once_and_never_too_much() {
    crate::fuzz::target("template", DICTIONARY, check);
}
