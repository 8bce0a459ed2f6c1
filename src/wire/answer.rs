//! Reads one streamed answer: from bytes with their arrival times to timestamps, usage and text.
//!
//! Chats and benchmarks both use it; a benchmark does not collect the text.

mod progress;
#[cfg(test)]
mod tests;
mod vector;
mod whole;

use std::time::Duration;

use serde_json::Value;

use self::progress::{AnswerProgress, BOM, Ending, Pending, apply, clip};
use self::whole::is_cut_json;
use super::openai::{self, Calls, ThinkSplitter};
use super::sse::{SseDecoder, SseEvent};
use crate::domain::conversation::ToolCall;
use crate::metrics::timeline::{Figures, Timeline, Usage};
use crate::protocol::FinishReason;

/// Bytes of a body that are kept in case it is not an answer, to show what it was.
const MAX_RAW_BYTES: usize = 64 << 10;
/// Bytes of an answer that arrives as one JSON document.
const MAX_DOCUMENT_BYTES: usize = 32 << 20;
/// How long to wait for `[DONE]` after the finish reason and the usage, which servers send together with it.
const DONE_WAIT_AFTER_USAGE: Duration = Duration::from_secs(3);
/// How long to wait for the usage or `[DONE]` after a finish reason. [`Ending`] recognises servers that send a
/// finish reason with every chunk and may pause longer than this between chunks.
const DONE_WAIT: Duration = Duration::from_secs(10);
/// How long to wait after the finish reason `tool_calls`: a gateway that runs the tools itself goes on after them, in
/// the same stream.
const DONE_WAIT_AFTER_CALLS: Duration = Duration::from_secs(30);

/// The state of the answer after more bytes.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Step {
    /// The answer goes on.
    More,
    /// The answer is complete (`[DONE]`). Later bytes are ignored.
    Done(FinishReason),
    /// The answer failed, whatever follows.
    Failed(AnswerError),
}

/// Why a response with a successful status is not a complete answer.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerError {
    /// The server sent this error inside the stream.
    Sent(Value),
    /// The body is one JSON document with an error. [`AnswerReader::raw`] holds it.
    Refused,
    /// The body is neither an event stream nor a completion. [`AnswerReader::raw`] holds its beginning.
    NotAnAnswer,
    /// The body ended before the answer was complete. Holds the details.
    Cut(String),
    /// An event cannot be parsed, so that text may be missing. Holds the event.
    Unreadable(String),
    /// The finish reason reports an error. Holds the reason.
    GaveUp(String),
}

/// Text that arrived since the last call of [`AnswerReader::take_news`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewText {
    /// Reasoning text.
    pub reasoning: String,
    /// Answer text.
    pub answer: String,
    /// All earlier answer text turned out to be reasoning.
    pub turned: bool,
    /// All function calls so far if there are new ones, else empty.
    pub calls: Vec<ToolCall>,
}

/// Reads one answer. All times are measured from the sending of the request.
///
/// Unless text is collected, an event of the usual shape after the first chunk causes no allocation.
#[derive(Debug, Default)]
pub struct AnswerReader {
    decoder: SseDecoder,
    progress: AnswerProgress,
    /// Whether the body is one JSON document instead of events; `None` before the first byte that decides it.
    whole: Option<bool>,
    /// Whether that document is to hold an embedding.
    embeds: bool,
    /// The whole document, or the beginning of a body that may not be an answer.
    raw: Vec<u8>,
}

impl AnswerReader {
    /// `keep_text`: collect the text for [`Self::take_news`] instead of only measuring it.
    pub fn new(keep_text: bool) -> Self {
        let progress = AnswerProgress {
            text: keep_text.then(NewText::default),
            ..AnswerProgress::default()
        };
        Self {
            progress,
            ..Self::default()
        }
    }

    /// Resets the reader for another answer and keeps its buffers.
    pub fn renew(&mut self, keep_text: bool) {
        let Self {
            decoder,
            progress,
            whole,
            embeds,
            raw,
        } = self;
        let AnswerProgress {
            timeline,
            splitter,
            usage,
            finish,
            is_answer,
            complete_at,
            ..
        } = progress;
        decoder.renew();
        *timeline = Timeline::default();
        *splitter = ThinkSplitter::default();
        (*usage, *finish, *is_answer, *complete_at) = (None, None, false, None);
        let AnswerProgress {
            ending,
            contradicted,
            model,
            spoke,
            unread,
            ..
        } = progress;
        (*ending, *contradicted, *spoke, *unread) = (Ending::Open, false, false, None);
        model.clear();
        let AnswerProgress {
            is_model_beside_text,
            choice,
            content_bytes,
            beginning,
            alarm,
            heard_at,
            ..
        } = progress;
        (*is_model_beside_text, *choice, *content_bytes) = (false, None, 0);
        (*alarm, *heard_at) = (false, None);
        beginning.clear();
        let AnswerProgress {
            text,
            calls,
            called,
            gaps_us,
            pending,
            ..
        } = progress;
        (*text, *calls, *called) = (keep_text.then(NewText::default), Calls::default(), false);
        (*gaps_us, *pending) = (None, Pending::default());
        (*whole, *embeds) = (None, false);
        raw.clear();
    }

