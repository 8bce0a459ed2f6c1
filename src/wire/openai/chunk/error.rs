//! Errors inside a stream, in the places and shapes in which servers send them.

use serde_json::{Map, Value, json};

/// Values of `object`, `type` or `status` that mark a chunk as an error.
pub(super) fn says_error(word: &str) -> bool {
    ["error", "failed", "failure"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// The error that a chunk is or holds.
pub(super) fn error_in(
    value: &Map<String, Value>,
    choice: Option<&Value>,
    delta: Option<&Value>,
) -> Option<Value> {
    let alone = value
        .get("choices")
        .is_none_or(|choices| choices.as_array().is_none_or(Vec::is_empty));
    let within = |holder: Option<&Value>| own_error(holder?.as_object()?, alone);
    let message = choice.and_then(|choice| choice.get("message"));
    if let Some(error) = own_error(value, alone)
        .or_else(|| within(choice))
        .or_else(|| within(delta))
        .or_else(|| within(message))
    {
        return Some(error);
    }
    // Groq's `x_groq.error`, "why a stream was stopped early".
    let vendors = value.iter().filter(|(name, _)| name.starts_with("x_"));
    if let Some(error) = vendors
        .map(|(_, vendor)| within(Some(vendor)))
        .find_map(|error| error)
    {
        return Some(error);
    }
    if let Some(error) = marked(value) {
        return Some(error);
    }
    if !alone {
        return None;
    }
    if let Some(first) = value
        .get("errors")
        .and_then(Value::as_array)
        .and_then(|list| list.first())
    {
        return Some(first.get("error").unwrap_or(first).clone());
    }
    // The envelopes of gateways, and `response.failed` of the Responses API.
    if let Some(error) = ["data", "response", "result"]
        .iter()
        .find_map(|name| within(value.get(*name)))
    {
        return Some(error);
    }
    if value.get("fault").is_some_and(|fault| fault.is_object()) {
        return Some(Value::Object(value.clone()));
    }
    in_own_format(value)
}

/// A chunk that a word or a number in it marks as an error.
fn marked(value: &Map<String, Value>) -> Option<Value> {
    // vLLM's errors have no `error` member; other servers set a status.
    let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    if ["object", "type", "status"]
        .iter()
        .any(|name| says_error(word(name)))
    {
        return Some(Value::Object(value.clone()));
    }
    // MiniMax's `{"base_resp":{"status_code":1004,"status_msg":"login fail"}}`; good chunks have a zero there.
    let outcome = value.get("base_resp");
    if outcome
        .and_then(|outcome| outcome.get("status_code"))
        .is_some_and(|code| is_error(code, true))
    {
        return outcome.cloned();
    }
    None
}

/// The error of FastAPI, of gateways, and of servers with a format of their own.
fn in_own_format(value: &Map<String, Value>) -> Option<Value> {
    if value
        .get("detail")
        .is_some_and(|detail| is_error(detail, true))
    {
        return Some(Value::Object(value.clone()));
    }
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let words = [
        "message",
        "msg",
        "error_message",
        "error_msg",
        "errorMessage",
    ];
    let message = words.iter().find_map(|name| text(name))?;
    let code = ["code", "status", "error_code", "errorCode", "type"]
        .iter()
        .find_map(|name| value.get(*name));
    Some(json!({"message": message, "code": code}))
}

/// The `error` of an object. If it is a flag or a number, the sentence is next to it, so the whole object is the
/// error.
fn own_error(holder: &Map<String, Value>, alone: bool) -> Option<Value> {
    let error = holder.get("error").filter(|error| is_error(error, alone))?;
    let is_flag = matches!(error, Value::Bool(_) | Value::Number(_));
    Some(if is_flag {
        Value::Object(holder.clone())
    } else {
        error.clone()
    })
}

/// Whether an `error` member is really one: some servers send an empty one.
fn is_error(error: &Value, alone: bool) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => alone || !map.is_empty(),
    }
}
