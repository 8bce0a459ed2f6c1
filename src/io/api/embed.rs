//! One word made into an embedding, to see whether the model answers.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Api, Asked, Fault, Head, MOST_WHOLE, end, redact};
use crate::domain::units;
use crate::protocol::ActivityKind;
use crate::wire::fault;

impl Api {
    /// Asks for the embedding of one word (`POST /v1/embeddings`). Gives the time from sending to the last byte.
    ///
    /// # Errors
    /// As [`Api::chat`], and when no embedding is in the answer.
    pub async fn embed_one_word(&self, model: &str, known: &[String]) -> Result<Duration, Fault> {
        let asked = Asked { host: self.address.host(), model, known, had_key: self.key.is_some() };
        let url = format!("{}/embeddings", self.address.base());
        let body = json!({"model": model, "input": "Hi"}).to_string();
        let recording = self.recorder.begin(ActivityKind::Http, self.curl(&url, Some(&body)));
        let request = self
            .client
            .post(&url)
            .headers(self.headers())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        let outcome = async {
            let (sent, response, _) = self.send(request, &asked).await?;
            let head = Head::of(&response, self.key.as_ref());
            let body = self.read_whole(response, MOST_WHOLE, &asked).await?;
            let took = sent.elapsed();
            // A quoted one is base64.
            let is_embedding = |value: &Value| {
                value.as_array().is_some_and(|it| !it.is_empty())
                    || value.as_str().is_some_and(|it| !it.is_empty())
            };
            match serde_json::from_str::<Value>(&body) {
                Ok(answer) if is_embedding(&answer["data"][0]["embedding"]) => Ok(took),
                Ok(answer) if !answer["error"].is_null() => {
                    Err(fault::from_reply(&head.reply(&body), &asked))
                }
                _ => Err(fault::not_an_answer(&head.reply(&body), &asked)),
            }
        }
        .await;
        let outcome = outcome
            .map_err(|fault: Fault| Fault { failure: redact(fault.failure, self.key.as_ref()), ..fault });
        end(recording, &outcome, |took| format!("HTTP 200, {}", units::duration(*took)));
        outcome
    }
}