    /// Also collects the gaps between chunks, in `buffer`, which is cleared first. Pass a used buffer to save
    /// allocations.
    pub fn collect_gaps(&mut self, mut buffer: Vec<u32>) {
        buffer.clear();
        self.progress.gaps_us = Some(buffer);
    }

    /// The response's head arrived at `at`. `connect`: how long a new connection took to open, if one was needed.
    pub fn head(&mut self, at: Duration, connect: Option<Duration>) {
        self.progress.timeline.first_byte(at);
        if let Some(took) = connect {
            self.progress.timeline.connected(took);
        }
    }

    /// Reads bytes of the body that arrived at `at`. Stop calling it after any result but [`Step::More`].
    pub fn take(&mut self, at: Duration, bytes: &[u8]) -> Step {
        let step = self.take_some(at, bytes);
        self.settle();
        step
    }

    /// Like [`Self::take`] for a part of the bytes that arrived at `at`. Figures, times, gaps and the number of
    /// chunks include it only after [`Self::settle`], so that chunks that arrived together are counted together.
    pub fn take_some(&mut self, at: Duration, bytes: &[u8]) -> Step {
        // The content type of servers is unreliable; the first byte after a byte order mark is not.
        if self.embeds {
            self.whole = Some(true);
        }
        if self.whole.is_none() {
            let first = bytes
                .iter()
                .find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte));
            self.whole = first.map(|byte| matches!(byte, b'{' | b'['));
        }
        if self.whole == Some(true) {
            self.keep_raw(bytes, MAX_DOCUMENT_BYTES);
            self.progress.heard_at = Some(at);
            return Step::More;
        }
        let mut rest = bytes;
        let mut step = Step::More;
        // Bytes after the end are ignored, however the network splits the body.
        while matches!(step, Step::More) {
            if rest.is_empty() {
                break;
            }
            let progress = &mut self.progress;
            let tell = |event: SseEvent<'_>| {
                if matches!(step, Step::More) {
                    step = progress.event(at, &event);
                }
            };
            match self.decoder.push_some(rest, tell) {
                Ok(behind) => rest = behind,
                Err(error) if matches!(step, Step::More) => {
                    step = Step::Failed(AnswerError::Unreadable(error.to_string()))
                }
                Err(_) => {}
            }
        }
        if !self.progress.is_answer {
            self.keep_raw(bytes, MAX_RAW_BYTES);
        }
        step
    }

    /// Adds everything that [`Self::take_some`] read to the figures.
    pub fn settle(&mut self) {
        self.progress.settle();
    }

    /// The body ended without a transport error.
    ///
    /// # Errors
    /// When the answer is not complete.
    pub fn at_the_end(&mut self, at: Duration) -> Result<FinishReason, AnswerError> {
        if self.embeds {
            return self.read_embedding(at);
        }
        if self.whole == Some(true) {
            return self.read_whole(at);
        }
        let progress = &mut self.progress;
        let (mut step, mut first_cut) = (Step::More, None);
        self.decoder.finish(|event| {
            if matches!(step, Step::More) {
                step = progress.event(at, &event);
                first_cut =
                    (!progress.is_answer && is_cut_json(&event.data)).then(|| clip(&event.data));
            }
        });
        progress.settle();
        let amid = match step {
            Step::Done(reason) => return Ok(reason),
            // The end of the body cut the event off.
            Step::Failed(AnswerError::Unreadable(event)) => Some(event),
            Step::More if first_cut.is_some() => first_cut,
            Step::Failed(why) => return Err(why),
            Step::More => None,
        };
        if let Some(unread) = progress.unread.take().filter(|_| progress.is_answer) {
            return Err(AnswerError::Unreadable(unread));
        }
        if progress.alarm {
            return Err(AnswerError::Sent(Value::Null));
        }
        // A cut `[DONE]` loses nothing; any other cut event may hold text.
        let amid = amid.filter(|event| !openai::DONE.starts_with(event.trim()));
        // A body that begins as a stream and ends within its first event.
        let amid = amid.or_else(|| {
            let begun = String::from_utf8_lossy(&self.raw);
            let is_cut = !self.progress.is_answer
                && begun.starts_with("data:")
                && !begun.ends_with("\n\n")
                && !begun.ends_with("\r\n\r\n");
            is_cut.then(|| clip(&begun))
        });
        let hinted = self.progress.ending == Ending::Hinted && !self.progress.contradicted;
        let ended = match amid {
            Some(_) => None,
            None if hinted => self.end(),
            None => self.complete(),
        };
        if let Some(reason) = ended {
            return Ok(reason);
        }
        if !self.progress.is_answer && !self.raw.is_empty() && amid.is_none() {
            return Err(AnswerError::NotAnAnswer);
        }
        Err(AnswerError::Cut(match (amid, &self.progress.finish) {
            (Some(event), _) => format!("The stream ended in the middle of an event:\n{event}"),
            (None, None) => "The stream ended without a finish reason and without [DONE]".to_owned(),
            (None, Some(_)) if self.progress.contradicted => {
                "The stream ended without [DONE]. Every chunk has a finish reason, so none of them marks the end"
                    .to_owned()
            }
            (None, Some(reason)) => {
                let word = reason.word().unwrap_or_default();
                format!("The stream ended without [DONE]. Its finish reason {word:?} is unknown")
            }
        }))
    }

    /// Ends an answer without `[DONE]` at its finish reason or usage, for connections that break or stay open after
    /// the last chunk. `None` where it is not certain that the answer is complete.
    pub fn complete(&mut self) -> Option<FinishReason> {
        let is_told = matches!(self.progress.ending, Ending::Told | Ending::Counted);
        (is_told && !self.progress.alarm)
            .then(|| self.end())
            .flatten()
    }

    fn end(&mut self) -> Option<FinishReason> {
        let reason = self.progress.finish.clone()?;
        self.progress
            .timeline
            .end(self.progress.complete_at.unwrap_or_default());
        Some(reason)
    }

    /// When to stop waiting for `[DONE]` or the connection's end, unless more bytes arrive before.
    /// [`Self::complete`] then ends the answer.
    pub fn over_at(&self) -> Option<Duration> {
        let calls = self.progress.finish == Some(FinishReason::ToolCalls);
        let wait = match self.progress.ending {
            Ending::Counted | Ending::Told if calls => DONE_WAIT_AFTER_CALLS,
            Ending::Counted => DONE_WAIT_AFTER_USAGE,
            Ending::Told => DONE_WAIT,
            Ending::Open | Ending::Hinted => return None,
        };
        Some(self.progress.complete_at? + wait)
    }

    /// When text, a function call, a new usage or an end arrived last; what only keeps the connection open is none.
    pub fn heard_at(&self) -> Option<Duration> {
        self.progress.heard_at
    }

    /// Whether the answer has neither text nor a function call, so that it does not count as a success.
    pub fn said_nothing(&self) -> bool {
        !self.progress.spoke
    }

    /// The model that the server names in the answer.
    pub fn model(&self) -> Option<&str> {
        (!self.progress.model.is_empty()).then_some(&*self.progress.model)
    }

    /// The text ended: releases characters that were held back as the possible beginning of a tag.
    pub fn finish_text(&mut self) {
        self.progress.settle();
        let AnswerProgress {
            splitter,
            text,
            timeline,
            spoke,
            ..
        } = &mut self.progress;
        splitter.finish(|split| {
            apply(split, text, timeline, spoke);
        });
    }

    /// Whether there is new text or a new function call.
    pub fn has_news(&self) -> bool {
        self.progress.called
            || self
                .progress
                .text
                .as_ref()
                .is_some_and(|text| *text != NewText::default())
    }

    /// The text since the last call; empty if text is not collected.
    pub fn take_news(&mut self) -> NewText {
        let AnswerProgress {
            text,
            calls,
            called,
            ..
        } = &mut self.progress;
        let mut news = text.as_mut().map(std::mem::take).unwrap_or_default();
        if std::mem::take(called) {
            news.calls = calls.list();
        }
        news
    }

    /// The figures so far.
    pub fn figures(&self) -> Figures {
        self.progress.timeline.figures(self.usage())
    }

    /// The timestamps so far.
    pub fn timeline(&self) -> &Timeline {
        &self.progress.timeline
    }

    /// The usage that the server reported.
    pub fn usage(&self) -> Option<&Usage> {
        self.progress.usage.as_ref()
    }

    /// The finish reason, once the server sent one.
    pub fn finish(&self) -> Option<&FinishReason> {
        self.progress.finish.as_ref()
    }

    /// The time between each chunk with text and the one before it, in µs (chunks of one read: 0); empty
    /// unless [`Self::collect_gaps`] asked for them.
    pub fn gaps_us(&self) -> &[u32] {
        self.progress.gaps_us.as_deref().unwrap_or_default()
    }

    /// Discards the gaps of an answer that arrived all at once: they do not measure the model.
    pub fn drop_gaps(&mut self) {
        if let Some(gaps) = &mut self.progress.gaps_us {
            gaps.clear();
        }
    }

    /// Takes the gaps and stops collecting. The buffer can be reused.
    pub fn take_gaps(&mut self) -> Vec<u32> {
        self.progress.gaps_us.take().unwrap_or_default()
    }

    /// Chunks that carried text.
    pub fn chunks(&self) -> u64 {
        self.progress.timeline.chunks()
    }

    /// Whether a chunk of an answer was read.
    pub fn is_answer(&self) -> bool {
        self.progress.is_answer
    }

    /// The body while it may not be an answer: its first 64 KiB, or a whole JSON document.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    fn keep_raw(&mut self, bytes: &[u8], most: usize) {
        if self.raw.len() < most {
            self.raw.extend_from_slice(bytes);
        }
    }
}
