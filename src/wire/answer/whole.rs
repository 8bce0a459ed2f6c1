//! An answer that arrives as one JSON document.

use std::time::Duration;

use super::progress::{AnswerProgress, BOM, apply, clip, failure_of};
use super::{AnswerError, AnswerReader};
use crate::metrics::timeline::TextKind;
use crate::protocol::FinishReason;
use crate::wire::openai::{CallPiece, Chunk, Split};

impl AnswerReader {
    /// Reads an answer that was not streamed, so that the time of its first token is unknown.
    pub(super) fn read_whole(&mut self, at: Duration) -> Result<FinishReason, AnswerError> {
        let bytes = self.raw.strip_prefix(&BOM[..]).unwrap_or(&self.raw);
        let Ok(text) = str::from_utf8(bytes) else {
            return Err(AnswerError::Unreadable(clip(&String::from_utf8_lossy(
                bytes,
            ))));
        };
        let completed;
        let (chunk, cut) = match Chunk::parse(text) {
            Ok(Chunk { error: Some(_), .. }) => return Err(AnswerError::Refused),
            Ok(chunk) if chunk.answers => (chunk, None),
            Err(_) if is_cut_json(text) => {
                let cut = AnswerError::Cut(format!(
                    "The response ended in the middle of its JSON document:\n{}",
                    clip(text)
                ));
                completed = complete_json(text);
                match Chunk::parse(&completed) {
                    Ok(chunk) if chunk.answers && chunk.error.is_none() => (chunk, Some(cut)),
                    _ => return Err(cut),
                }
            }
            _ => return Err(AnswerError::NotAnAnswer),
        };
        self.progress.note_model(chunk.model.as_deref(), true);
        let content = (chunk.content).or_else(|| {
            let is_empty = chunk.reasoning.is_none() && chunk.calls.is_empty();
            chunk.elsewhere.filter(|_| is_empty)
        });
        let texts = [&chunk.reasoning, &content]
            .into_iter()
            .flatten()
            .map(|text| text.len());
        let written = texts
            .chain(chunk.calls.iter().map(CallPiece::written))
            .sum::<usize>();
        self.progress.timeline.heard(written as u64);
        self.progress.call(chunk.calls);
        let AnswerProgress {
            timeline,
            splitter,
            usage,
            text,
            spoke,
            ..
        } = &mut self.progress;
        if let Some(reasoning) = &chunk.reasoning {
            apply(
                Split::Text(TextKind::Reasoning, reasoning),
                text,
                timeline,
                spoke,
            );
        }
        splitter.push(content.as_deref().unwrap_or_default(), |split| {
            apply(split, text, timeline, spoke);
        });
        splitter.finish(|split| {
            apply(split, text, timeline, spoke);
        });
        *usage = chunk.usage;
        if *spoke {
            timeline.document();
        }
        if let Some(cut) = cut {
            return Err(cut);
        }
        if let Some(word) = failure_of(chunk.finish.as_ref()) {
            return Err(AnswerError::GaveUp(word));
        }
        timeline.end(at);
        Ok(chunk.finish.unwrap_or(FinishReason::Other(None)))
    }
}

/// Whether it is the beginning of a JSON document.
pub(super) fn is_cut_json(text: &str) -> bool {
    let begins = text.trim_start().starts_with(['{', '[']);
    begins && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

/// Closes the strings, lists and objects of a JSON document that was cut off, so that its text can be shown. Not every
/// place of a cut can be mended like this.
fn complete_json(cut: &str) -> String {
    let (mut open, mut in_string, mut escape) = (Vec::new(), false, None);
    for (at, c) in cut.char_indices() {
        match c {
            // Nothing in a `\u` and its four digits ends a string.
            _ if escape.is_some_and(|(from, len)| at < from + len) => {}
            '\\' if in_string => {
                let len = if cut[at..].starts_with("\\u") { 6 } else { 2 };
                escape = Some((at, len));
            }
            '"' => in_string = !in_string,
            '{' if !in_string => open.push('}'),
            '[' if !in_string => open.push(']'),
            '}' | ']' if !in_string => {
                open.pop();
            }
            _ => {}
        }
    }
    let end = escape
        .filter(|(from, len)| from + len > cut.len())
        .map_or(cut.len(), |(from, _)| from);
    let mut whole = cut[..end].to_owned();
    whole.extend(in_string.then_some('"'));
    whole.extend(open.into_iter().rev());
    whole
}
