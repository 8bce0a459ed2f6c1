//! One chunk of a stream, or one whole completion, in any shape that servers send.

mod error;
mod strict;

use std::borrow::Cow;

use serde_json::{Map, Value};

use self::error::error_in;
use self::strict::Strict;
use super::calls::{self, CallPiece};
use super::usage;
use crate::metrics::timeline::Usage;
use crate::protocol::FinishReason;

/// One chunk of a stream, or one whole completion.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk<'a> {
    /// Reasoning (`delta.reasoning`, `delta.reasoning_content`, or parts of the content). Not empty.
    pub reasoning: Option<Cow<'a, str>>,
    /// Answer text, possibly with `<think>` tags: see [`ThinkSplitter`](super::ThinkSplitter). A refusal is one too.
    /// Not empty.
    pub content: Option<Cow<'a, str>>,
    /// Functions that the model calls (`delta.tool_calls`, or `function_call`).
    pub calls: Vec<CallPiece>,
    /// Why the model stopped. [`FinishReason::Other`] is a word that is not known.
    pub finish: Option<FinishReason>,
    /// The token counts.
    pub usage: Option<Usage>,
    /// An error sent after the 200.
    pub error: Option<Value>,
    /// The model that the server names.
    pub model: Option<Cow<'a, str>>,
    /// Whether it has a list of choices, possibly empty, so that it is part of an answer and not a ping.
    pub answers: bool,
}

impl<'a> Chunk<'a> {
    /// Reads the data of one event, or a whole completion; a list of them as one.
    ///
    /// # Errors
    /// When it is neither a JSON object nor a list of such.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        // The strict form borrows and is fast. Chunks of other shapes are read leniently.
        if let Ok(strict) = serde_json::from_str::<Strict<'_>>(json)
            && strict.is_all(json)
        {
            return Ok(strict.into());
        }
        match serde_json::from_str::<Value>(json)? {
            Value::Object(map) => Ok(Self::lenient(&map)),
            Value::Array(items) if items.iter().all(Value::is_object) => {
                let mut all = Self::default();
                items
                    .iter()
                    .filter_map(Value::as_object)
                    .for_each(|item| all.add(Self::lenient(item)));
                Ok(all)
            }
            Value::Null => Ok(Self::default()),
            other => Err(serde::de::Error::custom(format!(
                "{other} is not an object"
            ))),
        }
    }

    /// Adds a later item of a list.
    fn add(&mut self, later: Chunk<'_>) {
        let join = |to: &mut Option<Cow<'a, str>>, more: Option<Cow<'_, str>>| {
            if let Some(more) = more {
                to.get_or_insert_default().to_mut().push_str(&more);
            }
        };
        let Chunk {
            reasoning,
            content,
            calls,
            finish,
            usage,
            error,
            model,
            answers,
        } = later;
        join(&mut self.reasoning, reasoning);
        join(&mut self.content, content);
        self.calls.extend(calls);
        self.finish = finish.or(self.finish.take());
        if let Some(usage) = usage {
            self.usage.get_or_insert_default().merge(usage);
        }
        self.error = self.error.take().or(error);
        self.model = model
            .map(|model| Cow::Owned(model.into_owned()))
            .or(self.model.take());
        self.answers |= answers;
    }

    fn lenient(value: &Map<String, Value>) -> Self {
        let choices = value.get("choices").filter(|choices| !choices.is_null());
        let choice = choices.and_then(|choices| match choices {
            // A whole document holds all of its choices, so its first one is the answer even if the server counts
            // from 1.
            Value::Array(list) => (list.iter().find(|choice| is_first(choice))).or_else(|| {
                list.first()
                    .filter(|choice| choice.get("message").is_some())
            }),
            one => Some(one),
        });
        let delta = choice.and_then(|choice| {
            let known = |name: &str| choice.get(name).filter(|delta| !delta.is_null());
            known("delta").or_else(|| known("message"))
        });
        let Texts { reasoning, content } = Texts::of(choice, delta);
        let text = |text: String| (!text.is_empty()).then_some(Cow::Owned(text));
        Self {
            reasoning: text(reasoning),
            content: text(content),
            calls: calls::read(
                delta.and_then(|delta| delta.get("tool_calls")),
                delta.and_then(|delta| delta.get("function_call")),
            ),
            finish: choice
                .and_then(|choice| choice.get("finish_reason"))
                .and_then(|reason| {
                    let word = reason.as_str().or_else(|| reason.get("type")?.as_str());
                    word.and_then(finish_reason)
                }),
            usage: usage::read(value, choice),
            error: error_in(value, choice, delta),
            model: value
                .get("model")
                .and_then(Value::as_str)
                .and_then(model_name)
                .map(Cow::Owned),
            answers: choices.is_some(),
        }
    }
}

