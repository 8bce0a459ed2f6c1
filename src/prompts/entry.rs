//! Parses an entry of a prompt file: the formats of OpenAI's API and batches, of ShareGPT, and of the data sets of
//! aiperf, guidellm, SGLang and vLLM.

use serde_json::{Map, Value};

use super::Draft;
use crate::domain::conversation::{Message, Role};

/// The prompt of one entry of a file or trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPrompt {
    messages: Vec<Message>,
    /// Responses in the messages are never sent.
    answers_dropped: bool,
    max_tokens: Option<u32>,
}

type Fields = Map<String, Value>;

/// Keys of a list of messages or turns.
const TURNS: [&str; 4] = ["conversations", "conversation", "turns", "dialogue"];
/// Keys of a prompt that is a string; the first one present counts.
const TEXTS: [&str; 9] = [
    "prompt",
    "text",
    "text_input",
    "question",
    "query",
    "instruction",
    "input",
    "content",
    "problem",
];
/// Keys of the maximum response length in tokens.
const MAX_TOKENS_KEYS: [&str; 11] = [
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_new_tokens",
    "output_tokens",
    "output_length",
    "output_len",
    "output_tokens_count",
    "output_token_count",
    "expected_output_len",
    "num_predict",
];

impl EntryPrompt {
    pub(super) fn prompt(text: &str) -> Self {
        let messages = vec![Message::new(Role::User, text)];
        Self {
            messages,
            answers_dropped: true,
            max_tokens: None,
        }
    }

    /// Whether it is more than one text: system messages, or answers before the question.
    pub(super) fn is_conversation(&self) -> bool {
        self.draft(1)
            .turns
            .first()
            .is_some_and(|turn| turn.len() > 1)
    }

    pub(super) fn max_tokens(&self) -> Option<u32> {
        self.max_tokens
    }

    /// The entry as a conversation of at most `turns` turns. With one turn, a chat list is sent up to its last user
    /// message, responses included. With several turns, the model's own responses replace those of the list.
    pub(super) fn draft(&self, turns: usize) -> Draft {
        let turns = if turns == 1 && !self.answers_dropped {
            let end = self
                .messages
                .iter()
                .rposition(|message| message.role == Role::User);
            vec![self.messages[..end.map_or(0, |at| at + 1)].to_vec()]
        } else {
            self.split(turns)
        };
        Draft {
            turns,
            wanted_prompt_tokens: None,
            max_tokens: self.max_tokens,
        }
    }

    /// The messages between the responses, of at most `max_turns` turns.
    fn split(&self, max_turns: usize) -> Vec<Vec<Message>> {
        let mut turns = Vec::new();
        let mut turn: Vec<Message> = Vec::new();
        let asks = |turn: &[Message]| turn.iter().any(|message| message.role == Role::User);
        for message in &self.messages {
            if message.role != Role::Assistant {
                turn.push(message.clone());
            } else if asks(&turn) {
                turns.push(std::mem::take(&mut turn));
                if turns.len() == max_turns {
                    return turns;
                }
            }
        }
        if asks(&turn) {
            turns.push(turn);
        }
        turns
    }
}

/// Parses an entry of a prompt file. `None` for a conversation without a user message.
///
/// # Errors
/// Why the entry cannot be sent.
pub(super) fn of(entry: &Value) -> Result<Option<EntryPrompt>, String> {
    match entry {
        Value::String(text) => checked(EntryPrompt::prompt(text)).map(Some),
        Value::Array(list) => {
            let messages = messages(list)?;
            checked(EntryPrompt {
                messages,
                answers_dropped: false,
                max_tokens: None,
            })
            .map(Some)
        }
        Value::Object(fields) => match prompt_of(fields)? {
            Some(prompt) => Ok(Some(prompt)),
            None if TURNS.iter().any(|name| fields.contains_key(*name)) => Ok(None),
            None => Err(no_prompt(fields)),
        },
        _ => Err("it is neither an object, a list of messages nor a string".to_owned()),
    }
}

fn no_prompt(fields: &Fields) -> String {
    let keys: Vec<&str> = fields.keys().take(6).map(String::as_str).collect();
    let keys = if keys.is_empty() {
        "(none)".to_owned()
    } else {
        keys.join(", ")
    };
    format!("it has no \"prompt\", \"messages\" or other key of a prompt. Its keys are {keys}")
}

