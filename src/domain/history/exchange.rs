//! The exchanges of a conversation as they are kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SessionId;
use crate::domain::conversation::{Attachment, Params, ToolCall, ToolResult};
use crate::domain::exchange::{Reply, UserInput};
use crate::metrics::timeline::Figures;

/// A question and its answer, kept so that the conversation can be read again and continued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Unique in its conversation.
    pub id: u64,
    /// The exchange it follows; several may follow the same one.
    pub parent: Option<u64>,
    /// The pane of a comparison it was held in, as a whole named by the first exchange in there; `None` in the pane that
    /// the conversation began in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pane: Option<u64>,
    /// The name of the environment that was asked, where the pane is another one than the conversation began in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// When it was sent.
    pub at: Timestamp,
    /// The model's serving name.
    pub model: String,
    /// The deployment that was picked.
    pub deployment: Option<String>,
    /// The system prompt it was sent with; empty for none.
    pub system: String,
    /// The knobs it was sent with.
    pub params: Params,
    /// What the user said; empty where texts are not kept.
    pub prompt: String,
    /// What the user sent along; empty where texts are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What the functions gave that the answer before had called; empty where texts are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ToolResult>,
    /// The model's thinking; empty where texts are not kept.
    pub reasoning: String,
    /// Its answer; empty where texts are not kept.
    pub answer: String,
    /// The functions it called; empty where texts are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// How it ended.
    pub ending: ExchangeEnding,
    /// The model that answered, where it was another one than was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
    /// Its figures.
    pub figures: Figures,
}

impl Exchange {
    /// The same with its figures alone.
    pub fn without_texts(self) -> Self {
        Self {
            system: String::new(),
            prompt: String::new(),
            attachments: Vec::new(),
            results: Vec::new(),
            reasoning: String::new(),
            answer: String::new(),
            calls: Vec::new(),
            ..self
        }
    }

    /// What the user said.
    pub fn said(&self) -> UserInput {
        let Self {
            prompt,
            attachments,
            results,
            ..
        } = self.clone();
        UserInput {
            prompt,
            attachments,
            results,
        }
    }

    /// What the model answered.
    pub fn reply(&self) -> Reply {
        let Self {
            reasoning,
            answer,
            calls,
            answered_by,
            figures,
            ..
        } = self.clone();
        Reply {
            reasoning,
            text: answer,
            calls,
            answered_by,
            figures,
        }
    }

    /// Whether what was said is kept, and not only figures: then the conversation can be gone on with.
    pub fn has_texts(&self) -> bool {
        let Self {
            prompt,
            attachments,
            results,
            answer,
            ..
        } = self;
        !(prompt.is_empty() && attachments.is_empty() && results.is_empty() && answer.is_empty())
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeEnding {
    /// Complete, with the server's `finish_reason`.
    Finished(Option<String>),
    /// The user stopped it.
    Stopped,
    /// It failed: in words, without a secret.
    Failed(String),
}

/// Where an answer belongs when it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filing {
    /// The conversation; made up when it is begun.
    pub conversation: SessionId,
    /// The exchange's [`Exchange::id`].
    pub exchange: u64,
    /// The exchange it follows.
    pub parent: Option<u64>,
    /// [`Exchange::pane`].
    pub pane: Option<u64>,
    /// The deployment that was picked.
    pub deployment: Option<String>,
    /// What the user said.
    pub said: UserInput,
}
