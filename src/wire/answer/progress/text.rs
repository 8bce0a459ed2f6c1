//! Pieces of an answer: what they are, and where they go.

use std::time::Duration;

use super::MAX_EVENT_CHARS;
use crate::domain::printable::is_blank;
use crate::metrics::timeline::{TextKind, Timeline};
use crate::protocol::FinishReason;
use crate::wire::answer::NewText;
use crate::wire::openai::{self, Split};

/// Events that gateways send to keep a connection open.
pub(super) fn is_ping(name: &str, data: &str) -> bool {
    let named = ["ping", "keepalive", "keep-alive", "keep_alive", "heartbeat"];
    let data = data.trim();
    data.is_empty()
        || named
            .iter()
            .any(|ping| name.eq_ignore_ascii_case(ping) || data.eq_ignore_ascii_case(ping))
}

/// The finish reason if it reports an error.
pub(in crate::wire::answer) fn failure_of(finish: Option<&FinishReason>) -> Option<String> {
    match finish {
        Some(FinishReason::Other(Some(word))) if openai::is_failure(word) => Some(word.clone()),
        _ => None,
    }
}

/// The beginning of an event, for display.
pub(in crate::wire::answer) fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_EVENT_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Whether it contains text that can be seen.
pub(super) fn says(split: Split<'_>) -> bool {
    matches!(split, Split::Text(_, text) if !is_blank(text))
}

pub(in crate::wire::answer) fn apply(
    split: Split<'_>,
    news: &mut Option<NewText>,
    timeline: &mut Timeline,
    spoke: &mut bool,
) {
    if split == Split::Turned {
        timeline.turned();
    }
    *spoke |= says(split);
    add(news, split);
}

/// Rounded, and at most `u32::MAX` (71 minutes).
pub(in crate::wire::answer) fn micros(gap: Duration) -> u32 {
    let whole = gap.as_secs().saturating_mul(1_000_000);
    u32::try_from(whole.saturating_add(u64::from((gap.subsec_nanos() + 500) / 1_000)))
        .unwrap_or(u32::MAX)
}

pub(super) fn add(news: &mut Option<NewText>, split: Split<'_>) {
    let Some(NewText {
        reasoning,
        answer,
        turned,
        ..
    }) = news
    else {
        return;
    };
    match split {
        Split::Text(TextKind::Reasoning, piece) => reasoning.push_str(piece),
        Split::Text(TextKind::Answer | TextKind::Markup, piece) => answer.push_str(piece),
        Split::Turned => {
            reasoning.push_str(&std::mem::take(answer));
            *turned = true;
        }
    }
}
