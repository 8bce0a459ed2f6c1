//! The embeddings protocol: a body out, vectors and usage in. Any field may be missing, null or of another type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::domain::embedding::{EmbedRequest, Embedding};

/// The body of an embeddings request. It requests floats, because some servers send base64 by default.
pub fn body(request: &EmbedRequest) -> Value {
    let EmbedRequest { model, input } = request;
    let input = match input.as_slice() {
        [one] => Value::from(one.as_str()),
        several => Value::from(several),
    };
    json!({ "model": model, "input": input, "encoding_format": "float" })
}

/// Reads a response: the vectors in the order of the texts, and the number of prompt tokens.
///
/// # Errors
/// A sentence, if it is not JSON or has no list of vectors.
pub fn read(text: &str) -> Result<(Vec<Embedding>, Option<u64>), String> {
    let answer: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    // OpenAI's shape; a list of vectors alone; a single one.
    let mut found: Vec<(u64, Embedding)> = Vec::new();
    if let Some(data) = answer.get("data").and_then(Value::as_array) {
        for (at, item) in data.iter().enumerate() {
            let index = item
                .get("index")
                .and_then(Value::as_u64)
                .unwrap_or(at as u64);
            found.push((index, vector(item.get("embedding").unwrap_or(item))?));
        }
    } else if let Some(all) = answer.get("embeddings").and_then(Value::as_array) {
        for (at, item) in all.iter().enumerate() {
            found.push((at as u64, vector(item)?));
        }
    } else if let Some(one) = answer.get("embedding") {
        found.push((0, vector(one)?));
    }
    if found.is_empty() {
        return Err("the response has no list of vectors under \"data\"".to_owned());
    }
    found.sort_by_key(|(index, _)| *index);
    let usage = answer.get("usage");
    let tokens = |name: &str| usage.and_then(|usage| usage.get(name)).and_then(count);
    let prompt_tokens = tokens("prompt_tokens").or_else(|| tokens("total_tokens"));
    Ok((
        found.into_iter().map(|(_, vector)| vector).collect(),
        prompt_tokens,
    ))
}

/// Whether it has the form of a response and an empty list where the vectors belong.
pub fn is_empty(text: &str) -> bool {
    let answer = serde_json::from_str::<Value>(text);
    answer.is_ok_and(|answer| {
        ["data", "embeddings"]
            .iter()
            .any(|name| answer[*name].as_array().is_some_and(Vec::is_empty))
    })
}

fn count(value: &Value) -> Option<u64> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    (number >= 0.0 && number.is_finite()).then_some(number as u64)
}

fn vector(value: &Value) -> Result<Embedding, String> {
    let values = match value {
        Value::Array(items) => {
            let number = |item: &Value| {
                item.as_f64()
                    .ok_or_else(|| "a vector contains something other than numbers".to_owned())
            };
            items.iter().map(number).collect::<Result<Vec<_>, _>>()?
        }
        // Little-endian floats of 32 bits, as OpenAI's clients ask for them.
        Value::String(text) => {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| "a vector is not valid base64".to_owned())?;
            let (floats, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return Err("a base64 vector is not a list of 32-bit floats".to_owned());
            }
            floats
                .iter()
                .map(|four| f64::from(f32::from_le_bytes(*four)))
                .collect()
        }
        _ => return Err("a vector is missing".to_owned()),
    };
    match values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        true => Err("a vector is empty or contains a value that is not a finite number".to_owned()),
        false => Ok(Embedding(values)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, vectors: &[&[f64]], tokens: Option<u64>) {
        let vectors: Vec<Embedding> = vectors
            .iter()
            .map(|values| Embedding(values.to_vec()))
            .collect();
        assert_eq!(read(text), Ok((vectors, tokens)), "{text}");
    }

    #[test]
    fn what_servers_really_send_is_read() {
        let usage = r#""usage": {"prompt_tokens": 3, "total_tokens": 3}"#;
        check(
            &format!(
                r#"{{"object": "list", "data": [{{"index": 0, "embedding": [1, -0.5]}}], {usage}}}"#
            ),
            &[&[1.0, -0.5]],
            Some(3),
        );
        check(
            r#"{"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}], "usage": null}"#,
            &[&[1.0], &[2.0]],
            None,
        );
        check(
            r#"{"data": [{"embedding": "AACAPwAAAMA="}], "usage": {"total_tokens": "7"}}"#,
            &[&[1.0, -2.0]],
            Some(7),
        );
        check(r#"{"data": [[1, 2]]}"#, &[&[1.0, 2.0]], None);
        check(r#"{"embeddings": [[1], [2]]}"#, &[&[1.0], &[2.0]], None);
        check(r#"{"embedding": [0.25]}"#, &[&[0.25]], None);
    }

    #[test]
    fn what_is_no_embedding_says_why() {
        for (text, why) in [
            ("<html>", "expected value"),
            ("{}", "no list of vectors"),
            (r#"{"data": []}"#, "no list of vectors"),
            (r#"{"data": [{"embedding": null}]}"#, "missing"),
            (r#"{"data": [{"embedding": []}]}"#, "empty"),
            (
                r#"{"data": [{"embedding": [1, "x"]}]}"#,
                "other than numbers",
            ),
            (r#"{"data": [{"embedding": "%%"}]}"#, "not valid base64"),
            (
                r#"{"data": [{"embedding": "AAA="}]}"#,
                "not a list of 32-bit floats",
            ),
            (
                r#"{"data": [{"embedding": "AADAfw=="}]}"#,
                "not a finite number",
            ),
        ] {
            let told = read(text).expect_err(text);
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn numbers_are_asked_for_and_one_text_is_no_list() {
        let of = |input: &[&str]| {
            let input = input.iter().map(|text| (*text).to_owned()).collect();
            body(&EmbedRequest {
                model: "m".to_owned(),
                input,
            })
        };
        assert_eq!(
            of(&["a"]),
            json!({"model": "m", "input": "a", "encoding_format": "float"})
        );
        assert_eq!(of(&["a", "b"])["input"], json!(["a", "b"]));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in r#"[\[\]{}:,."0-9a-zA-Z=+/ -]{0,80}"#) {
            let _ = read(&text);
            let _ = read(&format!("{{\"data\": [{{\"embedding\": {text}}}]}}"));
        }

        #[test]
        fn both_encodings_say_the_same(values in prop::collection::vec(prop::num::f32::NORMAL, 1..20)) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let coded = json!({"data": [{"embedding": STANDARD.encode(bytes)}]}).to_string();
            let exact: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            let plain = json!({"data": [{"embedding": exact}]}).to_string();
            prop_assert_eq!(read(&coded), read(&plain));
        }
    }
}
