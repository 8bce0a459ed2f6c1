//! The state of an answer while its events are read. Kept apart from the decoder, which lends the events.

mod text;

use self::text::{add, is_ping, says};
pub(super) use self::text::{apply, clip, failure_of, micros};
use std::time::Duration;

use serde_json::Value;

use super::{AnswerError, NewText, Step};
use crate::metrics::timeline::{TextKind, Timeline, Usage};
use crate::protocol::FinishReason;
use crate::wire::openai::{self, CallPiece, Calls, Chunk, Split, ThinkSplitter};
use crate::wire::sse::SseEvent;

/// At most this many characters of an event are shown.
const MAX_EVENT_CHARS: usize = 2_000;

/// Bytes by which a repetition of the whole answer is recognised.
const MAX_BEGINNING: usize = 32;

/// The state of an answer after the events so far.
#[derive(Debug, Default)]
pub(super) struct AnswerProgress {
    pub(super) timeline: Timeline,
    pub(super) splitter: ThinkSplitter,
    pub(super) usage: Option<Usage>,
    pub(super) finish: Option<FinishReason>,
    pub(super) ending: Ending,
    /// Text came after a finish reason, so this server's finish reasons do not mark the end.
    pub(super) contradicted: bool,
    /// Whether a chunk was read, so that the body is an answer.
    pub(super) is_answer: bool,
    /// The model that the server names; empty until then.
    pub(super) model: String,
    /// Whether it was named beside text. Gateways name the requested model in chunks of their own.
    pub(super) is_model_beside_text: bool,
    /// The number of the choice whose text is the answer.
    pub(super) choice: Option<i64>,
    /// Bytes of content so far, and the first of them.
    pub(super) content_bytes: usize,
    pub(super) beginning: Vec<u8>,
    /// An `error` event without data came, and no finish reason after it.
    pub(super) alarm: bool,
    /// When text, a function call, a new usage or an end arrived, or anything before the first chunk.
    pub(super) heard_at: Option<Duration>,
    /// Whether there was text that can be seen, or a function call.
    pub(super) spoke: bool,
    /// The first event that could not be parsed, if it came before any chunk.
    pub(super) unread: Option<String>,
    /// When the finish reason or its usage arrived for the first time: the answer's end if no `[DONE]` follows.
    pub(super) complete_at: Option<Duration>,
    /// `None` if text is not collected.
    pub(super) text: Option<NewText>,
    /// The function calls; empty if text is not collected.
    pub(super) calls: Calls,
    /// Whether the calls changed since they were last taken.
    pub(super) called: bool,
    /// `None` if gaps are not collected.
    pub(super) gaps_us: Option<Vec<u32>>,
    /// Chunks that are not in the timeline yet.
    pub(super) pending: Pending,
}

/// How certain the answer's end is without `[DONE]`.
///
/// Some servers send `stop` with every chunk, or with the chunks of the reasoning, so a finish reason is only
/// certain where it comes apart from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ending {
    /// No finish reason, or an unknown one.
    #[default]
    Open,
    /// A finish reason came with the first text, with every text, or before any answer text. It counts if the body
    /// ends without a transport error.
    Hinted,
    /// A finish reason came after answer text.
    Told,
    /// A finish reason, and after it the usage in a chunk of its own.
    Counted,
}

/// Chunks of one kind that arrived together, possibly none.
#[derive(Debug, Default)]
pub(super) struct Pending {
    kind: TextKind,
    at: Duration,
    n: usize,
    bytes: usize,
}

impl AnswerProgress {
    /// Text arrived, so an earlier finish reason did not mark the end.
    #[inline]
    fn goes_on(&mut self) {
        if self.ending != Ending::Open {
            self.contradicted = true;
            self.ending = Ending::Open;
        }
    }

    pub(super) fn event(&mut self, at: Duration, event: &SseEvent<'_>) -> Step {
        let SseEvent {
            name,
            data,
            damaged,
            bare,
        } = event;
        if matches!(data.trim(), openai::DONE | "\"[DONE]\"") {
            return self.done(at);
        }
        let (fails, is_status) = match &**name {
            "" => (false, false),
            name => (openai::names_failure(name), openai::names_status(name)),
        };
        if fails && data.trim().is_empty() {
            self.alarm = true;
            return Step::More;
        }
        if !fails && is_ping(name, data) {
            return Step::More;
        }
        let error = match Chunk::of_event(name, data) {
            _ if *damaged => return self.unreadable(data),
            Ok(Chunk {
                error: Some(error), ..
            }) => error,
            Ok(_) if fails => serde_json::from_str(data).unwrap_or_default(),
            Ok(chunk) if chunk.answers => return self.chunk(at, chunk, data),
            // Text in a shape that is not read: better a failure than an answer with a hole.
            Ok(chunk) if self.is_answer && !is_status && self.is_lost(&chunk) => {
                return self.unreadable(data);
            }
            // An event without choices, e.g. usage or a gateway's own.
            Ok(chunk) => {
                self.ending(at, (false, false), None, chunk.usage);
                return Step::More;
            }
            // Words inside an answer come from a gateway that broke it off. Before any answer, the body may not be
            // a stream.
            Err(_)
                if fails
                    || *bare
                        && self.is_answer
                        && !data.trim_start().starts_with(['{', '[', '<']) =>
            {
                Value::String(data.clone().into_owned())
            }
            Err(_) => return self.unreadable(data),
        };
        Step::Failed(AnswerError::Sent(error))
    }

