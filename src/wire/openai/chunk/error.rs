//! Errors inside a stream, in the places and shapes in which servers send them.

use serde_json::{Map, Value, json};

/// Whether an event's name, or the `object`, `type` or `status` of a chunk, says that the answer failed.
pub fn names_failure(word: &str) -> bool {
    const FAILURES: &[&str] = &[
        "error",
        "exception",
        "fail",
        "abort",
        "fatal",
        "incomplete",
        "cancel",
        "crash",
        "killed",
        "interrupted",
        "overload",
    ];
    // The model goes on after a tool's failure.
    const OTHERS: &[&str] = &["tool", "mcp", "call", "warning"];
    let word = word.to_ascii_lowercase();
    let holds = |known: &[&str]| known.iter().any(|known| word.contains(known));
    holds(FAILURES) && !holds(OTHERS)
}

/// Whether an event's name, or the `type` or `level` of a chunk, says that it tells how the work goes on, so that its
/// message is neither an error nor text.
pub fn names_status(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "status", "progress", "info", "warning", "warn", "debug", "notice", "log", "metadata",
        "queue", "queued", "ping",
    ];
    let last = word.rsplit(['.', '_', '-', '/', ':']).next();
    last.is_some_and(|last| WORDS.iter().any(|known| last.eq_ignore_ascii_case(known)))
}

/// The error that a chunk is or holds. `name`: that of its event.
pub(super) fn error_in(
    name: &str,
    value: &Map<String, Value>,
    choice: Option<&Value>,
    delta: Option<&Value>,
) -> Option<Value> {
    let alone = value
        .get("choices")
        .is_none_or(|choices| choices.as_array().is_none_or(Vec::is_empty));
    let within = |holder: Option<&Value>| own_error(holder?.as_object()?, alone);
    let message = choice.and_then(|choice| choice.get("message"));
    let own = own_error(value, alone)
        .or_else(|| within(choice))
        .or_else(|| within(delta))
        .or_else(|| within(message));
    // Groq's `x_groq.error`, "why a stream was stopped early".
    let vendors = || {
        let vendors = value.iter().filter(|(name, _)| name.starts_with("x_"));
        vendors
            .map(|(_, vendor)| within(Some(vendor)))
            .find_map(|error| error)
    };
    if let Some(error) = own.or_else(vendors).or_else(|| marked(value)) {
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
    in_envelope(value).or_else(|| {
        let level = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(names_status)
        };
        let is_status = names_status(name) || ["type", "level", "event"].into_iter().any(level);
        (!is_status).then(|| in_own_format(value)).flatten()
    })
}

/// A chunk that a word or a number in it marks as an error.
fn marked(value: &Map<String, Value>) -> Option<Value> {
    // vLLM's errors have no `error` member; other servers set a status.
    let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    if ["object", "type", "status", "event"]
        .iter()
        .any(|name| names_failure(word(name)))
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

/// The error in an envelope of a gateway, in iFlytek's `header`, or in `response.failed` of the Responses API.
fn in_envelope(value: &Map<String, Value>) -> Option<Value> {
    const ENVELOPES: &[&str] = &[
        "data", "response", "result", "header", "metadata", "meta", "body", "output",
    ];
    let known = |name: &str| {
        ENVELOPES
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    let envelopes = value
        .iter()
        .filter(|(name, _)| known(name))
        .filter_map(|(_, envelope)| envelope.as_object());
    envelopes.into_iter().find_map(|envelope| {
        let fails = code_of(envelope).is_some_and(|code| code.is_number() && !is_success(code));
        own_error(envelope, true).or_else(|| fails.then(|| in_own_format(envelope)).flatten())
    })
}

/// The error of FastAPI, of gateways, and of servers with a format of their own.
fn in_own_format(value: &Map<String, Value>) -> Option<Value> {
    // FastAPI's is a sentence or a list; an object may be anything.
    if value.get("detail").is_some_and(|detail| match detail {
        Value::Object(detail) => ["message", "msg", "error"]
            .iter()
            .any(|name| detail.contains_key(*name)),
        other => is_error(other, true),
    }) {
        return Some(Value::Object(value.clone()));
    }
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let first = |names: &[&str]| names.iter().find_map(|name| text(name));
    let message = first(&[
        "message",
        "msg",
        "error_message",
        "error_msg",
        "errorMessage",
        "errmsg",
        "err_msg",
        "ret_msg",
        "status_msg",
    ]);
    let code = code_of(value);
    let refused = ["ok", "success"]
        .iter()
        .any(|name| value.get(*name) == Some(&Value::Bool(false)));
    let message = if refused {
        message.or_else(|| first(&["description", "reason"]))
    } else {
        message.filter(|_| !code.is_some_and(is_success))
    };
    (refused || message.is_some()).then(|| json!({"message": message, "code": code}))
}

fn code_of(value: &Map<String, Value>) -> Option<&Value> {
    let names = [
        "code",
        "status",
        "error_code",
        "errorCode",
        "errcode",
        "err_code",
        "ret_code",
        "retcode",
        "status_code",
        "type",
    ];
    names.iter().find_map(|name| value.get(*name))
}

/// Whether a code or a status says that all is well.
fn is_success(code: &Value) -> bool {
    match code {
        Value::Number(code) => code
            .as_i64()
            .is_some_and(|code| code == 0 || (200..300).contains(&code)),
        Value::String(word) => {
            const WORDS: &[&str] = &[
                "0",
                "200",
                "ok",
                "success",
                "succeeded",
                "completed",
                "complete",
                "done",
                "finished",
                "running",
                "in_progress",
                "processing",
                "queued",
                "pending",
                "started",
            ];
            WORDS
                .iter()
                .any(|known| word.trim().eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}

/// The `error` of an object, whatever the case of its name, or what else it is called. If it is a flag or a number,
/// the sentence is next to it, so the whole object is the error.
fn own_error(holder: &Map<String, Value>, alone: bool) -> Option<Value> {
    const NAMES: &[&str] = &["error", "err", "exception", "fault"];
    let known = |name: &str| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    let (name, error) = holder
        .iter()
        .find(|(name, error)| known(name) && is_error(error, alone))?;
    Some(match error {
        Value::Bool(_) | Value::Number(_) => Value::Object(holder.clone()),
        Value::Object(_) if name == "fault" => Value::Object(holder.clone()),
        Value::Object(error) => {
            let lower = error
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
            let is_titled = error.contains_key("Message") && !error.contains_key("message");
            Value::Object(if is_titled {
                lower.collect()
            } else {
                error.clone()
            })
        }
        error => error.clone(),
    })
}

/// Whether an `error` member is really one: some servers send an empty one.
fn is_error(error: &Value, alone: bool) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            let none = ["", "none", "null", "false", "no error"];
            !none
                .iter()
                .any(|word| text.trim().eq_ignore_ascii_case(word))
                && !is_success(error)
        }
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => alone || map.values().any(|value| is_error(value, false)),
    }
}
