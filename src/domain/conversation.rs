//! What is said to a model, and with which knobs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

/// A function that the model may ask to be called (`tools`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tool {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it is for, told to the model.
    pub description: String,
    /// A JSON schema of its arguments, as the user typed it. Nothing is sent of a tool whose schema is no JSON object.
    pub parameters: String,
    /// It is kept, and not sent.
    pub off: bool,
}

impl Tool {
    /// What is wrong with its name, in a sentence.
    pub fn name_fault(&self) -> Option<&'static str> {
        let name = self.name.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match name {
            "" => Some("The function needs a name: not sent"),
            name if name.len() > 64 => Some("The name is longer than 64 characters: not sent"),
            name if !name.chars().all(plain) => {
                Some("The name may have letters, digits, _ and -: not sent")
            }
            _ => None,
        }
    }
}

/// The form that an answer must have (`response_format`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFormat {
    /// Any JSON object (`json_object`).
    JsonObject,
    /// JSON after a schema (`json_schema`).
    JsonSchema {
        /// What the schema is called.
        name: String,
        /// The schema, as the user typed it. Not sent unless it is a JSON object.
        schema: String,
        /// The server must hold to it.
        strict: bool,
    },
}

/// How much a reasoning model should think (`reasoning_effort`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
}

impl Effort {
    /// All of them, weakest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The words that the API takes.
    pub const WORDS: [&'static str; 3] = [
        Self::Low.as_str(),
        Self::Medium.as_str(),
        Self::High.as_str(),
    ];

    /// The word the API wants.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
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