    /// Reads a chunk of the answer. `data`: the whole event.
    fn chunk(&mut self, at: Duration, chunk: Chunk<'_>, data: &str) -> Step {
        let has_content = chunk.reasoning.is_some() || chunk.content.is_some();
        let has_text = has_content || !chunk.calls.is_empty();
        self.is_answer = true;
        self.note_model(chunk.model.as_deref(), has_text);
        let is_other = self.choice.is_some_and(|choice| choice != chunk.choice);
        if has_text && is_other || self.is_lost(&chunk) {
            return self.unreadable(data);
        }
        let mut first = self.text(at, chunk.reasoning.as_deref(), chunk.content.as_deref());
        if !chunk.calls.is_empty() {
            if !has_content {
                first = self.chunks() == 0;
                self.goes_on();
                let bytes = chunk.calls.iter().map(CallPiece::written).sum();
                self.tokens(TextKind::Answer, at, 1, bytes);
            }
            self.call(chunk.calls);
        }
        if has_text {
            self.choice = Some(chunk.choice);
            self.heard_at = Some(at);
        }
        // Another choice has an end of its own.
        let finish = chunk.finish.filter(|_| !is_other);
        self.ending(at, (has_text, first), finish, chunk.usage);
        self.more()
    }

    /// Whether a chunk has text in a place that is not read. Some servers repeat the whole answer at its end, which may
    /// lack white space around it.
    fn is_lost(&self, chunk: &Chunk<'_>) -> bool {
        chunk.elsewhere.as_ref().is_some_and(|text| {
            let beginning = self.beginning.trim_ascii();
            let is_whole = !beginning.is_empty()
                && text.trim().as_bytes().starts_with(beginning)
                && text.len().abs_diff(self.content_bytes) <= 2;
            !is_whole
        })
    }

    /// The step after a chunk.
    fn more(&mut self) -> Step {
        if self.unread.is_some()
            && let Some(unread) = self.unread.take()
        {
            return Step::Failed(AnswerError::Unreadable(unread));
        }
        // Only unknown finish reasons are compared, and those are rare.
        match failure_of(self.finish.as_ref()) {
            Some(word) => Step::Failed(AnswerError::GaveUp(word)),
            None => Step::More,
        }
    }

    /// `[DONE]` arrived.
    fn done(&mut self, at: Duration) -> Step {
        if let Some(unread) = self.unread.take() {
            return Step::Failed(AnswerError::Unreadable(unread));
        }
        if self.alarm {
            return Step::Failed(AnswerError::Sent(Value::Null));
        }
        self.is_answer = true;
        self.timeline.end(at);
        Step::Done(self.finish.clone().unwrap_or(FinishReason::Other(None)))
    }

    /// An event cannot be parsed, so that text may be missing. Before any chunk the body may not be an answer at
    /// all.
    fn unreadable(&mut self, data: &str) -> Step {
        if self.is_answer {
            return Step::Failed(AnswerError::Unreadable(clip(data)));
        }
        self.unread.get_or_insert_with(|| clip(data));
        Step::More
    }

    /// Reads a chunk's text. Returns whether it is the first.
    fn text(&mut self, at: Duration, reasoning: Option<&str>, content: Option<&str>) -> bool {
        if reasoning.is_none() && content.is_none() {
            return false;
        }
        let first = self.chunks() == 0;
        self.goes_on();
        if let Some(text) = reasoning {
            self.tokens(TextKind::Reasoning, at, 1, text.len());
            let Self {
                text: news,
                timeline,
                spoke,
                ..
            } = self;
            apply(
                Split::Text(TextKind::Reasoning, text),
                news,
                timeline,
                spoke,
            );
        }
        if let Some(text) = content {
            self.content_bytes += text.len();
            if self.beginning.len() < MAX_BEGINNING {
                let room = (MAX_BEGINNING - self.beginning.len()).min(text.len());
                self.beginning.extend_from_slice(&text.as_bytes()[..room]);
            }
            let kind = self.split(text);
            self.tokens(kind, at, 1, text.len());
        }
        first
    }

    /// Chunks with text so far.
    fn chunks(&self) -> u64 {
        self.timeline.chunks() + self.pending.n as u64
    }

    pub(super) fn note_model(&mut self, model: Option<&str>, beside_text: bool) {
        let Some(model) = model.filter(|_| beside_text || !self.is_model_beside_text) else {
            return;
        };
        self.is_model_beside_text |= beside_text;
        if model != self.model {
            self.model.clear();
            self.model.push_str(model);
        }
    }

    pub(super) fn call(&mut self, pieces: Vec<CallPiece>) {
        self.spoke |= !pieces.is_empty();
        if self.text.is_some() && !pieces.is_empty() {
            pieces.into_iter().for_each(|piece| self.calls.take(piece));
            self.called = true;
        }
    }

