//! What is said to a model, and with which knobs.

use serde::{Deserialize, Serialize};

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
}

/// One message of the list the API is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The words.
    pub content: String,
}

impl Message {
    /// A message of `role`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
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

    /// The word the API wants.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Sampling parameters. Only what is `Some` is sent, so that the server's defaults stay the server's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// `max_tokens`, from 1.
    pub max_tokens: Option<u32>,
    /// `temperature`, 0 to 2.
    pub temperature: Option<f64>,
    /// `top_p`, 0 to 1.
    pub top_p: Option<f64>,
    /// `top_k`, 1 to 100.
    pub top_k: Option<u32>,
    /// `stop`: sequences that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// `seed`.
    pub seed: Option<i64>,
    /// `reasoning_effort`.
    pub reasoning_effort: Option<Effort>,
    /// `chat_template_kwargs.enable_thinking`.
    pub thinking: Option<bool>,
}

impl Params {
    /// How many of them the user set.
    pub fn count_set(&self) -> usize {
        [
            self.max_tokens.is_some(),
            self.temperature.is_some(),
            self.top_p.is_some(),
            self.top_k.is_some(),
            !self.stop.is_empty(),
            self.seed.is_some(),
            self.reasoning_effort.is_some(),
            self.thinking.is_some(),
        ]
        .into_iter()
        .filter(|set| *set)
        .count()
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
