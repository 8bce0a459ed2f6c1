//! `POST /v1/embeddings` of the demo: a made-up vector of each text.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};

/// As many numbers as the demo's embeddings have.
const DIMENSIONS: u64 = 16;

/// The answer to a request, or what is wrong with it.
pub(super) fn answer(ask: &Value) -> Result<Value, &'static str> {
    let texts: Vec<&str> = match &ask["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() {
        return Err("input must be a text, or a list of texts");
    }
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": embedding(text)}))
        .collect();
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count().max(1)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(json!({"object": "list", "data": data, "model": ask["model"], "usage": usage}))
}

/// The same for the same text, of length 1.
fn embedding(text: &str) -> Vec<f64> {
    let number = |dimension: u64| {
        let mut hasher = DefaultHasher::new();
        (text, dimension).hash(&mut hasher);
        (hasher.finish() >> 32) as f64 / f64::from(u32::MAX) - 0.5
    };
    let numbers: Vec<f64> = (0..DIMENSIONS).map(number).collect();
    let norm = numbers.iter().map(|it| it * it).sum::<f64>().sqrt();
    numbers.into_iter().map(|it| it / norm).collect()
}
