//! `POST /v1/embeddings` of the demo.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use serde_json::{Value, json};

use super::{AbortFlag, Authorized, ModelUse, Quirk, Shared, error, receive, refusal};
use crate::demo::embed;

/// Returns a vector for each text, after the model's time to first token.
pub(super) async fn make(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&shared, &headers, &body)
        .await
        .unwrap_or_else(|refusal| *refusal)
}

async fn answer(
    shared: &Shared,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, Box<Response>> {
    let came = Instant::now();
    let Authorized {
        body,
        authorization,
        aborted,
    } = receive(shared, headers, body)?;
    let invalid = |why: &str| Box::new(error(400, "invalid_value", why));
    let name = body["model"].as_str().unwrap_or_default();
    let (model, _) = shared.model(name)?;
    match &model.quirk {
        Quirk::Embeds => {}
        Quirk::Hangs => {
            let _gone = AbortFlag(aborted);
            return std::future::pending().await;
        }
        quirk @ Quirk::Refuses { .. } => {
            let refused = refusal(quirk, ModelUse::default(), &authorization);
            return refused.ok_or_else(|| invalid("This model does not create embeddings"));
        }
        _ => return Err(invalid("This model does not create embeddings")),
    }
    let texts: Option<Vec<&str>> = match &body["input"] {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let texts = texts
        .filter(|texts| !texts.is_empty() && texts.iter().all(|text| !text.is_empty()))
        .ok_or_else(|| {
            invalid("input must be a non-empty string or a list of non-empty strings")
        })?;
    let coded = body["encoding_format"] == "base64";
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
    let body = json!({"object": "list", "model": name, "data": data, "usage": usage});
    Ok(axum::Json(body).into_response())
}
