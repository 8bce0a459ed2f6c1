//! Prompts from a file.
//!
//! | form | of each entry |
//! |---|---|
//! | JSONL | `prompt` (a text) or `messages` (a chat list); `max_tokens` or `output_tokens`, if there |
//! | ShareGPT | `conversations`: a list of `from` and `value`; an array, or one object a line |
//! | plain text | each line that is not blank is a prompt |
//!
//! A file with an entry that cannot be sent is refused, with the line: a benchmark that drops prompts in
//! silence lies.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::Draft;
use crate::domain::conversation::{Message, Role};
use crate::domain::failure::Failure;
use crate::domain::units;

/// The prompts of a file, in its order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Material {
    entries: Arc<[Said]>,
    without_words: usize,
}

impl Material {
    /// Reads a file called `name`. `.txt` is plain text; else the content says what it is.
    ///
    /// # Errors
    /// When it holds no prompt, or one that cannot be sent: which line, and why.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let text = text_of(name, bytes)?;
        let plain = name.to_ascii_lowercase().ends_with(".txt");
        let all = match text.trim_start().chars().next() {
            Some('[') if !plain => share_gpt(name, text)?,
            Some('{') if !plain => lines(text)
                .map(|(number, line)| said_in(line).map_err(|why| bad_line(name, number, &why)))
                .collect::<Result<Vec<_>, Failure>>()?,
            _ => lines(text).map(|(_, line)| Some(Said::prompt(line.trim()))).collect(),
        };
        let (found, entries) = (all.len(), all.into_iter().flatten().collect::<Arc<[Said]>>());
        if entries.is_empty() {
            return Err(Failure::new(format!("{name} holds no prompts"), FORMS));
        }
        Ok(Self { without_words: found - entries.len(), entries })
    }

    /// How many prompts or conversations there are. A session that sends more begins again with the first, and
    /// then finds them in the server's caches.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: a file without prompts is refused.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What should be told of the file beside the figures, if anything.
    pub fn note(&self) -> Option<String> {
        (self.without_words > 0).then(|| {
            format!(
                "{} of {} conversations in the file hold no words of a user and are left out",
                units::count(self.without_words as u64),
                units::count((self.without_words + self.len()) as u64)
            )
        })
    }

    pub(super) fn entry(&self, index: u64) -> &Said {
        &self.entries[(index % self.entries.len() as u64) as usize]
    }
}

/// What a file or a trace says in one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    messages: Vec<Message>,
    /// Answers in it are not sent, even where only the opening is.
    answers_dropped: bool,
    max_tokens: Option<u32>,
}

impl Said {
    fn prompt(text: &str) -> Self {
        let messages = vec![Message::new(Role::User, text)];
        Self { messages, answers_dropped: true, max_tokens: None }
    }

    /// As a conversation of at most `turns` turns. A single turn of a chat list is the list up to its last user
    /// message, answers included; in a conversation the model's own answers take their place.
    pub(super) fn draft(&self, turns: usize) -> Draft {
        let turns = if turns == 1 && !self.answers_dropped {
            let end = self.messages.iter().rposition(|message| message.role == Role::User);
            vec![self.messages[..end.map_or(0, |at| at + 1)].to_vec()]
        } else {
            self.split(turns)
        };
        Draft { turns, wanted_prompt_tokens: None, max_tokens: self.max_tokens }
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

const FORMS: &str = "A prompt file is JSONL with \"prompt\" or \"messages\" in each line, ShareGPT JSON, or plain text with a \
     prompt per line";

/// A line of JSONL, as far as it is read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Line<'a> {
    prompt: Option<String>,
    messages: Option<Vec<LineMessage>>,
    #[serde(borrow)]
    conversations: Option<Vec<ShareGptTurn<'a>>>,
    #[serde(alias = "output_tokens", alias = "output_length")]
    max_tokens: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct LineMessage {
    role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ShareGpt<'a> {
    #[serde(borrow)]
    conversations: Vec<ShareGptTurn<'a>>,
}

#[derive(Debug, Deserialize)]
struct ShareGptTurn<'a> {
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

/// `None` for a ShareGPT conversation without words of a user.
fn said_in(line: &str) -> Result<Option<Said>, String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|why| in_line(&why))?;
    let is_share_gpt = line.conversations.is_some();
    match line.said()? {
        None if !is_share_gpt => Err("there is neither \"prompt\" nor \"messages\"".to_owned()),
        said => Ok(said),
    }
}