    /// Reads a chunk's finish reason and usage. `has_text`, `first`: whether the chunk has text, and the first one.
    fn ending(
        &mut self,
        at: Duration,
        (has_text, first): (bool, bool),
        finish: Option<FinishReason>,
        usage: Option<Usage>,
    ) {
        if finish.is_none() && usage.is_none() {
            return;
        }
        let before = (self.finish.is_some(), self.ending);
        let counted = usage.is_some_and(|usage| usage.completion_tokens.is_some());
        if let Some(usage) = usage {
            self.count(at, usage);
        }
        match finish {
            // An unknown reason does not mark the end. It is reported once the answer has ended.
            Some(FinishReason::Other(word)) => {
                let fails = word.as_deref().is_some_and(openai::is_failure);
                if fails || self.ending == Ending::Open && self.finish.is_none() {
                    self.finish = Some(FinishReason::Other(word));
                }
            }
            Some(reason) => {
                let apart = if has_text {
                    !first && !self.contradicted
                } else {
                    self.has_answer()
                };
                let told = if apart { Ending::Told } else { Ending::Hinted };
                if self.ending != Ending::Counted {
                    self.ending = told;
                }
                self.finish = Some(reason);
                self.alarm = false;
            }
            None => {}
        }
        if counted && !has_text && self.finish.is_some() && self.chunks() > 0 {
            self.ending = Ending::Counted;
        }
        // Repeating the end does not postpone it.
        if has_text || before != (self.finish.is_some(), self.ending) {
            self.complete_at = Some(at);
            self.heard_at = Some(at);
        }
    }

    /// Adds a chunk's usage. The last count is the right one: some servers begin with an estimate. One that cannot be
    /// true of the text so far does not replace one that can.
    fn count(&mut self, at: Duration, mut usage: Usage) {
        let known = self.usage.get_or_insert_default();
        let before = *known;
        let chunks = self.timeline.chunks() + self.pending.n as u64;
        // A few chunks hold a part of a token, or white space alone.
        let is_likely = |count: u64| count + count / 8 + 1 >= chunks.max(1);
        match (known.completion_tokens, usage.completion_tokens) {
            (Some(old), Some(new)) if is_likely(new) || !is_likely(old) && new > old => {
                known.completion_tokens = None;
            }
            (Some(_), Some(_)) => usage.completion_tokens = None,
            _ => {}
        }
        known.merge(usage);
        if *known != before {
            self.heard_at = Some(at);
        }
    }

    /// Whether answer text arrived, as opposed to reasoning.
    fn has_answer(&self) -> bool {
        let pending = self.pending.n > 0 && self.pending.kind == TextKind::Answer;
        pending || self.timeline.has_answer()
    }

    /// Splits a chunk's content into reasoning between tags and answer. Returns the kind that the chunk counts as.
    fn split(&mut self, content: &str) -> TextKind {
        let (mut told_reasoning, mut told_answer, mut turned) = (false, false, false);
        let thought = self.splitter.is_thinking();
        let Self {
            splitter,
            text,
            spoke,
            ..
        } = self;
        splitter.push(content, |split| {
            match split {
                Split::Text(TextKind::Reasoning, _) => told_reasoning = true,
                Split::Text(..) => told_answer = true,
                Split::Turned => (told_reasoning, told_answer, turned) = (told_answer, false, true),
            }
            add(text, split);
            *spoke |= says(split);
        });
        if turned {
            self.settle();
            self.timeline.turned();
        }
        // A chunk counts when it arrives, even if the splitter holds its text back.
        match (
            told_answer,
            told_reasoning || thought || self.splitter.is_thinking(),
        ) {
            (true, _) => TextKind::Answer,
            (false, true) => TextKind::Reasoning,
            (false, false) => TextKind::Markup,
        }
    }

    /// Notes `n` chunks that arrived at once, with this many bytes of text.
    #[inline]
    fn tokens(&mut self, kind: TextKind, at: Duration, n: usize, bytes: usize) {
        if n == 0 {
            return;
        }
        if (self.pending.kind, self.pending.at) != (kind, at) {
            self.settle();
            (self.pending.kind, self.pending.at) = (kind, at);
        }
        self.pending.n += n;
        self.pending.bytes += bytes;
    }

    pub(super) fn settle(&mut self) {
        let Pending { kind, at, n, bytes } = std::mem::take(&mut self.pending);
        if n == 0 {
            return;
        }
        if let Some(gaps) = &mut self.gaps_us {
            match self.timeline.last_text() {
                Some(last) if last == at => gaps.push(0),
                Some(last) => gaps.push(micros(at.saturating_sub(last))),
                None => {}
            }
            if n > 1 {
                gaps.resize(gaps.len() + n - 1, 0);
            }
        }
        self.timeline.texts(kind, at, n as u64);
        self.timeline.heard(bytes as u64);
    }
}

pub(super) const BOM: [u8; 3] = *b"\xEF\xBB\xBF";
