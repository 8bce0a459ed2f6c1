//! A simulated answer, written out token by token when each is due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::Shared;
use super::metrics::Place;
use super::request::{ChatBody, ChatBodyMessage};
use crate::demo::form::OutputFormat;
use crate::demo::model::{DemoModel, Quirk, Thinks};
use crate::demo::script::{self, AnswerLimits, Script};
use crate::demo::sight::{self, ImageSummary};
use crate::domain::conversation::Message;

/// The next part of the stream to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Role,
    Token(usize),
    Finish,
    Usage,
    Done,
    Break,
    End,
}

pub(super) struct ScriptedAnswer {
    id: String,
    model: String,
    script: Script,
    thinks: Thinks,
    /// In the form of the older completions.
    completes: bool,
    quirk: Quirk,
    came: tokio::time::Instant,
    extra: Duration,
    include_usage: bool,
    aborted: Arc<std::sync::atomic::AtomicBool>,
    first: Option<Duration>,
    step: Step,
    /// Given back when the answer ends.
    place: Option<Place>,
}

/// Sets the flag if the client closed the connection before the end.
impl Drop for ScriptedAnswer {
    fn drop(&mut self) {
        if self.step != Step::End {
            self.aborted
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

impl ScriptedAnswer {
    pub(super) fn new(
        shared: &Shared,
        model: &DemoModel,
        (ask, form, sights): (&ChatBody, &OutputFormat, &[ImageSummary]),
        came: Instant,
        extra: Duration,
        aborted: Arc<std::sync::atomic::AtomicBool>,
    ) -> Self {
        let wants_thinking = ask.chat_template_kwargs.get("enable_thinking")
            != Some(&Value::Bool(false))
            && !ask.completes;
        let lengths = AnswerLimits {
            max_tokens: ask
                .max_tokens
                .or(ask.max_completion_tokens)
                .map(|n| n.min(1_000_000) as usize),
            ignore_eos: ask.ignore_eos,
            thinking: model.thinks != Thinks::No && wants_thinking,
            stop: match &ask.stop {
                Value::String(stop) => vec![stop.clone()],
                Value::Array(list) => list
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                _ => Vec::new(),
            },
            first: sight::told(sights),
        };
        let seed = shared.options.seed ^ ask.seed.unwrap_or(0).cast_unsigned();
        let messages: Vec<Message> = ask.messages.iter().map(ChatBodyMessage::read).collect();
        let mut script = Script::write(seed, model, &messages, form, lengths);
        if ask.completes {
            // Nothing stands around the text.
            script.prompt_tokens -= u64::from(script::TOKENS_AROUND);
        }
        script.prompt_tokens += sights.iter().map(ImageSummary::tokens).sum::<u64>();
        match model.quirk {
            Quirk::Empty(_) => {
                script.answer.clear();
                script.due.truncate(script.reasoning.len());
            }
            Quirk::OnlyThinks => {
                script.reasoning = std::mem::take(&mut script.answer);
                script.cut = true;
            }
            _ => {}
        }
        Self {
            id: format!("demo-{:08x}", script.due.len()),
            model: model.name.clone(),
            script,
            thinks: if model.quirk == Quirk::OnlyThinks {
                Thinks::Reasoning
            } else {
                model.thinks
            },
            completes: ask.completes,
            quirk: model.quirk.clone(),
            came: came.into(),
            extra,
            include_usage: ask.stream_options.get("include_usage") == Some(&Value::Bool(true)),
            aborted,
            first: None,
            // A completion has no role to tell.
            step: if ask.completes {
                Step::Token(0)
            } else {
                Step::Role
            },
            place: None,
        }
    }

    /// Keeps its place among the requests that the model works on.
    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(super) async fn respond(mut self, stream: bool) -> Response {
        if !stream || self.quirk == Quirk::IgnoresStream {
            if let Some(last) = self.script.due.last() {
                tokio::time::sleep_until(self.came + self.extra + *last).await;
            }
            self.first = self.script.due.first().map(|first| self.extra + *first);
            self.step = Step::End;
            return axum::Json(self.whole()).into_response();
        }
        let body = stream::unfold(self, |mut answer| async move {
            let bytes = answer.next().await?;
            Some((bytes, answer))
        })
        .map(|bytes| bytes.ok_or("simulated break").map(Bytes::from));
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        (headers, Body::from_stream(body)).into_response()
    }

    /// The next part to write, once it is due. `Some(None)` resets the connection.
    async fn next(&mut self) -> Option<Option<String>> {
        let count = self.script.due.len();
        let midway = count / 2;
        match self.step {
            Step::Role => {
                self.step = Step::Token(0);
                let delta = json!({"role": "assistant", "content": ""});
                Some(Some(self.event(&delta, None)))
            }
            Step::Token(_) if self.quirk == Quirk::HangsAfterHead => std::future::pending().await,
            Step::Token(at) if at >= midway && self.quirk == Quirk::FailsMidway => {
                self.step = Step::End;
                let error = json!({"error": {"message": "the engine died (simulated)", "type": "server_error", "code": "internal_error"}});
                Some(Some(format!("data: {error}\n\n")))
            }
            Step::Token(at) if at >= midway && self.quirk == Quirk::DropsMidway => {
                self.step = Step::Break;
                Some(None)
            }
            Step::Token(at) if at >= midway && self.quirk == Quirk::EndsMidway => {
                self.step = Step::End;
                None
            }
            Step::Token(at) if at < count => Some(Some(self.tokens(at).await)),
            Step::Token(_) => {
                self.step = Step::Finish;
                self.finish()
            }
            Step::Finish if self.include_usage && self.quirk != Quirk::NoUsage => {
                self.step = Step::Usage;
                let object = self.object("chat.completion.chunk");
                let usage = json!({"choices": [], "id": self.id, "model": self.model, "object": object, "usage": self.usage()});
                Some(Some(format!("data: {usage}\n\n")))
            }
            Step::Finish | Step::Usage => {
                self.step = Step::Done;
                Some(Some("data: [DONE]\n\n".to_owned()))
            }
            Step::Done | Step::Break => {
                self.step = Step::End;
                None
            }
            Step::End => None,
        }
    }

    fn finish(&mut self) -> Option<Option<String>> {
        let reason = match self.quirk {
            Quirk::Empty(reason) => reason,
            _ if self.script.cut => "length",
            _ if !self.script.calls.is_empty() => "tool_calls",
            _ => "stop",
        };
        Some(Some(self.event(&json!({"content": ""}), Some(reason))))
    }

    /// Waits for the token at `at` and writes it with all others that are due by then: the timer has a resolution
    /// of a millisecond, in which a fast model writes several tokens.
    async fn tokens(&mut self, at: usize) -> String {
        tokio::time::sleep_until(self.came + self.extra + self.script.due[at]).await;
        let now = self.came.elapsed();
        self.first.get_or_insert(now);
        let mut text = String::new();
        let mut next = at;
        while next < self.script.due.len()
            && (next == at || self.extra + self.script.due[next] <= now)
        {
            text.push_str(&self.token(next));
            next += 1;
        }
        self.step = Step::Token(next);
        text
    }

    fn token(&self, at: usize) -> String {
        let thoughts = self.script.reasoning.len();
        let mut delta = serde_json::Map::new();
        if at < thoughts {
            let text = &self.script.reasoning[at];
            let (name, text) = match self.thinks {
                Thinks::ReasoningContent => ("reasoning_content", text.clone()),
                Thinks::Inline if at == 0 => ("content", format!("<think>\n{text}")),
                Thinks::Inline if at + 1 == thoughts => {
                    ("content", format!("{text}\n</think>\n\n"))
                }
                Thinks::Inline => ("content", text.clone()),
                Thinks::Reasoning | Thinks::No => ("reasoning", text.clone()),
            };
            delta.insert(name.to_owned(), Value::String(text));
        } else if let Some(call) = self.call_at(at - thoughts) {
            delta.insert("tool_calls".to_owned(), json!([call]));
        } else {
            delta.insert(
                "content".to_owned(),
                Value::String(self.script.answer[at - thoughts].clone()),
            );
        }
        self.event(&Value::Object(delta), None)
    }

    /// The piece of a call for the answer's token at `at`.
    fn call_at(&self, at: usize) -> Option<Value> {
        let mut before = 0;
        for (index, call) in self.script.calls.iter().enumerate() {
            let arguments = &self.script.answer[at];
            if at == before {
                let function = json!({"name": call.name, "arguments": arguments});
                return Some(
                    json!({"index": index, "id": call.id, "type": "function", "function": function}),
                );
            }
            before += call.tokens;
            if at < before {
                return Some(json!({"index": index, "function": {"arguments": arguments}}));
            }
        }
        None
    }

    fn event(&self, delta: &Value, finish_reason: Option<&str>) -> String {
        let mut choice = json!({"index": 0, "finish_reason": finish_reason, "logprobs": null});
        let (key, value) = if self.completes {
            ("text", &delta["content"])
        } else {
            ("delta", delta)
        };
        choice[key] = value.clone();
        let chunk = json!({
            "choices": [choice],
            "created": jiff::Timestamp::now().as_millisecond() as f64 / 1e3,
            "id": self.id,
            "model": self.model,
            "object": self.object("chat.completion.chunk"),
        });
        format!("data: {chunk}\n\n")
    }

    /// What it calls itself.
    fn object(&self, of_chat: &'static str) -> &'static str {
        if self.completes {
            "text_completion"
        } else {
            of_chat
        }
    }

    fn usage(&self) -> Value {
        let total = self.came.elapsed().as_secs_f64();
        let first = self.first.unwrap_or_default().as_secs_f64();
        let tokens = self.script.due.len();
        let after_first =
            (tokens > 1 && total > first).then(|| (tokens - 1) as f64 / (total - first));
        json!({
            "prompt_tokens": self.script.prompt_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens": tokens,
            "completion_tokens_details": {"reasoning_tokens": self.script.reasoning.len()},
            "total_tokens": self.script.prompt_tokens + tokens as u64,
            "completion_tokens_after_first_per_sec": after_first,
            "completion_tokens_per_sec": (total > 0.0).then(|| tokens as f64 / total),
            "time_to_first_token": self.first.map(|first| first.as_secs_f64()),
            "total_latency": total,
            "is_last_response": true,
        })
    }

    fn whole(&self) -> Value {
        let reasoning = self.script.reasoning.concat();
        let answer = self.script.answer.concat();
        let mut message = json!({"role": "assistant", "content": answer});
        let mut rest = self.script.answer.as_slice();
        let mut calls: Vec<Value> = Vec::new();
        for call in self.script.calls.iter().filter(|call| call.tokens > 0) {
            let (arguments, behind) = rest.split_at(call.tokens.min(rest.len()));
            rest = behind;
            let function = json!({"name": call.name, "arguments": arguments.concat()});
            calls.push(json!({"id": call.id, "type": "function", "function": function}));
        }
        let called = !calls.is_empty();
        if called {
            message["content"] = Value::Null;
            message["tool_calls"] = json!(calls);
        }
        let reason = match called {
            _ if self.script.cut => "length",
            true => "tool_calls",
            false => "stop",
        };
        if !reasoning.is_empty() {
            match self.thinks {
                Thinks::Inline => {
                    let answer = if called { "" } else { &answer };
                    message["content"] =
                        json!(format!("<think>\n{reasoning}\n</think>\n\n{answer}"))
                }
                Thinks::ReasoningContent => message["reasoning_content"] = json!(reasoning),
                Thinks::Reasoning | Thinks::No => message["reasoning"] = json!(reasoning),
            }
        }
        let choice = if self.completes {
            json!({"text": answer, "index": 0, "finish_reason": reason, "logprobs": null})
        } else {
            json!({"message": message, "index": 0, "finish_reason": reason})
        };
        json!({
            "choices": [choice],
            "created": jiff::Timestamp::now().as_second(),
            "id": self.id,
            "model": self.model,
            "object": self.object("chat.completion"),
            "usage": self.usage(),
        })
    }
}
