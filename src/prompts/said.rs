//! What an entry of a file says: in the words of OpenAI's API and its batches, of ShareGPT, and of the data sets of
//! aiperf, guidellm, SGLang and vLLM.

use serde_json::{Map, Value};

use super::Draft;
use crate::domain::conversation::{Message, Role};

/// What a file or a trace says in one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    messages: Vec<Message>,
    /// Answers in it are not sent, even where only the opening is.
    answers_dropped: bool,
    max_tokens: Option<u32>,
}

type Fields = Map<String, Value>;

/// Names of a list of messages or turns.
const TURNS: [&str; 4] = ["conversations", "conversation", "turns", "dialogue"];
/// Names of a prompt that is a text; the first that is there counts.
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
/// Names of the longest answer, in tokens.
const LIMITS: [&str; 11] = [
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

impl Said {
    pub(super) fn prompt(text: &str) -> Self {
        let messages = vec![Message::new(Role::User, text)];
        Self {
            messages,
            answers_dropped: true,
            max_tokens: None,
        }
    }

    pub(super) fn max_tokens(&self) -> Option<u32> {
        self.max_tokens
    }

    /// As a conversation of at most `turns` turns. A single turn of a chat list is the list up to its last user
    /// message, answers included; in a conversation the model's own answers take their place.
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

    /// The messages between the answers.
    fn split(&self, most: usize) -> Vec<Vec<Message>> {
        let mut turns = Vec::new();
        let mut turn: Vec<Message> = Vec::new();
        let asks = |turn: &[Message]| turn.iter().any(|message| message.role == Role::User);
        for message in &self.messages {
            if message.role != Role::Assistant {
                turn.push(message.clone());
            } else if asks(&turn) {
                turns.push(std::mem::take(&mut turn));
                if turns.len() == most {
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

/// An entry of a prompts file. `None` for a conversation without words of a user.
///
/// # Errors
/// Why it cannot be sent.
pub(super) fn of(entry: &Value) -> Result<Option<Said>, String> {
    match entry {
        Value::String(text) => with_words(Said::prompt(text)).map(Some),
        Value::Array(list) => {
            let messages = messages(list)?;
            with_words(Said {
                messages,
                answers_dropped: false,
                max_tokens: None,
            })
            .map(Some)
        }
        Value::Object(fields) => match words(fields)? {
            Some(said) => Ok(Some(said)),
            None if TURNS.iter().any(|name| fields.contains_key(*name)) => Ok(None),
            None => Err(without_words(fields)),
        },
        _ => Err("it is neither an object, a list of messages nor a text".to_owned()),
    }
}

fn without_words(fields: &Fields) -> String {
    let keys: Vec<&str> = fields.keys().take(6).map(String::as_str).collect();
    let keys = if keys.is_empty() {
        "nothing".to_owned()
    } else {
        keys.join(", ")
    };
    format!(
        "there is neither \"prompt\" nor \"messages\" nor another name of a prompt: it holds {keys}"
    )
}

/// The words of an object; `None` when it has none of its own.
///
/// # Errors
/// Why they cannot be sent.
pub(super) fn words(fields: &Fields) -> Result<Option<Said>, String> {
    // A line of OpenAI's batches has the request's body inside.
    if let Some(Value::Object(body)) = fields.get("body") {
        if let Some(url) = fields
            .get("url")
            .filter(|url| url.as_str().is_some_and(|url| !is_chat(url)))
        {
            return Err(format!(
                "its url is {}, and only chat/completions can be sent",
                shown(url)
            ));
        }
        return match words(body)? {
            Some(said) => Ok(Some(said)),
            None => Err("its \"body\" has neither \"messages\" nor \"prompt\"".to_owned()),
        };
    }
    let max_tokens = limit(fields)?;
    let mut said = match (fields.get("messages"), fields.get("prompt")) {
        (Some(Value::Array(_)), Some(Value::String(_) | Value::Array(_))) => {
            return Err("there are both \"prompt\" and \"messages\"".to_owned());
        }
        (Some(Value::Array(list)), _) | (_, Some(Value::Array(list)))
            if list.iter().any(Value::is_object) =>
        {
            Said {
                messages: messages(list)?,
                answers_dropped: false,
                max_tokens,
            }
        }
        (Some(Value::Array(_)), _) => return Err(NO_WORDS.to_owned()),
        _ => match TURNS.iter().find_map(|name| fields.get(*name)) {
            Some(Value::Array(turns)) => match conversation(turns)? {
                Some(messages) => Said {
                    messages,
                    answers_dropped: true,
                    max_tokens,
                },
                None => return Ok(None),
            },
            Some(_) => return Err("its conversation is no list".to_owned()),
            None => match text(fields)? {
                Some(text) => Said {
                    max_tokens,
                    ..Said::prompt(&text)
                },
                None => return Ok(None),
            },
        },
    };
    // ShareGPT's descendants have the system message beside the conversation.
    let system = ["system", "system_prompt"]
        .iter()
        .find_map(|name| fields.get(*name))
        .and_then(Value::as_str);
    if let Some(system) = system.filter(|text| !text.trim().is_empty())
        && said
            .messages
            .first()
            .is_none_or(|first| first.role != Role::System)
    {
        said.messages.insert(0, Message::new(Role::System, system));
    }
    with_words(said).map(Some)
}

/// Whether a batch's line asks for a chat completion. An embedding's input is no prompt.
fn is_chat(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.trim_end_matches('/').ends_with("chat/completions")
}

const NO_WORDS: &str = "there are no words of a user";

fn with_words(said: Said) -> Result<Said, String> {
    if has_words(&said.messages) {
        Ok(said)
    } else {
        Err(NO_WORDS.to_owned())
    }
}

fn has_words(messages: &[Message]) -> bool {
    messages
        .iter()
        .any(|message| message.role == Role::User && !message.content.trim().is_empty())
}

/// A prompt that is a text.
fn text(fields: &Fields) -> Result<Option<String>, String> {
    let named =
        |name: &&'static str| Some((*name, fields.get(*name).filter(|value| !value.is_null())?));
    let Some((name, value)) = TEXTS.iter().find_map(named) else {
        return Ok(None);
    };
    let text = match value {
        Value::String(text) => text.clone(),
        // A list of texts is one prompt in several parts, as aiperf has `texts`.
        Value::Array(parts) => {
            let part = |part: &Value| match part {
                Value::String(text) => Ok(text.clone()),
                other => Err(format!(
                    "its {name:?} has a part that is no text: {}",
                    shown(other)
                )),
            };
            parts.iter().map(part).collect::<Result<String, String>>()?
        }
        other => return Err(format!("its {name:?} is no text: {}", shown(other))),
    };
    // Alpaca's instruction with what it is about.
    let about = fields
        .get("input")
        .and_then(Value::as_str)
        .filter(|text| name == "instruction" && !text.is_empty());
    Ok(Some(about.map_or(text.clone(), |about| {
        format!("{text}\n\n{about}")
    })))
}

/// The most tokens of the answer.
fn limit(fields: &Fields) -> Result<Option<u32>, String> {
    let found = LIMITS
        .iter()
        .find_map(|name| fields.get(*name).filter(|value| !value.is_null()));
    found.map(tokens).transpose()
}

/// A number of tokens of an answer.
///
/// # Errors
/// When it is none.
pub(super) fn tokens(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        value => value.as_f64(),
    };
    match number.filter(|n| n.fract() == 0.0) {
        Some(0.0) => Err("an answer has at least one token".to_owned()),
        Some(n) if (1.0..=f64::from(u32::MAX)).contains(&n) => Ok(n as u32),
        _ => Err(format!("{} is not a number of tokens", shown(value))),
    }
}

/// A value as it stands, in a few letters.
pub(super) fn shown(value: &Value) -> String {
    crate::domain::units::shorten_middle(&value.to_string(), 40)
}

// ---- messages -----------------------------------------------------------------------------------------

/// A list of messages of the API's.
fn messages(list: &[Value]) -> Result<Vec<Message>, String> {
    let message = |value: &Value| {
        let Value::Object(fields) = value else {
            return Err(format!("{} is no message", shown(value)));
        };
        let said = ["role", "from"]
            .iter()
            .find_map(|name| fields.get(*name))
            .and_then(Value::as_str);
        let Some(said) = said else {
            return Err("a message has no role".to_owned());
        };
        let role =
            role(said).ok_or_else(|| format!("a message of role {said:?} cannot be sent"))?;
        let content = ["content", "value", "text"]
            .iter()
            .find_map(|name| fields.get(*name));
        match content.filter(|content| !content.is_null()) {
            Some(content) => Ok(Message::new(role, content_text(content)?)),
            None if role == Role::Assistant && fields.contains_key("tool_calls") => {
                Err("a message with tool calls cannot be sent".to_owned())
            }
            None => Err(format!("a message of role {said:?} has no content")),
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
        other => Err(format!("a message's content is no text: {}", shown(other))),
    }
}

/// The turns of a conversation as ShareGPT has them (`from` and `value`), as its descendants do (`role` and
/// `content`), as SGLang's custom sets do (contents by turns), or as aiperf's and MT-Bench's do (what the user says).
/// `None` without words of a user.
fn conversation(turns: &[Value]) -> Result<Option<Vec<Message>>, String> {
    let mut messages: Vec<Message> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let (role, content) = match turn {
            Value::String(text) => (Role::User, text.clone()),
            Value::Object(fields) => spoken(fields, at)?,
            other => return Err(format!("{} is no turn", shown(other))),
        };
        // Where only the user's turns are there, each waits for its answer.
        let after_user = messages.last().is_some_and(|last| last.role == Role::User);
        if role == Role::User && after_user && is_users_alone(turn) {
            messages.push(Message::new(Role::Assistant, ""));
        }
        // Answers only mark where a turn ends.
        messages.push(Message::new(
            role,
            if role == Role::Assistant {
                String::new()
            } else {
                content
            },
        ));
    }
    Ok(has_words(&messages).then_some(messages))
}

/// A turn of a form in which only the user speaks.
fn is_users_alone(turn: &Value) -> bool {
    let has = |name: &str| turn.get(name).is_some();
    turn.is_string() || !(has("from") || has("role") || has("content") || has("value"))
}

fn spoken(fields: &Fields, at: usize) -> Result<(Role, String), String> {
    let said = ["from", "role"]
        .iter()
        .find_map(|name| fields.get(*name))
        .and_then(Value::as_str);
    let content = ["value", "content", "text", "texts", "prompt"]
        .iter()
        .find_map(|name| fields.get(*name));
    let role = match said {
        Some(said) => {
            let unknown = || {
                format!(
                    "a turn of {said:?} cannot be sent: only those of users, models and systems are"
                )
            };
            role(said).ok_or_else(unknown)?
        }
        None if is_users_alone(&Value::Object(fields.clone())) => Role::User,
        // By turns, the user first.
        None if at.is_multiple_of(2) => Role::User,
        None => Role::Assistant,
    };
    match content.filter(|content| !content.is_null()) {
        Some(content) => Ok((role, content_text(content)?)),
        None if role == Role::Assistant => Ok((role, String::new())),
        None => Err("a turn has neither \"value\" nor \"content\" nor \"text\"".to_owned()),
    }
}

fn role(said: &str) -> Option<Role> {
    Some(match said.to_ascii_lowercase().as_str() {
        "human" | "user" => Role::User,
        "gpt" | "chatgpt" | "assistant" | "model" | "bing" | "bard" | "ai" | "bot" => {
            Role::Assistant
        }
        "system" | "developer" => Role::System,
        _ => return None,
    })
}
