//! One chunk of a stream, or one whole completion, in any shape that servers send.

mod elsewhere;
mod error;
mod strict;

use std::borrow::Cow;

use serde_json::{Map, Value};

use self::elsewhere::text_elsewhere;
use self::error::error_in;
pub use self::error::{names_failure, names_status};
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
    /// The number of the choice that holds its text.
    pub choice: i64,
    /// Text in a place where a chunk of a chat completion has none. Not empty.
    pub elsewhere: Option<Cow<'a, str>>,
}

impl<'a> Chunk<'a> {
    /// Reads a whole completion, or a list of its chunks as one.
    ///
    /// # Errors
    /// When it is neither a JSON object nor a list of such.
    pub fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        Self::of_event("", json)
    }

    /// Reads the data of an event of this name.
    ///
    /// # Errors
    /// The same.
    pub fn of_event(name: &str, json: &'a str) -> Result<Self, serde_json::Error> {
        // The strict form borrows and is fast. Chunks of other shapes are read leniently.
        if let Ok(strict) = serde_json::from_str::<Strict<'_>>(json)
            && strict.is_all(json)
        {
            return Ok(strict.into());
        }
        match serde_json::from_str::<Value>(json)? {
            Value::Object(map) => Ok(Self::lenient(name, &map)),
            Value::Array(items) if items.iter().all(Value::is_object) => {
                let mut all = Self::default();
                items
                    .iter()
                    .filter_map(Value::as_object)
                    .for_each(|item| all.add(Self::lenient(name, item)));
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
            choice,
            elsewhere,
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
        self.choice = choice;
        self.elsewhere = self
            .elsewhere
            .take()
            .or(elsewhere.map(|text| Cow::Owned(text.into_owned())));
    }

    fn lenient(name: &str, value: &Map<String, Value>) -> Self {
        let choices = value.get("choices").filter(|choices| !choices.is_null());
        let listed: &[Value] = match choices {
            Some(Value::Array(list)) => list,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        // Some servers count from 1.
        let first = listed.iter().position(|choice| number(choice) == 0);
        let choice = listed.get(first.unwrap_or(0));
        let delta = choice.and_then(|choice| {
            let known = |name: &str| choice.get(name).filter(|delta| !delta.is_null());
            known("delta").or_else(|| known("message"))
        });
        let texts = Texts::of(choice, delta);
        let text = |text: String| (!text.is_empty()).then_some(Cow::Owned(text));
        let calls = calls::read(
            delta.and_then(|delta| delta.get("tool_calls")),
            delta.and_then(|delta| delta.get("function_call")),
        );
        let is_read = !(texts.reasoning.is_empty() && texts.content.is_empty() && calls.is_empty());
        let elsewhere = text_elsewhere(value, is_read, texts.lost);
        let word = |name: &str| {
            let reason = choice.and_then(|choice| choice.get(name))?;
            reason.as_str().or_else(|| reason.get("type")?.as_str())
        };
        // OpenRouter's: what the server behind it said.
        let failure = word("native_finish_reason").filter(|word| is_failure(word));
        Self {
            reasoning: text(texts.reasoning),
            content: text(texts.content),
            calls,
            finish: failure
                .or_else(|| word("finish_reason"))
                .and_then(finish_reason),
            usage: usage::read(value, choice),
            error: error_in(name, value, choice, delta),
            model: value.get("model").and_then(model_name).map(Cow::Owned),
            answers: choices.is_some(),
            choice: choice.map_or(0, number),
            elsewhere: elsewhere.map(Cow::Owned),
        }
    }
}

/// A choice's number, 0 where it has none. Batida never requests more than one choice.
fn number(choice: &Value) -> i64 {
    match choice.get("index") {
        None | Some(Value::Null) => 0,
        Some(Value::String(index)) => index.trim().parse().unwrap_or(-1),
        Some(index) => index.as_f64().map_or(-1, |index| index as i64),
    }
}

/// The texts of a delta or a message.
#[derive(Default)]
struct Texts {
    reasoning: String,
    content: String,
    /// Text in an object that is no known part.
    lost: Option<String>,
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
                let before = self.reasoning.len() + self.content.len();
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
                let is_text = kind.is_empty() || kind.contains("text");
                if !is_text || self.reasoning.len() + self.content.len() > before {
                    return;
                }
                // `{"type":"output_text","output_text":…}`
                if let Some(value) = part.get(kind).filter(|value| value.is_string()) {
                    self.add(value, thinking);
                    return;
                }
                let unknown = part
                    .iter()
                    .filter(|(name, _)| *name != "type" && *name != "id");
                let text = unknown
                    .filter_map(|(_, value)| value.as_str())
                    .find(|text| !text.trim().is_empty());
                self.lost = self.lost.take().or(text.map(str::to_owned));
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
    // Google's, as the names of an enumeration.
    let prefix = text
        .get(..14)
        .filter(|prefix| prefix.eq_ignore_ascii_case("finish_reason_"));
    let text = &text[prefix.map_or(0, str::len)..];
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
    const STEMS: &[&str] = &[
        "error",
        "abort",
        "cancel",
        "fail",
        "exception",
        "timeout",
        "timed_out",
        "insufficient",
        "malformed",
        "kill",
        "out_of_memory",
        "overload",
        "interrupt",
        "crash",
    ];
    let word = word.to_ascii_lowercase().replace(['-', ' '], "_");
    STEMS.iter().any(|stem| word.contains(stem))
}

/// Whether it is a name, and not a word such as `unknown`.
fn is_model_name(name: &str) -> bool {
    !["", "unknown", "none", "null", "default"]
        .iter()
        .any(|word| name.trim().eq_ignore_ascii_case(word))
}

/// The model's name; of an object its id, of a list all names.
fn model_name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => is_model_name(name).then(|| name.clone()),
        Value::Object(model) => ["id", "name", "model"]
            .iter()
            .find_map(|name| model_name(model.get(*name)?)),
        Value::Array(list) => {
            let names: Vec<String> = list.iter().filter_map(model_name).collect();
            (!names.is_empty()).then(|| names.join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
