//! What `devloop status` shows of what a session says.

use super::columns;
use super::escape::one_line;
use super::human;
use super::moment_of;
use super::page::Page;
use devloop_core::value::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// Columns of the labels at the top.
const LABEL: usize = 10;

type Fields = BTreeMap<String, Value>;

/// What a section shows of one item.
type Row = fn(&str, &Fields, SystemTime) -> Vec<String>;

/// The page of at most `width` columns, as things are `now`.
pub fn page(status: &Fields, now: SystemTime, width: usize, colors: bool) -> String {
    let mut page = Page::new(width, LABEL, colors);
    head(&mut page, &fields(status, "session"), now);
    let sections: [(&str, Row, &[&str]); 4] = [
        ("processes", process, &["PROCESS", "STATE", "PID", "FOR", "RESTARTS", "LAST EXIT"]),
        ("workflows", workflow, &["WORKFLOW", "STATE", "RUNS", "LAST RUN"]),
        ("observers", observer, &["OBSERVER", "WORKFLOW", "STATE"]),
        ("events", event, &["EVENT", "WORKFLOW", "STATE KEY"]),
    ];
    for (name, row, head) in sections {
        let items = fields(status, name);
        if items.is_empty() {
            continue;
        }
        let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
        let rows = items.iter().map(|(name, item)| row(&one_line(name), &object(item), now));
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
        page.blank();
        for (index, line) in columns::lines(&rows, width).into_iter().enumerate() {
            let line = if index == 0 { page.painted("2", &line) } else { painted(&page, &line, &rows[index][1]) };
            page.line(0, &line);
        }
        for remark in items.iter().filter_map(|(name, item)| remark(&one_line(name), &object(item))) {
            page.hanging(2, &remark);
        }
    }
    page.into_text()
}

/// A row with its state in a colour that says whether it is as it should be.
fn painted(page: &Page, line: &str, state: &str) -> String {
    let sgr = match state.split(',').next().unwrap_or_default() {
        "ready" | "running" => "32",
        "waiting" | "starting" | "stopping" => "33",
        "backing off" | "failed" => "31",
        _ => return line.to_owned(),
    };
    line.replacen(state, &page.painted(sgr, state), 1)
}

fn head(page: &mut Page, session: &Fields, now: SystemTime) {
    let since = since(session, "began", now).map_or(String::new(), |since| format!(" for {}", human::duration(since)));
    let phase = text(session, "phase").unwrap_or("running");
    page.title(&format!("devloop is {phase}{since} (pid {})", number(session, "pid")));
    let shown = [("config", "config"), ("log", "log"), ("events_url", "events"), ("reload_url", "reload")];
    for (key, label) in shown {
        if let Some(value) = text(session, key) {
            page.wrapped(0, label, &one_line(value));
        }
    }
}

fn process(name: &str, item: &Fields, now: SystemTime) -> Vec<String> {
    let pid = number(item, "pid");
    let is_up = !pid.is_empty();
    let uptime = since(item, "since", now).filter(|_| is_up).map_or(String::new(), human::duration);
    let ended = since(item, "last_exit_at", now).map_or(String::new(), |ago| format!(", {} ago", human::duration(ago)));
    let exit = text(item, "last_exit").map_or(String::new(), |how| format!("{}{ended}", one_line(how)));
    let state = text(item, "state").unwrap_or("").to_owned();
    vec![name.to_owned(), state, pid, uptime, number(item, "restarts"), exit]
}

fn workflow(name: &str, item: &Fields, now: SystemTime) -> Vec<String> {
    let last = fields(item, "last");
    let result = text(&last, "result");
    let state = match (text(item, "state"), result) {
        (Some("idle") | None, Some("failed")) => "failed".to_owned(),
        (state, _) if item.get("waiting") == Some(&Value::Bool(true)) && state == Some("running") => {
            "running, wanted again".to_owned()
        }
        (state, _) => state.unwrap_or("idle").to_owned(),
    };
    let last_run = result.map(|result| {
        let ago = since(&last, "ended", now).map_or(String::new(), |ago| format!(" {} ago", human::duration(ago)));
        let took = millis(&last, "took_ms").map_or(String::new(), |took| format!(", took {}", human::duration(took)));
        format!("{result}{ago}{took}")
    });
    // The cause is that of the run that began last.
    let is_running = text(item, "state") == Some("running");
    let began = since(item, "began", now).filter(|_| is_running);
    let began = began.map(|began| format!("began {} ago{}", human::duration(began), cause(item)));
    let cause = if is_running { String::new() } else { cause(item) };
    let last_run = last_run.map(|last_run| format!("{last_run}{cause}"));
    let told = began.into_iter().chain(last_run).collect::<Vec<_>>().join("; before: ");
    vec![name.to_owned(), state, number(item, "runs"), told]
}

/// What is wrong with a process or a workflow, which no column has room for.
fn remark(name: &str, item: &Fields) -> Option<String> {
    let last = fields(item, "last");
    let why = text(&last, "why").map(|why| format!("{name}: {}", one_line(why)));
    why.or_else(|| text(item, "trouble").map(one_line))
}

/// Which files, or events, a run began for: ` (src/a and 3 more)`; nothing where it was neither.
fn cause(item: &Fields) -> String {
    let names = |key: &str| match item.get(key) {
        Some(Value::Array(names)) => names.clone(),
        _ => Vec::new(),
    };
    let (files, events) = (names("changed_files"), names("events"));
    let (kind, names) = if files.is_empty() { ("event ", events) } else { ("", files) };
    let Some(Value::String(first)) = names.first() else { return String::new() };
    let more = names.len() - 1 + number(item, "changed_files_left_out").parse().unwrap_or(0);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!(" ({kind}{}{more})", one_line(first))
}

fn observer(name: &str, item: &Fields, _: SystemTime) -> Vec<String> {
    let failing = text(item, "failing").map_or("ok".to_owned(), |why| format!("failing: {}", one_line(why)));
    vec![name.to_owned(), text(item, "workflow").unwrap_or("").to_owned(), failing]
}

fn event(name: &str, item: &Fields, _: SystemTime) -> Vec<String> {
    let of = |key: &str| text(item, key).map_or(String::new(), one_line);
    vec![name.to_owned(), of("workflow"), of("state_key")]
}

fn object(value: &Value) -> Fields {
    match value {
        Value::Object(fields) => fields.clone(),
        _ => Fields::new(),
    }
}

fn fields(of: &Fields, key: &str) -> Fields {
    of.get(key).map(object).unwrap_or_default()
}

fn text<'a>(of: &'a Fields, key: &str) -> Option<&'a str> {
    match of.get(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn number(of: &Fields, key: &str) -> String {
    match of.get(key) {
        Some(Value::Number(number)) => number.clone(),
        _ => String::new(),
    }
}

fn millis(of: &Fields, key: &str) -> Option<Duration> {
    number(of, key).parse().ok().map(Duration::from_millis)
}

/// How long ago a moment was.
fn since(of: &Fields, key: &str, now: SystemTime) -> Option<Duration> {
    Some(now.duration_since(moment_of(text(of, key)?)?).unwrap_or_default())
}
