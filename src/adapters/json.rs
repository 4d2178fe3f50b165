//! State values as JSON text (RFC 8259), in both directions. The only place that knows the JSON library.

use devloop_core::effect::Values;
use devloop_core::names::StateKey;
use devloop_core::value::Value;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Reads one JSON object. An integer that fits into 64 bits keeps its digits; any other number is read as a double and
/// keeps the shortest text of its value. The error is the parser's words, or what else was found; nesting deeper than
/// 128 is one. Of a key that comes twice the last value counts.
pub fn object(text: &str) -> Result<BTreeMap<StateKey, Value>, String> {
    let found = match serde_json::from_str(text).map_err(|error| error.to_string())? {
        Json::Object(fields) => {
            return Ok(fields.into_iter().map(|(key, value)| (StateKey::new(key), from_json(value))).collect());
        }
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
    };
    Err(format!("expected a JSON object, found {found}"))
}

/// What a general reader makes of bytes, for tests of a reader of our own: the text where they are `{"value": text}`
/// alone, and nothing where they are any other JSON.
#[cfg(test)]
pub(super) fn text_of_value(bytes: &[u8]) -> Result<Option<String>, String> {
    let found = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Json::Object(fields) = found else { return Ok(None) };
    let text = fields.get("value").and_then(Json::as_str);
    Ok(text.filter(|_| fields.len() == 1).map(str::to_owned))
}

fn from_json(value: Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => Value::Number(number.to_string()),
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::Array(items.into_iter().map(from_json).collect()),
        Json::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, from_json(value))).collect()),
    }
}

/// One object with sorted keys, two spaces a level, and a line end.
pub fn pretty(values: &Values) -> String {
    let mut out = Vec::new();
    write_pretty(values, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// One value, two spaces a level, and a line end.
pub fn pretty_value(value: &Value) -> String {
    let mut out = Vec::new();
    write_value(value, 0, &mut out);
    out.push(b'\n');
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends one object with sorted keys, two spaces a level, and a line end.
pub(super) fn write_pretty(values: &Values, out: &mut Vec<u8>) {
    write_fields(values.iter().map(|(key, value)| (key.as_str(), value)), 0, out);
    out.push(b'\n');
}

fn write_value(value: &Value, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Number(text) => out.extend_from_slice(text.as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) if items.is_empty() => out.extend_from_slice(b"[]"),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                begin_item(index, depth + 1, out);
                write_value(item, depth + 1, out);
            }
            begin_line(depth, out);
            out.push(b']');
        }
        Value::Object(fields) => write_fields(fields.iter().map(|(key, value)| (key.as_str(), value)), depth, out),
    }
}

fn write_fields<'a>(fields: impl ExactSizeIterator<Item = (&'a str, &'a Value)>, depth: usize, out: &mut Vec<u8>) {
    if fields.len() == 0 {
        return out.extend_from_slice(b"{}");
    }
    out.push(b'{');
    for (index, (key, value)) in fields.enumerate() {
        begin_item(index, depth + 1, out);
        write_string(key, out);
        out.extend_from_slice(b": ");
        write_value(value, depth + 1, out);
    }
    begin_line(depth, out);
    out.push(b'}');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    // A string always has a JSON form, and a vector always has room.
    let _ = serde_json::to_writer(out, text);
}

fn begin_item(index: usize, depth: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
    begin_line(depth, out);
}

fn begin_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    for _ in 0..depth {
        out.extend_from_slice(b"  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_pretty(&object(text).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_written_sorted_with_two_spaces_a_level_and_a_line_end() {
        let text =
            r#"{"b": [1, {"y": null, "x": []}], "a\n\"": "é\u0001", "c": {}, "d": 18446744073709551615, "e": -0.5}"#;
        let expected = serde_json::to_string_pretty(&serde_json::from_str::<Json>(text).unwrap()).unwrap();
        assert_eq!(written(text), expected + "\n");
        assert_eq!(written("{}"), "{}\n");
    }

    #[test]
    fn what_was_written_is_read_again() {
        let text = r#"{"a": {"b": [true, false, null, "x\ty\u2028\u007f", 1e300, 0.1, -9223372036854775808]}}"#;
        let values = object(text).unwrap();
        assert_eq!(object(&written(text)).unwrap(), values);
    }

    #[test]
    fn anything_but_an_object_is_refused_by_name() {
        for (text, found) in [("[1]", "an array"), ("null", "null"), ("\"x\"", "a string"), ("1", "a number")] {
            assert_eq!(object(text), Err(format!("expected a JSON object, found {found}")));
        }
        assert!(object("{\"a\":1} x").unwrap_err().contains("trailing characters"));
        assert!(object("{\"a\":\0}").is_err());
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(object(&deep).unwrap_err().contains("recursion limit"));
        let held = format!("{{\"a\":{}1{}}}", "[".repeat(120), "]".repeat(120));
        assert!(object(&held).is_ok());
    }
}