/// The prompt in the fields of an object; `None` if it has none.
///
/// # Errors
/// Why it cannot be sent.
pub(super) fn prompt_of(fields: &Fields) -> Result<Option<EntryPrompt>, String> {
    // A line of an OpenAI batch contains the request's body.
    if let Some(Value::Object(body)) = fields.get("body") {
        if let Some(url) = fields
            .get("url")
            .filter(|url| url.as_str().is_some_and(|url| !is_chat(url)))
        {
            return Err(format!(
                "its url is {}. Only chat/completions requests can be sent",
                shown(url)
            ));
        }
        return match prompt_of(body)? {
            Some(prompt) => Ok(Some(prompt)),
            None => Err("its \"body\" has neither \"messages\" nor \"prompt\"".to_owned()),
        };
    }
    let max_tokens = max_tokens(fields)?;
    let mut prompt = match (fields.get("messages"), fields.get("prompt")) {
        (Some(Value::Array(_)), Some(Value::String(_) | Value::Array(_))) => {
            return Err("it has both \"prompt\" and \"messages\"".to_owned());
        }
        (Some(Value::Array(list)), _) | (_, Some(Value::Array(list)))
            if list.iter().any(Value::is_object) =>
        {
            EntryPrompt {
                messages: messages(list)?,
                answers_dropped: false,
                max_tokens,
            }
        }
        (Some(Value::Array(_)), _) => return Err(NO_USER_MESSAGE.to_owned()),
        _ => match TURNS.iter().find_map(|name| fields.get(*name)) {
            Some(Value::Array(turns)) => match conversation(turns)? {
                Some(messages) => EntryPrompt {
                    messages,
                    answers_dropped: true,
                    max_tokens,
                },
                None => return Ok(None),
            },
            Some(_) => return Err("its conversation is not a list".to_owned()),
            None => match text(fields)? {
                Some(text) => EntryPrompt {
                    max_tokens,
                    ..EntryPrompt::prompt(&text)
                },
                None => return Ok(None),
            },
        },
    };
    // Variants of ShareGPT have the system message in a field of its own.
    let system = ["system", "system_prompt"]
        .iter()
        .find_map(|name| fields.get(*name))
        .and_then(Value::as_str);
    if let Some(system) = system.filter(|text| !text.trim().is_empty())
        && prompt
            .messages
            .first()
            .is_none_or(|first| first.role != Role::System)
    {
        prompt
            .messages
            .insert(0, Message::new(Role::System, system));
    }
    checked(prompt).map(Some)
}

/// Whether a batch line requests a chat completion. The input of an embedding is not a prompt.
fn is_chat(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').ends_with("chat/completions")
}

const NO_USER_MESSAGE: &str = "there is no user message with text";

fn checked(prompt: EntryPrompt) -> Result<EntryPrompt, String> {
    if has_user_message(&prompt.messages) {
        Ok(prompt)
    } else {
        Err(NO_USER_MESSAGE.to_owned())
    }
}

fn has_user_message(messages: &[Message]) -> bool {
    messages
        .iter()
        .any(|message| message.role == Role::User && !message.content.trim().is_empty())
}

fn text(fields: &Fields) -> Result<Option<String>, String> {
    let named =
        |name: &&'static str| Some((*name, fields.get(*name).filter(|value| !value.is_null())?));
    let Some((name, value)) = TEXTS.iter().find_map(named) else {
        return Ok(None);
    };
    let text = match value {
        Value::String(text) => text.clone(),
        // A list of strings is one prompt in several parts, as in aiperf's `texts`.
        Value::Array(parts) => {
            let part = |part: &Value| match part {
                Value::String(text) => Ok(text.clone()),
                other => Err(format!(
                    "its {name:?} has a part that is not a string: {}",
                    shown(other)
                )),
            };
            parts.iter().map(part).collect::<Result<String, String>>()?
        }
        other => return Err(format!("its {name:?} is not a string: {}", shown(other))),
    };
    // Alpaca has an instruction and, separately, its input.
    let about = fields
        .get("input")
        .and_then(Value::as_str)
        .filter(|text| name == "instruction" && !text.is_empty());
    Ok(Some(about.map_or(text.clone(), |about| {
        format!("{text}\n\n{about}")
    })))
}

fn max_tokens(fields: &Fields) -> Result<Option<u32>, String> {
    let found = MAX_TOKENS_KEYS
        .iter()
        .find_map(|name| fields.get(*name).filter(|value| !value.is_null()));
    found.map(tokens).transpose()
}

/// A number of tokens of a response, as a number or a string.
///
/// # Errors
/// When it is not a whole number of at least 1.
pub(super) fn tokens(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        value => value.as_f64(),
    };
    match number.filter(|n| n.fract() == 0.0) {
        Some(0.0) => Err("a response has at least one token".to_owned()),
        Some(n) if (1.0..=f64::from(u32::MAX)).contains(&n) => Ok(n as u32),
        _ => Err(format!("{} is not a number of tokens", shown(value))),
    }
}

