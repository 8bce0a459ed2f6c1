//! One streamed answer: stamped bytes in, moments, usage and text out.
//!
//! The same for a chat, which shows the text, and for a benchmark, which only counts it.

mod progress;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

use self::progress::{BOM, Ending, Pending, Progress, apply, clip, failure_of};
use super::openai::{CallPiece, Calls, Chunk, Split, ThinkSplitter};
use super::sse::{SseDecoder, SseEvent};
use crate::domain::conversation::ToolCall;
use crate::metrics::timeline::{Figures, TextKind, Timeline, Usage};
use crate::protocol::FinishReason;

/// A body that turns out to be no answer is kept up to here, to say what it was.
const MOST_RAW: usize = 64 << 10;
/// Of an answer that comes as one JSON document.
const MOST_WHOLE: usize = 32 << 20;
/// How long `[DONE]` is waited for behind the finish reason and the usage, which come together with it.
const LINGER_COUNTED: Duration = Duration::from_secs(1);
/// How long the usage or `[DONE]` is waited for behind a finish reason. There are servers that pause longer between
/// two words and send a reason with each: those are told apart by [`Ending`].
const LINGER: Duration = Duration::from_secs(10);

/// What bytes that arrived have brought.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Step {
    /// The answer goes on.
    More,
    /// The answer is complete (`[DONE]`). Bytes behind it are not looked at.
    Done(FinishReason),
    /// It failed; no further bytes will mend that.
    Failed(Broken),
}

/// Why an answer with a good status is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// The server sent this error as an event, amid the answer.
    Sent(Value),
    /// The whole body is one JSON document with an error: it is in [`AnswerReader::raw`].
    Refused,
    /// Neither events nor a completion came: what came is in [`AnswerReader::raw`].
    NotAnAnswer,
    /// It ended, or became unreadable, before it was complete; with the details.
    Cut(String),
    /// An event of it cannot be read, so that text may be missing: the event.
    Unreadable(String),
    /// The server gave the answer up: its finish reason says so.
    GaveUp(String),
}

/// Text that came since it was last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Thinking.
    pub reasoning: String,
    /// What the user asked for.
    pub answer: String,
    /// All text that was told as the answer before this turned out to be reasoning.
    pub turned: bool,
    /// All functions that were called so far, where that has changed; else none.
    pub calls: Vec<ToolCall>,
}

/// Reads one answer. All moments are counted from when its request was sent.
///
/// Without text and once the first chunk was read, an event of the usual shape costs no allocation.
#[derive(Debug, Default)]
pub struct AnswerReader {
    decoder: SseDecoder,
    progress: Progress,
    /// One JSON document instead of events; `None` before the first byte that tells.
    whole: Option<bool>,
    /// The whole document, or the beginning of what may be no answer.
    raw: Vec<u8>,
}

impl AnswerReader {
    /// `keep_text` collects the text for [`Self::take_news`]; without, it is looked at and forgotten.
    pub fn new(keep_text: bool) -> Self {
        let progress = Progress {
            text: keep_text.then(News::default),
            ..Progress::default()
        };
        Self {
            progress,
            ..Self::default()
        }
    }