impl Line<'_> {
    pub(super) fn max_tokens(&self) -> Option<u32> {
        self.max_tokens
    }

    /// `None` when it has no words of its own.
    pub(super) fn said(self) -> Result<Option<Said>, String> {
        if self.max_tokens == Some(0) {
            return Err("an answer has at least one token".to_owned());
        }
        let (messages, answers_dropped) = match (self.prompt, self.messages) {
            (None, None) => {
                let said = share_gpt_said(&self.conversations.unwrap_or_default())?;
                return Ok(said.map(|said| Said { max_tokens: self.max_tokens, ..said }));
            }
            (Some(_), Some(_)) => {
                return Err("there are both \"prompt\" and \"messages\"".to_owned());
            }
            (Some(prompt), None) => (vec![Message::new(Role::User, prompt)], true),
            (None, Some(list)) => {
                (list.into_iter().map(LineMessage::read).collect::<Result<Vec<_>, _>>()?, false)
            }
        };
        if !has_words(&messages) {
            return Err("there are no words of a user".to_owned());
        }
        Ok(Some(Said { messages, answers_dropped, max_tokens: self.max_tokens }))
    }
}

impl LineMessage {
    fn read(self) -> Result<Message, String> {
        let role = match self.role.as_str() {
            "system" | "developer" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => return Err(format!("a message of role {other:?} cannot be sent")),
        };
        let content = match self.content {
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => parts
                .into_iter()
                .map(|part| part.text.ok_or_else(|| format!("a part of type {:?} cannot be sent", part.kind)))
                .collect::<Result<String, _>>()?,
            None => return Err(format!("a message of role {:?} has no content", self.role)),
        };
        Ok(Message::new(role, content))
    }
}

fn share_gpt(name: &str, text: &str) -> Result<Vec<Option<Said>>, Failure> {
    let list: Vec<ShareGpt<'_>> = serde_json::from_str(text).map_err(|why| {
        Failure::new(format!("{name} is an array, but not of ShareGPT conversations: {why}"), FORMS)
    })?;
    let read = list.iter().enumerate().map(|(at, entry)| {
        share_gpt_said(&entry.conversations).map_err(|why| {
            Failure::new(format!("{name}, conversation {}: {why}", units::count(at as u64 + 1)), FORMS)
        })
    });
    read.collect()
}

fn share_gpt_said(turns: &[ShareGptTurn<'_>]) -> Result<Option<Said>, String> {
    let messages = turns
        .iter()
        .map(|turn| {
            let role = match &*turn.from {
                "human" | "user" => Role::User,
                "gpt" | "chatgpt" | "assistant" | "model" | "bing" | "bard" => Role::Assistant,
                "system" => Role::System,
                other => return Err(format!("{other:?} is neither \"human\" nor \"gpt\"")),
            };
            // Answers only mark where a turn ends.
            let content = if role == Role::Assistant { String::new() } else { turn.value.to_string() };
            Ok(Message::new(role, content))
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(has_words(&messages).then_some(Said { messages, answers_dropped: true, max_tokens: None }))
}

fn has_words(messages: &[Message]) -> bool {
    messages.iter().any(|message| message.role == Role::User && !message.content.trim().is_empty())
}

/// The text of a file; a byte order mark is no part of it.
pub(super) fn text_of<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Failure> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|why| {
        let line = 1 + bytes[..why.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        bad_line(name, line, "it is no UTF-8 text")
    })
}

/// The lines that are not blank, with their numbers from 1.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim().is_empty())
}

pub(super) fn bad_line(name: &str, number: usize, why: &str) -> Failure {
    Failure::new(
        format!("{name}, line {}: {why}", units::count(number as u64)),
        "Correct the line or take it out; no line is left out by itself",
    )
}

/// Without "at line 1", since the line is named already.
pub(super) fn in_line(why: &serde_json::Error) -> String {
    why.to_string().replace(" at line 1 column ", " at column ")
}
