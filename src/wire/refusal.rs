//! Which of the fields that Batida adds to a request a server refuses, in whatever words; and requests without them.

use serde_json::{Map, Value};

use crate::domain::dialect::Dialect;

/// Below these names validators repeat the request.
const ECHOES: [&str; 7] = [
    "input", "body", "request", "received", "payload", "params", "ctx",
];

/// Say that a field as such is not taken.
const UNKNOWN: [&str; 21] = [
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

/// Say that the value of a field that is taken is wrong.
const OF_VALUES: [&str; 11] = [
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

/// The fields that an error speaks of, as a server may send it with this status; `None` inside a good response.
pub fn refused(status: Option<u16>, body: &str) -> Dialect {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => refused_in(status, &value),
        Err(_) if body.trim_start().starts_with('<') => Dialect::default(),
        Err(_) => of_units(status, &[body.to_lowercase()]),
    }
}

/// The same of JSON.
pub fn refused_in(status: Option<u16>, error: &Value) -> Dialect {
    let mut units = Vec::new();
    collect("", error, &mut units);
    of_units(status, &units)
}

fn of_units(status: Option<u16>, units: &[String]) -> Dialect {
    // Servers that crash at a field answer 500; they must say more than its name.
    let needs_words = match status {
        None | Some(400 | 404 | 405 | 409 | 415 | 422 | 424 | 501) => false,
        Some(500 | 502 | 503) => true,
        Some(_) => return Dialect::default(),
    };
    let has_any = |unit: &str, words: &[&str]| words.iter().any(|word| unit.contains(word));
    let added = |names: &[&str]| {
        units.iter().any(|unit| {
            names.iter().any(|name| has_word(unit, name))
                && (!needs_words || has_any(unit, &UNKNOWN))
        })
    };
    let renamed = |unit: &String| {
        let named = ["max_tokens", "maxtokens"]
            .iter()
            .any(|name| has_word(unit, name));
        let instead =
            !needs_words && has_word(unit, "max_completion_tokens") && !has_any(unit, &OF_VALUES);
        named && (has_any(unit, &UNKNOWN) || instead)
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

/// What belongs together in an error: the strings of an object, and of the lists of strings in it, in lower case.
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
                .filter(|(name, _)| !ECHOES.contains(&name.as_str()))
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

/// pydantic prints what it was given behind what it says.
fn without_echo(text: &str) -> &str {
    text.split_once("input_value=")
        .map_or(text, |(before, _)| before)
}

/// Whether `word` stands in the text by itself: `max_tokens` is not in `max_tokens_to_sample`.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// A body as this dialect has it; `None` when it is so already, or no JSON object.
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
mod tests {
    use serde_json::json;

    use super::*;

    const STREAM: Dialect = Dialect {
        no_stream_options: true,
        max_completion_tokens: false,
        no_ignore_eos: false,
    };
    const TOKENS: Dialect = Dialect {
        no_stream_options: false,
        max_completion_tokens: true,
        no_ignore_eos: false,
    };
    const EOS: Dialect = Dialect {
        no_stream_options: false,
        max_completion_tokens: false,
        no_ignore_eos: true,
    };
    const NONE: Dialect = Dialect {
        no_stream_options: false,
        max_completion_tokens: false,
        no_ignore_eos: false,
    };

    #[test]
    fn refusals_are_read_in_every_form() {
        let forbidden = |name: &[&str]| json!({"type": "extra_forbidden", "loc": name, "msg": "Extra inputs are not permitted", "input": true});
        let stream = forbidden(&["body", "stream_options", "include_usage"]);
        for (body, dialect) in [
            (
                json!({"object": "error", "message": {"detail": [stream]}, "param": null}),
                STREAM,
            ),
            (
                json!({"detail": [stream], "message": [stream], "code": 3001}),
                STREAM,
            ),
            (json!({"detail": "stream_options: unknown"}), STREAM),
            (
                json!({"error": "unknown field `stream_options` at line 1"}),
                STREAM,
            ),
            (
                json!([{"error": {"code": 400, "message": "Unknown name \"streamOptions\": Cannot find field."}}]),
                STREAM,
            ),
            (
                json!({"error": {"param": "stream_options", "message": "Bad"}}),
                STREAM,
            ),
            (
                json!({"errors": {"stream_options": ["unknown field"]}}),
                STREAM,
            ),
            (
                json!({"errors": {"max_tokens": {"code": "unknown_parameter"}}}),
                TOKENS,
            ),
            (
                json!({"detail": [forbidden(&["body", "max_tokens"])]}),
                TOKENS,
            ),
            (
                json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. \
                Use 'max_completion_tokens' instead.", "param": "max_tokens", "code": "unsupported_parameter"}}),
                TOKENS,
            ),
            (
                json!({"error": {"param": "max_tokens", "code": "unsupported_parameter", "message": "no"}}),
                TOKENS,
            ),
            (
                json!({"message": "Please use max_completion_tokens, not max_tokens"}),
                TOKENS,
            ),
            (
                json!({"error": {"message": "Unrecognized request argument supplied: ignore_eos"}}),
                EOS,
            ),
            (
                json!({"error": {"message": "property 'ignore_eos' is unsupported"}}),
                EOS,
            ),
            (
                json!({"detail": [forbidden(&["body", "ignore_eos"]), stream]}),
                STREAM.and(EOS),
            ),
            (json!("unexpected keyword argument 'ignore_eos'"), EOS),
        ] {
            for status in [Some(400), Some(422), Some(404), None] {
                assert_eq!(refused_in(status, &body), dialect, "{body}");
            }
            assert_eq!(refused(Some(400), &body.to_string()), dialect, "{body}");
            assert_eq!(refused(Some(401), &body.to_string()), NONE, "{body}");
        }
        assert_eq!(
            refused(
                Some(422),
                "Failed to deserialize: unknown field `stream_options`"
            ),
            STREAM
        );
        assert_eq!(
            refused(
                Some(500),
                "TypeError: got an unexpected keyword argument 'stream_options'"
            ),
            STREAM
        );
    }

    #[test]
    fn other_errors_are_no_refusals() {
        let echoed =
            json!({"model": "m", "stream_options": {"include_usage": true}, "max_tokens": 5});
        for body in [
            json!({"error": {"message": "max_tokens is too large: 9. This model supports at most 8", "param": "max_tokens"}}),
            json!({"error": {"message": "'max_tokens' or 'max_completion_tokens' is too large: 200000. This model \
                supports at most 128000 completion tokens"}}),
            json!({"error": {"message": "max_tokens must be at least 1", "param": "max_tokens"}}),
            json!({"error": {"message": "Could not finish the message because max_tokens or model output limit was \
                reached. Please try again with higher max_tokens."}}),
            json!({"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": echoed}]}),
            json!({"message": "1 error for Body\nmessages\n Field required [type=missing, input_value={'stream_options': 1}]"}),
            json!({"error": {"message": "max_tokens_to_sample is unknown"}}),
            json!({"error": {"message": "stream is not supported", "param": "stream"}}),
            json!(null),
        ] {
            assert_eq!(refused_in(Some(400), &body), NONE, "{body}");
        }
        for body in ["", "<html>stream_options unknown</html>", "stream_options"] {
            assert_eq!(refused(Some(500), body), NONE, "{body}");
        }
    }

    #[test]
    fn bodies_are_adapted_in_their_order() {
        let body = br#"{"model":"m","messages":[],"stream":true,"stream_options":{},"max_tokens":5,"seed":1,"ignore_eos":true}"#;
        let adapted =
            |dialect| adapted(body, dialect).map(|body| String::from_utf8(body).expect("text"));
        assert_eq!(adapted(NONE), None);
        assert_eq!(
            adapted(STREAM.and(TOKENS).and(EOS)).as_deref(),
            Some(r#"{"model":"m","messages":[],"stream":true,"max_completion_tokens":5,"seed":1}"#)
        );
        assert_eq!(
            super::adapted(br#"{"model":"m"}"#, STREAM.and(TOKENS)),
            None
        );
        assert_eq!(super::adapted(b"[", STREAM), None);
    }
}
