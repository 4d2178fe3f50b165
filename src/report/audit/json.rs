//! The same for programs. The shape has a version; a field is added without one, and changed or taken away with a new one.

use super::words;
use super::{Audited, Owner, Program, commands};
use devloop_core::names::StateKey;
use devloop_core::plan::words::Words;
use devloop_core::reach::{Admits, Answer, Because, Finding, Held, Place, Poster, Reach, Reached, Source};
use devloop_core::value::Value;
use std::collections::BTreeMap;

/// The version of the shape.
const VERSION: u32 = 1;

/// The report, as the fields of one object.
pub fn json(audited: &Audited<'_>) -> BTreeMap<StateKey, Value> {
    let Audited { config, plan, audit, warnings, .. } = audited;
    let inputs = audit.inputs.iter().map(|reach| input(audited, reach)).collect();
    let fields = [
        ("version", Value::Number(VERSION.to_string())),
        ("config", Value::from(config.as_str())),
        ("root", Value::from(&*plan.root.to_string_lossy())),
        ("inputs", Value::Array(inputs)),
        ("findings", Value::Array(audit.findings.iter().map(finding).collect())),
        ("warnings", texts(warnings.iter().map(String::as_str))),
    ];
    fields.into_iter().map(|(name, value)| (StateKey::from(name), value)).collect()
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn texts<'t>(all: impl Iterator<Item = &'t str>) -> Value {
    Value::Array(all.map(Value::from).collect())
}

fn input(audited: &Audited<'_>, reach: &Reach) -> Value {
    object([
        ("source", source(&reach.source)),
        ("writes", texts(reach.writes.named.iter().map(StateKey::as_str))),
        ("writes_any_key", Value::Bool(reach.writes.is_any)),
        ("held", held(&reach.held)),
        ("posted_by", Value::Array(reach.posters.iter().map(poster).collect())),
        ("starts", reached(audited, &reach.starts)),
        ("lets_go_on", reached(audited, &reach.releases)),
        ("read_by", Value::Array(reach.readers.iter().map(|reader| Value::String(words::reader(reader))).collect())),
    ])
}

fn source(source: &Source) -> Value {
    let named = |kind: &str, name: &str| object([("kind", Value::from(kind)), ("name", Value::from(name))]);
    match source {
        Source::Event(name) => named("event", name.as_str()),
        Source::Rule(process, index) => object([
            ("kind", Value::from("output_rule")),
            ("name", Value::from(process.as_str())),
            ("rule", Value::Number((index + 1).to_string())),
        ]),
        Source::Observed(hook) => named("observed_hook", hook.as_str()),
        Source::Capture(hook) => named("captured_hook", hook.as_str()),
        Source::Watch(name) => named("watch", name.as_str()),
    }
}

fn poster(poster: &Poster) -> Value {
    let (kind, name) = match poster {
        Poster::Process(name) => ("process", name.as_str()),
        Poster::Hook(name) => ("hook", name.as_str()),
    };
    object([("kind", Value::from(kind)), ("name", Value::from(name))])
}

fn held(held: &Held) -> Value {
    let by = |by: &str| ("by", Value::from(by));
    let pattern = |pattern: &str| ("pattern", Value::from(pattern));
    match held {
        Held::Free => object([by("nothing")]),
        Held::Whole { pattern: text, admits } => object([by("pattern"), pattern(text), ("admits", admitted(admits))]),
        Held::Search { pattern: text } => object([by("search"), pattern(text)]),
        Held::Group { pattern: text, group, admits } => object([
            by("group"),
            pattern(text),
            ("group", Value::Number(group.to_string())),
            ("admits", admitted(admits)),
        ]),
        Held::Url { admits } => object([by("url_token"), ("admits", admitted(admits))]),
        Held::Paths => object([by("file_names")]),
    }
}

fn admitted(admits: &Admits) -> Value {
    let Admits { leading_dash, shell_metacharacters, white_space, any_length } = admits;
    let answer = |answer: &Answer| {
        Value::from(match answer {
            Answer::No => "no",
            Answer::Yes(_) => "yes",
            Answer::Undecided => "undecided",
        })
    };
    object([
        ("leading_dash", answer(leading_dash)),
        ("shell_metacharacters", answer(shell_metacharacters)),
        ("white_space", answer(white_space)),
        ("any_length", answer(any_length)),
    ])
}

fn reached(audited: &Audited<'_>, reached: &Reached) -> Value {
    let workflows = reached.workflows.iter().map(|(name, because)| {
        object([("name", Value::from(name.as_str())), ("because", Value::String(words::because(because)))])
    });
    let commands = commands(audited.plan, reached);
    let commands = commands.into_iter().map(|(owner, because, command)| {
        let program = (audited.look_up)(command);
        let (path, is_there) = match program {
            Program::Found(path) => (Value::from(&*path.to_string_lossy()), true),
            Program::Missing(Some(path)) => (Value::from(&*path.to_string_lossy()), false),
            Program::Missing(None) | Program::Unset(_) => (Value::Null, false),
        };
        let (kind, name) = of_owner(owner);
        object([
            ("kind", Value::from(kind)),
            ("name", Value::from(name)),
            ("because", because_of(owner, because)),
            ("argv", texts(command.argv.iter().map(Words::source))),
            ("program", path),
            ("is_there", Value::Bool(is_there)),
            ("cwd", Value::from(&*command.cwd.to_string_lossy())),
        ])
    });
    object([("workflows", Value::Array(workflows.collect())), ("commands", Value::Array(commands.collect()))])
}

fn of_owner(owner: Owner<'_>) -> (&'static str, &str) {
    match owner {
        Owner::Hook(name) => ("hook", name.as_str()),
        Owner::Process(name) => ("process", name.as_str()),
        Owner::Probe(name, role) => (role, name.as_str()),
    }
}

fn because_of(owner: Owner<'_>, because: &Because) -> Value {
    match owner {
        Owner::Hook(_) | Owner::Process(_) => Value::String(words::because(because)),
        Owner::Probe(..) => Value::from("probed when it is started"),
    }
}

fn finding(finding: &Finding) -> Value {
    let words::Words { what, why, hint } = words::finding(finding);
    let place = match &finding.place {
        Place::Input(input) => source(input),
        Place::Process(name) => poster(&Poster::Process(name.clone())),
        Place::Hook(name) => poster(&Poster::Hook(name.clone())),
        Place::Key(key) => object([("kind", Value::from("key")), ("name", Value::from(*key))]),
    };
    object([
        ("kind", Value::from(finding.kind.name())),
        ("also", texts(finding.kind.implies().iter().map(|kind| kind.name()))),
        ("where", place),
        ("what", Value::String(what)),
        ("why", Value::from(why)),
        ("do", Value::from(hint)),
    ])
}
