//! A chat request: the messages with their attachments and function calls, and the parameters.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use super::chat_options::{AnswerFormat, Effort, Tool};
pub use super::params::Params;

/// The system prompt of a new conversation.
pub const DEFAULT_SYSTEM_PROMPT: &str = "You are a helpful assistant";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sets the tone; first in the list, once.
    System,
    /// The person at the keyboard.
    User,
    /// The model.
    Assistant,
    /// A function that the model asked to be called.
    Tool,
}

/// One message of the list the API is given. How it is sent is [`crate::wire::openai`]'s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The words; of a function, its result. Empty where the model only called functions.
    pub content: String,
    /// What the user sent along.
    pub attachments: Vec<Attachment>,
    /// The functions that the model called.
    pub calls: Vec<ToolCall>,
    /// Of a function's result: the [`ToolCall::id`] that it answers.
    pub call_id: Option<String>,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            attachments: Vec::new(),
            calls: Vec::new(),
            call_id: None,
        }
    }

    /// A function's result.
    pub fn result(result: &ToolResult) -> Self {
        Self {
            call_id: Some(result.id.clone()),
            ..Self::new(Role::Tool, result.content.clone())
        }
    }
}

/// A file sent along with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name without folders, e.g. `chart.png`.
    pub name: String,
    /// What is in it.
    pub content: Attached,
}

/// What is in an attached file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attached {
    /// A picture, as small as it is sent.
    Image(Image),
    /// A text, sent before the user's words.
    Text(Arc<str>),
}

/// A picture as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The file, in base64 (RFC 4648, padded), as the API wants it.
    pub base64: Arc<str>,
}

/// A function that the model asks to be called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolCall {
    /// The server's name for this call.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// Its arguments as the model wrote them: JSON, when the model did well.
    pub arguments: String,
}

/// What a called function gave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolResult {
    /// The [`ToolCall::id`] it answers.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// What it gave, in the user's words.
    pub content: String,
}

/// All that a chat completion needs but the address and the key.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The serving name, e.g. `Meta-Llama-3.3-70B-Instruct`.
    pub model: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// The knobs.
    pub params: Params,
}
