//! One streamed answer: stamped bytes in, moments, usage and text out.
//!
//! The same for a chat, which shows the text, and for a benchmark, which only counts it.

use std::time::Duration;

use serde_json::Value;

use super::openai::{self, CallPiece, Calls, Chunk, ThinkSplitter};
use super::skim::{Frames, Shape, Usual};
use super::sse::SseDecoder;
use crate::domain::conversation::ToolCall;
use crate::metrics::timeline::{Figures, TextKind, Timeline, Usage};
use crate::protocol::FinishReason;

/// A body that turns out to be no answer is kept up to here, to say what it was.
const MOST_RAW: usize = 64 << 10;
/// Of an answer that comes as one JSON document.
const MOST_WHOLE: usize = 32 << 20;

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
}

/// Text that came since it was last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Thinking.
    pub reasoning: String,
    /// What the user asked for.
    pub answer: String,
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

/// What the events have said so far: apart from the decoder, which lends the events out.
#[derive(Debug, Default)]
struct Progress {
    timeline: Timeline,
    splitter: ThinkSplitter,
    frames: Frames,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    /// A chunk was read: this is an answer.
    is_answer: bool,
    /// When the finish reason or the usage came: the answer's end, should no `[DONE]` follow.
    complete_at: Option<Duration>,
    /// `None` when nobody wants the text.
    text: Option<News>,
    /// The functions that were called; none where nobody wants the text.
    calls: Calls,
    /// There is more of them than was told.
    called: bool,
    /// `None` when nobody wants the gaps.
    gaps_us: Option<Vec<u32>>,
    /// Tokens that have come and are not in the timeline yet.
    pending: Pending,
}

/// So many tokens of one kind that came at once, possibly none.
#[derive(Debug, Default)]
struct Pending {
    kind: TextKind,
    at: Duration,
    n: usize,
}

impl AnswerReader {
    /// `keep_text` collects the text for [`Self::take_news`]; without, it is looked at and forgotten.
    pub fn new(keep_text: bool) -> Self {
        let progress = Progress { text: keep_text.then(News::default), ..Progress::default() };
        Self { progress, ..Self::default() }
    }

    /// Ready for another answer, of which it may expect what it learned from this one.
    pub fn renew(&mut self, keep_text: bool) {
        let Self { decoder, progress, whole, raw } = self;
        // The frames stay where they are: they are a thousand bytes.
        let Progress { timeline, splitter, frames: _, usage, finish, is_answer, complete_at, .. } = progress;
        decoder.renew();
        *timeline = Timeline::default();
        *splitter = ThinkSplitter::default();
        (*usage, *finish, *is_answer, *complete_at) = (None, None, false, None);
        let Progress { text, calls, called, gaps_us, pending, .. } = progress;
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

    /// As [`Self::take_some`] for as many pieces as are a whole event each that differs from those before in its text
    /// alone: gives how many bytes they were, and the first piece that is another one, which is not taken.
    #[inline]
    pub fn take_usual<'b>(
        &mut self,
        at: Duration,
        pieces: &mut impl Iterator<Item = &'b [u8]>,
    ) -> (usize, Option<&'b [u8]>) {
        if self.progress.is_answer && self.decoder.is_between_events() {
            self.progress.run_of(at, pieces)
        } else {
            (0, pieces.next())
        }
    }

