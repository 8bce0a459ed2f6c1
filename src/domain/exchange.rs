//! A request to a model and its answer.

use super::conversation::{Attachment, Message, Role, ToolCall, ToolResult};
use super::failure::Failure;
use crate::metrics::timeline::Figures;

/// What a function gives that was left without a result: servers refuse a conversation in which a call has none.
pub const NOT_ANSWERED: &str = "No result: the user went on without calling the function";

/// More of an answer.
#[derive(Debug, Clone, Default)]
pub struct Advance {
    /// Reasoning that came since the last advance.
    pub reasoning: String,
    /// Answer text that came since the last advance.
    pub answer: String,
    /// All answer text before this turned out to be reasoning.
    pub turned: bool,
    /// All functions that were called so far, where that has changed; else none.
    pub calls: Vec<ToolCall>,
    /// The figures so far.
    pub figures: Figures,
}

#[cfg(test)]
impl Advance {
    pub(crate) fn of(reasoning: &str, answer: &str) -> Self {
        Self {
            reasoning: reasoning.to_owned(),
            answer: answer.to_owned(),
            ..Self::default()
        }
    }
}

/// The model's part of an exchange, built from the advances of its answer. The window and the history both use it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// Its reasoning.
    pub reasoning: String,
    /// Its words.
    pub text: String,
    /// The functions it called, so far.
    pub calls: Vec<ToolCall>,
    /// The model that answered, where it is another one than was asked.
    pub answered_by: Option<String>,
    /// Its figures so far.
    pub figures: Figures,
}

impl Reply {
    /// More of it has come.
    pub fn advance(&mut self, advance: &Advance) {
        if advance.turned {
            let thought = std::mem::take(&mut self.text);
            self.reasoning.push_str(&thought);
        }
        self.reasoning.push_str(&advance.reasoning);
        self.text.push_str(&advance.answer);
        if !advance.calls.is_empty() {
            self.calls.clone_from(&advance.calls);
        }
        self.figures = advance.figures;
    }

    /// It has ended with these figures.
    pub fn end(&mut self, figures: Figures, answered_by: Option<String>) {
        (self.figures, self.answered_by) = (figures, answered_by);
    }

    /// Whether neither text, reasoning nor function calls have arrived.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.reasoning.trim().is_empty() && self.calls.is_empty()
    }
}

/// The user's part of an exchange: one message with its attachments, and results of functions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserInput {
    /// The words. Empty when only functions' results are sent.
    pub prompt: String,
    /// What is sent along.
    pub attachments: Vec<Attachment>,
    /// What the functions gave that the answer before had called.
    pub results: Vec<ToolResult>,
}

impl UserInput {
    /// Nothing but a text.
    pub fn text(prompt: &str) -> Self {
        Self {
            prompt: prompt.to_owned(),
            ..Self::default()
        }
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.prompt.trim().is_empty() && self.attachments.is_empty() && self.results.is_empty()
    }

    /// As the API is told: results first, since they answer what the model said last. `called`: it called functions.
    pub fn messages(&self, called: bool) -> impl Iterator<Item = Message> {
        let words = Message {
            attachments: self.attachments.clone(),
            ..Message::new(Role::User, &*self.prompt)
        };
        let has_words = !self.prompt.trim().is_empty() || !self.attachments.is_empty();
        let results = if called { &self.results[..] } else { &[] };
        results
            .iter()
            .map(Message::result)
            .chain(has_words.then_some(words))
    }

    /// What it is called in a list.
    pub fn title(&self) -> String {
        if !self.prompt.trim().is_empty() || self.results.is_empty() {
            return self.prompt.clone();
        }
        let names: Vec<&str> = self
            .results
            .iter()
            .map(|result| result.name.as_str())
            .collect();
        format!("Results of {}", names.join(", "))
    }

    /// Whether each of these calls has its result here, in order.
    pub fn answers(&self, calls: &[ToolCall]) -> bool {
        self.results.len() == calls.len()
            && self
                .results
                .iter()
                .zip(calls)
                .all(|(result, call)| result.id == call.id)
    }

    /// Gives each of these calls its result, if only to say that there is none.
    pub fn answering(self, calls: &[ToolCall]) -> Self {
        if self.answers(calls) {
            return self;
        }
        let result = |call: &ToolCall| {
            let given = self
                .results
                .iter()
                .find(|result| result.id == call.id)
                .cloned();
            given.unwrap_or_else(|| ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content: NOT_ANSWERED.to_owned(),
            })
        };
        Self {
            results: calls.iter().map(result).collect(),
            ..self
        }
    }
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEnding {
    /// Complete, with the server's `finish_reason`.
    Finished {
        /// Why the model stopped.
        reason: FinishReason,
    },
    /// The user stopped it.
    Stopped,
    /// An error, before or amid the answer.
    Failed(Failure),
}

/// Why the model stopped (`finish_reason`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// It had said all.
    Stop,
    /// `max_tokens` or the context's end.
    Length,
    /// A content filter.
    ContentFilter,
    /// It wants a tool called.
    ToolCalls,
    /// Something else, or the server did not say.
    Other(Option<String>),
}

impl FinishReason {
    /// As the API says it; `None` when the server gave no reason.
    pub fn word(&self) -> Option<String> {
        Some(match self {
            Self::Stop => "stop".to_owned(),
            Self::Length => "length".to_owned(),
            Self::ContentFilter => "content_filter".to_owned(),
            Self::ToolCalls => "tool_calls".to_owned(),
            Self::Other(reason) => return reason.clone(),
        })
    }

    /// Why a complete answer has no text, told to a person. `thought`: there was reasoning.
    pub fn why_empty(&self, thought: bool) -> &'static str {
        match (self, thought) {
            (Self::Length, true) => {
                "No answer: all the tokens went into reasoning. Raise max tokens, or lower the reasoning effort"
            }
            (_, true) => "No answer: the model only reasoned",
            (Self::Length, false) => {
                "No answer: max tokens or the context's end was reached before the first word"
            }
            (Self::ContentFilter, false) => "No answer: a content filter held it back",
            (Self::ToolCalls, false) => {
                "No answer: the model said that it calls a function, and named none"
            }
            (Self::Stop | Self::Other(_), false) => "No answer: the model sent no text and no call",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_folded_from_its_advances() {
        let call = |name: &str| ToolCall {
            name: name.to_owned(),
            ..ToolCall::default()
        };
        let mut reply = Reply::default();
        assert!(reply.is_empty());
        let calls = vec![call("a")];
        reply.advance(&Advance {
            calls,
            ..Advance::of("", "so I think")
        });
        reply.advance(&Advance {
            turned: true,
            ..Advance::of(".", "Porto")
        });
        assert_eq!((&*reply.reasoning, &*reply.text), ("so I think.", "Porto"));
        assert_eq!(
            reply.calls,
            [call("a")],
            "no news of the calls does not forget them"
        );
        reply.advance(&Advance {
            calls: vec![call("a"), call("b")],
            ..Advance::default()
        });
        assert_eq!(reply.calls.len(), 2);
        let figures = Figures {
            chunks: 3,
            ..Figures::default()
        };
        reply.end(figures, Some("other".to_owned()));
        assert_eq!(
            (reply.figures, reply.answered_by.as_deref()),
            (figures, Some("other"))
        );
        assert!(!reply.is_empty());
    }
}