    /// Ready for another answer.
    pub fn renew(&mut self, keep_text: bool) {
        let Self {
            decoder,
            progress,
            whole,
            raw,
        } = self;
        let Progress {
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
        let Progress {
            ending,
            contradicted,
            model,
            spoke,
            unread,
            ..
        } = progress;
        (*ending, *contradicted, *spoke, *unread) = (Ending::Open, false, false, None);
        model.clear();
        let Progress {
            text,
            calls,
            called,
            gaps_us,
            pending,
            ..
        } = progress;
        (*text, *calls, *called) = (keep_text.then(News::default), Calls::default(), false);
        (*gaps_us, *pending) = (None, Pending::default());
        *whole = None;
        raw.clear();
    }

    /// Collects the gaps between chunks too, into `buffer`, which is emptied: pass a used one to save
    /// allocations.
    pub fn collect_gaps(&mut self, mut buffer: Vec<u32>) {
        buffer.clear();
        self.progress.gaps_us = Some(buffer);
    }

    /// The response's head came at `at`; `connect` is how long opening a connection took, if that was
    /// needed.
    pub fn head(&mut self, at: Duration, connect: Option<Duration>) {
        self.progress.timeline.first_byte(at);
        if let Some(took) = connect {
            self.progress.timeline.connected(took);
        }
    }

    /// Takes bytes of the body that arrived at `at`. Do not push on after anything but [`Step::More`].
    pub fn take(&mut self, at: Duration, bytes: &[u8]) -> Step {
        let step = self.take_some(at, bytes);
        self.settle();
        step
    }

    /// [`Self::take`] for a part of what arrived at `at`; figures, moments, gaps and the number of chunks know of it
    /// after [`Self::settle`] only, so that what came at once is entered at once.
    pub fn take_some(&mut self, at: Duration, bytes: &[u8]) -> Step {
        // Servers mistake the content type; the first byte behind a byte order mark does not.
        if self.whole.is_none() {
            let first = bytes
                .iter()
                .find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte));
            self.whole = first.map(|byte| matches!(byte, b'{' | b'['));
        }
        if self.whole == Some(true) {
            self.keep_raw(bytes, MOST_WHOLE);
            return Step::More;
        }
        let mut rest = bytes;
        let mut step = Step::More;
        // What stands behind the end is not looked at, however the network cuts.
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
                    step = Step::Failed(Broken::Unreadable(error.to_string()))
                }
                Err(_) => {}
            }
        }
        if !self.progress.is_answer {
            self.keep_raw(bytes, MOST_RAW);
        }
        step
    }

    /// All that [`Self::take_some`] took is in the figures.
    pub fn settle(&mut self) {
        self.progress.settle();
    }

    /// The body ended in good order.
    ///
    /// # Errors
    /// When what came is no complete answer.
    pub fn at_the_end(&mut self, at: Duration) -> Result<FinishReason, Broken> {
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
            // The body's end has cut it.
            Step::Failed(Broken::Unreadable(event)) => Some(event),
            Step::More if first_cut.is_some() => first_cut,
            Step::Failed(why) => return Err(why),
            Step::More => None,
        };
        if let Some(unread) = progress.unread.take().filter(|_| progress.is_answer) {
            return Err(Broken::Unreadable(unread));
        }
        let hinted =
            self.progress.ending == Ending::Hinted && !self.progress.contradicted && amid.is_none();
        if let Some(reason) = if hinted { self.end() } else { self.complete() } {
            return Ok(reason);
        }
        if !self.progress.is_answer && !self.raw.is_empty() && amid.is_none() {
            return Err(Broken::NotAnAnswer);
        }
        Err(Broken::Cut(match (amid, &self.progress.finish) {
            (Some(event), _) => format!("The stream ended amid an event:\n{event}"),
            (None, None) => "The stream ended without a finish reason and without [DONE]".to_owned(),
            (None, Some(_)) if self.progress.contradicted => {
                "The stream ended without [DONE]. It has a finish reason with every chunk, which says nothing"
                    .to_owned()
            }
            (None, Some(reason)) => {
                let word = reason.word().unwrap_or_default();
                format!("The stream ended without [DONE]. Its finish reason {word:?} is not a known one")
            }
        }))
    }

    /// The answer without `[DONE]`: it ended when its finish reason or its usage came. `None` when what came does not
    /// say so beyond doubt. For connections that break, or that stay open behind the last chunk.
    pub fn complete(&mut self) -> Option<FinishReason> {
        matches!(self.progress.ending, Ending::Told | Ending::Counted)
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

    /// When the answer is over although neither `[DONE]` nor the connection's end has come, unless more comes before:
    /// [`Self::complete`] ends it then. The same for a chat and for a benchmark.
    pub fn over_at(&self) -> Option<Duration> {
        let linger = match self.progress.ending {
            Ending::Counted => LINGER_COUNTED,
            Ending::Told => LINGER,
            Ending::Open | Ending::Hinted => return None,
        };
        Some(self.progress.complete_at? + linger)
    }

    /// Whether nothing was said, neither text nor a call: an answer that ends so is no success.
    pub fn said_nothing(&self) -> bool {
        !self.progress.spoke
    }

    /// The model that answers, where the server says so.
    pub fn model(&self) -> Option<&str> {
        (!self.progress.model.is_empty()).then_some(&*self.progress.model)
    }

    /// The text ended, in whatever way: what was held back as the possible beginning of a tag becomes
    /// news.
    pub fn finish_text(&mut self) {
        self.progress.settle();
        let Progress {
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

    /// Whether text came since it was last taken.
    pub fn has_news(&self) -> bool {
        self.progress.called
            || self
                .progress
                .text
                .as_ref()
                .is_some_and(|text| *text != News::default())
    }

    /// The text since the last time; empty when none is kept.
    pub fn take_news(&mut self) -> News {
        let Progress {
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

    /// The moments so far.
    pub fn timeline(&self) -> &Timeline {
        &self.progress.timeline
    }

    /// What the server said of the answer.
    pub fn usage(&self) -> Option<&Usage> {
        self.progress.usage.as_ref()
    }

    /// Why the model stopped, once it said so.
    pub fn finish(&self) -> Option<&FinishReason> {
        self.progress.finish.as_ref()
    }

    /// The time between each chunk with text and the one before it, in µs (chunks of one read: 0); empty
    /// unless [`Self::collect_gaps`] asked for them.
    pub fn gaps_us(&self) -> &[u32] {
        self.progress.gaps_us.as_deref().unwrap_or_default()
    }

    /// Forgets the gaps of an answer that arrived all at once: they say nothing of the model.
    pub fn drop_gaps(&mut self) {
        if let Some(gaps) = &mut self.progress.gaps_us {
            gaps.clear();
        }
    }

    /// The gaps, and no more of them: their buffer can be used again.
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

    /// What came, while it may be no answer: the first 64 KiB, or a whole JSON document.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    fn keep_raw(&mut self, bytes: &[u8], most: usize) {
        if self.raw.len() < most {
            self.raw.extend_from_slice(bytes);
        }
    }

    /// The server did not stream: one document, of which nobody can tell when its first token was there.
    fn read_whole(&mut self, at: Duration) -> Result<FinishReason, Broken> {
        let bytes = self.raw.strip_prefix(&BOM[..]).unwrap_or(&self.raw);
        let Ok(text) = str::from_utf8(bytes) else {
            return Err(Broken::Unreadable(clip(&String::from_utf8_lossy(bytes))));
        };
        let chunk = match Chunk::parse(text) {
            Ok(Chunk { error: Some(_), .. }) => return Err(Broken::Refused),
            Ok(chunk) if chunk.answers => chunk,
            Err(_) if is_cut_json(text) => {
                return Err(Broken::Cut(format!(
                    "The response ended amid its JSON document:\n{}",
                    clip(text)
                )));
            }
            _ => return Err(Broken::NotAnAnswer),
        };
        if let Some(word) = failure_of(chunk.finish.as_ref()) {
            return Err(Broken::GaveUp(word));
        }
        self.progress.note_model(chunk.model.as_deref());
        let texts = [&chunk.reasoning, &chunk.content]
            .into_iter()
            .flatten()
            .map(|text| text.len());
        let written = texts
            .chain(chunk.calls.iter().map(CallPiece::written))
            .sum::<usize>();
        self.progress.timeline.heard(written as u64);
        self.progress.call(chunk.calls);
        let Progress {
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
        let content = chunk.content.as_deref().unwrap_or_default();
        splitter.push(content, |split| {
            apply(split, text, timeline, spoke);
        });
        splitter.finish(|split| {
            apply(split, text, timeline, spoke);
        });
        *usage = chunk.usage;
        if *spoke {
            timeline.document();
        }
        timeline.end(at);
        Ok(chunk.finish.unwrap_or(FinishReason::Other(None)))
    }
}

/// Whether it is JSON as far as it goes, and its end is missing.
fn is_cut_json(text: &str) -> bool {
    let begins = text.trim_start().starts_with(['{', '[']);
    begins && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
}