    /// [`Self::take`] for a part of what arrived at `at`; figures, moments, gaps and the number of chunks know of it
    /// after [`Self::settle`] only, so that what came at once is entered at once.
    pub fn take_some(&mut self, at: Duration, bytes: &[u8]) -> Step {
        // Servers mistake the content type; the first byte does not.
        if self.whole.is_none() {
            let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            self.whole = first.map(|byte| *byte == b'{');
        }
        if self.whole == Some(true) {
            self.keep_raw(bytes, MOST_WHOLE);
            return Step::More;
        }
        let mut rest = bytes;
        let mut step = Step::More;
        loop {
            if self.decoder.is_between_events() {
                rest = &rest[self.progress.run(at, rest)..];
            }
            if rest.is_empty() || !matches!(step, Step::More) {
                break;
            }
            let progress = &mut self.progress;
            match self.decoder.push_some(rest, |event| step = progress.event(at, &event.name, &event.data)) {
                Ok(behind) => rest = behind,
                Err(error) => step = Step::Failed(Broken::Cut(error.to_string())),
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
        let mut step = Step::More;
        self.decoder.finish(|event| {
            if matches!(step, Step::More) {
                step = progress.event(at, &event.name, &event.data);
            }
        });
        progress.settle();
        match step {
            Step::Done(reason) => return Ok(reason),
            Step::Failed(why) => return Err(why),
            Step::More => {}
        }
        if let Some(reason) = self.complete() {
            return Ok(reason);
        }
        if !self.progress.is_answer && !self.raw.is_empty() {
            return Err(Broken::NotAnAnswer);
        }
        Err(Broken::Cut("The stream ended without a finish reason and without [DONE]".to_owned()))
    }

    /// The answer without `[DONE]`: it ended when its finish reason or its usage came. `None` when no
    /// finish reason has come. For connections that break, or that stay open behind the last chunk.
    pub fn complete(&mut self) -> Option<FinishReason> {
        let reason = self.progress.finish.clone()?;
        self.progress.timeline.end(self.progress.complete_at.unwrap_or_default());
        Some(reason)
    }

    /// The text ended, in whatever way: what was held back as the possible beginning of a tag becomes
    /// news.
    pub fn finish_text(&mut self) {
        let Progress { splitter, text, .. } = &mut self.progress;
        splitter.finish(|kind, piece| add(text, kind, piece));
    }

    /// Whether text came since it was last taken.
    pub fn has_news(&self) -> bool {
        self.progress.called || self.progress.text.as_ref().is_some_and(|text| *text != News::default())
    }

    /// The text since the last time; empty when none is kept.
    pub fn take_news(&mut self) -> News {
        let Progress { text, calls, called, .. } = &mut self.progress;
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
        let text = String::from_utf8_lossy(&self.raw);
        match Chunk::parse(&text) {
            Ok(Chunk { error: Some(_), .. }) => Err(Broken::Refused),
            Ok(chunk)
                if chunk.content.is_some()
                    || chunk.finish.is_some()
                    || chunk.usage.is_some()
                    || !chunk.calls.is_empty() =>
            {
                self.progress.call(chunk.calls);
                let Progress { timeline, splitter, usage, text, .. } = &mut self.progress;
                if let Some(reasoning) = &chunk.reasoning {
                    add(text, TextKind::Reasoning, reasoning);
                }
                let content = chunk.content.as_deref().unwrap_or_default();
                splitter.push(content, |kind, piece| add(text, kind, piece));
                *usage = chunk.usage;
                timeline.end(at);
                Ok(chunk.finish.unwrap_or(FinishReason::Other(None)))
            }
            _ => Err(Broken::NotAnAnswer),
        }
    }
}

impl Progress {
    /// Takes events from the beginning of `bytes` for as long as they differ in nothing but their text; gives how
    /// many bytes they took. They all arrived at once, so they are counted at once.
    fn run(&mut self, at: Duration, bytes: &[u8]) -> usize {
        let Some((shape, kind)) = usual(&self.frames, &self.splitter) else { return 0 };
        let (mut rest, mut texts) = (bytes, 0);
        while let Some((text, behind)) = shape.fill(rest) {
            rest = behind;
            texts += usize::from(!text.is_empty());
            keep(&mut self.text, kind, text);
        }
        self.tokens(kind, at, texts);
        bytes.len() - rest.len()
    }

    /// The same for pieces that are one such event each; gives how many bytes they took, and the first other piece.
    #[inline]
    fn run_of<'b>(
        &mut self,
        at: Duration,
        pieces: &mut impl Iterator<Item = &'b [u8]>,
    ) -> (usize, Option<&'b [u8]>) {
        let Some((shape, kind)) = usual(&self.frames, &self.splitter) else { return (0, pieces.next()) };
        let (mut taken, mut texts) = (0, 0);
        let other = loop {
            let Some(piece) = pieces.next() else { break None };
            let Some((text, [])) = shape.fill(piece) else { break Some(piece) };
            taken += piece.len();
            texts += usize::from(!text.is_empty());
            keep(&mut self.text, kind, text);
        };
        self.tokens(kind, at, texts);
        (taken, other)
    }

    fn event(&mut self, at: Duration, name: &str, data: &str) -> Step {
        if name.is_empty()
            && let Some(Usual { reasoning, content, finish, usage }) = self.frames.chunk(data)
        {
            self.chunk(at, reasoning.as_deref(), content.as_deref());
            self.ending(at, finish, usage.map(|usage| *usage));
            return Step::More;
        }
        if data.trim() == openai::DONE {
            self.is_answer = true;
            self.timeline.end(at);
            return Step::Done(self.finish.clone().unwrap_or(FinishReason::Other(None)));
        }
        let error = match Chunk::parse(data) {
            Ok(Chunk { error: Some(error), .. }) => error,
            Ok(_) if name == "error" => serde_json::from_str(data).unwrap_or_default(),
            Ok(chunk) => {
                self.chunk(at, chunk.reasoning.as_deref(), chunk.content.as_deref());
                if !chunk.calls.is_empty() {
                    if chunk.reasoning.is_none() && chunk.content.is_none() {
                        self.token(TextKind::Answer, at);
                    }
                    self.call(chunk.calls);
                }
                self.ending(at, chunk.finish, chunk.usage);
                return Step::More;
            }
            Err(_) if name == "error" => Value::String(data.to_owned()),
            // Not ours to read, e.g. a gateway's ping.
            Err(_) => return Step::More,
        };
        Step::Failed(Broken::Sent(error))
    }

    fn chunk(&mut self, at: Duration, reasoning: Option<&str>, content: Option<&str>) {
        self.is_answer = true;
        if let Some(text) = reasoning {
            self.token(TextKind::Reasoning, at);
            add(&mut self.text, TextKind::Reasoning, text);
        }
        if let Some(text) = content {
            let kind = self.split(text);
            self.token(kind, at);
        }
    }

    fn call(&mut self, pieces: Vec<CallPiece>) {
        if self.text.is_some() && !pieces.is_empty() {
            pieces.into_iter().for_each(|piece| self.calls.take(piece));
            self.called = true;
        }
    }

    fn ending(&mut self, at: Duration, finish: Option<FinishReason>, usage: Option<Usage>) {
        if finish.is_some() || usage.is_some() {
            self.complete_at = Some(at);
        }
        if let Some(usage) = usage {
            self.usage.get_or_insert_default().merge(usage);
        }
        self.finish = finish.or(self.finish.take());
    }

    /// What a chunk's content is, in which thinking may stand in tags.
    fn split(&mut self, content: &str) -> TextKind {
        let Self { splitter, text, .. } = self;
        let thought = splitter.is_thinking();
        let (mut told_reasoning, mut told_answer) = (false, false);
        splitter.push(content, |kind, piece| {
            match kind {
                TextKind::Reasoning => told_reasoning = true,
                TextKind::Answer | TextKind::Markup => told_answer = true,
            }
            add(text, kind, piece);
        });
        // A chunk is a token's arrival even while the splitter holds its text back.
        match (told_answer, told_reasoning || thought || splitter.is_thinking()) {
            (true, _) => TextKind::Answer,
            (false, true) => TextKind::Reasoning,
            (false, false) => TextKind::Markup,
        }
    }

    fn token(&mut self, kind: TextKind, at: Duration) {
        self.tokens(kind, at, 1);
    }

    /// So many that arrived at once.
    #[inline]
    fn tokens(&mut self, kind: TextKind, at: Duration, n: usize) {
        if n == 0 {
            return;
        }
        if (self.pending.kind, self.pending.at) != (kind, at) {
            self.settle();
            (self.pending.kind, self.pending.at) = (kind, at);
        }
        self.pending.n += n;
    }

    fn settle(&mut self) {
        let Pending { kind, at, n } = std::mem::take(&mut self.pending);
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
    }
}

/// The shape of a token's event and what its text is, where nothing in the text can change that.
#[inline]
fn usual<'f>(frames: &'f Frames, splitter: &ThinkSplitter) -> Option<(Shape<'f>, TextKind)> {
    let shape = frames.shape()?;
    match shape.is_content {
        true => splitter.is_answering().then_some((shape, TextKind::Answer)),
        false => Some((shape, TextKind::Reasoning)),
    }
}

