//! Chat requests as the demo reads them, and the checks that SambaStack makes too.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error;
use crate::demo::form::invalid;
use crate::domain::conversation::{Message, Role, ToolCall};

#[derive(Deserialize)]
pub(super) struct ChatBody {
    pub(super) model: String,
    pub(super) messages: Vec<ChatBodyMessage>,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    pub(super) stream_options: Value,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<i64>,
    #[serde(default)]
    pub(super) stop: Value,
    #[serde(default)]
    pub(super) ignore_eos: bool,
    pub(super) seed: Option<i64>,
    #[serde(default)]
    pub(super) chat_template_kwargs: Value,
    #[serde(default)]
    pub(super) response_format: Value,
    #[serde(default)]
    pub(super) tools: Value,
    #[serde(default)]
    pub(super) tool_choice: Value,
    /// It is answered as a completion of a prompt.
    #[serde(skip)]
    pub(super) completes: bool,
}

impl ChatBody {
    pub(super) fn read(body: Value) -> Result<Self, Box<Response>> {
        serde_json::from_value(body)
            .map_err(|why| Box::new(error(400, "invalid_request", &why.to_string())))
    }

    /// A request for a completion, whose one prompt is a text.
    pub(super) fn of_prompt(mut body: Value) -> Result<Self, Box<Response>> {
        let prompt = match body.get_mut("prompt").map(Value::take) {
            Some(Value::String(text)) if !text.is_empty() => text,
            _ => {
                return Err(Box::new(invalid(
                    "prompt",
                    "prompt must be a non-empty string",
                )));
            }
        };
        body["messages"] = json!([{"role": "user", "content": prompt}]);
        Ok(Self {
            completes: true,
            ..Self::read(body)?
        })
    }
}

#[derive(Deserialize)]
pub(super) struct ChatBodyMessage {
    pub(super) role: Role,
    /// A text, a list of parts, or nothing.
    #[serde(default)]
    pub(super) content: Value,
    #[serde(default)]
    pub(super) tool_call_id: Option<String>,
    #[serde(default)]
    pub(super) tool_calls: Vec<Value>,
}

impl ChatBodyMessage {
    pub(super) fn read(&self) -> Message {
        let text = match &self.content {
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part.get("text").and_then(Value::as_str))
                .collect(),
            content => content.as_str().unwrap_or_default().to_owned(),
        };
        let text_of =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let call = |call: &Value| ToolCall {
            id: text_of(call.get("id")),
            name: text_of(call.pointer("/function/name")),
            arguments: text_of(call.pointer("/function/arguments")),
        };
        let calls = self.tool_calls.iter().map(call).collect();
        Message {
            call_id: self.tool_call_id.clone(),
            calls,
            ..Message::new(self.role, text)
        }
    }
}

/// Rejects requests that SambaStack would reject.
pub(super) fn check(ask: &ChatBody) -> Option<Response> {
    if ask.messages.is_empty() {
        return Some(invalid("messages", "messages must not be empty"));
    }
    if ask.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
        return Some(invalid(
            "temperature",
            "temperature must be between 0 and 2",
        ));
    }
    if ask.top_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
        return Some(invalid("top_p", "top_p must be between 0 and 1"));
    }
    if ask.top_k.is_some_and(|k| !(1..=100).contains(&k)) {
        return Some(invalid("top_k", "top_k must be between 1 and 100"));
    }
    if ask.max_tokens == Some(0) {
        return Some(invalid("max_tokens", "max_tokens must be at least 1"));
    }
    uncalled(&ask.messages).map(|why| invalid("messages", &why))
}

/// Checks that the results of each message's calls follow it, and that each result has its call.
fn uncalled(messages: &[ChatBodyMessage]) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        if message.role == Role::Tool {
            let id = message.tool_call_id.as_deref().unwrap_or_default();
            let Some(at) = open.iter().position(|called| *called == id) else {
                return Some(format!(
                    "a tool message refers to {id:?}, which was not called"
                ));
            };
            open.remove(at);
            continue;
        }
        if let Some(id) = open.first() {
            return Some(format!("the tool call {id:?} has no tool message"));
        }
        open = message
            .tool_calls
            .iter()
            .filter_map(|call| call.get("id").and_then(Value::as_str))
            .collect();
    }
    open.first()
        .map(|id| format!("the tool call {id:?} has no tool message"))
}
