//! Finds out which of the fields that Batida adds to requests a server rejects, and rewrites requests without them.

use serde_json::{Map, Value};

use crate::domain::dialect::Dialect;

/// Members in which validators repeat the request.
const ECHO_MEMBERS: [&str; 7] = [
    "input", "body", "request", "received", "payload", "params", "ctx",
];

/// A request quoted behind more objects than these is not looked for: nested ones take time that grows with the square.
const MAX_OBJECTS: usize = 100;

/// Words for a field that the server does not accept.
const UNKNOWN_FIELD: [&str; 21] = [
    "unsupported",
    "not support",
    "n't support",
    "unrecognized",
    "unrecognised",
    "not recogni",
    "unknown",
    "unexpected",
    "not permitted",
    "not allowed",
    "forbidden",
    "additional propert",
    "extra input",
    "extra field",
    "extra_forbidden",
    "no such",
    "cannot find field",
    "not implemented",
    "deprecated",
    "not accepted",
    "invalid field",
];

/// Words for a wrong value of a field that the server does accept.
const VALUE_ERRORS: [&str; 11] = [
    "too large",
    "too small",
    "too high",
    "at most",
    "at least",
    "exceed",
    "maximum",
    "minimum",
    "less than",
    "greater than",
    "between",
];

/// The rejected fields that an error body names. `status`: the response's, `None` for an error inside a stream.
pub fn refused(status: Option<u16>, body: &str) -> Dialect {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => refused_in(status, &value),
        Err(_) if body.trim_start().starts_with('<') => Dialect::default(),
        Err(_) => of_units(status, &[without_echo(body).to_lowercase()]),
    }
}

/// Like [`refused`], for a body that is parsed already.
pub fn refused_in(status: Option<u16>, error: &Value) -> Dialect {
    let mut units = Vec::new();
    collect("", error, &mut units);
    of_units(status, &units)
}

fn of_units(status: Option<u16>, units: &[String]) -> Dialect {
    // A server that crashes on a field sends a 500. The field's name alone proves nothing there.
    let needs_words = match status {
        None | Some(400 | 404 | 405 | 409 | 415 | 422 | 424 | 501) => false,
        Some(500 | 502 | 503) => true,
        Some(_) => return Dialect::default(),
    };
    let has_any = |unit: &str, words: &[&str]| words.iter().any(|word| unit.contains(word));
    let added = |names: &[&str]| {
        units.iter().any(|unit| {
            names.iter().any(|name| has_word(unit, name))
                && (!needs_words || has_any(unit, &UNKNOWN_FIELD))
        })
    };
    let renamed = |unit: &String| {
        let named = ["max_tokens", "maxtokens"]
            .iter()
            .any(|name| has_word(unit, name));
        let instead = !needs_words
            && has_word(unit, "max_completion_tokens")
            && !has_any(unit, &VALUE_ERRORS);
        named && (has_any(unit, &UNKNOWN_FIELD) || instead)
    };
    Dialect {
        no_stream_options: added(&[
            "stream_options",
            "streamoptions",
            "stream options",
            "include_usage",
        ]),
        max_completion_tokens: units.iter().any(renamed),
        no_ignore_eos: added(&["ignore_eos", "ignoreeos", "ignore eos"]),
    }
}

/// Collects the texts that belong together: the strings of each object with those of its lists, in lower case.
fn collect(name: &str, value: &Value, units: &mut Vec<String>) {
    let text = |value: &Value| match value {
        Value::String(text) => Some(without_echo(text).to_lowercase()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Object(fields) => {
            let mut unit = name.to_lowercase();
            for (name, value) in fields
                .iter()
                .filter(|(name, _)| !ECHO_MEMBERS.contains(&name.as_str()))
            {
                let flat: Vec<String> = match value {
                    Value::Array(items) => items.iter().filter_map(text).collect(),
                    other => text(other).into_iter().collect(),
                };
                if !flat.is_empty() {
                    unit = format!("{unit}\n{}: {}", name.to_lowercase(), flat.join(" . "));
                }
                collect_nested(name, value, units);
            }
            units.push(unit);
        }
        Value::Array(_) => collect_nested(name, value, units),
        other => units.extend(text(other)),
    }
}

fn collect_nested(name: &str, value: &Value, units: &mut Vec<String>) {
    match value {
        Value::Object(_) => collect(name, value, units),
        Value::Array(items) => {
            items
                .iter()
                .filter(|item| !item.is_string())
                .for_each(|item| collect(name, item, units));
            units.extend(
                items
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|text| without_echo(text).to_lowercase()),
            );
        }
        _ => {}
    }
}

/// The text without the input value that pydantic appends to its messages, and without a quoted request: an object, in
/// JSON or as Python prints it, that names `messages`. All fields stand in it, so none is named as the fault.
fn without_echo(text: &str) -> String {
    let mut rest = text
        .split_once("input_value=")
        .map_or(text, |(before, _)| before);
    let mut kept = String::new();
    for _ in 0..MAX_OBJECTS {
        let Some(at) = rest.find('{') else { break };
        let end = end_of_object(&rest[at..]);
        let (object, behind) = rest[at..].split_at(end);
        let is_request = has_word(object, "messages");
        // Of other objects only the brace, since a request may stand in them.
        let taken = if is_request { at } else { at + 1 };
        kept.push_str(&rest[..taken]);
        rest = if is_request { behind } else { &rest[at + 1..] };
    }
    kept + rest
}

/// The bytes of an object that begins here, by its braces; all of them where it is cut.
fn end_of_object(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// Whether the text contains `word` as a whole word: `max_tokens` is not in `max_tokens_to_sample`.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// The body rewritten for this dialect. `None` if nothing changes or the body is not a JSON object.
pub fn adapted(body: &[u8], dialect: Dialect) -> Option<Vec<u8>> {
    let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let drops = |name: &str| match name {
        "stream_options" => dialect.no_stream_options,
        "ignore_eos" => dialect.no_ignore_eos,
        _ => false,
    };
    let renames = |name: &str| dialect.max_completion_tokens && name == "max_tokens";
    if !fields.keys().any(|name| drops(name) || renames(name)) {
        return None;
    }
    let kept = fields.into_iter().filter(|(name, _)| !drops(name));
    let kept: Map<String, Value> = kept
        .map(|(name, value)| {
            (
                if renames(&name) {
                    "max_completion_tokens".to_owned()
                } else {
                    name
                },
                value,
            )
        })
        .collect();
    serde_json::to_vec(&kept).ok()
}

#[cfg(test)]
mod tests;