/// Whether this is choice 0. Batida never requests more than one choice.
fn is_first(choice: &Value) -> bool {
    match choice.get("index") {
        None | Some(Value::Null) => true,
        Some(Value::String(index)) => index.trim() == "0",
        Some(index) => index.as_f64() == Some(0.0),
    }
}

/// The texts of a delta or a message.
#[derive(Default)]
struct Texts {
    reasoning: String,
    content: String,
}

impl Texts {
    fn of(choice: Option<&Value>, delta: Option<&Value>) -> Self {
        let mut texts = Self::default();
        let Some(delta) = delta else {
            // As the older completions API has it.
            if let Some(text) = choice.and_then(|choice| choice.get("text")) {
                texts.add(text, false);
            }
            return texts;
        };
        if delta.is_string() {
            texts.add(delta, false);
            return texts;
        }
        // Some servers send the same reasoning under several names.
        for name in [
            "reasoning",
            "reasoning_content",
            "thinking",
            "reasoning_text",
            "reasoning_details",
        ] {
            if texts.reasoning.is_empty()
                && let Some(value) = delta.get(name)
            {
                texts.add(value, true);
            }
        }
        for name in ["content", "refusal"] {
            if let Some(value) = delta.get(name) {
                texts.add(value, false);
            }
        }
        texts
    }

    /// A text, or parts of one: `{"type":"text","text":…}`, `{"type":"thinking","thinking":[…]}` and the like. Parts
    /// of other types (references, pictures) hold no text.
    fn add(&mut self, value: &Value, thinking: bool) {
        let to = if thinking {
            &mut self.reasoning
        } else {
            &mut self.content
        };
        match value {
            Value::String(text) => to.push_str(text),
            Value::Number(number) => to.push_str(&number.to_string()),
            Value::Array(parts) => parts.iter().for_each(|part| self.add(part, thinking)),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
                let thinking = thinking || kind.contains("think") || kind.contains("reason");
                for name in ["thinking", "reasoning", "reasoning_content", "summary"] {
                    if let Some(value) = part.get(name) {
                        self.add(value, true);
                    }
                }
                for name in ["text", "content", "value", "parts", "refusal"] {
                    if let Some(value) = part.get(name) {
                        self.add(value, thinking);
                    }
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// The finish reason; `None` for words that mean that there is none.
pub fn finish_reason(text: &str) -> Option<FinishReason> {
    const STOP: &[&str] = &[
        "stop",
        "eos",
        "eos_token",
        "end_turn",
        "stop_sequence",
        "complete",
        "completed",
    ];
    const LENGTH: &[&str] = &["length", "max_tokens", "max_output_tokens", "model_length"];
    const FILTER: &[&str] = &[
        "content_filter",
        "safety",
        "recitation",
        "prohibited_content",
        "blocklist",
    ];
    const CALLS: &[&str] = &["tool_calls", "function_call", "tool_use"];
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["", "null", "none"]) {
        return None;
    }
    Some(match text {
        _ if is(STOP) => FinishReason::Stop,
        _ if is(LENGTH) => FinishReason::Length,
        _ if is(FILTER) => FinishReason::ContentFilter,
        _ if is(CALLS) => FinishReason::ToolCalls,
        other => FinishReason::Other(Some(other.to_owned())),
    })
}

/// Whether an unknown finish reason means that the server stopped because of an error.
pub fn is_failure(word: &str) -> bool {
    const FAILURES: &[&str] = &[
        "error",
        "abort",
        "aborted",
        "cancelled",
        "canceled",
        "failed",
        "network_error",
        "server_error",
        "internal_error",
        "exception",
        "timeout",
        "timed_out",
        "insufficient_system_resource",
        "malformed_function_call",
    ];
    // Some add the reason behind a colon.
    let word = word.split(':').next().unwrap_or_default().trim();
    FAILURES
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether it is a name, and not a word such as `unknown`.
fn is_model_name(name: &str) -> bool {
    !["", "unknown", "none", "null", "default"]
        .iter()
        .any(|word| name.trim().eq_ignore_ascii_case(word))
}

fn model_name(name: &str) -> Option<String> {
    is_model_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
