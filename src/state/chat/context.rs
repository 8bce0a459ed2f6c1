//! How much of a model's context a conversation takes.

use super::{Answer, ChatState};
use crate::domain::conversation::Attached;
use crate::domain::units;
use crate::metrics::timeline::TokenSource;
use crate::wire::openai::sent_tools;

/// How many tokens a request has, and how many the model takes. Each `None` where it is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextUse {
    /// About how many tokens are sent with the draft. Pictures are not among them.
    pub used: Option<u64>,
    /// The longest context that the model is served with.
    pub most: Option<u64>,
}

impl ContextUse {
    /// Whether the server will refuse it, or cut it.
    pub fn is_too_much(&self) -> bool {
        self.used
            .zip(self.most)
            .is_some_and(|(used, most)| used > most)
    }
}

impl std::fmt::Display for ContextUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tokens = |n: u64| format!("{} token{}", units::count(n), if n == 1 { "" } else { "s" });
        match (self.used, self.most) {
            (Some(used), Some(most)) => {
                write!(f, "about {} of {}", units::count(used), tokens(most))
            }
            (Some(used), None) => write!(f, "about {}; the model's limit is unknown", tokens(used)),
            (None, Some(most)) => write!(f, "unknown use of {}", tokens(most)),
            (None, None) => f.write_str("unknown"),
        }
    }
}

impl ChatState {
    /// About how many tokens a request has with this draft; `None` where the server did not count the last one.
    pub(in crate::state) fn tokens_with(&self, settings: &Self, drafting: &Self) -> Option<u64> {
        let before = self.way_before_draft();
        let turns = &self.conversation.turns[..before];
        // A turn that was not answered is not sent again.
        let answered = |answer: &Answer| !answer.reply.text.trim().is_empty();
        let counted = match turns.iter().rev().find(|turn| answered(&turn.answer)) {
            Some(turn) => tokens_of(&turn.answer)?,
            None => {
                let tools = sent_tools(&settings.params.tools);
                let tools = tools.map(|tool| {
                    estimate(&tool.name) + estimate(&tool.description) + estimate(&tool.parameters)
                });
                estimate(&settings.system) + tools.sum::<u64>()
            }
        };
        let texts = drafting.attached.iter().map(|it| match &it.content {
            Attached::Text(text) => estimate(text) + estimate(&it.name),
            Attached::Image(_) => 0,
        });
        Some(counted + estimate(&drafting.draft) + texts.sum::<u64>())
    }
}

/// How many tokens the server has counted up to the end of an answer. Its reasoning is not sent back, so it does not
/// count.
fn tokens_of(answer: &Answer) -> Option<u64> {
    let figures = &answer.reply.figures;
    let generated = figures
        .tokens
        .filter(|tokens| tokens.source == TokenSource::Usage)?
        .n;
    let (text, reasoning) = (&answer.reply.text, &answer.reply.reasoning);
    let all = (text.len() + reasoning.len()).max(1) as f64;
    let said = (generated as f64 * text.len() as f64 / all).round() as u64;
    Some(figures.prompt_tokens? + said)
}

/// About how many tokens a text has: a token is some four letters of a word, and one sign of other scripts.
fn estimate(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let others = text.chars().filter(|sign| !sign.is_ascii()).count() as u64;
    ascii.div_ceil(4) + others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_said() {
        let told = |used, most| ContextUse { used, most }.to_string();
        assert_eq!(
            told(Some(1_240), Some(8_192)),
            "about 1,240 of 8,192 tokens"
        );
        assert_eq!(
            told(Some(1), None),
            "about 1 token; the model's limit is unknown"
        );
        assert_eq!(told(None, Some(8_192)), "unknown use of 8,192 tokens");
        assert_eq!(told(None, None), "unknown");
    }

    #[test]
    fn letters_and_signs_are_counted_as_tokens() {
        assert_eq!(
            (estimate(""), estimate("Hello"), estimate("日本")),
            (0, 2, 2)
        );
    }
}