#[inline]
fn keep(news: &mut Option<News>, kind: TextKind, text: &[u8]) {
    if news.is_some() {
        add(news, kind, &String::from_utf8_lossy(text));
    }
}

/// Rounded; what is longer than 71 minutes counts as that long.
fn micros(gap: Duration) -> u32 {
    let whole = gap.as_secs().saturating_mul(1_000_000);
    u32::try_from(whole.saturating_add(u64::from((gap.subsec_nanos() + 500) / 1_000))).unwrap_or(u32::MAX)
}

fn add(text: &mut Option<News>, kind: TextKind, piece: &str) {
    let Some(News { reasoning, answer, .. }) = text else { return };
    match kind {
        TextKind::Reasoning => reasoning.push_str(piece),
        TextKind::Answer | TextKind::Markup => answer.push_str(piece),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text, gaps, figures and ending of a stream of which each piece came a millisecond after the other.
    fn read(pieces: &[&[u8]], keep_text: bool) -> (News, Vec<u32>, Figures, Step) {
        let mut reader = AnswerReader::new(keep_text);
        reader.collect_gaps(Vec::new());
        let mut step = Step::More;
        for (at, piece) in pieces.iter().enumerate() {
            // In single bytes no event is ever seen whole, so each goes the long way.
            let parts: Vec<&[u8]> = if keep_text { vec![piece] } else { piece.chunks(1).collect() };
            for part in parts {
                if step == Step::More {
                    step = reader.take(Duration::from_millis(at as u64 + 1), part);
                }
            }
        }
        let mut text = AnswerReader::new(true);
        for piece in pieces {
            if text.take(Duration::ZERO, piece) != Step::More {
                break;
            }
        }
        text.finish_text();
        (text.take_news(), reader.take_gaps(), reader.figures(), step)
    }

    proptest! {
        #[test]
        fn events_that_are_counted_together_give_what_each_alone_gives(
            events in prop::collection::vec(
                (
                    prop_oneof![
                        8 => "[a-zé漢 ]{0,9}", 1 => Just("<think>".to_owned()),
                        1 => Just("</think>".to_owned()), 1 => r#"\\["n]"#
                    ],
                    prop_oneof![6 => Just("content"), 2 => Just("reasoning"), 1 => Just("other")],
                    prop_oneof![6 => Just("data: "), 1 => Just("data:"), 1 => Just(": hm\ndata: ")],
                    prop_oneof![8 => Just("\n\n"), 1 => Just("\r\n\r\n"), 1 => Just("\n\nevent: x\n\n")],
                    0..3_u8,
                ),
                1..24,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            done in any::<bool>(),
        ) {
            let mut stream: String = events
                .iter()
                .map(|(text, name, data, end, number)| {
                    format!(r#"{data}{{"created":{number},"choices":[{{"delta":{{"{name}":"{text}"}},"index":0}}]}}{end}"#)
                })
                .collect();
            if done {
                stream.push_str("data: [DONE]\n\n");
            }
            let bytes = stream.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(read(&pieces, true), read(&pieces, false));
        }
    }

    #[test]
    fn pieces_of_calls_are_tokens_and_what_was_called_is_told() {
        let mut reader = AnswerReader::new(true);
        reader.collect_gaps(Vec::new());
        let event = |function: &str| {
            let call = format!(r#"{{"index":0,"id":"c1","function":{function}}}"#);
            format!(
                "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":null}}]}}\n\n"
            )
        };
        let role = "data: {\"choices\":[{\"delta\":{\"content\":\"\",\"tool_calls\":[]}}]}\n\n";
        assert_eq!(reader.take(Duration::from_millis(5), role.as_bytes()), Step::More);
        assert!(!reader.has_news());
        for (at, function) in [(10, r#"{"name":"now","arguments":""}"#), (14, r#"{"arguments":"{}"}"#)] {
            assert_eq!(reader.take(Duration::from_millis(at), event(function).as_bytes()), Step::More);
        }
        assert!(reader.has_news());
        let call = ToolCall { id: "c1".to_owned(), name: "now".to_owned(), arguments: "{}".to_owned() };
        assert_eq!(reader.take_news().calls, [call]);
        assert!(!reader.has_news());
        assert_eq!((reader.chunks(), reader.gaps_us()), (2, &[4_000][..]));
        assert_eq!(reader.figures().ttft, Some(Duration::from_millis(10)));
        let end =
            b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
        assert_eq!(reader.take(Duration::from_millis(20), end), Step::Done(FinishReason::ToolCalls));
    }

    #[test]
    fn a_whole_answer_may_be_nothing_but_calls() {
        let mut reader = AnswerReader::new(true);
        let body = br#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}"#;
        assert_eq!(reader.take(Duration::ZERO, body), Step::More);
        assert_eq!(reader.at_the_end(Duration::ZERO), Ok(FinishReason::Other(None)));
        assert_eq!(reader.take_news().calls.len(), 1);
    }

    #[test]
    fn gaps_are_rounded_and_never_overflow() {
        for (gap, us) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1_499), 1),
            (Duration::from_nanos(1_500), 2),
            (Duration::from_nanos(2_999_999_999), 3_000_000),
            (Duration::MAX, u32::MAX),
        ] {
            assert_eq!(micros(gap), us, "{gap:?}");
        }
    }

    #[test]
    fn a_used_buffer_for_gaps_is_emptied() {
        let mut reader = AnswerReader::new(false);
        reader.collect_gaps(vec![7; 3]);
        let event = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        for at in [5, 7, 10] {
            assert_eq!(reader.take(Duration::from_millis(at), event), Step::More);
        }
        assert_eq!(reader.gaps_us(), [2_000, 3_000]);
        assert_eq!((reader.take_gaps().len(), reader.gaps_us()), (2, &[][..]));
    }

    #[test]
    fn what_is_no_answer_can_be_looked_at() {
        let mut reader = AnswerReader::new(true);
        assert_eq!(reader.take(Duration::ZERO, b"<!doctype html>"), Step::More);
        assert_eq!(reader.at_the_end(Duration::ZERO), Err(Broken::NotAnAnswer));
        assert_eq!((reader.raw(), reader.is_answer()), (&b"<!doctype html>"[..], false));
        let mut reader = AnswerReader::new(true);
        let refusal = br#"{"error":{"message":"no"}}"#;
        assert_eq!(reader.take(Duration::ZERO, refusal), Step::More);
        assert_eq!(reader.at_the_end(Duration::ZERO), Err(Broken::Refused));
        assert_eq!(reader.raw(), refusal);
    }
}
