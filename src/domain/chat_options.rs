//! Options of a chat request besides its messages: functions, the answer's format, the reasoning effort.

use serde::{Deserialize, Serialize};

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
