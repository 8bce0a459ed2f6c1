//! `POST /v1/embeddings` of the demo.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde_json::{Value, json};

use super::{DEMO_KEY, Gone, Quirk, Received, Shared, error};
use crate::demo::embed;

/// A vector for each text, in as much time as the model takes to its first token.
pub(super) async fn make(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let came = Instant::now();
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let authorization = text(header::AUTHORIZATION);
    let json: Value = match serde_json::from_slice(&body) {
        Ok(json) => json,
        Err(why) => return error(400, "invalid_json", &format!("The body is no JSON: {why}")),
    };
    let aborted = Arc::new(std::sync::atomic::AtomicBool::new(false));
    if shared.options.keep_received {
        shared.received.lock().push(Received {
            authorization: authorization.clone(),
            content_type: text(header::CONTENT_TYPE),
            body: json.clone(),
            aborted: Arc::clone(&aborted),
        });
    }
    if authorization.as_deref() != Some(&format!("Bearer {DEMO_KEY}")) {
        return error(401, "invalid_api_key", "Invalid API key");
    }
    let name = json["model"].as_str().unwrap_or_default();
    let Some(model) = shared
        .options
        .models
        .iter()
        .find(|model| model.name == name)
    else {
        return error(404, "model_not_found", &format!("Model {name} not found"));
    };
    match &model.quirk {
        Quirk::Embeds => {}
        Quirk::Hangs => {
            let _gone = Gone(aborted);
            return std::future::pending().await;
        }
        _ => return error(400, "invalid_value", "This model does not make embeddings"),
    }
    let texts: Option<Vec<&str>> = match &json["input"] {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let Some(texts) =
        texts.filter(|texts| !texts.is_empty() && texts.iter().all(|text| !text.is_empty()))
    else {
        return error(
            400,
            "invalid_value",
            "input must be a text or a list of texts, none of them empty",
        );
    };
    let coded = json["encoding_format"] == "base64";
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = embed::embed(text);
            let embedding = match coded {
                true => {
                    let bytes: Vec<u8> = vector
                        .iter()
                        .flat_map(|value| value.to_le_bytes())
                        .collect();
                    Value::from(base64::engine::general_purpose::STANDARD.encode(bytes))
                }
                false => Value::from(vector),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: usize = texts.iter().map(|text| embed::tokens(text)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    tokio::time::sleep(model.ttft.saturating_sub(came.elapsed())).await;
    axum::Json(json!({"object": "list", "model": name, "data": data, "usage": usage}))
        .into_response()
}