/// The JSON of a value, shortened.
pub(super) fn shown(value: &Value) -> String {
    crate::domain::units::shorten_middle(&value.to_string(), 40)
}

// ---- messages -----------------------------------------------------------------------------------------

/// A list of messages in the API's format.
fn messages(list: &[Value]) -> Result<Vec<Message>, String> {
    let message = |value: &Value| {
        let Value::Object(fields) = value else {
            return Err(format!("{} is not a message", shown(value)));
        };
        let name = ["role", "from"]
            .iter()
            .find_map(|name| fields.get(*name))
            .and_then(Value::as_str);
        let Some(name) = name else {
            return Err("a message has no role".to_owned());
        };
        let role =
            role(name).ok_or_else(|| format!("a message of role {name:?} cannot be sent"))?;
        let content = ["content", "value", "text"]
            .iter()
            .find_map(|name| fields.get(*name));
        match content.filter(|content| !content.is_null()) {
            Some(content) => Ok(Message::new(role, content_text(content)?)),
            None if role == Role::Assistant && fields.contains_key("tool_calls") => {
                Err("a message with tool calls cannot be sent".to_owned())
            }
            None => Err(format!("a message of role {name:?} has no content")),
        }
    };
    list.iter().map(message).collect()
}

fn content_text(content: &Value) -> Result<String, String> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => parts
            .iter()
            .map(|part| match part {
                Value::String(text) => Ok(text.as_str()),
                part => part.get("text").and_then(Value::as_str).ok_or_else(|| {
                    format!(
                        "a part of type {} cannot be sent",
                        shown(part.get("type").unwrap_or(&Value::Null))
                    )
                }),
            })
            .collect(),
        other => Err(format!(
            "the content of a message is not a string: {}",
            shown(other)
        )),
    }
}

/// The turns of a conversation, in the format of ShareGPT (`from` and `value`) or its variants (`role` and `content`),
/// of SGLang's custom data sets (alternating contents), or of aiperf and MT-Bench (user messages only). `None` without
/// a user message.
fn conversation(turns: &[Value]) -> Result<Option<Vec<Message>>, String> {
    let mut messages: Vec<Message> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let (role, content) = match turn {
            Value::String(text) => (Role::User, text.clone()),
            Value::Object(fields) => role_and_content(fields, at)?,
            other => return Err(format!("{} is not a turn", shown(other))),
        };
        // If the list has only user messages, a response goes between them.
        let after_user = messages.last().is_some_and(|last| last.role == Role::User);
        if role == Role::User && after_user && is_user_only(turn) {
            messages.push(Message::new(Role::Assistant, ""));
        }
        // Responses only mark where a turn ends.
        messages.push(Message::new(
            role,
            if role == Role::Assistant {
                String::new()
            } else {
                content
            },
        ));
    }
    Ok(has_user_message(&messages).then_some(messages))
}

/// Whether the turn is in a format that has only user messages.
fn is_user_only(turn: &Value) -> bool {
    let has = |name: &str| turn.get(name).is_some();
    turn.is_string() || !(has("from") || has("role") || has("content") || has("value"))
}

fn role_and_content(fields: &Fields, at: usize) -> Result<(Role, String), String> {
    let name = ["from", "role"]
        .iter()
        .find_map(|name| fields.get(*name))
        .and_then(Value::as_str);
    let content = ["value", "content", "text", "texts", "prompt"]
        .iter()
        .find_map(|name| fields.get(*name));
    let role = match name {
        Some(name) => {
            let unknown = || {
                format!(
                    "a turn of role {name:?} cannot be sent. Supported roles are user, assistant \
                     and system"
                )
            };
            role(name).ok_or_else(unknown)?
        }
        None if is_user_only(&Value::Object(fields.clone())) => Role::User,
        // Turns alternate, the user first.
        None if at.is_multiple_of(2) => Role::User,
        None => Role::Assistant,
    };
    match content.filter(|content| !content.is_null()) {
        Some(content) => Ok((role, content_text(content)?)),
        None if role == Role::Assistant => Ok((role, String::new())),
        None => Err("a turn has neither \"value\", \"content\" nor \"text\"".to_owned()),
    }
}

fn role(name: &str) -> Option<Role> {
    Some(match name.to_ascii_lowercase().as_str() {
        "human" | "user" => Role::User,
        "gpt" | "chatgpt" | "assistant" | "model" | "bing" | "bard" | "ai" | "bot" => {
            Role::Assistant
        }
        "system" | "developer" => Role::System,
        _ => return None,
    })
}
