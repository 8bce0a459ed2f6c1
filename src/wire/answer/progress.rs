//! What the events of an answer say, one by one: apart from the decoder, which lends them out.

use std::time::Duration;

use serde_json::Value;

use super::{Broken, News, Step};
use crate::metrics::timeline::{TextKind, Timeline, Usage};
use crate::protocol::FinishReason;
use crate::wire::openai::{self, CallPiece, Calls, Chunk, Split, ThinkSplitter};
use crate::wire::sse::SseEvent;

/// Characters of an event that are kept to say what it was.
const MOST_EVENT: usize = 2_000;

/// What the events have said so far: apart from the decoder, which lends the events out.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) timeline: Timeline,
    pub(super) splitter: ThinkSplitter,
    pub(super) usage: Option<Usage>,
    pub(super) finish: Option<FinishReason>,
    pub(super) ending: Ending,
    /// Text came behind a finish reason: this server's reasons end nothing.
    pub(super) contradicted: bool,
    /// A chunk was read: this is an answer.
    pub(super) is_answer: bool,
    /// The model that answers, by the server; empty while nobody said.
    pub(super) model: String,
    /// It has said something: text that is more than white space, or a call.
    pub(super) spoke: bool,
    /// The first event that could not be read, before any chunk.
    pub(super) unread: Option<String>,
    /// When the finish reason or the usage came: the answer's end, should no `[DONE]` follow.
    pub(super) complete_at: Option<Duration>,
    /// `None` when nobody wants the text.
    pub(super) text: Option<News>,
    /// The functions that were called; none where nobody wants the text.
    pub(super) calls: Calls,
    /// There is more of them than was told.
    pub(super) called: bool,
    /// `None` when nobody wants the gaps.
    pub(super) gaps_us: Option<Vec<u32>>,
    /// Tokens that have come and are not in the timeline yet.
    pub(super) pending: Pending,
}

/// What the events so far say of the answer's end, short of `[DONE]`.
///
/// Servers send `stop` with each chunk, or with the chunks of the thinking: a reason counts for as much as it stands
/// apart from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ending {
    /// Nothing, or an unknown word.
    #[default]
    Open,
    /// A reason came with the first text, with each text, or before any text to be read: believed when the body ends
    /// in good order.
    Hinted,
    /// A reason came behind text to be read.
    Told,
    /// A reason, and behind it the usage in a chunk of its own.
    Counted,
}

/// So many tokens of one kind that came at once, possibly none.
#[derive(Debug, Default)]
pub(super) struct Pending {
    kind: TextKind,
    at: Duration,
    n: usize,
    bytes: usize,
}

impl Progress {
    /// Text came: a finish reason before it ended nothing.
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
        if name == "error" && data.trim().is_empty() {
            return Step::Failed(Broken::Sent(Value::Null));
        }
        if is_ping(name, data) {
            return Step::More;
        }
        let error = match Chunk::parse(data) {
            _ if *damaged => return self.unreadable(data),
            Ok(Chunk {
                error: Some(error), ..
            }) => error,
            Ok(_) if name == "error" => serde_json::from_str(data).unwrap_or_default(),
            Ok(chunk) if chunk.answers => {
                self.note_model(chunk.model.as_deref());
                let has_text =
                    chunk.reasoning.is_some() || chunk.content.is_some() || !chunk.calls.is_empty();
                let mut first =
                    self.chunk(at, chunk.reasoning.as_deref(), chunk.content.as_deref());
                if !chunk.calls.is_empty() {
                    if chunk.reasoning.is_none() && chunk.content.is_none() {
                        first = self.chunks() == 0;
                        self.goes_on();
                        let bytes = chunk.calls.iter().map(CallPiece::written).sum();
                        self.tokens(TextKind::Answer, at, 1, bytes);
                    }
                    self.call(chunk.calls);
                }
                self.ending(at, (has_text, first), chunk.finish, chunk.usage);
                return self.more();
            }
            // Another event of a gateway's, or a server's figures.
            Ok(chunk) => {
                self.ending(at, (false, false), None, chunk.usage);
                return Step::More;
            }
            // Words amid an answer are those of whatever broke it off; before one, this may be no stream at all.
            Err(_)
                if name == "error"
                    || *bare
                        && self.is_answer
                        && !data.trim_start().starts_with(['{', '[', '<']) =>
            {
                Value::String(data.clone().into_owned())
            }
            Err(_) => return self.unreadable(data),
        };
        Step::Failed(Broken::Sent(error))
    }

    /// Behind a chunk: whether it goes on.
    fn more(&mut self) -> Step {
        if self.unread.is_some()
            && let Some(unread) = self.unread.take()
        {
            return Step::Failed(Broken::Unreadable(unread));
        }
        // A reason of this kind is rare, and so is the look at its word.
        match failure_of(self.finish.as_ref()) {
            Some(word) => Step::Failed(Broken::GaveUp(word)),
            None => Step::More,
        }
    }

    /// `[DONE]` came.
    fn done(&mut self, at: Duration) -> Step {
        if let Some(unread) = self.unread.take() {
            return Step::Failed(Broken::Unreadable(unread));
        }
        self.is_answer = true;
        self.timeline.end(at);
        Step::Done(self.finish.clone().unwrap_or(FinishReason::Other(None)))
    }

    /// An event cannot be read: text may be missing. Before any chunk, what comes may be no answer at all.
    fn unreadable(&mut self, data: &str) -> Step {
        if self.is_answer {
            return Step::Failed(Broken::Unreadable(clip(data)));
        }
        self.unread.get_or_insert_with(|| clip(data));
        Step::More
    }

    /// Takes a chunk's text; gives whether it is the first.
    fn chunk(&mut self, at: Duration, reasoning: Option<&str>, content: Option<&str>) -> bool {
        self.is_answer = true;
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
            let kind = self.split(text);
            self.tokens(kind, at, 1, text.len());
        }
        first
    }

    /// Chunks with text so far.
    fn chunks(&self) -> u64 {
        self.timeline.chunks() + self.pending.n as u64
    }

    pub(super) fn note_model(&mut self, model: Option<&str>) {
        if let Some(model) = model.filter(|model| *model != self.model) {
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

    /// What a chunk says of the end. `text`: whether it has text, and whether that is the first.
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
        self.complete_at = Some(at);
        let counted = usage.is_some_and(|usage| usage.completion_tokens.is_some());
        if let Some(usage) = usage {
            self.usage.get_or_insert_default().merge(usage);
        }
        match finish {
            // An unknown word ends nothing. It is told when the answer ends.
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
            }
            None => {}
        }
        if counted && !has_text && self.finish.is_some() && self.chunks() > 0 {
            self.ending = Ending::Counted;
        }
    }

    /// Whether something came that is to be read, besides thinking.
    fn has_answer(&self) -> bool {
        let pending = self.pending.n > 0 && self.pending.kind == TextKind::Answer;
        pending || self.timeline.has_answer()
    }

    /// What a chunk's content is, in which thinking may stand in tags.
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
        // A chunk is a token's arrival even while the splitter holds its text back.
        match (
            told_answer,
            told_reasoning || thought || self.splitter.is_thinking(),
        ) {
            (true, _) => TextKind::Answer,
            (false, true) => TextKind::Reasoning,
            (false, false) => TextKind::Markup,
        }
    }

    /// So many that arrived at once, with so many bytes of text.
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

/// Events by which gateways keep a connection open; their data is nobody's text.
fn is_ping(name: &str, data: &str) -> bool {
    let named = ["ping", "keepalive", "keep-alive", "keep_alive", "heartbeat"];
    let data = data.trim();
    data.is_empty()
        || named
            .iter()
            .any(|ping| name.eq_ignore_ascii_case(ping) || data.eq_ignore_ascii_case(ping))
}

/// The word of a finish reason that says that the server gave up.
pub(super) fn failure_of(finish: Option<&FinishReason>) -> Option<String> {
    match finish {
        Some(FinishReason::Other(Some(word))) if openai::is_failure(word) => Some(word.clone()),
        _ => None,
    }
}

/// The beginning of an event, to be shown.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(MOST_EVENT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Whether it is text that is more than white space.
fn says(split: Split<'_>) -> bool {
    matches!(split, Split::Text(_, text) if !text.trim().is_empty())
}

pub(super) fn apply(
    split: Split<'_>,
    news: &mut Option<News>,
    timeline: &mut Timeline,
    spoke: &mut bool,
) {
    if split == Split::Turned {
        timeline.turned();
    }
    *spoke |= says(split);
    add(news, split);
}

/// Rounded; what is longer than 71 minutes counts as that long.
pub(super) fn micros(gap: Duration) -> u32 {
    let whole = gap.as_secs().saturating_mul(1_000_000);
    u32::try_from(whole.saturating_add(u64::from((gap.subsec_nanos() + 500) / 1_000)))
        .unwrap_or(u32::MAX)
}

fn add(news: &mut Option<News>, split: Split<'_>) {
    let Some(News {
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
